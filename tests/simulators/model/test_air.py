import itertools
from collections import defaultdict

import numpy as np
import pytest
from simulators_support import decoded

from simulators.faults import Fault
from simulators.model.air import AirStation
from simulators.model.gas import REFERENCE_BAR, orifice_m3_min
from simulators.scenario import load_scenario
from simulators.simulation import simulate_messages
from telemetry.registry import registry_from_tables

LEGAL = {
    "stopped": {"starting", "fault"}, "starting": {"loading", "fault"}, "loading": {"loaded", "fault"},
    "loaded": {"unloading", "fault"}, "unloading": {"unloaded", "fault"},
    "unloaded": {"loading", "stopping", "fault"}, "stopping": {"stopped", "fault"}, "fault": {"stopped"},
}  # fmt: skip


def _station() -> tuple[AirStation, int]:
    scenario = load_scenario("air-day")
    registry = registry_from_tables(scenario.tables(), "test")
    model = scenario.models()["isle"]
    return AirStation(registry.stations["isle"], model, np.random.default_rng(4)), scenario.start_ms + 8 * 3_600_000


def test_the_receiver_keeps_the_balance_of_mass():
    station, begin_ms = _station()
    station.begin()
    before_bar = station.pressure_bar
    for second in range(3600):
        station.step(begin_ms + 1000 * second, 1.0)
    books = station.books
    balance = books.delivered_m3 - books.machine_leaks_m3 - books.lost_m3 - books.supplied_m3
    assert station.volume_m3 * (station.pressure_bar - before_bar) / REFERENCE_BAR == pytest.approx(balance, abs=1e-6)


def test_the_header_carries_the_customers_and_the_leaks():
    station, begin_ms = _station()
    station.begin()
    station.step(begin_ms, 1.0)
    customers = sum(customer.flow_m3_min for customer in station.customers.values())
    assert 60.0 * station.books.metered_m3 == pytest.approx(customers)
    leaks = orifice_m3_min(station.settings.leak_mm, station.settings.pressure_bar)
    assert 60.0 * station.books.supplied_m3 == pytest.approx(customers + leaks, rel=1e-3)


def test_a_leak_in_the_network_adds_its_orifice_flow_and_one_at_a_customer_passes_his_meter():
    station, begin_ms = _station()
    station.step(begin_ms, 1.0)
    network = Fault(kind="leak", station="isle", at="0s", size=8)
    before = station.network_leak_m3_min()
    station.apply(network, 1.0)
    assert station.network_leak_m3_min() - before == pytest.approx(orifice_m3_min(8, station.pressure_bar))
    station.apply(network, 0.0)
    assert station.network_leak_m3_min() == before
    textile = station.customers["textile"]
    at_customer = Fault(kind="leak", station="isle", device="textile", at="0s", size=8)
    station.step(begin_ms + 1000, 1.0)
    flow = textile.flow_m3_min
    station.apply(at_customer, 1.0)
    station.step(begin_ms + 2000, 1.0)
    assert textile.flow_m3_min - flow == pytest.approx(orifice_m3_min(8, 6.6), abs=1.0)
    assert station.network_leak_m3_min() == pytest.approx(before, rel=0.05)


@pytest.fixture(scope="module")
def day():
    scenario = load_scenario("air-day")
    by_device = defaultdict(list)
    for reading in decoded(simulate_messages(scenario, scenario.seed, scenario.start_ms, 24 * 3_600_000)):
        by_device[reading.device].append(reading.values)
    return by_device


def _grown(readings, register):
    return readings[-1][register] - readings[0][register]


def test_a_day_takes_nine_to_fourteen_hundredths_of_a_kwh_per_m3(day):
    energy = sum(_grown(day[d], "energy_kwh") for d in ("c1", "c2", "c3", "v1", "d1"))
    ratio = energy / _grown(day["main"], "volume_m3")
    assert 0.09 < ratio < 0.14


def test_the_days_leakage_is_a_usual_share(day):
    supplied = _grown(day["main"], "volume_m3")
    metered = sum(_grown(day[d], "volume_m3") for d in ("am1", "am2", "am3"))
    assert 0.04 < 1 - metered / supplied < 0.10
    idle = [v["flow_m3_min"] for v in day["main"][360:1440]]  # 01:00 to 04:00
    assert 0.06 < sum(idle) / len(idle) / (supplied / 1440) < 0.15


def test_pressure_stays_within_the_contract(day):
    bars = [v["pressure_bar"] for v in day["main"]]
    assert min(bars) > 6.0
    assert max(bars) < 7.2


def test_registers_never_fall_and_states_are_legal(day):
    assert len(day) == 9
    for readings in day.values():
        for a, b in itertools.pairwise(readings):
            for register in ("energy_kwh", "volume_m3", "running_h", "loaded_h"):
                assert b.get(register, 0) >= a.get(register, 0)
    for device in ("c1", "c2", "c3", "v1"):
        for a, b in zip(day[device], day[device][1:], strict=False):
            assert a["state"] == b["state"] or b["state"] in LEGAL[a["state"]]


def test_a_machines_power_integrates_to_its_register(day):
    readings = day["c1"]
    integral = sum(
        a["power_kw"] * (b["ts"] - a["ts"]) / 3_600_000 for a, b in itertools.pairwise(readings)
    )
    assert _grown(readings, "energy_kwh") == pytest.approx(integral, rel=0.01)
