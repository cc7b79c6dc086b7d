"""What a detector is, and what it returns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from analytics.window import Window
from telemetry.registry import Station

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """A value over time for each device of a kind, sorted by device, then time; it stands until its next row."""

    kind: str
    """Kind of the devices; "" where the value is one of the whole station."""
    devices: tuple[str, ...]
    """Device ids; `device` indexes them; `("",)` for the whole station."""
    device: Int64
    """(n,)"""
    time_ms: Int64
    """(n,) end of the minute that the value describes."""
    value: Float64
    """(n,) in the unit of the rule; NaN: unknown."""
    coverage: Float64
    """(n,) known share of what the value is made of."""
    explain: Callable[[int], Mapping[str, Any]]
    """Row -> evidence, JSON values; asked only for rows that are told."""
    kinds: tuple[str, ...] = ()
    """Kind of each of `devices` where they differ; else all are of `kind`."""

    def evidence(self, row: int) -> dict[str, Any]:
        """Return the evidence of a row for JSON, which does not know numpy's numbers."""
        return {name: _plain(value) for name, value in self.explain(row).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


@dataclass(frozen=True, slots=True)
class Detector:
    """One thing that may be wrong."""

    find: Callable[[Window, int, int], Signal]
    """(window, from_ms, to_ms) -> rows whose time is in `(from_ms, to_ms]`. The window begins `lookback_ms` earlier."""
    lookback_ms: int
    """How much of the past a value is made of [ms]; whole minutes."""
    runs_ms: int = 0
    """How much of the past its runs must tell of, where that is more than `lookback_ms` [ms]."""
    columns: tuple[str, ...] = ()
    """The only sums that are needed, and no runs: a long `lookback_ms` is then cheap; empty: everything."""
    extremes: bool = False
    """Whether minima, maxima and last values of gauges are needed."""
    every: Literal["minute", "idle"] = "minute"
    """`idle`: once at the end of each idle window, for what is known by nights only; such a window may be long."""
    fits: Callable[[Station], bool] | None = None
    """Which stations it looks at, so that the others load no window for it; None: all."""
