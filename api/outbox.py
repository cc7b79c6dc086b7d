"""The delivery table of desk.db: what is due, what came of it, and what a person sends again."""

import sqlite3
from typing import Any

import msgspec

from api.post import Outcome
from telemetry.times import format_time

SCHEDULE_S = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Wait before each attempt [s]; after the last the delivery is a dead letter (75.5 h in all)."""
_LONGEST_WAIT_S = 86_400.0

STATES = ("pending", "held", "delivered", "dead", "silenced")
"""`held`: kept back by a silence that has not ended; `silenced`: its alert was over before the silence was."""


class Delivery(msgspec.Struct, frozen=True):
    """One transition on its way to one endpoint."""

    n: int
    id: str
    """`webhook-id`."""
    endpoint: str
    event: int | None
    """Number in the list of events; None for a test."""
    alert: str | None
    type: str
    created_ms: int
    body: bytes
    """Frozen when it was made."""
    state: str
    next_at_ms: int
    attempts: int
    attempted_ms: int | None
    last_status: int | None
    last_latency_ms: int | None
    last_error: str | None
    bundle: int | None
    """Number of the delivery whose message carries this one too; None before it is decided."""
    sent_as: str | None
    """`webhook-id` of that message."""

    def public(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {
            "id": self.id, "endpoint": self.endpoint, "event": self.event, "alert": self.alert, "type": self.type,
            "created": format_time(self.created_ms), "state": self.state, "attempts": self.attempts,
            "attempted_at": format_time(self.attempted_ms),
            "next_at": format_time(self.next_at_ms) if self.state == "pending" else None,
            "last_status": self.last_status, "last_latency_ms": self.last_latency_ms,
            "last_error": self.last_error or None, "sent_as": self.sent_as or self.id, "body": msgspec.Raw(self.body),
        }


_COLUMNS = (
    "n, id, endpoint, event, alert, type, created_ms, body, state, next_at_ms, attempts, attempted_ms, "
    "last_status, last_latency_ms, last_error, bundle, (SELECT c.id FROM delivery c WHERE c.n = d.bundle)"
)


IN_TURN = (
    "NOT EXISTS (SELECT 1 FROM delivery e WHERE e.endpoint = d.endpoint AND e.alert = d.alert AND e.event < d.event "
    "AND e.state = 'pending')"
)
"""A transition waits until the earlier one of its alert is delivered or dead."""


def due(
    db: sqlite3.Connection, endpoint: str, now_ms: int, limit: int, *, bundled: bool | None = None
) -> list[Delivery]:
    """Return pending deliveries of an endpoint whose time and turn have come, oldest first.

    Parameters
    ----------
    db
        A connection of the desk.
    endpoint
        Its id.
    now_ms
        Wall time.
    limit
        Most deliveries.
    bundled
        Whether it is decided what their message carries; None: all the same.
    """
    # Without the hint SQLite would sort all that are due, each time.
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM delivery d INDEXED BY delivery_pending "  # noqa: S608 - constants
        f"WHERE state = 'pending' AND endpoint = ? AND next_at_ms <= ? AND {IN_TURN} "
        "AND (bundle IS NULL OR bundle = n) AND coalesce((bundle IS NOT NULL) = ?, TRUE) ORDER BY n LIMIT ?",
        (endpoint, now_ms, bundled, limit),
    )
    return [Delivery(*row) for row in rows]


def due_tests(db: sqlite3.Connection, endpoint: str) -> list[Delivery]:
    """Return the tests of an endpoint that are still to be made."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM delivery d INDEXED BY delivery_test "  # noqa: S608 - constants
        "WHERE state = 'pending' AND type = 'webhook.test' AND endpoint = ?", (endpoint,),
    )
    return [Delivery(*row) for row in rows]


def next_due_ms(db: sqlite3.Connection, now_ms: int) -> int | None:
    """Return when the next pending delivery becomes due after now, None where none will.

    One that is already due is under way, or waits for one that is.
    """
    row = db.execute(
        "SELECT min(next_at_ms) FROM delivery INDEXED BY delivery_due WHERE state = 'pending' AND next_at_ms > ?",
        (now_ms,),
    ).fetchone()
    return None if row[0] is None else int(row[0])


def find_delivery(db: sqlite3.Connection, delivery: str) -> Delivery | None:
    """Return the delivery of that id."""
    row = db.execute(
        f"SELECT {_COLUMNS} FROM delivery d WHERE id = ?", (delivery,)  # noqa: S608 - constants
    ).fetchone()
    return None if row is None else Delivery(*row)


def list_deliveries(
    db: sqlite3.Connection, endpoint: str, state: str | None, before: int | None, limit: int
) -> list[Delivery]:
    """Return deliveries of an endpoint, newest first, below number `before`."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM delivery d WHERE endpoint = ? AND (? IS NULL OR state = ?) "  # noqa: S608
        "AND (? IS NULL OR n < ?) ORDER BY n DESC LIMIT ?",
        (endpoint, state, state, before, before, limit),
    )
    return [Delivery(*row) for row in rows]


def add_test(db: sqlite3.Connection, delivery: str, endpoint: str, body: bytes, now_ms: int) -> None:
    """Add a `webhook.test`, inside a transaction of the desk."""
    n = db.execute(
        "INSERT INTO delivery(id, endpoint, type, created_ms, body, state, next_at_ms) "
        "VALUES(?, ?, 'webhook.test', ?, ?, 'pending', ?)",
        (delivery, endpoint, now_ms, body, now_ms),
    ).lastrowid
    db.execute("UPDATE delivery SET bundle = n WHERE n = ?", (n,))


def settle(db: sqlite3.Connection, delivery: Delivery, outcome: Outcome, now_ms: int, jitter: float) -> str:
    """Write what came of an attempt, inside a transaction of the desk; return the state of the delivery.

    Parameters
    ----------
    db
        The desk's writing connection.
    delivery
        As it was when the attempt began.
    outcome
        What came of it.
    now_ms
        Wall time of the end of the attempt.
    jitter
        Part of the wait that is added to it, 0 to 1, so that many do not come back together.
    """
    attempts = delivery.attempts + 1
    state, next_at_ms = "pending", now_ms
    if outcome.delivered:
        state = "delivered"
    elif attempts >= len(SCHEDULE_S) or outcome.status == 410 or delivery.type == "webhook.test":
        state = "dead"
    else:
        wait_s = SCHEDULE_S[attempts] * (1.0 + jitter)
        if outcome.retry_after_s is not None:
            wait_s = max(wait_s, min(outcome.retry_after_s, _LONGEST_WAIT_S))
        next_at_ms = now_ms + round(1000 * wait_s)
    error = outcome.error or ("" if outcome.delivered else f"the receiver answered {outcome.status}")
    # Only pending ones: they may have been stopped with their endpoint while the attempt was under way.
    changed = db.execute(
        "UPDATE delivery SET state = ?, next_at_ms = ?, attempts = ?, attempted_ms = ?, last_status = ?, "
        "last_latency_ms = ?, last_error = ?, reached = ? "
        "WHERE (n = ? OR bundle = ?) AND (state = 'pending' OR ? = 'delivered')",
        (
            state, next_at_ms, attempts, now_ms, outcome.status, outcome.latency_ms, error,
            outcome.reached, delivery.n, delivery.n, state,
        ),
    ).rowcount
    if state == "delivered":
        # The receiver is back: what only failed for want of a connection need not wait for its next turn.
        db.execute(
            "UPDATE delivery INDEXED BY delivery_due SET next_at_ms = ? "
            "WHERE endpoint = ? AND state = 'pending' AND NOT reached "
            "AND next_at_ms > ?", (now_ms, delivery.endpoint, now_ms),
        )
    return state if changed else "dead"


def give_up(db: sqlite3.Connection, endpoint: str, before_ms: int) -> None:
    """Make dead letters of what was made before a time, inside a transaction of the desk.

    Of many that wait for a receiver that is away only one is tried at a time, so their own attempts do not end them.
    """
    db.execute(
        "UPDATE delivery SET state = 'dead', last_error = 'the receiver has been away for as long as is tried' "
        "WHERE endpoint = ? AND state = 'pending' AND created_ms < ?", (endpoint, before_ms),
    )


def replay(db: sqlite3.Connection, delivery: str, now_ms: int) -> bool:
    """Send a finished delivery again with its old id and body; return whether there is such a one.

    One that went out together with others goes out with them again.
    """
    changed = db.execute(
        "UPDATE delivery SET state = 'pending', attempts = 0, next_at_ms = ?, created_ms = ? WHERE state <> 'pending' "
        "AND n IN (SELECT coalesce(o.n, d.n) FROM delivery d LEFT JOIN delivery o ON o.bundle = d.bundle "
        "WHERE d.id = ?)", (now_ms, now_ms, delivery),
    ).rowcount
    return changed > 0


def troubles(db: sqlite3.Connection) -> list[str]:
    """Return what is wrong with endpoints now, each with what helps."""
    found = [
        f"webhook {endpoint} is disabled ({reason}); enable it by PATCH /api/v1/webhooks/{endpoint}"
        for endpoint, reason in db.execute(
            "SELECT id, disabled_reason FROM endpoint WHERE NOT enabled AND disabled_reason LIKE 'the receiver%'"
        )
    ]
    for endpoint, count, error in db.execute(
        "SELECT endpoint, count(*), max(last_error) FROM delivery WHERE state = 'pending' AND attempts > 0 "
        "GROUP BY endpoint"
    ):
        found.append(f"webhook {endpoint}: {count} deliveries are tried again ({error}); see its receiver")
    return found


def pending_count(db: sqlite3.Connection) -> int:
    """Return how many deliveries are still to be made; those that a silence holds back do not count."""
    return int(db.execute("SELECT count(*) FROM delivery WHERE state = 'pending'").fetchone()[0])
