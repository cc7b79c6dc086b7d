"""Reading the journal, in any process, while ingest writes it."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from store.journal import DeviceKey, Entry, EntryType, Totals, damaged, other_clock_mode
from store.segments import segment_files
from store.sqlite import connect
from telemetry.errors import ConfigError, JournalError


class JournalReader:
    """A consumer's view of the journal; any number of them, in any process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path | None = None
        self._db: sqlite3.Connection | None = None
        self.devices: list[DeviceKey] = []
        """Device of each index, complete for every frame that `read` has returned."""

    def exists(self) -> bool:
        """Return whether ingest has made the journal."""
        return bool(segment_files(self._folder))

    def _open(self, after: int) -> bool:
        """Open the segment that holds entry `after + 1`; return whether there is one."""
        segments = segment_files(self._folder)
        if not segments:
            return False
        if segments[0][0] > after + 1:
            msg = (
                f"entry {after + 1} is no longer in the journal {self._folder} (it starts at {segments[0][0]}); "
                "this consumer's state is older than journal.keep: restore a backup of it"
            )
            raise JournalError(msg)
        path = next(p for first, p in reversed(segments) if first <= after + 1)
        if path != self._path:
            self.close()
            self._path, self._db = path, connect(path, read_only=True)
        return True

    def read(self, after: int, limit_readings: int = 200_000, limit_entries: int = 10_000) -> list[Entry]:
        """Return the entries after `after`, oldest first, until about `limit_readings`; [] when there are none.

        Raises
        ------
        JournalError
            If the entries are no longer there, or a segment is damaged.
        """
        while self._open(after):
            assert self._db is not None  # noqa: S101 - set by _open
            entries: list[Entry] = []
            readings = 0
            try:
                rows = self._db.execute(
                    "SELECT number, type, time_ms, readings, body FROM entry WHERE number > ? ORDER BY number",
                    (after,),
                )
                for number, type_, time_ms, count, body in rows:
                    entries.append(Entry(number, EntryType(type_), time_ms, count, body))
                    readings += count
                    if readings >= limit_readings or len(entries) >= limit_entries:
                        break
                rows.close()
                if entries:
                    self._load_devices()
            except sqlite3.DatabaseError as error:
                if "no such table" in str(error):
                    return []
                raise JournalError(damaged(self._path, error)) from error
            if entries:
                return entries
            # At the end of a closed segment the next one may have begun meanwhile.
            newest = segment_files(self._folder)[-1]
            if newest[1] == self._path or newest[0] != after + 1:
                return []
            self.close()
        return []

    def last(self, number: int, limit: int) -> Iterator[Entry]:
        """Yield the last `limit` entries up to `number`, as far as the journal still has them."""
        segments = segment_files(self._folder)
        at = max(number - limit, segments[0][0] - 1) if segments else number
        while at < number:
            found = self.read(at, limit_entries=number - at)
            if not found:
                return
            yield from found
            at = found[-1].number

    def _load_devices(self) -> None:
        assert self._db is not None  # noqa: S101 - set by _open
        rows = self._db.execute(
            "SELECT station, kind, device FROM device WHERE idx >= ? ORDER BY idx", (len(self.devices),)
        )
        self.devices += [DeviceKey(*row) for row in rows]

    def head(self) -> tuple[str, str, int, Totals]:
        """Return journal id, clock mode, number of the newest entry, totals.

        Raises
        ------
        JournalError
            If there is no journal yet.
        """
        for _, path in reversed(segment_files(self._folder)):
            db = connect(path, read_only=True)
            try:
                meta = dict(db.execute("SELECT key, value FROM meta"))
                last = db.execute("SELECT max(number) FROM entry").fetchone()[0]
            except sqlite3.OperationalError:
                continue
            except sqlite3.DatabaseError as error:
                raise JournalError(damaged(path, error)) from error
            finally:
                db.close()
            if "journal_id" in meta:
                number = last or int(meta["first"]) - 1
                totals = msgspec.json.decode(meta["totals"], type=Totals)
                return meta["journal_id"], meta["clock_mode"], number, totals
        msg = f"no journal in {self._folder} yet; start 'voltair ingest'"
        raise JournalError(msg)

    def station_now(self) -> dict[str, int]:
        """Return the event clock of each station: the newest accepted time of its devices [ms]."""
        for _, path in reversed(segment_files(self._folder)):
            db = connect(path, read_only=True)
            try:
                return dict(db.execute("SELECT station, now_ms FROM station_now"))
            except sqlite3.OperationalError:
                continue
            finally:
                db.close()
        return {}

    def close(self) -> None:
        """Close the open file."""
        if self._db is not None:
            self._db.close()
        self._db = self._path = None


def check_clock_mode(folder: Path, clock_mode: str) -> None:
    """Refuse another clock mode than the one that the journal keeps; before the first start any will do.

    Raises
    ------
    ConfigError
        If they differ.
    """
    try:
        kept = JournalReader(folder).head()[1]
    except JournalError:
        return
    if kept != clock_mode:
        raise ConfigError(other_clock_mode(folder, kept, clock_mode))
