"""What more or fewer ports would mean."""

from typing import Annotated

from fastapi import APIRouter, Query

from analytics.planning import plan_of
from api.params import FromText, Json, ToText, window_of
from api.problems import Problem
from api.routes.stations import span_of
from api.services import CallerOf, Parts, allow
from telemetry.times import DAY_MS

router = APIRouter(tags=["stations"])

LEARN_MS = 56 * DAY_MS
"""Eight weeks."""
Ports = Annotated[int | None, Query(ge=1, le=10_000, description="Beside the ports there are")]


@router.get("/stations/{station}/planning", summary="Blocking and waiting with more or fewer ports, estimated")
def get_planning(
    parts: Parts, caller: CallerOf, station: str, ports: Ports = None, from_: FromText = None, to: ToText = None
) -> Json:
    """By hour of the week, from the arrivals and stays of `[from, to)`; by default of the last eight weeks."""
    allow(caller, station)
    kind = parts.sources.station(station).kind
    if kind != "charging":
        raise Problem(422, f"station {station!r} is a {kind} station; planning is of charging ones")
    from_ms, to_ms = window_of(from_, to, parts.sources.now_ms(station))
    window = parts.sources.outages(station, to_ms - LEARN_MS if from_ is None else from_ms, to_ms)
    return Json({"station": station, **span_of(window), **plan_of(window, ports)})
