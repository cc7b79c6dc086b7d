"""Dryers for the whole flow: refrigerated, and desiccant with purge air."""

from dataclasses import dataclass, field

import numpy as np

from simulators.message import Reading
from simulators.model.gas import orifice_m3_min
from simulators.model.noise import Drift

_COOLING_SHARE = 0.35
"""Power of a refrigerated dryer without flow, against its rating."""
_PURGE_SHARE = 0.12
"""Purge of a desiccant dryer, as a share of its rated flow."""
_HALF_CYCLE_S = 300.0
_PURGE_S = 240.0
"""A vessel is purged this long of each half cycle; then it comes back to pressure."""
_PURGE_BAR = 0.2
_LEAKING_BAR = 1.4
"""Pressure behind a purge valve that stays open."""


@dataclass(slots=True)
class Dryer:
    """One dryer; without purge it is a refrigerated one."""

    device: str
    rated_kw: float
    rated_flow_m3_min: float
    rng: np.random.Generator
    energy_kwh: float
    desiccant: bool = False
    power_kw: float = 0.0
    dew_point_c: float = 4.0
    fault: bool = False
    off: bool = False
    """Switched off: it lets the air pass as it is."""
    purge_m3_min: float = 0.0
    """Air that is blown off to regenerate the desiccant."""
    leak_mm: float = 0.0
    """Purge or drain valve that stays open, as a hole."""
    leak_m3_min: float = 0.0
    changed: bool = True
    _noise: Drift = field(init=False)
    _cycle_s: float = 0.0

    def __post_init__(self) -> None:
        self._noise = Drift(self.rng, 0.25, 300.0)

    def set_fault(self, *, active: bool) -> None:
        """Stop refrigeration or switching, or start it again."""
        self.fault = active
        self.changed = True

    def switch(self, *, off: bool) -> None:
        """Switch it off or on."""
        self.off = off
        self.changed = True

    def step(self, dt_s: float, flow_m3_min: float, pressure_bar: float = 7.0, ambient_c: float = 20.0) -> None:
        """Book the last `dt_s` seconds, then follow the flow; the dew point settles within minutes."""
        self.energy_kwh += self.power_kw * dt_s / 3600.0
        idle = self.fault or self.off
        load = min(1.3, flow_m3_min / self.rated_flow_m3_min)
        noise = self._noise.step(dt_s)
        self.leak_m3_min = orifice_m3_min(self.leak_mm, pressure_bar)
        if self.desiccant:
            self._cycle_s = (self._cycle_s + dt_s) % _HALF_CYCLE_S
            purging = self._cycle_s < _PURGE_S and not idle and load > 0.0
            self.purge_m3_min = _PURGE_SHARE * self.rated_flow_m3_min * pressure_bar / 7.0 if purging else 0.0
            self.power_kw = 0.0 if self.off else 0.1
            settled = 12.0 if idle else -42.0 + 8.0 * load * load + noise
        else:
            cooling_kw = self.rated_kw * (_COOLING_SHARE + (1.0 - _COOLING_SHARE) * load)
            self.power_kw = 0.0 if self.off else 0.2 if self.fault else cooling_kw
            warm = 0.08 * max(0.0, ambient_c - 25.0)
            settled = max(12.0, ambient_c + 3.0) if idle else 2.5 + 3.0 * load * load + warm + noise
        self.dew_point_c += (settled - self.dew_point_c) * min(1.0, dt_s / 400.0)

    @property
    def purge_bar(self) -> float:
        """Pressure behind the purge valve."""
        if self.leak_mm:
            return _LEAKING_BAR
        return _PURGE_BAR if self.purge_m3_min else 0.0

    def reading(self) -> Reading:
        """Return what the dryer reports now."""
        values: dict[str, float | int | str] = {
            "state": "fault" if self.fault else "stopped" if self.off else "running",
            "power_kw": round(self.power_kw, 2),
            "energy_kwh": round(self.energy_kwh, 2),
            "dew_point_c": round(self.dew_point_c, 1),
            "purge_pressure_bar": self.purge_bar,
        }
        return Reading("dryer", self.device, values)
