"""Many alerts, one message: what waits for an endpoint goes out together where its format can carry several.

Alerts of one rule at one station that change alike form a group. A group is formed at the moment when it can be sent,
so whatever has come while the endpoint was busy, limited or away joins it. Which alerts a message carries is written
down with its body before the first attempt: after a crash it is the same message with the same id.
"""

import sqlite3

import msgspec

from api.bodies import FORMATS, Notice, body_of
from api.endpoints import Endpoint
from api.outbox import IN_TURN

_LOOK = 20_000
"""Waiting deliveries that are looked at for one step."""


def bundle_due(db: sqlite3.Connection, endpoint: Endpoint, now_ms: int, messages: int) -> None:
    """Decide what the next messages to an endpoint carry, inside a transaction of the desk.

    Parameters
    ----------
    db
        The desk's writing connection.
    endpoint
        Whose format can carry several alerts.
    now_ms
        Wall time.
    messages
        Most messages.
    """
    rows = db.execute(
        "SELECT d.n, d.event, d.attempts, d.type, e.station, a.rule FROM delivery d INDEXED BY delivery_pending "  # noqa: S608
        "JOIN event e ON e.n = d.event JOIN alert a ON a.alert = d.alert "
        f"WHERE d.state = 'pending' AND d.endpoint = ? AND d.next_at_ms <= ? AND d.bundle IS NULL AND {IN_TURN} "
        "ORDER BY d.n LIMIT ?", (endpoint.id, now_ms, _LOOK),
    )
    most = FORMATS[endpoint.format].most
    groups: dict[tuple[object, ...], list[tuple[int, int]]] = {}
    for n, event, attempts, *key in rows:
        # One that was tried keeps its body, so it goes alone.
        groups.setdefault((n, *key) if attempts else tuple(key), []).append((n, event))
    chunks = [g[i : i + most] for g in groups.values() for i in range(0, len(g), most)]
    for chunk in chunks[:messages]:
        carrier = chunk[0][0]
        if len(chunk) > 1:
            notices = [_notice(db, event) for _, event in chunk]
            body = body_of(endpoint.format, notices, endpoint.language)
            db.execute("UPDATE delivery SET body = ? WHERE n = ?", (body, carrier))
        db.executemany("UPDATE delivery SET bundle = ? WHERE n = ?", [(carrier, n) for n, _ in chunk])


def _notice(db: sqlite3.Connection, event: int) -> Notice:
    type_, time_ms, body = db.execute("SELECT type, time_ms, body FROM event WHERE n = ?", (event,)).fetchone()
    return Notice(type_, time_ms, msgspec.json.decode(body)["data"])
