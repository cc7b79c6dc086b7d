"""Stations and devices as `GET /stations` shows them, and the picture for the live stream."""

import logging
import sqlite3
import time
from typing import Any

import msgspec

from analytics.kpis import station_kpis
from analytics.rules.evaluate import baseline_kwh_per_m3
from analytics.uptime import Exclusion
from api.alert_log import firing_counts, firing_data
from api.condition import station_health
from api.desk import Desk
from api.hub import Picture
from api.silences import list_exclusions
from api.sources import DeviceRow, Sources
from telemetry.registry import Station
from telemetry.times import HOUR_MS, MINUTE_MS, format_time

_KPI_AGE_S = 15.0
"""Key figures of the last hour are computed anew when the minute changes, and after this long,"""
_KPI_REST = 20
"""but not before this many times as long as they took, so that large stations never take over."""
_RECENT_EVENTS = 200

_log = logging.getLogger(__name__)


def device_item(row: DeviceRow) -> dict[str, Any]:
    """Return a device as the API shows it."""
    return {
        "device": row.device, "kind": row.kind, "name": row.name, "online": row.online, "state": row.state,
        "last_seen": format_time(row.last_ms), "registered": row.registered, "values": row.values,
    }


def limits_item(settings: Station) -> dict[str, Any]:
    """Return what a station is measured against, as stations.toml says it; null where it does not."""
    band = settings.contract_pressure_bar
    return {
        "transformer_kva": settings.transformer_kva,
        "contract_kw": settings.contract_kw,
        "contract_pressure_bar": None if band is None else list(band),
        "dew_point_max_c": settings.dew_point_max_c,
        "baseline_kwh_per_m3": baseline_kwh_per_m3(settings),
        "currency": settings.currency,
    }


def station_item(
    sources: Sources, db: sqlite3.Connection, station: str, devices: list[DeviceRow], firing: dict[str, int]
) -> dict[str, Any]:
    """Return a station as the API shows it.

    Parameters
    ----------
    sources
        What analytics knows.
    db
        A reading connection of the desk.
    station
        Its id.
    devices
        Its devices.
    firing
        Severity -> alerts that fire.
    """
    settings = sources.station(station)
    first = [d.first_ms for d in devices if d.first_ms is not None]
    heard = [d.last_ms for d in devices if d.last_ms is not None]
    counts = {severity: firing.get(severity, 0) for severity in ("critical", "warning", "info")}
    health, reasons = station_health(db, station, firing, heard=bool(heard))
    return {
        "station": station,
        "kind": settings.kind,
        "registered": station in sources.registry().stations,
        "name": settings.name or station,
        "groups": settings.groups,
        "timezone": settings.timezone,
        "now": format_time(sources.now_ms(station)),
        "health": health,
        "health_reasons": reasons,
        "first_seen": format_time(min(first, default=None)),
        "last_seen": format_time(max(heard, default=None)),
        "firing": counts,
        "devices": {
            "total": len(devices),
            "online": sum(d.online is True for d in devices),
            "offline": sum(d.online is False for d in devices),
            "unregistered": sum(not d.registered for d in devices),
        },
    }


def exclusions_of(desk: Desk, station: str, from_ms: int, to_ms: int) -> list[Exclusion]:
    """Return the maintenance windows of a station as intervals inside `[from_ms, to_ms)`."""
    found = []
    for exclusion in list_exclusions(desk.reader, station):
        for start_ms, end_ms in exclusion.intervals(from_ms, to_ms):
            devices: list[str | None] = [*exclusion.devices] or [None]
            found += [Exclusion(start_ms, end_ms, device) for device in devices]
    return found


class Overview:
    """Makes the picture of the live stream; keeps key figures of the last hour, because they cost the most."""

    def __init__(self, sources: Sources, desk: Desk) -> None:
        self._sources = sources
        self._desk = desk
        self._kpis: dict[str, tuple[int, float, float, dict[str, Any]]] = {}
        """Station -> (end of the hour, until when it stays in any case, and while the minute is the same, answer)."""

    def picture(self) -> Picture:
        """Return what a page shows now."""
        db = self._desk.reader
        firing = firing_counts(db)
        picture = Picture()
        for station in self._sources.station_ids():
            devices = self._sources.devices(station)
            item = station_item(self._sources, db, station, devices, firing.get(station, {}))
            picture.stations[station] = {"station": item, **self.last_hour(station)}
            picture.devices[station] = {(d.kind, d.device): device_item(d) for d in devices}
        recent = db.execute(
            "SELECT alert, data FROM alert WHERE alert IN (SELECT alert FROM event ORDER BY n DESC LIMIT ?)",
            (_RECENT_EVENTS,),
        )
        picture.alerts = {alert: msgspec.json.decode(data) for alert, data in recent}
        picture.alerts.update({data["id"]: data for data in firing_data(db)})
        return picture

    def last_hour(self, station: str) -> dict[str, Any]:
        """Return `from`, `to`, `coverage`, `kpis`, `reasons` of a station; no `kpis` where they cannot be computed."""
        now_ms = self._sources.now_ms(station)
        to_ms = now_ms - now_ms % MINUTE_MS
        started = time.monotonic()
        known = self._kpis.get(station)
        if known is not None and (started < known[1] or (known[0] == to_ms and started < known[2])):
            return known[3]
        try:
            answer = self._compute(station, to_ms - HOUR_MS, to_ms)
        except Exception:  # noqa: BLE001 - whatever it is, the others go on
            # One station whose figures fail must not take the page from the others.
            _log.exception("key figures of station %r failed", station)
            answer = {
                "from": format_time(to_ms - HOUR_MS), "to": format_time(to_ms), "coverage": None, "kpis": {},
                "reasons": {},
            }
        ended = time.monotonic()
        rest_s = _KPI_REST * (ended - started)
        self._kpis[station] = (to_ms, ended + rest_s, ended + max(rest_s, _KPI_AGE_S), answer)
        return answer

    def _compute(self, station: str, from_ms: int, to_ms: int) -> dict[str, Any]:
        window = self._sources.window(station, from_ms, to_ms)
        answer = station_kpis(window, exclusions_of(self._desk, station, from_ms, to_ms))
        return {
            "from": format_time(window.from_ms), "to": format_time(window.to_ms), "coverage": answer.coverage,
            "kpis": answer.kpis, "reasons": answer.reasons,
        }
