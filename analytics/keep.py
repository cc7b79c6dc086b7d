"""Which readings must stay in memory so that a late one can still be put between its neighbours.

Kept are: the last cells of every channel (so that the next reading finds its neighbour), everything younger than
`analytics.reorder`, and around every gap the cells on both sides of it. A cell is one value of one channel.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.kernels.segments import stable_order
from analytics.table import CELLS, Table, by_lane
from telemetry.channels import Kind, Role
from telemetry.columns import is_blank, known

Int64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

REGISTER_DEPTH = 8
"""Values of a register that decide about a fall: up to three on either side, the base, and some to spare."""

_LANE_SHIFT = 43
"""Bits of a time in ms up to the year 2248."""


def keep_cells(
    table: Table,
    kind: Kind,
    whole: Mask,
    before: tuple[Int64, Int64],
    after: tuple[Int64, Int64],
    lane_device: Int64,
) -> Table:
    """Return the rows that are needed, with the cells that are not needed emptied.

    Parameters
    ----------
    table
        Sorted rows.
    whole
        (n,) rows that stay as they are.
    before
        Devices and times: of each channel the last cells before that time stay (8 of a register, 1 of others).
    after
        Devices and times: of each channel the first cells at or after that time stay.
    lane_device
        Device of each lane.
    """
    # Marks are looked up by lane, so lanes must stand in their order here.
    lanes = stable_order(table.lane)
    lane_key = (table.lane[lanes] << _LANE_SHIFT) | table.time_ms[lanes]
    marks_before = _by_lane(before, lane_device)
    marks_after = _by_lane(after, lane_device)
    keep_row = whole.copy()
    device_key = (table.device << _LANE_SHIFT) | table.time_ms
    _mark(keep_row, np.arange(len(table)), table.device, device_key, _key(before), _key(after), 1)
    cells: dict[str, list[NDArray[Any]]] = {name: [] for name in CELLS}
    for name, channels in zip(CELLS, (kind.values, kind.codes), strict=True):
        for channel, cell in zip(channels, getattr(table, name), strict=True):
            if is_blank(cell):
                cells[name].append(cell)
                continue
            valid = known(cell)
            own = valid[lanes]
            rows = lanes[own]
            needed = whole.copy()
            depth = REGISTER_DEPTH if channel.role is Role.REGISTER else 1
            _mark(needed, rows, table.lane[rows], lane_key[own], marks_before, marks_after, depth)
            cells[name].append(_only(cell, needed))
            keep_row |= needed & valid
    return table.put(**{name: tuple(columns) for name, columns in cells.items()}).take(keep_row)


def _only(cell: NDArray[Any], needed: Mask) -> NDArray[Any]:
    """Return a column in which all other cells are missing."""
    if is_blank(cell):
        return cell
    return np.where(needed, cell, cell.dtype.type(np.nan if cell.dtype.kind == "f" else -1))


def _key(marks: tuple[Int64, Int64]) -> Int64:
    return (marks[0] << _LANE_SHIFT) | marks[1]


def _by_lane(marks: tuple[Int64, Int64], lane_device: Int64) -> Int64:
    """Return sorted keys (lane, time) of marks given by device."""
    device, time_ms = marks
    order = np.argsort(lane_device, kind="stable")
    first = np.searchsorted(lane_device[order], device, "left")
    count = np.searchsorted(lane_device[order], device, "right") - first
    offset = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    lane = order[np.repeat(first, count) + offset]
    key: Int64 = (lane << _LANE_SHIFT) | np.repeat(time_ms, count)
    return key


def _mark(
    needed: Mask, rows: Int64, group: Int64, key: Int64, before: Int64, after: Int64, depth: int
) -> None:
    """Mark the `depth` rows next to each mark, in the mark's own group."""
    n = len(rows)
    for marks, sides in ((before, range(-depth, 0)), (after, range(depth))):
        at = np.searchsorted(key, marks, "left")
        for side in sides:
            position = at + side
            inside = (position >= 0) & (position < n)
            position = position[inside]
            same = group[position] == marks[inside] >> _LANE_SHIFT
            needed[rows[position[same]]] = True


def last_cells(table: Table, kind: Kind) -> Table:
    """Return of each device of a sorted table the last cells of every channel (8 of a register), and its last row."""
    lanes = by_lane(table)
    keep_row = np.r_[table.device[1:] != table.device[:-1], np.ones(min(len(table), 1), np.bool_)]
    kept: dict[str, list[Mask]] = {name: [] for name in CELLS}
    nothing = np.zeros(len(table), np.bool_)
    for name, channels in zip(CELLS, (kind.values, kind.codes), strict=True):
        for channel, cell in zip(channels, getattr(table, name), strict=True):
            if is_blank(cell):
                kept[name].append(nothing)
                continue
            rows = lanes[known(cell)[lanes]]
            lane = table.lane[rows]
            depth = REGISTER_DEPTH if channel.role is Role.REGISTER else 1
            # A row is among the last `depth` of its lane where the row that many places on is of another one.
            last = np.ones(len(rows), np.bool_)
            last[:-depth] = lane[depth:] != lane[:-depth]
            needed = nothing.copy()
            needed[rows[last]] = True
            kept[name].append(needed)
            keep_row |= needed
    index = np.flatnonzero(keep_row)
    out = table.take(index)
    return out.put(**{
        name: tuple(_only(c, needed[index]) for c, needed in zip(getattr(out, name), masks, strict=True))
        for name, masks in kept.items()
    })
