"""What a charging station truly gave: the sums behind its true key figures."""

from typing import TYPE_CHECKING

from telemetry.times import MINUTE_MS

if TYPE_CHECKING:
    from simulators.model.charging import ChargingStation


class ChargingBooks:
    """Sums from the moment they are made."""

    def __init__(self, station: "ChargingStation") -> None:
        self._station = station
        station.settle()
        for port in station.ports.values():
            port.sessions.clear()
            port.occupied_s = port.charging_s = 0.0
        self._begin_kwh = sum(port.energy_kwh for port in station.ports.values())
        self.seconds = 0.0
        self.peak_kw = 0.0
        """Highest mean of a minute."""
        self._minute = 0
        self._minute_kws = 0.0

    def step(self, now_ms: int, dt_s: float, power_kw: float) -> None:
        """Book the step that ends now, in which the ports took that power."""
        minute = (now_ms - 1) // MINUTE_MS
        if minute != self._minute:
            self.peak_kw = max(self.peak_kw, self._minute_kws / 60.0)
            self._minute, self._minute_kws = minute, 0.0
        self._minute_kws += power_kw * dt_s
        self.seconds += dt_s

    def key_figures(self) -> dict[str, float | None]:
        """Return key figures by the names of the contract."""
        ports = self._station.ports.values()
        self._station.settle()
        energy = sum(port.energy_kwh for port in ports) - self._begin_kwh
        occupied = sum(port.occupied_s for port in ports) / 3600.0
        charging = sum(port.charging_s for port in ports) / 3600.0
        window = len(ports) * self.seconds / 3600.0
        rated = sum(port.rated_kw for port in ports) * self.seconds / 3600.0
        return {
            "energy_kwh": energy,
            "occupied_h": occupied,
            "charging_h": charging,
            "idle_h": occupied - charging,
            "occupied_utilisation": occupied / window if window else None,
            "charging_utilisation": charging / window if window else None,
            "capacity_factor": energy / rated if rated else None,
            "peak_kw": self.peak_kw,
            "sessions": float(sum(len(port.sessions) for port in ports)),
        }
