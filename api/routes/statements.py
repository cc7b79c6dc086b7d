"""`/stations/{station}/statement`: what customers of an air station owe for a month."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from analytics.statement import Statement, statement_of
from api.auth import Caller
from api.desk import audit
from api.export import ANSWERS, Export, Type, Wanted
from api.params import Json
from api.problems import Problem
from api.reasons import Language, in_language
from api.services import CallerOf, Parts, Services, allow
from api.statements import CORRECTED, draft, freeze, issued_months
from telemetry.registry import Station
from telemetry.times import local_month

router = APIRouter(tags=["stations"])

Month = Annotated[str, Query(description="Local calendar month of the station, YYYY-MM")]

_COLUMNS = (
    "customer", "volume_m3", "price_per_m3", "amount", "loss_share", "savings_kwh", "savings_co2_kg", "savings_money",
    "coverage", "flow_reference",
)
_FILE_COLUMNS: dict[str, Type] = {
    "line": "text", "month": "text",
    **{name: "text" if name in ("customer", "flow_reference") else "number" for name in _COLUMNS},
}


@router.get("/stations/{station}/statement", summary="Monthly statement of a compressed-air station", responses=ANSWERS)
def get_statement(
    parts: Parts, caller: CallerOf, language: Language, station: str, month: Month, wanted: Export
) -> Response:
    """Answer the month as it was issued, else a draft (`issued` null, `version` 0) that changes with what arrives."""
    settings = _station(parts, caller, station, month)
    issued = issued_months(parts.desk.reader, station)
    body = issued.get(month) or draft(settings, month, issued, partial(_compute, parts, station))
    return Json(in_language(body, language)) if wanted.format == "json" else _file(wanted, body, settings)


@router.post("/stations/{station}/statement", summary="Issue a monthly statement", status_code=201)
def issue_statement(parts: Parts, caller: CallerOf, station: str, month: Month) -> Json:
    """Freeze the month as version 1; again: the same. What arrives later is corrected in the next open month."""
    settings = _station(parts, caller, station, month)
    issued = issued_months(parts.desk.reader, station)
    if month in issued:
        return Json(issued[month])
    span = local_month(month, settings.zone)
    now_ms = parts.clock_ms()
    if span is not None and max(now_ms, parts.sources.now_ms(station)) < span[1]:
        raise Problem(409, f"month {month} of {station!r} is not over; issue it when it is, GET shows the draft")
    body = draft(settings, month, issued, partial(_compute, parts, station))
    with parts.desk.write() as db:
        frozen = freeze(db, body, issued, now_ms)
        if frozen is not None:
            audit(db, now_ms=now_ms, caller=caller.name, action="issue statement", subject=f"{station} {month}")
    if frozen is None:
        raise Problem(409, f"another statement of {station!r} was issued at the same moment; try again")
    return Json(frozen, status_code=201)


def _station(parts: Services, caller: Caller, station: str, month: str) -> Station:
    allow(caller, station)
    settings = parts.sources.station(station)
    if settings.kind != "compressed_air":
        raise Problem(422, f"station {station!r} is a {settings.kind} station; statements are of compressed_air ones")
    if local_month(month, settings.zone) is None:
        raise Problem(422, f"month = {month!r} is no month; write YYYY-MM, for example 2026-11")
    return settings


def _compute(parts: Services, station: str, from_ms: int, to_ms: int) -> Statement:
    return statement_of(parts.sources.window(station, from_ms, to_ms))


def _file(wanted: Wanted, body: dict[str, Any], station: Station) -> Response:
    """Return a row per customer, `line` air, and one for each of its corrections, with the month that it corrects."""
    rows = []
    for customer in body["customers"]:
        rows.append(["air", body["month"], *(customer[c] for c in _COLUMNS)])
        rows += [
            ["correction", line["month"], customer["customer"],
             *(line[c] if c in CORRECTED else None for c in _COLUMNS[1:-1]), customer["flow_reference"]]
            for line in customer["corrections"]
        ]
    return wanted.file(f"{body['station']}-{body['month']}", _FILE_COLUMNS, rows, station.zone)
