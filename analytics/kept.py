"""The readings of one kind that a late one may still need, in layers, as they came.

A layer is sorted and never changes. Of a device that was folded anew only layers from a certain number on count: what
older ones hold of it is gone, and disappears when layers are joined. So neither a late reading nor a checkpoint
touches more than its own rows, however many are kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.table import Columns, Table, columns_of, concat, empty_table, sorted_rows, spans, table_of
from telemetry.channels import Kind
from telemetry.columns import is_repeated, repeated

Int64 = NDArray[np.int64]

LAYER_ROWS = 100_000
"""Smaller layers are joined into one of about this size, where there are many."""
SMALL_LAYERS = 64


@dataclass(slots=True, eq=False)
class Layer:
    """Rows that came at about the same time, sorted by device, time, `seq` and connector."""

    number: int
    columns: Columns
    """Narrow once joined: a column that is all one value takes no room."""
    newest_ms: int
    compacted: bool = False
    """Whether only what is still needed is in it."""
    saved: bool = False
    """Whether it is on disk."""

    def __len__(self) -> int:
        return len(self.columns["device"])


class Kept:
    """All layers of a kind."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self.layers: list[Layer] = []
        self.since = np.empty(0, np.int64)
        """(devices,) number of the first layer whose rows of the device count."""
        self.whole_since_ms = np.empty(0, np.int64)
        """(devices,) all rows of the device from this time on are here, with all their cells."""
        self.gone: list[int] = []
        """Layers that are on disk and no longer here."""
        self._next = 1
        self._loose_rows = 0

    def grow(self, count: int) -> None:
        """Make room for `count` devices."""
        more = np.zeros(max(count - len(self.since), 0), np.int64)
        self.since = np.concatenate([self.since, more])
        self.whole_since_ms = np.concatenate([self.whole_since_ms, more])

    def add(self, table: Table) -> None:
        """Keep sorted rows that none of the kept ones equals."""
        self._put(self._next, table, columns_of(table))
        self._next += 1
        self._loose_rows += len(table)

    def replace(self, device: Int64, table: Table) -> None:
        """Keep these rows of the devices in place of all others."""
        self.since[device] = self._next
        self.add(table)

    def _put(self, number: int, table: Table, columns: Columns | None = None, *, compacted: bool = False) -> None:
        if len(table):
            self.layers.append(Layer(number, columns or _narrow(table), int(table.time_ms.max()), compacted))

    def restore(self, since: Int64, whole_since_ms: Int64, layers: dict[int, Table]) -> None:
        """Take what is on disk."""
        self.since, self.whole_since_ms = since, whole_since_ms
        for number, table in sorted(layers.items()):
            self._put(number, table)
            self.layers[-1].saved = True
        self._next = max([*layers, int(since.max(initial=0))], default=0) + 1

    def rows_of(self, device: Int64, lane_rank: Int64) -> Table:
        """Return the rows of (sorted) devices, sorted."""
        parts = [empty_table(self._kind)]
        for layer in self.layers:
            alive = device[self.since[device] <= layer.number]
            index = spans(layer.columns["device"], alive)
            if len(index):
                parts.append(table_of(layer.columns, self._kind, index))
        return sorted_rows(concat(parts), lane_rank)

    def overdue(self) -> bool:
        """Return whether much has come since the layers were last joined."""
        return self._loose_rows > LAYER_ROWS or len(self.layers) > 8 * SMALL_LAYERS

    def join(self, lane_rank: Int64) -> None:
        """Make one layer of the small ones that are not on disk, and one of the oldest small ones if they are many."""
        self._loose_rows = 0
        small = [layer for layer in self.layers if len(layer) < LAYER_ROWS and not layer.compacted]
        self._join([layer for layer in small if not layer.saved], lane_rank)
        small = [layer for layer in self.layers if len(layer) < LAYER_ROWS and not layer.compacted]
        if len(small) > SMALL_LAYERS:
            enough = int(np.searchsorted(np.cumsum([len(layer) for layer in small]), LAYER_ROWS)) + 1
            self._join(small[:max(enough, 2)], lane_rank)

    def _join(self, layers: list[Layer], lane_rank: Int64) -> None:
        if len(layers) > 1:
            table = self._pull(layers, lane_rank)
            self._put(max(layer.number for layer in layers), table)

    def compact(self, before_ms: int, lane_rank: Int64, needed: Callable[[Table], Table]) -> None:
        """Reduce layers that hold nothing at or after a time to what is needed of them."""
        old = [layer for layer in self.layers if layer.compacted or layer.newest_ms < before_ms]
        if old:
            table = self._pull(old, lane_rank)
            np.maximum.at(self.whole_since_ms, table.device, table.time_ms + 1)
            self._put(max(layer.number for layer in old), needed(table), compacted=True)

    def old_rows(self, before_ms: int) -> tuple[int, int]:
        """Return how many rows `compact` would look at for the first time, and again."""
        again = sum(len(layer) for layer in self.layers if layer.compacted)
        return sum(len(x) for x in self.layers if x.newest_ms < before_ms and not x.compacted), again

    def _pull(self, layers: list[Layer], lane_rank: Int64) -> Table:
        """Take layers out and return their rows that count, sorted."""
        parts = [empty_table(self._kind)]
        for layer in layers:
            alive = np.flatnonzero(self.since[layer.columns["device"]] <= layer.number)
            parts.append(table_of(layer.columns, self._kind, alive))
        self.gone += [layer.number for layer in layers if layer.saved]
        self.layers = [layer for layer in self.layers if layer not in layers]
        return sorted_rows(concat(parts), lane_rank)


def _narrow(table: Table) -> Columns:
    """Return the columns of a table (n > 0) in as little room as holds them exactly."""
    out: dict[str, NDArray[Any]] = {}
    for name, column in columns_of(table).items():
        if is_repeated(column):
            out[name] = column
            continue
        low, high = column.min(), column.max()
        if low == high or (low != low and np.isnan(column).all()):  # noqa: PLR0124 - NaN is not itself
            out[name] = repeated(column, len(column))
        elif column.dtype == np.int64 and low >= -(2**31) and high < 2**31:
            out[name] = column.astype(np.int32)
        else:
            out[name] = np.ascontiguousarray(column)
    return out
