"""Statements: prices and meters by their dates, what is missing, and a naive sum minute by minute."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive.windows import START_MS, air_window, station_of

from analytics.statement import Statement, statement_of
from telemetry.times import format_time

MINUTES = 60


def at(minute: int) -> str:
    return str(format_time(START_MS + 60_000 * minute))


def statement(customer: dict[str, Any], meters: dict[str, Any], **table: Any) -> Statement:
    station = station_of("compressed_air", **{
        "compressors": [{"id": "c1"}], "air_mains": [{"id": "main"}], "tariff_per_kwh": 0.65, "co2_kg_per_kwh": 0.5,
        "customers": [{"id": "x", "price_per_m3": 0.1, **customer}], **table,
    })
    amounts = {("compressor", "c1"): {"power_kw": 180.0}, ("air_main", "main"): {"flow_m3_min": 30.0}}
    return statement_of(air_window(station, MINUTES, {
        **amounts, **{("air_meter", m): {"flow_m3_min": flow} for m, flow in meters.items()}
    }))


def test_a_plain_month() -> None:
    found = statement({"meters": ["m1"], "baseline_kwh_per_m3": 0.12}, {"m1": 20.0})
    (line,) = found.customers
    assert line.figures == pytest.approx({
        "volume_m3": 1200, "price_per_m3": 0.1, "amount": 120, "loss_share": 1 / 3, "coverage": 1,
        "savings_kwh": 1200 * 0.02, "savings_money": 24 * 0.65, "savings_co2_kg": 12,
    })
    assert found.totals == pytest.approx({
        "volume_m3": 1200, "amount": 120, "savings_kwh": 24, "savings_money": 15.6, "savings_co2_kg": 12,
        "supplied_m3": 1800, "energy_kwh": 180, "kwh_per_m3": 0.1, "energy_cost": 117, "margin": 3,
        "margin_per_m3": 3 / 1200,
    })
    assert not line.reasons
    assert not found.reasons


def test_a_meter_is_replaced_and_the_gap_between_is_not_covered() -> None:
    meters = [{"id": "old", "until": at(20)}, {"id": "new", "from": at(30)}]
    (line,) = statement({"meters": meters}, {"old": 10.0, "new": 20.0}).customers
    assert line.meters == ({"id": "old", "volume_m3": 200.0}, {"id": "new", "volume_m3": 600.0})
    assert line.figures["volume_m3"] == 800
    assert line.figures["coverage"] == pytest.approx(50 / 60)


def test_a_customer_who_comes_within_the_month_is_covered_from_then_on() -> None:
    (line,) = statement({"meters": [{"id": "m1", "from": at(40)}]}, {"m1": 10.0}).customers
    assert (line.figures["volume_m3"], line.figures["coverage"]) == (200, 1)


def test_what_is_missing_is_null_and_says_why() -> None:
    found = statement({"meters": ["m1"], "price_per_m3": [{"price": 0.1, "from": at(30)}]}, {"m1": 10.0},
                      tariff_per_kwh=[{"price": 0.6, "from": at(30)}])
    (line,) = found.customers
    assert line.figures["amount"] is None
    assert "price_per_m3 of 'x'" in line.reasons["amount"]
    assert line.figures["savings_kwh"] is None
    assert "baseline_kwh_per_m3" in line.reasons["savings_kwh"]
    assert found.totals["amount"] is None
    assert "tariff_per_kwh" in found.reasons["energy_cost"]
    assert set(found.reasons) == {name for name, value in found.totals.items() if value is None}
    silent = statement({"meters": ["m1"]}, {}).customers[0]
    assert (silent.figures["volume_m3"], silent.figures["amount"], silent.figures["coverage"]) == (None, None, 0)


FLOWS = st.lists(st.one_of(st.none(), st.integers(0, 50).map(float)), min_size=MINUTES, max_size=MINUTES)
CHANGES = st.lists(st.tuples(st.integers(0, MINUTES), st.integers(1, 30).map(lambda p: p / 100)), max_size=4,
                   unique_by=lambda c: c[0])


@given(FLOWS, FLOWS, CHANGES, CHANGES, st.integers(0, MINUTES))
def test_dated_prices_tariffs_and_meters_equal_a_walk_through_the_minutes(
    old: list[float | None], new: list[float | None], prices: list[tuple[int, float]],
    tariffs: list[tuple[int, float]], change: int,
) -> None:
    meters = [{"id": "old", "until": at(change)}, {"id": "new", "from": at(change)}]
    (line,) = statement(
        {"meters": meters, "price_per_m3": [{"price": 0.2}, *({"price": p, "from": at(m)} for m, p in prices)],
         "baseline_kwh_per_m3": 0.12},
        {"old": old, "new": new},
        tariff_per_kwh=[{"price": 0.5}, *({"price": p, "from": at(m)} for m, p in tariffs)],
    ).customers
    volume = amount = money = 0.0
    price, tariff, known = 0.2, 0.5, 0
    for minute in range(MINUTES):
        price, tariff = dict(prices).get(minute, price), dict(tariffs).get(minute, tariff)
        flow = (old if minute < change else new)[minute]
        known += flow is not None
        volume += flow or 0.0
        amount += (flow or 0.0) * price
        money += (flow or 0.0) * (0.12 - 0.1) * tariff
    if known:
        assert line.figures["volume_m3"] == pytest.approx(volume)
        assert line.figures["amount"] == pytest.approx(amount)
        assert line.figures["savings_money"] == pytest.approx(money, abs=1e-9)
        assert sum(p["amount"] for p in line.prices) == pytest.approx(amount)
    assert line.figures["coverage"] == pytest.approx(known / MINUTES)


def test_a_customer_without_a_meter_is_named() -> None:
    found = statement({"meters": []}, {})
    assert found.customers[0].figures["volume_m3"] is None
    assert "no meter of 'x'" in found.customers[0].reasons["coverage"]
    assert found.totals["volume_m3"] is None
