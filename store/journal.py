"""The journal: every reading that was acknowledged, in order of arrival, on disk.

A folder of SQLite files (WAL, `synchronous=FULL`). One segment is open; the others are closed, checksummed and never
changed again. A row is one entry; entries are numbered without gaps over all segments, and a cursor is
(journal id, number of the last entry done). Only ingest writes here.
"""

import contextlib
import sqlite3
import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise
from pathlib import Path

import msgspec

from store.segments import ended_ms, has_tables, segment_files, segment_name, unlink_segment
from store.sqlite import connect
from store.versions import check_version
from telemetry.errors import FrameError, JournalError, JournalFull
from telemetry.frame import Frame, FrameColumns, decode_columns, encode_frame, frame_of


class EntryType(IntEnum):
    """What the body of an entry is."""

    FRAME = 1
    TICK = 2
    REGISTRY = 3
    RULES = 4
    LOST = 5
    """An entry of a damaged segment that could not be read (`store.journal_repair`): empty, it counts its readings."""


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """Which device: its place in `DeviceTable` is the index that frames carry."""

    station: str
    kind: str
    device: str


@dataclass(frozen=True, slots=True)
class Totals:
    """Counters since the data directory was made; they never fall."""

    received: int = 0
    acknowledged: int = 0
    dead_lettered: int = 0
    rejected: int = 0
    journalled: int = 0

    def plus(self, **more: int) -> "Totals":
        """Return the totals with some of them raised."""
        return Totals(**{k: getattr(self, k) + more.get(k, 0) for k in Totals.__slots__})


class Tick(msgspec.Struct, frozen=True):
    """Once a second: the journal's clock, and whether Voltair could hear its devices."""

    connected: bool
    """Whether ingest was connected and subscribed at that moment."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the journal."""

    number: int
    type: EntryType
    time_ms: int
    """Commit time: the clock of everything downstream."""
    readings: int
    """Readings in a frame, else 0."""
    body: bytes

    def frame(self) -> Frame:
        """Decode the body of a FRAME entry.

        Raises
        ------
        JournalError
            If it is damaged.
        """
        return frame_of(self.columns())

    def columns(self) -> FrameColumns:
        """Decode the body of a FRAME entry by columns; errors as of `frame`."""
        try:
            return decode_columns(self.body)
        except FrameError as error:
            raise JournalError(damaged(f"entry {self.number} of the journal", error)) from error

    def tick(self) -> Tick:
        """Decode the body of a TICK entry."""
        return msgspec.msgpack.decode(self.body, type=Tick)


_SCHEMA = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE entry(number INTEGER PRIMARY KEY, type INTEGER, time_ms INTEGER, readings INTEGER, body BLOB);
CREATE TABLE device(idx INTEGER PRIMARY KEY, station TEXT, kind TEXT, device TEXT);
CREATE TABLE station_now(station TEXT PRIMARY KEY, now_ms INTEGER) WITHOUT ROWID;
CREATE TABLE memory(key TEXT PRIMARY KEY, body BLOB) WITHOUT ROWID;
"""
_MEMORY = _SCHEMA.splitlines()[-1].replace("TABLE", "TABLE IF NOT EXISTS")
"""Segments begun before decoders kept a memory lack it."""


def damaged(what: object, error: object) -> str:
    """Return what to say of a part of the journal that cannot be read, and the way out."""
    return (
        f"{what} is damaged ({error}). Nothing is touched. Stop Voltair, see whether the disk is in order, run "
        "'voltair journal repair' (it keeps all that can be read, and the damaged file), then start again"
    )


@dataclass(slots=True)
class JournalWriter:
    """The open end of the journal. One process holds it (`store.roles.RoleLock`)."""

    folder: Path
    journal_id: str
    clock_mode: str
    totals: Totals
    devices: dict[DeviceKey, int]
    """Every known device and its index."""
    station_now: dict[str, int]
    """Event mode: the newest accepted time of each station [ms]."""
    next_number: int
    segment_bytes: int
    max_bytes: int
    _db: sqlite3.Connection
    _crc: int = 0
    _open_bytes: int = 0
    _closed_bytes: int = 0
    _latest: dict[EntryType, bytes] = field(default_factory=dict)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        clock_mode: str,
        segment_bytes: int = 268_435_456,
        max_bytes: int = 10_000_000_000,
        reached: int = 0,
    ) -> "JournalWriter":
        """Open the journal of a data directory, or start it.

        Parameters
        ----------
        reached
            Number of the last entry that a consumer has done: a journal that ends before it would give numbers twice.

        Raises
        ------
        JournalError
            If it was made with the other clock mode, or a file is damaged.
        """
        folder.mkdir(parents=True, exist_ok=True)
        segments = segment_files(folder)
        try:
            if segments and not has_tables(segments[-1][1]):
                # Begun and killed before its first commit: no entry can be inside.
                unlink_segment(segments.pop()[1])
            if segments:
                db = connect(segments[-1][1], durable=True)
                check_version(db, segments[-1][1], JournalError)
                db.execute(_MEMORY)
                meta = dict(db.execute("SELECT key, value FROM meta"))
            else:
                meta = {
                    "journal_id": uuid.uuid4().hex, "clock_mode": clock_mode, "first": 1, "crc": 0,
                    "totals": msgspec.json.encode(Totals()).decode(),
                }  # fmt: skip
                db = new_segment(folder / segment_name(1), meta)
            if meta["clock_mode"] != clock_mode:
                raise JournalError(other_clock_mode(folder, meta["clock_mode"], clock_mode))
            last = db.execute("SELECT max(number) FROM entry").fetchone()[0] or int(meta["first"]) - 1
            if last < reached:
                short = f"it ends at entry {last}, and analytics or the writer has done entry {reached}"
                raise JournalError(damaged(f"the journal {folder}", short))
            writer = cls(
                folder=folder,
                journal_id=meta["journal_id"],
                clock_mode=clock_mode,
                totals=msgspec.json.decode(meta["totals"], type=Totals),
                devices={DeviceKey(s, k, d): i for i, s, k, d in db.execute("SELECT * FROM device")},
                station_now=dict(db.execute("SELECT * FROM station_now")),
                next_number=last + 1,
                segment_bytes=segment_bytes,
                max_bytes=max_bytes,
                _db=db,
                _crc=int(meta["crc"]),
            )
            writer._open_bytes = db.execute("SELECT coalesce(sum(length(body)), 0) FROM entry").fetchone()[0]
            writer._closed_bytes = sum(p.stat().st_size for _, p in segment_files(folder)[:-1])
            writer._latest = _latest(db)
            if last < int(meta["first"]) and len(segments) > 1:  # killed just after it was begun
                with contextlib.closing(connect(segments[-2][1], read_only=True)) as before:
                    writer._latest = _latest(before)
        except sqlite3.OperationalError as error:
            msg = f"the journal {folder} cannot be opened ({error}); see free space, rights and its disk"
            raise JournalError(msg) from error
        except (sqlite3.DatabaseError, KeyError) as error:
            raise JournalError(damaged(segments[-1][1], error)) from error
        return writer

    def latest(self, type_: EntryType) -> bytes | None:
        """Return the newest body of a REGISTRY or RULES entry, None where there was none."""
        return self._latest.get(type_)

    def append(
        self,
        frames: Sequence[Frame],
        *,
        now_ms: int,
        totals: Totals,
        new_devices: Iterable[tuple[DeviceKey, int]] = (),
        station_now: Mapping[str, int] | None = None,
        memory: Mapping[str, bytes | None] | None = None,
    ) -> int:
        """Commit a batch durably and return the number of its last entry.

        Frames, the devices they use for the first time, counters, event clocks and what decoders remember from here on
        (None: nothing under that key) go down in one transaction.
        Whoever waits for an acknowledgement may have it when this returns.

        Raises
        ------
        JournalFull
            If the size limit or the end of the disk is reached; nothing was written, try again later.
        """
        rows = [(EntryType.FRAME, len(f), encode_frame(f)) for f in frames if len(f)]
        return self._commit(rows, now_ms, totals, dict(new_devices), station_now or {}, memory or {})

    def memory(self) -> dict[str, bytes]:
        """Return what decoders remembered with the last batch."""
        return dict(self._db.execute("SELECT key, body FROM memory"))

    def tick(self, *, connected: bool, now_ms: int, totals: Totals | None = None) -> int:
        """Commit the second's tick."""
        body = msgspec.msgpack.encode(Tick(connected))
        return self._commit([(EntryType.TICK, 0, body)], now_ms, totals or self.totals, {}, {})

    def put(self, type_: EntryType, body: bytes, *, now_ms: int) -> int:
        """Commit a change of the registry or the rules."""
        number = self._commit([(type_, 0, body)], now_ms, self.totals, {}, {})
        self._latest[type_] = body
        return number

    def _commit(
        self,
        rows: list[tuple[EntryType, int, bytes]],
        now_ms: int,
        totals: Totals,
        new_devices: Mapping[DeviceKey, int],
        station_now: Mapping[str, int],
        memory: Mapping[str, bytes | None] = {},
    ) -> int:
        size = sum(len(body) for _, _, body in rows)
        if self._open_bytes + size > self.segment_bytes and self._open_bytes:
            try:
                self._roll()
            except sqlite3.OperationalError as error:
                msg = f"the journal {self.folder} cannot start a segment ({error}); free space on its disk"
                raise JournalFull(msg) from error
        if not self._open_bytes:
            # Each segment says anew what is in force: those before it may be gone when ingest starts next.
            rows = [*((type_, 0, body) for type_, body in self._latest.items()), *rows]
            size = sum(len(body) for _, _, body in rows)
        if self.bytes + size > self.max_bytes:
            msg = (
                f"the journal {self.folder} has {self.bytes} bytes, its limit is {self.max_bytes}; raise "
                "journal.max_bytes, or see why analytics or the writer does not move on (/readyz)"
            )
            raise JournalFull(msg)
        number = self.next_number
        crc = self._crc
        db = self._db
        try:
            db.execute("BEGIN IMMEDIATE")
            for type_, readings, body in rows:
                db.execute("INSERT INTO entry VALUES(?, ?, ?, ?, ?)", (number, type_, now_ms, readings, body))
                crc = zlib.crc32(body, crc)
                number += 1
            db.executemany(
                "INSERT INTO device VALUES(?, ?, ?, ?)",
                [(i, k.station, k.kind, k.device) for k, i in new_devices.items()],
            )
            db.executemany("INSERT OR REPLACE INTO station_now VALUES(?, ?)", list(station_now.items()))
            db.executemany("REPLACE INTO memory VALUES(?, ?)", [(k, v) for k, v in memory.items() if v is not None])
            db.executemany("DELETE FROM memory WHERE key = ?", [(k,) for k, v in memory.items() if v is None])
            db.execute("UPDATE meta SET value = ? WHERE key = 'totals'", (msgspec.json.encode(totals).decode(),))
            db.execute("UPDATE meta SET value = ? WHERE key = 'crc'", (crc,))
            db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            msg = f"the journal {self.folder} cannot be written ({error}); free space on its disk"
            raise JournalFull(msg) from error
        except sqlite3.DatabaseError as error:
            raise JournalError(damaged(f"the open segment of {self.folder}", error)) from error
        self.next_number, self._crc, self.totals = number, crc, totals
        self._open_bytes += size
        self.devices.update(new_devices)
        self.station_now.update(station_now)
        return number - 1

    @property
    def bytes(self) -> int:
        """Size of the journal [bytes]."""
        return self._closed_bytes + self._open_bytes

    def _roll(self) -> None:
        """Start a new segment, then close the old one: checksum in place, one plain file."""
        old = self._db
        meta = dict(old.execute("SELECT key, value FROM meta"))
        meta |= {"first": self.next_number, "crc": 0}
        path = self.folder / segment_name(self.next_number)
        self._db = new_segment(path, meta, self.devices, self.station_now, memory=self.memory())
        old.execute("INSERT OR REPLACE INTO meta VALUES('closed', 1)")
        with contextlib.suppress(sqlite3.OperationalError):
            # A reader that is inside just now keeps the WAL alive; the segment is complete all the same.
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            old.execute("PRAGMA journal_mode=DELETE")
        old.close()
        self._crc, self._open_bytes = 0, 0
        self._closed_bytes = sum(p.stat().st_size for _, p in segment_files(self.folder)[:-1])

    def retire(self, *, done: int, before_ms: int) -> int:
        """Unlink closed segments that every cursor has passed and that ended before `before_ms`; return how many.

        Parameters
        ----------
        done
            Number of the last entry that every consumer has done.
        before_ms
            `now` - `journal.keep`.
        """
        segments = segment_files(self.folder)
        retired = 0
        for (_, path), (next_first, _) in pairwise(segments):
            if next_first - 1 > done or ended_ms(path, next_first - 1) >= before_ms:
                break
            unlink_segment(path)
            retired += 1
        self._closed_bytes = sum(p.stat().st_size for _, p in segment_files(self.folder)[:-1])
        return retired

    def close(self) -> None:
        """Close the files; the journal stays as it is."""
        self._db.close()


def _latest(db: sqlite3.Connection) -> dict[EntryType, bytes]:
    """Return the newest registry and rules of a segment."""
    rows = db.execute("SELECT type, body FROM entry WHERE type IN (3, 4) ORDER BY number")
    return {EntryType(type_): body for type_, body in rows}


def new_segment(
    path: Path,
    meta: Mapping[str, object],
    devices: Mapping[DeviceKey, int] | None = None,
    station_now: Mapping[str, int] | None = None,
    entries: Iterable[tuple[int, EntryType, int, int, bytes]] = (),
    memory: Mapping[str, bytes] | None = None,
) -> sqlite3.Connection:
    """Make a segment's file in one transaction and return it, open."""
    db = connect(path, durable=True)
    db.execute("BEGIN IMMEDIATE")
    check_version(db, path, JournalError)
    for statement in _SCHEMA.split(";"):
        db.execute(statement)
    db.executemany("INSERT INTO meta VALUES(?, ?)", list(meta.items()))
    db.executemany(
        "INSERT INTO device VALUES(?, ?, ?, ?)",
        [(i, k.station, k.kind, k.device) for k, i in (devices or {}).items()],
    )
    db.executemany("INSERT INTO station_now VALUES(?, ?)", list((station_now or {}).items()))
    db.executemany("INSERT INTO entry VALUES(?, ?, ?, ?, ?)", entries)
    db.executemany("INSERT INTO memory VALUES(?, ?)", list((memory or {}).items()))
    db.execute("COMMIT")
    return db


def other_clock_mode(folder: Path, kept: str, asked: str) -> str:
    """Return why a journal that keeps one clock mode cannot be used with another."""
    return (
        f"{folder.parent} was made with clock.mode = {kept!r} and keeps it for life; "
        f"set it back, or use another data_dir for clock.mode = {asked!r}"
    )
