"""Plain values and times out of payloads."""

import math

import msgspec
import pytest

from wire.payload import MSGPACK, Unreadable, read_payload, read_time


def test_json_and_messagepack_give_the_same():
    value = {"ts": 1, "a": [1.5, "x", None, True]}
    assert read_payload(msgspec.json.encode(value)) == value
    assert read_payload(msgspec.json.encode(value), "application/json") == value
    assert read_payload(msgspec.msgpack.encode(value), MSGPACK) == value


def test_what_json_does_not_have_is_no_reason_to_lose_the_message():
    assert math.isnan(read_payload(b'{"a": NaN}')["a"])
    assert read_payload(b'{"a": -Infinity, "b": 1e999}') == {"a": -math.inf, "b": math.inf}


@pytest.mark.parametrize(("payload", "content_type"), [(b"", ""), (b"\xff", ""), (b"{'a': 1}", ""), (b"\xc1", MSGPACK)])
def test_unreadable_payloads_say_why(payload, content_type):
    found = read_payload(payload, content_type)
    assert isinstance(found, Unreadable)
    assert ("MessagePack" if content_type else "JSON") in found.reason


def test_too_deep_a_payload_is_said_to_be():
    assert read_payload(b"[" * 100_000) == Unreadable("no JSON: nested too deeply")


@pytest.mark.parametrize(
    "value",
    [1_732_240_000_123, "2024-11-22T01:46:40.123Z", "2024-11-22t01:46:40.123z", "2024-11-22 03:46:40.123+02:00"],
)
def test_times(value):
    assert read_time(value) == 1_732_240_000_123


@pytest.mark.parametrize("value", ["1732240000123", "2024-11-22", "noon", None, True, 0.5, "²", {}])
def test_what_is_no_time_is_shown(value):
    found = read_time(value)
    assert isinstance(found, str)
    assert found.startswith(repr(value))


def test_a_long_value_is_shown_in_part():
    assert len(read_time("x" * 10_000)) < 200
    assert "outside 2000..2100" in read_time(946_684_799_999)
    assert read_time(946_684_800_000) == 946_684_800_000
    assert "outside 2000..2100" in read_time(4_102_444_800_000)
