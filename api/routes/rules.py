"""`/stations/{station}/rules`: what is watched at a station, and what each rule has come to."""

from typing import Any

import msgspec
from fastapi import APIRouter

from analytics.alerts import AlertKey
from analytics.rules.evaluate import threshold_of
from analytics.rules.lifecycle import AlertState
from analytics.rules.load import RulePack, load_rules, rules_of
from api.params import Cursor, Json, Limit, listing, page
from api.services import CallerOf, Parts, Services, allow
from telemetry.errors import ConfigError
from telemetry.times import format_time

router = APIRouter(tags=["stations"])


@router.get("/stations/{station}/rules", summary="Rules in force at a station, and their states")
def get_rules(
    parts: Parts, caller: CallerOf, station: str, limit: Limit = 1_000, cursor: Cursor = None
) -> Json:
    """Answer the numbers that hold there; under `states` every device at which a rule has once begun to hold.

    `state` is inactive, pending or firing; `unknown_since` says from when on the condition is not known, for want of
    data or of coverage, or because another alert explains it: then nothing fires or resolves.
    """
    allow(caller, station)
    settings = parts.sources.station(station)
    states: dict[str, list[dict[str, Any]]] = {}
    for key, state in parts.sources.rule_states(station):
        states.setdefault(key.rule, []).append(_state_item(key, state))
    pack = _pack(parts)
    try:
        rules = pack.for_station(settings, station)
    except ConfigError:
        # As in analytics, which says so in /readyz.
        rules = pack.for_station(msgspec.structs.replace(settings, rules={}), station)
    items = [
        {
            "rule": name, "category": rule.category, "severity": rule.severity,
            "source": msgspec.to_builtins(rule.input), "comparison": rule.comparison,
            "threshold": threshold_of(rule, settings), "clear_threshold": rule.clear_threshold, "unit": rule.unit,
            "for": rule.for_, "keep_firing_for": rule.keep_firing_for, "min_coverage": rule.min_coverage,
            "inhibits": rule.inhibits, "states": states.get(name, []),
        }
        for name, rule in rules.items()
    ]
    found, next_cursor = page(items, limit, cursor)
    return listing(found, next_cursor)


def _pack(parts: Services) -> RulePack:
    raw = parts.sources.rules_json()
    try:
        return load_rules() if raw is None else rules_of(**msgspec.json.decode(raw))
    except ConfigError:
        return load_rules()


def _state_item(key: AlertKey, state: AlertState) -> dict[str, Any]:
    active = state.phase != "inactive"
    return {
        "device": key.device or None, "device_kind": key.kind or None, "state": state.phase,
        "since": format_time(state.since_ms if active else None), "unknown_since": format_time(state.unknown_ms),
        "value": state.value, "threshold": state.threshold,
    }
