"""Which readings must stay in memory so that a late one can still be put between its neighbours.

Kept are: the last cells of every channel (so that the next reading finds its neighbour), everything younger than
`analytics.reorder`, and around every gap the cells on both sides of it. A cell is one value of one channel.
"""

import numpy as np
from numpy.typing import NDArray

from analytics.table import Table
from telemetry.channels import Kind, Role

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
    lanes = np.argsort(table.lane, kind="stable")
    lane_key = (table.lane[lanes] << _LANE_SHIFT) | table.time_ms[lanes]
    marks_before = _by_lane(before, lane_device)
    marks_after = _by_lane(after, lane_device)
    keep_row = whole.copy()
    device_key = (table.device << _LANE_SHIFT) | table.time_ms
    _mark(keep_row, np.arange(len(table)), table.device, device_key, _key(before), _key(after), 1)
    values, codes = table.values.copy(), table.codes.copy()
    for cells, channels, missing in ((values, kind.values, np.nan), (codes, kind.codes, -1)):
        for column, channel in enumerate(channels):
            cell = cells[:, column]
            valid = ~np.isnan(cell) if missing != missing else cell >= 0  # noqa: PLR0124 - NaN is not itself
            if not valid.any():
                continue
            own = valid[lanes]
            rows = lanes[own]
            needed = whole.copy()
            depth = REGISTER_DEPTH if channel.role is Role.REGISTER else 1
            _mark(needed, rows, table.lane[rows], lane_key[own], marks_before, marks_after, depth)
            cell[~needed] = missing
            keep_row |= needed & valid
    return table.put(values=values, codes=codes).take(keep_row)


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
    lanes = np.argsort(table.lane, kind="stable")
    keep_row = np.r_[table.device[1:] != table.device[:-1], np.ones(min(len(table), 1), np.bool_)]
    values, codes = table.values.copy(), table.codes.copy()
    for cells, channels, missing in ((values, kind.values, np.nan), (codes, kind.codes, -1)):
        known = ~np.isnan(cells) if missing != missing else cells >= 0  # noqa: PLR0124 - NaN is not itself
        for column in np.flatnonzero(known.any(axis=0)).tolist():
            valid = known[:, column]
            rows = lanes[valid[lanes]]
            lane = table.lane[rows]
            depth = REGISTER_DEPTH if channels[column].role is Role.REGISTER else 1
            # A row is among the last `depth` of its lane where the row that many places on is of another one.
            last = np.ones(len(rows), np.bool_)
            last[:-depth] = lane[depth:] != lane[:-depth]
            needed = np.zeros(len(table), np.bool_)
            needed[rows[last]] = True
            cells[~needed, column] = missing
            keep_row |= needed
    return table.put(values=values, codes=codes).take(keep_row)
