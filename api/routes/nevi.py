"""Uptime by calendar months (23 CFR 680.116) and the quarterly data (680.112)."""

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from analytics.nevi import (
    OUTAGE_COLUMNS,
    SESSION_COLUMNS,
    UPTIME_COLUMNS,
    month_span,
    months_until,
    outage_table,
    session_table,
    uptime_table,
    year_uptimes,
)
from analytics.sessions import sessions_ending
from analytics.uptime import PortUptime, uptime_of
from api.export import ANSWERS, Export, Type, Wanted, local_time
from api.overview import exclusions_of
from api.params import Cursor, Json, Limit, listing, page
from api.problems import Problem
from api.services import CallerOf, Parts, Services, allow
from telemetry.registry import Station
from telemetry.times import parse_time, to_datetime

router = APIRouter(tags=["stations"])

_YEAR_COLUMNS = ("station", "port", "month", "minutes", "outage_min", "excluded_min", "uptime")
_TIMES = ("start", "end", "from", "to")
_NUMBERS = ("energy_kwh", "peak_kw", "minutes", "outage_min", "excluded_min", "uptime", "uptime_nevi")

Month = Annotated[str | None, Query(description="Last of twelve calendar months, `YYYY-MM`; default: that of `now`")]
Quarter = Annotated[str, Query(description="`YYYY-Qn`, in the station's time zone")]
Table = Annotated[Literal["sessions", "uptime", "outages"], Query(description="Which table")]


def _charging(parts: Services, station: str) -> None:
    kind = parts.sources.station(station).kind
    if kind != "charging":
        raise Problem(422, f"station {station!r} is a {kind} station; uptime of ports is of charging ones")


def _monthly(parts: Services, station: str) -> Callable[[str], Sequence[PortUptime]]:
    zone = parts.sources.station(station).zone

    @cache
    def uptime_in(month: str) -> Sequence[PortUptime]:
        from_ms, to_ms = month_span(month, zone)
        window = parts.sources.outages(station, from_ms, to_ms)
        return uptime_of(window, exclusions_of(parts.desk, station, window.from_ms, window.to_ms))

    return uptime_in


@router.get(
    "/stations/{station}/uptime/year", summary="Uptime of charging ports over twelve calendar months",
    responses=ANSWERS,
)
def get_year(
    parts: Parts, caller: CallerOf, station: str, wanted: Export, month: Month = None, limit: Limit = 1_000,
    cursor: Cursor = None,
) -> Response:
    """`uptime_nevi` is (525,600 - (outage - excluded)) / 525,600; `uptime` the same over the minutes in service."""
    allow(caller, station)
    _charging(parts, station)
    settings = parts.sources.station(station)
    last = month or to_datetime(parts.sources.now_ms(station)).astimezone(settings.zone).strftime("%Y-%m")
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", last):
        raise Problem(422, f"month = {last!r} is no month; write for example 2026-11")
    ports = year_uptimes(last, _monthly(parts, station))
    if wanted.format != "json":
        rows = [
            {"station": station, "port": p.port, **{k: v for k, v in one.items() if k != "port"}}
            for p in ports for one in p.item()["months"]
        ]
        return _file(wanted, settings, f"uptime-{last}", _YEAR_COLUMNS, rows)
    found, next_cursor = page(ports, limit, cursor)
    return listing([p.item() for p in found], next_cursor)


@router.get("/stations/{station}/nevi", summary="Quarterly data of 23 CFR 680.112", responses=ANSWERS)
def get_quarter(
    parts: Parts, caller: CallerOf, station: str, quarter: Quarter, wanted: Export,
    table: Table = "sessions",
) -> Response:
    """Sessions that ended in it, its outages, or each month's outage with the uptime of the twelve months to it."""
    allow(caller, station)
    _charging(parts, station)
    match = re.fullmatch(r"(\d{4})-Q([1-4])", quarter)
    if match is None:
        raise Problem(422, f"quarter = {quarter!r} is no quarter; write for example 2026-Q3")
    months = months_until(f"{match[1]}-{int(match[2]) * 3:02d}", 3)
    columns, rows = _rows(parts, station, months, table)
    if wanted.format != "json":
        return _file(wanted, parts.sources.station(station), f"{quarter}-{table}", columns, rows)
    return Json({"station": station, "quarter": quarter, "table": table, "items": rows})


def _rows(
    parts: Services, station: str, months: Sequence[str], table: str
) -> tuple[Sequence[str], list[dict[str, Any]]]:
    uptime_in = _monthly(parts, station)
    if table == "outages":
        return OUTAGE_COLUMNS, outage_table(station, [uptime_in(m) for m in months])
    if table == "uptime":
        return UPTIME_COLUMNS, uptime_table(station, [(m, year_uptimes(m, uptime_in)) for m in months])
    zone = parts.sources.station(station).zone
    window = parts.sources.outages(station, month_span(months[0], zone)[0], month_span(months[-1], zone)[1])
    return SESSION_COLUMNS, session_table(station, sessions_ending(window))


def _file(
    wanted: Wanted, station: Station, name: str, columns: Sequence[str], rows: Sequence[dict[str, Any]]
) -> Response:
    types: dict[str, Type] = {
        c: "time" if c in _TIMES else "number" if c in _NUMBERS else "flag" if c == "excluded" else "text"
        for c in columns
    }
    values = (
        [local_time(parse_time(row[c]), station.zone) if c in _TIMES else row[c] for c in columns] for row in rows
    )
    return wanted.file(f"{station.id}-{name}", types, values, station.zone)
