"""Statistics of a value per night: robust level and spread, CUSUM, and where a level has stepped up."""

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

SLACK = 0.5
"""k of the CUSUM: half of the shift to be found [standard deviations]."""
LIMIT = 5.0
"""h of the CUSUM: one false alarm in about 930 nights (one-sided, Montgomery, table 9.3)."""
MAD_SIGMA = 1.4826
"""Median absolute deviation -> standard deviation of a normal distribution."""


def level_of(values: Float64, floor: float = 0.0) -> tuple[float, float]:
    """Return the median and the robust standard deviation (at least `floor`) of values without NaN; none: NaN."""
    if not len(values):
        return float("nan"), float("nan")
    middle = float(np.median(values))
    return middle, max(MAD_SIGMA * float(np.median(np.abs(values - middle))), floor)


def cusum(values: Float64, mean: float, sigma: float, slack: float = SLACK) -> Float64:
    """Return the one-sided sum S = max(0, S + (value - mean) / sigma - slack) after each value; NaN adds nothing."""
    steps = np.nan_to_num((values - mean) / sigma - slack)
    total = np.cumsum(steps)
    # Started anew wherever it would fall below 0: the running total less its lowest point so far.
    return np.asarray(total - np.minimum(np.minimum.accumulate(total), 0.0))


def step_up(values: Float64, least_before: int) -> int:
    """Return the index at which values most likely stepped to another level, by least absolute deviations.

    Parameters
    ----------
    values
        (n,) without NaN.
    least_before
        Values that must lie before the step.

    Returns
    -------
    The first index of the new level; n where no split is better than one level.
    """
    n = len(values)
    best, at = float(np.abs(values - np.median(values)).sum()) if n else 0.0, n
    for k in range(least_before, n):
        cost = sum(float(np.abs(part - np.median(part)).sum()) for part in (values[:k], values[k:]))
        if cost < best:
            best, at = cost, k
    return at
