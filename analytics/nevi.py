"""Uptime by calendar months as 23 CFR 680.116(b) computes it, and the quarterly data of 680.112."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from analytics.figures import round_figure
from analytics.sessions import Session
from analytics.uptime import PortUptime
from telemetry.times import day_start, format_time

YEAR_MIN = 525_600
"""Minutes of a year in the rule; it stays in leap years."""
YEAR_MONTHS = 12


def months_until(last: str, count: int) -> list[str]:
    """Return `count` calendar months (`YYYY-MM`) up to and with `last`, oldest first.

    Raises
    ------
    ValueError
        If `last` is no month.
    """
    day = date.fromisoformat(f"{last}-01")
    numbers = range(day.year * 12 + day.month - count, day.year * 12 + day.month)
    return [f"{n // 12:04d}-{n % 12 + 1:02d}" for n in numbers]


def month_span(month: str, zone: ZoneInfo) -> tuple[int, int]:
    """Return the UTC instants [ms] at which a local calendar month begins and ends."""
    first = date.fromisoformat(f"{month}-01")
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return day_start(first, zone), day_start(following, zone)


@dataclass(frozen=True, slots=True)
class YearUptime:
    """Uptime of one port over twelve calendar months."""

    port: str
    months: tuple[tuple[str, PortUptime], ...]
    """(month, uptime in it), oldest first."""

    @property
    def sums(self) -> tuple[float, float, float]:
        """Minutes in service, outage, and the excluded part of the outage."""
        ups = [u for _, u in self.months]
        return sum(u.minutes for u in ups), sum(u.outage_min for u in ups), sum(u.excluded_min for u in ups)

    @property
    def nevi(self) -> float | None:
        """(525,600 - (outage - excluded)) / 525,600; None where the port was in service in no minute."""
        minutes, outage, excluded = self.sums
        return round_figure((YEAR_MIN - (outage - excluded)) / YEAR_MIN) if minutes else None

    @property
    def elapsed(self) -> float | None:
        """The same over the minutes in service: what the rule's constant hides of a young port or a leap year."""
        minutes, outage, excluded = self.sums
        return round_figure((minutes - (outage - excluded)) / minutes) if minutes else None

    def item(self) -> dict[str, Any]:
        """Return the port as the API lists it."""
        minutes, outage, excluded = self.sums
        return {
            "port": self.port, "minutes": minutes, "outage_min": outage, "excluded_min": excluded,
            "uptime_nevi": self.nevi, "uptime": self.elapsed,
            "months": [
                {"month": month, "minutes": u.minutes, "outage_min": u.outage_min, "excluded_min": u.excluded_min,
                 "uptime": u.uptime}
                for month, u in self.months
            ],
        }


def year_uptimes(last_month: str, uptime_in: Callable[[str], Sequence[PortUptime]]) -> list[YearUptime]:
    """Return the uptime of every port over the twelve months up to and with `last_month`.

    Parameters
    ----------
    uptime_in
        Month -> uptime of the ports in it.
    """
    found: dict[str, list[tuple[str, PortUptime]]] = {}
    for month in months_until(last_month, YEAR_MONTHS):
        for up in uptime_in(month):
            found.setdefault(up.port, []).append((month, up))
    return [YearUptime(port, tuple(months)) for port, months in found.items()]


SESSION_COLUMNS = (
    "station", "port", "session_id", "start", "end", "outcome", "error_code", "energy_kwh", "peak_kw", "payment_method"
)
OUTAGE_COLUMNS = ("station", "port", "from", "to", "minutes", "cause", "excluded")
UPTIME_COLUMNS = ("station", "port", "month", "outage_min", "excluded_min", "uptime_nevi")


def session_table(station: str, sessions: Sequence[Session]) -> list[dict[str, Any]]:
    """Return one row per session that ended (680.112(a)(1)-(5)); the payment method is not reported by devices."""
    return [
        {
            "station": station, "port": s.port, "session_id": s.session_id, "start": format_time(s.start_ms),
            "end": format_time(s.end_ms), "outcome": s.outcome, "error_code": s.error_code,
            "energy_kwh": s.energy_kwh, "peak_kw": s.peak_kw, "payment_method": None,
        }
        for s in sessions
    ]


def outage_table(station: str, months: Sequence[Sequence[PortUptime]]) -> list[dict[str, Any]]:
    """Return one row per outage, cut at the ends of months (680.112(a)(7))."""
    return [
        {
            "station": station, "port": u.port, "from": format_time(o.from_ms), "to": format_time(o.to_ms),
            "minutes": (o.to_ms - o.from_ms) / 60_000, "cause": o.cause, "excluded": o.excluded,
        }
        for month in months for u in month for o in u.outages
    ]


def uptime_table(station: str, years: Sequence[tuple[str, Sequence[YearUptime]]]) -> list[dict[str, Any]]:
    """Return for each port and month its outage, excluded time and uptime of the twelve months (680.112(a)(6))."""
    return [
        {
            "station": station, "port": year.port, "month": month, "outage_min": year.months[-1][1].outage_min,
            "excluded_min": year.months[-1][1].excluded_min, "uptime_nevi": year.nevi,
        }
        for month, ports in years for year in ports
    ]
