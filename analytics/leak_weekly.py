"""Method `hour_of_week`: what flows more in the last day than in the same hours of the weeks before, place by place.

It holds around the clock and needs no quiet hours, so it also speaks for a plant that never rests. It is a growth, no
level, and is fused into none.
"""

from dataclasses import dataclass
from datetime import UTC
from zoneinfo import ZoneInfo

import numpy as np

from analytics.air import AirMinutes
from analytics.figures import round_figure
from analytics.kernels.quantile import block_means
from analytics.kernels.weekly import DAYS_NEEDED, WEEK, WeeklyGrowth, weekly_growth
from analytics.leak_estimate import Estimate
from analytics.leak_trend import FLOW_SHARE, LEAST_SHARE, REPEAT, SIGMAS
from analytics.nights import Float64, PlaceFlow, place_flows, pressure_scale, purge_free
from telemetry.times import DAY_MS, HOUR_MS, to_datetime, to_ms

METHOD = "hour_of_week"
DAYS = 28
"""Of the end of the window; a growth that is older is usual."""
USE_SHARE = 0.05
"""By how much a customer's days differ in all hours alike, of their flow; a balance of meters holds no use."""


@dataclass(frozen=True, slots=True, eq=False)
class Weeks:
    """One place by the days that end with the window."""

    place: str
    hours: Float64
    """(days, 24) mean flow at the window's usual pressure [m3/min]; NaN unknown."""
    floor: float
    """Least spread of a day, by the repeatability of the meters and the station's flow [m3/min]."""
    share: float
    """Least spread of a day, of its usual flow."""
    least: float
    """Growth that is not told [m3/min]."""

    def growth(self) -> WeeklyGrowth:
        """Return the growth of each day."""
        return weekly_growth(self.hours, self.floor, self.share, SIGMAS, self.least)


def weeks_of(air: AirMinutes) -> list[Weeks]:
    """Return every place by days and hours of local time, the last day ending with the last whole hour."""
    # Of machines that switch an hour holds all of a cycle or nothing.
    flows = [flow for flow in place_flows(air) if not flow.pulsed]
    if not flows:
        return []
    weight = np.where(purge_free(air), air.width_ms, 0).astype(np.float64)
    scale = pressure_scale(air)
    mean = air.flow_mean_m3_min or next(float(np.nanmean(f.rate)) for f in flows)
    return [_weeks(air, flow, weight, scale, mean) for flow in flows]


def _weeks(air: AirMinutes, flow: PlaceFlow, weight: Float64, scale: Float64, mean: float) -> Weeks:
    window = air.window
    start_ms, rate, cover_ms = block_means(air.times_ms, flow.rate * scale, weight, HOUR_MS)
    end_ms = window.to_ms - window.to_ms % HOUR_MS
    keep = (cover_ms >= HOUR_MS / 2) & (start_ms < end_ms) & (start_ms >= end_ms - (DAYS + 1) * DAY_MS)
    start_ms, rate = start_ms[keep], rate[keep]
    # The hour by the clock on the wall: with summer time one hour of the week is missing, and one is there twice.
    zone = window.station.zone
    wall_ms = np.array([_wall_ms(t, zone) for t in [*start_ms.tolist(), end_ms - 1]], np.int64)
    back = (wall_ms[-1] - wall_ms[:-1]) // HOUR_MS
    days = min(DAYS, (window.to_ms - window.from_ms) // DAY_MS)
    inside = (back >= 0) & (back < 24 * days)
    at, rate = 24 * days - 1 - back[inside], rate[inside]
    count = np.bincount(at, minlength=24 * days)
    hours = np.where(count > 0, np.bincount(at, rate, 24 * days) / np.maximum(count, 1), np.nan)
    meters = float(np.sqrt(np.nanmean(flow.squares)))
    return Weeks(flow.place, hours.reshape(days, 24), max(REPEAT * meters, FLOW_SHARE * mean),
                 0.0 if flow.balance else USE_SHARE, LEAST_SHARE * mean)


def hour_of_week(air: AirMinutes) -> list[Estimate]:
    """Return the growth of each place in the last day of the window, or why it is not known."""
    found = [_estimate(weeks) for weeks in weeks_of(air)]
    none = "no meter tells the flow of the network or of a customer in the window"
    return found or [Estimate(METHOD, None, None, None, "network", none)]


def _estimate(weeks: Weeks) -> Estimate:
    days = len(weeks.hours)
    if days < WEEK + DAYS_NEEDED + 1:
        reason = f"{days} days in the window, {WEEK + DAYS_NEEDED + 1} needed: ask for a window of weeks"
        return Estimate(METHOD, None, None, None, weeks.place, reason, {"days": days})
    found = weeks.growth()
    inputs: dict[str, float] = {"days": days, "compared_days": int(found.compared[-1])}
    if np.isnan(found.growth[-1]):
        reason = "too few hours of the last day are known in earlier weeks as well: ask for a window of weeks"
        return Estimate(METHOD, None, None, None, weeks.place, reason, inputs)
    growth, error = float(found.growth[-1]), float(found.error[-1])
    smallest = max(SIGMAS * error, weeks.least)
    inputs |= {"smallest_m3_min": round_figure(smallest), "excess_m3_min": round_figure(growth)}
    if not found.told[-1]:
        return Estimate(METHOD, 0.0, 0.0, round_figure(smallest), weeks.place,
                        "no more than days differ from the same hours of earlier weeks", inputs)
    low, value, high = (round_figure(v) for v in (growth - 2 * error, growth, growth + 2 * error))
    return Estimate(METHOD, value, low, high, weeks.place,
                    "more than in the same hours of earlier weeks, at three of four hours at least", inputs)


def _wall_ms(time_ms: int, zone: ZoneInfo) -> int:
    """Return what the clock on the wall shows, as ms of a clock without summer time."""
    return to_ms(to_datetime(time_ms).astimezone(zone).replace(tzinfo=UTC))
