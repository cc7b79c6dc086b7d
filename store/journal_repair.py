"""A damaged journal: finding what is wrong with it, and going on with all of it that can still be read.

A repaired segment keeps every number. An entry that cannot be read becomes `EntryType.LOST`: it counts the readings
that it held, so that consumers pass it and `/progress` still comes out even. The damaged file is kept in
`journal/damaged/`.
"""

import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np

from store.cursors import entries_reached
from store.journal import (
    DeviceKey,
    Entry,
    EntryType,
    Totals,
    new_segment,
)
from store.roles import ROLES, RoleLock
from store.segments import segment_files, unlink_segment
from store.sqlite import connect
from telemetry.errors import JournalError

DAMAGED = "damaged"
"""Folder beside the segments for those that were replaced."""
_PAGE = 4_096
"""Page size of SQLite."""
_READY = ".ready"
"""A repaired segment that has yet to take its place."""


@dataclass(frozen=True, slots=True)
class Repair:
    """What became of one damaged segment."""

    file: Path
    """The damaged file, where it lies now."""
    problem: str
    entries: int
    """Entries that it holds."""
    lost_entries: int
    lost_readings: int


@dataclass(slots=True)
class _Segment:
    """What can be read of one file."""

    first: int
    path: Path
    problems: list[str] = field(default_factory=list)
    meta: dict[str, Any] = field(default_factory=dict)
    devices: dict[DeviceKey, int] = field(default_factory=dict)
    """Its own table, or the newest of the journal where that cannot be read."""
    station_now: dict[str, int] = field(default_factory=dict)
    memory: dict[str, bytes] = field(default_factory=dict)
    """Of decoders; that of the open segment counts."""
    entries: dict[int, Entry] = field(default_factory=dict)
    """Those that are whole."""
    readings: dict[int, int] = field(default_factory=dict)
    """Entry that is not whole -> readings that its row names all the same."""

    @property
    def totals(self) -> Totals | None:
        """Counters at its end."""
        return msgspec.json.decode(self.meta["totals"], type=Totals) if "totals" in self.meta else None

    @property
    def known_readings(self) -> int:
        """Readings of all entries whose number of readings is known."""
        return sum(e.readings for e in self.entries.values()) + sum(self.readings.values())


def check_journal(data: Path) -> Iterator[tuple[Path, str]]:
    """Yield each damaged segment and what is wrong with it; reads everything once."""
    reached = entries_reached(data)
    for one, last in _segments(data / "journal"):
        _read(one, last, reached)
        if one.problems:
            yield one.path, "; ".join(one.problems)


def repair_journal(data: Path) -> list[Repair]:
    """Replace each damaged segment by what can be read of it. No role may run meanwhile.

    Raises
    ------
    RoleLocked
        If a role runs on the data directory.
    JournalError
        If nothing tells any more to which journal the segments belong.
    """
    folder = data / "journal"
    with ExitStack() as stack:
        for role in ROLES:
            stack.enter_context(RoleLock(data, role))
        for ready in (folder / DAMAGED).glob(f"*{_READY}"):
            _exchange(ready)  # an earlier repair was cut off here
        reached = entries_reached(data)
        made: list[Repair] = []
        before: _Segment | None = None
        bounds = _segments(folder)
        for at, (one, last) in enumerate(bounds):
            _read(one, last, reached)
            before_next = one
            if one.problems:
                # An open segment ends where its last entry was, and never before what a consumer has done.
                end = last or max([reached, one.first - 1, *one.entries, *one.readings])
                after = _read(*bounds[at + 1], reached) if at + 1 < len(bounds) else None
                made.append(_replace(one, end, before, after))
                if after is not None:
                    bounds[at + 1] = _segments(folder)[at + 1]  # it is read again in its turn
                before_next = _read(*_segments(folder)[at], reached)
            before = before_next
            before.entries.clear()  # 256 MB each: one at a time
        return made


def _segments(folder: Path) -> list[tuple[_Segment, int | None]]:
    """Return each segment and the number of its last entry; None: it is the open one."""
    files = segment_files(folder)
    ends: list[int | None] = [after - 1 for (_, _), (after, _) in pairwise(files)]
    devices = _devices([path for _, path in files])
    return [
        (_Segment(first, path, devices=devices), end) for (first, path), end in zip(files, [*ends, None], strict=True)
    ]


def _devices(paths: list[Path]) -> dict[DeviceKey, int]:
    """Return the newest table of devices that can be read; it only grows, so it holds for every segment before."""
    for path in reversed(paths):
        with suppress(sqlite3.DatabaseError), closing(connect(path, read_only=True)) as db:
            return _device_table(db)
    return {}


def _device_table(db: sqlite3.Connection) -> dict[DeviceKey, int]:
    return {DeviceKey(s, k, d): i for i, s, k, d in db.execute("SELECT * FROM device")}


def _read(one: _Segment, last: int | None, reached: int) -> _Segment:
    """Read a segment as far as it goes, noting every problem."""
    with ExitStack() as stack:
        try:
            db = stack.enter_context(closing(connect(one.path, read_only=True)))
            for row in db.execute("PRAGMA quick_check(1)"):
                if row[0] != "ok":
                    one.problems.append(str(row[0]).replace("\n", " "))
        except sqlite3.DatabaseError as error:
            one.problems.append(str(error))
            db = stack.enter_context(closing(_with_a_new_head(one.path, stack)))
        _read_tables(db, one)
        _read_entries(db, one, last)
    newest = max(one.entries, default=one.first - 1)
    if last is None and newest < reached:
        one.problems.append(f"it ends at entry {newest}, and analytics or the writer has done entry {reached}")
    return one


def _with_a_new_head(path: Path, stack: ExitStack) -> sqlite3.Connection:
    """Open a copy of a segment whose first page is that of an empty segment: all have the same tables."""
    folder = Path(stack.enter_context(TemporaryDirectory(dir=path.parent, prefix=".repair-")))
    head = folder / "head"
    db = new_segment(head, {})
    db.execute("PRAGMA journal_mode=DELETE")
    db.close()
    page = bytearray(head.read_bytes()[:_PAGE])
    page[28:32] = (path.stat().st_size // _PAGE).to_bytes(4, "big")
    copy = folder / path.name
    shutil.copy(path, copy)
    with suppress(FileNotFoundError):
        shutil.copy(path.with_name(path.name + "-wal"), copy.with_name(copy.name + "-wal"))
    with copy.open("r+b") as file:
        file.write(page)
    return connect(copy, read_only=True)


def _read_tables(db: sqlite3.Connection, one: _Segment) -> None:
    try:
        one.meta = dict(db.execute("SELECT key, value FROM meta"))
        one.devices = _device_table(db)
        one.station_now = dict(db.execute("SELECT * FROM station_now"))
        if db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'memory'").fetchone()[0]:
            one.memory = dict(db.execute("SELECT * FROM memory"))
    except sqlite3.DatabaseError as error:
        one.problems.append(str(error))


def _read_entries(db: sqlite3.Connection, one: _Segment, last: int | None) -> None:
    crc = 0
    numbers = range(one.first, last + 1) if last is not None else _numbers(db, one)
    missing = 0
    for number in numbers:
        entry = None
        with suppress(sqlite3.DatabaseError):
            row = db.execute("SELECT time_ms, type, readings FROM entry WHERE number = ?", (number,)).fetchone()
            if row is not None:
                one.readings[number] = row[2]
                body = db.execute("SELECT body FROM entry WHERE number = ?", (number,)).fetchone()[0]
                crc = zlib.crc32(body, crc)
                entry = Entry(number, EntryType(row[1]), row[0], row[2], body)
        if entry is None:
            missing += 1
            continue
        try:
            if entry.type is EntryType.FRAME and int(entry.frame().device.max(initial=-1)) >= len(one.devices):
                one.problems.append(f"entry {number} is of a device that the table of devices lacks")
                continue
        except JournalError as error:
            one.problems.append(str(error))
            continue
        one.entries[number] = entry
        del one.readings[number]
    if missing:
        one.problems.append(f"{missing} entries cannot be read")
    if not one.problems and crc != int(one.meta.get("crc", -1)):
        one.problems.append("its checksum is wrong: bytes of it have changed since they were written")


def _numbers(db: sqlite3.Connection, one: _Segment) -> range:
    """Return the numbers of an open segment's entries."""
    try:
        newest = db.execute("SELECT max(number) FROM entry").fetchone()[0]
    except sqlite3.DatabaseError as error:
        one.problems.append(str(error))
        newest = None
    return range(one.first, (newest or one.first - 1) + 1)


def _replace(one: _Segment, end: int, before: _Segment | None, after: _Segment | None) -> Repair:
    """Write what is left of a segment as a new one, and exchange the two."""
    neighbours = [other for other in (after, before) if other is not None and other.meta]
    identity = next((other.meta for other in (one, *neighbours) if "journal_id" in other.meta), None)
    if identity is None:
        msg = f"neither {one.path} nor another segment says to which journal it belongs; restore a backup"
        raise JournalError(msg)
    whole = [one, *neighbours]
    start = (before and before.totals) or Totals()
    totals = one.totals or _totals_before(after) or start.plus(journalled=one.known_readings)
    # Readings of entries whose rows do not even say how many they were, where the counters around them are known.
    unnamed = max(0, totals.journalled - start.journalled - one.known_readings) if before or one.first == 1 else 0
    lost = [number for number in range(one.first, end + 1) if number not in one.entries]
    if unnamed and after is None and set(lost) <= one.readings.keys():
        lost.append(end + 1)  # the last entries are gone without a trace of their rows
    rows = list(one.entries.values())
    for number in lost:
        readings = one.readings.get(number)
        if readings is None:
            readings, unnamed = unnamed, 0
        rows.append(Entry(number, EntryType.LOST, 0, readings, b""))
    rows.sort(key=lambda entry: entry.number)
    crc = 0
    for entry in rows:
        crc = zlib.crc32(entry.body, crc)
    meta = {
        "journal_id": identity["journal_id"], "clock_mode": identity["clock_mode"], "first": one.first, "crc": crc,
        "totals": msgspec.json.encode(totals).decode(), **({"closed": 1} if after is not None else {}),
    }  # fmt: skip
    folder = one.path.parent / DAMAGED
    folder.mkdir(exist_ok=True)
    unfinished = folder / "unfinished"
    unlink_segment(unfinished)
    db = new_segment(
        unfinished, meta, one.devices, next((x.station_now for x in whole if x.station_now), {}),
        [(e.number, e.type, time_ms, e.readings, e.body) for e, time_ms in zip(rows, _times_ms(rows), strict=True)],
        one.memory,
    )  # fmt: skip
    db.execute("PRAGMA journal_mode=DELETE")
    db.close()
    kept = _exchange(unfinished.rename(folder / f"{one.path.name}{_READY}"))
    found = [e.readings for e in rows if e.type is EntryType.LOST]
    return Repair(kept, "; ".join(one.problems), len(rows), len(found), sum(found))


def _totals_before(after: _Segment | None) -> Totals | None:
    """Return the counters at which a segment began, as far as it tells."""
    if after is None or after.totals is None or after.problems:
        return None
    return after.totals.plus(journalled=-after.known_readings)


def _times_ms(rows: list[Entry]) -> list[int]:
    """Return when each entry was committed; a lost one is given the time before it."""
    times_ms = np.array([e.time_ms for e in rows], np.int64)
    return np.maximum.accumulate(times_ms).tolist() if len(times_ms) else []


def _exchange(ready: Path) -> Path:
    """Put a repaired segment in the place of the damaged one, which stays beside it; return where.

    It may be cut off anywhere and done again.
    """
    kept = ready.with_name(ready.name.removesuffix(_READY))
    old = ready.parent.parent / kept.name
    if not kept.exists():
        kept.hardlink_to(old)
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            old.with_name(old.name + suffix).rename(kept.with_name(kept.name + suffix))
    ready.rename(old)
    return kept
