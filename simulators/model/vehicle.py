"""An electric vehicle at a port: its battery, what it takes, and when it leaves."""

from dataclasses import dataclass

AC_EFFICIENCY = 0.91
"""Share of the AC energy that reaches the battery through the on-board charger."""
DC_EFFICIENCY = 0.95
"""Share of a DC charger's AC input that reaches the battery."""

_AC_TAPER_FROM = 0.95
_DC_TAPER_FROM = 0.60
_DC_TAPER_TO = 0.12
"""Share of its greatest power that a battery still takes from a DC charger at a full state of charge."""
_COLD_C, _COLD_SHARE_PER_K = 15.0, 0.02
"""Below this a battery takes less of DC."""


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
    phases: int = 3
    """Lines that the on-board charger uses where a port has three."""
    battery_c: float = 20.0

    def wanted_kw(self, rated_kw: float, *, dc: bool) -> float:
        """Return the AC power that the vehicle draws from a port of that rating; 0 once it has enough."""
        if round(self.soc, 6) >= self.target_soc:
            return 0.0
        if dc:
            span = (1.0 - self.soc) / (1.0 - _DC_TAPER_FROM)
            share = min(1.0, _DC_TAPER_TO + (1.0 - _DC_TAPER_TO) * span)
            share *= max(0.3, 1.0 - _COLD_SHARE_PER_K * max(0.0, _COLD_C - self.battery_c))
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
