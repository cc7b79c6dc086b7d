"""Where the river stands: the counters of `/progress`, from the files of every role."""

import sqlite3
from pathlib import Path
from typing import Any

import msgspec

from store.journal import Totals
from store.journal_reader import JournalReader
from store.roles import RoleStatus, read_status, wall_ms
from store.sqlite import connect
from telemetry.errors import JournalError
from telemetry.times import format_time

CONNECTED_MS = 3_000
"""A role that has said nothing for this long is not connected."""


class Progress(msgspec.Struct, frozen=True):
    """Totals since the data directory was made, and what is still on its way."""

    received: int
    acknowledged: int
    dead_lettered: int
    rejected: int
    journalled: int
    written: int
    analysed: int
    too_late: int
    future: int
    kind_mismatch: int
    lost: int
    """Readings of damaged journal entries, which `voltair journal repair` has marked."""
    connected: bool
    """Ingest alive, connected and subscribed within the last 3 s."""
    derived_pending: int
    """Derived rows that are not yet in the series store."""
    deliveries_pending: int
    watermark: dict[str, str | None]
    """Station -> time up to which derived rows and rules on key figures are done; None before the first tick."""


def read_progress(data: Path, deliveries_pending: int) -> Progress:
    """Read the counters; a file that is not there yet counts 0."""
    # Consumers first: so none of them can seem ahead of the journal.
    state = read_meta(data / "state.db")
    series = read_meta(data / "series.db")
    outbox = _rows(data / "state.db", "SELECT coalesce(max(n), 0) FROM outbox")
    watermarks = _rows(data / "state.db", "SELECT station, watermark_ms FROM station ORDER BY station")
    try:
        totals = JournalReader(data / "journal").head()[3]
    except JournalError:
        totals = Totals()
    newest = outbox[0][0] if outbox else 0
    return Progress(
        received=totals.received,
        acknowledged=totals.acknowledged,
        dead_lettered=totals.dead_lettered,
        rejected=totals.rejected,
        journalled=totals.journalled,
        written=_count(series, "written"),
        analysed=_count(state, "analysed"),
        too_late=_count(state, "too_late"),
        future=_count(state, "future"),
        kind_mismatch=_count(state, "kind_mismatch"),
        lost=_count(state, "lost"),
        connected=is_connected(read_status(data, "ingest")),
        derived_pending=max(0, newest - _count(series, "derived_cursor")),
        deliveries_pending=deliveries_pending,
        # A station heard since the last tick has none yet: analytics keeps a time long before all years.
        watermark={station: format_time(ms if ms > 0 else None) for station, ms in watermarks},
    )


def is_connected(ingest: RoleStatus | None) -> bool:
    """Return whether ingest hears the broker now."""
    return (
        ingest is not None
        and wall_ms() - ingest.updated_ms < CONNECTED_MS
        and ingest.gauges.get("connected") == 1
    )


def read_meta(path: Path) -> dict[str, Any]:
    """Return the table `meta` of a file, {} where there is none yet."""
    return dict(_rows(path, "SELECT key, value FROM meta"))


def _count(meta: dict[str, Any], key: str) -> int:
    return int(meta.get(key) or 0)


def _rows(path: Path, query: str) -> list[Any]:
    if not path.exists():
        return []
    db = connect(path, read_only=True)
    try:
        return db.execute(query).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return []
        raise
    finally:
        db.close()
