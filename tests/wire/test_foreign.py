"""Foreign payloads, as data: one row per thing that a decoder can say."""

import json

import jmespath
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.decoders import DecoderConfig
from telemetry.errors import ConfigError
from wire.foreign import ForeignDecoders
from wire.mapping import Path

NOW = 1_795_316_400_500


def compiled(*tables):
    return ForeignDecoders(msgspec.convert(tables, list[DecoderConfig], strict=False), "voltair/v1")


def read(table, payload, topic="plant/isle/c1/state", receipt_ms=NOW, content_type=""):
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    decoders = compiled({"topic": "plant/{station}/{device}/state", "kind": "compressor"} | table)
    return decoders.match(topic).read(data, content_type, receipt_ms)


def one(table, payload, **more):
    outcome = read(table, payload, **more)
    assert outcome.refused == []
    (reading,) = outcome.readings
    return reading.element


def test_a_nested_payload_becomes_a_reading_of_the_device_that_its_topic_names():
    table = {
        "fields": {
            "power_kw": {"path": "motor.power", "unit": "W"},
            "discharge_pressure_bar": {"path": 'air."p-out"', "unit": "MPa"},
            "state": {"path": "mode", "map": {"RUN": "loaded", "2": "stopped"}},
        },
        "time": {"path": "at", "format": "s"},
    }
    payload = {"motor": {"power": 6900}, "air": {"p-out": 0.7}, "mode": "RUN", "at": 1_795_316_400.25}
    (reading,) = read(table, payload).readings
    assert (reading.station, reading.kind.name, reading.device, reading.presence) == ("isle", "compressor", "c1", False)
    assert reading.element == {
        "power_kw": 6.9, "discharge_pressure_bar": 7.0, "state": "loaded", "ts": 1_795_316_400_250,
    }
    assert one(table, {"mode": 2}) == {"state": "stopped"}


@pytest.mark.parametrize(
    ("time", "value", "expected"),
    [
        ({"format": "s"}, 1_795_316_400, 1_795_316_400_000),
        ({"format": "s"}, "1795316400.5", 1_795_316_400_500),
        ({"format": "ms"}, 1_795_316_400_123, 1_795_316_400_123),
        ({"format": "us"}, 1_795_316_400_123_999, 1_795_316_400_123),
        ({"format": "ns"}, 1_795_316_400_123_999_999, 1_795_316_400_123),
        ({"format": "iso"}, "2026-11-22T03:00:00.5+08:00", 1_795_287_600_500),
        ({"format": "iso", "zone": "Asia/Shanghai"}, "2026-11-22T03:00:00.5", 1_795_287_600_500),
        ({"format": "relative"}, -1.5, NOW - 1_500),
    ],
)
def test_times(time, value, expected):
    table = {"fields": {"power_kw": "p"}, "time": {"path": "t"} | time}
    assert one(table, {"p": 1, "t": value}) == {"power_kw": 1, "ts": expected}


@pytest.mark.parametrize(
    ("form", "value"), [("iso", "2026-11-22T03:00:00"), ("iso", 5), ("s", "noon"), ("s", True), ("ms", 10**30)]
)
def test_a_time_that_is_none_refuses_its_reading(form, value):
    outcome = read({"fields": {"power_kw": "p"}, "time": {"path": "t", "format": form}}, {"p": 1, "t": value})
    assert outcome.readings == []
    assert "time" in outcome.refused[0][1]


def test_relative_times_need_a_receipt_and_absent_times_stay_absent():
    table = {"fields": {"power_kw": "p"}, "time": {"path": "t", "format": "relative"}}
    assert one(table, {"p": 1, "t": -1}, receipt_ms=None) == {"power_kw": 1}
    assert one(table, {"p": 1}) == {"power_kw": 1}


@pytest.mark.parametrize(
    ("channel", "unit", "value", "expected"),
    [
        ("power_kw", "W", 229, 0.229),
        ("power_kw", "MW", 0.5, 500.0),
        ("energy_kwh", "Wh", 1234, 1.234),
        ("energy_kwh", "MJ", 3.6, 1.0),
        ("discharge_pressure_bar", "Pa", 700_000, 7.0),
        ("discharge_pressure_bar", "psi", 100, 6.89475729),
        ("discharge_pressure_bar", "kPa_abs", 801.325, 7.0),
        ("flow_m3_min", "m3/h", 90, 1.5),
        ("flow_m3_min", "l/s", 25, 1.5),
        ("volume_m3", "l", 2500, 2.5),
        ("oil_temperature_c", "K", 353.15, 80.0),
        ("oil_temperature_c", "F", 176, 80.0),
        ("running_h", "s", 5400, 1.5),
        ("running_h", "ns", 3_600_000_000_000, 1.0),
        ("motor_current_a", "mA", 1500, 1.5),
    ],
)
def test_units(channel, unit, value, expected):
    found = one({"fields": {channel: {"path": "v", "unit": unit}}}, {"v": value})[channel]
    assert found == pytest.approx(expected, rel=1e-12)
    found = one({"fields": {channel: "v"}}, {"v": {"value": value, "unit": unit}})[channel]
    assert found == pytest.approx(expected, rel=1e-12), "a value may carry its own unit"


@pytest.mark.parametrize(
    ("channel", "value", "expected"),
    [
        ("power_kw", " 6.9 ", 6.9),
        ("power_kw", "n/a", "n/a"),
        ("power_kw", True, True),
        ("power_kw", {"value": 1, "unit": "horse"}, "1 horse"),
        ("fault_code", 17, "17"),
        ("state", "BUSY", "BUSY"),
    ],
)
def test_texts_of_numbers_are_numbers_and_what_does_not_fit_is_left_to_be_refused(channel, value, expected):
    assert one({"fields": {channel: "v"}}, {"v": value}) == {channel: expected}


def test_scale_counts_before_the_unit():
    assert one({"fields": {"power_kw": {"path": "r", "scale": 10, "unit": "W"}}}, {"r": 690}) == {"power_kw": 6.9}


def test_a_message_without_any_of_the_fields_is_a_sign_of_life():
    assert one({"fields": {"power_kw": "p"}}, {"other": 1}) == {}
    assert one({"fields": {"power_kw": "sum(p)"}}, {"p": "x"}) == {}


def test_arrays_are_several_readings_and_a_bad_one_is_refused_alone():
    table = {"fields": {"power_kw": "p"}, "time": {"path": "t", "format": "s"}}
    outcome = read(table, [{"p": 1, "t": 1e9}, {"p": 2, "t": "x"}, {"p": 3, "t": 1e9 + 1}])
    assert [(r.place, r.element["power_kw"]) for r in outcome.readings] == [(0, 1), (2, 3)]
    assert [place for place, _ in outcome.refused] == [1]
    table |= {"readings": "samples"}
    outcome = read(table, {"t": 1e9, "samples": [{"p": 1}, {"p": 2, "t": 1e9 + 1}]})
    assert [r.element for r in outcome.readings] == [
        {"power_kw": 1, "ts": 10**12}, {"power_kw": 2, "ts": 10**12 + 1000},
    ]
    assert "readings" in read(table, {"t": 1}).refused[0][1]


def test_presence_is_a_message_of_its_own():
    table = {"format": "text", "fields": {"online": {"map": {"Online": "1", "Offline": "0"}}}}
    (reading,) = read(table, b"Offline").readings
    assert (reading.presence, reading.element) == (True, {"online": 0})
    assert read(table, b"true").readings[0].element == {"online": 1}
    assert "neither" in read(table, b"asleep").refused[0][1]
    table = {"fields": {"online": "up", "power_kw": "p"}, "time": {"path": "t", "format": "ms"}}
    outcome = read(table, {"up": True, "p": 1, "t": NOW})
    assert [(r.presence, r.element) for r in outcome.readings] == [
        (False, {"power_kw": 1, "ts": NOW}), (True, {"online": 1, "ts": NOW}),
    ]


def test_messagepack_by_its_content_type():
    data = msgspec.msgpack.encode({"p": 5})
    assert one({"fields": {"power_kw": "p"}}, data, content_type="application/msgpack") == {"power_kw": 5}


def test_what_cannot_be_read_is_refused_with_its_reason():
    assert "no JSON" in read({"fields": {"power_kw": "p"}}, b"{").refused[0][1]
    assert "no text" in read({"format": "text", "fields": {"power_kw": "@"}}, b"\xff").refused[0][1]
    outcome = read({"fields": {"power_kw": "p"}}, {"p": 1}, topic="plant/isle/c 1/state")
    assert "id 'c 1'" in outcome.refused[0][1]
    outcome = read({"fields": {"power_kw": "p"}}, b"")
    assert (outcome.readings, outcome.refused) == ([], [])


def test_one_value_per_topic_is_assembled():
    decoders = compiled(
        {
            "topic": "lp/{n}/{value}", "assemble": "value", "station": "home", "device": "lp{n}", "kind": "port",
            "format": "text",
            "fields": {
                "power_kw": {"path": "chargePower", "unit": "W"},
                "current_l1_a": '"chargeCurrents/l1"',
                "status": {
                    "path": "[connected, charging]",
                    "map": {"[false,false]": "Available", "[true,false]": "SuspendedEV", "[true,true]": "Charging"},
                },
            },
        }
    )
    assert set(decoders.filters) == {"lp/+/chargePower", "lp/+/connected", "lp/+/charging", "lp/+/chargeCurrents/l1"}
    assert decoders.match("lp/1/title") is None

    def say(topic, text):
        (reading,) = decoders.match(topic).read(text.encode(), "", NOW).readings
        return reading.device, reading.element

    assert say("lp/1/connected", "true") == ("lp1", {})
    assert say("lp/2/charging", "true") == ("lp2", {}), "devices do not mix"
    assert say("lp/1/charging", "true") == ("lp1", {"status": "Charging"})
    assert say("lp/1/chargePower", "6900") == ("lp1", {"power_kw": 6.9}), "the status is not said again"
    assert say("lp/1/chargeCurrents/l1", "16.1") == ("lp1", {"current_l1_a": 16.1})
    assert say("lp/1/charging", "false") == ("lp1", {"status": "SuspendedEV"})


def test_several_decoders_read_one_topic():
    table = {"topic": "ems", "station": "isle", "format": "json"}
    decoders = compiled(
        table | {"kind": "air_main", "device": "main", "fields": {"pressure_bar": "p"}},
        table | {"kind": "dryer", "device": "d1", "fields": {"dew_point_c": "d"}},
    )
    assert decoders.filters == ("ems",)
    outcome = decoders.match("ems").read(b'{"p": 7, "d": 3}', "", NOW)
    found = [(r.device, r.element) for r in outcome.readings]
    assert found == [("main", {"pressure_bar": 7}), ("d1", {"dew_point_c": 3})]


GOOD = {"topic": "a/{station}/{device}", "kind": "port", "fields": {"power_kw": "p"}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"topic": "a/+/{device}"}, "level '\\+'"),
        ({"topic": "a/x{station}/{device}"}, "neither plain text nor one name"),
        ({"topic": "a/{device}/{device}"}, "twice"),
        ({"topic": ""}, "level ''"),
        ({"topic": "a/{device}"}, "no level {station}"),
        ({"topic": "voltair/v1/{station}/{device}"}, "native"),
        ({"kind": "car"}, "kind 'car' is none of port"),
        ({"kind": ""}, "no level {kind}"),
        ({"fields": {}}, "no fields"),
        ({"fields": {"watts": "p"}}, "'watts' is no channel of port"),
        ({"fields": {"power_kw": "p["}}, "no JMESPath"),
        ({"fields": {"power_kw": {"path": "p", "unit": "horse"}}}, "none of W, kW, MW"),
        ({"fields": {"session_id": {"path": "p", "unit": "W"}}}, "no unit"),
        ({"fields": {"status": {"path": "p", "map": {"1": "Busy"}}}}, "'Busy' is none of Available"),
        ({"time": {"path": "t"}}, "give both"),
        ({"time": {"path": "t", "format": "iso", "zone": "Mars/Base"}}, "zone 'Mars/Base'"),
        ({"assemble": "key"}, "no level {key}"),
        ({"assemble": "device"}, "no level {device}"),
        ({"topic": "a/{station}/{device}/{k}", "assemble": "k", "readings": "x"}, "without time"),
    ],
)
def test_a_wrong_decoder_is_refused_with_the_remedy(change, words):
    with pytest.raises(ConfigError, match=words):
        compiled(GOOD | change)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["\ud800", "1e999", "x", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "t", "value", "unit"]), inner),
    max_leaves=10,
)


@pytest.mark.parametrize("form", ["s", "ns", "iso", "relative"])
@given(payload=ANY)
def test_any_payload_is_read_or_refused(form, payload):
    table = {
        "fields": {
            "power_kw": {"path": "a", "unit": "W", "scale": 10}, "state": {"path": "a", "map": {"[1]": "loaded"}},
            "fault_code": "a", "volume_m3": "floor(a)", "online": "a.value", "oil_temperature_c": "a",
        },
        "time": {"path": "t", "format": form, "zone": "Asia/Shanghai"},
    }  # fmt: skip
    outcome = read(table, payload)
    assert outcome.readings or outcome.refused or payload == []


@pytest.mark.parametrize("path", ["a", "a.value", 'a."t".unit', "@", "@.a", "a.value.t.unit"])
@given(payload=ANY)
def test_plain_paths_are_walked_as_jmespath_says(path, payload):
    assert json.dumps(Path(path).find(payload)) == json.dumps(jmespath.search(path, payload))


def test_decoders_with_a_memory_refuse_a_shared_subscription():
    plain = {"topic": "x/{device}", "station": "isle", "kind": "port", "fields": {"power_kw": "p"}}
    compiled(plain).check_share("$share/g/")
    edge = {"format": "sparkplug", "station": "isle", "kind": "port", "fields": {"power_kw": "p"}}
    compiled(plain, edge).check_share("")
    with pytest.raises(ConfigError, match="every message of a device"):
        compiled(plain, edge).check_share("$share/g/")
