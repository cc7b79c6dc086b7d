"""Readings of one kind as analytics keeps them: in order of device, time, `seq` and connector, each identity once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.kernels.segments import stable_order
from telemetry.channels import Kind
from telemetry.columns import is_repeated, join, known, pick, repeated

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
Index = NDArray[np.int64] | NDArray[np.bool_]
Columns = Mapping[str, NDArray[Any]]
"""A table as named columns: those of `values` are `values/0`, `values/1` and so on."""

NO_RUN = -1


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """n readings. The first columns are what devices sent; the last six are what a fold found out.

    Columns that are all one value may keep it once (`telemetry.columns`): none is ever written into.
    """

    device: Int64
    """(n,) device index."""
    time_ms: Int64
    seq: Int64
    """-1 where absent."""
    lane: Int64
    """(n,) index of the (device, connector)."""
    late: NDArray[np.bool_]
    """(n,) whether it came after a newer reading of its device: a correction, which never changes an alert."""
    death: NDArray[np.bool_]
    """(n,) presence 0: the device is offline from here until it is heard again."""
    values: tuple[Float64, ...]
    """Of each value of the kind (n,), NaN where missing."""
    codes: tuple[Int64, ...]
    """Of each code of the kind (n,): state code or text id, -1 where missing."""
    state: NDArray[np.int8]
    """(n,) state of the device from this row on; -1 unknown."""
    charging: NDArray[np.bool_]
    session: Int64
    """(n,) text id of the session, 0 for none."""
    lane_session: Int64
    """(n,) text id of the session that the row's connector carries."""
    run_ms: Int64
    """(n,) start of the run to which the time after this row belongs."""
    run_seq: Int64

    def __len__(self) -> int:
        return len(self.device)

    def take(self, index: Index) -> "Table":
        """Return the rows at `index` (positions or mask)."""
        if index.dtype == np.bool_ and index.all():
            return self
        rows: Int64 = np.flatnonzero(index) if index.dtype == np.bool_ else index.astype(np.int64, copy=False)
        return _each(lambda columns: pick(columns[0], rows), [self])

    def put(self, **columns: NDArray[np.generic] | Sequence[NDArray[Any]]) -> "Table":
        """Return the table with some columns replaced."""
        return replace(self, **columns)  # type: ignore[arg-type]  # columns are named by their fields


def _each(make: Callable[[list[NDArray[Any]]], NDArray[Any]], tables: list[Table]) -> Table:
    """Return a table whose columns are made of the same columns of others."""
    made: list[Any] = []
    for name in Table.__slots__:
        columns = [getattr(t, name) for t in tables]
        made.append(tuple(make(list(c)) for c in zip(*columns, strict=True)) if name in CELLS else make(columns))
    return Table(*made)


CELLS = ("values", "codes")


def concat(parts: list[Table]) -> Table:
    """Stack tables of one kind."""
    some = [p for p in parts if len(p)]
    return _each(join, some) if len(some) > 1 else (some or parts)[0]


def empty_table(kind: Kind) -> Table:
    """Return a table without rows."""
    none = np.empty(0, np.int64)
    no = np.empty(0, np.bool_)
    return Table(
        none, none, none, none, no, no, (np.empty(0),) * len(kind.values), (none,) * len(kind.codes),
        np.empty(0, np.int8), no, none, none, none, none,
    )


def columns_of(table: Table) -> dict[str, NDArray[Any]]:
    """Return the columns of a table."""
    out: dict[str, NDArray[Any]] = {}
    for name in Table.__slots__:
        column = getattr(table, name)
        if name in CELLS:
            out |= {f"{name}/{i}": cells for i, cells in enumerate(column)}
        else:
            out[name] = column
    return out


def table_of(columns: Columns, kind: Kind, index: Int64 | None = None) -> Table:
    """Return the rows at `index` (None: all) of columns, which may be narrower than a table's."""

    def read(name: str, like: NDArray[Any]) -> Any:
        column = columns[name] if index is None else pick(columns[name], index)
        if column.dtype == like.dtype:
            return column
        cell = column[:1].astype(like.dtype)
        return repeated(cell, len(column)) if is_repeated(column) else column.astype(like.dtype)

    empty = empty_table(kind)
    made: list[Any] = []
    for name in Table.__slots__:
        like = getattr(empty, name)
        made.append(
            tuple(read(f"{name}/{i}", one) for i, one in enumerate(like)) if name in CELLS else read(name, like)
        )
    return Table(*made)


def spans(device: NDArray[np.integer[Any]], wanted: Int64) -> Int64:
    """Return the rows of the wanted (sorted) devices among rows sorted by device."""
    first = np.searchsorted(device, wanted, "left")
    count = np.searchsorted(device, wanted, "right") - first
    rows: Int64 = np.repeat(first - np.cumsum(count) + count, count) + np.arange(count.sum())
    return rows


def sorted_rows(table: Table, lane_rank: Int64) -> Table:
    """Sort rows by device, time, `seq` and name of the connector: lanes are numbered as they happened to arrive."""
    order = stable_order(table.device)
    device, time_ms = table.device[order], table.time_ms[order]
    if not ((device[1:] == device[:-1]) & (time_ms[1:] <= time_ms[:-1])).any():
        return table.take(order)
    return table.take(np.lexsort((lane_rank[table.lane], table.seq, table.time_ms, table.device)))


def by_lane(table: Table) -> Int64:
    """Return the rows of a table that is sorted by device, those of each lane together and in their order."""
    lane, device = table.lane, table.device
    if ((lane[1:] == lane[:-1]) == (device[1:] == device[:-1])).all():
        return np.arange(len(table))
    return stable_order(lane)


def sort_and_merge(table: Table, lane_rank: Int64) -> tuple[Table, NDArray[np.bool_]]:
    """Sort rows given in order of arrival, and merge rows of the same identity channel by channel.

    Parameters
    ----------
    table
        Rows in order of arrival.
    lane_rank
        Order of lanes by name of their connector.

    Returns
    -------
    The sorted table, and for each of its rows whether a value was replaced by a different one.
    """
    t = sorted_rows(table, lane_rank)
    if len(t) < 2:
        return t, np.zeros(len(t), np.bool_)
    same = (
        (t.device[1:] == t.device[:-1])
        & (t.time_ms[1:] == t.time_ms[:-1])
        & (t.seq[1:] == t.seq[:-1])
        & (t.lane[1:] == t.lane[:-1])
    )
    if not same.any():
        return t, np.zeros(len(t), np.bool_)
    first = np.flatnonzero(np.r_[True, ~same])
    last = np.r_[first[1:], len(t)] - 1
    merged = t.take(first)
    replaced = np.zeros(len(first), np.bool_)
    cells = {}
    for name in CELLS:
        columns = []
        for column in getattr(t, name):
            picked, differs = _last_of_groups(column, first, last)
            columns.append(picked)
            replaced |= differs
        cells[name] = tuple(columns)
    return merged.put(**cells, death=np.logical_or.reduceat(t.death, first)), replaced


def _last_of_groups(
    cells: NDArray[Any], first: Int64, last: Int64
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the last valid cell of a column in each group of rows, and whether valid cells differed."""
    if is_repeated(cells):
        return repeated(cells, len(first)), np.zeros(len(first), np.bool_)
    place, valid = np.arange(len(cells)), known(cells)
    at = np.maximum.reduceat(np.where(valid, place, -1), first)
    picked = cells[np.where(at >= 0, at, last)]
    earliest = np.minimum.reduceat(np.where(valid, place, len(cells)), first)
    other = cells[np.minimum(earliest, len(cells) - 1)]
    return picked, (at >= 0) & (at != earliest) & (other != picked)
