"""Sets of time as sorted, disjoint, half-open intervals: (k, 2) arrays of [start, end) in ms."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]

EMPTY: Int64 = np.empty((0, 2), np.int64)
"""The set without any time."""


def span(start_ms: int, end_ms: int) -> Int64:
    """Return one interval as (1, 2), or the empty set where it has no length."""
    return np.array([[start_ms, end_ms]], np.int64) if start_ms < end_ms else EMPTY


def union(intervals: Int64) -> Int64:
    """Return the set that any intervals cover.

    Parameters
    ----------
    intervals
        (n, 2) in any order, overlapping or not; those without length are dropped.

    Returns
    -------
    (k, 2) sorted, disjoint; intervals that touch are one.
    """
    kept = intervals[intervals[:, 0] < intervals[:, 1]]
    if len(kept) < 2:
        return kept if len(kept) else EMPTY
    kept = kept[np.argsort(kept[:, 0], kind="stable")]
    reach = np.maximum.accumulate(kept[:, 1])
    first = np.flatnonzero(np.r_[True, kept[1:, 0] > reach[:-1]])
    return np.column_stack((kept[first, 0], reach[np.r_[first[1:] - 1, len(kept) - 1]]))


def held_by_all(sets: Sequence[Int64]) -> Int64:
    """Return the time that lies in every one of the sets (each sorted and disjoint); no sets: the empty set."""
    if not sets:
        return EMPTY
    edges = np.concatenate([s.ravel() for s in sets])
    steps = np.tile(np.array([1, -1], np.int64), len(edges) // 2)
    times, at = np.unique(edges, return_inverse=True)
    if not len(times):
        return EMPTY
    change = np.zeros(len(times), np.int64)
    np.add.at(change, at, steps)
    full = np.cumsum(change)[:-1] == len(sets)
    return union(np.column_stack((times[:-1][full], times[1:][full])))


def intersect(a: Int64, b: Int64) -> Int64:
    """Return the time that lies in both sets."""
    if not len(a) or not len(b):
        return EMPTY
    if len(a) > 1 and len(b) > 1:
        return held_by_all((a, b))
    few, many = (a, b) if len(a) == 1 else (b, a)
    clipped = np.column_stack((np.maximum(many[:, 0], few[0, 0]), np.minimum(many[:, 1], few[0, 1])))
    return union(clipped)


def complement(a: Int64, start_ms: int, end_ms: int) -> Int64:
    """Return the time of [start_ms, end_ms) that lies outside the set."""
    inside = intersect(a, span(start_ms, end_ms))
    edges = np.concatenate((np.array([start_ms]), inside.ravel(), np.array([end_ms]))).astype(np.int64)
    gaps = edges.reshape(-1, 2)
    return gaps[gaps[:, 0] < gaps[:, 1]]


def subtract(a: Int64, b: Int64) -> Int64:
    """Return the time of `a` that lies outside `b`."""
    if not len(a) or not len(b):
        return a
    return intersect(a, complement(b, int(a[0, 0]), int(a[-1, 1])))


def length_ms(a: Int64) -> int:
    """Return the total length of a set [ms]."""
    return int((a[:, 1] - a[:, 0]).sum())


def contains(a: Int64, time_ms: Int64) -> NDArray[np.bool_]:
    """Return whether each time lies in the set (its end does not)."""
    if not len(a):
        return np.zeros(len(time_ms), np.bool_)
    at = np.searchsorted(a[:, 0], time_ms, side="right") - 1
    return np.asarray((at >= 0) & (time_ms < a[np.maximum(at, 0), 1]))
