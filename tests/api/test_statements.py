"""Drafts, issued months and corrections: nothing is charged twice, whatever arrives and is issued in between."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from naive.windows import station_of

from analytics.statement import CustomerLine, Statement
from api.desk import Desk
from api.statements import CORRECTED, draft, freeze, issued_months
from telemetry.times import local_month

STATION = station_of("compressed_air", timezone="Asia/Shanghai", customers=[{"id": "x"}])
MONTHS = {local_month(m, STATION.zone): m for m in (f"2026-{n:02d}" for n in range(1, 13))}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "desk.db")
    yield made
    made.close()


class Air:
    """The volume that is known of each month now, at a price of 0.1."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.volume_m3: dict[str, float] = {}

    def compute(self, from_ms: int, to_ms: int) -> Statement:
        volume = self.volume_m3.get(MONTHS[from_ms, to_ms], 100.0)
        figures: dict[str, float | None] = dict.fromkeys(CORRECTED, 0.0)
        figures |= {"volume_m3": volume, "amount": volume / 10, "savings_money": None, "coverage": 1.0}
        return Statement((CustomerLine("x", "X", figures, {}, (), ()),), {"amount": volume / 10})

    def draft(self, month: str) -> dict[str, Any]:
        return draft(STATION, month, issued_months(self.desk.reader, STATION.id), self.compute)

    def issue(self, month: str) -> dict[str, Any] | None:
        issued = issued_months(self.desk.reader, STATION.id)
        with self.desk.write() as db:
            return freeze(db, draft(STATION, month, issued, self.compute), issued, 1_795_000_000_000)


def corrections(statement: dict[str, Any]) -> list[tuple[str, float]]:
    return [(c["month"], c["volume_m3"]) for c in statement["customers"][0]["corrections"]]


def test_a_backlog_is_corrected_once_in_the_next_open_month(desk: Desk) -> None:
    air = Air(desk)
    air.issue("2026-01")
    assert corrections(air.draft("2026-02")) == []
    air.volume_m3["2026-01"] = 130.0
    assert corrections(air.draft("2026-02")) == [("2026-01", 30.0)]
    assert corrections(air.draft("2026-03")) == [], "February is open and carries it"
    assert air.draft("2026-02")["totals"]["amount_due"] == pytest.approx(13.0)
    air.issue("2026-02")
    assert corrections(air.draft("2026-03")) == []
    air.volume_m3 |= {"2026-01": 125.0, "2026-02": 101.0}
    assert corrections(air.draft("2026-03")) == [("2026-01", -5.0), ("2026-02", 1.0)]
    assert air.draft("2026-03")["customers"][0]["amount_due"] == pytest.approx(10 - 0.5 + 0.1)


def test_an_issued_month_stays_as_it_was(desk: Desk) -> None:
    air = Air(desk)
    frozen = air.issue("2026-01")
    air.volume_m3["2026-01"] = 130.0
    assert frozen is not None
    assert (frozen["version"], frozen["issued"]) == (1, "2026-11-18T11:06:40.000Z")
    assert issued_months(desk.reader, STATION.id) == {"2026-01": frozen}


def test_of_two_that_issue_at_once_one_is_told_to_try_again(desk: Desk) -> None:
    air = Air(desk)
    stale = draft(STATION, "2026-02", {}, air.compute)
    air.issue("2026-01")
    with desk.write() as db:
        assert freeze(db, stale, {}, 0) is None
    assert set(issued_months(desk.reader, STATION.id)) == {"2026-01"}


def test_the_sum_of_what_is_charged_is_what_has_flowed(desk: Desk) -> None:
    air = Air(desk)
    for n in range(1, 7):
        air.volume_m3 |= {f"2026-{m:02d}": 100.0 + 7 * n - m for m in range(max(1, n - 2), n + 1)}
        air.issue(f"2026-{n:02d}")
    charged = sum(s["customers"][0]["volume_m3"] + sum(v for _, v in corrections(s))
                  for s in (*issued_months(desk.reader, STATION.id).values(), air.draft("2026-07")))
    assert charged == pytest.approx(sum(air.volume_m3.values()) + 100)
