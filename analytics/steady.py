"""Devices that did nothing but speak, as most do most of the time: no set of time has to be made for each."""

from collections.abc import Collection

import numpy as np

from analytics.window import Window


def steady_ports(window: Window, without: Collection[str] = ()) -> frozenset[str]:
    """Return the ports that were heard throughout the window up to `now`, or from their first message in it on.

    Parameters
    ----------
    without
        States that none of them had in that time.
    """
    runs, to_ms = window.runs.get("port"), min(window.to_ms, window.now_ms)
    if runs is None:
        return frozenset()
    first_ms = [window.first_heard_ms.get(("port", name), to_ms) for name in runs.devices]
    since_ms = np.minimum(np.maximum(np.array(first_ms, np.int64), window.from_ms), to_ms)
    inside_ms = np.minimum(runs.end_ms, to_ms) - np.maximum(runs.start_ms, since_ms[runs.device])
    inside_ms = np.maximum(inside_ms, 0)
    # Runs of one device never overlap, so they fill the time if they are as long as it.
    heard_ms = np.zeros(len(runs.devices), np.int64)
    np.add.at(heard_ms, runs.device, inside_ms)
    if without:
        barred = np.array([state in without for state in runs.state], np.bool_) & (inside_ms > 0)
        heard_ms[runs.device[barred]] = -1
    found = (heard_ms == to_ms - since_ms) & (since_ms < to_ms)
    return frozenset(runs.devices[i] for i in np.flatnonzero(found).tolist())
