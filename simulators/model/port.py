"""An EVSE port: OCPP states in legal order, a meter whose register never falls, a connector that gets warm."""

from dataclasses import dataclass, field

import numpy as np

from simulators.message import Reading
from simulators.model.vehicle import DC_EFFICIENCY, Vehicle

DC_FROM_KW = 30.0
"""A port rated at this or more is a DC charger."""
POWER_FACTOR = 0.99
STANDBY_KW = {False: 0.004, True: 0.04}
"""What the electronics take without a session, AC and DC."""
_THERMAL_TAU_S = 480.0
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
    temperature_c: float = 22.0
    dc: bool = field(init=False)
    """Whether this is a DC charger."""
    changed: bool = True
    """Something happened that a charge point reports at once."""
    _until_ms: int = field(default=0)
    """When the present timed state ends."""

    def __post_init__(self) -> None:
        self.dc = self.rated_kw >= DC_FROM_KW

    @property
    def free(self) -> bool:
        """Whether a vehicle can be plugged in."""
        return self.status == "Available"

    def plug_in(self, vehicle: Vehicle, now_ms: int) -> None:
        """Connect a vehicle to a free port; the driver authorises some seconds later."""
        self.vehicle = vehicle
        self.session_id = f"{self.device}-{now_ms // 1000}"
        self.stop_reason = ""
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

    def reset_register(self) -> None:
        """Lose the register, as a meter that was exchanged or wiped."""
        self.energy_kwh = 0.0
        self.changed = True

    def step(self, now_ms: int, dt_s: float) -> None:
        """Book the energy of the last `dt_s` seconds, then act on what the time has brought."""
        energy = self.power_kw * dt_s / 3600.0
        self.energy_kwh += energy
        heat = 30.0 * (self.power_kw / self.rated_kw) ** 2
        self.temperature_c += (22.0 + heat - self.temperature_c) * min(1.0, dt_s / _THERMAL_TAU_S)
        wanted = 0.0
        if self.vehicle is not None:
            if self.status == "Charging":
                self.vehicle.take(energy, dc=self.dc)
                self.dc_energy_kwh += energy * DC_EFFICIENCY if self.dc else 0.0
            wanted = self.vehicle.wanted_kw(self.rated_kw, dc=self.dc)
            self._follow(self.vehicle, now_ms, enough=wanted == 0.0)
        if self.status == "Charging":
            self.power_kw = wanted
        else:
            self.power_kw = 0.0 if self.status == "Faulted" else STANDBY_KW[self.dc]

    def _follow(self, vehicle: Vehicle, now_ms: int, *, enough: bool) -> None:
        """Move through the states of a session."""
        if self.status == "Preparing":
            if now_ms >= self._until_ms:
                self._enter("Charging", now_ms)
        elif self.status == "Finishing":
            if now_ms >= self._until_ms:
                self._leave("Available", "NoError")
        elif now_ms >= vehicle.departure_ms:
            self.stop_reason = str(self.rng.choice(_STOP_REASONS, p=(0.5, 0.3, 0.2)))
            self._enter("Finishing", now_ms, float(self.rng.uniform(5.0, 60.0)))
        elif self.status == "Charging" and enough:
            self._enter("SuspendedEV", now_ms)
            if self.dc:  # drivers at a fast charger watch and come back soon
                back = now_ms + round(1000 * float(self.rng.uniform(60.0, 480.0)))
                vehicle.departure_ms = min(vehicle.departure_ms, back)

    def _enter(self, status: str, now_ms: int, lasts_s: float = 0.0) -> None:
        self.status = status
        self._until_ms = now_ms + round(1000 * lasts_s)
        self.changed = True

    def _leave(self, status: str, error_code: str) -> None:
        self.status = status
        self.error_code = error_code
        self.vehicle = None
        self.session_id = self.stop_reason = ""
        self.power_kw = 0.0
        self.changed = True

    def add_load(self, lines_kw: list[float]) -> None:
        """Add the power to that of the three lines."""
        if self.phases == 3:
            third = self.power_kw / 3.0
            for k in range(3):
                lines_kw[k] += third
        else:
            lines_kw[self.line] += self.power_kw

    def reading(self, volts: Volts) -> Reading:
        """Return what the charge point reports now, at its meter's resolution.

        Parameters
        ----------
        volts
            Line-to-neutral voltages of the site.
        """
        values: dict[str, float | int | str] = {
            "status": self.status,
            "error_code": self.error_code,
            "power_kw": round(self.power_kw, 3),
            "energy_kwh": round(self.energy_kwh, 3),
        }
        if self.phases == 3:
            for k, volt in enumerate(volts, 1):
                values[f"current_l{k}_a"] = round(1000.0 * self.power_kw / (3.0 * volt * POWER_FACTOR), 2)
                values[f"voltage_l{k}_v"] = round(volt, 1)
        else:
            volt = volts[self.line]
            values["current_a"] = round(1000.0 * self.power_kw / (volt * POWER_FACTOR), 2)
            values["voltage_v"] = round(volt, 1)
        values["temperature_c"] = round(self.temperature_c, 1)
        if self.dc:
            values["dc_energy_kwh"] = round(self.dc_energy_kwh, 3)
        if self.vehicle is not None:
            values["session_id"] = self.session_id
            values["offered_kw"] = self.rated_kw
            values["departure"] = self.vehicle.departure_ms
            values["requested_kwh"] = round(self.vehicle.missing_kwh(dc=self.dc), 2)
            if self.dc:
                values["soc_pct"] = round(100.0 * self.vehicle.soc, 1)
        if self.stop_reason:
            values["stop_reason"] = self.stop_reason
        return Reading("port", self.device, values)
