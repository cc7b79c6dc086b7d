"""Points: rows of one measurement as columns, on their way to a series store."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NO_INT = int(np.iinfo(np.int64).min)
"""A missing value of an integer column."""

Column = NDArray[np.float64] | NDArray[np.int64] | tuple[str | None, ...]
"""float64 with NaN for missing; int64 with `NO_INT` for missing; or texts with None for missing."""


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """n points of one measurement.

    A point is identified by measurement, tags, `time_ms` and, where it is not -1, `seq`.
    """

    measurement: str
    tags: Mapping[str, tuple[str | None, ...]]
    """Tag -> n values; None where the point lacks the tag."""
    time_ms: NDArray[np.int64]
    seq: NDArray[np.int64]
    """-1 where absent."""
    fields: Mapping[str, Column]
    """Field -> n values; a missing value is left out of the store."""
    derived: bool = False
    """False: a raw reading (goes to the raw database)."""

    def __len__(self) -> int:
        return len(self.time_ms)
