"""Minutes of an air station as tables (devices, minutes) for detectors, and trailing statistics over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.air import table_of
from analytics.detectors.signal import Signal
from analytics.kernels.grid import dense, ratio
from analytics.kpis.machines import UNLOADED
from analytics.window import Window
from store.buckets import Buckets, empty_buckets, empty_of
from telemetry.channels import MACHINE_STATE
from telemetry.times import HOUR_MS, MINUTE_MS

Bools = NDArray[np.bool_]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

LOOKBACK_MS = 2 * HOUR_MS
"""One look-back for all detectors that speak each minute, so that they share one window."""
WHOLE_MS = 55_000
"""A minute in a state, but for the moment in which it changes."""
HELD_MIN = 60
"""What a loaded minute has shown stands for so long while no machine is loaded."""
DEAD_BAR = 0.1
"""A pressure at or below this under power is a dead gauge."""


@dataclass(frozen=True, slots=True)
class Part:
    """A value for each device of one kind and each minute."""

    kind: str
    devices: tuple[str, ...]
    value: Float64
    """(devices, minutes)"""
    evidence: Mapping[str, Float64]
    """Name -> (devices, minutes)"""


class Minutes:
    """Tables of one window, one column for each minute from its start to its end."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.times_ms = np.arange(window.from_ms, window.to_ms, MINUTE_MS)
        self.count = len(self.times_ms)

    def rows(self, kind: str) -> Buckets:
        """Return the rows of a kind."""
        return self.window.minutes.get(kind, empty_buckets())

    def devices(self, kind: str) -> tuple[str, ...]:
        """Return the devices of a kind of which anything is known in the window."""
        return self.rows(kind).devices

    def sums(self, kind: str, column: str) -> Int64:
        """Return (devices, minutes) of a sum column."""
        return table_of(self.rows(kind), self.devices(kind), column, self.times_ms)

    def mean(self, kind: str, gauge: str) -> Float64:
        """Return (devices, minutes) of the means of a gauge; power and flow also from their registers."""
        found = ratio(self.sums(kind, f"{gauge}_i"), self.sums(kind, f"{gauge}_ms")) / 1e6
        stem, scale = {"power_kw": ("energy", HOUR_MS / 1e9), "flow_m3_min": ("volume", MINUTE_MS / 1e9)}.get(
            gauge, ("", 0.0))
        if stem:
            found = np.where(np.isnan(found), ratio(self.sums(kind, f"{stem}_n"), self.sums(kind, f"{stem}_ms"), scale),
                             found)
        return found

    def end(self, kind: str, column: str) -> Float64:
        """Return (devices, minutes) of `{gauge}_min` or `{gauge}_max`; NaN where the minute has no value."""
        rows = self.rows(kind)
        empty = empty_of(column)
        found = dense(rows.device, rows.start_ms, rows.get(column), self.times_ms, len(rows.devices), empty)
        return np.where(found == empty, np.nan, found / 1e6)

    def rated(self, kind: str, what: str) -> Float64:
        """Return (devices, 1) the rating of each device, else the most that it has shown in the window."""
        gauge = {"rated_kw": "power_kw", "rated_flow_m3_min": "flow_m3_min"}[what]
        listed = self.window.station.listed(kind)
        plate = [getattr(listed.get(d), what, None) or np.nan for d in self.devices(kind)]
        shown = highest(self.mean(kind, gauge))
        return np.where(np.isnan(plate), shown, np.array(plate, np.float64)).reshape(-1, 1)

    def in_state(self, *states: str) -> Int64:
        """Return (compressors, minutes) the time in the given states [ms]."""
        total: Int64 = np.zeros((len(self.devices("compressor")), self.count), np.int64)
        for state in states:
            total = total + self.sums("compressor", f"{state}_ms")
        return total

    def working(self) -> Bools:
        """Return (minutes,) whether any compressor runs: by its state, else by more than a fifth of its power."""
        known = self.in_state(*MACHINE_STATE) > 0
        runs = self.in_state("loaded", *UNLOADED, "running") > 0
        with np.errstate(invalid="ignore"):
            powered = self.mean("compressor", "power_kw") > 0.2 * self.rated("compressor", "rated_kw")
        return np.asarray(np.where(known, runs, powered).any(axis=0))

    def header_bar(self) -> Float64:
        """Return (minutes,) the median of the mains' pressures that are alive [bar]; NaN where there is none."""
        pressure = self.mean("air_main", "pressure_bar")
        return middle(np.where(pressure > DEAD_BAR, pressure, np.nan))

    def power_kw(self) -> Float64:
        """Return (minutes,) the sum of the compressors' known powers; NaN where none is known."""
        power = self.mean("compressor", "power_kw")
        return np.where(np.isnan(power).all(axis=0), np.nan, np.nansum(power, axis=0))


def highest(values: Float64) -> Float64:
    """Return (devices,) the highest known value; NaN where there is none."""
    top = np.where(np.isnan(values), -np.inf, values).max(axis=1, initial=-np.inf)
    return np.where(np.isneginf(top), np.nan, top)


def middle(values: Float64) -> Float64:
    """Return (minutes,) the median over devices of what is known; NaN where nothing is."""
    out = np.full(values.shape[1], np.nan)
    known = ~np.isnan(values).all(axis=0)
    if known.any():
        out[known] = np.nanmedian(values[:, known], axis=0)
    return out


def trailing(values: Float64, width: int, q: float, least: int) -> Float64:
    """Return the q-quantile of the last `width` minutes (this one included) at each minute.

    Parameters
    ----------
    values
        (devices, minutes) NaN unknown.
    least
        Known minutes that are needed; with fewer the value is NaN.
    """
    if not values.size:
        return values
    padded = np.concatenate((np.full((len(values), width - 1), np.nan), values), axis=1)
    view = np.lib.stride_tricks.sliding_window_view(padded, width, axis=1)
    known = (~np.isnan(view)).sum(axis=2)
    enough = known >= max(least, 1)
    out = np.full(values.shape, np.nan)
    # Sorted, NaN stand last; quantiles by row, which numpy's own would do one by one.
    ordered, count = np.sort(view[enough], axis=1), known[enough] - 1
    low = np.floor(q * count).astype(np.int64)
    row = np.arange(len(ordered))
    part = q * count - low
    out[enough] = ordered[row, low] * (1 - part) + ordered[row, np.minimum(low + 1, count)] * part
    return out


def held(values: Float64, minutes: int) -> Float64:
    """Return (devices, minutes) the last known value, this minute's included, for so many minutes; then NaN."""
    at = np.arange(values.shape[1])
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, at), axis=1)
    fresh = (last >= 0) & (at - last < minutes)
    return np.where(fresh, np.take_along_axis(values, np.maximum(last, 0), axis=1), np.nan)


def trailing_sum(values: Float64 | Int64, width: int) -> Float64:
    """Return the sum of the last `width` minutes at each minute; NaN counts 0."""
    total = np.cumsum(np.nan_to_num(np.asarray(values, np.float64)), axis=1)
    before = np.zeros_like(total)
    before[:, width:] = total[:, :-width] if width < total.shape[1] else 0.0
    return np.asarray(total - before)


def run_length(holds: Bools) -> Int64:
    """Return (devices, minutes) for how many minutes in a row, this one included, something holds."""
    at = np.arange(holds.shape[1])
    last_off = np.maximum.accumulate(np.where(holds, -1, at), axis=1)
    return np.asarray(at - last_off)


def signal_of(minutes: Minutes, from_ms: int, parts: Sequence[Part]) -> Signal:
    """Return the values of the minutes that end after `from_ms` as one signal."""
    parts = [p for p in parts if len(p.devices)]
    keep = np.flatnonzero(minutes.times_ms + MINUTE_MS > from_ms)
    end_ms = minutes.times_ms[keep] + MINUTE_MS
    values = [p.value[:, keep] for p in parts]
    devices = tuple(d for p in parts for d in p.devices)
    counts = np.cumsum([0, *(len(p.devices) for p in parts)])

    def explain(row: int) -> Mapping[str, Any]:
        device, minute = divmod(row, len(keep))
        part = int(np.searchsorted(counts, device, side="right")) - 1
        found = {n: float(v[device - counts[part], keep[minute]]) for n, v in parts[part].evidence.items()}
        return {n: float(f"{v:.6g}") for n, v in found.items() if np.isfinite(v)}

    n = len(devices)
    value = np.concatenate(values).ravel() if parts else np.empty(0)
    return Signal(
        "", devices, np.repeat(np.arange(n), len(keep)), np.tile(end_ms, n), value, np.ones(len(value)), explain,
        tuple(p.kind for p in parts for _ in p.devices),
    )
