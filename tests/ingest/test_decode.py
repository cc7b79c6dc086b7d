"""The rules of payloads and times, one row each."""

import json
from collections import Counter

import msgspec
import numpy as np
import pytest
from decoding import DAY, NOW, decode, decoder, message

from store.journal import DeviceKey
from telemetry.channels import COMPRESSOR, KIND_BY_NAME, PORT
from telemetry.frame import (
    FLAG_CLOCK_SKEW,
    FLAG_FUTURE,
    FLAG_RECEIPT_TIME,
    FLAG_RETAINED,
    NO_CODE,
    NO_SEQ,
    decode_frame,
    encode_frame,
)
from telemetry.registry import Registry, registry_from_tables
from wire.mqtt.packets import FLAG_DUP, FLAG_RETAIN, Publish


def one(payload, kind="port", mode="live", **more):
    """Return the only reading of one message as a dict without what is missing."""
    found = decode(message(payload, f"s/{kind}/d/telemetry", **more), mode=mode)
    assert not found.letters, found.letters
    (frame,) = found.frames
    assert len(frame) == 1
    row = {c.name: v for c, v in zip(frame.kind.values, frame.values[0].tolist(), strict=True) if not np.isnan(v)}
    for channel, code in zip(frame.kind.codes, frame.codes[0].tolist(), strict=True):
        if code != NO_CODE:
            row[channel.name] = channel.states[code] if channel.states else frame.texts[code]
    return row, found


def test_the_example_of_the_contract():
    row, found = one(
        b'{"ts": 1732240000123, "seq": 17, "status": "Charging", "power_kw": 6.9, "energy_kwh": 10234.51,'
        b' "current_a": 30.1, "voltage_v": 229.8}'
    )
    assert row == {
        "status": "Charging", "power_kw": 6.9, "energy_kwh": 10234.51, "current_a": 30.1, "voltage_v": 229.8,
    }
    (frame,) = found.frames
    assert (frame.time_ms[0], frame.seq[0], frame.flags[0]) == (NOW, 17, 0)
    assert found.new_devices == [(DeviceKey("s", "port", "d"), 0)]
    assert (found.rejected, found.unknown_keys, found.dead_messages) == (Counter(), 0, 0)


@pytest.mark.parametrize("kind", KIND_BY_NAME)
def test_every_channel_of_every_kind_is_read(kind):
    reading, expected = {"ts": NOW}, {}
    for channel in KIND_BY_NAME[kind].values:
        reading[channel.name] = expected[channel.name] = NOW if channel.name == "departure" else 0.5
    for channel in KIND_BY_NAME[kind].codes[:-1]:
        reading[channel.name] = expected[channel.name] = channel.states[-1] if channel.states else "text"
    row, found = one(reading, kind)
    assert row == expected
    assert found.rejected == Counter()
    assert one(msgspec.msgpack.encode(reading), kind, content_type="application/msgpack")[0] == expected


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("power_kw", "6.9", "type"),
        ("power_kw", True, "type"),
        ("power_kw", [1], "type"),
        ("power_kw", {}, "type"),
        ("power_kw", 10_000.1, "range"),
        ("power_kw", -10_001, "range"),
        ("power_kw", float("nan"), "range"),
        ("power_kw", float("inf"), "range"),
        ("power_kw", 10**400, "range"),
        ("energy_kwh", -0.1, "range"),
        ("soc_pct", 100.5, "range"),
        ("temperature_c", 301, "range"),
        ("voltage_v", -1, "range"),
        ("seq", "17", "type"),
        ("seq", 1.5, "type"),
        ("seq", True, "type"),
        ("seq", -1, "range"),
        ("seq", 2**63, "range"),
        ("status", "charging", "name"),
        ("status", "Busy", "name"),
        ("status", 3, "type"),
        ("session_id", 12, "type"),
        ("session_id", "x" * 257, "length"),
        ("session_id", "half \ud800", "length"),
        ("departure", "soon", "type"),
        ("departure", "2024-11-22T03:00:00", "type"),
        ("departure", True, "type"),
        ("departure", 5, "range"),
    ],
)
def test_a_wrong_value_costs_that_value_only(key, value, reason):
    row, found = one({"ts": NOW, "current_a": 1, key: value})
    assert row == {"current_a": 1.0}
    assert found.rejected == Counter({reason: 1})
    assert found.frames[0].seq[0] == NO_SEQ
    # The same beside a good reading of the same keys: only the wrong one is lost.
    good = {"ts": NOW, "current_a": 2, key: None}
    pair = decode(message([{"ts": NOW, "current_a": 1, key: value}, good]))
    assert pair.rejected == Counter({reason: 1})
    assert pair.frames[0].values[:, PORT.value_index["current_a"]].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("key", "value", "stored"),
    [
        ("power_kw", 7, 7.0),
        ("power_kw", -10_000, -10_000.0),
        ("energy_kwh", 0, 0.0),
        ("session_id", "x" * 256, "x" * 256),
        ("session_id", "港口-1", "港口-1"),
        ("departure", NOW, float(NOW)),
        ("departure", "2024-11-22T03:00:00+08:00", 1_732_215_600_000.0),
    ],
)
def test_values_at_the_edge_are_taken(key, value, stored):
    row, found = one({"ts": NOW, key: value})
    assert row == {key: stored}
    assert found.rejected == Counter()


def test_null_is_missing_and_no_mistake():
    row, found = one({"ts": NOW, "seq": None, "status": None, "power_kw": None, "session_id": None, "departure": None})
    assert row == {}
    assert (found.rejected, found.readings) == (Counter(), 1)


def test_machine_states_in_any_letter_case():
    for name in ("loaded", "LOADED", "Loaded"):
        assert one({"ts": NOW, "state": name}, "compressor")[0] == {"state": "loaded"}
    assert one({"ts": NOW, "state": "Charging"}, "compressor")[1].rejected == Counter({"name": 1})


def test_unknown_keys_are_counted_and_ignored():
    row, found = one({"ts": NOW, "power_kw": 1, "firmware": "1.2", "online": 1, "state": "loaded"})
    assert row == {"power_kw": 1.0}
    assert (found.unknown_keys, found.rejected) == (3, Counter())


def test_not_a_number_in_messagepack_is_refused():
    _, found = one(
        msgspec.msgpack.encode({"ts": NOW, "power_kw": float("nan")}), content_type="application/msgpack"
    )
    assert found.rejected == Counter({"range": 1})


@pytest.mark.parametrize(
    "ts",
    [NOW, str(np.datetime64(NOW, "ms")) + "Z", "2024-11-22T01:46:40.123000+00:00", "2024-11-22t09:46:40.123+08:00",
     float(NOW)],
)  # fmt: skip
def test_both_forms_of_a_time(ts):
    _, found = one({"ts": ts})
    assert found.frames[0].time_ms.tolist() == [NOW]


@pytest.mark.parametrize("mode", ["live", "event"])
@pytest.mark.parametrize(
    "ts",
    ["soon", "2024-11-22T01:46:40", str(NOW), True, 1.5, [], {}, 946_684_799_999, 4_102_444_800_000, 1_732_240_000,
     10**30, -1, "1999-12-31T23:59:59Z", "2100-01-01T00:00:00Z", float("nan"), float("inf")],
)  # fmt: skip
def test_a_time_that_cannot_be_is_a_dead_letter(mode, ts):
    payload = json.dumps({"ts": ts, "power_kw": "wrong"}).encode()
    found = decode(message(payload), mode=mode)
    (letter,) = found.letters
    assert (letter.payload, letter.element, letter.time_ms) == (payload, None, NOW)
    assert letter.topic == "voltair/v1/harbour/port/p1/telemetry"
    assert letter.reason.startswith("ts ")
    assert (found.dead_messages, found.readings, found.rejected) == (1, 0, Counter())


def test_without_a_time_live_the_receipt_counts():
    for payload in ({"power_kw": 1}, {"ts": None, "power_kw": 1}):
        _, found = one(payload)
        assert found.frames[0].time_ms.tolist() == [NOW]
        assert found.frames[0].flags.tolist() == [FLAG_RECEIPT_TIME]


def test_without_a_time_in_event_mode_it_is_a_dead_letter():
    found = decode(message({"power_kw": 1}), message(b"1", "s/port/p/online"), mode="event")
    assert [x.reason for x in found.letters] == ['no ts, which clock.mode = "event" needs'] * 2
    assert found.frames == []


@pytest.mark.parametrize(
    ("ahead_ms", "flags"),
    [
        (0, 0),
        (60_000, 0),
        (60_001, FLAG_CLOCK_SKEW),
        (-60_000, 0),
        (-60_001, FLAG_CLOCK_SKEW),
        (300_000, FLAG_CLOCK_SKEW),
        (300_001, FLAG_CLOCK_SKEW | FLAG_FUTURE),
    ],
)
def test_live_clocks_are_compared(ahead_ms, flags):
    _, found = one({"ts": NOW + ahead_ms})
    assert found.frames[0].flags.tolist() == [flags]
    assert one({"ts": NOW + ahead_ms}, mode="event")[1].frames[0].flags.tolist() == [0]


def test_one_wrong_clock_does_not_move_a_stations_now():
    decoder_ = decoder("event", station_now={"harbour": NOW})

    def run(*times, topic="harbour/port/p1/telemetry"):
        return decoder_.decode([message({"ts": t}, topic) for t in times], np.full(len(times), NOW))

    assert run(NOW + 366 * DAY + 1).station_now == {}
    found = run(NOW + 366 * DAY + 1, NOW - DAY, NOW + 1)
    assert [x.reason[:5] for x in found.letters] == ["ts 20"]
    assert "2024-11-22T01:46:40.123Z" in found.letters[0].reason
    assert (found.readings, found.station_now) == (2, {"harbour": NOW + 1})
    # A year's pause in two steps is no broken clock.
    assert run(NOW + 300 * DAY, NOW + 600 * DAY).station_now == {"harbour": NOW + 600 * DAY}
    # Kinds share their station's clock in order of arrival; the first reading of a station sets it.
    found = decoder_.decode(
        [
            message({"ts": NOW}, "isle/air_main/m/telemetry"),
            message({"ts": NOW + 400 * DAY}, "isle/compressor/c/telemetry"),
            message({"ts": NOW + 300 * DAY}, "isle/air_main/m/telemetry"),
            message({"ts": NOW + 400 * DAY}, "isle/compressor/c/telemetry"),
        ],
        np.full(4, NOW),
    )
    assert found.station_now == {"isle": NOW + 400 * DAY}
    assert [(x.topic.split("/")[3], x.payload) for x in found.letters] == [
        ("compressor", json.dumps({"ts": NOW + 400 * DAY}).encode())
    ]
    assert found.readings == 3


def test_bad_elements_of_an_array_go_alone():
    payload = [{"ts": NOW, "power_kw": 1}, 5, {"ts": "soon"}, None, {"ts": NOW + 1, "power_kw": 2}, [], "x"]
    found = decode(message(payload), message({"ts": NOW + 2, "power_kw": 3}))
    assert [x.element for x in found.letters] == [1, 2, 3, 5, 6]
    assert {x.payload for x in found.letters} == {json.dumps(payload).encode()}
    assert found.dead_messages == 1
    (frame,) = found.frames
    assert frame.time_ms.tolist() == [NOW, NOW + 1, NOW + 2]
    assert frame.values[:, PORT.value_index["power_kw"]].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("payload", "content_type"),
    [
        (b"", ""),
        (b"\xff\xfe", ""),
        (b"{", ""),
        (b'{"ts": 1', ""),
        (b'{"ts": 1}}', ""),
        (b"42", ""),
        (b'"text"', ""),
        (b"null", ""),
        (b"[" * 3_000, ""),
        (b"x" * 4_001, ""),
        (b"\xc1", "application/msgpack"),
        (b"\x91" * 3_000, "application/msgpack"),
        (b'{"ts": 1}', "application/msgpack"),
    ],
)
def test_what_cannot_be_read_is_kept_with_its_reason(payload, content_type):
    found = decode(message(payload, content_type=content_type), message({"ts": NOW}))
    (letter,) = found.letters
    assert letter.payload == payload
    assert letter.content_type == content_type
    assert letter.reason
    assert (found.dead_messages, found.readings) == (1, 1)


@pytest.mark.parametrize(
    ("topic", "says"),
    [
        ("voltair/v1/s/port/p", "is not like"),
        ("voltair/v1/s/port/p/telemetry/x", "is not like"),
        ("voltair/v2/s/port/p/telemetry", "is not like"),
        ("voltair/v1/s/port/p/status", "is not like"),
        ("voltair/v1/s/pump/p/telemetry", "kind 'pump'"),
        ("voltair/v1/s/port/p 1/telemetry", "id 'p 1'"),
        ("voltair/v1/" + "s" * 65 + "/port/p/telemetry", "id 'sss"),
        ("voltair/v1//port/p/telemetry", "id ''"),
        ("voltair/v1/港/port/p/telemetry", "id '港'"),
    ],
)
def test_a_wrong_topic_is_a_dead_letter(topic, says):
    for _ in range(2):
        found = decode(Publish(topic.encode(), b'{"ts": 1}', 1, 2))
        assert says in found.letters[0].reason
        assert found.frames == []
        assert found.new_devices == []


@pytest.mark.parametrize(
    ("payload", "code", "time_ms", "flags"),
    [
        (b"1", 1, NOW, FLAG_RECEIPT_TIME),
        (b"0", 0, NOW, FLAG_RECEIPT_TIME),
        (b'{"online": 0, "ts": 1732240000000}', 0, 1_732_240_000_000, 0),
        (b'{"online": 1.0, "ts": "2024-11-22T01:46:40Z"}', 1, 1_732_240_000_000, 0),
    ],
)
def test_presence(payload, code, time_ms, flags):
    (frame,) = decode(message(payload, "s/port/p/online")).frames
    assert frame.codes[:, PORT.code_index["online"]].tolist() == [code]
    assert (frame.time_ms.tolist(), frame.flags.tolist()) == ([time_ms], [flags])
    (frame,) = decode(message(payload, "s/port/p/online", flags=0x02 | FLAG_RETAIN)).frames
    assert frame.flags.tolist() == [flags | FLAG_RETAINED]


@pytest.mark.parametrize("payload", [b"2", b"true", b"online", b'{"online": "1"}', b'{"ts": 1732240000000}', b'"1"'])
def test_presence_that_says_neither_is_a_dead_letter(payload):
    found = decode(message(payload, "s/port/p/online"))
    assert (len(found.letters), found.frames) == (1, [])


def test_a_cleared_retained_presence_is_nothing():
    found = decode(message(b"", "s/port/p/online"))
    assert (found.letters, found.frames) == ([], [])


def test_an_old_retained_copy_is_no_skew():
    old = message({"online": 1, "ts": NOW - DAY}, "s/port/p/online", flags=0x02 | FLAG_RETAIN)
    (frame,) = decode(old).frames
    assert frame.flags.tolist() == [FLAG_RETAINED]


def test_a_device_narrows_its_ranges():
    registry = registry_from_tables(
        {"stations": {"isle": {"kind": "compressed_air", "compressors": [
            {"id": "c1", "ranges": {"power_kw": [0, 200], "flow_m3_min": [-20_000, 20_000]}}, {"id": "c2"},
        ]}}},
        "test",
    )  # fmt: skip
    decoder_ = decoder(registry=registry)
    payload = {"power_kw": -5, "flow_m3_min": 15_000}
    messages = [message(payload, f"isle/compressor/{d}/telemetry") for d in ("c1", "c2")]
    found = decoder_.decode(messages, np.full(2, NOW))
    power = found.frames[0].values[:, COMPRESSOR.value_index["power_kw"]].tolist()
    assert np.isnan(power[0])
    assert power[1] == -5
    assert found.rejected == Counter({"range": 3})
    decoder_.set_registry(Registry())
    assert decoder_.decode(messages, np.full(2, NOW)).rejected == Counter({"range": 2})


def test_kinds_and_shapes_keep_their_order_of_arrival():
    messages = []
    for i in range(50):
        reading = {"ts": NOW + i, "power_kw": i} if i % 3 else {"session_id": f"s{i % 4}", "ts": NOW + i}
        messages.append(message(reading, f"s/port/p{i % 7}/telemetry"))
        messages.append(message({"ts": NOW + i, "pressure_bar": 7}, "s/air_main/m/telemetry"))
    found = decode(*messages, devices={DeviceKey("s", "port", "p3"): 0})
    frames = {f.kind.name: decode_frame(encode_frame(f)) for f in found.frames}
    assert set(frames) == {"port", "air_main"}
    port = frames["port"]
    assert port.time_ms.tolist() == [NOW + i for i in range(50)]
    index = {key.device: i for key, i in found.new_devices} | {"p3": 0}
    assert port.device.tolist() == [index[f"p{i % 7}"] for i in range(50)]
    power = port.values[:, PORT.value_index["power_kw"]]
    texts = port.codes[:, PORT.code_index["session_id"]]
    for i in range(50):
        assert (power[i] == i) if i % 3 else (np.isnan(power[i]) and port.texts[texts[i]] == f"s{i % 4}")
    assert sorted(i for _, i in found.new_devices) == list(range(1, 8))


def test_redelivered_messages_are_counted():
    found = decode(message({"ts": NOW}, flags=0x02 | FLAG_DUP), message({"ts": NOW}))
    assert found.redelivered == 1


def test_doubts_about_time_are_counted():
    found = decode(message({"ts": NOW + 600_000}), message({"ts": NOW - 61_000}), message({}), message({"ts": NOW}))
    assert found.flagged == {"future": 1, "clock_skew": 2, "receipt_time": 1}
