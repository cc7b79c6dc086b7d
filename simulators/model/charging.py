"""A charging station: drivers arrive, ports charge, one meter sees it all."""

import heapq
from collections import defaultdict
from datetime import datetime
from typing import Any, Literal

import msgspec
import numpy as np

from simulators.fault_kinds import Layer, kinds_of
from simulators.faults import Fault, fail_unknown
from simulators.message import Reading
from simulators.model.charging_books import ChargingBooks
from simulators.model.drivers import PROFILES, arriving_vehicle
from simulators.model.port import STANDBY_KW, STUCK, Port
from simulators.model.sharing import share_kw
from simulators.model.site_meter import SiteMeter
from telemetry.registry import Station
from telemetry.times import HOUR_MS, to_datetime


class ChargingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How busy a simulated charging station is and how often its devices report."""

    report_s: float = 10.0
    """Time between two reports of a device; a change of state is reported at once."""
    profile: Literal["workplace", "public", "harbour", "depot", "residential"] = "public"
    """Who comes when, for how long, and with which need."""
    arrivals_per_h: float = 5.0
    """Mean over a weekday of a usual month."""
    arrival_profile: tuple[float, ...] = ()
    """Factor on the arrivals instead of the profile's: 24 local hours or one value."""
    stay_h: float | None = None
    """Median stay instead of the profile's; at a DC port drivers leave when the vehicle has enough."""
    base_kw: float = 14.0
    """Lighting, ventilation, control."""
    cabinet_share: float = 1.0
    """Power of a DC cabinet (one for each `charge_point`) against the sum of its ports' ratings."""
    limit_kw: float | None = None
    """Orderly charging: what all ports together may take; None: all."""


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
        self._profile = PROFILES[self.settings.profile]
        self._zone = station.zone
        self._rng = rng
        self.ports = {
            device.id: Port(
                device.id, device.rated_kw or 7.0, device.phases or 1, k % 3, rng,
                energy_kwh=float(rng.uniform(500.0, 20_000.0)), dc_energy_kwh=float(rng.uniform(500.0, 20_000.0)),
            )
            for k, device in enumerate(station.ports)
        }  # fmt: skip
        self._standby_kw = sum(STANDBY_KW[port.dc] for port in self.ports.values())
        self._cabinets: dict[str, list[Port]] = defaultdict(list)
        for device in station.ports:
            if self.ports[device.id].dc and device.charge_point:
                self._cabinets[device.charge_point].append(self.ports[device.id])
        self.meter = SiteMeter(
            station.site_meters[0].id, station.transformer_kva or 1000.0, self.settings.base_kw, rng,
            energy_kwh=float(rng.uniform(100_000.0, 900_000.0)),
        )  # fmt: skip
        report_ms = round(1000 * self.settings.report_s)
        self._busy: dict[str, Port] = {}
        """Ports at which something can happen by itself; the others are left alone."""
        self._due = [(k * report_ms // (len(self.ports) + 1), k, port) for k, port in enumerate(self.ports.values())]
        """Regular reports to come: a heap by time and number."""
        self._meter_due = 0
        self._awake: dict[str, Port] = {}
        """Those that took part in the last step."""
        self._last_ms = 0
        """Time of the last step; 0: there was none."""
        self._offsets: dict[str, tuple[float, float, float]] = {}
        self._curtailed = 0.0
        self._rush = 1.0
        self.lost_arrivals = 0
        """Drivers who found every port taken."""
        self.books = ChargingBooks(self)

    def apply(self, fault: Fault, strength: float) -> None:
        """Let a fault have that share of its size; 0 ends it, or only checks that it can be.

        Raises
        ------
        ConfigError
            If it is no fault of such a station, or names a port that is not there.
        """
        if fault.traits.layer is Layer.PORT:
            port = self.ports.get(fault.device)
            if port is None:
                fail_unknown(fault, "port", self.ports)
            self._wake(port)
            _apply_to_port(port, fault, strength)
        elif fault.traits.layer is Layer.SITE:
            self._apply_to_site(fault, fault.full_size * strength)
        else:
            fail_unknown(fault, "kind", kinds_of(Layer.PORT, Layer.SITE, Layer.READING, Layer.WAY))

    def _apply_to_site(self, fault: Fault, size: float) -> None:
        match fault.kind:
            case "overload":
                self.meter.other_kw = size
            case "curtailment":
                self._curtailed = size
            case "rush":
                self._rush = max(1.0, size)
            case "voltage":
                self._offsets[fault.kind] = (size, size, size)
            case _:  # neutral_loss
                self._offsets[fault.kind] = (size, -size, 0.0)
        a, b, c = (sum(lines) for lines in zip((0.0, 0.0, 0.0), *self._offsets.values(), strict=True))
        self.meter.offset_v = (a, b, c)

    def describe(self, fault: Fault) -> dict[str, Any]:  # noqa: ARG002 - an air station has more to say
        """Return what the truth says of a fault beside its own fields."""
        return {}

    def begin(self) -> None:
        """Keep the books of the truth from here on."""
        self.books = ChargingBooks(self)

    def key_figures(self) -> dict[str, float | None]:
        """Return the true key figures since `begin`, by the names of the contract."""
        return self.books.key_figures()

    def step(self, now_ms: int, dt_s: float) -> list[Reading]:
        """Move on to `now_ms`, `dt_s` seconds after the last step, and return the reports that are due."""
        self.advance(now_ms, dt_s)
        return self._reports(now_ms)

    def advance(self, now_ms: int, dt_s: float) -> None:
        """Move on to `now_ms`, `dt_s` seconds after the last step, without a report."""
        if not self._last_ms:
            for port in self.ports.values():
                port.settled_ms = now_ms - round(1000 * dt_s)
            self._last_ms = now_ms - round(1000 * dt_s)
        local = to_datetime(now_ms).astimezone(self._zone)
        self._arrive(now_ms, dt_s, local)
        self._offer()
        lines = [self._standby_kw / 3.0] * 3
        before_kw = taken_kw = self._standby_kw
        self._awake = dict(self._busy)
        for device, port in self._awake.items():
            standby = STANDBY_KW[port.dc]
            before_kw += port.power_kw - standby
            port.step(now_ms, dt_s)
            taken_kw += port.power_kw - standby
            port.add_load(lines)
            for k in range(3):
                lines[k] -= standby / 3.0
            if port.idle:
                del self._busy[device]
        self._last_ms = now_ms
        self.books.step(now_ms, dt_s, before_kw)
        self.meter.step(dt_s, local.hour + local.minute / 60.0, (lines[0], lines[1], lines[2]))

    def _reports(self, now_ms: int) -> list[Reading]:
        report_ms = round(1000 * self.settings.report_s)
        speaking = {device: port for device, port in self._awake.items() if port.changed}
        while self._due[0][0] <= now_ms:
            due_ms, k, port = self._due[0]
            heapq.heapreplace(self._due, (next_due(due_ms, now_ms, report_ms), k, port))
            speaking[port.device] = port
        readings = []
        for port in speaking.values():
            port.changed = False
            port.settle(now_ms)
            readings.append(port.reading(self.meter.volts))
        if now_ms >= self._meter_due:
            self._meter_due = next_due(self._meter_due, now_ms, report_ms)
            readings.append(self.meter.reading())
        return readings

    def _arrive(self, now_ms: int, dt_s: float, local: datetime) -> None:
        chosen = self.settings.arrival_profile
        if chosen:
            factor = chosen[local.hour % len(chosen)]
        else:
            factor = self._profile.rate(local.hour, local.month, weekend=local.weekday() >= 5)
        rate = self.settings.arrivals_per_h * factor * self._rush
        for _ in range(int(self._rng.poisson(rate * dt_s * 1000.0 / HOUR_MS))):
            free = [port for port in self.ports.values() if port.free]
            if not free:
                self.lost_arrivals += 1
                continue
            port = free[int(self._rng.integers(len(free)))]
            vehicle = arriving_vehicle(
                self._rng, self._profile, now_ms, local.hour, port.rated_kw, dc=port.dc, stay_h=self.settings.stay_h
            )
            self._wake(port)
            port.plug_in(vehicle, now_ms)

    def _wake(self, port: Port) -> None:
        """Book an idle port up to the last step, and let it take part in the next ones."""
        port.settle(self._last_ms)
        self._busy[port.device] = port

    def settle(self) -> None:
        """Book every port up to the last step."""
        for port in self.ports.values():
            port.settle(self._last_ms)

    def _offer(self) -> None:
        """Share what is not enough: cabinets among their ports, the site's limit among all that charge."""
        scale = 1.0 - self._curtailed
        limit, shared = self.settings.limit_kw, self.settings.cabinet_share < 1.0
        if limit is None and not shared:
            for port in self._busy.values():
                port.offered_kw = port.rated_kw * scale
            return
        busy = [port for port in self._busy.values() if port.vehicle is not None]
        for port in busy:
            port.offered_kw = port.rated_kw * scale
        for ports in self._cabinets.values() if shared else ():
            power = self.settings.cabinet_share * sum(port.rated_kw for port in ports) * scale
            _share(ports, power)
        if limit is not None:
            _share(busy, limit * scale)


def _share(ports: list[Port], limit_kw: float) -> None:
    wanted = [min(port.wanted_kw, port.offered_kw) for port in ports]
    if sum(wanted) > limit_kw:
        for port, given in zip(ports, share_kw(wanted, limit_kw), strict=True):
            port.offered_kw = given


def _apply_to_port(port: Port, fault: Fault, strength: float) -> None:
    match fault.kind, bool(strength):
        case "port_fault", True:
            port.fail(fault.error_code)
        case "port_unavailable", True:
            port.withdraw()
        case "port_fault" | "port_unavailable", False:
            if port.status in ("Faulted", "Unavailable"):
                port.recover()
        case _, True:
            port.effects[fault.kind] = fault.full_size * strength
            if fault.kind in STUCK and port.vehicle is not None:
                port.vehicle.departure_ms = 0
        case _:
            port.effects.pop(fault.kind, None)
            if port.status == STUCK.get(fault.kind) and port.vehicle is None:
                port.recover()


def next_due(due_ms: int, now_ms: int, every_ms: int) -> int:
    """Return the next time after `now_ms` on the device's own grid of reports."""
    return now_ms + every_ms - (now_ms - due_ms) % every_ms
