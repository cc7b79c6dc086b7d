"""Ordered charging: no limit broken, nothing left over, the urgent first, the others alike."""

import cmath
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive.ordered import NaivePort, naive_allot, naive_fits, naive_used, useful

from analytics.kernels.ordered import Demand, Limits, allot, laxity_h

NAN = float("nan")
LADDERS = (
    [0.0, 6.0, 7.0, 8.0, 12.0, 16.0], [0.0, 8.0, 16.0, 24.0, 32.0], [0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 32.0], [0.0],
)
PHASORS = tuple(cmath.rect(1, math.radians(a)) for a in (0, 60, 90))
"""None takes away what another adds."""

laxities = st.one_of(st.just(NAN), st.just(math.inf), st.integers(-3, 9).map(float))
weights = st.one_of(st.just(0j), st.sampled_from([1 + 0j, 0.25 + 0j, *PHASORS]))


@st.composite
def stations(draw: st.DrawFn) -> tuple[list[NaivePort], list[float]]:
    limits = draw(st.integers(1, 3))
    ports = [
        NaivePort(
            draw(st.sampled_from(LADDERS)), float(draw(st.integers(0, 40))), draw(laxities),
            float(draw(st.integers(0, 3))), draw(st.lists(weights, min_size=limits, max_size=limits)),
        )
        for _ in range(draw(st.integers(1, 6)))
    ]
    return ports, [float(x) for x in draw(st.lists(st.integers(-2, 90), min_size=limits, max_size=limits))]


def allotted(ports: list[NaivePort], most: list[float]) -> list[float]:
    weight = np.array([p.weights for p in ports], np.complex128).T
    demand = Demand(
        [np.array(p.rates) for p in ports], np.array([p.wanted for p in ports]), np.array([p.laxity for p in ports]),
        np.array([p.served for p in ports]),
    )
    found: list[float] = allot(Limits(weight, np.array(most)), demand).tolist()
    return found


@given(stations())
def test_it_equals_its_twin(made: tuple[list[NaivePort], list[float]]) -> None:
    ports, most = made
    assert allotted(ports, most) == naive_allot(ports, most)


@given(stations())
def test_no_limit_is_broken_and_nothing_that_fits_is_left(made: tuple[list[NaivePort], list[float]]) -> None:
    ports, most = made
    current = allotted(ports, most)
    for k, allowed in enumerate(most):
        if any(current[i] for i, p in enumerate(ports) if p.weights[k]):
            assert naive_used(ports, current, k) <= allowed + 2e-6
    for i, port in enumerate(ports):
        assert current[i] in useful(port)
        higher = [r for r in useful(port) if r > current[i]]
        if higher:
            assert not naive_fits(ports, [*current[:i], higher[0], *current[i + 1:]], most, i)


@given(stations(), st.integers(0, 40))
def test_who_is_behind_takes_nothing_from_who_is_ahead(made: tuple[list[NaivePort], list[float]], late: int) -> None:
    ports, most = made
    known = [p for p in ports if math.isfinite(p.laxity)]
    if known:
        last = NaivePort(LADDERS[1], float(late), 99.0, 0.0, known[0].weights)
        assert allotted([*known, last], most)[:-1] == allotted(known, most)


@given(stations(), st.integers(1, 30))
def test_the_most_urgent_gets_no_less_when_there_is_more(made: tuple[list[NaivePort], list[float]], more: int) -> None:
    ports, most = made
    known = [p for p in ports if math.isfinite(p.laxity)]
    if known:
        first = min(range(len(known)), key=lambda i: (known[i].laxity, known[i].served, i))
        assert allotted(known, [m + more for m in most])[first] >= allotted(known, most)[first]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=5), st.integers(0, 15))
def test_without_departures_the_shares_are_max_min_fair(wanted: list[int], most: int) -> None:
    """Of steps of 1 A at one limit: two ports differ by more than a step only if the lower has what it wants."""
    ports = [NaivePort(LADDERS[2], float(w), NAN, 0.0, [1 + 0j]) for w in wanted]
    current = allotted(ports, [float(most)])
    assert sum(current) == min(most, sum(wanted))
    for i, mine in enumerate(current):
        assert mine == wanted[i] or mine >= max(current) - 1


def test_minimum_currents_go_round_by_energy() -> None:
    """13 A hold two minima of 6 A: the two that have had least."""
    ports = [NaivePort([0.0, 6.0, 7.0, 8.0], 32.0, NAN, served, [1 + 0j]) for served in (3.0, 1.0, 2.0)]
    assert allotted(ports, [13.0]) == [0.0, 7.0, 6.0]


def test_a_port_without_departure_is_not_starved_by_urgent_ones() -> None:
    rates = [0.0, *map(float, range(6, 33))]
    ports = [NaivePort(rates, 32.0, lax, 0.0, [1 + 0j]) for lax in (0.0, 0.5, NAN)]
    assert allotted(ports, [48.0]) == [32.0, 0.0, 16.0]


@given(st.floats(-5, 24), st.floats(-5, 80), st.floats(1, 200))
def test_laxity(left: float, missing: float, power: float) -> None:
    (found,) = laxity_h(np.array([left]), np.array([missing]), np.array([power]))
    if missing <= 0:
        assert found == math.inf
    elif left <= 0:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(left - missing / power)
    assert math.isnan(laxity_h(np.array([NAN]), np.array([5.0]), np.array([7.0]))[0])
