"""Whatever arrives, the rest goes on: any payload, any bytes, more devices and deeper nests than allowed."""

import json

import msgspec
import numpy as np
import pytest
from decoding import NOW, decode, decoder, message
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import decode as decode_module
from store.journal import DeviceKey
from telemetry.channels import PORT
from telemetry.config import IngestConfig
from telemetry.frame import decode_frame, encode_frame
from telemetry.registry import registry_from_tables
from wire.payload import Unreadable, read_payload

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from([NOW, "2024-11-22T03:00:00Z", "Charging", 0, 1]),
    lambda x: st.lists(x, max_size=3)
    | st.dictionaries(st.sampled_from(["ts", "seq", "status", "power_kw", "session_id", "online", "departure", "x"]), x,
                      max_size=6),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.tuples(JSON, st.booleans(), st.booleans()), max_size=6), st.sampled_from(["live", "event"]))
def test_no_payload_does_more_harm_than_a_dead_letter(payloads, mode):
    messages = []
    for value, presence, packed in payloads:
        if packed:
            try:
                data, content_type = msgspec.msgpack.encode(value), "application/msgpack"
            except (OverflowError, UnicodeEncodeError):
                continue
        else:
            data, content_type = json.dumps(value).encode(), ""
        topic = f"s/port/p/{'online' if presence else 'telemetry'}"
        messages.append(message(data, topic, content_type=content_type))
    good = message({"ts": NOW, "power_kw": 1.5}, "other/port/q/telemetry")
    found = decode(*messages, good, mode=mode)
    for frame in found.frames:
        assert len(decode_frame(encode_frame(frame))) == len(frame)
    assert found.frames[0].values[-1, PORT.value_index["power_kw"]] == 1.5


@given(st.binary(max_size=60), st.sampled_from(["", "application/msgpack"]))
def test_no_bytes_do_more_harm_than_a_dead_letter(payload, content_type):
    found = decode(message(payload, content_type=content_type), message({"ts": NOW}))
    assert found.readings >= 1
    assert found.dead_messages in (0, 1)


def test_devices_beyond_the_limits_are_dead_letters_but_those_that_are_listed():
    limits = IngestConfig(max_devices=4, max_devices_per_station=2)
    listed = registry_from_tables({"stations": {"a": {"kind": "charging", "ports": [{"id": "p9"}]}}}, "stations.toml")
    made = decoder(limits=limits, devices={DeviceKey("a", "port", "p0"): 0})
    names = ("a/port/p1", "a/port/p2", "b/port/p1", "b/port/p1", "c/port/p1", "d/port/p1", "a/port/p9")
    some = [message({"ts": NOW}, f"{name}/telemetry") for name in names]

    def reasons(found):
        return [(x.topic.split("/")[2], x.reason.rpartition("; ")[2]) for x in found.letters]

    per_station = "list it in stations.toml, or raise ingest.max_devices_per_station = 2"
    in_all = "list it in stations.toml, or raise ingest.max_devices = 4"
    assert reasons(made.decode(some, np.full(7, NOW))) == [("a", per_station), ("d", in_all), ("a", in_all)]
    made.set_registry(listed)
    assert reasons(made.decode(some, np.full(7, NOW))) == [("a", in_all), ("d", in_all)]


@pytest.mark.parametrize("shell", [b'{"x": %s}', b'[{"x": 1}, {"x": %s}]', b'[{"x": "{"}, {"x": %s}, "]"]'])
def test_nesting_is_limited_whatever_texts_hold(shell):
    levels = shell.count(b"[{") + 1
    for depth, dead in ((100 - levels, []), (101 - levels, ["nested deeper than 100; see ingest.max_nesting"])):
        outer, inner = depth // 2, depth - depth // 2
        nest = b'{"y": ' * outer + b"[" * inner + b"]" * inner + b"}" * outer
        found = decode(message(shell % nest))
        assert [x.reason for x in found.letters if "nested" in x.reason] == dead
        assert read_payload(msgspec.msgpack.encode(json.loads(shell % nest)), "application/msgpack", 100) == (
            json.loads(shell % nest) if not dead else Unreadable(dead[0])
        )


def test_a_bug_of_ours_costs_the_message_that_meets_it(monkeypatch, caplog):
    def read(payload, content_type, nesting):
        if payload == b"bug":
            msg = "as if"
            raise KeyError(msg)
        return read_payload(payload, content_type)

    monkeypatch.setattr(decode_module, "read_payload", read)
    messages = [message({"ts": NOW + i}, f"s/port/p{i}/telemetry") for i in range(7)]
    messages[3] = message(b"bug", "s/port/p3/telemetry")
    found = decode(*messages)
    assert [(x.payload, x.reason) for x in found.letters] == [(b"bug", "Voltair failed on it: KeyError('as if')")]
    assert found.dead_messages == 1
    assert found.readings == 6
    assert [i for _, i in found.new_devices] == list(range(7))
    assert np.concatenate([f.device for f in found.frames]).tolist() == [0, 1, 2, 4, 5, 6]
    assert "p3" in caplog.text
