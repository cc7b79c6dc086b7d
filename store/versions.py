"""The version of a file's tables, kept in SQLite's `user_version`: a newer release's file is refused, not guessed at.

Tables that are only added to keep their version. Where a release must change one, it raises its number and brings the
step from the number before. state.db keeps its own number, in its table `meta`.
"""

import sqlite3
from pathlib import Path

from telemetry.errors import StoreError, VoltairError

VERSION = 1


def check_version(db: sqlite3.Connection, path: Path, error: type[VoltairError] = StoreError) -> None:
    """Mark a new file with this release's version, and refuse one of a later release before anything is written.

    Raises
    ------
    VoltairError
        Of the given kind.
    """
    found = db.execute("PRAGMA user_version").fetchone()[0]
    if found > VERSION:
        msg = (
            f"{path} was written by a newer release (version {found} of its tables; this one knows {VERSION}) and is "
            "left as it is: install that release again, or restore a backup made with this one into an empty data_dir"
        )
        raise error(msg)
    if found < VERSION:
        db.execute(f"PRAGMA user_version = {VERSION}")
