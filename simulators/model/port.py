"""An EVSE port: OCPP states in legal order, a meter whose register never falls, a connector that gets warm."""

import math
from dataclasses import dataclass, field

import numpy as np

from simulators.message import Reading
from simulators.model.vehicle import DC_EFFICIENCY, Vehicle
from telemetry.channels import OCCUPIED_STATUS

OCCUPIED = frozenset(OCCUPIED_STATUS)
DC_FROM_KW = 30.0
"""A port rated at this or more is a DC charger."""
POWER_FACTOR = 0.99
STANDBY_KW = {False: 0.004, True: 0.04}
"""What the electronics take without a session, AC and DC."""
_LEAST_AC_KW = 1.38
"""6 A of one phase: with less the control pilot cannot let a vehicle charge."""
_DERATED_K = 40.0
"""A port that gives less for its heat is this much hotter."""
_DERATED_FROM_C = 50.0
"""It gives all of it until it is that hot."""
_THERMAL_TAU_S = 480.0
STUCK = {"stuck_preparing": "Preparing", "stuck_reserved": "Reserved", "stuck_finishing": "Finishing"}
"""Fault -> the state in which a port without a vehicle stays."""
_STEP_SHARE = 0.2
"""A charge point reports at once when its power has changed by this share of the rating."""
_WATCHED_MS = 4 * 3_600_000
"""A driver who planned to stay longer than this does not watch."""
_SINGLE = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
_STOP_REASONS = ("EVDisconnected", "Local", "Remote")

Volts = tuple[float, float, float]


@dataclass(slots=True)
class Port:
    """One port. `step` moves it on; `reading` says what its charge point would report."""

    device: str
    rated_kw: float
    phases: int
    line: int
    """Line 0..2 that feeds a single-phase port."""
    rng: np.random.Generator
    energy_kwh: float
    """AC register."""
    dc_energy_kwh: float = 0.0
    status: str = "Available"
    error_code: str = "NoError"
    stop_reason: str = ""
    session_id: str = ""
    vehicle: Vehicle | None = None
    power_kw: float = 0.0
    offered_kw: float = field(init=False)
    """What the station lets it have."""
    wanted_kw: float = 0.0
    """What the vehicle would draw if it got all it wants."""
    temperature_c: float = 22.0
    dc: bool = field(init=False)
    """Whether this is a DC charger."""
    changed: bool = True
    """Something happened that a charge point reports at once."""
    effects: dict[str, float] = field(default_factory=dict)
    """Faults that are present: kind -> size."""
    sessions: list[tuple[int, int, float]] = field(default_factory=list)
    """Of each finished session: begin, end [ms], energy [kWh]."""
    occupied_s: float = 0.0
    charging_s: float = 0.0
    _until_ms: int = field(default=0)
    """When the present timed state ends."""
    _began: tuple[int, float] = (0, 0.0)
    """Time and register at the beginning of the session."""
    _told_kw: float = 0.0
    """Power of the last report."""
    settled_ms: int = 0
    """Up to here everything is booked; an idle port is booked only when somebody looks."""

    def __post_init__(self) -> None:
        self.dc = self.rated_kw >= DC_FROM_KW
        self.offered_kw = self.rated_kw
        self.power_kw = STANDBY_KW[self.dc]

    @property
    def free(self) -> bool:
        """Whether a vehicle can be plugged in."""
        return self.status == "Available" and not STUCK.keys() & self.effects.keys()

    @property
    def idle(self) -> bool:
        """Whether nothing can happen here by itself."""
        return self.status == "Available" and not self.effects

    def plug_in(self, vehicle: Vehicle, now_ms: int) -> None:
        """Connect a vehicle to a free port; the driver authorises some seconds later."""
        self.vehicle = vehicle
        self.session_id = f"{self.device}-{now_ms // 1000}"
        self.stop_reason = ""
        self._began = (now_ms, self.energy_kwh)
        self._enter("Preparing", now_ms, float(self.rng.uniform(5.0, 40.0)))

    def fail(self, error_code: str) -> None:
        """Go to Faulted: the session, if any, is over and the vehicle leaves."""
        self._leave("Faulted", error_code)

    def withdraw(self) -> None:
        """Go to Unavailable (an operator took the port out of service)."""
        self._leave("Unavailable", "NoError")

    def recover(self) -> None:
        """Come back from Faulted or Unavailable."""
        self._leave("Available", "NoError")

    def settle(self, now_ms: int) -> None:
        """Book the rest of an idle port up to now: standby energy and cooling."""
        if not self.idle:
            return
        rest_s = (now_ms - self.settled_ms) / 1000.0
        self.settled_ms = now_ms
        self.energy_kwh += STANDBY_KW[self.dc] * rest_s / 3600.0
        above_k = self.temperature_c - 22.0
        self.temperature_c = 22.0 + (above_k * math.exp(-rest_s / _THERMAL_TAU_S) if above_k > 0.01 else 0.0)

    def _wants_kw(self) -> float:
        """Return what the vehicle would draw if it got all it wants."""
        if self.vehicle is None or "zero_energy" in self.effects:
            return 0.0
        return self.vehicle.wanted_kw(self.rated_kw, dc=self.dc)

    def step(self, now_ms: int, dt_s: float) -> None:
        """Book the energy of the last `dt_s` seconds, then act on what the time has brought."""
        self.settled_ms = now_ms
        energy = self.power_kw * dt_s / 3600.0
        self.energy_kwh += energy
        if self.status in OCCUPIED:
            self.occupied_s += dt_s
            self.charging_s += dt_s if self.status == "Charging" else 0.0
        heat = 30.0 * (self.power_kw / self.rated_kw) ** 2 + self.effects.get("over_temperature", 0.0)
        heat += _DERATED_K if "derating" in self.effects and self.status == "Charging" else 0.0
        self.temperature_c += (22.0 + heat - self.temperature_c) * min(1.0, dt_s / _THERMAL_TAU_S)
        self.wanted_kw = wanted = 0.0
        if self.vehicle is not None:
            if self.status == "Charging":
                self.vehicle.take(energy, dc=self.dc)
                self.dc_energy_kwh += energy * DC_EFFICIENCY if self.dc else 0.0
            wanted = self._wants_kw()
            self.wanted_kw = wanted
            self._follow(self.vehicle, now_ms, enough=wanted == 0.0)
        else:
            self._be_stuck(now_ms)
        self.power_kw = self._flowing_kw(wanted)
        self.changed |= abs(self.power_kw - self._told_kw) > _STEP_SHARE * self.rated_kw

    def _be_stuck(self, now_ms: int) -> None:
        """Without a vehicle, take the state of a fault, or leave it when the fault is over."""
        wanted = next((status for kind, status in STUCK.items() if kind in self.effects), "Available")
        if self.status != wanted and self.status in ("Available", *STUCK.values()):
            self._enter(wanted, now_ms)

    def _flowing_kw(self, wanted_kw: float) -> float:
        if self.status != "Charging" or "stuck_charging" in self.effects:
            return 0.0 if self.status == "Faulted" else STANDBY_KW[self.dc]
        hot = self.temperature_c > _DERATED_FROM_C
        given = min(wanted_kw, self.offered_kw) * (1.0 - (self.effects.get("derating", 0.0) if hot else 0.0))
        return given * 2.0 / 3.0 if "phase_loss" in self.effects and self.phases == 3 else given

    def _follow(self, vehicle: Vehicle, now_ms: int, *, enough: bool) -> None:
        """Move through the states of a session."""
        offered = self.dc or self.offered_kw >= _LEAST_AC_KW
        leaving = now_ms >= vehicle.departure_ms and "over_long" not in self.effects
        if self.status == "Preparing":
            if now_ms >= self._until_ms:
                self._enter("Charging" if offered else "SuspendedEVSE", now_ms)
        elif self.status == "Finishing":
            if now_ms >= self._until_ms:
                self._leave("Available", "NoError")
        elif leaving:
            self.stop_reason = str(self.rng.choice(_STOP_REASONS, p=(0.5, 0.3, 0.2)))
            self._enter("Finishing", now_ms, float(self.rng.uniform(5.0, 60.0)))
        elif self.status == "Charging" and enough and "stuck_charging" not in self.effects:
            self._enter("SuspendedEV", now_ms)
            if self.dc and vehicle.departure_ms - now_ms < _WATCHED_MS:  # drivers at a fast charger come back soon
                back = now_ms + round(1000 * float(self.rng.uniform(60.0, 480.0)))
                vehicle.departure_ms = min(vehicle.departure_ms, back)
        elif self.status in ("Charging", "SuspendedEVSE") and offered != (self.status == "Charging"):
            self._enter("Charging" if offered else "SuspendedEVSE", now_ms)

    def _enter(self, status: str, now_ms: int, lasts_s: float = 0.0) -> None:
        self.status = status
        self._until_ms = now_ms + round(1000 * lasts_s)
        self.changed = True

    def _leave(self, status: str, error_code: str) -> None:
        if self.status in OCCUPIED and self.vehicle is not None:
            self.sessions.append((self._began[0], self.settled_ms, self.energy_kwh - self._began[1]))
        self.status = status
        self.error_code = error_code
        self.vehicle = None
        self.session_id = self.stop_reason = ""
        self.power_kw = 0.0
        self.changed = True

    def add_load(self, lines_kw: list[float]) -> None:
        """Add the power to that of the three lines."""
        for k, share in enumerate(self._shares()):
            lines_kw[k] += share * self.power_kw

    def _shares(self) -> Volts:
        """Return the share of the power that each line carries."""
        if self.phases == 3 and "phase_loss" in self.effects:
            return 0.0, 0.5, 0.5
        if self.phases == 3 and (self.dc or self.vehicle is None or self.vehicle.phases == 3):
            return 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0
        return _SINGLE[self.line]

    def reading(self, volts: Volts) -> Reading:
        """Return what the charge point reports now, at its meter's resolution.

        Parameters
        ----------
        volts
            Line-to-neutral voltages of the site, at the meter's resolution.
        """
        self._told_kw = self.power_kw
        hidden = "stuck_available" in self.effects and self.status == "Charging"
        values: dict[str, float | int | str] = {
            "status": "Available" if hidden else self.status,
            "error_code": self.error_code,
            "power_kw": round(self.power_kw, 3),
            "energy_kwh": round(self.energy_kwh, 3),
        }
        if self.phases == 3:
            for k, (volt, share) in enumerate(zip(volts, self._shares(), strict=True), 1):
                values[f"current_l{k}_a"] = round(1000.0 * self.power_kw * share / (volt * POWER_FACTOR), 2)
                values[f"voltage_l{k}_v"] = volt
        else:
            volt = volts[self.line]
            values["current_a"] = round(1000.0 * self.power_kw / (volt * POWER_FACTOR), 2)
            values["voltage_v"] = volt
        values["temperature_c"] = round(self.temperature_c, 1)
        if self.dc:
            values["dc_energy_kwh"] = round(self.dc_energy_kwh, 3)
        if self.vehicle is not None and not hidden:
            values["session_id"] = self.session_id
            values["offered_kw"] = round(self.offered_kw, 2)
            values["departure"] = self.vehicle.departure_ms
            values["requested_kwh"] = round(self.vehicle.missing_kwh(dc=self.dc), 2)
            if self.dc:
                values["soc_pct"] = round(100.0 * self.vehicle.soc, 1)
        if self.stop_reason:
            values["stop_reason"] = self.stop_reason
        return Reading("port", self.device, values)
