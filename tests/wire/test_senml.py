"""SenML packs, among them the examples of RFC 8428, section 5."""

import json
from decimal import Decimal

import cbor2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.decoders import DecoderConfig
from telemetry.errors import ConfigError
from wire.foreign import ForeignDecoders
from wire.payload import Unreadable
from wire.senml import read_senml
from wire.senml_cbor import read_senml_cbor

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


PACK = [
    {"bn": "urn:dev:mac:1:", "bt": 1_795_316_400, "bu": "kW", "n": "power", "v": 75.5},
    {"n": "mode", "u": None, "vs": "loaded", "t": 1},
    {"n": "on", "vb": True, "t": 1},
]
LABELS = {"bn": -2, "bt": -3, "bu": -4, "n": 0, "u": 1, "v": 2, "vs": 3, "vb": 4, "t": 6}


def test_cbor_says_the_same_as_json():
    pack = [{k: v for k, v in record.items() if v is not None} for record in PACK]
    packed = cbor2.dumps([{LABELS[k]: v for k, v in record.items()} for record in pack])
    assert list(read_senml(read_senml_cbor(packed), NOW)) == list(read_senml(pack, NOW))
    assert read_senml_cbor(packed) == pack


def test_the_example_of_rfc_8428_in_cbor():
    # Section 6; numbers of double and half precision.
    packed = bytes.fromhex(
        "87a721781b75726e3a6465763a6f773a3130653230373361303130383030363a22fb41d303a15b00106223614120050067766f6c74616765"
        "01615602fb405e066666666666a3006763757272656e74062402fb3ff3333333333333a3006763757272656e74062302fb3ff4cccccccccc"
        "cda3006763757272656e74062202fb3ff6666666666666a3006763757272656e74062102f93e00a3006763757272656e74062002fb3ff999"
        "999999999aa3006763757272656e74060002fb3ffb333333333333"
    )
    samples = list(read_senml(read_senml_cbor(packed), NOW))
    assert [(round(s.time_ms / 1e3) - 1_276_020_076, s.values) for s in samples] == [
        (0, {"voltage": {"value": 120.1, "unit": "V"}, "current": {"value": 1.7, "unit": "A"}}),
        *(
            (t, {"current": {"value": v, "unit": "A"}})
            for t, v in ((-5, 1.2), (-4, 1.3), (-3, 1.4), (-2, 1.5), (-1, 1.6))
        ),
    ]


@pytest.mark.parametrize(
    "packed",
    [b"", b"\xff", b"\x80\x00", b"\xa0", b"\x9b" + b"\xff" * 8, b"\x81" * 5_000, b"\xd8\x23\x61(", b"\xd8\x1d\x05"],
)
def test_what_is_no_cbor_pack_is_refused_or_empty(packed):
    found = read_senml_cbor(packed)
    assert isinstance(found, Unreadable) or found == []


def test_values_that_only_cbor_has_cost_no_more_than_themselves():
    shared = b"\xd8\x1c\x82\xd8\x1d\x00\xd8\x1d\x00"  # an array that holds itself twice
    (record,) = read_senml_cbor(b"\x81\xa2\x00\x61p\x02" + shared)
    assert record == {"n": "p", "v": "CBOR list"}
    assert "not a number" in next(iter(read_senml([record], NOW)))[1]
    assert read_senml_cbor(cbor2.dumps([{2: Decimal("1.5")}])) == [{"v": 1.5}]


@given(st.binary(max_size=60))
def test_no_bytes_do_more_harm_than_a_refusal(data):
    found = read_senml_cbor(data)
    assert isinstance(found, Unreadable) or all(type(r) in (dict, type(None)) for r in found)
    if not isinstance(found, Unreadable):
        list(read_senml(found, NOW))
