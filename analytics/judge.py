"""Rules on key figures: each minute that the watermark has passed is judged once."""

from collections.abc import Callable

import numpy as np

from analytics.air import air_minutes
from analytics.alerts import AlertKey, Alerts
from analytics.kpis import station_kpis
from analytics.rules.evaluate import threshold_of, value_sample
from analytics.rules.types import KpiInput, Rule
from analytics.window import Window
from telemetry.calendar import parse_hours
from telemetry.registry import Station
from telemetry.times import DAY_MS, MINUTE_MS

DEFAULT_IDLE = "00:00-05:00"
"""Idle window where the station declares none: its end is when the night is judged."""

Load = Callable[[int, int], Window]
"""(from_ms, to_ms) -> the window of the station that is judged."""


def judge(alerts: Alerts, station: Station, name: str, load: Load, from_ms: int, to_ms: int) -> None:
    """Give every rule on a key figure its samples of the minutes that end in `(from_ms, to_ms]`.

    Parameters
    ----------
    alerts
        Takes the samples.
    station, name
        Whose key figures are judged.
    load
        Loads windows of that station.
    """
    device_kind = "port" if station.kind == "charging" else "compressor"
    for rule in alerts.rules_of(name, device_kind).values():
        if not isinstance(rule.input, KpiInput):
            continue
        key = AlertKey(rule.name, name, "", "")
        window_ms = rule.input.window_ms
        if window_ms is None:
            for end in idle_ends(station, from_ms, to_ms):
                _judge_kpi(alerts, rule, rule.input.kpi, key, load(end - DAY_MS, end))
        elif rule.input.kpi == "kwh_per_m3":
            _judge_ratio(alerts, rule, key, load(from_ms - window_ms, to_ms), window_ms)
        else:
            for end in range(from_ms + MINUTE_MS, to_ms + MINUTE_MS, MINUTE_MS):
                _judge_kpi(alerts, rule, rule.input.kpi, key, load(end - window_ms, end))
    alerts.advance(name, to_ms)


def _judge_kpi(alerts: Alerts, rule: Rule, kpi: str, key: AlertKey, window: Window) -> None:
    answer = station_kpis(window)
    evidence = {k: v for k, v in answer.kpis.items() if v is not None and (k == kpi or "leak" in k)}
    threshold = threshold_of(rule, window.station)
    coverage = answer.coverage or 0.0
    if kpi.startswith("leak_"):
        # It stands on the flow alone: machines that are switched off, and silent, at night leave it known.
        coverage = int(air_minutes(window).supply.shortest_ms.sum()) / (window.to_ms - window.from_ms)
    alerts.sample(rule, key, value_sample(rule, window.to_ms, answer.kpis.get(kpi), threshold, coverage, evidence))


def _judge_ratio(alerts: Alerts, rule: Rule, key: AlertKey, window: Window, window_ms: int) -> None:
    """Give the rule `kwh_per_m3` of the window that ends at each minute, by running sums over all minutes at once."""
    threshold = threshold_of(rule, window.station)
    if threshold is None:
        return
    air = air_minutes(window)
    known = air.balance_known
    # Minutes without a row are unknown; sums run over all minutes of the window.
    at = (air.times_ms - window.from_ms) // MINUTE_MS
    values = np.zeros((3, (window.to_ms - window.from_ms) // MINUTE_MS + 1), np.int64)
    for row, amounts in enumerate((air.energy.amount_n.sum(axis=0), air.supply.amount_n.sum(axis=0), 1)):
        values[row, at + 1] = np.where(known, amounts, 0)
    sums = np.cumsum(values, axis=1)
    width = window_ms // MINUTE_MS
    for end in range(width + 1, sums.shape[1]):
        energy, volume, minutes = (int(s[end] - s[end - width]) for s in sums)
        value = energy / volume if volume > 0 else None
        evidence = {"energy_kwh": energy / 1e9, "volume_m3": volume / 1e9, "window_s": window_ms // 1000}
        time_ms = window.from_ms + end * MINUTE_MS
        alerts.sample(rule, key, value_sample(rule, time_ms, value, threshold, minutes / width, evidence))


def idle_ends(station: Station, from_ms: int, to_ms: int) -> list[int]:
    """Return the ends of the station's idle windows in `(from_ms, to_ms]`, rounded up to minutes.

    A window of a day or more, such as a weekend, is left out: the day before its end had no production to compare with.
    """
    hours = parse_hours(station.idle_hours or DEFAULT_IDLE)
    spans = hours.intervals(from_ms - 2 * DAY_MS, to_ms + DAY_MS, station.zone)
    ends = [-(-int(end) // MINUTE_MS) * MINUTE_MS for start, end in spans if end - start < DAY_MS]
    return [end for end in ends if from_ms < end <= to_ms]

