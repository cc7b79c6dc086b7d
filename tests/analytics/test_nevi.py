"""Calendar months, the constant of the rule, and visits."""

from zoneinfo import ZoneInfo

import pytest

from analytics.figures import Sheet
from analytics.nevi import YEAR_MIN, month_span, months_until, year_uptimes
from analytics.sessions import Session
from analytics.uptime import PortUptime
from analytics.visits import visit_kpis, visits_of


def test_months_cross_years() -> None:
    assert months_until("2026-02", 4) == ["2025-11", "2025-12", "2026-01", "2026-02"]
    assert len(months_until("2024-12", 12)) == 12
    assert months_until("2024-12", 12)[0] == "2024-01"


def test_a_month_with_a_change_of_clocks_has_its_own_length() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    hours = {m: (month_span(m, berlin)[1] - month_span(m, berlin)[0]) / 3_600_000 for m in months_until("2026-12", 12)}
    assert hours["2026-03"] == 31 * 24 - 1
    assert hours["2026-10"] == 31 * 24 + 1
    assert sum(hours.values()) * 60 == YEAR_MIN


def test_the_constant_stays_for_a_young_port_and_in_a_leap_year() -> None:
    def uptime_in(month: str) -> list[PortUptime]:
        minutes = 43_200.0 if month >= "2026-11" else 0.0
        return [PortUptime("p", minutes, 1_000.0 if minutes else 0.0, 400.0 if minutes else 0.0, None, ())]

    (year,) = year_uptimes("2026-12", uptime_in)
    assert len(year.months) == 12
    assert year.sums == (86_400, 2_000, 800)
    assert year.nevi == pytest.approx((525_600 - 1_200) / 525_600)
    assert year.elapsed == pytest.approx((86_400 - 1_200) / 86_400)
    (never,) = year_uptimes("2026-10", uptime_in)
    assert never.nevi is None
    assert never.elapsed is None


def attempt(start_s: int, end_s: int | None, outcome: str, port: str = "p") -> Session:
    return Session(port, None, start_s * 1000, None, None if end_s is None else end_s * 1000, 1.0, 1.0, 0.0, 0.0, None,
                   outcome, None, None, None, None, ())


def test_attempts_with_short_pauses_are_one_visit() -> None:
    found = visits_of([
        attempt(0, 60, "failed"), attempt(100, 200, "success"), attempt(320, 400, "success"),
        attempt(100, 200, "zero_energy", "q"), attempt(500, None, "open"),
    ])
    assert [[a.start_ms // 1000 for a in v] for v in found] == [[0, 100], [100], [320]]
    sheet = Sheet()
    visit_kpis(sheet, [a for v in found for a in v])
    assert sheet.kpis == {
        "visits": 3, "attempts_per_visit": pytest.approx(4 / 3), "first_attempt_success_rate": pytest.approx(1 / 3),
        "troubled_visit_rate": pytest.approx(1 / 3), "failed_visit_rate": pytest.approx(1 / 3),
    }


def test_without_visits_shares_are_null() -> None:
    sheet = Sheet()
    visit_kpis(sheet, [attempt(0, None, "open")])
    assert sheet.kpis["visits"] == 0
    assert sheet.kpis["first_attempt_success_rate"] is None
