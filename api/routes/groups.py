"""`/groups`: stations that belong together."""

from typing import Any

from fastapi import APIRouter

from analytics.groups import group_id, group_kpis, members_of
from api.alert_log import firing_counts
from api.auth import Caller
from api.condition import group_health, station_health
from api.overview import station_item
from api.params import Cursor, FromText, Json, Limit, ToText, listing, page, window_of
from api.problems import Problem
from api.reasons import Language, in_language
from api.routes.stations import answer_for, span_of
from api.services import CallerOf, Parts, Services, allow
from telemetry.registry import Station

router = APIRouter(tags=["groups"])


def _members(parts: Services, caller: Caller, group: str) -> list[Station]:
    members = members_of(parts.sources.registry()).get(group, [])
    if not members:
        raise Problem(404, f"there is no group {group!r}; stations.toml names it under groups = [...] of a station")
    for member in members:
        allow(caller, member.id)
    return members


def _item(parts: Services, group: str, members: list[Station]) -> dict[str, Any]:
    db = parts.desk.reader
    firing = firing_counts(db)
    items = [station_item(parts.sources, db, m.id, parts.sources.devices(m.id), firing.get(m.id, {})) for m in members]
    # What is told of the group as a whole counts as one more station that is always there.
    own = firing.get(group_id(group), {})
    code, why = station_health(db, group_id(group), own, heard=True)
    health, reasons = group_health([{"station": group_id(group), "health": code, "health_reasons": why}, *items])
    counts = {severity: count + own.get(severity, 0) for severity, count in _sum(items, "firing").items()}
    return {
        "group": group, "stations": [m.id for m in members], "health": health, "health_reasons": reasons,
        "firing": counts, "devices": _sum(items, "devices"),
    }


def _sum(items: list[dict[str, Any]], member: str) -> dict[str, int]:
    return {name: sum(i[member][name] for i in items) for name in items[0][member]}


@router.get("/groups", summary="All groups")
def get_groups(parts: Parts, caller: CallerOf, limit: Limit = 1_000, cursor: Cursor = None) -> Json:
    """Health with its reasons, stations, firing alerts and devices; only groups that the caller may see as a whole."""
    found = members_of(parts.sources.registry())
    seen = sorted(g for g, members in found.items() if all(caller.sees(m.id) for m in members))
    names, next_cursor = page(seen, limit, cursor)
    return listing([_item(parts, g, found[g]) for g in names], next_cursor)


@router.get("/groups/{group}", summary="One group")
def get_group(parts: Parts, caller: CallerOf, group: str) -> Json:
    """Its health is that of its worst station: red, yellow, grey, green."""
    return Json(_item(parts, group, _members(parts, caller, group)))


@router.get("/groups/{group}/kpis", summary="Key figures of a group of stations")
def get_group_kpis(
    parts: Parts, caller: CallerOf, language: Language, group: str, from_: FromText = None, to: ToText = None
) -> Json:
    """Answer sums over its stations, ratios of those sums, and each station's own figures; one block per kind."""
    members = _members(parts, caller, group)
    now_ms = max(parts.sources.now_ms(m.id) for m in members)
    from_ms, to_ms = window_of(from_, to, now_ms)
    kinds = sorted({m.kind for m in members})
    blocks: dict[str, dict[str, Any]] = {}
    stations: list[dict[str, Any]] = []
    for kind in kinds:
        windows = [parts.sources.window(m.id, from_ms, to_ms) for m in members if m.kind == kind]
        answers = [answer_for(parts, w) for w in windows]
        coverage, kpis, reasons = group_kpis(kind, answers)
        blocks[kind] = {"coverage": coverage, "kpis": kpis, "reasons": reasons}
        stations += [
            {
                "station": w.station.id, "kind": kind, **span_of(w), "coverage": a.coverage, "kpis": a.kpis,
                "reasons": a.reasons,
            }
            for w, a in zip(windows, answers, strict=True)
        ]
    # Figures of one kind stand at the top; those of both kinds have names in common and stand under their kind.
    figures = blocks[kinds[0]] if len(kinds) == 1 else {"kinds": blocks}
    found = {
        "group": group,
        "kind": kinds[0] if len(kinds) == 1 else "mixed",
        "from": min(s["from"] for s in stations),
        "to": max(s["to"] for s in stations),
        **figures,
        "stations": stations,
    }
    return Json(in_language(found, language))
