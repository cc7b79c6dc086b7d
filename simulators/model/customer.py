"""A buyer of compressed air: demand by shift, own leaks, and a meter at the branch's end."""

from dataclasses import dataclass, field

import msgspec
import numpy as np

from simulators.message import Reading
from simulators.model.gas import ATMOSPHERE_BAR, orifice_m3_min
from simulators.model.noise import Drift, hourly

_UNREGULATED = 0.6
"""Share of the demand that grows with the absolute pressure (no regulator in front)."""


class CustomerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much air a simulated customer takes and when."""

    demand_m3_min: float
    """At full production and the station's design pressure."""
    profile: tuple[float, ...] = (1.0,)
    """Share of it in each local hour, 24 values or one."""
    weekend: float = 1.0
    """Factor on Saturdays and Sundays."""
    leak_mm: float = 2.5
    """Diameter of one hole that stands for all own leaks."""


@dataclass(slots=True)
class Customer:
    """One customer with one meter."""

    meter: str
    settings: CustomerSettings
    design_bar: float
    rng: np.random.Generator
    volume_m3: float
    """Register of the meter."""
    holes: dict[str, float] = field(default_factory=dict)
    """New leaks behind the meter: name -> diameter [mm]."""
    flow_m3_min: float = 0.0
    pressure_bar: float = 0.0
    gain: float = 1.0
    """Error of the meter: what it shows for one true m3."""
    _noise: Drift | None = None

    def __post_init__(self) -> None:
        self._noise = Drift(self.rng, 0.06, 90.0)
        self.gain = 1.0 + 0.004 * float(self.rng.uniform(-1.0, 1.0))

    def step(self, dt_s: float, hour: float, header_bar: float, *, weekend: bool) -> float:
        """Book the last `dt_s` seconds on the meter and return the new flow [m3/min]."""
        self.volume_m3 += self.gain * self.flow_m3_min * dt_s / 60.0
        noise = self._noise.step(dt_s) if self._noise is not None else 0.0
        demand = self.settings.demand_m3_min * hourly(self.settings.profile, hour) * max(0.0, 1.0 + noise)
        demand *= self.settings.weekend if weekend else 1.0
        relative = max(0.0, header_bar + ATMOSPHERE_BAR) / (self.design_bar + ATMOSPHERE_BAR)
        used = demand * (1.0 - _UNREGULATED + _UNREGULATED * relative) if header_bar > 0.5 else 0.0
        leaks = orifice_m3_min(self.settings.leak_mm, header_bar)
        leaks += sum(orifice_m3_min(mm, header_bar) for mm in self.holes.values())
        self.flow_m3_min = used + leaks
        full = max(1.0, self.settings.demand_m3_min)
        self.pressure_bar = max(0.0, header_bar - 0.15 * (self.flow_m3_min / full) ** 2)
        return self.flow_m3_min

    def reading(self) -> Reading:
        """Return what the meter reports now."""
        values = {
            "flow_m3_min": round(self.gain * self.flow_m3_min, 3),
            "volume_m3": round(self.volume_m3, 3),
            "pressure_bar": round(self.pressure_bar, 3),
        }
        return Reading("air_meter", self.meter, values)
