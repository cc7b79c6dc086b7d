"""Rows of single things: finished sessions, transitions of alerts, names and ratings."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from analytics.sessions import sessions_ending
from analytics.window import Window
from telemetry.points import NO_INT, Column, Points
from telemetry.registry import Station

_STATION_FIELDS = (
    "name", "kind", "timezone", "transformer_kva", "flow_reference", "receiver_m3", "co2_kg_per_kwh", "currency",
    "dew_point_max_c",
)
_DEVICE_FIELDS = (
    "name", "charge_point", "rated_kw", "phases", "connectors", "rated_flow_m3_min", "rated_pressure_bar", "control",
    "cooling",
)


def session_rows(window: Window, ended_from_ms: int, ended_to_ms: int) -> list[Points]:
    """Return `session`: one point at the start of each session that ended in [ended_from_ms, ended_to_ms).

    Parameters
    ----------
    window
        Holds the runs of those sessions, and covers the span [ms].
    """
    ended = [s for s in sessions_ending(window) if s.end_ms is not None and ended_from_ms <= s.end_ms < ended_to_ms]
    if not ended:
        return []
    fields: dict[str, Column] = {
        "session_id": tuple(s.session_id for s in ended),
        "charging_end_ms": np.array([NO_INT if s.charging_end_ms is None else s.charging_end_ms for s in ended]),
        "end_ms": np.array([s.end_ms for s in ended], np.int64),
        "energy_kwh": np.array([s.energy_kwh for s in ended], np.float64),
        "peak_kw": np.array([s.peak_kw for s in ended], np.float64),
        "mean_kw": np.array([s.mean_kw for s in ended], np.float64),
        "charging_s": np.array([s.charging_s for s in ended]),
        "idle_s": np.array([s.idle_s for s in ended]),
        "stop_reason": tuple(s.stop_reason for s in ended),
        "outcome": tuple(s.outcome for s in ended),
        "cause": tuple(s.cause for s in ended),
        "overstay": tuple(s.overstay for s in ended),
        "flags": tuple(",".join(s.flags) or None for s in ended),
    }
    tags: dict[str, tuple[str | None, ...]] = {
        "station": (window.station.id,) * len(ended), "device": tuple(s.port for s in ended)
    }
    return [_points("session", tags, [s.start_ms for s in ended], fields)]


def alert_row(transition: Mapping[str, Any]) -> Points:
    """Return `alert`: the point of a transition; a resolution also gives the point of the firing its `end_time` [ms].

    Until then a transition ends where it is: Grafana leaves out a mark in which any field is missing.

    Parameters
    ----------
    transition
        JSON body of a row of `transition` in state.db.
    """
    resolved = transition["state"] == "resolved"
    title = {
        language: (f"{'已恢复：' if language == 'zh' else 'Resolved: '}{text}" if resolved else text)
        for language, text in transition["summary"].items()
    }
    remedy = transition["remedy"]
    tags = ",".join((transition["severity"], transition["category"], transition["state"]))
    time_ms, ends = [transition["time_ms"]], [transition["resolved_ms" if resolved else "time_ms"]]
    texts: dict[str, list[str | None]] = {
        "title": [title.get("en")], "title_zh": [title.get("zh")], "text": [remedy.get("en")],
        "text_zh": [remedy.get("zh")], "tags": [tags], "alert_id": [transition["alert"]],
        "severity": [transition["severity"]], "state": [transition["state"]],
    }
    if resolved and transition["fired_ms"] != transition["time_ms"]:
        # Fields of one point merge in the store: the texts of the firing stay.
        time_ms.append(transition["fired_ms"])
        ends.append(transition["resolved_ms"])
        for column in texts.values():
            column.append(None)
    n = len(time_ms)
    fields: dict[str, Column] = {name: tuple(column) for name, column in texts.items()}
    fields["end_time"] = np.array(ends, np.int64)
    fields["since_ms"] = np.full(n, transition["since_ms"], np.int64)
    names = {name: (transition[name],) * n for name in ("station", "device", "rule")}
    return _points("alert", names, time_ms, fields)


def info_rows(station: Station, station_id: str, devices: Iterable[tuple[str, str]], time_ms: int) -> list[Points]:
    """Return `station_info` and `device_info`: names, kinds and ratings.

    Parameters
    ----------
    station
        From the registry.
    station_id
        Id of the station.
    devices
        (kind, device) of the devices heard; listed ones are added.
    time_ms
        Time of the points; a point of the same time replaces the earlier one.
    """
    kinds = ("port", "site_meter") if station.kind == "charging" else (
        "compressor", "dryer", "auxiliary", "air_main", "air_meter"
    )
    listed = {(kind, name): device for kind in kinds for name, device in station.listed(kind).items()}
    every = list(dict.fromkeys([*listed, *sorted(devices)]))
    found = [
        _points("station_info", {"station": (station_id,)}, [time_ms], _columns([station], _STATION_FIELDS))
    ]
    if every:
        fields = _columns([listed.get(key) for key in every], _DEVICE_FIELDS)
        fields["kind"] = tuple(kind for kind, _ in every)
        fields["registered"] = np.array([int(key in listed) for key in every], np.int64)
        tags: dict[str, tuple[str | None, ...]] = {
            "station": (station_id,) * len(every), "device": tuple(name for _, name in every)
        }
        found.append(_points("device_info", tags, [time_ms] * len(every), fields))
    return found


def _columns(things: list[Any], names: Iterable[str]) -> dict[str, Column]:
    """Return the named attributes of things as columns, those that nothing has left out."""
    out: dict[str, Column] = {}
    for name in names:
        values = [getattr(thing, name, None) for thing in things]
        known = [v for v in values if v not in (None, "")]
        if not known:
            continue
        is_text = isinstance(known[0], str)
        out[name] = tuple(v or None for v in values) if is_text else np.array(values, np.float64)
    return out


def _points(
    measurement: str, tags: Mapping[str, tuple[str | None, ...]], time_ms: list[int], fields: dict[str, Column]
) -> Points:
    n = len(time_ms)
    return Points(measurement, tags, np.array(time_ms, np.int64), np.full(n, -1, np.int64), fields, derived=True)
