"""From state.db to the desk: new transitions are taken within milliseconds of their commit."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec

from api.desk import Desk, Event
from api.endpoints import list_endpoints
from api.silences import release_held
from store.roles import wall_ms
from store.sqlite import connect

POLL_S = 0.02
_BATCH = 500
_SECOND_S = 1.0

_log = logging.getLogger(__name__)


class Intake:
    """Watches state.db and takes its transitions. One per desk."""

    def __init__(
        self,
        data: Path,
        desk: Desk,
        *,
        event_clock: bool,
        on_change: Callable[[], None] = lambda: None,
        on_deliveries: Callable[[], None] = lambda: None,
        clock_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._path = data / "state.db"
        self._desk = desk
        self._event_clock = event_clock
        self._on_change = on_change
        self._on_deliveries = on_deliveries
        self._clock_ms = clock_ms
        self._db: sqlite3.Connection | None = None
        self._inode = 0
        self._seen = -1
        self.problem: str | None = "state.db is not there yet; start 'voltair analytics'"
        """What keeps transitions away; None when nothing does."""

    async def run(self) -> None:
        """Take transitions until cancelled."""
        loop = asyncio.get_running_loop()
        next_look = 0.0
        while True:
            try:
                if loop.time() >= next_look:
                    next_look = loop.time() + _SECOND_S
                    await asyncio.to_thread(self._reopen)
                    if await asyncio.to_thread(self.release):
                        self._on_deliveries()
                if self._changed():
                    self._on_change()
                    while await asyncio.to_thread(self.take):
                        self._on_deliveries()
                        self._on_change()
                    self.problem = None
            except (sqlite3.Error, msgspec.DecodeError) as error:
                self.problem = f"transitions cannot be taken from state.db ({error}); tried again each second"
                self._seen = -1
                _log.error("%s", self.problem)
                await asyncio.sleep(_SECOND_S)
            await asyncio.sleep(POLL_S)

    def _reopen(self) -> None:
        """Open state.db when it appears, or when another file has taken its place."""
        try:
            inode = self._path.stat().st_ino
        except FileNotFoundError:
            return
        if self._db is None or inode != self._inode:
            if self._db is not None:
                self._db.close()
            self._db, self._inode, self._seen = connect(self._path, read_only=True), inode, -1

    def _changed(self) -> bool:
        """Return whether anyone has committed to state.db since the last call; costs microseconds."""
        if self._db is None:
            return False
        version = int(self._db.execute("PRAGMA data_version").fetchone()[0])
        changed = version != self._seen
        self._seen = version
        return changed

    def take(self) -> list[Event]:
        """Take the next transitions and return the new events; [] when there are none."""
        self._reopen()
        if self._db is None:
            return []
        cursor, last_id = self._desk.cursor()
        if cursor:
            row = self._db.execute("SELECT id FROM transition WHERE n = ?", (cursor,)).fetchone()
            if row is None or row[0] != last_id:
                # Another state.db (recomputed, restored): from its start, known transitions are met by their ids.
                cursor = 0
        while True:
            rows = self._db.execute(
                "SELECT n, body FROM transition WHERE n > ? ORDER BY n LIMIT ?", (cursor, _BATCH)
            ).fetchall()
            if not rows:
                return []
            events = self._desk.take(rows, now_ms=self._clock_ms())
            if events:
                return events
            cursor = rows[-1][0]

    def release(self) -> int:
        """Let go of held deliveries whose silence has ended; return how many."""
        if self._desk.reader.execute("SELECT 1 FROM delivery WHERE state = 'held' LIMIT 1").fetchone() is None:
            return 0
        now_ms = self._clock_ms()
        now_of: dict[str, int] = {}
        if self._event_clock and self._db is not None:
            now_of = {s: n for s, n in self._db.execute("SELECT station, now_ms FROM station") if n is not None}
        endpoints = {e.id: e for e in list_endpoints(self._desk.reader)}

        def due_ms(endpoint: str, time_ms: int) -> int:
            found = endpoints.get(endpoint)
            return time_ms if found is None else self._desk.routes.due_ms(found, time_ms)

        with self._desk.write() as db:
            return release_held(db, now_of, now_ms, now_ms, due_ms)
