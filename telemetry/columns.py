"""Columns of n cells. One that is all one value keeps it once: such a column costs nothing to take, join or keep."""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
Column = TypeVar("Column", bound=NDArray[Any])


def repeated(cell: Column, n: int) -> Column:
    """Return a read-only column of n cells, all the same as the first of `cell`; it takes the room of one."""
    return np.ndarray((n,), cell.dtype, cell[:1].tobytes(), 0, (0,))  # type: ignore[return-value]


def is_repeated(column: NDArray[Any]) -> bool:
    """Return whether a column keeps one value for all its cells."""
    return column.strides == (0,) and len(column) > 0


def blank(n: int, missing: float, dtype: type[np.generic]) -> NDArray[Any]:
    """Return a column in which every cell is missing."""
    return repeated(np.array([missing], dtype), n)


def known(column: NDArray[Any]) -> NDArray[np.bool_]:
    """Return (n,) which cells are there: numbers that are not NaN, codes that are not negative."""
    if is_repeated(column):
        return repeated(known(column[:1].copy()), len(column))
    return ~np.isnan(column) if column.dtype.kind == "f" else column >= 0


def is_blank(column: NDArray[Any]) -> bool:
    """Return whether a column is known to have no cell, without looking at each."""
    return not len(column) or (is_repeated(column) and not known(column[:1])[0])


def pick(column: Column, index: Int64) -> Column:
    """Return the cells at positions."""
    if is_repeated(column):
        return repeated(column, len(index))
    return column.take(index)  # type: ignore[return-value]


def join(parts: Sequence[Column]) -> Column:
    """Return the cells of at least one column, none of them empty, one after the other."""
    first = parts[0]
    if is_repeated(first):
        cell = first[:1].tobytes()
        if all(is_repeated(p) and p[:1].tobytes() == cell for p in parts):
            return repeated(first, sum(map(len, parts)))
    return np.concatenate(parts)  # type: ignore[return-value]
