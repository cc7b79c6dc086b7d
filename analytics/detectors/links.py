"""Links and contacts that come and go: a device that is lost again and again, a lock that fails, what is not known."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from analytics.detectors.minutes import minutes_of, number, rolled
from analytics.detectors.signal import Signal
from analytics.detectors.stays import count_of
from analytics.held import heard
from analytics.kernels.grid import ratio
from analytics.kernels.intervals import length_ms, span, subtract
from analytics.window import Window
from telemetry.times import DAY_MS, MINUTE_MS

COVERED_MIN = 60


def link_flapping(window: Window, from_ms: int, _to_ms: int, kind: str = "port") -> Signal:
    """Find how often a device came back from being offline in the last 24 h."""
    minutes = minutes_of(window, kind)
    value = count_of(minutes, _returns(window, kind), DAY_MS)
    return minutes.signal(value, from_ms, lambda i, j: {"disconnects_in_24h": int(value[i, j])}, silent=True)


def _returns(window: Window, kind: str) -> Iterator[tuple[str, int, float]]:
    """Yield each end of a silence, but not of one in which Voltair itself was deaf."""
    runs = window.runs.get(kind)
    for device in () if runs is None else runs.devices:
        for before, after in pairwise(heard(runs, (device,)).tolist()):
            silent = span(before[1], after[0])
            if length_ms(subtract(silent, window.deaf_ms)) == length_ms(silent):
                yield device, after[0], 1.0


def connector_lock(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Find how often locks of a port's connectors began to fail in the last 24 h."""
    minutes = minutes_of(window, "port")
    count = rolled(minutes.sums("lock_failures"), DAY_MS // MINUTE_MS)
    return minutes.signal(count.astype(np.float64), from_ms, lambda i, j: {"lock_failures_in_24h": int(count[i, j])},
                          silent=True)


def low_coverage(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Find the known share of the last hour of each port that was heard in it."""
    minutes = minutes_of(window, "port")
    states = [c for c in minutes.rows.columns if c.endswith("_ms") and c[:1].isupper()]
    known = sum((minutes.sums(c) for c in states), np.zeros(minutes.shape, np.int64))
    recent, was_heard = rolled(known, COVERED_MIN), rolled(minutes.sums("heard_ms"), COVERED_MIN)
    whole = was_heard >= (COVERED_MIN - 1) * MINUTE_MS
    value = np.where(whole, ratio(recent, was_heard), np.nan)
    return minutes.signal(value, from_ms, lambda i, j: {"known_min": number(recent[i, j] / MINUTE_MS)})
