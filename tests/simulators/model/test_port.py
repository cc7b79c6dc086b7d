import itertools

import numpy as np
import pytest

from simulators.model.port import DC_FROM_KW, Port
from simulators.model.vehicle import AC_EFFICIENCY, DC_EFFICIENCY, Vehicle

VOLTS = (230.0, 229.0, 231.0)


def _port(rated_kw: float = 7.0, phases: int = 1) -> Port:
    return Port("p1", rated_kw, phases, 1, np.random.default_rng(3), energy_kwh=100.0)


def _vehicle(soc: float, target: float, departure_ms: int) -> Vehicle:
    return Vehicle(60.0, soc, target, ac_kw=7.0, dc_kw=110.0, departure_ms=departure_ms)


def _run(port: Port, seconds: int, begin_s: int = 0) -> list[str]:
    seen = [port.status]
    for second in range(begin_s + 1, begin_s + seconds + 1):
        port.step(second * 1000, 1.0)
        if port.status != seen[-1]:
            seen.append(port.status)
    return seen


def test_a_session_that_fills_the_battery_goes_through_every_state():
    port = _port()
    port.plug_in(_vehicle(0.50, 0.53, 3_600_000), 0)
    assert _run(port, 3_700) == ["Preparing", "Charging", "SuspendedEV", "Finishing", "Available"]
    assert port.session_id == ""
    assert port.free


def test_a_driver_who_comes_back_early_ends_the_charge():
    port = _port()
    port.plug_in(_vehicle(0.2, 1.0, 600_000), 0)
    assert _run(port, 700) == ["Preparing", "Charging", "Finishing", "Available"]


@pytest.mark.parametrize(("rated_kw", "phases", "efficiency"), [(7.0, 1, AC_EFFICIENCY), (60.0, 3, DC_EFFICIENCY)])
def test_the_register_holds_what_the_battery_took(rated_kw, phases, efficiency):
    port = _port(rated_kw, phases)
    vehicle = _vehicle(0.3, 0.9, 1_800_000)
    port.plug_in(vehicle, 0)
    _run(port, 60)
    before_kwh, before_soc, before_dc = port.energy_kwh, vehicle.soc, port.dc_energy_kwh
    assert port.status == "Charging"
    _run(port, 600, 60)
    taken = port.energy_kwh - before_kwh
    assert taken * efficiency == pytest.approx((vehicle.soc - before_soc) * vehicle.capacity_kwh)
    assert taken == pytest.approx(min(rated_kw, 200) * 600 / 3600, rel=0.25)
    assert (port.dc_energy_kwh > before_dc) == (rated_kw >= DC_FROM_KW)


def test_dc_power_tapers_with_the_state_of_charge():
    powers = [Vehicle(60, soc / 100, 1.0, 7.0, 90.0, 0).wanted_kw(60.0, dc=True) for soc in range(20, 100)]
    assert powers[0] == 60.0
    assert powers[-1] < 15.0
    assert all(a >= b for a, b in itertools.pairwise(powers))


def test_a_fault_ends_the_session_at_once_and_says_why():
    port = _port()
    port.plug_in(_vehicle(0.2, 1.0, 3_600_000), 0)
    _run(port, 100)
    port.fail("GroundFailure")
    port.step(101_000, 1.0)
    values = port.reading(VOLTS).values
    assert (values["status"], values["error_code"], values["power_kw"]) == ("Faulted", "GroundFailure", 0.0)
    assert "session_id" not in values
    register = port.energy_kwh
    _run(port, 60, 101)
    assert port.energy_kwh == register
    port.recover()
    assert port.reading(VOLTS).values["error_code"] == "NoError"
    assert port.free


def test_current_and_voltage_give_the_power():
    port = _port()
    port.plug_in(_vehicle(0.2, 1.0, 3_600_000), 0)
    _run(port, 100)
    values = port.reading(VOLTS).values
    assert values["voltage_v"] == 229.0
    assert values["current_a"] * values["voltage_v"] * 0.99 / 1000 == pytest.approx(values["power_kw"], rel=1e-3)
    assert values["session_id"] == "p1-0"
