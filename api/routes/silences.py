"""`/silences` and `/exclusions`."""

from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.desk import audit
from api.params import Cursor, Json, Limit, listing, page, time_of
from api.problems import Problem
from api.services import CallerOf, Everywhere, Parts, allow
from api.silences import (
    MATCHABLE,
    Exclusion,
    Silence,
    list_exclusions,
    list_silences,
    put_exclusion,
    put_silence,
)
from telemetry.calendar import parse_hours

router = APIRouter(tags=["silences"])

When = Annotated[str | int, Field(description="RFC 3339 with an offset, a date, or ms")]


class NewSilence(BaseModel):
    """No deliveries of matching alerts for a while."""

    model_config = ConfigDict(extra="forbid")

    matchers: Annotated[dict[str, str | list[str]], Field(min_length=1)]
    from_: Annotated[When | None, Field(alias="from")] = None
    to: When
    by: Annotated[str, Field(min_length=1, max_length=200)]
    reason: Annotated[str, Field(max_length=2_000)] = ""


class NewExclusion(BaseModel):
    """A maintenance window of a station or of some of its devices; `hours` (weekly, local) makes it recur."""

    model_config = ConfigDict(extra="forbid")

    station: str
    devices: list[str] | None = None
    from_: Annotated[When | None, Field(alias="from")] = None
    to: When | None = None
    hours: str | None = None
    by: Annotated[str, Field(min_length=1, max_length=200)]
    reason: Annotated[str, Field(max_length=2_000)] = ""


def _span(from_: str | int | None, to: str | int | None, default_ms: int) -> tuple[int, int | None]:
    from_ms = default_ms if from_ is None else time_of("from", str(from_))
    to_ms = None if to is None else time_of("to", str(to))
    if to_ms is not None and to_ms <= from_ms:
        raise Problem(422, f"to = {to!r} is not after from = {from_!r}; give an end that comes later")
    return from_ms, to_ms


@router.get("/silences", summary="Silences, past ones too")
def get_silences(parts: Parts, _caller: Everywhere, limit: Limit = 1_000, cursor: Cursor = None) -> Json:
    """By start."""
    return listing(*page([s.public() for s in list_silences(parts.desk.reader)], limit, cursor))


@router.post("/silences", status_code=201, summary="Hold deliveries of matching alerts back")
def add_silence(parts: Parts, caller: Everywhere, body: NewSilence) -> Json:
    """`matchers`: member of an alert's `data` -> value, or list of values; all must match."""
    for name in body.matchers:
        if name not in MATCHABLE:
            raise Problem(422, f"matchers: {name!r} is none of {', '.join(MATCHABLE)}")
    now_ms = parts.clock_ms()
    from_ms, to_ms = _span(body.from_, body.to, now_ms)
    assert to_ms is not None  # noqa: S101 - `to` is required
    silence = Silence(
        id="sil_" + uuid4().hex[:16], matchers=body.matchers, from_ms=from_ms, to_ms=to_ms, by=body.by,
        reason=body.reason,
    )
    with parts.desk.write() as db:
        put_silence(db, silence)
        audit(db, now_ms=now_ms, caller=caller.name, action="silence", subject=silence.id, body=silence.public())
    return Json(silence.public(), status_code=201)


@router.delete("/silences/{silence}", status_code=204, summary="End a silence now")
def end_silence(parts: Parts, caller: Everywhere, silence: str) -> Response:
    """Deliver what it held back and still fires."""
    _delete(parts, caller.name, "silence", silence)
    return Response(status_code=204)


@router.get("/exclusions", summary="Maintenance windows")
def get_exclusions(
    parts: Parts, caller: CallerOf, station: str | None = None, limit: Limit = 1_000, cursor: Cursor = None
) -> Json:
    """By start; of one station, or of all."""
    found = [e.public() for e in list_exclusions(parts.desk.reader, station) if caller.sees(e.station)]
    return listing(*page(found, limit, cursor))


@router.post("/exclusions", status_code=201, summary="Add a maintenance window")
def add_exclusion(parts: Parts, caller: CallerOf, body: NewExclusion) -> Json:
    """Outages inside do not count against uptime, and alerts inside are not delivered."""
    allow(caller, body.station)
    station = parts.sources.station(body.station)
    if body.hours is None and body.to is None:
        raise Problem(422, "to is missing; give an end, or weekly hours like 'Sun 02:00-04:00' that recur")
    if body.hours is not None:
        try:
            parse_hours(body.hours)
        except ValueError as error:
            raise Problem(422, f"hours: {error}") from error
    now_ms = parts.clock_ms()
    from_ms, to_ms = _span(body.from_, body.to, now_ms)
    exclusion = Exclusion(
        id="exc_" + uuid4().hex[:16], station=body.station, devices=body.devices or [], from_ms=from_ms,
        to_ms=to_ms, hours=body.hours, timezone=station.timezone, by=body.by, reason=body.reason,
    )
    with parts.desk.write() as db:
        put_exclusion(db, exclusion)
        audit(
            db, now_ms=now_ms, caller=caller.name, action="exclusion", subject=exclusion.id, body=exclusion.public()
        )
    return Json(exclusion.public(), status_code=201)


@router.delete("/exclusions/{exclusion}", status_code=204, summary="Take a maintenance window back")
def end_exclusion(parts: Parts, caller: CallerOf, exclusion: str) -> Response:
    """Uptime is computed as if it had never been."""
    for found in list_exclusions(parts.desk.reader):
        if found.id == exclusion:
            allow(caller, found.station)
    _delete(parts, caller.name, "exclusion", exclusion)
    return Response(status_code=204)


def _delete(parts: Parts, caller: str, table: str, id_: str) -> None:
    with parts.desk.write() as db:
        row = db.execute(f"SELECT body FROM {table} WHERE id = ?", (id_,)).fetchone()  # noqa: S608 - own names
        if row is None:
            raise Problem(404, f"there is no {table} {id_!r}; GET /api/v1/{table}s lists all")
        db.execute(f"DELETE FROM {table} WHERE id = ?", (id_,))  # noqa: S608 - own names
        audit(db, now_ms=parts.clock_ms(), caller=caller, action=f"delete {table}", subject=id_, body=row[0].decode())
