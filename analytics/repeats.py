"""Which readings have been here before: a message that the broker delivers again is no late one.

A reading of the last 15 minutes of its device meets its twin among the kept rows. Of older ones only fingerprints
are kept, in order of arrival, because what comes again comes soon: at most what the broker had in flight.
"""

import numpy as np
from numpy.typing import NDArray

from analytics.table import Table
from telemetry.columns import is_repeated

Mask = NDArray[np.bool_]
Prints = NDArray[np.uint64]

REMEMBERED = 500_000
"""Readings of a kind that are remembered at least; a broker has at most 8,000 messages in flight to us."""

_ODD = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], np.uint64)
"""Multipliers of device, time, `seq` and lane."""


def fingerprints(table: Table) -> Prints:
    """Return 64 bits per reading that stand for its identity: device, time, `seq`, connector.

    Two of a million remembered readings share them by chance about once in 10^7 memories.
    """
    with np.errstate(over="ignore"):
        mixed: Prints = table.device.astype(np.uint64) * _ODD[0]
        for column, odd in zip((table.time_ms, table.seq, table.lane), _ODD[1:], strict=True):
            mixed += (column[:1] if is_repeated(column) else column).astype(np.uint64) * odd
        mixed ^= mixed >> np.uint64(29)
        mixed *= _ODD[1]
    mixed ^= mixed >> np.uint64(32)
    return mixed


class Repeats:
    """Fingerprints of the last readings, in two generations: the older one is forgotten when the younger is full."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._old: list[Prints] = []
        """In parts as they came; one sorted part once they have been looked through."""
        self._young: list[Prints] = []
        self._young_count = 0

    def add(self, table: Table) -> None:
        """Remember readings."""
        self._young.append(fingerprints(table))
        self._young_count += len(table)
        if self._young_count >= self._remembered:
            self._old, self._young, self._young_count = self._young, [], 0

    def known(self, table: Table, rows: Mask) -> Mask:
        """Return which of the marked rows, in order of arrival, repeat an earlier reading of the table or of before."""
        prints = fingerprints(table)
        first = np.zeros(len(table), np.bool_)
        first[np.unique(prints, return_index=True)[1]] = True
        seen = ~first
        at = np.flatnonzero(rows & first)
        self._old, self._young = _sorted(self._old), _sorted(self._young)
        for memory in (*self._old, *self._young):
            place = np.searchsorted(memory, prints[at])
            inside = place < len(memory)
            seen[at[inside]] |= memory[place[inside]] == prints[at[inside]]
        return rows & seen


def _sorted(parts: list[Prints]) -> list[Prints]:
    """Return sorted fingerprints in one part, where there are any."""
    return [np.sort(np.concatenate(parts), kind="stable")] if parts else []
