"""A buyer of compressed air: demand by shift, own leaks, and a meter at the branch's end."""

from dataclasses import dataclass, field

import msgspec
import numpy as np

from simulators.message import Reading
from simulators.model.gas import ATMOSPHERE_BAR, orifice_m3_min
from simulators.model.meter import FlowMeter
from simulators.model.noise import Drift, hourly

_PIPE_BAR = 0.15
"""Pressure drop of the pipe to the customer at his full demand."""


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
    unregulated: float = 0.6
    """Share of the demand that grows with the absolute pressure (no regulator in front)."""


@dataclass(slots=True)
class Customer:
    """One customer with one meter."""

    device: str
    settings: CustomerSettings
    design_bar: float
    rng: np.random.Generator
    meter: FlowMeter
    holes: dict[str, float] = field(default_factory=dict)
    """New leaks behind the meter: name -> diameter [mm]."""
    effects: dict[str, float] = field(default_factory=dict)
    """Faults and nuisances that are present: kind -> size."""
    flow_m3_min: float = 0.0
    leak_m3_min: float = 0.0
    """Part of the flow that escapes."""
    pressure_bar: float = 0.0
    """At the branch's end."""
    _noise: Drift = field(init=False)

    def __post_init__(self) -> None:
        self._noise = Drift(self.rng, 0.06, 90.0)

    def step(self, dt_s: float, hour: float, header_bar: float, *, weekend: bool) -> float:
        """Move on by `dt_s` seconds and return the new flow [m3/min]."""
        noise = self._noise.step(dt_s)
        work = hourly(self.settings.profile, hour) * (self.settings.weekend if weekend else 1.0)
        work *= 1.0 - self.effects.get("holiday", 0.0)
        full = self.settings.demand_m3_min + self.effects.get("demand", 0.0)
        demand = full * work * max(0.0, 1.0 + noise)
        relative = max(0.0, header_bar + ATMOSPHERE_BAR) / (self.design_bar + ATMOSPHERE_BAR)
        free = self.settings.unregulated
        used = demand * (1.0 - free + free * relative) if header_bar > 0.5 else 0.0
        self.leak_m3_min = orifice_m3_min(self.settings.leak_mm, header_bar)
        self.leak_m3_min += sum(orifice_m3_min(mm, header_bar) for mm in self.holes.values())
        self.flow_m3_min = used + self.leak_m3_min
        self.meter.step(dt_s, self.flow_m3_min)
        drop = _PIPE_BAR + self.effects.get("pipe_drop", 0.0)
        self.pressure_bar = max(0.0, header_bar - drop * (self.flow_m3_min / max(1.0, full)) ** 2)
        return self.flow_m3_min

    def reading(self) -> Reading:
        """Return what the meter reports now."""
        return Reading("air_meter", self.device, {**self.meter.shown(), "pressure_bar": round(self.pressure_bar, 3)})
