"""`/alerts` and `/events`."""

import re
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.alert_log import event_item, find_alert, list_alerts
from api.desk import audit
from api.params import LARGEST, Cursor, FromText, Json, Limit, ToText, listing, offset_of, time_of
from api.problems import Problem
from api.repairs import mark_repaired
from api.services import CallerOf, Parts, allow

router = APIRouter(tags=["alerts"])


class Ack(BaseModel):
    """Who takes an alert on, or has repaired what it tells."""

    by: Annotated[str, Field(min_length=1, max_length=200)]
    note: Annotated[str, Field(max_length=2_000)] = ""


@router.get("/alerts", summary="Alerts, firing and past, oldest first")
def get_alerts(
    parts: Parts,
    caller: CallerOf,
    state: Literal["firing", "resolved"] | None = None,
    station: str | None = None,
    severity: Literal["info", "warning", "critical"] | None = None,
    category: str | None = None,
    rule: str | None = None,
    from_: FromText = None,
    to: ToText = None,
    limit: Limit = 1_000,
    cursor: Cursor = None,
) -> Json:
    """Alerts whose `fired_at` lies in `[from, to)`; without them all."""
    if station is not None:
        allow(caller, station)
    given = {"state": state, "station": station, "severity": severity, "category": category, "rule": rule}
    after = {} if cursor is None else {"after": _alert_cursor(cursor)}
    found = list_alerts(
        parts.desk.reader,
        where={k: v for k, v in given.items() if v is not None},
        stations=caller.stations,
        from_ms=None if from_ is None else time_of("from", from_),
        to_ms=None if to is None else time_of("to", to),
        limit=limit + 1,
        **after,
    )
    last = found[limit - 1] if len(found) > limit else None
    return listing([item for _, _, item in found[:limit]], None if last is None else f"{last[0]}.{last[1]}")


def _alert_cursor(cursor: str) -> tuple[int, str]:
    fired, dot, alert = cursor.partition(".")
    if not dot or not re.fullmatch(r"-?[0-9]{1,16}", fired):
        raise Problem(422, f"cursor = {cursor!r} is none of ours; take next_cursor of the answer before")
    return int(fired), alert


@router.get("/alerts/{alert}", summary="One alert")
def get_alert(parts: Parts, caller: CallerOf, alert: str) -> Json:
    """Its `data`, acknowledgement and transitions."""
    found = find_alert(parts.desk.reader, alert)
    if found is None:
        raise _unknown(alert)
    allow(caller, found["station"])
    return Json(found)


@router.post("/alerts/{alert}/ack", summary="Take an alert on")
def acknowledge(parts: Parts, caller: CallerOf, alert: str, body: Ack) -> Json:
    """Note who deals with an alert; receivers get `alert.acknowledged`. The same twice is one."""
    found = find_alert(parts.desk.reader, alert)
    if found is None:
        raise _unknown(alert)
    allow(caller, found["station"])
    old = found["acknowledgement"]
    if old is None or (old["by"], old["note"]) != (body.by, body.note):
        now_ms = parts.clock_ms()
        time_ms = parts.sources.now_ms(found["station"])
        parts.desk.acknowledge(alert, body.by, body.note, time_ms=time_ms, now_ms=now_ms)
        with parts.desk.write() as db:
            audit(db, now_ms=now_ms, caller=caller.name, action="ack", subject=alert, body=body.model_dump())
        parts.changed()
    return Json(find_alert(parts.desk.reader, alert))


@router.post("/alerts/{alert}/repaired", summary="Mark a leak repaired")
def repaired(parts: Parts, caller: CallerOf, alert: str, body: Ack) -> Json:
    """Note who has repaired a leak; the next nights verify it, and `repair` of the alert says what they found.

    Receivers get `alert.acknowledged`, then `alert.updated` with the verdict. The same twice is one. 409 for an alert
    that nights cannot verify: of another rule than `leak`, or resolved.
    """
    found = find_alert(parts.desk.reader, alert)
    if found is None:
        raise _unknown(alert)
    allow(caller, found["station"])
    now_ms = parts.clock_ms()
    time_ms = parts.sources.now_ms(found["station"])
    if mark_repaired(parts.desk, found, body.by, body.note, time_ms=time_ms, now_ms=now_ms):
        with parts.desk.write() as db:
            audit(db, now_ms=now_ms, caller=caller.name, action="repaired", subject=alert, body=body.model_dump())
        parts.changed()
    return Json(find_alert(parts.desk.reader, alert))


def _unknown(alert: str) -> Problem:
    return Problem(404, f"there is no alert {alert!r}; GET /api/v1/alerts lists all")


@router.get("/events", summary="Every transition, in order")
def get_events(
    parts: Parts,
    caller: CallerOf,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="`n` of the last event that you have")] = 0,
    limit: Limit = 1_000,
    cursor: Cursor = None,
) -> Json:
    """For consumers that reconcile: numbers only grow; an event is what a `standard` receiver was posted."""
    events = parts.desk.events(max(after, offset_of(cursor)), limit + 1)
    more = len(events) > limit
    events = events[:limit]
    items = [event_item(e) for e in events if caller.sees(e.station)]
    return listing(items, str(events[-1].n) if more else None)
