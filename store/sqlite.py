"""How every SQLite file of ours is opened."""

import sqlite3
from pathlib import Path


def connect(path: Path, *, durable: bool = False, read_only: bool = False) -> sqlite3.Connection:
    """Open a file in WAL mode with explicit transactions.

    Parameters
    ----------
    path
        The file; made when missing, unless read only.
    durable
        Each commit is on the disk when it returns (`synchronous=FULL`); else the last commits may be lost with
        the power, never with the process.
    read_only
        Open for reading; a missing file is an error.
    """
    if read_only:
        db = sqlite3.connect(
            f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, timeout=10
        )
    else:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
    return db
