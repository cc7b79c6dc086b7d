"""Time that runs tell of: when devices were heard, or kept certain states."""

from collections.abc import Collection

import numpy as np

from analytics.kernels.intervals import EMPTY, Int64, union
from analytics.window import Runs


def heard(runs: Runs | None, devices: Collection[str]) -> Int64:
    """Return the time in which any of the devices was heard from."""
    return EMPTY if runs is None else _time(runs, _of(runs, devices))


def held(runs: Runs | None, device: str, states: Collection[str]) -> Int64:
    """Return the time in which a device was heard from and had one of the states."""
    if runs is None:
        return EMPTY
    at = _of(runs, (device,))
    chosen = np.array([runs.state[i] in states for i in at.tolist()], np.bool_)
    return _time(runs, at[chosen])


def last_message(runs: Runs | None, devices: Collection[str], silent_ms: int) -> int:
    """Return the last message of any of the devices before they fell silent; `silent_ms` where no run tells of it."""
    if runs is None:
        return silent_ms
    at = _of(runs, devices)
    at = at[runs.end_ms[at] <= silent_ms]
    return int(runs.last_ms[at].max()) if len(at) else silent_ms


def _of(runs: Runs, devices: Collection[str]) -> Int64:
    """Return the rows of devices, which stand together and in order."""
    rows = sorted(runs.devices.index(name) for name in set(devices) & set(runs.devices))
    edges = np.searchsorted(runs.device, np.array([[i, i + 1] for i in rows], np.int64).reshape(-1, 2))
    return np.concatenate([np.empty(0, np.int64), *(np.arange(first, end) for first, end in edges.tolist())])


def _time(runs: Runs, at: Int64) -> Int64:
    return union(np.column_stack((runs.start_ms[at], runs.end_ms[at])))
