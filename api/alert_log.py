"""Alerts and events as the API shows them, read from desk.db."""

import sqlite3
from typing import Any

import msgspec

from api.desk import Event
from telemetry.times import format_time

FILTERS = ("state", "station", "severity", "category", "rule")
"""Columns of `alert` that a call may filter by."""


def list_alerts(
    db: sqlite3.Connection,
    *,
    where: dict[str, str],
    stations: tuple[str, ...] = (),
    from_ms: int | None = None,
    to_ms: int | None = None,
    after: tuple[int, str] = (-(2**62), ""),
    limit: int,
) -> list[tuple[int, str, dict[str, Any]]]:
    """Return alerts by `fired_at`, oldest first, as (fired_ms, id, item).

    Parameters
    ----------
    db
        A reading connection of the desk.
    where
        Column of `FILTERS` -> value.
    stations
        Only these; empty: all.
    from_ms, to_ms
        Alerts that fired in `[from_ms, to_ms)`; None: no limit.
    after
        (fired_ms, id) of the last item of the page before.
    limit
        Most items.
    """
    clauses = ["(fired_ms, alert) > (?, ?)", "fired_ms >= ?", "fired_ms < ?"]
    values: list[Any] = [
        *after, -(2**62) if from_ms is None else from_ms, 2**62 if to_ms is None else to_ms,
    ]
    for column, value in where.items():
        clauses.append(f"{column} = ?")
        values.append(value)
    if stations:
        clauses.append(f"station IN ({', '.join('?' * len(stations))})")
        values += stations
    rows = db.execute(
        f"SELECT fired_ms, alert, data FROM alert WHERE {' AND '.join(clauses)} "  # noqa: S608 - own column names
        "ORDER BY fired_ms, alert LIMIT ?", (*values, limit),
    ).fetchall()
    return [(fired_ms, alert, alert_item(db, alert, data)) for fired_ms, alert, data in rows]


def find_alert(db: sqlite3.Connection, alert: str) -> dict[str, Any] | None:
    """Return one alert, None where there is no such one."""
    row = db.execute("SELECT data FROM alert WHERE alert = ?", (alert,)).fetchone()
    return None if row is None else alert_item(db, alert, row[0])


def alert_item(db: sqlite3.Connection, alert: str, data: bytes) -> dict[str, Any]:
    """Return an alert's `data` with its transitions."""
    item: dict[str, Any] = msgspec.json.decode(data)
    rows = db.execute("SELECT n, id, type, time_ms, sequence FROM event WHERE alert = ? ORDER BY n", (alert,))
    item["transitions"] = [
        {"n": n, "id": id_, "type": type_, "timestamp": format_time(time_ms), "sequence": sequence}
        for n, id_, type_, time_ms, sequence in rows
    ]
    return item


def firing_data(db: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return the `data` of every alert that fires now, oldest first."""
    rows = db.execute("SELECT data FROM alert WHERE state = 'firing' ORDER BY fired_ms, alert")
    return [msgspec.json.decode(row[0]) for row in rows]


def firing_counts(db: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """Return station -> severity -> alerts that fire now."""
    counts: dict[str, dict[str, int]] = {}
    for station, severity, count in db.execute(
        "SELECT station, severity, count(*) FROM alert WHERE state = 'firing' GROUP BY station, severity"
    ):
        counts.setdefault(station, {})[severity] = count
    return counts


def event_item(event: Event) -> dict[str, Any]:
    """Return an event: its number and id, and the body that a `standard` receiver gets."""
    return {"n": event.n, "id": event.id, **msgspec.json.decode(event.body)}
