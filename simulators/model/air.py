"""A compressed-air station: machines fill a receiver, customers and leaks empty it."""

from datetime import datetime
from typing import Any, Literal

import msgspec
import numpy as np

from simulators.faults import Fault
from simulators.message import Reading
from simulators.model.air_books import AirBooks
from simulators.model.air_faults import AirFaults
from simulators.model.charging import next_due
from simulators.model.climate import ambient_c
from simulators.model.compressor import Centrifugal, Compressor, VariableSpeed
from simulators.model.customer import Customer, CustomerSettings
from simulators.model.dryer import Dryer
from simulators.model.gas import orifice_m3_min, pressure_rate_bar_min
from simulators.model.meter import FlowMeter, new_meter
from simulators.model.sequence import CentralControl
from telemetry.registry import Station
from telemetry.times import to_datetime

_FIXED_BAND_BAR = (-0.20, 0.30)
"""Load and unload point of the first fixed-speed machine, against the station's pressure."""
_REGULATED_BAND_BAR = (-0.10, 0.40)
"""A machine that regulates comes first and leaves last; it regulates inside the others' band."""
_CENTRAL_LOW_BAR, _CENTRAL_HIGH_BAR = -0.10, 0.12
_VENT_MM = 60.0
"""Opening through which a station is vented on purpose."""
_MACHINES: dict[str | None, type[Compressor]] = {"vsd": VariableSpeed, "centrifugal": Centrifugal}


class AirSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a simulated compressed-air station is run and how often its devices report."""

    customers: dict[str, CustomerSettings]
    """Customer id of `stations.toml` -> its demand."""
    report_s: float = 10.0
    """Time between two reports of a device; a change of state is reported at once."""
    pressure_bar: float = 6.6
    """Pressure at which the customers' demand is stated; the machines' bands lie around it."""
    control: Literal["cascade", "central"] = "cascade"
    """Each machine by its own pressure switch, one below the other, or all by one band."""
    cascade_bar: tuple[float, float] = (-0.10, -0.05)
    """How much lower each further fixed-speed machine loads and unloads."""
    package_factor: float = 1.06
    """Package input power at the rated point against the motor's rating."""
    max_starts_per_h: float = 6.0
    network_m3: float = 0.0
    """Volume of the pipes, beside that of the receiver."""
    leak_mm: float = 6.5
    """Diameter of one hole that stands for all standing leaks of the network."""
    dryer: Literal["refrigerated", "desiccant"] = "refrigerated"
    dryer_flow_m3_min: float = 90.0
    ambient_mean_c: float = 17.0
    season_c: float = 10.0
    """Amplitude of the year's temperature."""
    day_c: float = 4.0
    """Amplitude of the day's."""
    room_c: float = 5.0
    """The machine room is this much warmer than outside."""
    meter_accuracy: float = 0.004
    """Class of the flow meters, as a share of the reading."""
    meter_drift_per_year: float = 0.0
    meter_resolution_m3: float = 0.001


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
        self.volume_m3 = (station.receiver_m3 or 10.0) + self.settings.network_m3
        self.pressure_bar = self.settings.pressure_bar
        self.compressors = self._make_compressors(station, rng)
        self._control = CentralControl(self.pressure_bar + _CENTRAL_LOW_BAR, self.pressure_bar + _CENTRAL_HIGH_BAR)
        self.dryer = Dryer(
            station.dryers[0].id, station.dryers[0].rated_kw or 12.0, self.settings.dryer_flow_m3_min, rng,
            energy_kwh=float(rng.uniform(5_000.0, 40_000.0)), desiccant=self.settings.dryer == "desiccant",
        )  # fmt: skip
        self.main = station.air_mains[0].id
        self.main_meter = self._meter(rng, float(rng.uniform(1e6, 9e6)))
        self.customers = {
            customer.id: Customer(
                customer.spans()[0].id, self.settings.customers[customer.id], self.settings.pressure_bar, rng,
                self._meter(rng, float(rng.uniform(1e5, 2e6))),
            )
            for customer in station.customers
        }  # fmt: skip
        self.holes: dict[str, float] = {}
        """New leaks of the network: name -> diameter [mm]."""
        self.vented = False
        self.warmer_c = 0.0
        """By a heat wave."""
        self._faults = AirFaults(self)
        self.books = AirBooks(self)
        devices = [*self.compressors, self.dryer.device, self.main, *(c.device for c in self.customers.values())]
        report_ms = round(1000 * self.settings.report_s)
        self._due = {device: k * report_ms // len(devices) for k, device in enumerate(devices)}

    def _meter(self, rng: np.random.Generator, volume_m3: float) -> FlowMeter:
        s = self.settings
        return new_meter(rng, s.meter_accuracy, s.meter_drift_per_year, s.meter_resolution_m3, volume_m3)

    def _make_compressors(self, station: Station, rng: np.random.Generator) -> dict[str, Compressor]:
        found: dict[str, Compressor] = {}
        fixed = 0
        for device in station.compressors:
            make = _MACHINES.get(device.control, Compressor)
            low, high = _REGULATED_BAND_BAR
            if make is Compressor:
                low, high = (a + fixed * b for a, b in zip(_FIXED_BAND_BAR, self.settings.cascade_bar, strict=True))
                fixed += 1
            running_h = float(rng.uniform(4_000.0, 20_000.0))
            found[device.id] = make(
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
                max_starts_per_h=self.settings.max_starts_per_h,
                package_factor=self.settings.package_factor,
            )
        return found

    def apply(self, fault: Fault, strength: float) -> None:
        """Let a fault have that share of its size; 0 ends it, or only checks that it can be."""
        self._faults.apply(fault, strength)

    def describe(self, fault: Fault) -> dict[str, Any]:
        """Return what the truth says of a fault: place and, for a leak, its flow."""
        return self._faults.describe(fault)

    def begin(self) -> None:
        """Keep the books of the truth from here on."""
        self.books = AirBooks(self)

    def key_figures(self) -> dict[str, float | None]:
        """Return the true key figures since `begin`, by the names of the contract."""
        return self.books.key_figures()

    def network_leak_m3_min(self) -> float:
        """Return the present true leakage of the network, without what is behind meters and at machines."""
        return sum(orifice_m3_min(mm, self.pressure_bar) for mm in (self.settings.leak_mm, *self.holes.values()))

    def move_bands(self, change_bar: float) -> None:
        """Move load and unload points of all machines."""
        for machine in self.compressors.values():
            machine.load_below_bar += change_bar
            machine.unload_above_bar += change_bar
        self._control.low_bar += change_bar
        self._control.high_bar += change_bar

    def step(self, now_ms: int, dt_s: float) -> list[Reading]:
        """Move on to `now_ms`, `dt_s` seconds after the last step, and return the reports that are due."""
        self.advance(now_ms, dt_s)
        return self._reports(now_ms)

    def advance(self, now_ms: int, dt_s: float) -> None:
        """Move on to `now_ms`, `dt_s` seconds after the last step, without a report."""
        local = to_datetime(now_ms).astimezone(self._zone)
        room_c = self._outside_c(local) + self.settings.room_c
        seen_bar = round(self.pressure_bar, 3)  # what the pressure switches can tell apart
        if self.settings.control == "central":
            self._control.step(dt_s, seen_bar, list(self.compressors.values()))
        for machine in self.compressors.values():
            if self.vented:
                machine.command = False
            machine.step(dt_s, seen_bar, room_c)
        bar = self.pressure_bar
        inflow = sum(m.flow_m3_min - m.leak_m3_min(bar) for m in self.compressors.values())
        hour = local.hour + local.minute / 60.0 + local.second / 3600.0
        supplied = self.network_leak_m3_min()
        for customer in self.customers.values():
            supplied += customer.step(dt_s, hour, bar, weekend=local.weekday() >= 5)
        self.main_meter.step(dt_s, supplied)
        self.dryer.step(dt_s, supplied, bar, room_c)
        lost = self.dryer.purge_m3_min + self.dryer.leak_m3_min
        lost += orifice_m3_min(_VENT_MM, bar) if self.vented else 0.0
        self.books.step(dt_s, supplied, lost)
        rate = pressure_rate_bar_min(inflow, supplied + lost, self.volume_m3)
        self.pressure_bar = max(0.0, bar + rate * dt_s / 60.0)

    def _outside_c(self, local: datetime) -> float:
        s = self.settings
        return ambient_c(local, s.ambient_mean_c, s.season_c, s.day_c) + self.warmer_c

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
        readings.extend(c.reading() for c in self.customers.values() if self._is_due(c.device, now_ms))
        return readings

    def _is_due(self, device: str, now_ms: int, *, changed: bool = False) -> bool:
        if not changed and now_ms < self._due[device]:
            return False
        self._due[device] = next_due(self._due[device], now_ms, round(1000 * self.settings.report_s))
        return True

    def _main_reading(self) -> Reading:
        values = {
            "pressure_bar": round(self.pressure_bar, 3),
            **self.main_meter.shown(),
            "dew_point_c": round(self.dryer.dew_point_c, 1),
            "temperature_c": 24.0,
        }
        return Reading("air_main", self.main, values)

