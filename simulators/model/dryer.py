"""A refrigerated dryer: its power follows the air, its dew point follows its load."""

from dataclasses import dataclass

import numpy as np

from simulators.message import Reading
from simulators.model.noise import Drift


@dataclass(slots=True)
class Dryer:
    """One dryer for the whole flow."""

    device: str
    rated_kw: float
    rated_flow_m3_min: float
    rng: np.random.Generator
    energy_kwh: float
    power_kw: float = 0.0
    dew_point_c: float = 4.0
    fault: bool = False
    changed: bool = True
    _noise: Drift | None = None

    def __post_init__(self) -> None:
        self._noise = Drift(self.rng, 0.25, 300.0)

    def set_fault(self, *, active: bool) -> None:
        """Stop the refrigeration, or start it again."""
        self.fault = active
        self.changed = True

    def step(self, dt_s: float, flow_m3_min: float) -> None:
        """Book the last `dt_s` seconds, then follow the flow; the dew point settles within minutes."""
        self.energy_kwh += self.power_kw * dt_s / 3600.0
        load = min(1.3, flow_m3_min / self.rated_flow_m3_min)
        self.power_kw = 0.2 if self.fault else self.rated_kw * (0.35 + 0.65 * load)
        noise = self._noise.step(dt_s) if self._noise is not None else 0.0
        settled = 24.0 if self.fault else 2.5 + 3.0 * load * load + noise
        self.dew_point_c += (settled - self.dew_point_c) * min(1.0, dt_s / 400.0)

    def reading(self) -> Reading:
        """Return what the dryer reports now."""
        values: dict[str, float | int | str] = {
            "state": "fault" if self.fault else "running",
            "power_kw": round(self.power_kw, 2),
            "energy_kwh": round(self.energy_kwh, 2),
            "dew_point_c": round(self.dew_point_c, 1),
        }
        return Reading("dryer", self.device, values)
