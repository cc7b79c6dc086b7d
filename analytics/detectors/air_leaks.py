"""New or grown leakage of each place of a compressed-air station, night by night."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from analytics.air import air_minutes
from analytics.detectors.signal import Detector, Signal
from analytics.figures import round_figure
from analytics.leak_trend import growth_of
from analytics.leak_weekly import hour_of_week
from analytics.leaks import YEAR_MIN, leak_estimates, leak_hole_mm
from analytics.nights import places, quiet_hours
from analytics.tariff import price_per_kwh
from analytics.window import Window
from telemetry.times import DAY_MS, format_time

LOOKBACK_MS = 28 * DAY_MS
"""Nights that are remembered: a leak older than this is part of the learned level."""


def leak_growth(window: Window, _from_ms: int, to_ms: int) -> Signal:
    """Return the growth of leakage of each place up to the night that ends with the window [m3/min]."""
    air = air_minutes(window)
    found = [(nights, growth_of(nights)) for nights in places(air) if to_ms - int(nights.end_ms[-1]) < DAY_MS]
    # Several customers may share a meter; each device has one episode.
    found = list({(n.kind, n.device): (n, g) for n, g in found}.values())
    found.sort(key=lambda f: f[0].device)
    n = len(found)

    def explain(row: int) -> Mapping[str, Any]:
        nights, growth = found[row]
        last_day = replace(window, from_ms=to_ms - DAY_MS, minutes={
            kind: rows.take(rows.start_ms >= to_ms - DAY_MS) for kind, rows in window.minutes.items()})
        evidence: dict[str, Any] = {
            "leak_m3_min": growth.leak_m3_min, "total_m3_min": growth.total_m3_min, "leak_share": growth.share,
            "low": growth.low, "high": growth.high, "level_m3_min": growth.level_m3_min,
            "smallest_m3_min": growth.smallest_m3_min, "cusum": growth.cusum,
            "growth_per_week_m3_min": growth.per_week_m3_min, **_cost(window, growth.leak_m3_min),
        }
        evidence = {name: round_figure(value) for name, value in evidence.items() if np.isfinite(value)}
        estimates = [*leak_estimates(air_minutes(last_day), quiet_hours(air)), *hour_of_week(air)]
        methods = {f"{e.method} {e.place}": e.leak_m3_min for e in estimates}
        return evidence | {
            "place": nights.place, "hole_mm": leak_hole_mm(air, growth.leak_m3_min),
            "since": format_time(growth.since_ms or to_ms), "reason": growth.reason,
            "nights_before": growth.nights_before, "nights_after": growth.nights_after,
            "methods": {"night_trend": round_figure(growth.leak_m3_min), **methods},
        }

    return Signal(
        "", tuple(nights.device for nights, _ in found), np.arange(n), np.full(n, to_ms, np.int64),
        np.array([g.leak_m3_min for _, g in found], np.float64), np.ones(n), explain,
        tuple(nights.kind for nights, _ in found),
    )


def _cost(window: Window, leak_m3_min: float) -> dict[str, float]:
    """Return what a leak costs in a year, at the window's ratio and price."""
    air = air_minutes(window)
    ratio = air.kwh_per_m3
    if ratio is None:
        return {}
    kwh = leak_m3_min * YEAR_MIN * ratio
    prices = price_per_kwh(window, air.times_ms)
    return {"kwh_per_year": kwh, "money_per_year": kwh * float(np.mean(prices)) if len(prices) else float("nan")}


LEAKS: Mapping[str, Detector] = {"leak": Detector(leak_growth, LOOKBACK_MS, every="idle")}
