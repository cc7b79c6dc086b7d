"""New or grown leakage: whether the nights of a place have stepped up from the level learned before.

The rule of one place and its last night, in this order: enough nights before; the level before (median) and its spread
(robust, with a floor for the repeatability of meters); the likeliest night of the step; a growth that is large against
the spread, the meters and the station's flow, in the last two nights alike; and signs that it is air lost around the
clock, not more work at night, a drifting meter or a blow-off.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from analytics.kernels.trend import LIMIT, cusum, free_nights, level_of, step_up
from analytics.nights import Nights
from telemetry.times import DAY_MS

Float64 = NDArray[np.float64]

LEAST_BEFORE = 2
"""Nights that make a level."""
FEW = 5
"""With fewer nights before, their spread says little, and a growth must be larger."""
FEW_SHARE = 0.02
"""Least spread of a level made of few nights, of the mean flow."""
REPEAT = 0.005
"""Repeatability of meters from night to night, of their flow; their accuracy shifts all nights alike."""
FLOW_SHARE = 0.003
"""Least spread of a level, of the station's mean flow."""
SIGMAS = 4.0
"""Growth against the error of the two levels."""
LEAST_SHARE = 0.018
"""Growth below this share of the mean flow is not told."""
NIGHT_SHARE, BALANCE_SHARE = 0.7, 0.2
"""Least spread of a level, of `Nights.spread`: a low end is less sure than a median of a balance."""
DAY_LOW, DAY_HIGH, DAY_SIGMAS = 0.5, 2.2, 1.5
"""By day a leak shows as much as by night; a meter that drifts or dies shows as much as flows through it."""
MUTE = 2.5
"""How far the air that a silent meter no longer counts may be from a growth that it explains."""
ROUGH = 0.1
"""Night work makes the flow restless; a leak adds less than this share of itself to `Nights.spread`."""


@dataclass(frozen=True, slots=True)
class Growth:
    """What the nights of a place say at the last of them."""

    leak_m3_min: float
    """Growth since `since_ms`; 0 where there is none; NaN where the last night is not known."""
    reason: str
    """What it stands on, or why it is none."""
    total_m3_min: float = float("nan")
    """Night value now."""
    level_m3_min: float = float("nan")
    """Learned level before."""
    low: float = float("nan")
    high: float = float("nan")
    """Range of the growth, about 95 %."""
    share: float = float("nan")
    """Growth over the station's mean flow before."""
    since_ms: int | None = None
    """Between the last night before the step and the first one after it."""
    smallest_m3_min: float = float("nan")
    """The smallest growth that these nights could show."""
    cusum: float = float("nan")
    """One-sided CUSUM of the night values, in standard deviations."""
    nights_before: int = 0
    nights_after: int = 0
    per_week_m3_min: float = 0.0
    """How fast it still grows."""


def growth_of(nights: Nights, last: int | None = None) -> Growth:
    """Return what a place's nights up to `last` (excluded; None: all) say about new leakage."""
    last = len(nights.base) if last is None else last
    if not last or np.isnan(nights.base[last - 1]):
        return Growth(float("nan"), "the last night is not known")
    known = np.flatnonzero(~np.isnan(nights.base[:last]))
    n = len(known)
    if n <= LEAST_BEFORE:
        reason = f"{n} nights known, {LEAST_BEFORE + 1} needed"
        return Growth(0.0, reason, float(nights.base[last - 1]))
    likeliest = step_up(_evened(nights, known, n), LEAST_BEFORE)
    # Beside the likeliest step of all, the last nights: a young step stands in the shade of an older fall.
    steps = dict.fromkeys((min(likeliest, n - 1), *range(n - 1, max(LEAST_BEFORE, n - 4) - 1, -1)))
    found = [_judged(nights, known, k) for k in steps]
    return next((f for f in found if f.leak_m3_min > 0), found[0])


def _evened(nights: Nights, known: NDArray[np.int64], k: int) -> Float64:
    """Return the night values without the difference between nights of the week and of the weekend.

    It is learned from the first k known nights. A balance of meters holds no use and stays as it is.
    """
    values = nights.base[known]
    if nights.balance:
        return values
    free, less = free_nights(values[:k], nights.weekday[known])
    return values + np.where(free, less, 0.0)


def _judged(nights: Nights, known: NDArray[np.int64], k: int) -> Growth:
    """Judge a step before the k-th known night."""
    before, after = known[:k], known[k:]
    values = _evened(nights, known, k)
    flow = float(np.nanmean(nights.station_flow[before]))
    floor = max(REPEAT * float(np.nanmean(nights.metered[before])), FLOW_SHARE * flow,
                FEW_SHARE * flow if k < FEW else 0.0,
                (BALANCE_SHARE if nights.balance else NIGHT_SHARE) * float(np.nanmedian(nights.spread[before])))
    level, sigma = level_of(values[:k], floor)
    newest = values[k:][-3:]
    growth = float(np.median(newest)) - level
    error = sigma * float(np.sqrt(1 / k + 1 / len(newest)))
    smallest = max(SIGMAS * error, LEAST_SHARE * flow)
    total = float(nights.base[known[-1]])
    sums = cusum(values, level, sigma)

    def none(reason: str) -> Growth:
        return Growth(0.0, reason, total, level, smallest_m3_min=smallest, cusum=float(sums[-1]))

    if growth < smallest:
        return none("no growth beyond the spread of the nights and the meters' repeatability")
    if sums[-1] <= LIMIT or (values[k:][-2:] < level + growth / 2).any():
        return none("the last nights are not both above the level before")
    if growth / MUTE < float(nights.silent[after[-2:]].max()) < growth * MUTE:
        return none("a customer's meter shows nothing any more, and about as much is missing: look at the meter")
    refuse = nights.refusal or partial(_not_a_leak, nights)
    refused = refuse(before, after[-3:], growth, flow)
    if refused:
        return none(refused)
    first = int(after[0])
    earlier = nights.end_ms[int(before[-1])]
    since = int(max(earlier, nights.start_ms[first] - DAY_MS) + nights.start_ms[first]) // 2
    weeks = (nights.end_ms[after] - nights.end_ms[after[0]]) / (7 * DAY_MS)
    slope = float(np.polyfit(weeks, values[k:], 1)[0]) if len(after) >= 4 else 0.0
    return Growth(
        growth, f"the nights stepped up from {level:.3g} to {level + growth:.3g} m3/min, by day as well", total, level,
        growth - 2 * error, growth + 2 * error, growth / flow if flow > 0 else float("nan"), since, smallest,
        float(sums[-1]), k, len(after), slope,
    )


def _not_a_leak(
    nights: Nights, before: NDArray[np.int64], after: NDArray[np.int64], growth: float, flow: float
) -> str:
    """Return why a growth by night is no leak, "" where it looks like one."""
    rise, error = _day_rise(nights, before, after, flow)
    if nights.balance and len(after) == 1 and not rise >= growth / 2:
        return "one night alone, and not by day: a blow-off, or a leak to be seen again next night"
    if not nights.balance and len(after) == 1:
        return "one night alone: a leak will be there next night too"
    if rise < DAY_LOW * growth - DAY_SIGMAS * error:
        return "not by day: more work at night, not a leak"
    if nights.balance and rise > DAY_HIGH * growth + DAY_SIGMAS * error:
        return "far more by day: a meter that drifts or is silent, not a leak"
    usual, sigma = level_of(nights.spread[before], 0.001 * flow)
    # The smoother of the last two: in the night in which a leak opens the flow steps as well.
    if float(nights.spread[after[-2:]].min()) > usual + ROUGH * growth + 3 * sigma:
        return "the night's flow has become restless: more work at night or a meter at fault, not a leak"
    return ""


def _day_rise(
    nights: Nights, before: NDArray[np.int64], after: NDArray[np.int64], flow: float
) -> tuple[float, float]:
    """Return how much the days have risen, each against days of its own type, and the error of that [m3/min]."""
    usual = float(np.nanmedian(nights.station_flow[before]))
    quiet = nights.station_flow < 0.7 * usual
    rises, rests = [], []
    for kind in (False, True):
        old = nights.day[before][quiet[before] == kind]
        new = nights.day[after][quiet[after] == kind]
        old, new = old[~np.isnan(old)], new[~np.isnan(new)]
        if len(old) and len(new):
            rises += (new - np.median(old)).tolist()
            rests += (old - np.median(old)).tolist()
    if not rises:
        return float("nan"), float("nan")
    sigma = level_of(np.array(rests), 0.003 * flow if len(rests) >= FEW else 0.01 * flow)[1]
    return float(np.median(rises)), sigma * float(np.sqrt(1 / max(len(rests), 1) + 1 / len(rises)))
