import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from naive.kpis import naive_intervals, naive_time

from analytics.kernels.intervals import (
    EMPTY,
    complement,
    contains,
    held_by_all,
    intersect,
    length_ms,
    span,
    subtract,
    union,
)

raw = st.lists(st.tuples(st.integers(-5, 40), st.integers(-5, 40)), max_size=8)


def array(intervals: object) -> np.ndarray:
    return np.array(intervals, np.int64).reshape(-1, 2)


@given(raw)
def test_union_is_the_set_of_all_milliseconds(intervals: list[tuple[int, int]]) -> None:
    assert union(array(intervals)).tolist() == naive_intervals(naive_time(intervals))


@given(st.lists(raw, min_size=1, max_size=4))
def test_held_by_all_is_the_common_time(sets: list[list[tuple[int, int]]]) -> None:
    found = held_by_all([union(array(s)) for s in sets])
    assert found.tolist() == naive_intervals(set.intersection(*(naive_time(s) for s in sets)))


@given(raw, raw)
def test_two_sets(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> None:
    x, y = union(array(a)), union(array(b))
    times_a, times_b = naive_time(a), naive_time(b)
    assert intersect(x, y).tolist() == naive_intervals(times_a & times_b)
    assert subtract(x, y).tolist() == naive_intervals(times_a - times_b)
    assert complement(x, 0, 30).tolist() == naive_intervals(set(range(30)) - times_a)
    assert length_ms(x) == len(times_a)


@given(raw, st.lists(st.integers(-6, 41)))
def test_contains_leaves_the_end_out(a: list[tuple[int, int]], points: list[int]) -> None:
    assert contains(union(array(a)), np.array(points, np.int64)).tolist() == [p in naive_time(a) for p in points]


def test_empty_sets() -> None:
    assert len(span(3, 3)) == 0
    assert len(held_by_all([])) == 0
    assert len(held_by_all([EMPTY, span(0, 5)])) == 0
    assert complement(EMPTY, 2, 4).tolist() == [[2, 4]]
