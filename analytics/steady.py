"""Devices that did nothing but speak, as most do most of the time: no set of time has to be made for each."""

from collections.abc import Collection

import numpy as np

from analytics.window import Runs


def steady(runs: Runs | None, from_ms: int, to_ms: int, without: Collection[str] = ()) -> frozenset[str]:
    """Return the devices that were heard throughout `[from_ms, to_ms)`.

    Parameters
    ----------
    without
        States that none of them had in that time.
    """
    if runs is None or not from_ms < to_ms:
        return frozenset()
    inside_ms = np.minimum(runs.end_ms, to_ms) - np.maximum(runs.start_ms, from_ms)
    inside_ms = np.maximum(inside_ms, 0)
    # Runs of one device never overlap, so they fill the time if they are as long as it.
    heard_ms = np.zeros(len(runs.devices), np.int64)
    np.add.at(heard_ms, runs.device, inside_ms)
    if without:
        barred = np.array([state in without for state in runs.state], np.bool_) & (inside_ms > 0)
        heard_ms[runs.device[barred]] = -1
    return frozenset(runs.devices[i] for i in np.flatnonzero(heard_ms == to_ms - from_ms).tolist())
