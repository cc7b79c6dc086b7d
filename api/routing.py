"""Which endpoint is told of what, and when: filters, tiers, silences, calendars."""

import hashlib
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from api.bodies import Notice, body_of
from api.endpoints import Endpoint, list_endpoints
from api.silences import Hold
from telemetry.notifying import BusinessCalendar


class Routes(msgspec.Struct, frozen=True):
    """What routing needs to know beside the desk."""

    groups_of: Callable[[str], Sequence[str]] = lambda _station: ()
    """Station -> groups that it belongs to."""
    calendars: Mapping[str, BusinessCalendar] = {}

    def due_ms(self, endpoint: Endpoint, now_ms: int) -> int:
        """Return when what is made now may go out to an endpoint."""
        calendar = self.calendars.get(endpoint.calendar)
        return now_ms if calendar is None else calendar.next_open(now_ms)


def wants(endpoint: Endpoint, data: dict[str, Any], groups: Sequence[str]) -> bool:
    """Return whether an endpoint is told of an alert.

    Parameters
    ----------
    endpoint
        Its filters; an empty one lets everything pass.
    data
        The alert's `data` object.
    groups
        Groups of its station.
    """
    return (
        data["tier"] >= endpoint.tier
        and (not endpoint.stations or data["station"] in endpoint.stations)
        and (not endpoint.groups or any(g in endpoint.groups for g in groups))
        and (not endpoint.severities or data["severity"] in endpoint.severities)
        and (not endpoint.categories or data["category"] in endpoint.categories)
        and (not endpoint.rules or data["rule"] in endpoint.rules)
    )


def make_deliveries(
    db: sqlite3.Connection,
    notice: Notice,
    transition: str,
    event: int,
    *,
    holds: Sequence[Hold],
    routes: Routes,
    now_ms: int,
) -> None:
    """Make one delivery per endpoint that is told, inside a transaction of the desk, with its body frozen.

    A silenced one is held. Whoever was told that an alert fires is told that it is over, whatever filters and silences
    say by then.

    Parameters
    ----------
    db
        The desk's writing connection.
    notice, transition, event
        What happened, its id, and its number in the list.
    holds
        What holds deliveries back at its time.
    routes
        Groups and calendars.
    now_ms
        Wall time.
    """
    data = notice.data
    alert = data["id"]
    silenced = any(hold.matches(data) for hold in holds)
    over = notice.type == "alert.resolved"
    for endpoint in list_endpoints(db):
        if not endpoint.enabled:
            continue
        wanted = wants(endpoint, data, routes.groups_of(data["station"]) if endpoint.groups else ())
        closes = over and (silenced or not wanted) and _went_out(db, endpoint.id, alert)
        if wanted or closes:
            state = "held" if silenced and not closes else "pending"
            add_delivery(
                db, endpoint, notice, message_id(transition, endpoint.id), event, state=state, routes=routes,
                now_ms=now_ms,
            )


def add_delivery(
    db: sqlite3.Connection,
    endpoint: Endpoint,
    notice: Notice,
    id_: str,
    event: int,
    *,
    state: str,
    routes: Routes,
    now_ms: int,
) -> None:
    """Add one delivery, due as soon as the endpoint's calendar allows; `id_` is its `webhook-id`."""
    db.execute(
        "INSERT INTO delivery(id, endpoint, event, alert, type, created_ms, body, state, next_at_ms) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            id_, endpoint.id, event, notice.data["id"], notice.type, now_ms,
            body_of(endpoint.format, [notice], endpoint.language), state,
            routes.due_ms(endpoint, now_ms),
        ),
    )


def _went_out(db: sqlite3.Connection, endpoint: str, alert: str) -> bool:
    row = db.execute(
        "SELECT 1 FROM delivery WHERE endpoint = ? AND alert = ? AND state IN ('pending', 'delivered')",
        (endpoint, alert),
    ).fetchone()
    return row is not None


def message_id(transition: str, endpoint: str) -> str:
    """Return `webhook-id`: the same for a transition and an endpoint after every crash."""
    return "msg_" + hashed(f"{transition}\n{endpoint}")


def hashed(text: str) -> str:
    """Return a short name for a text that nothing else has."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
