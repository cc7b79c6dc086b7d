"""What happens to alerts that nobody takes on: they reach a higher tier, and are told again. Live clocks only."""

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from api.bodies import Notice
from api.desk import Desk
from api.endpoints import Endpoint, list_endpoints
from api.routing import add_delivery, hashed
from api.silences import holds_at
from store.roles import wall_ms
from telemetry.notifying import BusinessCalendar, EscalationStep
from telemetry.registry import Registry
from telemetry.times import parse_duration_ms

_log = logging.getLogger(__name__)


def due_tier(
    steps: Sequence[EscalationStep],
    severity: str,
    told_ms: int,
    now_ms: int,
    calendars: Mapping[str, BusinessCalendar],
) -> int:
    """Return the tier that a firing alert has reached which nobody has taken on; 1 at first.

    Parameters
    ----------
    steps
        Of its station.
    severity
        Of the alert.
    told_ms
        Wall time at which it was first told.
    now_ms
        Wall time.
    calendars
        Those that steps name; time counts inside only.
    """
    reached = 1
    for step in steps:
        calendar = calendars.get(step.calendar)
        waited_ms = now_ms - told_ms
        if calendar is not None and waited_ms >= step.after_ms:
            waited_ms = calendar.open_ms(told_ms, now_ms)
        if severity in step.severities and waited_ms >= step.after_ms:
            reached = max(reached, step.tier)
    return reached


class Escalator:
    """Looks once a second after alerts that nobody takes on. One per desk."""

    def __init__(
        self,
        desk: Desk,
        steps: Sequence[EscalationStep],
        registry: Callable[[], Registry],
        now_of: Callable[[str], int],
        *,
        clock_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._desk = desk
        self._steps = steps
        self._registry = registry
        self._now_of = now_of
        self._clock_ms = clock_ms

    def step(self) -> int:
        """Escalate and repeat what is due; return how many alerts were told again."""
        return self._escalate() + self._repeat()

    def _escalate(self) -> int:
        stations = self._registry().stations
        if not self._steps and not any(s.escalation for s in stations.values()):
            return 0
        now_ms = self._clock_ms()
        rows = self._desk.reader.execute(
            "SELECT alert, station, severity, tier, told_ms, data FROM alert "
            "WHERE state = 'firing' AND NOT acknowledged"
        ).fetchall()
        told = 0
        for alert, station, severity, tier, told_ms, data in rows:
            listed = stations.get(station)
            own = None if listed is None else listed.escalation
            steps = self._steps if own is None else own
            reached = due_tier(steps, severity, told_ms, now_ms, self._desk.routes.calendars)
            if reached > tier and not self._silenced(data, self._now_of(station)):
                event = self._desk.escalate(alert, reached, time_ms=self._now_of(station), now_ms=now_ms)
                told += event is not None
        return told

    def _silenced(self, data: bytes, time_ms: int) -> bool:
        alert = msgspec.json.decode(data)
        return any(hold.matches(alert) for hold in holds_at(self._desk.reader, time_ms))

    def _repeat(self) -> int:
        now_ms = self._clock_ms()
        told = 0
        for endpoint in list_endpoints(self._desk.reader):
            interval_ms = parse_duration_ms(endpoint.repeat) if endpoint.repeat else None
            if not endpoint.enabled or not interval_ms:
                continue
            found = _unanswered(self._desk.reader, endpoint.id, now_ms - interval_ms)
            for last, event, data in found:
                alert = msgspec.json.decode(data)
                if not self._silenced(data, self._now_of(alert["station"])):
                    self._tell_again(endpoint, last, event, alert, now_ms)
                    told += 1
        return told

    def _tell_again(self, endpoint: Endpoint, last: int, event: int, alert: dict[str, Any], now_ms: int) -> None:
        """Deliver the newest transition of an alert once more, under an id of its own."""
        with self._desk.write() as db:
            if db.execute("SELECT 1 FROM alert WHERE alert = ? AND state = 'firing'", (alert["id"],)).fetchone():
                type_, time_ms = db.execute("SELECT type, time_ms FROM event WHERE n = ?", (event,)).fetchone()
                add_delivery(
                    db, endpoint, Notice(type_, time_ms, alert), "msg_" + hashed(f"repeat\n{last}\n{endpoint.id}"),
                    event, state="pending", routes=self._desk.routes, now_ms=now_ms,
                )


def _unanswered(db: sqlite3.Connection, endpoint: str, before_ms: int) -> list[tuple[int, int, bytes]]:
    """Return (last delivery, its event, alert's data) of alerts last told to an endpoint before a time."""
    rows = db.execute(
        "SELECT d.n, d.event, a.data FROM alert a JOIN delivery d ON d.n = "
        "(SELECT max(n) FROM delivery x WHERE x.endpoint = ? AND x.alert = a.alert) "
        "WHERE a.state = 'firing' AND NOT a.acknowledged AND d.state = 'delivered' AND d.attempted_ms <= ?",
        (endpoint, before_ms),
    )
    return rows.fetchall()
