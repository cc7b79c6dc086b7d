import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import air as naive

from analytics.kernels.grid import dense, max_per_device, ratio, sum_per_device

rows = st.lists(st.tuples(st.integers(0, 3), st.integers(-(2**60), 2**60)), max_size=30)


@given(rows)
def test_sums_are_exact_also_beyond_floats(given_rows: list[tuple[int, int]]) -> None:
    given_rows = sorted(given_rows)[:7]
    device, values = (np.array(c, np.int64) for c in zip(*given_rows, strict=True)) if given_rows else (
        np.empty(0, np.int64), np.empty(0, np.int64))
    expected = [sum(v for d, v in given_rows if d == k) for k in range(4)]
    wrapped = [(e + 2**63) % 2**64 - 2**63 for e in expected]
    assert sum_per_device(device, values, 4).tolist() == wrapped


def test_max_leaves_missing_out() -> None:
    found = max_per_device(np.array([0, 0, 2]), np.array([np.nan, 3.0, np.nan]), 3)
    assert found[0] == 3.0
    assert np.isnan(found[1:]).all()


def test_dense_places_rows_and_drops_those_without_a_place() -> None:
    times = np.array([0, 60, 180])
    found = dense(np.array([0, -1, 1]), np.array([60, 0, 180]), np.array([5, 6, 7]), times, 2)
    assert found.tolist() == [[0, 5, 0], [0, 0, 7]]


def test_ratio_of_nothing_is_missing() -> None:
    found = ratio(np.array([6, 1]), np.array([3, 0]), 0.5)
    assert found[0] == pytest.approx(1.0)
    assert math.isnan(found[1])


@given(st.dictionaries(st.tuples(st.integers(0, 2), st.integers(0, 6)), st.integers(-9, 9)), st.sampled_from([0, -1]))
def test_the_table_is_that_of_the_twin(cells: dict[tuple[int, int], int], empty: int) -> None:
    rows = [(r, 60 * t, v) for (r, t), v in sorted(cells.items())] + [(-1, 60, 5)]
    times = [60 * t for t in range(7)]
    row, time, value = (np.array(c, np.int64) for c in zip(*rows, strict=True))
    assert dense(row, time, value, np.array(times), 3, empty).tolist() == naive.dense(rows, times, 3, empty)
