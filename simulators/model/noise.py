"""Slow random disturbance: what real loads and mains do around their mean."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(slots=True)
class Drift:
    """First-order autoregressive noise with a given standard deviation and correlation time."""

    rng: np.random.Generator
    sigma: float
    """Standard deviation, in the unit of the disturbed quantity."""
    tau_s: float
    """Correlation time [s]."""
    value: float = 0.0

    def step(self, dt_s: float) -> float:
        """Move on by `dt_s` and return the new value."""
        keep = math.exp(-dt_s / self.tau_s)
        self.value = keep * self.value + self.sigma * math.sqrt(1.0 - keep * keep) * self.rng.standard_normal()
        return self.value


def hourly(profile: tuple[float, ...], hour: float) -> float:
    """Return the value of a daily profile at a local hour 0..24.

    Parameters
    ----------
    profile
        24 values, one for each hour; between hours the value moves on a straight line. One value: always that.
    hour
        Local hour with its fraction.
    """
    if len(profile) == 1:
        return profile[0]
    first = int(hour) % 24
    part = hour - int(hour)
    return profile[first] * (1.0 - part) + profile[(first + 1) % 24] * part
