"""Statistics of a value per night: robust level and spread, CUSUM, steps up, nights of the weekend, silent meters."""

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

SLACK = 0.5
"""k of the CUSUM: half of the shift to be found [standard deviations]."""
LIMIT = 5.0
"""h of the CUSUM: one false alarm in about 930 nights (one-sided, Montgomery, table 9.3)."""
SILENT = 0.01
"""A meter that shows less than this share of what it has shown shows nothing."""
WEEKENDS = ((5, 6), (6, 0))
"""Weekdays whose mornings may be free of work; Monday 0."""
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


def silent_flow(late: Float64, night: Float64, weekday: Int64) -> Float64:
    """Return how much usually goes at night through the meters that show nothing at all.

    Parameters
    ----------
    late, night
        (meters, nights) mean flow in the half day up to the end of each night, and in its quiet hours; NaN unknown.
    weekday
        (nights,) by which nights are compared, where one like it is known; else with all before.

    Returns
    -------
    (nights,) sum over the meters that show less than `SILENT` of their largest half day; of each the largest night
    before, in the unit of the flows.
    """
    out = np.zeros(len(weekday))
    if not late.size:
        return out
    most = np.fmax.reduce(late, axis=1)[:, None]
    silent = (late <= SILENT * most) & (most > 0)
    heard = np.where(silent | np.isnan(night), -np.inf, night)
    for n in range(1, len(weekday)):
        alike = heard[:, :n][:, weekday[:n] == weekday[n]].max(axis=1, initial=-np.inf)
        usual = np.where(np.isneginf(alike), heard[:, :n].max(axis=1), alike)
        out[n] = np.where(silent[:, n] & ~np.isneginf(usual), usual, 0.0).sum()
    return out


def free_nights(values: Float64, weekday: Int64) -> tuple[NDArray[np.bool_], float]:
    """Return which nights are those of the weekend, and how much less they take [unit of the values].

    Both are learned from the values: Saturday and Sunday, or Sunday and Monday, or none (all False, 0).

    Parameters
    ----------
    values
        (k,) night values, without NaN.
    weekday
        (n,) of these and of later nights; Monday 0.
    """
    k = len(values)
    found, less = np.zeros(len(weekday), np.bool_), 0.0
    spread = float(np.abs(values - np.median(values)).sum()) if k else 0.0
    for days in WEEKENDS:
        free = np.isin(weekday, days)
        if free[:k].sum() < 2 or (~free[:k]).sum() < 2:
            continue
        offset = float(np.median(values[~free[:k]]) - np.median(values[free[:k]]))
        evened = values + np.where(free[:k], offset, 0.0)
        rest = float(np.abs(evened - np.median(evened)).sum())
        if rest < spread:
            found, less, spread = free, offset, rest
    return found, less
