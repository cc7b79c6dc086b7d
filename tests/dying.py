"""A process that dies between two statements, played by its connection to SQLite."""

import sqlite3
from typing import Any


class Killed(BaseException):
    """The process dies here."""


class DyingConnection:
    """A connection that dies at its n-th statement, before or after it has run; with `at` 0 never."""

    def __init__(self, db: sqlite3.Connection, at: int, *, after: bool) -> None:
        self._db, self.left, self._after = db, at, after
        self.dead = False

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        if self.dead:
            raise Killed
        self.left -= 1
        if self.left == 0:
            self.dead = True
            if self._after:
                self._db.execute(sql, *args)
            raise Killed
        return self._db.execute(sql, *args)

    @property
    def in_transaction(self) -> bool:
        # A dead process does not roll back; SQLite does when the file is opened again.
        return False

    def close(self) -> None:
        self._db.close()
