"""Issued statements: a month is frozen once; what arrives later for it is corrected in the next month that is open.

The corrections of a month are what its minutes say now, less what was issued, less the corrections that later
statements have already issued. So nothing is charged twice, and a draft changes with every backlog.
"""

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from analytics.figures import round_figure
from analytics.statement import CustomerLine, Statement
from telemetry.registry import Station
from telemetry.times import format_time, local_month, next_month

CORRECTED_MONTHS = 3
"""Months before an open one that it corrects: a backlog is analysed up to `analytics.backfill` (35 days)."""
CORRECTED = ("volume_m3", "amount", "savings_kwh", "savings_co2_kg", "savings_money")
"""Figures of a correction line."""
_NOTHING = 1e-6

Json = dict[str, Any]


def issued_months(db: sqlite3.Connection, station: str) -> dict[str, Json]:
    """Return month -> statement as it was issued."""
    rows = db.execute("SELECT month, body FROM statement WHERE station = ? ORDER BY month", (station,))
    return {month: msgspec.json.decode(body) for month, body in rows}


def draft(
    station: Station, month: str, issued: Mapping[str, Json], compute: Callable[[int, int], Statement]
) -> Json:
    """Return the statement of a month that is not issued, with the corrections that it carries.

    Parameters
    ----------
    station
        Whose.
    month
        `YYYY-MM`.
    issued
        `issued_months` of the station.
    compute
        `[from, to)` -> statement as the minutes are known now.
    """
    span = _span(month, station)
    now = compute(*span)
    corrections: dict[str, list[Json]] = {}
    for past in _corrected_by(month, issued):
        for customer, line in _corrections(station, past, issued, compute).items():
            corrections.setdefault(customer, []).append(line)
    customers = [_customer(line, station, corrections.get(line.customer, [])) for line in now.customers]
    corrected = sum(line["amount"] for lines in corrections.values() for line in lines)
    amount = now.totals["amount"]
    totals = {
        **now.totals, "corrections_amount": round_figure(corrected),
        "amount_due": None if amount is None else round_figure(amount + corrected),
    }
    return {
        "station": station.id, "month": month, "from": format_time(span[0]), "to": format_time(span[1]),
        "currency": station.currency, "issued": None, "version": 0, "customers": customers, "totals": totals,
        "reasons": now.reasons,
    }


def freeze(db: sqlite3.Connection, body: Json, issued: Mapping[str, Json], now_ms: int) -> Json | None:
    """Issue a draft, inside a transaction of the desk; None where another statement was issued since it was made."""
    station, month = body["station"], body["month"]
    months = {row[0] for row in db.execute("SELECT month FROM statement WHERE station = ?", (station,))}
    if months != set(issued):
        return None
    frozen = {**body, "issued": format_time(now_ms), "version": 1}
    db.execute("INSERT INTO statement VALUES(?, ?, ?, ?)", (station, month, now_ms, msgspec.json.encode(frozen)))
    return frozen


def _span(month: str, station: Station) -> tuple[int, int]:
    span = local_month(month, station.zone)
    if span is None:
        msg = f"{month!r} is no month"
        raise ValueError(msg)
    return span


def _corrected_by(month: str, issued: Mapping[str, Json]) -> list[str]:
    """Return the issued months just before an open one, without a gap: those whose corrections it carries."""
    found: list[str] = []
    while len(found) < CORRECTED_MONTHS:
        month = next_month(month, -1)
        if month not in issued:
            break
        found.insert(0, month)
    return found


def _corrections(
    station: Station, month: str, issued: Mapping[str, Json], compute: Callable[[int, int], Statement]
) -> dict[str, Json]:
    """Return customer -> what its issued month has to be corrected by."""
    charged: dict[str, dict[str, float]] = {}
    for statement in issued.values():
        for customer in statement["customers"]:
            lines = [c for c in customer["corrections"] if c["month"] == month]
            lines += [customer] if statement["month"] == month else []
            for line in lines:
                sums = charged.setdefault(customer["customer"], dict.fromkeys(CORRECTED, 0.0))
                for name in CORRECTED:
                    sums[name] += line[name] or 0.0
    found = {}
    for line in compute(*_span(month, station)).customers:
        before = charged.get(line.customer, dict.fromkeys(CORRECTED, 0.0))
        change = {name: round_figure((line.figures[name] or 0.0) - before[name]) for name in CORRECTED}
        if any(abs(value) > _NOTHING for value in change.values()):
            found[line.customer] = {"month": month, **change}
    return found


def _customer(line: CustomerLine, station: Station, corrections: list[Json]) -> Json:
    amount = line.figures["amount"]
    corrected = sum(c["amount"] for c in corrections)
    return {
        "customer": line.customer, "name": line.name, **line.figures, "flow_reference": station.flow_reference,
        "corrections": corrections, "amount_due": None if amount is None else round_figure(amount + corrected),
        "meters": list(line.meters), "prices": list(line.prices), "reasons": line.reasons,
    }
