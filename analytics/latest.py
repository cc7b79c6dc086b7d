"""The last word of every device of one kind: values, state, open run."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from analytics.shelf import Change, Shelf
from analytics.table import Table
from store.arrays import encode_arrays
from telemetry.channels import MACHINE_STATE, PORT, PORT_STATUS, Kind
from telemetry.columns import is_blank, known

Int64 = NDArray[np.int64]


class Latest:
    """Columns over all devices of the journal; only those of this kind are used."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.last = np.empty((0, len(kind.values)))
        self.last_ms = np.empty((0, len(kind.values)), np.int64)
        self.state = np.empty(0, np.int8)
        self.charging = np.empty(0, np.bool_)
        self.session = np.empty(0, np.int64)
        self.run_ms = np.empty(0, np.int64)
        self.run_seq = np.empty(0, np.int64)
        self.dead = np.empty(0, np.bool_)
        """Whether the last word was presence 0."""

    def grow(self, count: int) -> None:
        """Make room for `count` devices."""
        more = count - len(self.state)
        if more <= 0:
            return
        columns = len(self.kind.values)
        self.last = np.concatenate([self.last, np.full((more, columns), np.nan)])
        self.last_ms = np.concatenate([self.last_ms, np.zeros((more, columns), np.int64)])
        self.state = np.concatenate([self.state, np.full(more, -1, np.int8)])
        for name in ("session", "run_ms", "run_seq"):
            setattr(self, name, np.concatenate([getattr(self, name), np.zeros(more, np.int64)]))
        for name in ("charging", "dead"):
            setattr(self, name, np.concatenate([getattr(self, name), np.zeros(more, np.bool_)]))

    def put(self, change: Change) -> None:
        """Take the newest rows of a change."""
        table = change.table
        self._put_values(table.take(change.fresh))
        ends = np.flatnonzero(np.r_[table.device[1:] != table.device[:-1], True])
        row, device = ends, table.device[ends]
        self.state[device], self.charging[device] = table.state[row], table.charging[row]
        self.session[device], self.dead[device] = table.session[row], table.death[row]
        self.run_ms[device], self.run_seq[device] = table.run_ms[row], table.run_seq[row]

    def _put_values(self, fresh: Table) -> None:
        for column, cell in enumerate(fresh.values):
            if is_blank(cell):
                continue
            rows = np.flatnonzero(known(cell))
            if not len(rows):
                continue
            owner = fresh.device[rows]
            ends = rows[np.r_[owner[1:] != owner[:-1], True]]
            device = fresh.device[ends]
            newer = fresh.time_ms[ends] >= self.last_ms[device, column]
            device, ends = device[newer], ends[newer]
            self.last[device, column] = cell[ends]
            self.last_ms[device, column] = fresh.time_ms[ends]

    def silent_from_ms(self, shelf: Shelf, deaf_until_ms: int) -> Int64:
        """Return of each device the time from which on it is offline if nothing more comes.

        `deaf_until_ms`: live, the end of the last time in which Voltair could not hear; silence counts from there.
        """
        hold = np.where(self.dead, 0, shelf.devices.offline_after_ms)
        heard = np.where(self.dead, shelf.newest_ms, np.maximum(shelf.newest_ms, deaf_until_ms))
        since: Int64 = heard + hold
        return since

    def encode(self, device: Int64, names: list[str], shelf: Shelf, texts: list[str]) -> bytes:
        """Return the bytes of these devices for `StateReader.devices`."""
        sessions, session = np.unique(self.session[device], return_inverse=True)
        hold = np.where(self.dead[device], 0, shelf.devices.offline_after_ms[device])
        states = PORT_STATUS if self.kind is PORT else MACHINE_STATE if "state" in self.kind.code_index else ()
        arrays = {
            "first_ms": shelf.first_ms[device],
            "newest_ms": shelf.newest_ms[device],
            "hold_ms": hold,
            "state": self.state[device],
            "charging": self.charging[device],
            "session": session.reshape(-1),
            "run_ms": self.run_ms[device],
            "run_seq": self.run_seq[device],
            "last": self.last[device],
            "last_ms": self.last_ms[device],
        }
        return msgspec.msgpack.encode(
            [names, [c.name for c in self.kind.values], states, [texts[s] for s in sessions], encode_arrays(arrays)]
        )
