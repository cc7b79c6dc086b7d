"""The analytics role: reads the journal, runs the engine, keeps state.db."""

import logging
import os
import signal
import sqlite3
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from analytics.checkpoint import checkpoint_of
from analytics.engine import Engine
from analytics.heap import keep_pages
from analytics.minutely import Minutely
from analytics.recompute import Done, orders, recompute
from analytics.snapshot import add_snapshot, recall, restore
from store.journal import Entry, EntryType
from store.journal_reader import JournalReader
from store.roles import RoleLock, RoleStatus, explained, long_work, wall_ms, write_status
from store.state import StateReader, StateWriter
from telemetry.config import Config
from telemetry.errors import JournalError, StoreError

POLL_S = 0.02
PAUSES = 4.0
"""Between two steps it waits this many times as long as the last one took, so that more comes at once: a step costs as
much for ten readings as for several hundred, and would otherwise fill a core with small ones at any rate."""
LONGEST_PAUSE_S = 0.1
STEP_READINGS = 200_000
"""Readings looked at in one step; those between two ticks are folded at once."""
BACKLOG = 10_000
"""Readings of a step from which on it is behind, and does not wait."""
CHECKPOINT_S = 2.0
CHECKPOINT_READINGS = 200_000
COST_LIMIT = 5.0
"""A checkpoint waits at least this many times as long as the last one took, so that it never takes over."""
RECALLED = 1_000
"""Entries before the checkpoint that are looked through for what the broker may deliver again."""

log = logging.getLogger("voltair.analytics")


class Analytics:
    """The loop of the role."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.path = config.data / "state.db"
        self.reader = JournalReader(config.data / "journal")
        self.state = StateWriter(self.path)
        self.engine = Engine(config, self.state)
        restore(self.engine, self.state.snapshots())
        recall(self.engine, self.reader.last(self.engine.cursor, RECALLED))
        self.minutely = Minutely(self.engine, StateReader.open(self.path), config)
        self.orders = orders(config.data)
        self.stop = threading.Event()
        self.status = RoleStatus(role="analytics", pid=os.getpid(), started_ms=wall_ms(), updated_ms=wall_ms())
        self._committed_s = time.monotonic()
        self._commit_cost_s = 0.0
        self._committed_readings = self.engine.counters["analysed"]
        self._committed_cursor = self.engine.cursor

    def check_journal(self) -> None:
        """Refuse a journal that is not the one that this state belongs to."""
        journal_id = self.reader.head()[0]
        known = self.state.meta.setdefault("journal_id", journal_id)
        if known != journal_id:
            msg = (
                f"{self.path} belongs to journal {known}, but {self.config.data / 'journal'} is {journal_id}; "
                "restore both from one backup, or start with an empty data_dir"
            )
            raise StoreError(msg)

    def run(self) -> None:
        """Work until told to stop."""
        self._work_off_minutes()
        while not self.stop.is_set():
            began, done = time.monotonic(), self.engine.counters["analysed"]
            if not self.step():
                self._commit_if_due()
            if self.engine.counters["analysed"] - done < BACKLOG:
                self.stop.wait(min(max(POLL_S, PAUSES * (time.monotonic() - began)), LONGEST_PAUSE_S))
            self._say()
        self.commit()

    def step(self) -> bool:
        """Take the next entries of the journal; return whether there were any."""
        entries = self.reader.read(self.engine.cursor, limit_readings=STEP_READINGS)
        pieces = _to_ticks(entries)
        last_tick = max((i for i, piece in enumerate(pieces) if piece[-1].type is EntryType.TICK), default=-1)
        for i, piece in enumerate(pieces):
            self.engine.take(piece, self.reader.devices)
            if piece[-1].type is EntryType.TICK:
                self._work_off_minutes(behind=i < last_tick)
            self._commit_if_due()
        return bool(entries)

    def recompute(self) -> None:
        """Make everything but alerts anew from the journal, with what came too late.

        Raises
        ------
        JournalError
            If the journal no longer begins at its beginning.
        """
        self.commit()
        with TemporaryDirectory(dir=self.config.data, prefix="recompute-") as folder:
            self.engine = recompute(self.engine, self.config.data / "journal", Path(folder))
        self.minutely = Minutely(self.engine, StateReader.open(self.path), self.config)

    def _recompute_if_asked(self) -> None:
        waiting = [name for name, _ in self.orders.take()]
        if not waiting:
            return
        done = Done()
        try:
            with long_work(self.config.data, self.status):
                self.recompute()
        except JournalError as error:
            done.problem = str(error)
        for name in waiting:
            self.orders.answer(name, done)

    def _work_off_minutes(self, *, behind: bool = False) -> None:
        """At a tick: judge and publish the minutes that the watermark has passed, from what is on disk.

        `behind`: another tick is at hand. Rows that are out and have changed wait for it.
        """
        if self.minutely.due(behind=behind):
            self.commit()
            with long_work(self.config.data, self.status):
                self.minutely.run(self.stop.is_set, behind=behind)
            # The watermark is on disk already; the rows that it promises follow at once.
            self.commit()

    def _commit_if_due(self) -> None:
        if self.engine.cursor == self._committed_cursor:
            return
        waited = time.monotonic() - self._committed_s
        readings = self.engine.counters["analysed"] - self._committed_readings
        due = waited >= CHECKPOINT_S or readings >= CHECKPOINT_READINGS
        if due and waited >= COST_LIMIT * self._commit_cost_s:
            self.commit()

    def commit(self) -> None:
        """Write a checkpoint."""
        started = time.monotonic()
        checkpoint = checkpoint_of(self.engine)
        add_snapshot(self.engine, checkpoint)
        self.state.commit(checkpoint)
        self._committed_s = time.monotonic()
        self._commit_cost_s = self._committed_s - started
        self._committed_readings = self.engine.counters["analysed"]
        self._committed_cursor = self.engine.cursor
        self.minutely.tidy(self.state)

    def _say(self) -> None:
        now = wall_ms()
        if now - self.status.updated_ms < 1_000:
            return
        self._recompute_if_asked()
        engine = self.engine
        self.status.updated_ms, self.status.ready = now, True
        self.status.problems = [p for p in (engine.rules_problem, *engine.alerts.problems.values()) if p]
        self.status.counters = dict(engine.counters)
        self.status.gauges = {
            "lag_s": max(0.0, (now - engine.clock_ms) / 1000) if engine.clock_ms else 0.0,
            "checkpoint_s": self._commit_cost_s,
            "stations": float(len(engine.stations)),
            "devices": float(len(engine.keys)),
        }
        write_status(self.config.data, self.status)


def _to_ticks(entries: list[Entry]) -> list[list[Entry]]:
    """Split entries after each tick: what depends on the watermark happens there, whatever was read at once."""
    pieces: list[list[Entry]] = []
    begin = 0
    for i, entry in enumerate(entries):
        if entry.type is EntryType.TICK:
            pieces.append(entries[begin : i + 1])
            begin = i + 1
    if begin < len(entries):
        pieces.append(entries[begin:])
    return pieces


def run(config: Config) -> None:
    """Run the analytics role until SIGTERM or SIGINT."""
    keep_pages()
    with RoleLock(config.data, "analytics"), explained(config.data, "analytics"):
        stop = threading.Event()

        def end(_signal: int, _frame: FrameType | None) -> None:
            stop.set()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        _wait_for_journal(config.data, stop)
        if stop.is_set():
            return
        analytics = Analytics(config)
        analytics.stop = stop
        analytics.check_journal()
        try:
            analytics.run()
        except (JournalError, sqlite3.DatabaseError) as error:
            log.error("%s", error)
            raise


def _wait_for_journal(data: Path, stop: threading.Event) -> None:
    """Wait until ingest has made the journal."""
    reader = JournalReader(data / "journal")
    status = RoleStatus(role="analytics", pid=os.getpid(), started_ms=wall_ms(), updated_ms=0)
    while not stop.is_set():
        try:
            reader.head()
        except JournalError as error:
            status.updated_ms, status.problems = wall_ms(), [str(error)]
            write_status(data, status)
            stop.wait(0.2)
        else:
            return
