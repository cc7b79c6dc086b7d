"""What flows into the series store: raw readings of the journal and derived rows of state.db, each with a cursor.

A cursor moves in the transaction that settles what it passes: with the embedded store the points themselves, with
InfluxDB, where the same point may be written again, after the server's answer. So a crash at any moment loses nothing
and doubles nothing.
"""

import sqlite3
from pathlib import Path
from typing import Protocol

from store.journal import EntryType
from store.journal_reader import JournalReader
from store.ledger import Ledger
from store.raw_points import frame_points
from store.roles import wall_ms
from store.series import SeriesStore
from store.sqlite import connect
from telemetry.channels import Kind
from telemetry.errors import StoreError
from telemetry.frame import Frame, concat_frames
from telemetry.points import Points
from wire.points_codec import decode_points

_LOOK_MS = 100
"""While more is waited for, the journal is looked at this often."""


class Stream(Protocol):
    """Something to ship, in order."""

    name: str

    def ship(self) -> bool:
        """Settle one batch; return whether there was one.

        Raises
        ------
        Waiting
            If the file that another role makes is not there yet.
        JournalError, FrameError, StoreError
            If the source cannot be read, or the store does not take it.
        """
        ...

    def close(self) -> None:
        """Release the source."""
        ...


class Waiting(Exception):  # noqa: N818 - a state, not a mistake
    """A file that another role makes is not there yet."""


class RawStream:
    """Readings of the journal, oldest first."""

    name = "raw"

    def __init__(self, folder: Path, ledger: Ledger, store: SeriesStore) -> None:
        self._journal = JournalReader(folder)
        self._folder = folder
        self._ledger = ledger
        self._store = store
        self._bound = False
        self._look_ms = 0

    def bind(self) -> None:
        """Make sure that series.db belongs to this journal.

        Raises
        ------
        Waiting
            If ingest has not made the journal.
        StoreError
            If it belongs to another.
        """
        if not self._journal.exists():
            msg = f"waits for {self._folder}; start 'voltair ingest'"
            raise Waiting(msg)
        self._ledger.belong_to(self._journal.head()[0])
        self._bound = True

    def close(self) -> None:
        """Release the journal."""
        self._journal.close()

    def ship(self) -> bool:
        """Settle one batch; see `Stream`."""
        if not self._bound:
            self.bind()
        now_ms = wall_ms()
        if now_ms < self._look_ms:
            return False
        store = self._store
        entries = self._journal.read(self._ledger["raw_cursor"], limit_readings=store.batch)
        if not entries:
            return False
        readings = sum(entry.readings for entry in entries)
        if readings < store.worth and 0 <= now_ms - entries[0].time_ms < store.gather_ms:
            self._look_ms = now_ms + _LOOK_MS
            return False
        frames: dict[Kind, list[Frame]] = {}
        for entry in entries:
            if entry.type is EntryType.FRAME:
                frame = entry.frame()
                frames.setdefault(frame.kind, []).append(frame)
        points = [frame_points(concat_frames(same), self._journal.devices) for same in frames.values()]
        with self._ledger.transaction():
            self._ledger.record(store.put([p for p in points if len(p)]), now_ms)
            self._ledger["raw_cursor"] = entries[-1].number
            self._ledger.add("written", readings)
        return True


class DerivedStream:
    """Rows that analytics has put into its outbox."""

    name = "derived"

    def __init__(self, path: Path, ledger: Ledger, store: SeriesStore) -> None:
        self._path = path
        self._ledger = ledger
        self._store = store
        self._db: sqlite3.Connection | None = None

    def ship(self) -> bool:
        """Settle one batch; see `Stream`."""
        batch: list[Points] = []
        count, last = 0, 0
        for n, points, body in self._rows():
            batch.append(decode_points(body))
            count, last = count + points, n
            if count >= self._store.batch:
                break
        if not batch:
            return False
        with self._ledger.transaction():
            self._ledger.record(self._store.put(batch), wall_ms())
            self._ledger["derived_cursor"] = last
        return True

    def close(self) -> None:
        """Release state.db."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _rows(self) -> sqlite3.Cursor:
        cursor = self._ledger["derived_cursor"]
        if self._db is None:
            if not self._path.exists():
                msg = f"waits for {self._path}; start 'voltair analytics'"
                raise Waiting(msg)
            self._db = connect(self._path, read_only=True)
        try:
            newest = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
            if cursor > (newest[0] if newest else 0):
                # state.db began anew or came from a backup; writing a row again changes nothing.
                self._ledger["derived_cursor"] = cursor = 0
            return self._db.execute("SELECT n, points, body FROM outbox WHERE n > ? ORDER BY n", (cursor,))
        except sqlite3.OperationalError as error:
            self.close()
            if "no such table" in str(error):
                msg = f"waits for the tables of {self._path}; start 'voltair analytics'"
                raise Waiting(msg) from error
            msg = f"{self._path} cannot be read ({error}); see whether its disk is in order"
            raise StoreError(msg) from error
