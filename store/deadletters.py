"""dead-letters.db in the journal's folder: what could not be read, with its reason and its original bytes.

Only ingest writes here. A batch's dead letters are committed just before its journal entries and carry the number
of the first of them, so that those of a batch that never came to be are found and removed at the next start.
Letters that are read after all are marked with the number of the entry that holds their readings before that entry is
committed, and removed after it: killed in between, the next start knows from the journal which of the two it is.
"""

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from store.sqlite import connect
from telemetry.errors import JournalFull

FILE = "dead-letters.db"
KEEP_LETTERS = 100_000
"""Older dead letters go beyond this many,"""
KEEP_BYTES = 268_435_456
"""or beyond this many bytes of payload; the count of `/progress` never falls."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS letter(
    id INTEGER PRIMARY KEY AUTOINCREMENT, batch INTEGER, time_ms INTEGER, topic TEXT, reason TEXT, payload BLOB,
    element INTEGER, content_type TEXT, settled INTEGER)
"""
_COLUMNS = "id, batch, time_ms, topic, reason, payload, element, content_type"


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One message, or one element of it, that could not be read."""

    id: int = 0
    """Place in the list, from 1; 0: not stored yet."""
    batch: int = 0
    """Number of the journal entry before which it was stored."""
    time_ms: int
    """Receipt."""
    topic: str
    reason: str
    """What is wrong with it."""
    payload: bytes
    """The whole message as it came."""
    element: int | None = None
    """Place in the array; None: the whole message."""
    content_type: str = ""


class DeadLetterWriter:
    """The end at which ingest adds; one process holds it (`store.roles.RoleLock`)."""

    def __init__(self, folder: Path, last_entry: int) -> None:
        """Open the file, and remove the letters of a batch after `last_entry`: its messages come again."""
        folder.mkdir(parents=True, exist_ok=True)
        self._db = connect(folder / FILE, durable=True)
        self._db.execute(_SCHEMA)
        if "settled" not in [column[1] for column in self._db.execute("PRAGMA table_info(letter)")]:
            self._db.execute("ALTER TABLE letter ADD COLUMN settled INTEGER")  # a file of release 0.1
        self._db.execute("DELETE FROM letter WHERE batch > ? OR settled <= ?", (last_entry, last_entry))
        self._db.execute("UPDATE letter SET settled = NULL WHERE settled IS NOT NULL")
        self._count()

    def _count(self) -> None:
        row = self._db.execute("SELECT count(*), coalesce(sum(length(payload)), 0) FROM letter").fetchone()
        self._letters, self._bytes = int(row[0]), int(row[1])

    def add(self, letters: Sequence[DeadLetter], batch: int) -> None:
        """Commit letters durably; the oldest make room.

        Raises
        ------
        JournalFull
            If the disk is full; nothing was written, try again later.
        """
        count, size = self._letters, self._bytes
        with self._transaction():
            self._insert(letters, batch)
            count += len(letters)
            size += sum(len(x.payload) for x in letters)
            if count > KEEP_LETTERS or size > KEEP_BYTES:
                count, size = self._make_room(count, size)
        self._letters, self._bytes = count, size

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        db = self._db
        try:
            db.execute("BEGIN IMMEDIATE")
            yield
            db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            msg = f"dead letters cannot be written ({error}); free space on the journal's disk"
            raise JournalFull(msg) from error

    def _insert(self, letters: Sequence[DeadLetter], batch: int) -> None:
        self._db.executemany(
            f"INSERT INTO letter({_COLUMNS}) VALUES(NULL, ?, ?, ?, ?, ?, ?, ?)",
            [(batch, x.time_ms, x.topic, x.reason, x.payload, x.element, x.content_type) for x in letters],
        )

    def settle(
        self, done: Collection[int], still: Mapping[int, str], parts: Sequence[DeadLetter], entry: int
    ) -> None:
        """Mark letters whose readings an entry of the journal will hold; `settled` or `unsettle` must follow.

        Parameters
        ----------
        done
            Ids of those that are read.
        still
            Id -> reason of those that are not.
        parts
            What is wrong with single elements of those that are read.
        entry
            Number of the journal's entry.

        Raises
        ------
        JournalFull
            If the disk is full; nothing was written.
        """
        with self._transaction():
            self._db.executemany("UPDATE letter SET reason = ? WHERE id = ?", [(y, id_) for id_, y in still.items()])
            self._insert(parts, entry)
            self._db.executemany("UPDATE letter SET settled = ? WHERE id = ?", [(entry, id_) for id_ in done])

    def settled(self, entry: int) -> None:
        """Remove the letters whose readings an entry holds, now that it is committed."""
        with self._transaction():
            self._db.execute("DELETE FROM letter WHERE settled <= ?", (entry,))
        self._count()

    def unsettle(self, entry: int) -> None:
        """Take `settle` back: the entry was not committed."""
        with self._transaction():
            self._db.execute("DELETE FROM letter WHERE batch = ?", (entry,))
            self._db.execute("UPDATE letter SET settled = NULL WHERE settled = ?", (entry,))

    def drop(self, ids: Collection[int]) -> None:
        """Remove letters for good."""
        with self._transaction():
            self._db.executemany("DELETE FROM letter WHERE id = ?", [(id_,) for id_ in ids])
        self._count()

    def _make_room(self, count: int, size: int) -> tuple[int, int]:
        """Remove the oldest letters down to nine tenths of the limits; return what stays."""
        last = 0
        rows = self._db.execute("SELECT id, length(payload) FROM letter ORDER BY id")
        for id_, length in rows:
            if count <= KEEP_LETTERS * 9 // 10 and size <= KEEP_BYTES * 9 // 10:
                break
            last, count, size = id_, count - 1, size - length
        rows.close()
        self._db.execute("DELETE FROM letter WHERE id <= ?", (last,))
        return count, size

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def read_dead_letters(folder: Path, *, after: int = 0, limit: int = 100, newest: bool = False) -> list[DeadLetter]:
    """Return dead letters with an id above `after`, oldest first (or the `newest` first); [] where there are none yet.

    Parameters
    ----------
    folder
        The journal's folder.
    """
    if not (folder / FILE).exists():
        return []
    db = connect(folder / FILE, read_only=True)
    order = "DESC" if newest else "ASC"
    try:
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM letter WHERE id > ? ORDER BY id {order} LIMIT ?",  # noqa: S608 - constants
            (after, limit),
        ).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return []
    finally:
        db.close()
    fields = [c.strip() for c in _COLUMNS.split(",")]
    return [DeadLetter(**dict(zip(fields, row, strict=True))) for row in rows]


def newest_letter(folder: Path) -> int:
    """Return the id of the newest dead letter, 0 where there is none."""
    newest = read_dead_letters(folder, newest=True, limit=1)
    return newest[0].id if newest else 0


def count_dead_letters(folder: Path, since_ms: int, most: int = 1_000) -> int:
    """Return how many of the newest `most` dead letters came at or after `since_ms`; arguments as above."""
    if not (folder / FILE).exists():
        return 0
    db = connect(folder / FILE, read_only=True)
    try:
        row = db.execute(
            "SELECT count(*) FROM (SELECT time_ms FROM letter ORDER BY id DESC LIMIT ?) WHERE time_ms >= ?",
            (most, since_ms),
        ).fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return 0
    finally:
        db.close()
    return int(row[0])
