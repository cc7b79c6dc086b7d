"""Silences, maintenance windows, and alerts that explain others: what is held back from delivery, and when.

A held delivery is kept: when the silence ends and its alert still fires, it goes out. What was delivered as firing
is always delivered as resolved. Analytics knows nothing of silences.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from telemetry.calendar import parse_hours
from telemetry.times import MINUTE_MS, format_time

MATCHABLE = ("id", "fingerprint", "rule", "category", "severity", "station", "device", "device_kind")
"""Members of an alert's `data` that a silence may name."""

EXPLAINED_MS = 5 * MINUTE_MS
"""After an alert that explains others the devices have this long to come back [ms]."""


class Hold(msgspec.Struct, frozen=True):
    """One reason to hold deliveries back at a moment."""

    matchers: dict[str, str | list[str]]
    """Member of `data` -> its value, or a list of values; all must match."""

    def matches(self, data: dict[str, Any]) -> bool:
        """Return whether an alert's `data` falls under it."""
        return all(
            data.get(name) in (wanted if isinstance(wanted, list) else [wanted])
            for name, wanted in self.matchers.items()
        )


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """No deliveries of matching alerts in `[from_ms, to_ms)`."""

    id: str
    matchers: dict[str, str | list[str]]
    from_ms: int
    to_ms: int
    by: str
    reason: str

    def public(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {
            "id": self.id, "matchers": self.matchers, "from": format_time(self.from_ms),
            "to": format_time(self.to_ms), "by": self.by, "reason": self.reason,
        }


class Exclusion(msgspec.Struct, frozen=True, kw_only=True):
    """A maintenance window: outages inside do not count against uptime, and alerts are not delivered."""

    id: str
    station: str
    devices: list[str]
    """Devices it covers; empty: the whole station."""
    from_ms: int
    to_ms: int | None
    """None: until it is deleted (recurring windows)."""
    hours: str | None
    """Weekly local hours in which it recurs, like `Sun 02:00-04:00`; None: all of `[from_ms, to_ms)`."""
    timezone: str
    """The station's time zone when it was made: `hours` are local to it."""
    by: str
    reason: str

    def public(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {
            "id": self.id, "station": self.station, "devices": self.devices or None,
            "from": format_time(self.from_ms), "to": format_time(self.to_ms), "hours": self.hours, "by": self.by,
            "reason": self.reason,
        }

    def intervals(self, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
        """Return the parts of `[from_ms, to_ms)` that it covers, sorted and disjoint."""
        first, last = max(from_ms, self.from_ms), to_ms if self.to_ms is None else min(to_ms, self.to_ms)
        if first >= last:
            return []
        if self.hours is None:
            return [(first, last)]
        found = parse_hours(self.hours).intervals(first, last, ZoneInfo(self.timezone))
        return [(int(a), int(b)) for a, b in found]


def list_silences(db: sqlite3.Connection) -> list[Silence]:
    """Return all silences, past ones too, by start."""
    rows = db.execute("SELECT body FROM silence ORDER BY from_ms, id")
    return [msgspec.json.decode(row[0], type=Silence) for row in rows]


def list_exclusions(db: sqlite3.Connection, station: str | None = None) -> list[Exclusion]:
    """Return the maintenance windows of a station (None: of all), by start."""
    rows = db.execute(
        "SELECT body FROM exclusion WHERE ? IS NULL OR station = ? ORDER BY from_ms, id", (station, station)
    )
    return [msgspec.json.decode(row[0], type=Exclusion) for row in rows]


def put_silence(db: sqlite3.Connection, silence: Silence) -> None:
    """Write a silence, inside a transaction of the desk."""
    db.execute(
        "INSERT OR REPLACE INTO silence VALUES(?, ?, ?, ?)",
        (silence.id, silence.from_ms, silence.to_ms, msgspec.json.encode(silence)),
    )


def put_exclusion(db: sqlite3.Connection, exclusion: Exclusion) -> None:
    """Write a maintenance window, inside a transaction of the desk."""
    db.execute(
        "INSERT OR REPLACE INTO exclusion VALUES(?, ?, ?, ?, ?)",
        (exclusion.id, exclusion.station, exclusion.from_ms, exclusion.to_ms, msgspec.json.encode(exclusion)),
    )


def begin_inhibition(db: sqlite3.Connection, alert: str, station: str, rules: Sequence[str]) -> None:
    """Hold back alerts of some rules at a station while an alert fires there, inside a transaction of the desk."""
    db.execute("INSERT OR REPLACE INTO inhibition VALUES(?, ?, NULL, ?)", (alert, station, msgspec.json.encode(rules)))


def end_inhibition(db: sqlite3.Connection, alert: str, station: str, time_ms: int) -> None:
    """Let go in five minutes what an alert holds back, if it does; forget what has ended at its station before."""
    db.execute("DELETE FROM inhibition WHERE station = ? AND until_ms <= ?", (station, time_ms))
    db.execute("UPDATE inhibition SET until_ms = ? WHERE alert = ?", (time_ms + EXPLAINED_MS, alert))


def holds_at(db: sqlite3.Connection, time_ms: int) -> list[Hold]:
    """Return what holds deliveries back at a moment."""
    rows = db.execute("SELECT body FROM silence WHERE from_ms <= ? AND ? < to_ms", (time_ms, time_ms))
    holds = [Hold(msgspec.json.decode(row[0], type=Silence).matchers) for row in rows]
    for exclusion in list_exclusions(db):
        if exclusion.intervals(time_ms, time_ms + 1):
            devices = {"device": exclusion.devices} if exclusion.devices else {}
            holds.append(Hold({"station": exclusion.station, **devices}))
    explained = db.execute("SELECT station, rules FROM inhibition WHERE until_ms IS NULL OR ? < until_ms", (time_ms,))
    holds += [Hold({"station": station, "rule": msgspec.json.decode(rules)}) for station, rules in explained]
    return holds


def release_held(
    db: sqlite3.Connection,
    now_of: dict[str, int],
    default_now_ms: int,
    wall_ms: int,
    due_ms: Callable[[str, int], int] = lambda _endpoint, now_ms: now_ms,
) -> int:
    """Let go what is no longer held back, inside a transaction of the desk; return how many deliveries.

    Of an alert that still fires the newest held transition goes out; the others are overtaken.

    Parameters
    ----------
    db
        The desk's writing connection.
    now_of
        Station -> its `now`, by which silences are counted in event mode.
    default_now_ms
        `now` of any other station.
    wall_ms
        Wall time: alerts count as told from now on.
    due_ms
        (endpoint, wall time) -> when its next delivery may go out.
    """
    rows = db.execute(
        "SELECT d.endpoint, d.alert, max(d.n), a.data, "
        "(SELECT max(n) FROM delivery x WHERE x.endpoint = d.endpoint AND x.alert = d.alert) "
        "FROM delivery d JOIN alert a ON a.alert = d.alert "
        "WHERE d.state = 'held' AND a.state = 'firing' GROUP BY d.endpoint, d.alert"
    ).fetchall()
    released = 0
    for endpoint, alert, newest, body, last in rows:
        data = msgspec.json.decode(body)
        holds = holds_at(db, now_of.get(data["station"], default_now_ms))
        if any(hold.matches(data) for hold in holds):
            continue
        if newest == last:
            db.execute(
                "UPDATE delivery SET state = 'pending', next_at_ms = ? WHERE n = ?",
                (due_ms(endpoint, wall_ms), newest),
            )
            db.execute("UPDATE alert SET told_ms = ? WHERE alert = ?", (wall_ms, alert))
            released += 1
        db.execute(
            "UPDATE delivery SET state = 'silenced' WHERE state = 'held' AND endpoint = ? AND alert = ?",
            (endpoint, alert),
        )
    db.execute(
        "UPDATE delivery SET state = 'silenced' WHERE state = 'held' "
        "AND alert IN (SELECT alert FROM alert WHERE state <> 'firing')"
    )
    return released
