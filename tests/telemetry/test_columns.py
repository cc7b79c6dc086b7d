"""Columns that keep one value once are the columns that they stand for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from telemetry.columns import blank, is_blank, is_repeated, join, known, pick, repeated

NUMBERS = st.sampled_from([float("nan"), -1.0, 0.0, -0.0, 2.5])
CODES = st.integers(-1, 2)


@st.composite
def columns(draw: st.DrawFn, min_size: int = 0, kind: str | None = None) -> tuple[NDArray[np.generic], list[float]]:
    """Return a column, plain or repeated, and its cells."""
    kind = kind or draw(st.sampled_from(["f8", "i8"]))
    cells = NUMBERS if kind == "f8" else CODES
    if draw(st.booleans()):
        cell, n = draw(cells), draw(st.integers(min_size, 4))
        return repeated(np.array([cell], kind), n), [cell] * n
    plain = draw(st.lists(cells, min_size=min_size, max_size=4))
    return np.array(plain, kind), plain


def same(found: NDArray[np.generic], cells: list[float]) -> bool:
    """Compare bit by bit: NaN is NaN, and 0 is not -0."""
    return found.tobytes() == np.array(cells, found.dtype).tobytes()


@given(st.data())
def test_taking_and_joining(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["f8", "i8"]))
    parts = data.draw(st.lists(columns(min_size=1, kind=kind), min_size=1, max_size=3))
    assert same(join([c for c, _ in parts]), [x for _, cells in parts for x in cells])
    column, cells = parts[0]
    index = data.draw(st.lists(st.integers(0, len(cells) - 1), max_size=6))
    assert same(pick(column, np.array(index, np.int64)), [cells[i] for i in index])


@given(columns())
def test_what_is_known(made: tuple[NDArray[np.generic], list[float]]) -> None:
    column, cells = made
    there = [x == x and not (column.dtype.kind == "i" and x < 0) for x in cells]  # noqa: PLR0124 - NaN is not itself
    assert known(column).tolist() == there
    if is_blank(column):
        assert not any(there)


def test_a_blank_column_is_known_to_be_blank_and_is_never_written_into() -> None:
    column = blank(3, np.nan, np.float64)
    assert is_blank(column)
    assert is_repeated(join([column, blank(2, np.nan, np.float64)]))
    assert not is_blank(blank(3, -1, np.float64))  # a value: only codes below 0 are missing
    with pytest.raises(ValueError, match="read-only"):
        column[0] = 1.0
