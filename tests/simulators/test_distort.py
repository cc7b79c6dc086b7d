import numpy as np
import pytest

from simulators.distort import Distortion
from simulators.faults import Fault
from simulators.message import Reading

TRUE = [
    {"state": "loaded", "power_kw": 100.0 + k, "energy_kwh": 500.0 + 2 * k, "flow_m3_min": 20.0, "volume_m3": 9.0 + k}
    for k in range(6)
]


def _sent(kind, true=TRUE, device_kind="compressor", **changes):
    """Return what is sent of six readings a second apart; the fault holds for those of the seconds 2 and 3."""
    fault = Fault(kind=kind, station="isle", device="c1", at="2s", lasts="2s", **changes)
    sense = Distortion(fault, device_kind, np.random.default_rng(1))
    return [sense.apply(Reading(device_kind, "c1", v), 1000 * k).values for k, v in enumerate(true)]


def _column(sent, name):
    return [values[name] for values in sent]


def test_a_frozen_sensor_keeps_its_gauges_while_registers_and_states_go_on():
    sent = _sent("sensor_frozen")
    assert _column(sent, "power_kw") == [100, 101, 102, 102, 104, 105]
    assert _column(sent, "energy_kwh") == _column(TRUE, "energy_kwh")
    assert _column(sent, "state") == ["loaded"] * 6


def test_a_wrong_meter_leaves_its_register_wrong_by_what_it_missed():
    sent = _sent("meter_factor", size=3.0, channels=("power_kw", "energy_kwh"))
    assert _column(sent, "power_kw") == [100, 101, 306, 309, 104, 105]
    assert _column(sent, "energy_kwh") == [500, 502, 508, 514, 516, 518]
    assert _column(sent, "volume_m3") == _column(TRUE, "volume_m3")


def test_a_reversed_meter_counts_backwards():
    sent = _sent("meter_reversal")
    assert _column(sent, "flow_m3_min") == [20, 20, -20, -20, 20, 20]
    assert _column(sent, "volume_m3") == [9, 10, 9, 8, 9, 10]


def test_a_reset_register_begins_at_nothing_and_a_glitch_comes_back():
    assert _column(_sent("register_reset"), "energy_kwh") == [500, 502, 0, 2, 4, 6]
    assert _column(_sent("register_glitch"), "energy_kwh") == [500, 502, 0, 0, 508, 510]


@pytest.mark.parametrize(("change", "expected"), [(3, [500, 502, 0, 0, 508, 510]), (4, [500, 502, 0, 2, 508, 510])])
def test_a_register_of_the_session_begins_anew_with_each(change, expected):
    true = [{"energy_kwh": 500 + 2 * i, "session_id": "a" if i < change else "b"} for i in range(6)]
    assert _column(_sent("register_relative", true, "port"), "energy_kwh") == expected


def test_a_second_connector_is_free_again_when_the_overlap_is_over():
    true = [{"status": "Charging", "session_id": "A", "energy_kwh": 1.0 + k} for k in range(6)]
    sent = _sent("session_overlap", true, "port")
    told = [(v.get("connector"), v["status"], v.get("session_id")) for v in sent]
    assert told[:4] == [(None, "Charging", "A")] * 2 + [("2", "Charging", "second-2s"), (None, "Charging", "A")]
    assert told[4:] == [("2", "Available", None), (None, "Charging", "A")]
    odd = Distortion(Fault(kind="session_overlap", station="h", at="0s", lasts="1s"), "port", np.random.default_rng(1))
    ended = [odd.apply(Reading("port", "p", true[k]), 1000 * k).values for k in range(3)]
    assert [(v.get("connector"), v["status"], v.get("session_id")) for v in ended] == [
        ("2", "Charging", "second-0s"), ("2", "Available", None), (None, "Charging", "A"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("sensor_offset", "pressure_bar", [6.0, 6.0, 6.8, 6.8, 6.0, 6.0]),
        ("sensor_dropout", "pressure_bar", [6.0, 6.0, 0.0, 0.0, 6.0, 6.0]),
        ("flow_lost", "flow_m3_min", [3.0, 3.0, 0.0, 0.0, 3.0, 3.0]),
        ("unit_change", "flow_m3_min", [3.0, 3.0, 3000.0, 3000.0, 3.0, 3.0]),
    ],
)
def test_a_sensor_that_is_off(kind, name, expected):
    channels = ("flow_m3_min",) if kind == "unit_change" else ()
    true = [{"pressure_bar": 6.0, "flow_m3_min": 3.0}] * 6
    assert _column(_sent(kind, true, "air_main", channels=channels), name) == expected


def test_a_missing_channel_is_absent_not_zero():
    sent = _sent("sensor_missing", channels=("power_kw",))
    assert ["power_kw" in values for values in sent] == [True, True, False, False, True, True]


def test_a_ramp_grows_to_the_full_size():
    fault = Fault(kind="sensor_offset", station="isle", device="main", at="10s", ramp="10s")
    assert fault.strength(9_999) == 0.0
    assert fault.strength(14_999) == pytest.approx(0.5)
    assert fault.strength(60_000) == 1.0
