"""Periods of a window, and how amounts and times fall into them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.kernels.intervals import contains
from analytics.window import Window
from telemetry.points import Column, Points
from telemetry.times import HOUR_MS, MINUTE_MS, QUARTER_MS, next_local_day

Bools = NDArray[np.bool_]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

_LENGTH_MS = {"1m": MINUTE_MS, "15m": QUARTER_MS, "1h": HOUR_MS}


@dataclass(frozen=True, slots=True, eq=False)
class Periods:
    """Periods that follow each other without a gap."""

    edges_ms: Int64
    """(p + 1,) rising: period i is [edges[i], edges[i + 1])."""
    length_of_all_ms: int | None
    """None where lengths differ."""

    def __len__(self) -> int:
        return len(self.edges_ms) - 1

    @property
    def start_ms(self) -> Int64:
        """(p,) start of each."""
        return self.edges_ms[:-1]

    @property
    def length_ms(self) -> Int64:
        """(p,) length of each."""
        return np.diff(self.edges_ms)

    def of(self, time_ms: Int64) -> Int64:
        """Return the index of the period of each time; -1 or beyond the last where it lies outside."""
        if self.length_of_all_ms is not None:
            return np.asarray((time_ms - self.edges_ms[0]) // self.length_of_all_ms)
        found: Int64 = np.searchsorted(self.edges_ms, time_ms, side="right") - 1
        return found

    def sum_of(self, period: Int64, values: NDArray[np.generic]) -> Float64:
        """Return the sum of the values of each period; integers are exact up to 2^53."""
        return np.bincount(period, weights=values, minlength=len(self)).astype(np.float64)


def periods_of(window: Window, width: str) -> Periods:
    """Return the whole periods of a window that begins with one.

    Parameters
    ----------
    window
        Begins on a bound of the width.
    width
        `1m`, `15m`, `1h`, aligned to the epoch, or `1d`, the local days of the station (23 to 25 h).
    """
    length_ms = _LENGTH_MS.get(width)
    if length_ms is not None:
        return Periods(np.arange(window.from_ms, window.to_ms + 1, length_ms, dtype=np.int64), length_ms)
    edges = [window.from_ms]
    while (end_ms := next_local_day(edges[-1], window.station.zone)) <= window.to_ms:
        edges.append(end_ms)
    return Periods(np.array(edges, np.int64), None)


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Parts of devices' time, none of which crosses a bound of a period."""

    device: Int64
    """(n,) rising."""
    period: Int64
    """(n,)"""
    start_ms: Int64
    end_ms: Int64


def pieces_of(spans: Sequence[Int64], periods: Periods) -> Pieces:
    """Cut a set of time of each device at the bounds of the periods; each set is (k, 2), sorted and disjoint."""
    edges, n = periods.edges_ms, len(periods)
    parts: list[tuple[Int64, Int64, Int64]] = []
    for counts in spans:
        if len(counts) == 1 and counts[0, 0] <= edges[0] and counts[0, 1] >= edges[-1]:
            parts.append((np.arange(n), edges[:-1], edges[1:]))
            continue
        cuts = np.unique(np.concatenate((edges, np.clip(counts.ravel(), edges[0], edges[-1]))))
        inside = contains(counts, cuts[:-1])
        start, end = cuts[:-1][inside], cuts[1:][inside]
        parts.append((periods.of(start), start, end))
    if not parts:
        none = np.empty(0, np.int64)
        return Pieces(none, none, none, none)
    period, start, end = (np.concatenate([p[i] for p in parts]) for i in range(3))
    return Pieces(np.repeat(np.arange(len(parts)), [len(p[0]) for p in parts]), period, start, end)


def offline_ms(window: Window, kind: str, names: Sequence[str], pieces: Pieces) -> Int64:
    """Return the silence of devices in each piece, since their first message, in which Voltair could have heard them.

    Parameters
    ----------
    window
        With the runs of that kind.
    kind, names
        The devices; `pieces.device` indexes `names`.
    pieces
        Parts of time [ms] inside the window.
    """
    until_ms = min(window.to_ms, window.now_ms)
    first_ms = np.array([window.first_heard_ms.get((kind, d), until_ms) for d in names], np.int64)
    low_ms = np.clip(first_ms, window.from_ms, until_ms)
    device, start, end = _not_silent(window, kind, names)
    # Every device has its own stretch of one long line, so that all are looked up at once.
    stretch_ms = window.to_ms - window.from_ms

    def on_line(of: Int64, time_ms: Int64) -> Int64:
        return of * stretch_ms + np.clip(time_ms, low_ms[of], until_ms) - window.from_ms

    start, end = on_line(device, start), on_line(device, end)
    order = np.argsort(start, kind="stable")
    start, end = start[order], end[order]
    reach = np.maximum.accumulate(end)
    start = np.maximum(start, np.r_[np.int64(-1), reach[:-1]])[: len(start)]
    total = np.r_[np.int64(0), np.cumsum(reach - start)]

    def covered_before(at: Int64) -> Int64:
        whole = np.searchsorted(reach, at, side="right")
        begun = np.r_[start, np.iinfo(np.int64).max][whole]
        before: Int64 = total[whole] + np.maximum(at - begun, 0)
        return before

    a, b = on_line(pieces.device, pieces.start_ms), on_line(pieces.device, pieces.end_ms)
    silent: Int64 = b - a - (covered_before(b) - covered_before(a))
    return silent


def _not_silent(window: Window, kind: str, names: Sequence[str]) -> tuple[Int64, Int64, Int64]:
    """Return (device, start, end) of intervals in which a device was heard or Voltair was deaf."""
    rank = {name: i for i, name in enumerate(names)}
    deaf = window.deaf_ms
    device = np.repeat(np.arange(len(names)), len(deaf))
    start, end = np.tile(deaf[:, 0], len(names)), np.tile(deaf[:, 1], len(names))
    runs = window.runs.get(kind)
    if runs is None:
        return device, start, end
    of_run = np.array([rank.get(d, -1) for d in runs.devices], np.int64)[runs.device]
    mine = of_run >= 0
    return (
        np.concatenate((device, of_run[mine])), np.concatenate((start, runs.start_ms[mine])),
        np.concatenate((end, runs.end_ms[mine])),
    )


def over(numerator: NDArray[np.generic], denominator: NDArray[np.generic]) -> Float64:
    """Return numerator / denominator; NaN where one is NaN or the denominator is 0."""
    out = np.full(np.shape(numerator), np.nan)
    np.divide(numerator, denominator, out=out, where=np.asarray(denominator) != 0)
    return out


def known_where(known: Bools, values: NDArray[np.generic]) -> Float64:
    """Return the values, NaN where not known."""
    return np.where(known, values, np.nan)


def rows_of(
    measurement: str, tags: dict[str, tuple[str | None, ...]], time_ms: Int64, fields: dict[str, Column]
) -> Points:
    """Return derived points without the fields that no point has."""
    kept = {
        name: column for name, column in fields.items()
        if isinstance(column, tuple) or column.dtype.kind == "i" or not np.isnan(column).all()
    }
    return Points(measurement, tags, time_ms, np.full(len(time_ms), -1, np.int64), kept, derived=True)
