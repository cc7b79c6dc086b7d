"""Amounts spread over minutes: exact integers, whatever the cut."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.kernels.segments import (
    cut_at_minutes,
    group_starts,
    last_valid,
    spread_even,
    spread_line,
    stable_order,
)
from telemetry.times import MINUTE_MS

starts = st.integers(0, 4 * 10**12)
lengths = st.integers(1, 400 * 86_400_000)
"""Up to 400 days: beyond 35 days 64 bits no longer hold the intermediate product."""


@given(starts, lengths.filter(lambda n: n < 10**8), st.integers(-(10**18), 10**18))
def test_even_parts_are_differences_of_the_floored_cumulative(start: int, length: int, amount: int) -> None:
    pieces = cut_at_minutes(np.array([start]), np.array([start + length]))
    found = spread_even(pieces, np.array([amount]), np.array([length]))
    edges = [start, *(m * MINUTE_MS for m in range(start // MINUTE_MS + 1, -(-(start + length) // MINUTE_MS))),
             start + length]
    wanted = [amount * (b - start) // length - amount * (a - start) // length
              for a, b in pairwise(edges)]
    assert found.tolist() == wanted
    assert pieces.minute.tolist() == [a // MINUTE_MS for a in edges[:-1]]


@settings(max_examples=10)  # half a million minutes each
@given(starts, st.integers(0, 9 * 10**18))
def test_an_outage_of_a_year_is_spread_exactly(start: int, amount: int) -> None:
    length = 366 * 86_400_000 + 1
    pieces = cut_at_minutes(np.array([start]), np.array([start + length]))
    found = spread_even(pieces, np.array([amount]), np.array([length]))
    assert int(found.sum()) == amount
    k = len(found) // 2
    low, high = int(pieces.start_ms[k]), int(pieces.end_ms[k])
    assert int(found[k]) == amount * high // length - amount * low // length


@given(
    starts, st.integers(1, 10**7), st.integers(0, 10**7),
    st.floats(-1e4, 1e4, allow_nan=False), st.floats(-1e4, 1e4, allow_nan=False),
)
def test_a_line_adds_up_however_it_is_cut(start: int, length: int, shift: int, v0: float, v1: float) -> None:
    whole = [
        int(spread_line(cut_at_minutes(np.array([s]), np.array([s + length])), np.array([v0]), np.array([v1]),
                        np.array([length]), 1e6).sum())
        for s in (start, start + shift)
    ]
    assert whole[0] == whole[1] == round(1e6 * (v0 * length + (v1 - v0) * length * length / (2.0 * length)))


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=30))
def test_last_valid_looks_back_within_the_group_only(rows: list[tuple[int, bool]]) -> None:
    rows = sorted(rows, key=lambda r: r[0])
    group = np.array([g for g, _ in rows], np.int64)
    valid = np.array([v for _, v in rows], np.bool_)
    found = last_valid(valid, group_starts(group))
    for i, (g, _) in enumerate(rows):
        back = [j for j in range(i + 1) if rows[j] == (g, True)]
        assert found[i] == (back[-1] if back else -1)


@given(st.lists(st.one_of(st.integers(0, 3), st.sampled_from([65_535, 65_536, 65_537, 2**32 - 1]))))
def test_the_order_by_radix_is_the_stable_order(keys: list[int]) -> None:
    assert stable_order(np.array(keys, np.int64)).tolist() == sorted(range(len(keys)), key=keys.__getitem__)
