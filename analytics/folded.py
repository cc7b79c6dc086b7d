"""What a fold is given of the devices, and what it returns: amounts per minute and run."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analytics.kernels.segments import begins
from store.buckets import combine_of
from telemetry.channels import Kind
from telemetry.times import HOUR_MS, MINUTE_MS

Int64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

GAUGE_SCALE = 1e6
"""Gauges are kept in 10^-6 of their unit."""
AMOUNT_SCALE = 1e9
"""Energies, volumes and hours are kept in 10^-9 of their unit."""
NEVER = np.iinfo(np.int64).max
MEASURED_MS = 6 * HOUR_MS
"""A reset is filled by the integral of power or flow only while that lies within this time."""
LARGEST_SESSION_KWH = 250
"""No session delivers more (Atlas validation)."""

METERED = {
    "energy_kwh": ("energy", "power_kw", AMOUNT_SCALE / HOUR_MS),
    "volume_m3": ("volume", "flow_m3_min", AMOUNT_SCALE / MINUTE_MS),
}
"""Register -> (column stem, gauge whose integral it is, amount units per gauge x ms)."""


@dataclass(slots=True)
class Devices:
    """What a fold must know of the devices and lanes of one kind, by device or lane index."""

    kind: Kind
    offline_after_ms: Int64
    hold: Mask
    """Whether a gauge keeps its value until the next one (`integration = "hold"`)."""
    rating: dict[str, NDArray[np.float64]]
    """Register -> largest amount per ms [10^-9 units]; NaN where no rating is known."""
    lane_device: Int64
    lane_place: Int64
    """Position of a lane among the lanes of its device."""
    lane_rank: Int64
    """Order of connectors by name: that of rows of a device with the same time and `seq`, whichever arrived first."""
    lane_named: Mask
    """Whether a lane is a connector; else it speaks for the whole device."""
    first_register_ms: dict[str, Int64]
    """Register -> (lanes,) time of its first value; `NEVER` where there is none."""
    current_v: NDArray[np.float64]
    """(devices,) voltage by which a current without one becomes power; NaN where power is never told from current."""
    phases: Int64
    """(devices,) over which a single current flows."""
    connectors: Int64
    """(devices,) that a port has."""
    texts: Sequence[str]
    """Texts by number; it may grow."""


@dataclass(slots=True)
class Folded:
    """Amounts of one fold, not yet added up: (key, column) may stand many times."""

    keys: list[Int64] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    amounts: list[Int64] = field(default_factory=list)
    extremes: list[tuple[str, Int64, Int64]] = field(default_factory=list)
    """(column, keys, values) of minima and maxima."""
    lasts: list[tuple[str, Int64, Int64, Int64]] = field(default_factory=list)
    """(gauge, keys, values, times), the last of each key at its end."""
    run_rows: list[Int64] = field(default_factory=list)
    run_columns: list[str] = field(default_factory=list)
    run_amounts: list[Int64] = field(default_factory=list)
    """Amounts of the run to which the given row of the table belongs."""

    def add(self, column: str, key: Int64, amount: Int64) -> None:
        """Add amounts to a column of the minutes named by `key`."""
        self.columns.append(column)
        self.keys.append(key)
        self.amounts.append(amount)

    def squeezed(self) -> "Folded":
        """Return the same amounts per minute with those added up that stand side by side, and none per run."""
        starts: dict[int, Int64] = {}

        def first(keys: Int64) -> Int64:
            """Return where each stretch of equal keys begins; most columns share their keys."""
            found = starts.get(id(keys))
            if found is None:
                found = starts[id(keys)] = np.flatnonzero(begins(keys))
            return found

        out = Folded(lasts=self.lasts)
        once: dict[int, Int64] = {}
        for column, keys, amounts in zip(self.columns, self.keys, self.amounts, strict=True):
            if len(keys):
                at = first(keys)
                out.add(column, once.setdefault(id(keys), keys[at]), np.add.reduceat(amounts, at))
        for column, keys, values in self.extremes:
            how = np.minimum if combine_of(column) == "min" else np.maximum
            at = first(keys)
            out.extremes.append((column, once.setdefault(id(keys), keys[at]), how.reduceat(values, at)))
        return out

    def add_run(self, column: str, row: Int64, amount: Int64) -> None:
        """Add amounts to the runs of the given rows."""
        self.run_columns.append(column)
        self.run_rows.append(row)
        self.run_amounts.append(amount)


def minute_key(device: Int64, minute: Int64) -> Int64:
    """Return one integer for a device and a minute; its order is that of (device, minute)."""
    return (device << 28) | minute
