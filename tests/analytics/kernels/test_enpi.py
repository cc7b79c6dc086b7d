import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive.air import baseline as naive_baseline
from naive.enpi import naive_cusum

from analytics.kernels.enpi import cusum, fit_baseline


@given(st.lists(st.one_of(st.just(float("nan")), st.floats(-5, 5)), max_size=60), st.floats(0, 1))
def test_cusum_equals_the_walk(deviations: list[float], slack: float) -> None:
    assert cusum(np.array(deviations, np.float64), slack) == pytest.approx(naive_cusum(deviations, slack), abs=1e-9)


@given(st.floats(0, 200), st.floats(0.05, 0.2), st.floats(-5, 20), st.integers(0, 2**32 - 1))
def test_an_exact_law_is_found_again(base: float, slope: float, per_bar: float, seed: int) -> None:
    chance = np.random.default_rng(seed)
    volume, pressure = chance.uniform(0, 3000, 50), chance.uniform(5.5, 7.5, 50)
    energy = base + slope * volume + per_bar * (pressure - 6.5)
    energy[3] = np.nan
    found = fit_baseline(energy, volume, pressure)
    assert found is not None
    assert (found.kwh_per_m3, found.kwh_per_bar) == pytest.approx((slope, per_bar), abs=1e-6)
    assert found.sigma_kwh == pytest.approx(0, abs=1e-6)
    assert found.expected_kwh(np.array([1000.0]), np.array([7.0]))[0] == pytest.approx(
        base + slope * 1000 + per_bar * 0.5, abs=1e-6)


def test_what_does_not_vary_has_no_part() -> None:
    found = fit_baseline(np.linspace(10, 20, 20), np.linspace(100, 200, 20), np.full(20, 6.5))
    assert found is not None
    assert (found.kwh_per_m3, found.kwh_per_bar) == pytest.approx((0.1, 0.0), abs=1e-9)


def test_too_few_periods_are_no_baseline() -> None:
    assert fit_baseline(np.ones(9), np.ones(9), np.array([np.nan] * 2 + [6.0] * 7)) is None


def test_noise_of_a_known_size() -> None:
    chance = np.random.default_rng(4)
    volume, pressure = chance.uniform(500, 3000, 2000), chance.uniform(6, 7, 2000)
    found = fit_baseline(30 + 0.1 * volume + chance.normal(0, 4, 2000), volume, pressure)
    assert found is not None
    assert found.sigma_kwh == pytest.approx(4, rel=0.05)


@given(st.integers(0, 2**32 - 1), st.integers(8, 40))
def test_the_baseline_is_that_of_the_normal_equations(seed: int, n: int) -> None:
    chance = np.random.default_rng(seed)
    volume, pressure, energy = chance.uniform(0, 9, n), chance.uniform(5.5, 7.5, n), chance.uniform(1, 9, n)
    found = fit_baseline(energy, volume, pressure)
    assert found is not None
    expected = naive_baseline(list(zip(energy.tolist(), volume.tolist(), pressure.tolist(), strict=True)))
    assert (found.base_kwh, found.kwh_per_m3, found.kwh_per_bar) == pytest.approx(expected, rel=1e-6, abs=1e-6)
