"""What each fault does to the stations, against the same station without it."""

import itertools
from pathlib import Path

import msgspec
import numpy as np
import pytest

from simulators.fault_kinds import KINDS, Layer
from simulators.faults import Fault
from simulators.model.gas import orifice_m3_min
from simulators.scenario import load_scenario
from simulators.simulation import Simulation

MORNING_MS = 9 * 3_600_000


class Run:
    """Readings and the model at the end of some hours of a morning."""

    def __init__(self, name, *faults, hours=2.0, model=None):
        scenario = load_scenario(name)
        scenario = msgspec.structs.replace(scenario, faults=faults, warm_up="3h", step_s=5)
        self.simulation = Simulation(scenario, 3, scenario.start_ms + MORNING_MS, round(3_600_000 * hours))
        self.by_device = {}
        for message in self.simulation.messages():
            values = msgspec.json.decode(message.payload)
            self.by_device.setdefault(message.topic.split("/")[4], []).append(values)
        (self.model,) = self.simulation.models.values()
        self.kpis = self.model.key_figures()

    def column(self, device, name):
        return np.array([v[name] for v in self.by_device[device] if name in v])


def _air(kind, device="", **changes):
    return Run("air-day", Fault(kind=kind, station="isle", device=device, at="1s", **changes))


def _charging(kind, device="", **changes):
    fault = Fault(kind=kind, station="harbour", device=device, at="1s", **changes)
    return Run("charging-day", fault, hours=3.0)


@pytest.fixture(scope="module")
def air():
    return Run("air-day")


@pytest.fixture(scope="module")
def charging():
    return Run("charging-day", hours=3.0)


def test_every_fault_of_a_model_is_tried_here_or_in_its_own_test():
    text = Path(__file__).read_text("utf-8")
    of_models = [k for k, v in KINDS.items() if v.layer not in (Layer.READING, Layer.WAY)]
    assert [kind for kind in of_models if f'"{kind}"' not in text] == []


@pytest.mark.parametrize(("place", "device"), [("network", ""), ("customer:food", "food"), ("machine:c1", "c1")])
def test_a_leak_is_an_orifice_at_its_place(air, place, device):
    run = _air("leak", device, size=8.0)
    added = run.kpis["leak_m3_min"] - air.kpis["leak_m3_min"]
    assert added == pytest.approx(orifice_m3_min(8.0, 6.6), rel=0.03)
    (row,) = run.simulation.truth().faults
    assert row.place == place
    assert row.size == pytest.approx(added, rel=0.03)
    metered = run.kpis["metered_m3"] - air.kpis["metered_m3"]
    assert (metered > 200.0) == (device == "food")
    assert (run.kpis["supplied_m3"] - air.kpis["supplied_m3"] > 200.0) == (device != "c1")


def test_a_purge_valve_that_stays_open_loses_air_before_the_main(air):
    run = _air("purge_leak", size=6.0)
    assert run.kpis["leak_m3_min"] - air.kpis["leak_m3_min"] == pytest.approx(orifice_m3_min(6.0, 6.6), rel=0.03)
    assert run.column("d1", "purge_pressure_bar")[-1] > 0.5
    books = run.model.books
    assert books.lost_m3 == pytest.approx(120 * orifice_m3_min(6.0, 6.6), rel=0.03)


@pytest.mark.parametrize(("kind", "factor"), [("wear", 1.2), ("blow_off_stuck", 1 / 0.8)])
def test_a_worn_or_leaking_machine_takes_more_for_its_air(air, kind, factor):
    def specific(run):
        loaded = [v for v in run.by_device["c1"][50:] if v["state"] == "loaded"]
        return sum(v["power_kw"] for v in loaded) / sum(v["flow_m3_min"] for v in loaded)

    assert specific(_air(kind, "c1", size=0.2)) / specific(air) == pytest.approx(factor, rel=0.03)


def test_a_narrow_pressure_switch_makes_a_machine_cycle(air):
    loads = {}
    for name, run in (("well", air), ("ill", _air("short_cycling", "c1"))):
        states = [v["state"] for v in run.by_device["c1"]]
        loads[name] = sum(a != "loaded" and b == "loaded" for a, b in itertools.pairwise(states))
    assert loads["ill"] > 2 * loads["well"] + 5


def test_a_machine_that_is_kept_running_takes_power_without_air():
    run = _air("unloaded_running", "c3")
    states = [v["state"] for v in run.by_device["c3"]][200:]
    assert set(states) <= {"unloaded", "unloading"}
    assert run.column("c3", "power_kw")[-1] > 25.0


def test_a_clogged_filter_and_a_fouled_cooler_show_in_their_channels():
    assert _air("filter_clog", "v1").column("v1", "filter_dp_bar").max() > 0.5
    hot = _air("overheating", "v1", size=40.0)
    assert hot.column("v1", "discharge_temperature_c").max() > 105.0
    assert "HighDischargeTemperature" in {v["fault_code"] for v in hot.by_device["v1"]}


def test_a_trip_stops_the_machine():
    run = _air("compressor_fault", "c1", error_code="MotorOverload")
    assert {(v["state"], v["fault_code"]) for v in run.by_device["c1"][5:]} == {("fault", "MotorOverload")}


def test_bands_of_pressure_move_and_widen(air):
    pressure = air.column("main", "pressure_bar")
    assert _air("setpoint").column("main", "pressure_bar")[-200:].mean() < pressure.mean() - 0.6
    wide = _air("wide_band", size=0.8).column("main", "pressure_bar")
    assert np.ptp(np.quantile(wide, (0.05, 0.95))) > np.ptp(np.quantile(pressure, (0.05, 0.95)))


def test_customers_take_more_or_less_and_a_narrow_pipe_drops_pressure(air):
    mean = {name: run.column("am2", "flow_m3_min").mean() for name, run in (
        ("usual", air), ("demand", _air("demand", "textile")), ("holiday", _air("holiday", "textile")),
    )}  # fmt: skip
    assert mean["demand"] - mean["usual"] == pytest.approx(6.0, rel=0.15)
    assert mean["holiday"] < 1.0
    narrow = _air("pipe_drop", "textile").column("am2", "pressure_bar")
    assert narrow.mean() < air.column("am2", "pressure_bar").mean() - 0.3


def test_a_vented_station_stands_without_pressure_and_machines():
    run = _air("vent")
    assert run.column("main", "pressure_bar")[-1] < 0.5
    assert {v["state"] for d in ("c1", "c2", "v1") for v in run.by_device[d][-5:]} == {"stopped"}


def test_a_dryer_without_refrigeration_lets_the_dew_point_rise():
    run = _air("dryer_fault")
    assert run.by_device["d1"][-1]["state"] == "fault"
    assert run.column("main", "dew_point_c")[-1] > 13.0


def test_a_dryer_that_is_switched_off_takes_nothing_and_dries_nothing():
    run = _air("dryer_off")
    assert (run.by_device["d1"][-1]["state"], run.column("d1", "power_kw")[-1]) == ("stopped", 0.0)
    assert run.column("main", "dew_point_c")[-1] > 13.0


def test_a_motor_can_take_more_current_for_the_same_power(air):
    def per_kw(run):
        loaded = [v for v in run.by_device["c1"][50:] if v["state"] == "loaded"]
        return sum(v["motor_current_a"] for v in loaded) / sum(v["power_kw"] for v in loaded)

    assert per_kw(_air("motor_current", "c1")) / per_kw(air) == pytest.approx(1.15, rel=1e-3)


def test_warm_air_is_thinner_and_machines_get_hotter(air):
    run = _air("heat_wave")
    both = {"air": air, "run": run}
    loaded = {name: [v for v in r.by_device["c1"][-300:] if v["state"] == "loaded"] for name, r in both.items()}
    flows = {name: np.mean([v["flow_m3_min"] for v in readings]) for name, readings in loaded.items()}
    assert flows["run"] / flows["air"] == pytest.approx(1 - 12 / 305, abs=0.01)
    heat = {name: np.mean([v["discharge_temperature_c"] for v in readings]) for name, readings in loaded.items()}
    assert heat["run"] - heat["air"] == pytest.approx(12, abs=3)


# ---- charging


def _busiest(run):
    """Return the AC port that charged most."""
    return max((d for d in run.by_device if d.startswith("p")), key=lambda d: run.model.ports[d].charging_s)


@pytest.mark.parametrize(("kind", "status"), [("port_fault", "Faulted"), ("port_unavailable", "Unavailable")])
def test_a_port_out_of_order_says_so(kind, status):
    assert {v["status"] for v in _charging(kind, "p05").by_device["p05"][1:]} == {status}


@pytest.mark.parametrize(
    ("kind", "status"),
    [("stuck_preparing", "Preparing"), ("stuck_reserved", "Reserved"), ("stuck_finishing", "Finishing")],
)
def test_a_port_can_be_stuck_without_a_session(kind, status):
    readings = _charging(kind, "p05", lasts="2h").by_device["p05"]
    assert readings[-1]["status"] == "Available"
    readings = [v for v in readings if v["ts"] < readings[0]["ts"] + 7_000_000]
    assert readings[-1]["status"] == status
    assert "session_id" not in readings[-1]
    assert readings[-1]["power_kw"] < 0.05


def test_status_and_power_can_contradict_each_other(charging):
    port = _busiest(charging)
    run = _charging("stuck_charging", port)
    later = [v for v in run.by_device[port][3:] if v["status"] == "Charging"]
    assert later
    assert max(v["power_kw"] for v in later) <= 0.05
    run = _charging("stuck_available", port)
    assert any(v["status"] == "Available" and v["power_kw"] > 1.0 for v in run.by_device[port])


def test_a_vehicle_that_gets_nothing_or_is_not_fetched(charging):
    port = _busiest(charging)
    assert _charging("zero_energy", port).model.ports[port].charging_s < 60.0
    run = _charging("over_long", port)
    assert run.by_device[port][-1].get("session_id")
    assert run.model.ports[port].sessions == []


def test_heat_and_a_lost_phase_show_in_temperature_power_and_currents(charging):
    fast = max(("p37", "p38", "p39", "p40"), key=lambda d: charging.model.ports[d].charging_s)
    hot = _charging("over_temperature", fast)
    assert hot.column(fast, "temperature_c")[-1] > 75.0
    lost = _charging("phase_loss", fast)
    charged = [v for v in lost.by_device[fast] if v["power_kw"] > 5.0]
    assert charged
    assert all(v["current_l1_a"] == 0.0 and v["current_l2_a"] > 6.0 for v in charged)
    weak = _charging("derating", fast)
    charged = [v for v in weak.by_device[fast] if v["power_kw"] > 1.0]
    shares = [(v["temperature_c"], v["power_kw"] / v["offered_kw"]) for v in charged]
    assert max(share for celsius, share in shares if celsius < 49.0) > 0.5
    assert max(share for celsius, share in shares if celsius > 51.0) < 0.5


def test_the_supply_can_be_off_overloaded_or_without_neutral(charging):
    usual = charging.column("m1", "voltage_l1_v").mean()
    assert _charging("voltage", size=-25.0).column("m1", "voltage_l1_v").mean() < usual - 20.0
    loose = _charging("neutral_loss")
    assert loose.column("m1", "voltage_l1_v").mean() - loose.column("m1", "voltage_l2_v").mean() > 40.0
    more = _charging("overload").column("m1", "power_kw").mean() - charging.column("m1", "power_kw").mean()
    assert more == pytest.approx(300.0, rel=0.1)


def test_nuisances_change_what_is_offered_and_who_comes(charging):
    run = _charging("curtailment")
    late_ms = run.simulation.begin_ms + 60_000
    readings = [v for d in run.by_device for v in run.by_device[d] if "offered_kw" in v]
    assert {v["offered_kw"] for v in readings if v["ts"] > late_ms} == {3.5, 30.0}
    assert _charging("rush").kpis["occupied_h"] > 1.3 * charging.kpis["occupied_h"]
