"""Balances and closed forms of the air station."""

import itertools
import math

import msgspec
import numpy as np
import pytest

from simulators.faults import Fault
from simulators.model.compressor import Centrifugal, Compressor
from simulators.model.dryer import Dryer
from simulators.model.gas import ATMOSPHERE_BAR, REFERENCE_BAR, intake_factor, isentropic_kw, orifice_m3_min
from simulators.model.meter import FlowMeter
from simulators.model.sequence import CentralControl
from simulators.model.sharing import share_kw
from simulators.scenario import load_scenario
from simulators.simulation import Simulation


def _week(name, hours, *faults):
    scenario = msgspec.structs.replace(load_scenario(name), faults=faults)
    simulation = Simulation(scenario, scenario.seed, scenario.start_ms, hours * 3_600_000)
    for _ in simulation.messages():
        pass
    return simulation


@pytest.fixture(scope="module")
def leaky():
    """A day with desiccant dryer, purge, leaks at machine, network and customer, and a vent."""
    leaks = [
        Fault(kind="leak", station="works", device=device, at="2h", size=6.0) for device in ("", "c1", "plastics")
    ]
    purge = Fault(kind="purge_leak", station="works", at="3h", size=5.0)
    vent = Fault(kind="vent", station="works", at="20h", lasts="1h")
    scenario = load_scenario("air-single")
    stations = {"works": scenario.stations["works"]}
    works = msgspec.structs.replace(scenario, stations=stations, faults=(*leaks, purge, vent))
    simulation = Simulation(works, 1, works.start_ms, 24 * 3_600_000)
    for _ in simulation.messages():
        pass
    return simulation.models["works"]


def test_mass_is_kept_to_a_thousandth(leaky):
    books = leaky.books
    taken = books.supplied_m3 + books.lost_m3 + books.machine_leaks_m3
    assert books.lost_m3 > 100
    assert books.machine_leaks_m3 > 100
    stored = leaky.volume_m3 * (leaky.pressure_bar - books.begin_bar) / REFERENCE_BAR
    assert books.delivered_m3 == pytest.approx(taken + stored, rel=0.001)


def test_energy_is_the_work_of_the_air_and_losses_never_less(leaky):
    kpis = leaky.key_figures()
    assert 0.4 < leaky.books.useful_kwh / kpis["energy_kwh"] < 0.9


def test_registers_of_machines_are_the_integral_of_their_power():
    machine = Compressor("c", 100.0, 16.0, 7.0, 6.5, 7.0, np.random.default_rng(1), 0.0, 0.0, 0.0)
    energy = volume = 0.0
    for second in range(7_200):
        energy += machine.power_kw / 3600.0
        volume += machine.flow_m3_min / 60.0
        machine.step(1.0, 6.4 if second % 600 < 300 else 7.1)
    assert machine.energy_kwh == pytest.approx(energy, rel=1e-9)
    assert machine.volume_m3 == pytest.approx(volume, rel=1e-9)
    assert machine.loaded_h == pytest.approx(1.0, rel=0.1)


def test_a_closed_receiver_empties_through_a_hole_by_the_closed_form():
    """Choked flow is proportional to the absolute pressure: p = p0 exp(-t / tau), tau = V pref / (q0 / p0)."""
    simulation = _week("air-day", 1)
    station = simulation.models["isle"]
    station.vented = True
    for customer in station.customers.values():
        customer.effects["holiday"] = 1.0
    for _ in range(40):
        station.advance(simulation.begin_ms, 1.0)
    begin_bar, flow = station.pressure_bar, orifice_m3_min(60.0, station.pressure_bar)
    flow += station.network_leak_m3_min() + sum(c.leak_m3_min for c in station.customers.values())
    tau_s = 60.0 * station.volume_m3 * (begin_bar + ATMOSPHERE_BAR) / flow
    for second in range(1, 6):
        station.advance(simulation.begin_ms + 1000 * second, 1.0)
    expected = (begin_bar + ATMOSPHERE_BAR) * math.exp(-5.0 / tau_s) - ATMOSPHERE_BAR
    assert begin_bar > 1.0
    assert station.pressure_bar == pytest.approx(expected, rel=0.02)


def test_cycle_times_of_one_machine_follow_receiver_and_demand():
    """Up: V dp / (Q - D); down: V dp / D, beside the machine's own loading times."""
    volume, demand, flow = 10.0, 6.0, 16.0
    machine = Compressor("c", 100.0, flow, 7.0, 6.5, 7.0, np.random.default_rng(1), 0.0, 0.0, 0.0)
    bar, edges = 6.6, []
    for step in range(20 * 3600 * 2):
        before = machine.state
        machine.step(0.05, bar)
        bar += (machine.flow_m3_min - demand) / volume * 0.05 / 60.0
        if before != machine.state and machine.state in ("loaded", "unloading"):
            edges.append((step * 0.05, machine.state))
    rises = [b - a for (a, s), (b, _) in itertools.pairwise(edges) if s == "loaded"][2:]
    falls = [b - a for (a, s), (b, _) in itertools.pairwise(edges) if s == "unloading"][2:]
    lag_bar = demand / volume * 2.0 / 60.0  # the pressure goes on falling while the machine loads
    assert np.mean(rises) == pytest.approx(60.0 * volume * (0.5 + lag_bar) / (flow - demand), rel=0.02)
    assert np.mean(falls) == pytest.approx(60.0 * volume * 0.5 / demand + 2.0, rel=0.02)


def test_a_machine_that_started_often_stays_unloaded_instead():
    machine = Compressor(
        "c", 100.0, 16.0, 7.0, 6.5, 7.0, np.random.default_rng(1), 0.0, 0.0, 0.0, max_starts_per_h=2.0
    )
    for second in range(4 * 3600):
        machine.step(1.0, 6.4 if second % 1200 < 60 else 7.1)
    assert machine.starts <= 8


def test_a_centrifugal_machine_blows_off_below_its_surge_line():
    machine = Centrifugal("z", 600.0, 110.0, 7.0, 6.5, 7.2, np.random.default_rng(1), 0.0, 0.0, 0.0)
    bar, found = 6.55, {}
    for demand in (100.0, 40.0):
        for _ in range(3_000):
            machine.step(1.0, bar)
            bar += (machine.flow_m3_min - demand) / 60.0 / 60.0
        found[demand] = (machine.flow_m3_min, machine.blow_off_m3_min, machine.power_kw)
    assert found[100.0][0] == pytest.approx(100.0, rel=0.05)
    assert found[100.0][1] == 0.0
    assert found[40.0][0] == pytest.approx(40.0, rel=0.1)
    assert found[40.0][1] == pytest.approx(0.7 * 110.0 - 40.0, rel=0.1)
    assert found[40.0][2] / found[40.0][0] > 1.6 * found[100.0][2] / found[100.0][0]


def test_central_control_loads_the_fewest_machines_in_order():
    machines = [Compressor(n, 100, 16, 7, 6, 7, np.random.default_rng(1), 0, 0, 0) for n in "abc"]
    control = CentralControl(6.2, 6.4)
    seen = []
    for bar in (6.1, 6.3, 6.1, 6.3, 6.5, 6.5):
        control.step(30.0, bar, machines)
        seen.append([m.device for m in machines if m.command])
    assert seen == [["a"], ["a"], ["a", "b"], ["a", "b"], ["a"], []]
    machines[0].trip("MotorOverload")
    control.step(30.0, 6.1, machines)
    assert [m.device for m in machines if m.command] == ["b"]


def test_a_desiccant_dryer_pays_with_purge_and_gives_a_low_dew_point():
    dryer = Dryer("d", 0.5, 30.0, np.random.default_rng(1), 0.0, desiccant=True)
    purged = 0.0
    for _ in range(3_600):
        dryer.step(1.0, 20.0)
        purged += dryer.purge_m3_min / 60.0
    assert purged == pytest.approx(60 * 30.0 * 0.12 * 0.8, rel=0.01)
    assert dryer.dew_point_c < -30.0


def test_a_meter_errs_drifts_and_has_a_resolution():
    meter = FlowMeter(1.01, 0.365, 0.1, 0.0)
    for _ in range(24):
        meter.step(3600.0, 10.0)
    assert meter.flow_m3_min == pytest.approx(10.0 * (1.01 + 0.365 / 365.25), rel=1e-6)
    assert meter.shown()["volume_m3"] * 10 == pytest.approx(round(meter.shown()["volume_m3"] * 10))


def test_physics_of_the_intake_and_the_floor():
    assert intake_factor(35.0) == pytest.approx(293.15 / 308.15)
    assert isentropic_kw(60.0 * ATMOSPHERE_BAR, 7.0) / 3600 == pytest.approx(0.0794, abs=1e-4)


def test_power_is_shared_equally_and_what_one_does_not_need_goes_to_the_others():
    assert share_kw([10.0, 2.0, 10.0], 12.0) == pytest.approx([5.0, 2.0, 5.0])
    assert share_kw([1.0, 2.0], 10.0) == [1.0, 2.0]
    assert share_kw([], 5.0) == []
    assert share_kw([4.0, 4.0], 0.0) == [0.0, 0.0]


def test_two_single_stations_take_0_133_and_a_shared_one_0_092_kwh_per_m3():
    """Two weekdays, to be quick; `docs/simulators.md` states the week."""
    ratios = {}
    for name in ("air-single", "air-shared"):
        kpis = [row.kpis for row in _week(name, 48).truth().stations]
        ratios[name] = sum(k["energy_kwh"] for k in kpis) / sum(k["supplied_m3"] for k in kpis)
    assert ratios["air-single"] == pytest.approx(0.133, abs=0.005)
    assert ratios["air-shared"] == pytest.approx(0.092, abs=0.003)
