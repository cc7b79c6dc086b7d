"""Clocks of devices against ours: how far a device's time lies from the time at which its message was committed.

A wrong clock runs as fast as a right one, a backlog runs past it: a difference counts once it has been steady. Live
only: in a replay the time of receipt means nothing.
"""

from collections.abc import Sequence, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.detectors.signal import Signal
from analytics.shelf import LONG_AGO
from telemetry.frame import FLAG_RECEIPT_TIME, FLAG_RETAINED

Int64 = NDArray[np.int64]

STEADY_MS = 60_000
"""A difference is believed after this time."""
SLACK_MS = 15_000
"""What the way of a message may add or take."""
DRIFT = 0.1
"""A clock that gains or loses more than this share of the time is none: something is catching up."""
LEAST_MS = 10_000
"""Commits and ways take seconds: what is less is no difference."""


class Clocks:
    """Columns over all devices of the journal; only those of one kind are used. `LONG_AGO` where nothing is known."""

    def __init__(self) -> None:
        self.since_ms = np.empty(0, np.int64)
        """Our time since when the difference has been steady."""
        self.first_off_ms = np.empty(0, np.int64)
        """Device's time less ours, at `since_ms`."""
        self.off_ms = np.empty(0, np.int64)
        """The same in the newest message."""
        self.last_ms = np.empty(0, np.int64)
        """Our time of the newest message."""

    def grow(self, count: int) -> None:
        """Make room for `count` devices."""
        fill = np.full(max(count - len(self.since_ms), 0), LONG_AGO)
        for name in ("since_ms", "first_off_ms", "off_ms", "last_ms"):
            setattr(self, name, np.concatenate([getattr(self, name), fill]))

    def put(self, device: NDArray[np.integer[Any]], time_ms: Int64, flags: NDArray[np.uint16], receipt_ms: int) -> None:
        """Take the readings that were committed at `receipt_ms`; of each device the newest counts."""
        told = flags & (FLAG_RECEIPT_TIME | FLAG_RETAINED) == 0
        device, time_ms = device[told], time_ms[told]
        newest = np.lexsort((time_ms, device))
        newest = newest[np.r_[device[newest][1:] != device[newest][:-1], True][: len(newest)]]
        device, off_ms = device[newest], time_ms[newest] - receipt_ms
        since_ms = self.since_ms[device]
        may_be = SLACK_MS + DRIFT * (receipt_ms - since_ms)
        new = (since_ms == LONG_AGO) | (np.abs(off_ms - self.first_off_ms[device]) > may_be)
        self.since_ms[device[new]], self.first_off_ms[device[new]] = receipt_ms, off_ms[new]
        self.off_ms[device], self.last_ms[device] = off_ms, receipt_ms

    def signal(
        self, kind: str, names: Sequence[str], devices: Int64, offline_after_ms: Int64, at_ms: int, told: Set[str]
    ) -> Signal:
        """Return how far clocks are off [s] at `at_ms`; right ones stand in it only where they were told of.

        Parameters
        ----------
        kind, names, devices
            Kind, ids and numbers of the devices of a station.
        offline_after_ms
            Of each of these: one that is silent longer is unknown.
        told
            Ids of those that a rule has been told of.
        """
        known = self.since_ms[devices] > LONG_AGO
        wrong = known & (np.abs(self.off_ms[devices]) >= LEAST_MS)
        rows = np.flatnonzero(wrong | np.array([name in told for name in names], np.bool_))
        asked = devices[rows]
        steady = known[rows] & (self.last_ms[asked] - self.since_ms[asked] >= STEADY_MS)
        steady &= at_ms - self.last_ms[asked] <= offline_after_ms[rows]
        off_s = self.off_ms[asked] / 1000
        value = np.where(steady, np.abs(off_s), np.nan)
        return Signal(
            kind, tuple(names[i] for i in rows.tolist()), np.arange(len(rows)), np.full(len(rows), at_ms), value,
            np.ones(len(rows)), lambda i: {"clock_off_s": round(off_s[i], 1)},
        )
