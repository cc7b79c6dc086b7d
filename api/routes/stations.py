"""`/stations`, their key figures, sessions, leaks and uptime."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from analytics.energy_code import energy_codes
from analytics.kpis import KpiAnswer, station_kpis
from analytics.leaks import leaks_of
from analytics.sessions import sessions_of
from analytics.uptime import uptime_of
from analytics.window import Window
from api.alert_log import firing_counts
from api.auth import Caller
from api.export import ANSWERS, Export, Type, local_time
from api.overview import device_item, exclusions_of, limits_item, station_item
from api.params import Cursor, FromText, Json, Limit, ToText, listing, page, window_of
from api.problems import Problem
from api.reasons import Language, in_language
from api.repairs import repairs_of
from api.services import CallerOf, Parts, Services, allow
from telemetry.times import format_time

router = APIRouter(tags=["stations"])

_SESSION_COLUMNS: dict[str, Type] = {
    "station": "text", "port": "text", "session_id": "text", "start": "time", "charging_end": "time", "end": "time",
    "energy_kwh": "number", "peak_kw": "number", "mean_kw": "number", "charging_s": "number", "idle_s": "number",
    "stop_reason": "text", "outcome": "text", "error_code": "text", "cause": "text", "overstay": "text",
    "flags": "text",
}
_UPTIME_COLUMNS: dict[str, Type] = {
    "port": "text", "minutes": "number", "outage_min": "number", "excluded_min": "number", "uptime": "number",
}

@router.get("/stations", summary="All stations")
def get_stations(parts: Parts, caller: CallerOf, limit: Limit = 1_000, cursor: Cursor = None) -> Json:
    """Kind, health, firing alerts and devices of each, in the order of stations.toml."""
    db = parts.desk.reader
    firing = firing_counts(db)
    ids, next_cursor = page([s for s in parts.sources.station_ids() if caller.sees(s)], limit, cursor)
    items = [station_item(parts.sources, db, s, parts.sources.devices(s), firing.get(s, {})) for s in ids]
    return listing(items, next_cursor)


@router.get("/stations/{station}", summary="One station and its devices")
def get_station(parts: Parts, caller: CallerOf, station: str) -> Json:
    """Answer the item of `GET /stations` with its limits and customers, and each device's state and last values."""
    allow(caller, station)
    settings = parts.sources.station(station)
    devices = parts.sources.devices(station)
    firing = firing_counts(parts.desk.reader).get(station, {})
    item = station_item(parts.sources, parts.desk.reader, station, devices, firing)
    counts = item.pop("devices")
    return Json(
        {
            **item,
            "device_counts": counts,
            "limits": limits_item(settings),
            "customers": [{"customer": c.id, "name": c.name or c.id} for c in settings.customers],
            "devices": [device_item(d) for d in devices],
        }
    )


def window_for(
    parts: Services, caller: Caller, station: str, from_text: str | None, to_text: str | None, *,
    extremes: bool = False,
) -> Window:
    """Return the window that a call asks for; `extremes`: with minima and maxima of gauges."""
    allow(caller, station)
    parts.sources.station(station)
    from_ms, to_ms = window_of(from_text, to_text, parts.sources.now_ms(station))
    return parts.sources.window(station, from_ms, to_ms, extremes=extremes)


def answer_for(parts: Services, window: Window) -> KpiAnswer:
    """Return key figures with maintenance windows taken out."""
    return station_kpis(window, exclusions_of(parts.desk, window.station.id, window.from_ms, window.to_ms))


@router.get("/stations/{station}/kpis", summary="Key figures of a station and its devices")
def get_kpis(
    parts: Parts, caller: CallerOf, language: Language, station: str, from_: FromText = None, to: ToText = None
) -> Json:
    """Over `[from, to)`; `from` and `to` in the answer are those used. A null has its reason under `reasons`."""
    window = window_for(parts, caller, station, from_, to)
    answer = answer_for(parts, window)
    found = {
        "station": station,
        "kind": window.station.kind,
        **span_of(window),
        "coverage": answer.coverage,
        "kpis": answer.kpis,
        "reasons": answer.reasons,
        "devices": [
            {"device": d.device, "kind": d.kind, "coverage": d.coverage, "kpis": d.kpis, "reasons": d.reasons}
            for d in answer.devices
        ],
    }
    return Json(in_language(found, language))


def span_of(window: Window) -> dict[str, Any]:
    """Return `from` and `to` as they were used."""
    return {"from": format_time(window.from_ms), "to": format_time(window.to_ms)}


@router.get("/stations/{station}/sessions", summary="Charging sessions", responses=ANSWERS)
def get_sessions(
    parts: Parts,
    caller: CallerOf,
    station: str,
    wanted: Export,
    from_: FromText = None,
    to: ToText = None,
    limit: Limit = 1_000,
    cursor: Cursor = None,
) -> Response:
    """Those that overlap `[from, to)`, oldest first; `end` is null while a session is open.

    The pages of one walk come from one computation while no more than a minute lies between them.
    """
    allow(caller, station)
    zone = parts.sources.station(station).zone
    from_ms, to_ms = window_of(from_, to, parts.sources.now_ms(station))
    if wanted.format != "json":
        rows = (
            [
                station, s.port, s.session_id,
                *(local_time(t, zone) for t in (s.start_ms, s.charging_end_ms, s.end_ms)),
                s.energy_kwh, s.peak_kw, s.mean_kw, s.charging_s, s.idle_s, s.stop_reason, s.outcome, s.error_code,
                s.cause, s.overstay, " ".join(s.flags),
            ]
            for s in sessions_of(parts.sources.sessions(station, from_ms, to_ms))
        )
        return wanted.file(f"{station}-sessions", _SESSION_COLUMNS, rows, zone)
    found, next_cursor = parts.session_pages.page(station, from_ms, to_ms, limit, cursor)
    return listing([s.item() for s in found], next_cursor)


@router.get("/stations/{station}/leaks", summary="Leakage of a compressed-air station")
def get_leaks(
    parts: Parts, caller: CallerOf, language: Language, station: str, from_: FromText = None, to: ToText = None
) -> Json:
    """Answer the fused estimate and that of each method, with what it was made from; leaks marked repaired."""
    window = window_for(parts, caller, station, from_, to, extremes=True)
    if window.station.kind != "compressed_air":
        raise Problem(422, f"station {station!r} is a {window.station.kind} station; leaks are of compressed_air ones")
    repairs = repairs_of(parts.desk.reader, station, window.from_ms, window.to_ms)
    return Json({**in_language(leaks_of(window), language), "repairs": repairs})


@router.get("/stations/{station}/energy-code", summary="Energy code of a compressed-air station")
def get_energy_code(
    parts: Parts, caller: CallerOf, station: str, from_: FromText = None, to: ToText = None
) -> Json:
    """Answer green, yellow, red or grey for the station, its machines and customers, with the reasons."""
    window = window_for(parts, caller, station, from_, to)
    if window.station.kind != "compressed_air":
        raise Problem(422, f"station {station!r} is a {window.station.kind} station; codes are of compressed_air ones")
    return Json({"station": station, **span_of(window), "items": energy_codes(window, answer_for(parts, window))})


@router.get("/stations/{station}/uptime", summary="Uptime of charging ports", responses=ANSWERS)
def get_uptime(
    parts: Parts,
    caller: CallerOf,
    station: str,
    wanted: Export,
    from_: FromText = None,
    to: ToText = None,
    limit: Limit = 1_000,
    cursor: Cursor = None,
) -> Response:
    """Outages per port with their causes; maintenance windows (`/exclusions`) are excluded."""
    allow(caller, station)
    zone = parts.sources.station(station).zone
    window = parts.sources.outages(station, *window_of(from_, to, parts.sources.now_ms(station)))
    ports = uptime_of(window, exclusions_of(parts.desk, station, window.from_ms, window.to_ms))
    if wanted.format != "json":
        rows = ([p.port, p.minutes, p.outage_min, p.excluded_min, p.uptime] for p in ports)
        return wanted.file(f"{station}-uptime", _UPTIME_COLUMNS, rows, zone)
    found, next_cursor = page(ports, limit, cursor)
    return listing([p.item() for p in found], next_cursor)


@router.get("/stations/{station}/advice", summary="Advice in force")
def get_advice(parts: Parts, caller: CallerOf, language: Language, station: str) -> Json:
    """Answer what to change now and what it brings; `reasons` says of each kind of advice that is missing why."""
    allow(caller, station)
    return Json(in_language(parts.sources.advice(station), language))
