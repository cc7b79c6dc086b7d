"""Energy performance: what energy an amount of air should take, and whether more and more is taken (ISO 50006)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Baseline:
    """E = base_kwh + kwh_per_m3 V + kwh_per_bar (p - mean_bar), per period of equal length."""

    base_kwh: float
    kwh_per_m3: float
    kwh_per_bar: float
    mean_bar: float
    sigma_kwh: float
    """Standard deviation of the residuals, with 3 degrees of freedom taken off."""

    def expected_kwh(self, volume_m3: Float64, pressure_bar: Float64) -> Float64:
        """Return the energy that such periods should take."""
        return self.base_kwh + self.kwh_per_m3 * volume_m3 + self.kwh_per_bar * (pressure_bar - self.mean_bar)


def fit_baseline(energy_kwh: Float64, volume_m3: Float64, pressure_bar: Float64) -> Baseline | None:
    """Return the least-squares baseline; None with fewer than 8 complete periods.

    Parameters
    ----------
    energy_kwh, volume_m3, pressure_bar
        (n,) of periods of equal length; a period with a NaN does not count. What does not vary has no part: the
        solution of least norm is taken.
    """
    known = ~(np.isnan(energy_kwh) | np.isnan(volume_m3) | np.isnan(pressure_bar))
    n = int(known.sum())
    if n < 8:
        return None
    energy, volume, pressure = energy_kwh[known], volume_m3[known], pressure_bar[known]
    mean_bar = float(pressure.mean())
    # Columns of like size, or lstsq takes a small one for none.
    scale = max(float(np.abs(volume).max()), 1e-9)
    table = np.stack([np.ones(n), volume / scale, pressure - mean_bar], axis=1)
    (base, slope, per_bar), *_ = np.linalg.lstsq(table, energy, rcond=1e-9)
    rest = energy - table @ np.array([base, slope, per_bar])
    sigma = float(np.sqrt((rest**2).sum() / (n - 3)))
    return Baseline(float(base), float(slope) / scale, float(per_bar), mean_bar, sigma)


def cusum(deviation: Float64, slack: float = 0.5) -> Float64:
    """Return S = max(0, S + z - slack) over (n,) deviations in standard deviations, from 0; NaN adds nothing.

    By running sums and their lowest value so far, without a loop. Above 5 the mean has moved: about one false alarm
    in 930 independent values.
    """
    walk = np.cumsum(np.where(np.isnan(deviation), 0.0, deviation - slack))
    return np.asarray(walk - np.minimum(np.minimum.accumulate(walk), 0.0)) if len(walk) else walk
