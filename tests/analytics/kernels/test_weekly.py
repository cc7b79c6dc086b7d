import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import leakage as naive

from analytics.kernels.weekly import weekly_growth

FLOW = st.integers(0, 40).map(lambda v: v / 4) | st.just(float("nan"))
DAY = st.lists(FLOW, min_size=24, max_size=24) | FLOW.map(lambda v: [v] * 24)
SHAPE = np.r_[np.full(6, 2.0), np.full(12, 20.0), np.full(6, 5.0)]
"""Work by day, less in the evening, hardly any at night [m3/min]."""


@given(st.lists(DAY, max_size=26), st.sampled_from([0.0, 0.05]), st.sampled_from([0.5, 4.0]))
def test_growth_is_that_of_the_twin(days: list[list[float]], share: float, sigmas: float) -> None:
    found = weekly_growth(np.array(days, np.float64).reshape(-1, 24), 0.25, share, sigmas, 0.4)
    expected = naive.weekly_growth(days, 0.25, share, sigmas, 0.4)
    assert found.growth.tolist() == pytest.approx([e[0] for e in expected], nan_ok=True)
    assert found.error.tolist() == pytest.approx([e[1] for e in expected], nan_ok=True)
    assert found.told.tolist() == [e[2] for e in expected]
    assert found.compared.tolist() == [e[3] for e in expected]


def weeks(days: int = 21) -> np.ndarray:
    """Return days that differ by weekday, and by chance a little."""
    rng = np.random.default_rng(3)
    weekday = np.where(np.arange(days) % 7 < 5, 1.0, 0.2)[:, None]
    return np.asarray(SHAPE * weekday * rng.normal(1, 0.01, (days, 24)))


def told(hours: np.ndarray) -> list[int]:
    return np.flatnonzero(weekly_growth(hours, 0.05, 0.05, 4.0, 0.4).told).tolist()


def test_a_hole_is_told_from_its_first_day_to_the_last_with_its_size() -> None:
    hours = weeks()
    hours[12:] += 1.5
    found = weekly_growth(hours, 0.05, 0.05, 4.0, 0.4)
    assert np.flatnonzero(found.told).tolist() == list(range(12, 21))
    # A low end, never more than there is.
    assert np.median(found.growth[12:]) == pytest.approx(1.5, rel=0.1)
    assert found.growth[12:].max() < 1.6


def test_more_work_at_some_hours_is_no_growth() -> None:
    plain = weeks()
    assert told(plain) == []
    for first, end in [(7, 23), (0, 6), (12, 24)]:
        hours = plain.copy()
        hours[12:, first:end] += 4.0
        assert told(hours) == []


def test_a_weekend_or_a_holiday_is_none_and_the_week_after_neither() -> None:
    hours = weeks()
    hours[7:9] *= 0.2
    assert told(hours) == []


def test_a_day_that_is_hardly_known_says_nothing() -> None:
    hours = weeks()
    hours[12] += 1.5
    assert told(hours) == [12]
    hours[12, 4:11] = np.nan
    assert np.isnan(weekly_growth(hours, 0.05, 0.05, 4.0, 0.4).growth[12])


def test_nothing_is_told_before_a_week_and_three_days() -> None:
    for days, expected in [(0, []), (3, []), (10, []), (11, [10])]:
        hours = weeks()[:days]
        hours[10:] += 3.0
        assert told(hours) == expected
