"""An electric vehicle at a port: its battery, what it takes, and when it leaves."""

from dataclasses import dataclass

import numpy as np

AC_EFFICIENCY = 0.91
"""Share of the AC energy that reaches the battery through the on-board charger."""
DC_EFFICIENCY = 0.95
"""Share of a DC charger's AC input that reaches the battery."""

_CAPACITY_KWH = (38.0, 45.0, 52.0, 60.0, 64.0, 77.0, 90.0)
_AC_KW = (3.3, 6.6, 7.0, 7.0)
_DC_KW = (70.0, 90.0, 110.0, 150.0)
_AC_TAPER_FROM = 0.95
_DC_TAPER_FROM = 0.60
_DC_TAPER_TO = 0.12
"""Share of its greatest power that a battery still takes from a DC charger at a full state of charge."""


@dataclass(slots=True)
class Vehicle:
    """One vehicle with the limits of its battery."""

    capacity_kwh: float
    soc: float
    """State of charge, 0..1."""
    target_soc: float
    """The driver's limit: from here on the vehicle takes nothing."""
    ac_kw: float
    """Power of the on-board charger, AC side."""
    dc_kw: float
    """Greatest power that the battery takes directly."""
    departure_ms: int
    """When the driver comes back."""

    def wanted_kw(self, rated_kw: float, *, dc: bool) -> float:
        """Return the AC power that the vehicle draws from a port of that rating; 0 once it has enough."""
        if self.soc >= self.target_soc:
            return 0.0
        if dc:
            span = (1.0 - self.soc) / (1.0 - _DC_TAPER_FROM)
            share = min(1.0, _DC_TAPER_TO + (1.0 - _DC_TAPER_TO) * span)
            return min(rated_kw, self.dc_kw * share / DC_EFFICIENCY)
        share = min(1.0, max(0.15, (1.0 - self.soc) / (1.0 - _AC_TAPER_FROM)))
        return min(rated_kw, self.ac_kw) * share

    def take(self, energy_kwh: float, *, dc: bool) -> None:
        """Charge the battery with energy measured on the AC side."""
        gained = energy_kwh * (DC_EFFICIENCY if dc else AC_EFFICIENCY)
        self.soc = min(1.0, self.soc + gained / self.capacity_kwh)

    def missing_kwh(self, *, dc: bool) -> float:
        """Return the AC energy up to the driver's limit."""
        efficiency = DC_EFFICIENCY if dc else AC_EFFICIENCY
        return max(0.0, self.target_soc - self.soc) * self.capacity_kwh / efficiency


def arriving_vehicle(rng: np.random.Generator, now_ms: int, stay_h: float, *, dc: bool) -> Vehicle:
    """Draw a vehicle that arrives now and stays `stay_h` in the median (log-normal, at least three minutes)."""
    stay = stay_h * float(np.exp(0.5 * rng.standard_normal()))
    soc = 0.10 + 0.78 * float(rng.beta(2.6, 2.0))
    return Vehicle(
        capacity_kwh=float(rng.choice(_CAPACITY_KWH)),
        soc=soc,
        target_soc=max(soc + 0.02, float(rng.choice((0.8, 0.8, 0.9) if dc else (0.8, 0.9, 1.0, 1.0)))),
        ac_kw=float(rng.choice(_AC_KW)),
        dc_kw=float(rng.choice(_DC_KW)),
        departure_ms=now_ms + max(180_000, round(stay * 3_600_000)),
    )
