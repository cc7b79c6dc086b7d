"""Adding up the amounts of many folds at once, and sorting them into blocks of one station and hour."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from analytics.folded import Folded
from analytics.kernels.segments import begins
from store.buckets import combine_of, empty_of

Int64 = NDArray[np.int64]

MINUTE_MASK = (1 << 28) - 1
"""Part of a minute key that is the minute; the rest is the device."""


@dataclass(slots=True, eq=False)
class Block:
    """Minutes of one station, kind and hour: rows by key (device, minute), columns of integers."""

    keys: Int64
    columns: dict[str, Int64]

    def rows(self, keys: Int64) -> Int64:
        """Return the row of each (sorted, unique) key, making room for new ones."""
        at = np.searchsorted(self.keys, keys)
        at_inside = np.minimum(at, max(len(self.keys) - 1, 0))
        known = self.keys[at_inside] == keys if len(self.keys) else np.zeros(len(keys), np.bool_)
        if not known.all():
            new = keys[~known]
            where = np.searchsorted(self.keys, new)
            self.keys = np.insert(self.keys, where, new)
            for name, values in self.columns.items():
                self.columns[name] = np.insert(values, where, empty_of(name))
            at = np.searchsorted(self.keys, keys)
        return at

    def column(self, name: str) -> Int64:
        """Return a column, made with empty values when it is new."""
        found = self.columns.get(name)
        if found is None:
            found = self.columns[name] = np.full(len(self.keys), empty_of(name), np.int64)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """Sums, extremes and last values of all changed minutes, in order of station, hour and key."""

    keys: Int64
    """(k,) each once."""
    hour: Int64
    station: Int64
    """Position in `stations`."""
    stations: list[str]
    """Sorted."""
    sums: dict[str, Int64]
    """Column -> (k,)"""
    extremes: dict[str, Int64]
    lasts: dict[str, tuple[Int64, Int64]]
    """Gauge -> (values, times), (k,) each."""

    def blocks(self) -> Iterator[tuple[str, int, slice]]:
        """Yield (station, hour, rows) of each block."""
        if not len(self.keys):
            return
        change = np.r_[True, (self.station[1:] != self.station[:-1]) | (self.hour[1:] != self.hour[:-1])]
        starts = np.append(np.flatnonzero(change), len(self.keys)).tolist()
        for first, last in pairwise(starts):
            yield self.stations[int(self.station[first])], int(self.hour[first]), slice(first, last)

    def extend(self, block: Block, rows: slice, at: Int64) -> None:
        """Widen minima and maxima of a block and take later last values."""
        for column, values in self.extremes.items():
            part = values[rows]
            if (part != empty_of(column)).any():
                cells = block.column(column)
                how = np.minimum if combine_of(column) == "min" else np.maximum
                cells[at] = how(cells[at], part)
        for gauge, (values, times) in self.lasts.items():
            time_ms = times[rows]
            if (time_ms != empty_of(f"{gauge}_last_ms")).any():
                last, last_ms = block.column(f"{gauge}_last"), block.column(f"{gauge}_last_ms")
                later = (time_ms >= last_ms[at]) & (time_ms != empty_of(f"{gauge}_last_ms"))
                last[at[later]] = values[rows][later]
                last_ms[at[later]] = time_ms[later]


def gather(waiting: list[tuple[int, Folded]], station_of: Callable[[Int64], list[str]]) -> Gathered:
    """Add up folds, each with its sign; extremes and last values come from those that are added."""
    index = _KeyIndex()
    for sign, folded in waiting:
        for keys in folded.keys:
            index.note(keys)
        if sign > 0:
            for _, keys, _ in folded.extremes:
                index.note(keys)
            for _, keys, _, _ in folded.lasts:
                index.note(keys)
    unique = index.finish()
    hour = (unique & MINUTE_MASK) // 60
    stations, station = _stations(unique >> 28, station_of)
    order = np.lexsort((unique, hour, station))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    sums: dict[str, Int64] = {}
    extremes: dict[str, Int64] = {}
    lasts: dict[str, tuple[Int64, Int64]] = {}
    size = len(unique)
    for sign, folded in waiting:
        for column, keys, amounts in zip(folded.columns, folded.keys, folded.amounts, strict=True):
            total = sums.setdefault(column, np.zeros(size, np.int64))
            np.add.at(total, place[index.of(keys)], amounts if sign > 0 else -amounts)
        for column, keys, values in folded.extremes if sign > 0 else ():
            extreme = extremes.setdefault(column, np.full(size, empty_of(column), np.int64))
            how = np.minimum if combine_of(column) == "min" else np.maximum
            how.at(extreme, place[index.of(keys)], values)
        for gauge, keys, values, times in folded.lasts if sign > 0 else ():
            empty = np.full(size, empty_of(f"{gauge}_last_ms"), np.int64)
            last, last_ms = lasts.setdefault(gauge, (empty.copy(), empty))
            at = place[index.of(keys)]
            later = times >= last_ms[at]
            last[at[later]], last_ms[at[later]] = values[later], times[later]
    return Gathered(unique[order], hour[order], station[order], stations, sums, extremes, lasts)


def _stations(device: Int64, station_of: Callable[[Int64], list[str]]) -> tuple[list[str], Int64]:
    """Return the stations of devices (rising), sorted, and the position of each device's among them."""
    first = begins(device)
    names = station_of(device[first])
    found = sorted(set(names))
    place = {name: i for i, name in enumerate(found)}
    return found, np.array([place[name] for name in names], np.int64)[np.cumsum(first) - 1]


class _KeyIndex:
    """Positions of keys among all keys; columns of one fold mostly share their keys, which are looked up once."""

    def __init__(self) -> None:
        self._distinct: list[Int64] = []
        self._alike: dict[tuple[int, int, int], list[int]] = {}
        self._positions: list[Int64] = []
        self._unique = np.empty(0, np.int64)

    def _find(self, keys: Int64) -> int:
        for i in self._alike.get(_look(keys), ()):
            if self._distinct[i] is keys or np.array_equal(self._distinct[i], keys):
                return i
        return -1

    def note(self, keys: Int64) -> None:
        """Take keys into the index."""
        if len(keys) and self._find(keys) < 0:
            self._alike.setdefault(_look(keys), []).append(len(self._distinct))
            self._distinct.append(keys)

    def finish(self) -> Int64:
        """Return all keys, sorted, each once."""
        if self._distinct:
            self._unique = np.sort(np.concatenate([_once(k) for k in self._distinct]))
            self._unique = _once(self._unique)
        self._positions = [np.searchsorted(self._unique, k) for k in self._distinct]
        return self._unique

    def of(self, keys: Int64) -> Int64:
        """Return the positions of keys that were noted."""
        return self._positions[self._find(keys)] if len(keys) else np.empty(0, np.int64)


def _look(keys: Int64) -> tuple[int, int, int]:
    """Return length, first and last of keys: equal ones look alike."""
    return len(keys), int(keys[0]), int(keys[-1])


def _once(keys: Int64) -> Int64:
    """Return keys without neighbours that are equal."""
    return keys[begins(keys)]
