"""`/series`: values of one field out of the series store."""

from collections.abc import Iterator
from datetime import datetime
from itertools import chain, islice
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.export import ANSWERS, Export, Type, Wanted, local_time
from api.params import Cursor, FromText, Limit, ToText, listing, offset_of, window_of
from api.problems import Problem
from api.services import CallerOf, Parts, Services, allow
from store.schema import MEASUREMENTS, checked_aggregation
from store.series import SeriesQuery
from store.series_read import read_series, stream_series
from telemetry.times import parse_duration_ms

router = APIRouter(tags=["series"])


@router.get("/series", summary="Values of one field", responses=ANSWERS)
def get_series(
    parts: Parts,
    caller: CallerOf,
    measurement: str,
    field: str,
    wanted: Export,
    station: str | None = None,
    device: str | None = None,
    from_: FromText = None,
    to: ToText = None,
    step: Annotated[str | None, Query(description="like 1m, 15m, 1h, or ms; without it every value as it is")] = None,
    agg: Annotated[str | None, Query(description="mean, last, sum, min, max, difference or count")] = None,
    limit: Limit = 10_000,
    cursor: Cursor = None,
) -> Response:
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
    if wanted.format != "json":
        return _file(parts, wanted, query)
    found = read_series(parts.config, query)
    items = [
        {"time_ms": i.time_ms, "station": i.station, "device": i.device, "value": i.value}
        for i in found[skip : skip + limit]
    ]
    return listing(items, str(skip + limit) if len(found) > skip + limit else None)


def _step_ms(step: str) -> int:
    found = parse_duration_ms(f"{step}ms") or parse_duration_ms(step)
    if not found:
        raise Problem(422, f"step = {step!r} is no duration; write for example 1m, 15m, 1h, or ms")
    return found


def _file(parts: Services, wanted: Wanted, query: SeriesQuery) -> Response:
    """Return the whole window; of several stations each time is in the zone of its own."""
    zones: dict[str, ZoneInfo] = {}

    def local(time_ms: int, station: str) -> datetime | None:
        if station not in zones:
            zones[station] = parts.sources.station(station).zone
        return local_time(time_ms, zones[station])

    items = stream_series(parts.config, query)
    first = list(islice(items, 1))
    columns: dict[str, Type] = {
        "time_ms": "integer", "time": "time", "station": "text", "device": "text", "field": "text",
        "value": "text" if first and isinstance(first[0].value, str) else "number",
    }
    rows: Iterator[tuple[object, ...]] = (
        (i.time_ms, local(i.time_ms, i.station), i.station, i.device, query.field, i.value)
        for i in chain(first, items)
    )
    name = "-".join(part for part in (query.station, query.device, query.measurement, query.field) if part)
    zone = ZoneInfo("UTC") if query.station is None else parts.sources.station(query.station).zone
    return wanted.file(name, columns, rows, zone)
