"""A busy day of the preset station, seen through its readings."""

import itertools
from collections import defaultdict

import pytest
from simulators_support import decoded

from simulators.scenario import load_scenario
from simulators.simulation import simulate_messages

LEGAL = {
    # OCPP 1.6, section 4.9
    "Available": {"Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Reserved", "Unavailable", "Faulted"},
    "Preparing": {"Available", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Faulted"},
    "Charging": {"Available", "SuspendedEV", "SuspendedEVSE", "Finishing", "Unavailable", "Faulted"},
    "SuspendedEV": {"Available", "Charging", "SuspendedEVSE", "Finishing", "Unavailable", "Faulted"},
    "SuspendedEVSE": {"Available", "Charging", "SuspendedEV", "Finishing", "Unavailable", "Faulted"},
    "Finishing": {"Available", "Preparing", "Unavailable", "Faulted"},
    "Unavailable": {"Available", "Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Faulted"},
    "Faulted": {"Available", "Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Unavailable"},
}
OCCUPIED = {"Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"}


@pytest.fixture(scope="module")
def day():
    scenario = load_scenario("charging-day")
    by_device = defaultdict(list)
    start_ms = scenario.start_ms + 9 * 3_600_000  # the morning's rush
    for reading in decoded(simulate_messages(scenario, 5, start_ms, 4 * 3_600_000)):
        by_device[reading.device].append(reading.values)
    return by_device


@pytest.fixture(scope="module")
def ports(day):
    return {device: readings for device, readings in day.items() if device.startswith("p")}


def test_forty_ports_and_a_meter_report_at_their_interval(day, ports):
    assert len(ports) == 40
    assert set(day) - set(ports) == {"m1"}
    for readings in day.values():
        gaps = [b["ts"] - a["ts"] for a, b in itertools.pairwise(readings)]
        assert min(gaps) > 0
        assert max(gaps) <= 10_000


def test_states_follow_ocpp(ports):
    seen = set()
    for readings in ports.values():
        for a, b in itertools.pairwise(readings):
            if a["status"] != b["status"]:
                assert b["status"] in LEGAL[a["status"]]
                seen.add((a["status"], b["status"]))
    assert {("Available", "Preparing"), ("Preparing", "Charging"), ("Finishing", "Available")} <= seen
    assert ("Charging", "SuspendedEV") in seen


def test_a_session_id_belongs_to_one_stay(ports):
    for readings in ports.values():
        stays = []
        for values in readings:
            assert ("session_id" in values) == (values["status"] in OCCUPIED)
            session = values.get("session_id")
            if session is not None and (not stays or stays[-1] != session):
                stays.append(session)
            assert ("stop_reason" in values) == (values["status"] == "Finishing")
        assert len(stays) == len(set(stays))


def test_registers_never_fall_and_agree_with_the_power(ports):
    sessions = 0
    for readings in ports.values():
        integral = 0.0
        for a, b in itertools.pairwise(readings):
            assert b["energy_kwh"] >= a["energy_kwh"]
            integral += a["power_kw"] * (b["ts"] - a["ts"]) / 3_600_000
            sessions += a["status"] == "Preparing" and b["status"] == "Charging"
        assert readings[-1]["energy_kwh"] - readings[0]["energy_kwh"] == pytest.approx(integral, rel=0.01, abs=0.05)
    assert sessions > 10


def test_power_flows_only_while_charging(ports):
    for readings in ports.values():
        for values in readings:
            assert (values["power_kw"] > 0.05) == (values["status"] == "Charging")


def test_the_site_meter_sees_the_ports_the_base_load_and_the_losses(day, ports):
    of_ports = sum(readings[-1]["energy_kwh"] - readings[0]["energy_kwh"] for readings in ports.values())
    meter = day["m1"]
    rest = meter[-1]["energy_kwh"] - meter[0]["energy_kwh"] - of_ports
    assert 4 * 14 * 0.5 < rest < 4 * 14 * 1.6
    for values in meter:
        apparent = sum(values[f"current_l{k}_a"] * values[f"voltage_l{k}_v"] for k in (1, 2, 3)) / 1000
        assert values["power_kw"] / apparent == pytest.approx(values["power_factor"], abs=0.01)
