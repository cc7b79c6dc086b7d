"""What runs tell of ports: how long they have been in some state, and the events that their sessions are."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from analytics.detectors.minutes import Bools, Minutes
from analytics.detectors.signal import Float64, Int64
from analytics.sessions import Session, all_sessions
from analytics.window import Runs, Window
from telemetry.times import MINUTE_MS


@lru_cache(2)
def sessions_in(window: Window) -> tuple[Session, ...]:
    """Return every session of a window; several detectors ask for those of the same one."""
    return tuple(all_sessions(window))


def stretches(runs: Runs, chosen: Bools) -> Int64:
    """Return (k, 3) device, start and end of each unbroken stretch of chosen runs [ms]."""
    at = np.flatnonzero(chosen)
    if not len(at):
        return np.empty((0, 3), np.int64)
    device, start, end = runs.device[at], runs.start_ms[at], runs.end_ms[at]
    first = np.flatnonzero(np.r_[True, (device[1:] != device[:-1]) | (start[1:] > end[:-1])])
    last = np.r_[first[1:], len(at)] - 1
    return np.column_stack((device[first], start[first], end[last]))


def minutes_since(minutes: Minutes, devices: Sequence[str], spans: Iterable[tuple[int, int, int]]) -> Float64:
    """Return how long each device has been in one of its spans at the end of each minute [min]; 0 outside.

    Parameters
    ----------
    devices
        What the first member of each span indexes.
    spans
        (device, start, end) [ms].
    """
    out = np.zeros(minutes.shape)
    place = {name: i for i, name in enumerate(minutes.devices)}
    ends_ms = minutes.window.from_ms + MINUTE_MS * (np.arange(minutes.shape[1]) + 1)
    for device, start_ms, end_ms in spans:
        row = place.get(devices[device])
        if row is not None:
            first, last = np.searchsorted(ends_ms, (start_ms, end_ms), "right")
            out[row, first:last] = (ends_ms[first:last] - start_ms) / MINUTE_MS
    return out


def count_of(minutes: Minutes, events: Iterable[tuple[str, int, float]], within_ms: int) -> Float64:
    """Return the sum of the weights of each device's events in the `within_ms` before the end of each minute.

    Parameters
    ----------
    events
        (device, time [ms], weight).
    """
    n, m = minutes.shape
    out = np.zeros((n, m + 1))
    place = {name: i for i, name in enumerate(minutes.devices)}
    ends_ms = minutes.window.from_ms + MINUTE_MS * (np.arange(m) + 1)
    for device, time_ms, weight in events:
        row = place.get(device)
        if row is not None:
            first, last = np.searchsorted(ends_ms, (time_ms, time_ms + within_ms), "right")
            out[row, first] += weight
            out[row, last] -= weight
    return np.cumsum(out, axis=1)[:, :-1]


def last_of(minutes: Minutes, events: Iterable[tuple[str, int, float]]) -> Float64:
    """Return the value of each device's last event at the end of each minute; 0 before the first.

    Parameters
    ----------
    events
        (device, time [ms], value), in order of time.
    """
    out = np.zeros(minutes.shape)
    place = {name: i for i, name in enumerate(minutes.devices)}
    ends_ms = minutes.window.from_ms + MINUTE_MS * (np.arange(minutes.shape[1]) + 1)
    for device, time_ms, value in events:
        row = place.get(device)
        if row is not None:
            out[row, np.searchsorted(ends_ms, time_ms, "right") :] = value
    return out
