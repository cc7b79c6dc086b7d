"""What a station could deliver: ports that share a cabinet count its power once."""

from typing import Any

import pytest
from naive.windows import START_MS, buckets_of, station_of, window_of

from analytics.counted import shared_kw
from analytics.kpis.charging import charging_kpis
from analytics.publish_charging import charging_rows

CABINET = [{"id": "a", "rated_kw": 120, "charge_point": "CP", "cabinet_kw": 160},
           {"id": "b", "rated_kw": 80, "charge_point": "CP"}]
ALONE = {"id": "c", "rated_kw": 40, "charge_point": "other"}


def shares(ports: list[dict[str, Any]]) -> dict[str, float | None]:
    return shared_kw(station_of("charging", ports=ports).listed("port"))


def test_ports_of_a_cabinet_share_its_power_by_their_ratings():
    assert shares([*CABINET, ALONE]) == pytest.approx({"a": 96, "b": 64, "c": 40})


def test_a_cabinet_that_is_strong_enough_changes_nothing():
    assert shares([{**CABINET[0], "cabinet_kw": 500}, CABINET[1]]) == {"a": 120, "b": 80}


def test_of_two_words_about_a_cabinet_the_smaller_counts_and_an_unrated_port_stays_unknown():
    assert shares([CABINET[0], {**CABINET[1], "cabinet_kw": 100}]) == pytest.approx({"a": 60, "b": 40})
    assert shares([CABINET[0], {"id": "b", "charge_point": "CP"}]) == {"a": 120, "b": None}


def test_the_station_has_its_cabinets_capacity_and_each_port_its_own_rating():
    station = station_of("charging", ports=[*CABINET, ALONE])
    minutes = buckets_of({
        (port, START_MS + 60_000 * m): {"Charging_ms": 60_000, "in_charge_ms": 60_000, "heard_ms": 60_000,
                                        "energy_n": 10**9 * kwh, "energy_ms": 60_000}
        for port, kwh in (("a", 1), ("b", 1), ("c", 0)) for m in range(60)
    })
    window = window_of(station, 60, minutes={"port": minutes},
                       first_heard_ms={("port", p): START_MS for p in "abc"})
    answer = charging_kpis(window)
    assert answer.kpis["capacity_kwh"] == pytest.approx(200)
    assert answer.kpis["capacity_factor"] == pytest.approx(120 / 200)
    own = {d.device: d.kpis["capacity_factor"] for d in answer.devices}
    assert own == pytest.approx({"a": 60 / 120, "b": 60 / 80, "c": 0})
    (rows,) = charging_rows(window, "1h")
    assert float(rows.fields["capacity_factor"][0]) == pytest.approx(120 / 200)
