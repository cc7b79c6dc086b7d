"""The minutes of one kind of device as dense tables (devices, minutes), and signals made of such tables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.counted import shown
from analytics.detectors.signal import Float64, Int64, Signal
from analytics.kernels.grid import ratio
from analytics.window import Window
from store.buckets import Buckets, empty_buckets
from telemetry.registry import Device
from telemetry.times import HOUR_MS, MINUTE_MS

Bools = NDArray[np.bool_]

FULL_MS = 59_000
"""A state that held this long held for the whole minute, but for what rounds off at its ends."""


@dataclass(frozen=True, slots=True, eq=False)
class Minutes:
    """All minutes of a window, of every device of a kind that is listed or was seen."""

    window: Window
    kind: str
    devices: tuple[str, ...]
    rows: Buckets
    row: Int64
    """(n,) row of each bucket in the tables."""
    slot: Int64
    """(n,) column of each bucket."""

    @property
    def shape(self) -> tuple[int, int]:
        """(devices, minutes)."""
        return len(self.devices), (self.window.to_ms - self.window.from_ms) // MINUTE_MS

    def sums(self, column: str) -> Int64:
        """Return a sum column as a table, 0 where nothing is known."""
        out = np.zeros(self.shape, np.int64)
        values = self.rows.columns.get(column)
        if values is not None:
            out[self.row, self.slot] = values
        return out

    def mean(self, gauge: str) -> Float64:
        """Return the 1-minute means of a gauge as a table, NaN where it is not known."""
        return ratio(self.sums(f"{gauge}_i"), self.sums(f"{gauge}_ms")) / 1e6

    def power_kw(self) -> Float64:
        """Return the mean power: of the gauge, else of the register where that is not spread over a silence."""
        power = self.mean("power_kw")
        energy = ratio(self.sums("energy_n"), self.sums("energy_ms"), HOUR_MS / 1e9)
        return np.where(np.isnan(power), np.where(self.sums("energy_estimated_n") == 0, energy, np.nan), power)

    def settings(self) -> list[Device | None]:
        """Return what the registry says of each device."""
        listed = self.window.station.listed(self.kind)
        return [listed.get(name) for name in self.devices]

    def numbers(self, field: str) -> Float64:
        """Return a number of the registry for each device as a column (devices, 1), NaN where it is not given."""
        found = [getattr(device, field, None) for device in self.settings()]
        return np.array([np.nan if v is None else float(v) for v in found], np.float64).reshape(-1, 1)

    def signal(
        self, value: Float64, from_ms: int, explain: Callable[[int, int], Mapping[str, Any]],
        coverage: Float64 | None = None, *, silent: bool = False,
    ) -> Signal:
        """Return the signal of a table of values (devices, minutes), for the minutes that end after `from_ms`.

        Parameters
        ----------
        explain
            (row, column) of the table -> evidence.
        silent
            Whether the value is known while the device is silent; else it is unknown then.
        """
        if not silent:
            value = np.where(self.sums("heard_ms") > 0, value, np.nan)
        first = (from_ms - self.window.from_ms) // MINUTE_MS
        n, m = self.shape
        wide = m - first
        times = self.window.from_ms + MINUTE_MS * (np.arange(first, m) + 1)
        shares = np.ones((n, wide)) if coverage is None else coverage[:, first:]
        return Signal(
            self.kind, self.devices, np.repeat(np.arange(n), wide), np.tile(times, n), value[:, first:].ravel(),
            shares.ravel(), lambda i: explain(i // wide, first + i % wide),
        )


@lru_cache(2)
def minutes_of(window: Window, kind: str) -> Minutes:
    """Return the tables of a window; several detectors ask for those of the same one."""
    rows = window.minutes.get(kind, empty_buckets())
    devices = shown(window, kind)
    place = {name: i for i, name in enumerate(devices)}
    known = np.array([place.get(name, -1) for name in rows.devices], np.int64)
    row = known[rows.device] if len(rows) else np.empty(0, np.int64)
    if (row < 0).any():
        rows, row = rows.take(row >= 0), row[row >= 0]
    return Minutes(window, kind, tuple(devices), rows, row, (rows.start_ms - window.from_ms) // MINUTE_MS)


def streak(holds: Bools) -> Int64:
    """Return for each cell how many cells in a row hold up to it, along the last axis."""
    count = np.cumsum(holds, axis=-1)
    before = np.maximum.accumulate(np.where(holds, 0, count), axis=-1)
    return count - before


def rolled(values: NDArray[Any], width: int) -> NDArray[Any]:
    """Return the sum of the last `width` cells at each cell, along the last axis; fewer at the beginning."""
    sums = np.cumsum(values, axis=-1)
    out = sums.copy()
    if values.shape[-1] > width:
        out[..., width:] = sums[..., width:] - sums[..., :-width]
    return out


def number(value: float, digits: int = 6) -> float | None:
    """Return a number as evidence; None where it is unknown."""
    return None if np.isnan(value) else float(f"{value:.{digits}g}")
