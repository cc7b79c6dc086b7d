"""Segments of time cut at minute boundaries, and amounts spread over them in exact integers.

A segment is `[t0, t1)` with `t1 > t0`. A *piece* is the part of one segment in one minute. Amounts of pieces are
differences of one integer cumulative function of the segment, so the pieces of a segment always add up to the
segment, whatever minutes it crosses.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telemetry.times import MINUTE_MS

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

_EXACT_MS = 3_030_000_000
"""Up to this length (35 d) `remainder * dx` of `spread_even` fits 64 bits."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Parts of segments, in order of segment, then time."""

    segment: Int64
    """(k,) index of the segment."""
    minute: Int64
    """(k,) minute number since the epoch."""
    start_ms: Int64
    """(k,) start of the part, relative to the segment's start [ms]."""
    end_ms: Int64
    """(k,) end of the part, relative to the segment's start [ms]."""

    @property
    def length_ms(self) -> Int64:
        """(k,) length of each part [ms]."""
        return self.end_ms - self.start_ms


def cut_at_minutes(t0: Int64, t1: Int64) -> Pieces:
    """Cut segments at minute boundaries.

    Parameters
    ----------
    t0, t1
        (n,) start and end [ms], `t1 > t0`.
    """
    first = t0 // MINUTE_MS
    count = (t1 - 1) // MINUTE_MS - first + 1
    if (count == 1).all():
        return Pieces(np.arange(len(t0)), first, np.zeros(len(t0), np.int64), t1 - t0)
    segment = np.repeat(np.arange(len(t0)), count)
    offset = np.cumsum(count) - count
    minute = (first - offset).take(segment) + np.arange(len(segment))
    # Relative to its start a segment has the minute's begin at some place; what lies outside is cut off.
    begin = minute * MINUTE_MS - t0.take(segment)
    start = np.maximum(begin, 0)
    end = np.minimum(begin + MINUTE_MS, (t1 - t0).take(segment))
    return Pieces(segment, minute, start, end)


def spread_even(pieces: Pieces, amount: Int64, length_ms: Int64) -> Int64:
    """Spread an integer amount evenly over each segment.

    Parameters
    ----------
    pieces
        The k parts.
    amount
        (n,) whole amount of each segment.
    length_ms
        (n,) length of each segment [ms].

    Returns
    -------
    (k,) amounts: differences of `floor(amount * x / length)` at the ends of each part.
    """
    q, r = np.divmod(amount, length_ms)
    s = pieces.segment
    q, r, length = q.take(s), r.take(s), length_ms.take(s)
    if (length_ms > _EXACT_MS).any():
        # Beyond 64 bits: exact with Python's integers; such segments are outages of more than a month.
        wide = r.astype(object)
        high = (wide * pieces.end_ms) // length
        low = (wide * pieces.start_ms) // length
        return q * pieces.length_ms + (high - low).astype(np.int64)
    return q * pieces.length_ms + ((r * pieces.end_ms) // length - (r * pieces.start_ms) // length)


def cumulative_line(v0: Float64, v1: Float64, dx_ms: Float64, length_ms: Float64, scale: float) -> Int64:
    """Return the integral of the straight line from v0 to v1 up to `dx`, as an integer.

    `rint(scale * (v0 dx + (v1 - v0) dx dx / (2 length)))`, with dx and length in ms: a function of the two values and
    of `dx` only, so that cutting a segment anywhere changes no sum.
    """
    area = v0 * dx_ms + (v1 - v0) * dx_ms * dx_ms / (2.0 * length_ms)
    return np.rint(scale * area).astype(np.int64)


def spread_line(pieces: Pieces, v0: Float64, v1: Float64, length_ms: Int64, scale: float) -> Int64:
    """Spread the integral of a straight line over the parts of each segment.

    Parameters
    ----------
    pieces
        The k parts.
    v0, v1
        (n,) value at the start and at the end of each segment; equal for a held value.
    length_ms
        (n,) length over which the value goes from v0 to v1 [ms].
    scale
        Integer units per (value x ms).

    Returns
    -------
    (k,) integer amounts.
    """
    s = pieces.segment
    a, b, length = v0.take(s), v1.take(s), length_ms.take(s).astype(np.float64)
    return cumulative_line(a, b, pieces.end_ms.astype(np.float64), length, scale) - cumulative_line(
        a, b, pieces.start_ms.astype(np.float64), length, scale
    )


def stable_order(key: NDArray[np.int64]) -> Int64:
    """Return the stable order of whole numbers from 0 to below 2^32, by radix sort: 16 bits at a time."""
    order: Int64 = (key & 0xFFFF).astype(np.uint16).argsort(kind="stable")
    high = (key >> 16).astype(np.uint16)
    return order[high[order].argsort(kind="stable")] if high.any() else order


def last_valid(valid: NDArray[np.bool_], group_start: Int64) -> Int64:
    """Return for each row the index of the last valid row at or before it in its group, -1 where there is none.

    Parameters
    ----------
    valid
        (n,) mask.
    group_start
        (n,) index of the first row of the row's group; rows of a group are contiguous.
    """
    index = np.maximum.accumulate(np.where(valid, np.arange(len(valid)), -1))
    return np.where(index >= group_start, index, -1)


def group_starts(key: NDArray[np.int64] | NDArray[np.int32]) -> Int64:
    """Return for each row the index of the first row of its run of equal keys."""
    n = len(key)
    if n == 0:
        return np.empty(0, np.int64)
    return np.maximum.accumulate(np.where(begins(key), np.arange(n), 0))


def begins(key: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Return which rows begin a run of equal keys."""
    out = np.ones(len(key), np.bool_)
    np.not_equal(key[1:], key[:-1], out=out[1:])
    return out
