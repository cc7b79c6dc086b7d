"""SenML packs, among them the examples of RFC 8428, section 5."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.decoders import DecoderConfig
from telemetry.errors import ConfigError
from wire.foreign import ForeignDecoders
from wire.senml import read_senml

NOW = 1_795_316_400_500


def resolved(pack, now_ms=NOW):
    found = list(read_senml(pack, now_ms))
    assert not any(isinstance(f, tuple) for f in found), found
    return [(s.base, s.time_ms, s.values) for s in found]


def test_a_single_value_whose_name_is_the_whole_name():
    pack = [{"n": "urn:dev:ow:10e2073a01080063", "u": "Cel", "v": 23.1}]
    assert resolved(pack) == [("", None, {"urn:dev:ow:10e2073a01080063": {"value": 23.1, "unit": "Cel"}})]


def test_base_values_count_for_all_that_follow():
    pack = [
        {"bn": "urn:dev:ow:10e2073a0108006:", "bt": 1.276020076001e9, "bu": "A", "bver": 10, "n": "voltage", "u": "V",
         "v": 120.1},
        {"n": "current", "t": -5, "v": 1.2},
        {"n": "current", "t": -4, "v": 1.3},
        {"n": "current", "v": 1.7},
    ]  # fmt: skip
    base = "urn:dev:ow:10e2073a0108006:"
    assert resolved(pack) == [
        (base, 1_276_020_076_001, {
            "voltage": {"value": 120.1, "unit": "V"}, "current": {"value": 1.7, "unit": "A"},
        }),
        (base, 1_276_020_071_001, {"current": {"value": 1.2, "unit": "A"}}),
        (base, 1_276_020_072_001, {"current": {"value": 1.3, "unit": "A"}}),
    ]  # fmt: skip


def test_relative_times_count_from_the_receipt_and_zero_is_now():
    pack = [{"bn": "d:", "n": "a", "v": 1}, {"n": "a", "t": -60, "v": 2}]
    assert resolved(pack) == [("d:", None, {"a": 1}), ("d:", NOW - 60_000, {"a": 2})]
    assert resolved(pack[1:], None) == [("", None, {"a": 2})]


def test_texts_booleans_sums_and_base_values():
    pack = [{"n": "m", "vs": "RUN"}, {"n": "on", "vb": True}, {"n": "e", "s": 5}]
    pack += [{"bv": 10, "n": "p", "v": 1}, {"n": "q"}]
    assert resolved(pack) == [("", None, {"m": "RUN", "on": True, "e": 5, "p": 11, "q": 10})]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (5, "is an object"),
        ({"n": 5, "v": 1}, "field n is '5', not a text"),
        ({"n": "a", "v": "1"}, "field v is '1', not a number"),
        ({"n": "a", "v": True}, "not a number"),
        ({"n": "a", "v": 1, "t": None}, "field t"),
        ({"bver": 11, "n": "a", "v": 1}, "version '11'"),
        ({"n": "a", "v": 1, "must_": 1}, "'must_' must be understood"),
    ],
)
def test_a_wrong_record_is_refused_alone(record, words):
    good, bad = sorted(read_senml([{"n": "g", "v": 1}, record], NOW), key=lambda f: isinstance(f, tuple))
    assert good.values["g"] == 1
    assert bad[0] == 1
    assert words in bad[1]


NAMES = st.sampled_from(["n", "bn", "t", "bt", "v", "bv", "vs", "u", "bver"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner),
    max_leaves=12,
)


@given(JSON)
def test_any_value_is_read_or_refused(value):
    list(read_senml(value, NOW))


def test_a_pack_becomes_readings_of_the_device_of_its_base_name():
    table = {
        "topic": "senml", "format": "senml", "station": "isle", "kind": "compressor", "device": "{base}",
        "fields": {"power_kw": "power", "oil_temperature_c": "oil", "discharge_pressure_bar": "p"},
    }  # fmt: skip
    decoders = ForeignDecoders([msgspec.convert(table, DecoderConfig)], "voltair/v1")
    pack = [
        {"bn": "urn:dev:mac:c1:", "bt": 1.7953164e9, "n": "power", "u": "W", "v": 75000},
        {"n": "oil", "u": "K", "v": 353.15}, {"n": "p", "u": "Pa", "v": 7e5},
        {"bn": "c2:", "n": "power", "u": "kW", "v": 5},
    ]  # fmt: skip
    outcome = decoders.match("senml").read(json.dumps(pack).encode(), "", NOW)
    assert [(r.device, r.element) for r in outcome.readings] == [
        ("urn-dev-mac-c1", {
            "power_kw": 75.0, "oil_temperature_c": pytest.approx(80.0), "discharge_pressure_bar": 7.0,
            "ts": 1_795_316_400_000,
        }),
        ("c2", {"power_kw": 5.0, "ts": 1_795_316_400_000}),
    ]  # fmt: skip
    assert outcome.refused == []
    with pytest.raises(ConfigError, match="own"):
        ForeignDecoders([msgspec.convert(table | {"readings": "x"}, DecoderConfig)], "voltair/v1")
