"""A flow meter with a class of accuracy, a resolution and a drift."""

from dataclasses import dataclass

import numpy as np

from telemetry.times import DAY_MS


@dataclass(slots=True)
class FlowMeter:
    """Measures flow and keeps the register of the volume."""

    gain: float
    """What it shows for one true m3 when it is new."""
    drift_per_year: float
    """Growth of that in a year."""
    resolution_m3: float
    volume_m3: float
    """Register."""
    flow_m3_min: float = 0.0
    """As shown."""
    age_years: float = 0.0

    def step(self, dt_s: float, flow_m3_min: float) -> None:
        """Book the last `dt_s` seconds, then measure the new flow."""
        self.volume_m3 += self.flow_m3_min * dt_s / 60.0
        self.age_years += dt_s * 1000.0 / (365.25 * DAY_MS)
        self.flow_m3_min = (self.gain + self.drift_per_year * self.age_years) * flow_m3_min

    def shown(self) -> dict[str, float]:
        """Return flow and register at the meter's resolution."""
        steps = round(self.volume_m3 / self.resolution_m3)
        return {"flow_m3_min": round(self.flow_m3_min, 3), "volume_m3": round(steps * self.resolution_m3, 6)}


def new_meter(
    rng: np.random.Generator, accuracy: float, drift_per_year: float, resolution_m3: float, volume_m3: float
) -> FlowMeter:
    """Draw a meter whose error lies anywhere within its class, `accuracy` as a share of the reading."""
    gain = 1.0 + accuracy * float(rng.uniform(-1.0, 1.0))
    return FlowMeter(gain, drift_per_year, resolution_m3, volume_m3)
