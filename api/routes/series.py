"""`/series`: values of one field out of the series store."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.params import Cursor, FromText, Json, Limit, ToText, listing, offset_of, window_of
from api.problems import Problem
from api.services import CallerOf, Parts, allow
from store.schema import MEASUREMENTS, checked_aggregation
from store.series import SeriesQuery
from store.series_read import read_series
from telemetry.times import parse_duration_ms

router = APIRouter(tags=["series"])


@router.get("/series", summary="Values of one field")
def get_series(
    parts: Parts,
    caller: CallerOf,
    measurement: str,
    field: str,
    station: str | None = None,
    device: str | None = None,
    from_: FromText = None,
    to: ToText = None,
    step: Annotated[str | None, Query(description="like 1m, 15m, 1h, or ms; without it every value as it is")] = None,
    agg: Annotated[str | None, Query(description="mean, last, sum, min, max, difference or count")] = None,
    limit: Limit = 10_000,
    cursor: Cursor = None,
) -> Json:
    """Items `{time_ms, station, device, value}` in order of time.

    With `step` by default the mean of gauges, the last of states, the difference of registers.
    """
    if measurement not in MEASUREMENTS:
        raise Problem(422, f"measurement = {measurement!r} is none of {', '.join(MEASUREMENTS)}")
    if station is not None:
        allow(caller, station)
        now_ms = parts.sources.now_ms(station)
    elif caller.stations:
        raise Problem(403, f"token {caller.name!r} holds for {', '.join(caller.stations)} only; name the station")
    else:
        now_ms = max((parts.sources.now_ms(s) for s in parts.sources.station_ids()), default=parts.clock_ms())
    try:
        aggregation = checked_aggregation(measurement, field, agg)
    except ValueError as error:
        raise Problem(422, f"agg: {error}") from error
    from_ms, to_ms = window_of(from_, to, now_ms)
    skip = offset_of(cursor)
    query = SeriesQuery(
        measurement=measurement, field=field, from_ms=from_ms, to_ms=to_ms, station=station, device=device,
        step_ms=None if step is None else _step_ms(step), aggregation=aggregation, limit=skip + limit + 1,
    )
    found = read_series(parts.config, query)
    items = [
        {"time_ms": i.time_ms, "station": i.station, "device": i.device, "value": i.value}
        for i in found[skip : skip + limit]
    ]
    return listing(items, str(skip + limit) if len(found) > skip + limit else None)


def _step_ms(step: str) -> int:
    found = int(step) if step.isdigit() else parse_duration_ms(step)
    if not found:
        raise Problem(422, f"step = {step!r} is no duration; write for example 1m, 15m, 1h, or ms")
    return found
