"""Readings of one kind as analytics keeps them: in order of device, time, `seq` and connector, each identity once."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telemetry.channels import Kind

Int64 = NDArray[np.int64]
Index = NDArray[np.int64] | NDArray[np.bool_]
Columns = Mapping[str, NDArray[Any]]
"""A table as columns of one dimension: those of `values` are `values/0`, `values/1` and so on."""

NO_RUN = -1


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """n readings. The first columns are what devices sent; the last six are what a fold found out."""

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
    values: NDArray[np.float64]
    """(n, values of the kind) NaN where missing."""
    codes: NDArray[np.int64]
    """(n, codes of the kind) state code or text id, -1 where missing."""
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
        return Table(*(getattr(self, name)[index] for name in Table.__slots__))

    def put(self, **columns: NDArray[np.generic]) -> "Table":
        """Return the table with some columns replaced."""
        return replace(self, **columns)  # type: ignore[arg-type]  # columns are named by their fields


def concat(parts: list[Table]) -> Table:
    """Stack tables of one kind."""
    if len(parts) == 1:
        return parts[0]
    return Table(*(np.concatenate([getattr(p, name) for p in parts]) for name in Table.__slots__))


def empty_table(kind: Kind) -> Table:
    """Return a table without rows."""
    none = np.empty(0, np.int64)
    no = np.empty(0, np.bool_)
    return Table(
        none, none, none, none, no, no,
        np.empty((0, len(kind.values))), np.empty((0, len(kind.codes)), np.int64),
        np.empty(0, np.int8), no, none, none, none, none,
    )


def columns_of(table: Table) -> dict[str, NDArray[Any]]:
    """Return the columns of a table."""
    out: dict[str, NDArray[Any]] = {}
    for name in Table.__slots__:
        column = getattr(table, name)
        if column.ndim == 1:
            out[name] = column
        else:
            out |= {f"{name}/{i}": column[:, i] for i in range(column.shape[1])}
    return out


def table_of(columns: Columns, kind: Kind, index: Int64 | slice = slice(None)) -> Table:
    """Return the rows at `index` of columns, which may be narrower than a table's."""
    empty = empty_table(kind)
    parts = []
    for name in Table.__slots__:
        like = getattr(empty, name)
        if like.ndim == 1:
            parts.append(columns[name][index].astype(like.dtype))
            continue
        cells = [columns[f"{name}/{i}"][index] for i in range(like.shape[1])]
        n = len(parts[0])
        parts.append(np.stack(cells, axis=1).astype(like.dtype) if cells else np.empty((n, 0), like.dtype))
    return Table(*parts)


def spans(device: NDArray[np.integer[Any]], wanted: Int64) -> Int64:
    """Return the rows of the wanted (sorted) devices among rows sorted by device."""
    first = np.searchsorted(device, wanted, "left")
    count = np.searchsorted(device, wanted, "right") - first
    rows: Int64 = np.repeat(first - np.cumsum(count) + count, count) + np.arange(count.sum())
    return rows


def sorted_rows(table: Table, lane_rank: Int64) -> Table:
    """Sort rows by device, time, `seq` and name of the connector: lanes are numbered as they happened to arrive."""
    return table.take(np.lexsort((lane_rank[table.lane], table.seq, table.time_ms, table.device)))


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
    values, replaced_v = _last_of_groups(t.values, ~np.isnan(t.values), first, last)
    codes, replaced_c = _last_of_groups(t.codes, t.codes >= 0, first, last)
    return merged.put(
        values=values, codes=codes, death=np.logical_or.reduceat(t.death, first)
    ), replaced_v | replaced_c


def _last_of_groups(
    cells: NDArray[np.generic], valid: NDArray[np.bool_], first: Int64, last: Int64
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Return the last valid cell of each column in each group of rows, and whether valid cells differed."""
    if not cells.shape[1]:
        return cells[first], np.zeros(len(first), np.bool_)
    rows = np.where(valid, np.arange(len(cells))[:, None], -1)
    at = np.maximum.reduceat(rows, first, axis=0)
    columns = np.arange(cells.shape[1])
    picked = cells[np.where(at >= 0, at, last[:, None]), columns]
    earliest = np.minimum.reduceat(np.where(valid, np.arange(len(cells))[:, None], len(cells)), first, axis=0)
    other = cells[np.minimum(earliest, len(cells) - 1), columns]
    replaced = ((at >= 0) & (at != earliest) & (other != picked)).any(axis=1)
    return picked, replaced
