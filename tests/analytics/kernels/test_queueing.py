"""Blocking and waiting: exact formulas by exact sums, the weekly pattern by playing it out."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive.queueing import naive_erlang_b, naive_erlang_c, naive_load, play

from analytics.kernels.queueing import erlang_b, erlang_c, load_weights, mean_wait_h, offered_load

loads = st.fractions(Fraction(1, 100), 60, max_denominator=100)


@given(st.integers(0, 40), loads)
def test_erlang_b_equals_its_twin(ports: int, load: Fraction) -> None:
    assert erlang_b(ports, np.array([float(load)]))[0] == pytest.approx(float(naive_erlang_b(ports, load)), rel=1e-9)


@given(st.integers(1, 40), loads)
def test_erlang_c_equals_its_twin(ports: int, load: Fraction) -> None:
    (found,) = erlang_c(ports, np.array([float(load)]))
    if load >= ports:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(float(naive_erlang_c(ports, load)), rel=1e-9)


def test_nothing_comes_and_nothing_is_there() -> None:
    assert erlang_b(3, np.zeros(2)).tolist() == [0, 0]
    assert erlang_b(0, np.array([0.0, 5.0])).tolist() == [1, 1]
    assert erlang_b(400, np.array([1e-9, 300.0]))[0] == 0
    assert np.isnan(erlang_c(0, np.array([1.0]))).all()


@given(st.integers(1, 30), loads)
def test_another_port_helps_and_more_vehicles_hurt(ports: int, load: Fraction) -> None:
    a = np.array([float(load), float(load) + 1])
    assert erlang_b(ports + 1, a)[0] < erlang_b(ports, a)[0] < erlang_b(ports, a)[1]


@given(
    st.lists(st.floats(0, 20), min_size=4, max_size=12), st.lists(st.floats(0.01, 30), min_size=1, max_size=4),
    st.sampled_from([0.25, 1.0, 2.0]),
)
def test_the_offered_load_is_the_rate_over_the_last_stay(rate: list[float], stays: list[float], slot: float) -> None:
    found = offered_load(np.array(rate), np.array(stays), slot)
    edges = [naive_load(rate, stays, slot, (i + 1) * slot) for i in range(len(rate))]
    expected = [(edges[i] + edges[i - 1]) / 2 for i in range(len(rate))]
    assert found == pytest.approx(expected, rel=0.02, abs=0.02 * slot * max(rate) + 1e-9)
    # Little's law over the week, exact.
    assert found.mean() == pytest.approx(np.mean(rate) * np.mean(stays), rel=1e-9, abs=1e-9)
    assert load_weights(np.array(stays), len(rate), slot).sum() == pytest.approx(np.mean(stays))


STAYS = [0.5, 1.0, 1.0, 2.0, 4.0]


def weekday_rate(hour: float) -> float:
    return 9.0 if 8 <= hour % 24 < 18 else 2.0


@pytest.mark.parametrize("ports", [8, 12])
def test_blocking_by_hour_agrees_with_vehicles_played_out(ports: int) -> None:
    """300 days, 35,000 arrivals; the method is an approximation: within a tenth and two hundredths."""
    rate = np.array([weekday_rate(h) for h in range(24)])
    load = offered_load(np.repeat(rate, 4), np.array(STAYS), 0.25)
    blocked = (np.repeat(rate, 4) * erlang_b(ports, load)).sum() / np.repeat(rate, 4).sum()
    arrivals, full, _ = play(ports, weekday_rate, 9.0, STAYS, 300 * 24, seed=1)
    assert arrivals > 30_000
    assert blocked == pytest.approx(full / arrivals, rel=0.1, abs=0.02)


def test_waiting_agrees_with_vehicles_played_out() -> None:
    arrivals, full, waited = play(12, lambda _: 6.0, 6.0, STAYS, 8_000, seed=2, waits=True)
    load = np.array([6.0 * np.mean(STAYS)])
    assert erlang_c(12, load)[0] == pytest.approx(full / arrivals, rel=0.1)
    assert mean_wait_h(12, load, np.array(STAYS))[0] == pytest.approx(waited / arrivals, rel=0.2)
