"""desk.db: what happened to each alert in one numbered list, and what is still to be delivered. Only the API writes it.

A transition enters the list in the same transaction that moves the cursor over state.db, changes the alert and makes
one delivery per endpoint. So a crash between any two statements leaves all of it or nothing, and the next start goes
on from the cursor; a transition that comes again is met by its id.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from analytics.rules.transitions import Transition
from api.bodies import Notice, standard_members
from api.routing import Routes, hashed, make_deliveries
from api.silences import begin_inhibition, end_inhibition, holds_at
from api.transitions import alert_data, decode_transition
from store.sqlite import connect
from store.versions import check_version
from telemetry.times import format_time

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event(
    n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, type TEXT NOT NULL, alert TEXT NOT NULL,
    station TEXT NOT NULL, time_ms INTEGER NOT NULL, sequence INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS event_alert ON event(alert, n);
CREATE TABLE IF NOT EXISTS alert(
    alert TEXT PRIMARY KEY, rule TEXT, category TEXT, severity TEXT, state TEXT, station TEXT,
    fired_ms INTEGER, resolved_ms INTEGER, tier INTEGER, acknowledged INTEGER, told_ms INTEGER,
    data BLOB) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alert_fired ON alert(fired_ms, alert);
CREATE INDEX IF NOT EXISTS alert_firing ON alert(station) WHERE state = 'firing';
CREATE TABLE IF NOT EXISTS delivery(
    n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, endpoint TEXT NOT NULL, event INTEGER, alert TEXT,
    type TEXT NOT NULL, created_ms INTEGER NOT NULL, body BLOB NOT NULL, state TEXT NOT NULL,
    next_at_ms INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, attempted_ms INTEGER, last_status INTEGER,
    last_latency_ms INTEGER, last_error TEXT, reached INTEGER NOT NULL DEFAULT 1, bundle INTEGER);
CREATE INDEX IF NOT EXISTS delivery_pending ON delivery(endpoint, n, next_at_ms) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS delivery_due ON delivery(next_at_ms) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS delivery_test ON delivery(endpoint) WHERE state = 'pending' AND type = 'webhook.test';
CREATE INDEX IF NOT EXISTS delivery_state ON delivery(state);
CREATE INDEX IF NOT EXISTS delivery_bundle ON delivery(bundle) WHERE bundle IS NOT NULL;
CREATE INDEX IF NOT EXISTS delivery_order ON delivery(endpoint, alert, event);
CREATE INDEX IF NOT EXISTS delivery_held ON delivery(alert) WHERE state = 'held';
CREATE TABLE IF NOT EXISTS endpoint(
    id TEXT PRIMARY KEY, created_ms INTEGER, enabled INTEGER, disabled_reason TEXT, body BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS silence(id TEXT PRIMARY KEY, from_ms INTEGER, to_ms INTEGER, body BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS exclusion(
    id TEXT PRIMARY KEY, station TEXT, from_ms INTEGER, to_ms INTEGER, body BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inhibition(
    alert TEXT PRIMARY KEY, station TEXT, until_ms INTEGER, rules BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS statement(
    station TEXT, month TEXT, issued_ms INTEGER, body BLOB, PRIMARY KEY(station, month)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS monitor(rule TEXT, device TEXT, body BLOB, PRIMARY KEY(rule, device)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mqtt_topic(topic TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audit(
    n INTEGER PRIMARY KEY AUTOINCREMENT, time_ms INTEGER, caller TEXT, action TEXT, subject TEXT, body BLOB);
"""


class Event(msgspec.Struct, frozen=True):
    """One row of the numbered list."""

    n: int
    id: str
    type: str
    alert: str
    station: str
    time_ms: int
    sequence: int
    body: bytes
    """The `standard` body: type, timestamp, data."""


class Desk:
    """The file and its one writing connection; any number of threads read."""

    def __init__(
        self,
        path: Path,
        *,
        base_url: str = "",
        routes: Routes | None = None,
        opener: Callable[..., sqlite3.Connection] = connect,
    ) -> None:
        self._path = path
        self._base_url = base_url.rstrip("/")
        self.routes = routes or Routes()
        path.parent.mkdir(parents=True, exist_ok=True)
        # It holds the secrets of endpoints; SQLite gives a new -wal and -shm the rights that the file has by then.
        path.touch(mode=0o600)
        for file in (path, *path.parent.glob(f"{path.name}-*")):
            file.chmod(0o600)
        self._db = opener(path, durable=True)
        check_version(self._db, path)
        self._lock = threading.Lock()
        self._local = threading.local()
        with self.write() as db:
            for statement in _SCHEMA.split(";"):
                db.execute(statement)

    @property
    def base_url(self) -> str:
        """Address of the page, without a slash at the end."""
        return self._base_url

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Hold the writing connection inside one transaction: committed at the end, nothing of it on an error."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @property
    def reader(self) -> sqlite3.Connection:
        """The calling thread's own reading connection."""
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = self._local.db = connect(self._path, read_only=True)
        return db

    def close(self) -> None:
        """Close the writing connection; readers close with their threads.

        A thread that outlives its cancelled task may still hold the connection: it is waited for.
        SQLite crashes the process when a connection is closed under a running statement.
        """
        with self._lock:
            self._db.close()

    def cursor(self) -> tuple[int, str]:
        """Return number and id of the last transition of state.db that was taken; (0, "") before the first."""
        with self._lock:
            meta = dict(self._db.execute("SELECT key, value FROM meta"))
        return int(meta.get("transition_cursor", 0)), str(meta.get("transition_id", ""))

    def take(self, rows: Sequence[tuple[int, bytes]], *, now_ms: int) -> list[Event]:
        """Take transitions of state.db, in order, and return the events that are new.

        Parameters
        ----------
        rows
            (n of state.db, body).
        now_ms
            Wall time, for the deliveries.

        Raises
        ------
        msgspec.DecodeError
            If a body is no transition; nothing of the call is kept.
        """
        events = []
        with self.write() as db:
            for n, body in rows:
                transition = decode_transition(body)
                event = self._take_one(db, transition, now_ms)
                if event is not None:
                    events.append(event)
                db.execute("INSERT OR REPLACE INTO meta VALUES('transition_cursor', ?)", (n,))
                db.execute("INSERT OR REPLACE INTO meta VALUES('transition_id', ?)", (transition.id,))
        return events

    def take_own(
        self, transitions: Sequence[Transition], states: Mapping[tuple[str, str], bytes | None], *, now_ms: int
    ) -> list[Event]:
        """Take transitions of alerts about Voltair itself with the states behind them, all or nothing.

        Parameters
        ----------
        transitions
            In order.
        states
            (rule, device) -> its state from here on; None: it is gone.
        now_ms
            Wall time.
        """
        with self.write() as db:
            events = [self._take_one(db, t, now_ms) for t in transitions]
            for key, body in states.items():
                if body is None:
                    db.execute("DELETE FROM monitor WHERE rule = ? AND device = ?", key)
                else:
                    db.execute("INSERT OR REPLACE INTO monitor VALUES(?, ?, ?)", (*key, body))
        return [event for event in events if event is not None]

    def monitor_states(self) -> dict[tuple[str, str], bytes]:
        """Return (rule, device) -> state of the rules about Voltair itself."""
        return {(r, d): body for r, d, body in self.reader.execute("SELECT rule, device, body FROM monitor")}

    def acknowledge(self, alert: str, by: str, note: str, *, time_ms: int, now_ms: int) -> Event | None:
        """Note who has taken an alert on; return its event, None where there is no such alert.

        Parameters
        ----------
        alert, by, note
            Which alert, who, and what they say.
        time_ms
            The station's `now`.
        now_ms
            Wall time.
        """
        def change(data: dict[str, Any]) -> bool:
            data["acknowledgement"] = {"by": by, "note": note, "at": format_time(time_ms)}
            return True

        return self.revise(alert, "alert.acknowledged", change, time_ms=time_ms, now_ms=now_ms)

    def revise(
        self, alert: str, type_: str, change: Callable[[dict[str, Any]], bool], *, time_ms: int, now_ms: int
    ) -> Event | None:
        """Change an alert's `data` by what is known here, not by analytics; None where nothing changes.

        Parameters
        ----------
        alert
            Which one.
        type_
            Of the event.
        change
            Changes `data` in place, inside the transaction; False: let it be.
        time_ms
            Event time.
        now_ms
            Wall time.
        """
        with self.write() as db:
            row = db.execute("SELECT data, fired_ms, resolved_ms FROM alert WHERE alert = ?", (alert,)).fetchone()
            if row is None:
                return None
            data = msgspec.json.decode(row[0])
            taken = data["acknowledgement"] is not None
            if not change(data):
                return None
            data["sequence"] += 1
            if taken and data["acknowledgement"] is None:  # nobody's again: its time to climb begins anew
                db.execute("UPDATE alert SET told_ms = ? WHERE alert = ?", (now_ms, alert))
            id_ = hashed(f"{type_.removeprefix('alert.')}\n{alert}\n{data['sequence']}")
            return self._append(db, id_, type_, time_ms, data, (row[1], row[2]), now_ms)

    def escalate(self, alert: str, tier: int, *, time_ms: int, now_ms: int) -> Event | None:
        """Carry a firing alert that nobody has taken on to a higher tier; None where that is no longer so.

        Parameters
        ----------
        alert, tier
            Which alert, and whom it reaches now.
        time_ms
            The station's `now`.
        now_ms
            Wall time.
        """
        with self.write() as db:
            row = db.execute(
                "SELECT data, fired_ms FROM alert WHERE alert = ? AND state = 'firing' AND NOT acknowledged "
                "AND tier < ?", (alert, tier),
            ).fetchone()
            if row is None:
                return None
            data = msgspec.json.decode(row[0])
            data["sequence"] += 1
            data["tier"] = tier
            id_ = hashed(f"escalated\n{alert}\n{tier}")
            return self._append(db, id_, "alert.escalated", time_ms, data, (row[1], None), now_ms)

    def _take_one(self, db: sqlite3.Connection, transition: Transition, now_ms: int) -> Event | None:
        """Put a transition into the list; None where it is already there."""
        if db.execute("SELECT 1 FROM event WHERE id = ?", (transition.id,)).fetchone():
            return None
        row = db.execute("SELECT data FROM alert WHERE alert = ?", (transition.alert,)).fetchone()
        before: dict[str, Any] = {"sequence": 0, "acknowledgement": None, "tier": 1}
        if row is not None:
            before = msgspec.json.decode(row[0])
        data = alert_data(transition, before["sequence"] + 1, self._base_url)
        data["acknowledgement"] = before["acknowledgement"]
        data["tier"] = before["tier"]
        if before.get("repair"):
            data["repair"] = before["repair"]
        times = (transition.fired_ms, transition.resolved_ms)
        if transition.state != "firing":
            end_inhibition(db, transition.alert, transition.station, transition.time_ms)
        elif transition.inhibits:
            begin_inhibition(db, transition.alert, transition.station, transition.inhibits)
        return self._append(db, transition.id, transition.type, transition.time_ms, data, times, now_ms)

    def _append(
        self,
        db: sqlite3.Connection,
        id_: str,
        type_: str,
        time_ms: int,
        data: dict[str, Any],
        times: tuple[int, int | None],
        now_ms: int,
    ) -> Event:
        """Give an event its number, change its alert and make its deliveries; `times` are fired and resolved."""
        notice = Notice(type_, time_ms, data)
        body = msgspec.json.encode(standard_members(notice))
        alert, station, sequence = data["id"], data["station"], data["sequence"]
        n = db.execute(
            "INSERT INTO event(id, type, alert, station, time_ms, sequence, body) VALUES(?, ?, ?, ?, ?, ?, ?)",
            (id_, type_, alert, station, time_ms, sequence, body),
        ).lastrowid
        assert n is not None  # noqa: S101 - an INSERT has one
        db.execute(
            "INSERT INTO alert VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(alert) DO UPDATE SET "
            "severity = excluded.severity, state = excluded.state, fired_ms = excluded.fired_ms, "
            "resolved_ms = excluded.resolved_ms, tier = excluded.tier, acknowledged = excluded.acknowledged, "
            "data = excluded.data",
            (
                alert, data["rule"], data["category"], data["severity"], data["state"], station, *times,
                data["tier"], data["acknowledgement"] is not None, now_ms, msgspec.json.encode(data),
            ),
        )
        make_deliveries(db, notice, id_, n, holds=holds_at(db, time_ms), routes=self.routes, now_ms=now_ms)
        return Event(n, id_, type_, alert, station, time_ms, sequence, body)

    def events(self, after: int, limit: int) -> list[Event]:
        """Return the events after a number, in order."""
        rows = self.reader.execute(
            "SELECT n, id, type, alert, station, time_ms, sequence, body FROM event WHERE n > ? ORDER BY n LIMIT ?",
            (after, limit),
        )
        return [Event(*row) for row in rows]


def audit(
    db: sqlite3.Connection, *, now_ms: int, caller: str, action: str, subject: str, body: object = None
) -> None:
    """Note who changed what, inside a transaction of the desk."""
    db.execute(
        "INSERT INTO audit(time_ms, caller, action, subject, body) VALUES(?, ?, ?, ?, ?)",
        (now_ms, caller, action, subject, msgspec.json.encode(body)),
    )


def list_audit(db: sqlite3.Connection, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Return who changed what, newest first, below number `before`."""
    rows = db.execute(
        "SELECT n, time_ms, caller, action, subject, body FROM audit WHERE ? IS NULL OR n < ? ORDER BY n DESC LIMIT ?",
        (before, before, limit),
    )
    return [
        {
            "n": n, "time": format_time(time_ms), "caller": caller, "action": action, "subject": subject,
            "body": msgspec.Raw(body),
        }
        for n, time_ms, caller, action, subject, body in rows
    ]
