"""When devices fell silent and were heard again, told once the watermark has passed it.

A gap is the time between two neighbouring messages that are further apart than `offline_after_s`, or the time after
presence 0. A late reading takes a gap back as long as the watermark has not reached it.
"""

import numpy as np
from numpy.typing import NDArray

from analytics.folded import Devices
from analytics.shelf import Change, Shelf
from analytics.table import Table

Int64 = NDArray[np.int64]


class Gaps:
    """Gaps of one kind that the watermark has not passed, and who is offline as of the watermark."""

    def __init__(self) -> None:
        self.waiting: dict[tuple[int, int], tuple[int, int]] = {}
        """(device, last message) -> (offline from, heard again)"""
        self.known = np.empty(0, np.bool_)
        """Devices whose first message has been told."""
        self.offline = np.empty(0, np.bool_)
        """Devices of which offline was the last news."""

    def grow(self, count: int) -> None:
        """Make room for `count` devices."""
        more = np.zeros(max(count - len(self.known), 0), np.bool_)
        self.known, self.offline = np.concatenate([self.known, more]), np.concatenate([self.offline, more])

    def put(self, change: Change, devices: Devices) -> None:
        """Take the gaps that a batch closed, and take back those that it filled."""
        before: dict[tuple[int, int], tuple[int, int]] = {}
        if change.before_table is not None:
            rows, _, _ = _gaps(change.before_table, devices)
            of_device, times = change.before_table.device[rows].tolist(), change.before_table.time_ms[rows].tolist()
            for key in zip(of_device, times, strict=True):
                if key in self.waiting:
                    before[key] = self.waiting.pop(key)
        table = change.table
        rows, offline_ms, heard_ms = _gaps(table, devices)
        for true, device, last_ms, off, heard in zip(
            change.fresh[rows + 1].tolist(), table.device[rows].tolist(), table.time_ms[rows].tolist(),
            offline_ms.tolist(), heard_ms.tolist(), strict=True,
        ):
            # Only before a fresh row the row before is the true neighbour: older rows are kept in part. A gap that
            # waits stays where nothing came into it.
            if true or before.get((device, last_ms)) == (off, heard):
                self.waiting[device, last_ms] = (off, heard)

    def news(
        self, shelf: Shelf, silent_from_ms: Int64, mine: Int64, before_ms: int, watermark_ms: int
    ) -> list[tuple[int, bool, int]]:
        """Return (time, offline, device) in order of time, of all that happened up to the watermark.

        Parameters
        ----------
        shelf
            The kind's state.
        silent_from_ms
            (devices,) time from which a device is offline if nothing more comes.
        mine
            The devices asked for.
        before_ms, watermark_ms
            Watermark of the last call and of this one.
        """
        out: list[tuple[int, bool, int]] = []
        new = mine[~self.known[mine] & (shelf.first_ms[mine] <= watermark_ms)]
        out += [(int(shelf.first_ms[d]), False, int(d)) for d in new]
        self.known[new] = True
        asked, covered = set(mine.tolist()), set()
        for key, (off, heard) in sorted(self.waiting.items(), key=lambda item: item[1]):
            device = key[0]
            if device not in asked or off > watermark_ms:
                continue
            if off > before_ms and not self.offline[device]:
                self.offline[device] = True
                out.append((off, True, device))
            if heard > watermark_ms:
                covered.add(device)
                continue
            del self.waiting[key]
            if self.offline[device]:
                self.offline[device] = False
                out.append((heard, False, device))
        silent = self.known[mine] & (silent_from_ms[mine] <= watermark_ms)
        begun = mine[silent & ~self.offline[mine]]
        out += [(int(max(silent_from_ms[d], before_ms)), True, int(d)) for d in begun]
        self.offline[begun] = True
        # A gap that a backlog has filled altogether leaves nothing waiting: the device was there all the time.
        for device in mine[self.offline[mine] & ~silent].tolist():
            if device not in covered:
                self.offline[device] = False
                out.append((int(min(shelf.newest_ms[device], watermark_ms)), False, device))
        return sorted(out)


def _gaps(table: Table, devices: Devices) -> tuple[Int64, Int64, Int64]:
    """Return (rows before, offline from, heard again) of the gaps between neighbouring rows."""
    t0, t1 = table.time_ms[:-1], table.time_ms[1:]
    hold = np.where(table.death[:-1], 0, devices.offline_after_ms[table.device[:-1]])
    rows = np.flatnonzero((table.device[1:] == table.device[:-1]) & (t1 - t0 > hold) & ~table.death[1:])
    return rows, (t0 + hold)[rows], t1[rows]
