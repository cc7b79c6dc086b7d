"""A charging station: drivers arrive, ports charge, one meter sees it all."""

from typing import Any

import msgspec
import numpy as np

from simulators.faults import Fault, fail_unknown
from simulators.message import Reading
from simulators.model.noise import hourly
from simulators.model.port import Port
from simulators.model.site_meter import SiteMeter
from simulators.model.vehicle import arriving_vehicle
from telemetry.registry import Station
from telemetry.times import HOUR_MS, to_datetime

_WORKDAY = (
    0.10, 0.05, 0.05, 0.05, 0.05, 0.15, 0.50, 1.60, 2.40, 2.10, 1.50, 1.20,
    1.30, 1.30, 1.20, 1.10, 1.20, 1.60, 1.90, 1.70, 1.20, 0.80, 0.50, 0.25,
)  # fmt: skip


class ChargingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How busy a simulated charging station is and how often its devices report."""

    report_s: float = 10.0
    """Time between two reports of a device; a change of state is reported at once."""
    arrivals_per_h: float = 5.0
    """Mean over the day."""
    arrival_profile: tuple[float, ...] = _WORKDAY
    """Factor on the arrivals, 24 local hours or one value."""
    weekend_factor: float = 0.6
    stay_h: float = 3.0
    """Median stay at an AC port; at a DC port drivers leave when the vehicle has enough."""
    base_kw: float = 14.0
    """Lighting, ventilation, control."""


class ChargingStation:
    """The model of one charging station, built from its entry in `stations.toml`.

    Parameters
    ----------
    station
        Ports with `rated_kw` and `phases`, one site meter, `transformer_kva`.
    settings
        Fields of `ChargingSettings`.
    rng
        The only source of chance.
    """

    def __init__(self, station: Station, settings: dict[str, Any], rng: np.random.Generator) -> None:
        self.settings = msgspec.convert(settings, ChargingSettings)
        self._zone = station.zone
        self._rng = rng
        self.ports = {
            device.id: Port(
                device.id, device.rated_kw or 7.0, device.phases or 1, k % 3, rng,
                energy_kwh=float(rng.uniform(500.0, 20_000.0)), dc_energy_kwh=float(rng.uniform(500.0, 20_000.0)),
            )
            for k, device in enumerate(station.ports)
        }  # fmt: skip
        self.meter = SiteMeter(
            station.site_meters[0].id, station.transformer_kva or 1000.0, self.settings.base_kw, rng,
            energy_kwh=float(rng.uniform(100_000.0, 900_000.0)),
        )  # fmt: skip
        report_ms = round(1000 * self.settings.report_s)
        self._due = {device: k * report_ms // (len(self.ports) + 1) for k, device in enumerate(self.ports)}
        self._meter_due = 0
        self.lost_arrivals = 0
        """Drivers who found every port taken."""

    def apply(self, fault: Fault, *, active: bool) -> None:
        """Begin or end a fault."""
        port = self.ports.get(fault.device)
        if port is None:
            fail_unknown(fault, "port", self.ports)
        elif not active:
            if fault.kind != "register_reset":
                port.recover()
        elif fault.kind == "port_fault":
            port.fail(fault.error_code)
        elif fault.kind == "port_unavailable":
            port.withdraw()
        elif fault.kind == "register_reset":
            port.reset_register()
        else:
            fail_unknown(fault, "kind", ("port_fault", "port_unavailable", "register_reset", "silence"))

    def step(self, now_ms: int, dt_s: float) -> list[Reading]:
        """Move on to `now_ms`, `dt_s` seconds after the last step, and return the reports that are due."""
        local = to_datetime(now_ms).astimezone(self._zone)
        hour = local.hour + local.minute / 60.0
        self._arrive(now_ms, dt_s, hour, weekend=local.weekday() >= 5)
        lines = [0.0, 0.0, 0.0]
        for port in self.ports.values():
            port.step(now_ms, dt_s)
            port.add_load(lines)
        self.meter.step(dt_s, hour, (lines[0], lines[1], lines[2]))
        report_ms = round(1000 * self.settings.report_s)
        readings = []
        for device, port in self.ports.items():
            if port.changed or now_ms >= self._due[device]:
                port.changed = False
                self._due[device] = next_due(self._due[device], now_ms, report_ms)
                readings.append(port.reading(self.meter.volts))
        if now_ms >= self._meter_due:
            self._meter_due = next_due(self._meter_due, now_ms, report_ms)
            readings.append(self.meter.reading())
        return readings

    def _arrive(self, now_ms: int, dt_s: float, hour: float, *, weekend: bool) -> None:
        rate = self.settings.arrivals_per_h * hourly(self.settings.arrival_profile, hour)
        rate *= self.settings.weekend_factor if weekend else 1.0
        for _ in range(int(self._rng.poisson(rate * dt_s * 1000.0 / HOUR_MS))):
            free = [port for port in self.ports.values() if port.free]
            if not free:
                self.lost_arrivals += 1
                continue
            port = free[int(self._rng.integers(len(free)))]
            vehicle = arriving_vehicle(self._rng, now_ms, self.settings.stay_h, dc=port.dc)
            port.plug_in(vehicle, now_ms)


def next_due(due_ms: int, now_ms: int, every_ms: int) -> int:
    """Return the next time after `now_ms` on the device's own grid of reports."""
    return now_ms + every_ms - (now_ms - due_ms) % every_ms
