import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import leakage as naive

from analytics.kernels.trend import LIMIT, cusum, level_of, step_up

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
