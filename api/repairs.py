"""A leak is marked repaired, and the next nights verify it; the mark stands in the alert, as an acknowledgement."""

import sqlite3
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import msgspec

from analytics.air import air_minutes
from analytics.detectors.air_leaks import LOOKBACK_MS
from analytics.figures import round_figure
from analytics.leak_repair import RepairNights, judge_repair
from analytics.nights import Nights, places
from api.desk import Desk
from api.problems import Problem
from api.sources import Sources
from store.roles import wall_ms
from telemetry.times import MINUTE_MS, format_time, to_ms

_QUARTER_MS = 15 * MINUTE_MS
"""Quiet hours end with one in every time zone, so a look at each sees every night as soon as it is complete."""
RULE = "leak"
"""The rule whose alerts nights can verify."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The member `repair` of an alert."""

    by: str
    note: str
    at: str
    """Event time of the mark."""
    state: str = "verifying"
    """`verifying`, `verified` or `leaking`."""
    nights: tuple[str, ...] = ()
    """Ends of the nights that the state stands on."""
    leak_m3_min: float | None = None
    """What is left, as of the last of them."""
    level_m3_min: float = 0.0
    """Level before the leak."""
    size_m3_min: float = 0.0
    """The leak when it was marked."""


def mark_repaired(desk: Desk, alert: dict[str, Any], by: str, note: str, *, time_ms: int, now_ms: int) -> bool:
    """Mark a leak repaired, and take its alert on by that; return whether that is new.

    Parameters
    ----------
    desk
        Where the alert is.
    alert
        Its item.
    by, note
        Who, and what they say.
    time_ms
        The station's `now`.
    now_ms
        Wall time.

    Raises
    ------
    Problem
        409 where nights cannot verify it: no leak of the rule, or over.
    """
    if alert["rule"] != RULE:
        raise Problem(409, f"alert {alert['id']!r} is of rule {alert['rule']!r}; only leaks of rule {RULE!r} are "
                           "verified by nights: acknowledge this one")
    if alert["state"] != "firing":
        raise Problem(409, f"alert {alert['id']!r} is resolved: the nights have verified it already")
    old = alert.get("repair")
    if old is not None and (old["by"], old["note"], old["state"]) == (by, note, "verifying"):
        return False
    evidence = alert["evidence"]
    if "level_m3_min" not in evidence or "leak_m3_min" not in evidence:
        raise Problem(409, f"alert {alert['id']!r} has no level_m3_min in its evidence to compare nights with")
    at = str(format_time(time_ms))
    mark = Mark(by, note, at, level_m3_min=evidence["level_m3_min"], size_m3_min=evidence["leak_m3_min"])

    def change(data: dict[str, Any]) -> bool:
        data["repair"] = asdict(mark)
        data["acknowledgement"] = data["acknowledgement"] or {"by": by, "note": note, "at": at}
        return True

    return desk.revise(alert["id"], "alert.acknowledged", change, time_ms=time_ms, now_ms=now_ms) is not None


def repairs_of(db: sqlite3.Connection, station: str, from_ms: int, to_ms: int) -> list[dict[str, Any]]:
    """Return the marks of a station whose alerts lie in `[from_ms, to_ms)`, oldest first, with alert and place."""
    rows = db.execute(
        "SELECT data FROM alert WHERE station = ? AND rule = ? AND fired_ms < ? AND coalesce(resolved_ms, ?) >= ? "
        "ORDER BY fired_ms, alert", (station, RULE, to_ms, to_ms, from_ms),
    )
    found = [msgspec.json.decode(row[0]) for row in rows]
    return [
        {"alert": a["id"], "device": a["device"], "place": a["evidence"].get("place"), **a["repair"]}
        for a in found if a.get("repair")
    ]


def _marked_ms(alert: dict[str, Any]) -> int:
    return to_ms(datetime.fromisoformat(alert["repair"]["at"]))


class Repairs:
    """Looks at what the nights say about marked leaks. One per desk."""

    def __init__(self, desk: Desk, sources: Sources) -> None:
        self._desk = desk
        self._sources = sources
        self._looked: dict[str, int] = {}
        """Station -> the quarter of an hour up to which its nights were looked at."""

    def step(self) -> int:
        """Tell what is new; return how many alerts changed."""
        rows = self._desk.reader.execute(
            "SELECT data FROM alert WHERE rule = ? AND json_extract(CAST(data AS TEXT), '$.repair.state') "
            "IN ('verifying', 'leaking')", (RULE,),
        )
        pending: dict[str, list[dict[str, Any]]] = {}
        for row in rows.fetchall():
            alert = msgspec.json.decode(row[0])
            pending.setdefault(alert["station"], []).append(alert)
        changed = 0
        for station, alerts in pending.items():
            complete_ms = self._sources.watermark_ms(station)
            quarter = complete_ms // _QUARTER_MS
            recent = [a for a in alerts if 0 < complete_ms - _marked_ms(a) < LOOKBACK_MS]
            if recent and self._looked.get(station) != quarter:
                changed += self._look(station, recent, complete_ms)
                self._looked[station] = quarter
        return changed

    def _look(self, station: str, alerts: list[dict[str, Any]], complete_ms: int) -> int:
        window = self._sources.window(station, complete_ms - LOOKBACK_MS, complete_ms)
        found: dict[tuple[str, str], Nights] = {(n.kind, n.device): n for n in places(air_minutes(window))}
        changed = 0
        for alert in alerts:
            nights = found.get((alert["device_kind"] or "", alert["device"] or ""))
            if nights is None:
                continue
            mark = alert["repair"]
            said = judge_repair(nights, _marked_ms(alert), mark["level_m3_min"], mark["size_m3_min"])
            if said.state not in ("verifying", mark["state"]):
                changed += self._tell(alert, said, complete_ms)
        return changed

    def _tell(self, alert: dict[str, Any], said: RepairNights, time_ms: int) -> bool:
        """Write the verdict into the alert; a leak that is still there is nobody's again, so that it climbs."""
        marked_at = alert["repair"]["at"]

        def change(data: dict[str, Any]) -> bool:
            if data["repair"]["at"] != marked_at:
                return False  # marked anew meanwhile
            data["repair"] |= {
                "state": said.state, "nights": [format_time(end) for end in said.ends_ms],
                "leak_m3_min": None if said.leak_m3_min is None else round_figure(said.leak_m3_min),
            }
            if said.state == "leaking":
                data["acknowledgement"] = None
            return True

        told = self._desk.revise(alert["id"], "alert.updated", change, time_ms=time_ms, now_ms=wall_ms())
        return told is not None
