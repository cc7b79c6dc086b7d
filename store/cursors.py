"""How far every consumer of the journal has come: what all have passed may go, what one has passed must be there."""

import sqlite3
from pathlib import Path

from store.sqlite import connect

CURSORS = (("state.db", "cursor"), ("series.db", "raw_cursor"))
"""File and meta key of each consumer's cursor: the number of the last entry that it has done."""


def entries_done(data: Path) -> int:
    """Return the number of the last journal entry that every consumer has done; 0 while one has not begun."""
    return min(_cursor(data / name, key) for name, key in CURSORS)


def entries_reached(data: Path) -> int:
    """Return the number of the last journal entry that any consumer has done."""
    return max(_cursor(data / name, key) for name, key in CURSORS)


def _cursor(path: Path, key: str) -> int:
    if not path.exists():
        return 0
    try:
        db = connect(path, read_only=True)
        try:
            row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        finally:
            db.close()
    except sqlite3.OperationalError:
        return 0  # its owner makes the file just now
    return 0 if row is None else int(row[0])
