"""What folds add up to: minute buckets of one kind, by station and hour."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from analytics.folded import Folded
from analytics.gather import MINUTE_MASK, Block, gather
from analytics.shelf import Change
from store.buckets import Buckets, empty_of
from telemetry.times import HOUR_MS, MINUTE_MS

Int64 = NDArray[np.int64]

BlockKey = tuple[str, int]
"""(station, hour_ms) within one kind."""


class MinuteBook:
    """Minute buckets of one kind. Changes wait until `settle` adds them to their blocks."""

    def __init__(
        self, station_of: Callable[[Int64], list[str]], load: Callable[[str, int], Block | None],
        published_ms: Callable[[str], int],
    ) -> None:
        self._station_of = station_of
        self._load = load
        self._published_ms = published_ms
        self._waiting: list[tuple[int, Folded]] = []
        self._anew: dict[int, int] = {}
        self.blocks: dict[BlockKey, Block] = {}
        self.dirty: set[BlockKey] = set()
        """Blocks that differ from what is on disk."""
        self.corrected: dict[str, set[int]] = {}
        """Station -> minutes that changed after their rows went out."""

    def put(self, change: Change) -> None:
        """Note what a batch changed."""
        if change.replaced_from:
            # Values that are now replaced must be in their blocks before they can be forgotten there.
            self.settle()
        if change.before is not None:
            self._waiting.append((-1, change.before.squeezed()))
        self._waiting.append((1, change.after.squeezed()))
        self._anew.update(change.replaced_from)

    def settle(self) -> None:
        """Add all waiting changes to their blocks."""
        waiting, self._waiting = self._waiting, []
        anew, self._anew = self._anew, {}
        found = gather(waiting, self._station_of)
        for station, hour, rows in found.blocks():
            block = self._block((station, hour * HOUR_MS))
            keys = found.keys[rows]
            at = block.rows(keys)
            changed = np.zeros(len(keys), np.bool_)
            for name, total in found.sums.items():
                part = total[rows]
                if part.any():
                    block.column(name)[at] += part
                    changed |= part != 0
            if anew:
                _set_anew(block, keys, at, found.extremes, anew)
            found.extend(block, rows, at)
            minutes = np.unique(keys[changed] & MINUTE_MASK)
            late = minutes[minutes * MINUTE_MS < self._published_ms(station)]
            if len(late):
                self.corrected.setdefault(station, set()).update(late.tolist())
            self.dirty.add((station, hour * HOUR_MS))

    def _block(self, key: BlockKey) -> Block:
        block = self.blocks.get(key)
        if block is None:
            block = self._load(*key) or Block(np.empty(0, np.int64), {})
            self.blocks[key] = block
        return block

    def block(self, station: str, hour_ms: int) -> Block | None:
        """Return a block, from memory or from disk; None where there is nothing."""
        found = self.blocks.get((station, hour_ms))
        if found is None:
            found = self._load(station, hour_ms)
            if found is not None:
                self.blocks[station, hour_ms] = found
        return found

    def forget(self, keep: Callable[[BlockKey], bool]) -> None:
        """Drop clean blocks from memory that need not stay."""
        for key in [k for k in self.blocks if k not in self.dirty and not keep(k)]:
            del self.blocks[key]


def _set_anew(
    block: Block, keys: Int64, at: Int64, extremes: dict[str, Int64], anew: dict[int, int]
) -> None:
    """Forget minima, maxima and last values of minutes in which a value was replaced; all of it comes again."""
    for device, since_ms in anew.items():
        mine = (keys >> 28 == device) & ((keys & MINUTE_MASK) * MINUTE_MS >= since_ms)
        if mine.any():
            for name in extremes:
                gauge = name.rpartition("_")[0]
                for column in (name, f"{gauge}_last", f"{gauge}_last_ms"):
                    block.column(column)[at[mine]] = empty_of(column)


def to_buckets(block: Block, names: Callable[[Int64], list[str]]) -> Buckets:
    """Return a block as a table of buckets, devices named and sorted by name."""
    device = block.keys >> 28
    unique, inverse = np.unique(device, return_inverse=True)
    labels = names(unique)
    rank = np.empty(len(unique), np.int64)
    rank[np.argsort(np.array(labels))] = np.arange(len(unique))
    start = (block.keys & MINUTE_MASK) * MINUTE_MS
    order = np.lexsort((start, rank[inverse]))
    return Buckets(
        tuple(sorted(labels)), rank[inverse][order], start[order], np.full(len(order), MINUTE_MS),
        {name: values[order] for name, values in block.columns.items()},
    )


def from_buckets(buckets: Buckets, index: Callable[[tuple[str, ...]], Int64]) -> Block:
    """Return the block that `to_buckets` made into a table."""
    keys = (index(buckets.devices)[buckets.device] << 28) | buckets.start_ms // MINUTE_MS
    order = np.argsort(keys)
    return Block(keys[order], {name: values[order].copy() for name, values in buckets.columns.items()})
