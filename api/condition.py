"""The health code of stations and groups, and why it is what it is."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

REASONS = 5
"""Reasons that are named; `firing` counts all."""
_UNHEARD = {
    "alert": None, "severity": None,
    "summary": {
        "en": "Nothing has been heard of it yet; look at its devices, the broker and their topics",
        "zh": "尚未收到任何数据；请检查设备、MQTT 代理及主题",
    },
}
_WORST_FIRST = ("red", "yellow", "grey", "green")
"""Of a group: what is not known is not well."""


def station_health(
    db: sqlite3.Connection, station: str, firing: dict[str, int], *, heard: bool
) -> tuple[str, list[dict[str, Any]]]:
    """Return a station's code and its reasons, the worst first.

    Parameters
    ----------
    db
        A reading connection of the desk.
    station
        Its id.
    firing
        Severity -> alerts that fire.
    heard
        Whether anything was ever heard of it.

    Returns
    -------
    `red` a critical alert fires, `yellow` a warning, `grey` nothing heard, else `green`; and
    `{"alert", "severity", "summary": {"en", "zh"}}` for each alert behind it.
    """
    if not firing.get("critical") and not firing.get("warning"):
        return ("green", []) if heard else ("grey", [_UNHEARD])
    rows = db.execute(
        "SELECT alert, severity, data FROM alert WHERE state = 'firing' AND station = ? "
        "AND severity IN ('critical', 'warning') ORDER BY severity = 'warning', fired_ms LIMIT ?", (station, REASONS),
    )
    reasons = [
        {"alert": alert, "severity": severity, "summary": msgspec.json.decode(data)["summary"]}
        for alert, severity, data in rows
    ]
    return ("red" if firing.get("critical") else "yellow"), reasons


def group_health(members: Sequence[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """Return a group's code, that of its worst station, and the reasons of those that have it.

    Parameters
    ----------
    members
        Items of its stations.
    """
    code = min((m["health"] for m in members), key=_WORST_FIRST.index)
    reasons = [
        {"station": m["station"], **reason}
        for m in members if m["health"] == code
        for reason in m["health_reasons"]
    ]
    return code, reasons[:REASONS]
