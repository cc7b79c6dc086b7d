import numpy as np
import pytest

from simulators.model.compressor import RUN_ON_S, Compressor, VariableSpeed


def _machine(kind=Compressor, **changes):
    settings = {
        "load_below_bar": 6.4, "unload_above_bar": 6.9, "rng": np.random.default_rng(1),
        "energy_kwh": 0.0, "volume_m3": 0.0, "running_h": 0.0, **changes,
    }  # fmt: skip
    return kind("c1", 160.0, 28.0, 7.0, **settings)


def _run(machine, pressure_bar, seconds):
    states = [machine.state]
    for _ in range(seconds):
        machine.step(1.0, pressure_bar)
        if machine.state != states[-1]:
            states.append(machine.state)
    return states


def test_low_pressure_starts_and_loads_high_pressure_unloads_and_stops():
    machine = _machine()
    assert _run(machine, 6.6, 20) == ["stopped"]
    assert _run(machine, 6.3, 30) == ["stopped", "starting", "loading", "loaded"]
    assert _run(machine, 6.6, 30) == ["loaded"]
    assert _run(machine, 7.0, 30) == ["loaded", "unloading", "unloaded"]
    assert _run(machine, 6.6, int(RUN_ON_S)) == ["unloaded", "stopping", "stopped"]


def test_air_comes_only_from_a_loaded_machine_and_the_registers_hold_it():
    machine = _machine()
    _run(machine, 6.3, 20)
    volume, energy = machine.volume_m3, machine.energy_kwh
    _run(machine, 6.6, 600)
    assert machine.volume_m3 - volume == pytest.approx(28.0 * 10)
    assert (machine.energy_kwh - energy) / (machine.volume_m3 - volume) == pytest.approx(0.0985, abs=0.003)
    _run(machine, 7.0, 60)
    volume = machine.volume_m3
    _run(machine, 7.0, 60)
    assert machine.flow_m3_min == 0.0
    assert machine.volume_m3 == volume
    assert machine.power_kw == pytest.approx(0.28 * machine.rated_input_kw, rel=0.1)


def test_a_higher_pressure_takes_more_power():
    low, high = _machine(unload_above_bar=9.0), _machine(unload_above_bar=9.0)
    for machine, bar in ((low, 6.0), (high, 8.0)):
        _run(machine, 5.0, 20)
        _run(machine, bar, 600)
    assert high.energy_kwh / low.energy_kwh == pytest.approx(0.0854 / 0.0727, rel=0.02)


def test_a_tripped_machine_stands_still_until_it_is_reset():
    machine = _machine()
    _run(machine, 6.3, 30)
    machine.trip("HighDischargeTemperature")
    assert _run(machine, 5.0, 60) == ["fault"]
    assert (machine.flow_m3_min, machine.reading(5.0).values["fault_code"]) == (0.0, "HighDischargeTemperature")
    machine.reset()
    assert _run(machine, 5.0, 30)[-1] == "loaded"


def test_variable_speed_holds_the_pressure_of_a_receiver():
    machine = _machine(VariableSpeed, load_below_bar=6.5, unload_above_bar=7.0)
    pressure, seen = 6.4, []
    for second in range(1800):
        demand = 15.0 if second < 900 else 22.0
        machine.step(1.0, pressure)
        pressure += (machine.flow_m3_min - demand) / 20.0 / 60.0
        seen.append(pressure)
    assert machine.state == "loaded"
    assert seen[899] == pytest.approx(6.6, abs=0.05)
    assert seen[-1] == pytest.approx(6.6, abs=0.05)
    assert machine.flow_m3_min == pytest.approx(22.0, rel=0.05)
