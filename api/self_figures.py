"""Figures of Voltair itself, from the files of every role: what the rules of the pack `monitor` compare."""

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analytics.rules.types import MonitorFigure
from api.health import FRESH_MS
from store.deadletters import count_dead_letters
from store.roles import ROLES, RoleStatus, read_status

LETTERS_MS = 900_000
"""Dead letters of this time count."""
_OTHERS = tuple(role for role in ROLES if role != "api")
"""The API cannot tell its own silence: that is for whoever scrapes /metrics."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure now."""

    value: float | None
    """None: not known, for whoever could say so is silent."""
    evidence: Mapping[str, Any] = field(default_factory=dict)


Figures = Mapping[MonitorFigure, Mapping[str, Figure]]
"""Name -> role, or "" for Voltair as a whole -> figure."""


def self_figures(data: Path, desk: sqlite3.Connection, max_journal_bytes: int, now_ms: int) -> Figures:
    """Return every figure.

    Parameters
    ----------
    data
        The data directory.
    desk
        A reading connection of the desk.
    max_journal_bytes
        `journal.max_bytes`.
    now_ms
        Wall time.
    """
    said = {role: read_status(data, role) for role in _OTHERS}
    alive = {role: s for role, s in said.items() if s is not None and now_ms - s.updated_ms < FRESH_MS}

    def told(role: str, value: Callable[[RoleStatus], float | None]) -> Figure:
        status = alive.get(role)
        return Figure(None) if status is None else Figure(value(status), _problems(status))

    ingest, writer = alive.get("ingest"), alive.get("writer")
    connected = ingest is not None and ingest.gauges.get("connected") == 1
    return {
        # A role that has never run was never wanted here.
        "role_silent_s": {r: Figure(_age_s(s.updated_ms, now_ms), _problems(s)) for r, s in said.items() if s},
        # Ingest without a broker is told as that, and a writer that fails as its store.
        "role_not_working": {
            "ingest": told("ingest", lambda s: float(not s.ready)) if connected else Figure(None),
            "analytics": told("analytics", lambda s: float(not s.ready)),
        },
        "broker_lost": {"": told("ingest", lambda s: float(s.gauges.get("connected") != 1))},
        "ingest_lag_s": {"": told("ingest", lambda s: s.gauges.get("lag_s"))},
        # Without ingest the journal's clock stands still, and nothing is late.
        "analytics_lag_s": {"": told("analytics", lambda s: s.gauges.get("lag_s")) if ingest else Figure(None)},
        "dead_letters_15m": {"": Figure(float(count_dead_letters(data / "journal", now_ms - LETTERS_MS)))},
        "outbox_age_s": {"": _outbox_age(desk, now_ms)},
        "store_failing": {"": told("writer", lambda s: float(bool(s.problems)))},
        "store_lag_s": {"": Figure(None if writer is None else writer.gauges.get("lag_s"))},
        "journal_share": {"": _journal_share(data, ingest, max_journal_bytes)},
    }


def _age_s(then_ms: int, now_ms: int) -> float:
    return max(0.0, (now_ms - then_ms) / 1000)


def _problems(status: RoleStatus) -> dict[str, Any]:
    return {"problems": status.problems} if status.problems else {}


def _outbox_age(desk: sqlite3.Connection, now_ms: int) -> Figure:
    """Return the age of the oldest delivery that could have gone out; what waits for a calendar is not late."""
    rows = desk.execute(
        "SELECT endpoint, min(created_ms), count(*) FROM delivery WHERE state = 'pending' "
        "AND (attempts > 0 OR next_at_ms <= ?) GROUP BY endpoint ORDER BY 2", (now_ms,),
    ).fetchall()
    if not rows:
        return Figure(0.0)
    return Figure(_age_s(rows[0][1], now_ms), {"waiting": {endpoint: count for endpoint, _, count in rows}})


def _journal_share(data: Path, ingest: RoleStatus | None, max_bytes: int) -> Figure:
    size = None if ingest is None else ingest.gauges.get("journal_bytes")
    if size is None:
        return Figure(None)
    free = shutil.disk_usage(data).free
    room = min(float(max_bytes), size + free)
    evidence = {"journal_bytes": int(size), "free_bytes": free, "max_bytes": max_bytes}
    return Figure(size / room if room else 1.0, evidence)
