"""The writer's book in series.db: what is settled, in the transaction that settles it.

Table `meta(key, value)`: `journal_id`, `raw_cursor` (number of the last journal entry done), `derived_cursor` (n of the
last row of analytics' outbox done), `written` (journal readings settled), `refused` (points the store will never take,
kept in table `refused`), `beyond_retention` (points older than the store keeps).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from store.series import Outcome
from store.sqlite import connect
from store.versions import check_version
from telemetry.errors import StoreError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refused(time_ms INTEGER, line TEXT, reason TEXT);
"""
_COUNTERS = ("raw_cursor", "derived_cursor", "written", "refused", "beyond_retention")


class Ledger:
    """Cursors and counters of the one writer; `db` is its connection to series.db."""

    def __init__(self, path: Path) -> None:
        self.db: sqlite3.Connection = connect(path)
        check_version(self.db, path)
        for statement in _SCHEMA.split(";"):
            self.db.execute(statement)
        self.db.executemany("INSERT OR IGNORE INTO meta VALUES(?, 0)", [(key,) for key in _COUNTERS])

    def __getitem__(self, key: str) -> int:
        """Return a cursor or counter."""
        return int(self.db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0])

    def __setitem__(self, key: str, value: int) -> None:
        """Move a cursor."""
        self.db.execute("UPDATE meta SET value = ? WHERE key = ?", (value, key))

    def add(self, key: str, more: int) -> None:
        """Raise a counter."""
        if more:
            self.db.execute("UPDATE meta SET value = value + ? WHERE key = ?", (more, key))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Settle all that is done within at once, or nothing of it."""
        self.db.execute("BEGIN")
        try:
            yield
            self.db.execute("COMMIT")
        except BaseException:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise

    def record(self, outcome: Outcome, now_ms: int) -> None:
        """Count what the store did not take, and keep what it will never take."""
        self.add("beyond_retention", outcome.beyond_retention)
        self.add("refused", len(outcome.refused))
        self.db.executemany(
            "INSERT INTO refused VALUES(?, ?, ?)", [(now_ms, line, reason) for line, reason in outcome.refused]
        )

    def belong_to(self, journal_id: str) -> None:
        """Bind series.db to a journal.

        Raises
        ------
        StoreError
            If it already belongs to another.
        """
        row = self.db.execute("SELECT value FROM meta WHERE key = 'journal_id'").fetchone()
        if row is None:
            self.db.execute("INSERT INTO meta VALUES('journal_id', ?)", (journal_id,))
        elif row[0] != journal_id:
            msg = (
                f"series.db belongs to journal {row[0]}, but journal/ is {journal_id}: the two come from "
                "different data directories or backups; restore both from one backup"
            )
            raise StoreError(msg)

    def close(self) -> None:
        """Close series.db."""
        self.db.close()
