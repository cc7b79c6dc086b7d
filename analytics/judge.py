"""Rules on key figures, fields of minutes and detectors: each minute that the watermark has passed is judged once."""

from collections.abc import Callable, Iterator, Set
from functools import lru_cache
from typing import Protocol

import numpy as np

from analytics.air import air_minutes
from analytics.alerts import AlertKey, Alerts
from analytics.customers import NANO, customer_minutes
from analytics.detectors import DETECTORS, Signal
from analytics.detectors.fields import field_signal
from analytics.kernels.intervals import Int64
from analytics.kpis import station_kpis
from analytics.rules.evaluate import beyond, threshold_of, value_sample
from analytics.rules.types import BucketInput, ClockInput, DetectorInput, KpiInput, Rule
from analytics.window import Window
from telemetry.calendar import parse_hours
from telemetry.registry import Station
from telemetry.times import DAY_MS, MINUTE_MS

DEFAULT_IDLE = "00:00-05:00"
"""Idle window where the station declares none: its end is when the night is judged."""

WINDOWS = 4
"""Windows that are kept while rules are judged: several rules look at the same one."""


class Load(Protocol):
    """Loads a window of the station that is judged."""

    def __call__(
        self, from_ms: int, to_ms: int, *, extremes: bool = False, runs_from_ms: int | None = None,
        columns: tuple[str, ...] = (),
    ) -> Window:
        """Return `[from_ms, to_ms)`; parameters as of `load_window`."""


def judge(alerts: Alerts, station: Station, name: str, load: Load, from_ms: int, to_ms: int) -> None:
    """Give every rule on a key figure, a field or a detector its samples of the minutes that end in `(from_ms, to_ms]`.

    Parameters
    ----------
    alerts
        Takes the samples.
    station, name
        Whose minutes are judged.
    load
        Loads windows of that station.
    """
    device_kind = "port" if station.kind == "charging" else "compressor"
    load = lru_cache(WINDOWS)(load)
    for rule in alerts.rules_of(name, device_kind).values():
        if isinstance(rule.input, KpiInput):
            _judge_kpi_rule(alerts, rule, rule.input, station, name, load, from_ms, to_ms)
        elif isinstance(rule.input, BucketInput):
            window = load(from_ms, to_ms, extremes=True)
            for kind in rule.input.device_kinds:
                _judge_signal(alerts, rule, station, name, field_signal(window, kind, rule.input.field))
        elif isinstance(rule.input, DetectorInput):
            _judge_detector(alerts, rule, rule.input.detector, station, name, load, from_ms, to_ms)
    alerts.advance(name, to_ms)


def judge_clocks(
    alerts: Alerts, station: Station, name: str, kind: str, signal_of: Callable[[Set[str]], Signal]
) -> None:
    """Give rules on clocks what is known now.

    Parameters
    ----------
    alerts, station, name
        As of `judge`.
    kind
        Kind of the devices.
    signal_of
        Ids of the devices that a rule has been told of -> what it is to be told.
    """
    for rule in alerts.rules_of(name, kind).values():
        if isinstance(rule.input, ClockInput) and kind in rule.input.device_kinds:
            _judge_signal(alerts, rule, station, name, signal_of(alerts.told_of(rule.name, name, kind)))


def _judge_kpi_rule(
    alerts: Alerts, rule: Rule, source: KpiInput, station: Station, name: str, load: Load, from_ms: int, to_ms: int
) -> None:
    window_ms = source.window_ms
    if window_ms is None:
        for end in idle_ends(station, from_ms, to_ms):
            _judge_kpi(alerts, rule, source, name, load(end - DAY_MS, end))
    elif source.scope == "customer":
        _judge_customers(alerts, rule, source.kpi, name, load(from_ms - window_ms, to_ms), window_ms)
    elif source.kpi == "kwh_per_m3" and source.scope == "station":
        _judge_ratio(alerts, rule, AlertKey(rule.name, name, "", ""), load(from_ms - window_ms, to_ms), window_ms)
    else:
        for end in range(from_ms + MINUTE_MS, to_ms + MINUTE_MS, MINUTE_MS):
            _judge_kpi(alerts, rule, source, name, load(end - window_ms, end))


def _judge_detector(
    alerts: Alerts, rule: Rule, name: str, station: Station, station_id: str, load: Load, from_ms: int, to_ms: int
) -> None:
    detector = DETECTORS[name]
    if detector.fits is not None and not detector.fits(station):
        return
    ends = idle_ends(station, from_ms, to_ms) if detector.every == "idle" else [to_ms]
    for end in ends:
        start = end - MINUTE_MS if detector.every == "idle" else from_ms
        since = start - detector.lookback_ms
        runs_from_ms = min(since, start - detector.runs_ms)
        window = load(
            since, end, extremes=detector.extremes, runs_from_ms=runs_from_ms, columns=detector.columns
        )
        _judge_signal(alerts, rule, station, station_id, detector.find(window, start, end))


def _judge_signal(alerts: Alerts, rule: Rule, station: Station, station_id: str, signal: Signal) -> None:
    """Give the rule a sample wherever the condition of a device turns, against the row or the judgement before."""
    threshold = threshold_of(rule, station)
    holds = beyond(rule, signal.value, threshold, signal.coverage)
    first = np.r_[True, signal.device[1:] != signal.device[:-1]][: len(holds)]
    turns = first | np.r_[True, holds[1:] != holds[:-1]][: len(holds)]
    followed = rule.update_share is not None
    for row in np.flatnonzero(turns | (followed & (holds == 1))).tolist():
        device = int(signal.device[row])
        kind = signal.kinds[device] if signal.kinds else signal.kind
        key = AlertKey(rule.name, station_id, kind, signal.devices[device])
        if first[row] and holds[row] == 1 and alerts.holds(key) and not followed:
            continue
        value, coverage = float(signal.value[row]), float(signal.coverage[row])
        sample = value_sample(
            rule, int(signal.time_ms[row]), None if np.isnan(value) else value, threshold, coverage,
            signal.evidence(row) if holds[row] == 1 else {},
        )
        alerts.sample(rule, key, sample)


def _judge_kpi(alerts: Alerts, rule: Rule, source: KpiInput, name: str, window: Window) -> None:
    answer = station_kpis(window)
    threshold = threshold_of(rule, window.station)
    if source.scope == "device":
        for device in answer.devices:
            if source.kpi in device.kpis:
                key = AlertKey(rule.name, name, device.kind, device.device)
                value, coverage = device.kpis[source.kpi], device.coverage or 0.0
                alerts.sample(rule, key, value_sample(rule, window.to_ms, value, threshold, coverage))
        return
    evidence = {k: v for k, v in answer.kpis.items() if v is not None and (k == source.kpi or "leak" in k)}
    coverage = answer.coverage or 0.0
    if source.kpi.startswith("leak_"):
        # It stands on the flow alone: machines that are switched off, and silent, at night leave it known.
        coverage = int(air_minutes(window).supply.shortest_ms.sum()) / (window.to_ms - window.from_ms)
    value = answer.kpis.get(source.kpi)
    sample = value_sample(rule, window.to_ms, value, threshold, coverage, evidence)
    alerts.sample(rule, AlertKey(rule.name, name, "", ""), sample)


def _judge_ratio(alerts: Alerts, rule: Rule, key: AlertKey, window: Window, window_ms: int) -> None:
    """Give the rule `kwh_per_m3` of the window that ends at each minute, by running sums over all minutes at once."""
    threshold = threshold_of(rule, window.station)
    if threshold is None:
        return
    air = air_minutes(window)
    known = air.balance_known
    parts = [np.where(known, a, 0) for a in (air.energy.amount_n.sum(axis=0), air.supply.amount_n.sum(axis=0), 1)]
    for time_ms, energy, volume, minutes in _sums(window, air.times_ms, window_ms, *parts):
        value = energy / volume if volume > 0 else None
        evidence = {"energy_kwh": energy / NANO, "volume_m3": volume / NANO, "window_s": window_ms // 1000}
        coverage = minutes * MINUTE_MS / window_ms
        alerts.sample(rule, key, value_sample(rule, time_ms, value, threshold, coverage, evidence))


def _judge_customers(alerts: Alerts, rule: Rule, kpi: str, name: str, window: Window, window_ms: int) -> None:
    """Give the rule the sums of each customer over the window that ends at each minute."""
    threshold = threshold_of(rule, window.station)
    air = air_minutes(window)
    for customer, rows in air.customers:
        key = AlertKey(rule.name, name, "customer", customer.id)
        for time_ms, amount, known_ms in _sums(
            window, air.times_ms, window_ms, *customer_minutes(air, rows, kpi)
        ):
            value = amount / NANO if known_ms else None
            evidence = {"customer": customer.id, "window_s": window_ms // 1000}
            sample = value_sample(rule, time_ms, value, threshold, known_ms / window_ms, evidence)
            alerts.sample(rule, key, sample)


def _sums(window: Window, times_ms: Int64, window_ms: int, *series: Int64) -> Iterator[tuple[int, ...]]:
    """Yield (end, sum of each series over the `window_ms` before it) for each minute after the first `window_ms`.

    `series` stand at `times_ms`; minutes that are not there add nothing.
    """
    at = (times_ms - window.from_ms) // MINUTE_MS
    values = np.zeros((len(series), (window.to_ms - window.from_ms) // MINUTE_MS + 1), np.int64)
    for row, amounts in enumerate(series):
        values[row, at + 1] = amounts
    sums = np.cumsum(values, axis=1)
    width = window_ms // MINUTE_MS
    for end in range(width + 1, sums.shape[1]):
        yield window.from_ms + end * MINUTE_MS, *(sums[:, end] - sums[:, end - width]).tolist()


def idle_ends(station: Station, from_ms: int, to_ms: int) -> list[int]:
    """Return the ends of the station's idle windows in `(from_ms, to_ms]`, rounded up to minutes.

    A window of a day or more, such as a weekend, is left out: the day before its end had no production to compare with.
    """
    hours = parse_hours(station.idle_hours or DEFAULT_IDLE)
    spans = hours.intervals(from_ms - 2 * DAY_MS, to_ms + DAY_MS, station.zone)
    ends = [-(-int(end) // MINUTE_MS) * MINUTE_MS for start, end in spans if end - start < DAY_MS]
    return [end for end in ends if from_ms < end <= to_ms]

