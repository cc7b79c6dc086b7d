"""Growth of a flow against the same hours of earlier weeks.

A quantile baseline by hour of the week (reference: `L - q(hour of week)`): what has been added at nearly every hour is
lost around the clock; what has been added at some hours only is use.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.kernels.trend import level_of

Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

WEEK = 7
USUAL = 0.5
"""Quantile of the same hour of earlier weeks, the higher of two: a holiday in one of them does not lower it."""
LOW = 0.25
"""Quantile over the hours of a day: at three of four hours at least as much has been added."""
HOURS_NEEDED = 18
"""Of a day, known now and in an earlier week."""
DAYS_NEEDED = 3
"""Days compared before, whose spread says how much days differ."""


@dataclass(frozen=True, slots=True, eq=False)
class WeeklyGrowth:
    """What each day has more than the same hours of earlier weeks; (days,), NaN where that is not known."""

    growth: Float64
    """Low end over the hours, less what days usually have more [unit of the flow]."""
    error: Float64
    """Robust standard deviation of a day without growth."""
    told: Bools
    """Whether it is beyond what days differ by; such a day is no example for later ones."""
    compared: NDArray[np.int64]
    """Days before, from which the error is made."""


def weekly_growth(hours: Float64, floor: float, share: float, sigmas: float, least: float) -> WeeklyGrowth:
    """Return the growth of each day.

    Parameters
    ----------
    hours
        (days, 24) mean flow of each hour of consecutive days; NaN unknown.
    floor, share
        Least spread of a day, unit of the flow, and of the low end of its usual flow: more work is more at every hour.
    sigmas, least
        A growth is told from so many spreads, and from this size.
    """
    n = len(hours)
    low, growth, error = np.full((3, n), np.nan)
    told, compared = np.zeros(n, np.bool_), np.zeros(n, np.int64)
    for day in range(WEEK, n):
        earlier = np.arange(day % WEEK, day, WEEK)
        usual = _usual(hours[earlier[~told[earlier]]])
        excess = hours[day] - usual
        usual, excess = usual[~np.isnan(excess)], excess[~np.isnan(excess)]
        if len(excess) < HOURS_NEEDED:
            continue
        low[day] = np.quantile(excess, LOW)
        examples = low[:day][~np.isnan(low[:day]) & ~told[:day]]
        compared[day] = len(examples)
        if len(examples) < DAYS_NEEDED:
            continue
        middle, error[day] = level_of(examples, max(floor, share * float(np.quantile(usual, LOW))))
        # A low end lies below 0 by chance; that is no growth of the day on which it does not.
        growth[day] = low[day] - max(middle, 0.0)
        told[day] = growth[day] > max(sigmas * error[day], least)
    return WeeklyGrowth(growth, error, told, compared)


def _usual(hours: Float64) -> Float64:
    """Return (24,) the usual flow of each hour over the given days (k, 24); NaN where none is known."""
    out = np.full(hours.shape[1], np.nan)
    known = ~np.isnan(hours).all(axis=0)
    if known.any():
        out[known] = np.nanquantile(hours[:, known], USUAL, axis=0, method="higher")
    return out
