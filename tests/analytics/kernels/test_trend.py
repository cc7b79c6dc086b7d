import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import leakage as naive

from analytics.kernels.trend import LIMIT, cusum, free_nights, level_of, silent_flow, step_up

VALUES = st.lists(st.integers(-40, 40).map(lambda v: v / 4), max_size=40)


@given(st.lists(st.floats(-50, 50) | st.just(float("nan")), max_size=60), st.floats(-5, 5), st.floats(0.1, 9))
def test_cusum_is_that_of_the_twin(values: list[float], mean: float, sigma: float) -> None:
    found = cusum(np.array(values, np.float64), mean, sigma)
    assert found.tolist() == pytest.approx(naive.cusum(values, mean, sigma, 0.5), abs=1e-6)


@given(VALUES, st.integers(1, 5))
def test_the_step_is_that_of_the_twin(values: list[float], least: int) -> None:
    assert step_up(np.array(values, np.float64), least) == naive.step_up(values, least)


def test_delay_and_rarity_of_the_cusum() -> None:
    """Mean delay of a 1 sigma shift 10.4, of 2 sigma 4; one false alarm in about 930."""
    rng = np.random.default_rng(5)

    def run_lengths(shift: float, n: int) -> float:
        lengths = []
        for _ in range(n):
            over = np.flatnonzero(cusum(rng.normal(shift, 1, 12_000), 0, 1) > LIMIT)
            lengths.append(int(over[0]) + 1 if len(over) else 12_000)
        return float(np.mean(lengths))

    assert run_lengths(1, 400) == pytest.approx(10.4, rel=0.1)
    assert run_lengths(2, 400) == pytest.approx(4.0, rel=0.1)
    assert run_lengths(0, 300) == pytest.approx(930, rel=0.25)


def test_level_is_robust_and_has_a_floor() -> None:
    assert level_of(np.array([1.0, 1, 1, 1, 50]), 0.1) == (1.0, 0.1)
    assert level_of(np.random.default_rng(1).normal(3, 2, 10_001))[1] == pytest.approx(2, rel=0.05)
    assert np.isnan(level_of(np.empty(0))).all()


@given(VALUES, st.floats(0, 3))
def test_the_level_is_that_of_the_twin(values: list[float], floor: float) -> None:
    assert level_of(np.array(values, np.float64), floor) == pytest.approx(naive.level_of(values, floor), nan_ok=True)


SHOWN = st.sampled_from([0.0, 0.01, 1.0, 2.5, 40.0, float("nan")])


@given(st.integers(0, 12).flatmap(lambda n: st.tuples(
    st.lists(st.tuples(*[st.tuples(SHOWN, SHOWN)] * n), max_size=3),
    st.lists(st.integers(0, 2), min_size=n, max_size=n),
)))
def test_the_flow_of_silent_meters_is_that_of_the_twin(
    case: tuple[list[tuple[tuple[float, float], ...]], list[int]]
) -> None:
    meters, weekday = case
    late, night = ([[shown[i] for shown in meter] for meter in meters] for i in (0, 1))
    shape = (len(meters), len(weekday))
    found = silent_flow(np.reshape(late, shape), np.reshape(night, shape), np.array(weekday, np.int64))
    assert found.tolist() == pytest.approx(naive.silent_flow(late, night, weekday))


def test_a_meter_that_dies_counts_with_its_usual_night_and_a_resting_one_with_none() -> None:
    weekday = np.arange(10) % 7
    dies = np.r_[np.full(8, 3.0), 0, 0]
    rests = np.where(weekday < 5, 2.0, 0.0)
    found = silent_flow(np.array([dies, rests]), np.array([dies, 0 * rests]), weekday)
    assert found.tolist() == [0] * 8 + [3, 3]


@given(VALUES, st.integers(0, 6), st.integers(0, 5))
def test_the_nights_of_the_weekend_are_those_of_the_twin(values: list[float], first: int, more: int) -> None:
    weekday = [(first + i) % 7 for i in range(len(values) + more)]
    free, less = free_nights(np.array(values, np.float64), np.array(weekday, np.int64))
    assert (free.tolist(), less) == naive.free_nights(values, weekday)


def test_a_quiet_weekend_is_learned_and_a_quiet_tuesday_is_none() -> None:
    weekday = np.arange(14) % 7
    free, less = free_nights(np.where(weekday >= 5, 2.0, 9.0), weekday)
    assert (free.tolist(), less) == ((weekday >= 5).tolist(), 7.0)
    free, less = free_nights(np.where(weekday == 1, 2.0, 9.0), weekday)
    assert (free.any(), less) == (False, 0.0)
