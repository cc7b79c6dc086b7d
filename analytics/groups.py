"""Groups of stations: who belongs to them, and their key figures, sums of the members and ratios of those sums.

An alert of a whole group stands at the pseudo-station `_group-NAME`.
"""

from collections.abc import Sequence
from typing import Any

from analytics.figures import KpiAnswer, Sheet
from telemetry.registry import Group, Registry, Station

_PREFIX = "_group-"

_SUMS = {
    "charging": (
        "window_h", "known_h", "available_h", "reserved_h", "occupied_h", "faulted_h", "unavailable_h", "offline_h",
        "unknown_h", "charging_h", "idle_h", "energy_kwh", "sessions", "sessions_successful", "sessions_judged",
        "sessions_measured", "sessions_measured_kwh", "overstay_h", "lost_energy_kwh", "capacity_kwh", "service_min",
        "up_min",
    ),
    "compressed_air": (
        "energy_kwh", "volume_m3", "supplied_m3", "metered_m3", "loaded_h", "unloaded_h", "stopped_h", "known_h",
        "unaccounted_m3", "savings_kwh", "savings_co2_kg", "paired_energy_kwh", "paired_volume_m3",
    ),
}
"""Figures that add up over stations."""
_RATIOS = {
    "charging": {
        "occupied_utilisation": ("occupied_h", "window_h"),
        "charging_utilisation": ("charging_h", "window_h"),
        "idle_utilisation": ("idle_h", "window_h"),
        "occupied_utilisation_of_known": ("occupied_h", "known_h"),
        "charging_utilisation_of_known": ("charging_h", "known_h"),
        "idle_utilisation_of_known": ("idle_h", "known_h"),
        "capacity_factor": ("energy_kwh", "capacity_kwh"),
        "session_success_rate": ("sessions_successful", "sessions_judged"),
        "mean_session_kwh": ("sessions_measured_kwh", "sessions_measured"),
        "uptime": ("up_min", "service_min"),
    },
    "compressed_air": {"kwh_per_m3": ("paired_energy_kwh", "paired_volume_m3")},
}
"""Figure -> (numerator, denominator) among the sums."""
_DERIVED = {"charging": (), "compressed_air": ("kw_per_m3_min", "load_factor")}
"""Figures made of the others."""
GROUP_FIGURES = {kind: (*sums, *_RATIOS[kind], *_DERIVED[kind]) for kind, sums in _SUMS.items()}
"""Kind of station -> key figures that a group of them has."""


def group_id(group: str) -> str:
    """Return the pseudo-station of a group."""
    return f"{_PREFIX}{group}"


def group_of(station: str) -> str | None:
    """Return the group whose pseudo-station it is, None where it is none."""
    return station.removeprefix(_PREFIX) if station.startswith(_PREFIX) else None


def members_of(registry: Registry) -> dict[str, list[Station]]:
    """Return group -> its stations, in the order of stations.toml."""
    found: dict[str, list[Station]] = {}
    for station in registry.stations.values():
        for group in station.groups:
            found.setdefault(group, []).append(station)
    return found


def group_settings(registry: Registry, group: str) -> Station:
    """Return what texts about a group are made from: its name, and the time zone where its stations share one."""
    zones = {s.timezone for s in members_of(registry).get(group, [])}
    name = registry.groups.get(group, Group()).name or group
    return Station(
        kind="group", id=group_id(group), name=name, timezone=zones.pop() if len(zones) == 1 else "UTC"
    )


def group_kpis(kind: str, answers: Sequence[KpiAnswer]) -> tuple[float | None, dict[str, Any], dict[str, str]]:
    """Return coverage, key figures and reasons of stations of one kind together.

    A sum in which one station's part is unknown is null: what is known is never taken for the whole.
    """
    sheet = Sheet()
    for name in _SUMS[kind]:
        parts = [a.kpis.get(name) for a in answers]
        known = [p for p in parts if p is not None]
        reason = f"{len(parts) - len(known)} of {len(parts)} stations do not know it"
        sheet.put(name, sum(known) if len(known) == len(parts) else None, reason)
    for name, (top, bottom) in _RATIOS[kind].items():
        sheet.over(name, sheet.kpis[top], sheet.kpis[bottom], f"{top} or {bottom} is unknown or zero")
    if kind == "compressed_air":
        ratio, loaded_h, unloaded_h = (sheet.kpis[n] for n in ("kwh_per_m3", "loaded_h", "unloaded_h"))
        sheet.put("kw_per_m3_min", None if ratio is None else 60 * ratio, sheet.reasons.get("kwh_per_m3", ""))
        running_h = None if loaded_h is None or unloaded_h is None else loaded_h + unloaded_h
        sheet.over("load_factor", loaded_h, running_h, "loaded_h or unloaded_h is unknown or zero")
    covered = [a.coverage for a in answers if a.coverage is not None]
    coverage = sum(covered) / len(covered) if covered else None
    if kind == "charging" and sheet.kpis["window_h"]:
        coverage = (sheet.kpis["known_h"] or 0.0) / (sheet.kpis["window_h"] or 1.0)
    return coverage, sheet.kpis, sheet.reasons
