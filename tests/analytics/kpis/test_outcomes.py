"""Visits, overstay and lost energy equal a walk through the seconds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive.kpis import Tick
from naive.outcomes import naive_lost_kwh, naive_overstay_s, naive_visits
from naive.windows import ENERGY_N_PER_S, port_window, station_of

from analytics.kpis import station_kpis
from analytics.window import Window
from telemetry.registry import Station

KWH_PER_S = ENERGY_N_PER_S / 1e9
MINUTES = 120
RATED = {"a": 60.0, "b": 7.2}
STATES = ("Available", "Charging", "Charging", "SuspendedEV", "Finishing", "Preparing", "Faulted", "Unavailable")

LENGTHS = st.sampled_from([1, 20, 40, 51, 119, 120, 121, 600, 899, 901, 1801, 3601])


def to_line(pieces: list[tuple[str | None, str, int]]) -> list[Tick]:
    line: list[Tick] = []
    for state, sent, seconds in pieces:
        line += [None if state is None else (state, sent if state in ("Charging", "Finishing") else "")] * seconds
    return (line + [("Available", "")] * 60 * MINUTES)[: 60 * MINUTES]


def lines(states: tuple[str | None, ...]) -> st.SearchStrategy[list[Tick]]:
    piece = st.tuples(st.sampled_from(states), st.sampled_from(["", "A", "B"]), LENGTHS)
    return st.lists(piece, max_size=10).map(to_line)


def station() -> Station:
    return station_of("charging", ports=[{"id": p, "rated_kw": kw} for p, kw in RATED.items()])


def window(a: list[Tick], b: list[Tick]) -> Window:
    return port_window({"a": a, "b": b}, station())


@settings(max_examples=20)
@given(lines((None, *STATES)), lines((None, *STATES)))
def test_visits_and_overstay(a: list[Tick], b: list[Tick]) -> None:
    kpis = station_kpis(window(a, b)).kpis
    visits = naive_visits({"a": a, "b": b}, KWH_PER_S)
    assert kpis["visits"] == len(visits)
    if visits:
        n = len(visits)
        assert kpis["attempts_per_visit"] == pytest.approx(sum(len(v) for v in visits) / n)
        assert kpis["first_attempt_success_rate"] == pytest.approx(sum(v[0] for v in visits) / n)
        assert kpis["troubled_visit_rate"] == pytest.approx(sum(v[-1] and not v[0] for v in visits) / n)
        assert kpis["failed_visit_rate"] == pytest.approx(sum(not v[-1] for v in visits) / n)
    else:
        assert kpis["first_attempt_success_rate"] is None
    over_s = naive_overstay_s(a, RATED["a"]) + naive_overstay_s(b, RATED["b"])
    assert kpis["overstay_h"] == pytest.approx(over_s / 3600, abs=1e-9)


@settings(max_examples=20)
@given(lines(STATES), lines(STATES))
def test_lost_energy(a: list[Tick], b: list[Tick]) -> None:
    expected = naive_lost_kwh({"a": a, "b": b}, RATED, KWH_PER_S)
    found = station_kpis(window(a, b)).kpis["lost_energy_kwh"]
    assert (found is None) == (expected is None)
    if expected is not None:
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)
