"""Registers: differences, glitches and resets of many lanes at once against one walk per lane."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.kernels.registers import Verdict, register_intervals
from analytics.kernels.segments import group_starts

Found = list[tuple[int, int, int, str, int]]


def walk(values: list[int]) -> Found:
    """The rule in plain words: see the contract, "Energy and volume"."""
    out: Found = []
    base, at = 0, 1
    while at < len(values):
        if values[at] >= values[base]:
            out.append((base, at, values[at] - values[base], "COUNTED", at))
            base, at = at, at + 1
            continue
        later = list(range(at + 1, at + 4))
        back = next((k for k in later if k < len(values) and values[k] >= values[base]), None)
        if back is not None:
            out.append((base, back, values[back] - values[base], "COUNTED", back))
            base, at = back, back + 1
        elif later[-1] < len(values):
            out.append((base, at, values[at], "RESET", at + 3))
            base, at = at, at + 1
        else:
            break
    return out


@given(st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=14), min_size=1, max_size=4))
def test_many_lanes_equal_a_walk_of_each(lanes: list[list[int]]) -> None:
    values = np.array([v for lane in lanes for v in lane], np.int64)
    lane = np.repeat(np.arange(len(lanes)), [len(x) for x in lanes])
    found = register_intervals(values, group_starts(lane))
    wanted: Found = []
    first = 0
    for each in lanes:
        wanted += [(first + a, first + b, n, v, first + d) for a, b, n, v, d in walk(each)]
        first += len(each)
    got = zip(found.start.tolist(), found.end.tolist(), found.amount.tolist(),
              [Verdict(v).name for v in found.verdict], found.decided.tolist(), strict=True)
    assert sorted(got) == sorted(wanted)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([5, 7, 0, 8], [(0, 1, 2, "COUNTED", 1), (1, 3, 1, "COUNTED", 3)]),  # a glitch of one value
        ([5, 0, 0, 0, 5], [(0, 4, 0, "COUNTED", 4)]),  # back with the third value after the fall
        ([5, 0, 1, 2], []),  # open: only two have come after the fall
        ([5, 1, 2, 3, 4], [(0, 1, 1, "RESET", 4), (1, 2, 1, "COUNTED", 2), (2, 3, 1, "COUNTED", 3),
                           (3, 4, 1, "COUNTED", 4)]),
    ],
)
def test_falls(values: list[int], wanted: Found) -> None:
    found = register_intervals(np.array(values, np.int64), np.zeros(len(values), np.int64))
    got = zip(found.start.tolist(), found.end.tolist(), found.amount.tolist(),
              [Verdict(v).name for v in found.verdict], found.decided.tolist(), strict=True)
    assert sorted(got) == wanted
