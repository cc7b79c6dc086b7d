"""One kind of device in memory: what is kept of its readings, and how a batch changes the minutes.

Readings newer than all before them take the fast way: their neighbours are the last cells of their device. Late
ones, and devices whose register has fallen, take the full way: all kept rows of the device are folded before and
after, and the difference is what the batch has changed. Both ways give the same sums.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analytics.fold import annotate, fold
from analytics.folded import METERED, NEVER, Devices, Folded
from analytics.heads import Heads
from analytics.keep import keep_cells, last_cells
from analytics.kept import LAYER_ROWS, Kept
from analytics.kernels.segments import group_starts, stable_order
from analytics.power import with_power
from analytics.repeats import Repeats
from analytics.table import Table, concat, sort_and_merge
from telemetry.channels import Kind, Role
from telemetry.columns import is_blank, known
from telemetry.times import DAY_MS

Int64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

LONG_AGO = np.iinfo(np.int64).min // 4
OPEN_MS = DAY_MS
"""A gap stays open for its backlog until the device is this far beyond it."""
REGIONS_PER_DEVICE = 64
"""The newest gaps of a device that are remembered."""


@dataclass(slots=True)
class Change:
    """What a batch did to one kind."""

    table: Table
    """Rows after the batch, annotated."""
    after: Folded
    before_table: Table | None = None
    before: Folded | None = None
    """What has to be taken away: the same rows without the late ones."""
    fresh: Mask = field(default_factory=lambda: np.empty(0, np.bool_))
    """Rows of `table` that are new or may have changed."""
    news: Mask = field(default_factory=lambda: np.empty(0, np.bool_))
    """Rows of `table` newer than all before, in order of arrival: those that may change an alert."""
    replaced_from: dict[int, int] = field(default_factory=dict)
    """Device -> time from which minima and maxima must be set anew, where a value was replaced."""


@dataclass(slots=True)
class Regions:
    """Gaps longer than `offline_after_s`, in which late readings are exact."""

    device: Int64 = field(default_factory=lambda: np.empty(0, np.int64))
    start_ms: Int64 = field(default_factory=lambda: np.empty(0, np.int64))
    """Last message before the gap."""
    end_ms: Int64 = field(default_factory=lambda: np.empty(0, np.int64))
    """First message after the gap."""

    def add(self, device: Int64, start_ms: Int64, end_ms: Int64) -> None:
        """Remember gaps; of each device only the newest ones."""
        self.device = np.concatenate([self.device, device])
        self.start_ms = np.concatenate([self.start_ms, start_ms])
        self.end_ms = np.concatenate([self.end_ms, end_ms])
        order = np.lexsort((self.start_ms, self.device))
        starts = group_starts(self.device[order])
        size = np.bincount(starts, minlength=len(order))[starts]
        recent = np.arange(len(order)) - starts >= size - REGIONS_PER_DEVICE
        self.keep(order[recent])

    def keep(self, index: NDArray[np.int64] | Mask) -> None:
        """Forget all other gaps."""
        self.device, self.start_ms, self.end_ms = self.device[index], self.start_ms[index], self.end_ms[index]

    def end_of(self, device: Int64, time_ms: Int64) -> Int64:
        """Return the end of the gap of its device in which each time lies, `LONG_AGO` where it lies in none."""
        if not len(self.device):
            return np.full(len(device), LONG_AGO)
        order = np.lexsort((self.start_ms, self.device))
        key = (self.device[order] << 43) | self.start_ms[order]
        at = np.searchsorted(key, (device << 43) | time_ms, "left") - 1
        found = order[np.maximum(at, 0)]
        inside = (at >= 0) & (self.device[found] == device) & (time_ms < self.end_ms[found])
        return np.where(inside, self.end_ms[found], LONG_AGO)


class Shelf:
    """State of one kind. Device indices are those of the journal."""

    def __init__(self, kind: Kind, devices: Devices, *, reorder_ms: int, backfill_ms: int) -> None:
        self.kind = kind
        self.devices = devices
        self._reorder_ms = reorder_ms
        self._backfill_ms = backfill_ms
        self.newest_ms = np.empty(0, np.int64)
        """Newest time of each device; `LONG_AGO` before the first message."""
        self.newest_seq = np.empty(0, np.int64)
        self.first_ms = np.empty(0, np.int64)
        self.heads = Heads(kind)
        self.kept = Kept(kind)
        self.regions = Regions()
        self.repeats = Repeats()

    def grow(self, count: int) -> None:
        """Make room for `count` devices."""
        more = count - len(self.newest_ms)
        if more > 0:
            fill = np.full(more, LONG_AGO)
            self.newest_ms = np.concatenate([self.newest_ms, fill])
            self.first_ms = np.concatenate([self.first_ms, np.full(more, NEVER)])
            self.newest_seq = np.concatenate([self.newest_seq, fill])
        self.kept.grow(count)
        self.heads.grow(count)

    def admit(self, table: Table) -> tuple[Table, Mask]:
        """Mark which readings, in order of arrival, are late, and which are too late for their neighbours.

        Remembers the gaps that the readings open.

        Returns
        -------
        The readings that can be taken, and the mask of those set aside; repetitions of old readings are neither.
        """
        order = stable_order(table.device)
        d, t, seq = table.device[order], table.time_ms[order], table.seq[order]
        starts = group_starts(d)
        first = np.arange(len(t)) == starts
        newest = self.newest_ms[d]
        # One running maximum over all devices: each device lives in its own range of numbers.
        lift = np.cumsum(first) << 43
        running = np.maximum.accumulate(np.maximum(t, newest) + lift) - lift
        before = np.where(first, newest, np.r_[LONG_AGO, running[:-1]])
        gap = (before != LONG_AGO) & (t - before > self.devices.offline_after_ms[d])
        if gap.any():
            self.regions.add(d[gap], before[gap], t[gap])
        old = t < before - self._reorder_ms
        refused = np.zeros(len(t), np.bool_)
        if old.any():
            exact = (self.regions.end_of(d[old], t[old]) != LONG_AGO) & (t[old] >= before[old] - self._backfill_ms)
            refused[order[old]] = ~exact
        late = np.empty(len(t), np.bool_)
        again = t == before
        if again.any():
            again &= seq < self._newest_seq_before(d, t, seq, running)
        late[order] = (t < before) | again
        taken = table.put(late=late).take(~refused)
        repeated = self.repeats.known(table, refused) if refused.any() else refused
        self.repeats.add(table)
        return taken, refused & ~repeated

    def _newest_seq_before(self, device: Int64, time_ms: Int64, seq: Int64, running: Int64) -> Int64:
        """Return for each reading, by device in order of arrival, the largest `seq` so far of the newest time so far.

        `running` is the newest time of the device up to and with each reading.
        """
        same = np.r_[False, (device[1:] == device[:-1]) & (running[1:] == running[:-1])]
        known = np.where(running == self.newest_ms[device], self.newest_seq[device], LONG_AGO)
        stretch = np.cumsum(~same)
        rank = np.unique(np.concatenate([np.where(time_ms == running, seq, LONG_AGO), known]), return_inverse=True)
        values, place = rank[0], rank[1].reshape(2, -1).max(axis=0)
        lift = stretch * (len(values) + 1)
        highest = np.maximum.accumulate(place + lift) - lift
        so_far = values[highest]
        return np.where(same, np.r_[LONG_AGO, so_far[:-1]], known)

    def take(self, batch: Table) -> list[Change]:
        """Put a batch of accepted readings, in order of arrival, into the kept rows; return what changed."""
        batch = with_power(batch, self.devices)
        new, _ = sort_and_merge(batch, self.devices.lane_rank)
        head_of = self.heads.of(new.device[np.r_[True, new.device[1:] != new.device[:-1]]])
        ahead = (new.time_ms > self.newest_ms[new.device]) | (
            (new.time_ms == self.newest_ms[new.device]) & (new.seq > self.newest_seq[new.device])
        )
        slow = np.union1d(new.device[~ahead], self._fallen(concat([head_of, new])))
        changes = []
        full = np.isin(new.device, slow)
        if not full.all():
            changes.append(self._fast(new.take(~full), head_of.take(~np.isin(head_of.device, slow))))
        if full.any():
            late = np.isin(batch.device, slow)
            changes.append(self._full(batch.take(late), slow))
        self._advance(new)
        if self.kept.overdue():
            self.tidy()
        return changes

    def _fallen(self, table: Table) -> Int64:
        """Return the devices with a register that falls among its values; rows of a lane stand in their order."""
        order = stable_order(table.lane)
        fallen = []
        for channel, cell in zip(self.kind.values, table.values, strict=True):
            if channel.role is not Role.REGISTER or is_blank(cell):
                continue
            rows = order[known(cell)[order]]
            falls = (np.diff(cell[rows]) < 0) & (table.lane[rows[1:]] == table.lane[rows[:-1]])
            fallen.append(table.device[rows[1:]][falls])
        return np.unique(np.concatenate(fallen)) if fallen else np.empty(0, np.int64)

    def _note_first_registers(self, new: Table) -> None:
        for register, first in self.devices.first_register_ms.items():
            rows = known(new.values[self.kind.value_index[register]])
            np.minimum.at(first, new.lane[rows], new.time_ms[rows])

    def _fast(self, new: Table, head: Table) -> Change:
        self._note_first_registers(new)
        joined = concat([head, new])
        fresh = np.r_[np.zeros(len(head), np.bool_), np.ones(len(new), np.bool_)]
        order = stable_order(joined.device)
        fresh = fresh[order]
        table = annotate(joined.take(order), fresh, self.devices)
        self.heads.put(last_cells(table, self.kind))
        self.kept.add(table.take(fresh))
        return Change(table, fold(table, fresh, self.devices), fresh=fresh, news=fresh & ~table.late)

    def _full(self, late: Table, device: Int64) -> Change:
        before = self.kept.rows_of(device, self.devices.lane_rank)
        taken = fold(before, np.ones(len(before), np.bool_), self.devices)
        self._note_first_registers(late)
        after, replaced = sort_and_merge(concat([before, late]), self.devices.lane_rank)
        fresh = self._changed(after, late)
        after = annotate(after, fresh, self.devices)
        given = fold(after, np.ones(len(after), np.bool_), self.devices)
        self.kept.replace(device, after)
        self.heads.put(last_cells(after, self.kind))
        newest = self.newest_ms[after.device]
        # Another connector may speak in the newest reading's millisecond: that is no correction.
        news = (after.time_ms > newest) | ((after.time_ms == newest) & (after.seq >= self.newest_seq[after.device]))
        anew = {int(d): int(self.newest_ms[d]) - self._reorder_ms for d in np.unique(after.device[replaced])}
        return Change(after, given, before, taken, fresh, news & ~after.late, anew)

    def _changed(self, after: Table, late: Table) -> Mask:
        """Return the rows whose state may have changed: from the earliest late reading on, as far as all are kept."""
        earliest = np.full(len(self.newest_ms), NEVER)
        np.minimum.at(earliest, late.device, late.time_ms)
        tail_start = self.newest_ms - self._reorder_ms
        old = late.time_ms < tail_start[late.device]
        region_end = np.full(len(self.newest_ms), LONG_AGO)
        np.maximum.at(region_end, late.device[old], self.regions.end_of(late.device[old], late.time_ms[old]))
        # What a backlog says last may hold on beyond its gap.
        region_end[region_end >= self.kept.whole_since_ms] = NEVER
        device, time_ms = after.device, after.time_ms
        changed: Mask = (time_ms >= earliest[device]) & (
            (time_ms <= region_end[device]) | (time_ms >= tail_start[device])
        )
        return changed

    def _advance(self, new: Table) -> None:
        """Move newest and first times on."""
        np.minimum.at(self.first_ms, new.device, new.time_ms)
        last = np.r_[new.device[1:] != new.device[:-1], True]
        device, time_ms, seq = new.device[last], new.time_ms[last], new.seq[last]
        ahead = (time_ms > self.newest_ms[device]) | (
            (time_ms == self.newest_ms[device]) & (seq > self.newest_seq[device])
        )
        self.newest_ms[device[ahead]] = time_ms[ahead]
        self.newest_seq[device[ahead]] = seq[ahead]

    def tidy(self) -> None:
        """Forget what no late reading can need any more once it is worth the work, and join layers."""
        horizon_ms = int(self.newest_ms.max(initial=LONG_AGO)) - self._reorder_ms
        first, again = self.kept.old_rows(horizon_ms)
        if first > max(LAYER_ROWS // 2, 2 * again):
            self.compact(horizon_ms)
        self.kept.join(self.devices.lane_rank)

    def compact(self, before_ms: int = NEVER) -> None:
        """Forget the rows that no late reading can need any more, in layers that hold nothing from `before_ms` on.

        What is needed of some layers holds all that is needed of them when all are looked at together: the last
        cells before a time are among the last ones of their layers. Between the ends of a closed gap rows never lie
        in several layers: late ones came with all rows of their device.
        """
        self.kept.compact(before_ms, self.devices.lane_rank, self._needed)

    def _needed(self, rows: Table) -> Table:
        regions = self.regions
        regions.keep(self.newest_ms[regions.device] - regions.start_ms <= self._backfill_ms)
        tail_start = self.newest_ms - self._reorder_ms
        whole = rows.time_ms >= tail_start[rows.device]
        self._split_closed_regions(rows)
        self._keep_open_regions(rows, whole, np.flatnonzero(self._is_open()))
        self._keep_measured(rows, whole)
        device = np.unique(rows.device)
        before = (
            np.concatenate([device, regions.device, regions.device]),
            np.concatenate([tail_start[device], regions.start_ms + 1, regions.end_ms]),
        )
        after = (regions.device, regions.end_ms)
        return keep_cells(rows, self.kind, whole, before, after, self.devices.lane_device)

    def _is_open(self) -> Mask:
        regions = self.regions
        still: Mask = self.newest_ms[regions.device] - regions.end_ms <= OPEN_MS
        return still

    def _split_closed_regions(self, rows: Table) -> None:
        """Take what was filled out of closed gaps: its rows are about to go, and without them nothing fits between."""
        regions = self.regions
        key = (rows.device << 43) | rows.time_ms
        first = np.searchsorted(key, (regions.device << 43) | regions.start_ms, "left")
        last = np.searchsorted(key, (regions.device << 43) | regions.end_ms, "right")
        filled = np.zeros(len(first), np.bool_)
        parts = [np.empty((0, 3), np.int64)]
        for i in np.flatnonzero(~self._is_open() & (last - first > 2)).tolist():
            device, times = regions.device[i], np.unique(rows.time_ms[first[i]:last[i]])
            if len(times) > 2:
                filled[i] = True
                gap = np.flatnonzero(np.diff(times) > self.devices.offline_after_ms[device])
                parts.append(np.column_stack((np.full(len(gap), device), times[gap], times[gap + 1])))
        if filled.any():
            regions.keep(~filled)
            regions.add(*np.concatenate(parts).T)

    def _keep_open_regions(self, rows: Table, whole: Mask, index: Int64) -> None:
        """Keep all rows inside gaps whose backlog may still come or come again."""
        regions = self.regions
        key = (rows.device << 43) | rows.time_ms
        first = np.searchsorted(key, (regions.device[index] << 43) | regions.start_ms[index], "left")
        last = np.searchsorted(key, (regions.device[index] << 43) | regions.end_ms[index], "right")
        step = np.zeros(len(rows) + 1, np.int64)
        np.add.at(step, first, 1)
        np.add.at(step, last, -1)
        whole |= np.cumsum(step[:-1]) > 0

    def _keep_measured(self, base: Table, whole: Mask) -> None:
        """Keep the power and flow under the last values of a register, which a reset would be filled from."""
        for register in METERED:
            if register not in self.kind.value_index:
                continue
            rows = np.flatnonzero(known(base.values[self.kind.value_index[register]]))
            order = rows[np.lexsort((base.time_ms[rows], base.lane[rows]))]
            lane = base.lane[order]
            starts = group_starts(lane)
            size = np.bincount(starts, minlength=len(order))[starts] if len(order) else starts
            fifth = np.arange(len(order)) == starts + np.maximum(size - 5, 0)
            since = np.full(len(self.devices.lane_device), NEVER)
            since[lane[fifth]] = np.maximum(
                base.time_ms[order[fifth]], self.newest_ms[base.device[order[fifth]]] - MEASURED_KEPT_MS
            )
            whole |= base.time_ms >= since[base.lane]


MEASURED_KEPT_MS = 6 * 3_600_000 + 900_000
"""How long the measured power under a register is kept: the limit of a fill, and the reorder time."""
