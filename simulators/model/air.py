"""A compressed-air station: machines fill a receiver, customers and leaks empty it."""

from typing import Any

import msgspec
import numpy as np

from simulators.faults import Fault, fail_unknown
from simulators.message import Reading
from simulators.model.charging import next_due
from simulators.model.compressor import Compressor, VariableSpeed
from simulators.model.customer import Customer, CustomerSettings
from simulators.model.dryer import Dryer
from simulators.model.gas import orifice_m3_min, pressure_rate_bar_min
from telemetry.registry import Station
from telemetry.times import to_datetime

_FIXED_BAND_BAR = (-0.20, 0.30)
"""Load and unload point of the first fixed-speed machine, against the station's pressure;"""
_CASCADE_BAR = (-0.10, -0.05)
"""each further one loads and unloads this much lower."""
_VSD_BAND_BAR = (-0.10, 0.40)
"""The variable-speed machine comes first and leaves last; it regulates inside the others' band."""
_DRYER_FLOW_M3_MIN = 90.0


class AirSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a simulated compressed-air station is run and how often its devices report."""

    customers: dict[str, CustomerSettings]
    """Customer id of `stations.toml` -> its demand."""
    report_s: float = 10.0
    """Time between two reports of a device; a change of state is reported at once."""
    pressure_bar: float = 6.6
    """Pressure at which the customers' demand is stated; the machines' bands lie around it."""
    leak_mm: float = 6.5
    """Diameter of one hole that stands for all standing leaks of the network."""


class AirStation:
    """The model of one compressed-air station, built from its entry in `stations.toml`.

    Parameters
    ----------
    station
        Compressors with ratings and `control`, one dryer, one air main, customers with one meter each, `receiver_m3`.
    settings
        Fields of `AirSettings`.
    rng
        The only source of chance.
    """

    def __init__(self, station: Station, settings: dict[str, Any], rng: np.random.Generator) -> None:
        self.settings = msgspec.convert(settings, AirSettings)
        self._zone = station.zone
        self._receiver_m3 = station.receiver_m3 or 10.0
        self.pressure_bar = self.settings.pressure_bar
        self.compressors = self._make_compressors(station, rng)
        self.dryer = Dryer(
            station.dryers[0].id, station.dryers[0].rated_kw or 12.0, _DRYER_FLOW_M3_MIN, rng,
            energy_kwh=float(rng.uniform(5_000.0, 40_000.0)),
        )  # fmt: skip
        self.main = station.air_mains[0].id
        self.main_flow_m3_min = 0.0
        self.main_volume_m3 = float(rng.uniform(1e6, 9e6))
        self._main_gain = 1.0 + 0.003 * float(rng.uniform(-1.0, 1.0))
        self.customers = {
            customer.id: Customer(
                customer.spans()[0].id, self.settings.customers[customer.id], self.settings.pressure_bar, rng,
                volume_m3=float(rng.uniform(1e5, 2e6)),
            )
            for customer in station.customers
        }  # fmt: skip
        self.holes: dict[str, float] = {}
        """New leaks of the network: name -> diameter [mm]."""
        devices = [*self.compressors, self.dryer.device, self.main, *(c.meter for c in self.customers.values())]
        report_ms = round(1000 * self.settings.report_s)
        self._due = {device: k * report_ms // len(devices) for k, device in enumerate(devices)}

    def _make_compressors(self, station: Station, rng: np.random.Generator) -> dict[str, Compressor]:
        found: dict[str, Compressor] = {}
        fixed = 0
        for device in station.compressors:
            vsd = device.control == "vsd"
            low, high = _VSD_BAND_BAR
            if not vsd:
                low, high = (a + fixed * b for a, b in zip(_FIXED_BAND_BAR, _CASCADE_BAR, strict=True))
                fixed += 1
            running_h = float(rng.uniform(4_000.0, 20_000.0))
            found[device.id] = (VariableSpeed if vsd else Compressor)(
                device.id,
                device.rated_kw or 110.0,
                device.rated_flow_m3_min or 20.0,
                device.rated_pressure_bar or 7.0,
                load_below_bar=self.settings.pressure_bar + low,
                unload_above_bar=self.settings.pressure_bar + high,
                rng=rng,
                energy_kwh=float(rng.uniform(2e5, 2e6)),
                volume_m3=float(rng.uniform(2e6, 2e7)),
                running_h=running_h,
                loaded_h=running_h * 0.8,
            )
        return found

    def apply(self, fault: Fault, *, active: bool) -> None:
        """Begin or end a fault."""
        if fault.kind == "leak":
            self._leak(fault, active=active)
        elif fault.kind == "compressor_fault":
            machine = self.compressors.get(fault.device)
            if machine is None:
                fail_unknown(fault, "compressor", self.compressors)
            elif active:
                machine.trip(fault.error_code)
            else:
                machine.reset()
        elif fault.kind == "dryer_fault":
            self.dryer.set_fault(active=active)
        else:
            fail_unknown(fault, "kind", ("leak", "compressor_fault", "dryer_fault", "silence"))

    def _leak(self, fault: Fault, *, active: bool) -> None:
        holes = self.holes
        if fault.device:
            if fault.device not in self.customers:
                fail_unknown(fault, "customer", self.customers)
            holes = self.customers[fault.device].holes
        if active:
            holes[f"{fault.at} {fault.diameter_mm}"] = fault.diameter_mm
        else:
            holes.pop(f"{fault.at} {fault.diameter_mm}", None)

    def leak_m3_min(self) -> float:
        """Return the present true leakage of the network, without what is behind the customers' meters."""
        holes = (self.settings.leak_mm, *self.holes.values())
        return sum(orifice_m3_min(mm, self.pressure_bar) for mm in holes)

    def step(self, now_ms: int, dt_s: float) -> list[Reading]:
        """Move on to `now_ms`, `dt_s` seconds after the last step, and return the reports that are due."""
        local = to_datetime(now_ms).astimezone(self._zone)
        hour = local.hour + local.minute / 60.0 + local.second / 3600.0
        self.main_volume_m3 += self._main_gain * self.main_flow_m3_min * dt_s / 60.0
        for machine in self.compressors.values():
            machine.step(dt_s, self.pressure_bar)
        inflow = sum(machine.flow_m3_min for machine in self.compressors.values())
        outflow = self.leak_m3_min()
        for customer in self.customers.values():
            outflow += customer.step(dt_s, hour, self.pressure_bar, weekend=local.weekday() >= 5)
        self.main_flow_m3_min = outflow
        self.dryer.step(dt_s, outflow)
        rate = pressure_rate_bar_min(inflow, outflow, self._receiver_m3)
        self.pressure_bar = max(0.0, self.pressure_bar + rate * dt_s / 60.0)
        return self._reports(now_ms)

    def _reports(self, now_ms: int) -> list[Reading]:
        readings = []
        for device, machine in self.compressors.items():
            if self._is_due(device, now_ms, changed=machine.changed):
                machine.changed = False
                readings.append(machine.reading(self.pressure_bar))
        if self._is_due(self.dryer.device, now_ms, changed=self.dryer.changed):
            self.dryer.changed = False
            readings.append(self.dryer.reading())
        if self._is_due(self.main, now_ms):
            readings.append(self._main_reading())
        readings.extend(c.reading() for c in self.customers.values() if self._is_due(c.meter, now_ms))
        return readings

    def _is_due(self, device: str, now_ms: int, *, changed: bool = False) -> bool:
        if not changed and now_ms < self._due[device]:
            return False
        self._due[device] = next_due(self._due[device], now_ms, round(1000 * self.settings.report_s))
        return True

    def _main_reading(self) -> Reading:
        values = {
            "pressure_bar": round(self.pressure_bar, 3),
            "flow_m3_min": round(self._main_gain * self.main_flow_m3_min, 3),
            "volume_m3": round(self.main_volume_m3, 3),
            "dew_point_c": round(self.dryer.dew_point_c, 1),
            "temperature_c": 24.0,
        }
        return Reading("air_main", self.main, values)
