"""state.db: what analytics knows, for the API, the writer and its own restart. Only analytics writes here."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from store.arrays import decode_arrays
from store.buckets import Buckets, decode_buckets
from store.sqlite import connect
from telemetry.errors import StoreError
from telemetry.registry import Registry, registry_from_json
from telemetry.times import HOUR_MS

SCHEMA_VERSION = 3

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS station(
    station TEXT PRIMARY KEY, kind TEXT, now_ms INTEGER, watermark_ms INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS device(station TEXT, kind TEXT, body BLOB, PRIMARY KEY(station, kind)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS block(
    station TEXT, kind TEXT, hour_ms INTEGER, body BLOB, PRIMARY KEY(station, kind, hour_ms)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run(
    station TEXT, kind TEXT, device TEXT, start_ms INTEGER, start_seq INTEGER, end_ms INTEGER, body BLOB,
    PRIMARY KEY(station, kind, device, start_ms, start_seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deaf(from_ms INTEGER PRIMARY KEY, to_ms INTEGER);
CREATE TABLE IF NOT EXISTS transition(
    n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, alert TEXT, station TEXT, time_ms INTEGER, body BLOB);
CREATE TABLE IF NOT EXISTS outbox(n INTEGER PRIMARY KEY AUTOINCREMENT, points INTEGER, body BLOB);
CREATE TABLE IF NOT EXISTS advice(station TEXT PRIMARY KEY, at_ms INTEGER, body BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS snapshot(key TEXT PRIMARY KEY, body BLOB) WITHOUT ROWID;
"""

COUNTERS = ("analysed", "too_late", "future", "kind_mismatch")
"""Readings settled in analytics, and those of them that were set aside."""


class RunBody(msgspec.Struct, frozen=True, array_like=True):
    """What a run row holds besides its place and time."""

    state: str
    charging: bool
    session: str
    energy_n: int
    peak_kw: float | None
    stop_reason: str
    error_code: str
    quiet_ms: int
    """The part of it after its last message, where a silence ended it; 0 while it goes on."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run of a device."""

    kind: str
    device: str
    start_ms: int
    start_seq: int
    end_ms: int
    body: RunBody


@dataclass(frozen=True, slots=True, eq=False)
class DeviceTable:
    """The devices of one station and kind as they were heard last, in columns."""

    names: tuple[str, ...]
    channels: tuple[str, ...]
    """Columns of `last` and `last_ms`: gauges and registers."""
    arrays: Mapping[str, NDArray[Any]]
    """`first_ms`, `newest_ms`, `hold_ms` (0 after presence 0), `state`, `charging`, `session`, `run_ms`, `run_seq`:
    (n,); `last`, `last_ms`: (n, channels), NaN and 0 where never sent."""
    states: tuple[str, ...]
    """Name of each state code."""
    sessions: tuple[str, ...]
    """Text of each number in `session`."""


@dataclass(slots=True)
class Checkpoint:
    """Everything that changed since the last checkpoint; it goes down in one transaction."""

    meta: dict[str, Any] = field(default_factory=dict)
    stations: list[tuple[str, str, int, int]] = field(default_factory=list)
    devices: list[tuple[str, str, bytes]] = field(default_factory=list)
    blocks: list[tuple[str, str, int, bytes]] = field(default_factory=list)
    runs: list[tuple[str, str, str, int, int, int, bytes]] = field(default_factory=list)
    gone_runs: list[tuple[str, str, str, int, int]] = field(default_factory=list)
    deaf: list[tuple[int, int]] = field(default_factory=list)
    outbox: list[tuple[int, bytes]] = field(default_factory=list)
    advice: list[tuple[str, int, bytes]] = field(default_factory=list)
    """(station, at_ms, JSON) of the advice that is in force from here on."""
    snapshots: list[tuple[str, bytes]] = field(default_factory=list)
    gone_snapshots: list[str] = field(default_factory=list)
    """Keys of snapshots that are no longer valid."""


class StateWriter:
    """The one writing end of state.db."""

    def __init__(self, path: Path) -> None:
        self._db = connect(path, durable=True)
        for statement in SCHEMA.split(";"):
            self._db.execute(statement)
        self.meta: dict[str, Any] = dict(self._db.execute("SELECT key, value FROM meta"))
        version = self.meta.setdefault("schema", SCHEMA_VERSION)
        if version != SCHEMA_VERSION:
            msg = f"{path} has schema {version}, this release needs {SCHEMA_VERSION}; use the release that wrote it"
            raise StoreError(msg)

    def snapshots(self) -> dict[str, bytes]:
        """Return the engine's own state of the last checkpoint."""
        return dict(self._db.execute("SELECT key, body FROM snapshot"))

    def block(self, station: str, kind: str, hour_ms: int) -> Buckets | None:
        """Return one block, None where there is none."""
        row = self._db.execute(
            "SELECT body FROM block WHERE station = ? AND kind = ? AND hour_ms = ?", (station, kind, hour_ms)
        ).fetchone()
        return None if row is None else decode_buckets(row[0])

    def run(self, station: str, kind: str, device: str, start_ms: int, start_seq: int) -> RunRow | None:
        """Return one run, None where there is none."""
        row = self._db.execute(
            "SELECT end_ms, body FROM run WHERE station = ? AND kind = ? AND device = ? AND start_ms = ? "
            "AND start_seq = ?",
            (station, kind, device, start_ms, start_seq),
        ).fetchone()
        if row is None:
            return None
        return RunRow(kind, device, start_ms, start_seq, row[0], msgspec.msgpack.decode(row[1], type=RunBody))

    def add_transitions(self, rows: Iterable[tuple[str, str, str, int, bytes]]) -> None:
        """Commit alert transitions (id, alert, station, time_ms, JSON) at once.

        One that is there already, a repetition after a crash, stays as it is.
        """
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany(
            "INSERT OR IGNORE INTO transition(id, alert, station, time_ms, body) VALUES(?, ?, ?, ?, ?)", rows
        )
        self._db.execute("COMMIT")

    def commit(self, checkpoint: Checkpoint) -> None:
        """Commit a checkpoint."""
        self._db.execute("BEGIN IMMEDIATE")
        self._write(checkpoint)
        self._db.execute("COMMIT")

    def differing_blocks(self, made: Path) -> list[tuple[str, str, int]]:
        """Return (station, kind, hour) of the blocks that another state.db has otherwise, or one of the two lacks."""
        with self._attached(made):
            return list(self._db.execute(
                "SELECT station, kind, hour_ms FROM ("
                "SELECT * FROM main.block EXCEPT SELECT * FROM made.block UNION "
                "SELECT * FROM (SELECT * FROM made.block EXCEPT SELECT * FROM main.block)) GROUP BY 1, 2, 3"
            ))

    def adopt(self, made: Path, checkpoint: Checkpoint) -> None:
        """Take blocks, runs and devices of another state.db in place of all of these, with a checkpoint, at once."""
        with self._attached(made):
            self._db.execute("BEGIN IMMEDIATE")
            for table in ("block", "run", "device"):
                self._db.execute(f"DELETE FROM main.{table}")  # noqa: S608 - names of ours
                self._db.execute(f"INSERT INTO main.{table} SELECT * FROM made.{table}")  # noqa: S608
            self._db.execute("DELETE FROM snapshot")
            self._write(checkpoint)
            self._db.execute("COMMIT")

    @contextmanager
    def _attached(self, made: Path) -> Iterator[None]:
        self._db.execute("ATTACH DATABASE ? AS made", (str(made),))
        try:
            yield
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._db.execute("DETACH DATABASE made")

    def _write(self, checkpoint: Checkpoint) -> None:
        db = self._db
        self.meta.update(checkpoint.meta)
        many = db.executemany
        many("INSERT OR REPLACE INTO meta VALUES(?, ?)", list(self.meta.items()))
        many("INSERT OR REPLACE INTO station VALUES(?, ?, ?, ?)", checkpoint.stations)
        many("INSERT OR REPLACE INTO device VALUES(?, ?, ?)", checkpoint.devices)
        many("INSERT OR REPLACE INTO block VALUES(?, ?, ?, ?)", checkpoint.blocks)
        many(
            "DELETE FROM run WHERE station = ? AND kind = ? AND device = ? AND start_ms = ? AND start_seq = ?",
            checkpoint.gone_runs,
        )
        many("INSERT OR REPLACE INTO run VALUES(?, ?, ?, ?, ?, ?, ?)", checkpoint.runs)
        many("INSERT OR REPLACE INTO deaf VALUES(?, ?)", checkpoint.deaf)
        many("INSERT INTO outbox(points, body) VALUES(?, ?)", checkpoint.outbox)
        many("INSERT OR REPLACE INTO advice VALUES(?, ?, ?)", checkpoint.advice)
        many("DELETE FROM snapshot WHERE key = ?", [(k,) for k in checkpoint.gone_snapshots])
        many("INSERT OR REPLACE INTO snapshot VALUES(?, ?)", checkpoint.snapshots)

    def prune_outbox(self, shipped: int) -> None:
        """Remove derived rows that the writer has shipped."""
        self._db.execute("DELETE FROM outbox WHERE n <= ?", (shipped,))

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class StateReader:
    """A reading end of state.db, for one thread."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    @classmethod
    def open(cls, path: Path) -> "StateReader":
        """Open the file of a data directory.

        Raises
        ------
        sqlite3.OperationalError
            If analytics has not made it yet.
        """
        return cls(connect(path, read_only=True))

    def meta(self) -> dict[str, Any]:
        """Return counters and other single values."""
        return dict(self._db.execute("SELECT key, value FROM meta"))

    def registry(self) -> Registry | None:
        """Return the registry that analytics works with, None before its first word."""
        row = self._db.execute("SELECT value FROM meta WHERE key = 'registry'").fetchone()
        return None if row is None else registry_from_json(row[0])

    def stations(self) -> dict[str, tuple[str, int, int]]:
        """Return station -> (kind, now_ms, watermark_ms) of every station that was heard."""
        return {s: (k, n, w) for s, k, n, w in self._db.execute("SELECT * FROM station")}

    def devices(self, station: str) -> dict[str, DeviceTable]:
        """Return kind -> devices of a station that were heard."""
        out = {}
        for kind, body in self._db.execute("SELECT kind, body FROM device WHERE station = ?", (station,)):
            names, channels, states, sessions, arrays = msgspec.msgpack.decode(body)
            out[kind] = DeviceTable(
                tuple(names), tuple(channels), decode_arrays(arrays), tuple(states), tuple(sessions)
            )
        return out

    def blocks(
        self, station: str, kind: str, from_ms: int, to_ms: int, wanted: Callable[[str], bool] = lambda _: True
    ) -> list[Buckets]:
        """Return the hour blocks that touch `[from_ms, to_ms)`, oldest first, with the wanted columns."""
        rows = self._db.execute(
            "SELECT body FROM block WHERE station = ? AND kind = ? AND hour_ms > ? AND hour_ms < ? ORDER BY hour_ms",
            (station, kind, from_ms - HOUR_MS, to_ms),
        )
        return [decode_buckets(body, wanted) for (body,) in rows]

    def runs(self, station: str, from_ms: int, to_ms: int) -> list[RunRow]:
        """Return the runs of all devices of a station that touch `[from_ms, to_ms)`, by kind, device and start."""
        rows = self._db.execute(
            "SELECT kind, device, start_ms, start_seq, end_ms, body FROM run "
            "WHERE station = ? AND start_ms < ? AND end_ms >= ? ORDER BY kind, device, start_ms, start_seq",
            (station, to_ms, from_ms),
        )
        decoder = msgspec.msgpack.Decoder(RunBody)
        return [RunRow(k, d, s, q, e, decoder.decode(b)) for k, d, s, q, e, b in rows]

    def runs_before(self, station: str, kind: str, device: str, start_ms: int) -> Iterator[RunRow]:
        """Yield the runs of a device that start before a time, newest first."""
        rows = self._db.execute(
            "SELECT start_ms, start_seq, end_ms, body FROM run WHERE station = ? AND kind = ? AND device = ? "
            "AND start_ms < ? ORDER BY start_ms DESC, start_seq DESC",
            (station, kind, device, start_ms),
        )
        return (RunRow(kind, device, s, q, e, msgspec.msgpack.decode(b, type=RunBody)) for s, q, e, b in rows)

    def runs_from(self, station: str, kind: str, device: str, start_ms: int) -> Iterator[RunRow]:
        """Yield the runs of a device that start at or after a time, oldest first."""
        rows = self._db.execute(
            "SELECT start_ms, start_seq, end_ms, body FROM run WHERE station = ? AND kind = ? AND device = ? "
            "AND start_ms >= ? ORDER BY start_ms, start_seq",
            (station, kind, device, start_ms),
        )
        return (RunRow(kind, device, s, q, e, msgspec.msgpack.decode(b, type=RunBody)) for s, q, e, b in rows)

    def advice(self, station: str) -> bytes | None:
        """Return the advice record in force at a station as JSON; None before the first."""
        row = self._db.execute("SELECT body FROM advice WHERE station = ?", (station,)).fetchone()
        return None if row is None else row[0]

    def snapshot(self, key: str) -> bytes | None:
        """Return a part of the engine's own state at its last checkpoint; None where there is none."""
        row = self._db.execute("SELECT body FROM snapshot WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def deaf(self, from_ms: int, to_ms: int) -> NDArray[np.int64]:
        """Return (k, 2) intervals in `[from_ms, to_ms)` in which Voltair could not hear its devices."""
        rows = self._db.execute(
            "SELECT max(from_ms, ?), min(to_ms, ?) FROM deaf WHERE from_ms < ? AND to_ms > ? ORDER BY from_ms",
            (from_ms, to_ms, to_ms, from_ms),
        )
        return np.array(list(rows), np.int64).reshape(-1, 2)

    def close(self) -> None:
        """Close the file."""
        self._db.close()
