"""The role "writer": ships what is journalled and what is derived to the series store, and lets old rows go."""

import logging
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable

from store.journal_reader import JournalReader
from store.ledger import Ledger
from store.roles import RoleLock, RoleStatus, wall_ms, write_status
from store.series import SeriesStore
from store.series_influx import InfluxSeries
from store.series_sqlite import Cutoff, SqliteSeries
from store.sqlite import connect
from store.streams import DerivedStream, RawStream, Stream, Waiting
from telemetry.config import Config
from telemetry.errors import JournalError, StoreUnavailable, VoltairError
from telemetry.times import HOUR_MS, SECOND_MS

_log = logging.getLogger(__name__)

_POLL_S = 0.025
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 15.0
_SLOW_S = 5.0
"""A batch that takes longer is said to have no answer."""
_STOP_S = 5.0
"""A request without an answer this long after SIGTERM is left alone; its batch is put again after the start."""


class Lane:
    """One stream, and the pauses after its failures: they double, up to 15 s, unless the store names its own."""

    def __init__(self, stream: Stream, store: SeriesStore, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._store = store
        self._monotonic_s = monotonic_s
        self._pause_s = _FIRST_PAUSE_S
        self._not_before_s = 0.0
        self._busy_since_s: float | None = None
        self._problem = ""

    def step(self) -> bool:
        """Ship a batch unless a pause is on; return whether one was settled."""
        now_s = self._monotonic_s()
        if now_s < self._not_before_s:
            return False
        self._busy_since_s = now_s
        try:
            shipped = self._stream.ship()
        except Waiting as wait:
            self._fail(str(wait), _FIRST_PAUSE_S)
        except StoreUnavailable as error:
            self._fail(str(error), error.retry_after_s)
        except VoltairError as error:
            self._fail(str(error), None)
        except sqlite3.DatabaseError as error:
            self._fail(f"series.db cannot be written ({error}); see whether its disk is full or damaged", None)
        else:
            if self._problem:
                _log.warning("%s: goes on", self._stream.name)
            self._problem, self._pause_s = "", _FIRST_PAUSE_S
            return shipped
        finally:
            self._busy_since_s = None
        return False

    def _fail(self, problem: str, pause_s: float | None) -> None:
        self._store.reset()
        if problem != self._problem:
            _log.warning("%s: %s", self._stream.name, problem)
        self._problem = problem
        if pause_s is None:
            pause_s = self._pause_s
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        self._not_before_s = self._monotonic_s() + pause_s

    def problem(self) -> str:
        """Return what is wrong now, empty when nothing is."""
        since_s = self._busy_since_s
        if not self._problem and since_s is not None and self._monotonic_s() - since_s > _SLOW_S:
            return f"{self._stream.name}: the series store has not answered for {self._monotonic_s() - since_s:.0f} s"
        return self._problem and f"{self._stream.name}: {self._problem}"


class Writer:
    """Everything that one thread of the role works on."""

    def __init__(self, config: Config) -> None:
        self._ledger = Ledger(config.data / "series.db")
        self._store = _store(config, self._ledger)
        self._raw = RawStream(config.data / "journal", self._ledger, self._store)
        self._derived = DerivedStream(config.data / "state.db", self._ledger, self._store)
        self._lanes = (Lane(self._derived, self._store), Lane(self._raw, self._store))
        self._expire_ms = 0

    def start(self) -> None:
        """Make sure that series.db and journal belong together, where the journal is there already.

        Raises
        ------
        StoreError
            If they do not.
        """
        try:
            self._raw.bind()
        except Waiting as wait:
            _log.info("%s", wait)

    def step(self) -> bool:
        """Ship a batch of each stream, remove a few old rows; return whether there may be more to do at once."""
        shipped = [lane.step() for lane in self._lanes]
        more = False
        if wall_ms() >= self._expire_ms:
            try:
                more = self._store.expire()
            except sqlite3.OperationalError as error:
                _log.warning("old rows cannot be removed now: %s", error)
            if not more:
                self._expire_ms = wall_ms() + HOUR_MS
        return more or any(shipped)

    def problems(self) -> list[str]:
        """Return what is wrong now; safe to call from another thread."""
        return [problem for lane in self._lanes if (problem := lane.problem())]

    def close(self) -> None:
        """Release files and connections."""
        for part in (self._raw, self._derived, self._store, self._ledger):
            part.close()


def _store(config: Config, ledger: Ledger) -> SeriesStore:
    if config.store.kind == "influx":
        # In event mode the server's clock is not the stations': its retention would remove a replayed year at once.
        return InfluxSeries(config.store.influx, config.keep_raw_ms if config.clock.mode == "live" else None)
    return SqliteSeries(ledger.db, _cutoff(config))


def _cutoff(config: Config) -> Cutoff | None:
    """Return how far back a station's raw readings and one-minute rows are kept."""
    keep_ms = config.keep_raw_ms
    if keep_ms is None:
        return None
    if config.clock.mode == "live":
        return lambda _: wall_ms() - keep_ms
    clocks: dict[str, int] = {}
    read_ms = 0

    def cutoff(station: str) -> int:
        nonlocal clocks, read_ms
        if wall_ms() - read_ms > SECOND_MS:
            clocks, read_ms = JournalReader(config.data / "journal").station_now(), wall_ms()
        return clocks.get(station, 0) - keep_ms

    return cutoff


def run(config: Config) -> None:
    """Run the role until SIGTERM or SIGINT.

    Raises
    ------
    RoleLocked
        If another process has the role.
    StoreError
        If series.db belongs to another journal.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with RoleLock(config.data, "writer"):
        writer = Writer(config)
        writer.start()
        failures: list[BaseException] = []

        def work() -> None:
            try:
                while not stop.is_set():
                    if not writer.step():
                        stop.wait(_POLL_S)
            except BaseException as error:  # noqa: BLE001 - raised again by the main thread
                failures.append(error)
                stop.set()

        # A thread of its own, so that the role can speak and stop while a server does not answer.
        worker = threading.Thread(target=work, name="writer", daemon=True)
        worker.start()
        report = _Report(config)
        report.write(writer.problems())
        while not stop.wait(1.0):
            report.write(writer.problems())
        worker.join(_STOP_S)
        if failures:
            raise failures[0]
        if worker.is_alive():
            _log.warning("stops while the series store does not answer; the batch is put again after the start")
        else:
            writer.close()


class _Report:
    """The role's status, from the files alone: it is true also while a batch waits for an answer."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._started_ms = wall_ms()
        self._journal = JournalReader(config.data / "journal")
        self._series = connect(config.data / "series.db", read_only=True)
        self._at_start = self._meta()

    def _meta(self) -> dict[str, int]:
        return dict(self._series.execute("SELECT key, value FROM meta WHERE key <> 'journal_id'"))

    def write(self, problems: list[str]) -> None:
        """Write `roles/writer.json`."""
        meta = self._meta()
        now_ms = wall_ms()
        status = RoleStatus(
            role="writer",
            pid=os.getpid(),
            started_ms=self._started_ms,
            updated_ms=now_ms,
            ready=not problems,
            problems=problems,
            gauges=self._gauges(meta, now_ms),
            counters={k: meta[k] - self._at_start[k] for k in ("written", "refused", "beyond_retention")},
        )
        write_status(self._config.data, status)

    def _gauges(self, meta: dict[str, int], now_ms: int) -> dict[str, float]:
        """Return readings not yet settled, and the age of the oldest of them."""
        try:
            pending = self._journal.head()[3].journalled - meta["written"]
            oldest = self._journal.read(meta["raw_cursor"], limit_entries=1) if pending > 0 else []
        except JournalError:
            return {}
        lag_s = (now_ms - oldest[0].time_ms) / SECOND_MS if oldest else 0.0
        return {"raw_pending": float(max(pending, 0)), "lag_s": lag_s}
