"""The files of the journal's segments: a name is the number of the first entry."""

import contextlib
import sqlite3
from pathlib import Path

from store.sqlite import connect


def segment_files(folder: Path) -> list[tuple[int, Path]]:
    """Return (first entry, file) of each segment, oldest first."""
    return sorted((int(p.stem), p) for p in folder.glob("*.db") if p.stem.isdigit())


def segment_name(first: int) -> str:
    """Return the name of a segment."""
    return f"{first:012d}.db"


def has_tables(path: Path) -> bool:
    """Return whether the first commit of a segment was done."""
    with contextlib.closing(connect(path, durable=True)) as db:
        return bool(db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])


def ended_ms(path: Path, last: int) -> int:
    """Return when a closed segment ended, by its last entry [ms]."""
    with contextlib.closing(connect(path, read_only=True)) as db:
        try:
            return int(db.execute("SELECT time_ms FROM entry WHERE number = ?", (last,)).fetchone()[0])
        except (sqlite3.DatabaseError, TypeError):
            return int(1000 * path.stat().st_mtime)  # damaged, and all have passed it


def unlink_segment(path: Path) -> None:
    """Remove a segment's files."""
    for suffix in ("-wal", "-shm", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
