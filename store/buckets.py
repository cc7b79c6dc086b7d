"""Minute buckets as columnar tables of integers, and their bytes in state.db.

Every column is a sum, a minimum, a maximum or a last value of one device in one minute (or of one hour, where hours
are asked for). Integers only: times in ms, energy in 10^-9 kWh, volume in 10^-9 m3, gauges in 10^-6 of their unit,
so that sums do not depend on the order or the batches in which readings came.

Column names
------------
`heard_ms`                        time in which the device was heard from (not offline)
`{state}_ms`                      time in a state, e.g. `Charging_ms`, `loaded_ms`; names of `telemetry.channels`
`in_charge_ms`                    port: time that counts as charging (status Charging, or by power)
`energy_n`, `energy_ms`           accounted energy [10^-9 kWh] and the time it covers
`energy_estimated_n`              the part of `energy_n` spread over an offline gap
`energy_resets`, `volume_resets`  resets of the register, in the minute of the value that decided them;
                                  `energy_glitches`, `volume_glitches`: falls that came back
`energy_session_resets`           port: those of them at which a session began or ended, from a value that one session
                                  can reach (250 kWh): the register is taken as relative to the session
`energy_unloaded_n`               compressor: energy of intervals that began in unloaded, loading or unloading
`volume_n`, `volume_ms`, `volume_estimated_n`   as energy, in 10^-9 m3
`lock_failures`                   port: how often a connector began to report a failure of its lock
`{register}_n`, `_ms`             other registers (`dc_energy_kwh`, `running_h`, `loaded_h`), in 10^-9 units
`{gauge}_i`, `{gauge}_ms`         integral of a gauge [10^-6 unit x ms] and the time it covers; mean = i / ms / 10^6
`{gauge}_min`, `_max`, `_last`    [10^-6 unit], `{gauge}_last_ms` time of the last value [ms]
`readings`                        readings whose time lies in the minute, presence 0 included
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from telemetry.times import HOUR_MS

Int64 = NDArray[np.int64]

MIN_EMPTY = np.iinfo(np.int64).max
"""Minimum of a minute without a value."""
MAX_EMPTY = np.iinfo(np.int64).min
"""Maximum and last value of a minute without a value."""


def combine_of(column: str) -> str:
    """Return how values of a column are combined: `sum`, `min`, `max`, or `last` (by its `_last_ms`)."""
    if column.endswith("_min"):
        return "min"
    if column.endswith(("_max", "_last_ms")):
        return "max"
    return "last" if column.endswith("_last") else "sum"


def empty_of(column: str) -> int:
    """Return the value of a column where a minute has nothing."""
    how = combine_of(column)
    return 0 if how == "sum" else MIN_EMPTY if how == "min" else MAX_EMPTY


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """Rows of one station and kind, sorted by device, then start; a (device, start) stands at most once."""

    devices: tuple[str, ...]
    """Device ids; `device` indexes them."""
    device: Int64
    """(n,)"""
    start_ms: Int64
    """(n,) start of the bucket."""
    width_ms: Int64
    """(n,) 60,000 for a minute, 3,600,000 for an hour."""
    columns: Mapping[str, Int64]
    """Column -> (n,); a column that no row has is absent."""

    def __len__(self) -> int:
        return len(self.device)

    def get(self, column: str) -> Int64:
        """Return a column; its empty value where it is absent."""
        found = self.columns.get(column)
        return np.full(len(self), empty_of(column), np.int64) if found is None else found

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> "Buckets":
        """Return the rows at `index` (positions in rising order, or a mask)."""
        return Buckets(
            self.devices, self.device[index], self.start_ms[index], self.width_ms[index],
            {name: values[index] for name, values in self.columns.items()},
        )

    def per_device(self, column: str) -> Int64:
        """Return the combined value of a sum, minimum or maximum column for each of `devices`."""
        out = np.full(len(self.devices), empty_of(column), np.int64)
        how = {"sum": np.add, "min": np.minimum, "max": np.maximum}[combine_of(column)]
        how.at(out, self.device, self.get(column))
        return out


def empty_buckets() -> Buckets:
    """Return a table without rows."""
    none = np.empty(0, np.int64)
    return Buckets((), none, none, none, {})


def join_buckets(parts: list[Buckets]) -> Buckets:
    """Stack tables of one station and kind whose (device, start) do not meet."""
    parts = [p for p in parts if len(p)]
    if not parts:
        return empty_buckets()
    names: dict[str, int] = {}
    for part in parts:
        for name in part.devices:
            names.setdefault(name, len(names))
    parts.sort(key=lambda p: int(p.start_ms.min()))
    columns = sorted({c for p in parts for c in p.columns})
    device = np.concatenate([np.array([names[d] for d in p.devices], np.int64)[p.device] for p in parts])
    start = np.concatenate([p.start_ms for p in parts])
    in_order = all(a.start_ms.max() < b.start_ms.min() for a, b in pairwise(parts))
    if in_order and len(names) <= np.iinfo(np.int16).max:
        # Hour after hour: a stable sort by device alone keeps the order of time, and of int16 it is a radix sort.
        order = np.argsort(device.astype(np.int16), kind="stable")
    else:
        order = np.lexsort((start, device))
    return Buckets(
        tuple(names), device[order], start[order], np.concatenate([p.width_ms for p in parts])[order],
        {c: np.concatenate([p.get(c) for p in parts])[order] for c in columns},
    )


def coarsen(minutes: Buckets, period_start: Int64, width_ms: Int64 | int) -> Buckets:
    """Combine rows whose device and period are the same.

    Parameters
    ----------
    minutes
        The finer table.
    period_start
        (n,) start of the period to which each row belongs [ms].
    width_ms
        Length of the periods, one or (n,).
    """
    if not len(minutes):
        return minutes
    order = np.lexsort((minutes.start_ms, period_start, minutes.device))
    device, start = minutes.device[order], period_start[order]
    first = np.flatnonzero(np.r_[True, (device[1:] != device[:-1]) | (start[1:] != start[:-1])])
    columns: dict[str, Int64] = {}
    for name, values in minutes.columns.items():
        v = values[order]
        how = combine_of(name)
        if how == "sum":
            columns[name] = np.add.reduceat(v, first)
        elif how == "min":
            columns[name] = np.minimum.reduceat(v, first)
        elif how == "max":
            columns[name] = np.maximum.reduceat(v, first)
        else:
            # Rows are in order of time, so the last value is that of the last row that has one.
            has = np.where(v != MAX_EMPTY, np.arange(len(v)), -1)
            at = np.maximum.reduceat(has, first)
            columns[name] = np.where(at >= 0, v[at], MAX_EMPTY)
    widths = np.broadcast_to(np.asarray(width_ms, np.int64), (len(minutes),))[order][first]
    return Buckets(minutes.devices, device[first], start[first], widths.copy(), columns)


def hours_of(minutes: Buckets) -> Buckets:
    """Combine minutes into hours."""
    return coarsen(minutes, minutes.start_ms - minutes.start_ms % HOUR_MS, HOUR_MS)


def encode_buckets(buckets: Buckets) -> bytes:
    """Return the bytes of a table: each column as little-endian int64, compressed by itself."""
    names = [n for n, v in buckets.columns.items() if (v != empty_of(n)).any()]
    packed = [
        zlib.compress(a.astype("<i8").tobytes(), 1)
        for a in (buckets.device, buckets.start_ms, buckets.width_ms, *(buckets.columns[n] for n in names))
    ]
    return msgspec.msgpack.encode([buckets.devices, names, packed])


def decode_buckets(data: bytes, wanted: Callable[[str], bool] = lambda _: True) -> Buckets:
    """Return the table that `encode_buckets` wrote, with the wanted columns only."""
    devices, names, packed = msgspec.msgpack.decode(data)
    device, start, width = (np.frombuffer(zlib.decompress(p), "<i8") for p in packed[:3])
    return Buckets(
        tuple(devices), device, start, width,
        {
            name: np.frombuffer(zlib.decompress(p), "<i8")
            for name, p in zip(names, packed[3:], strict=True) if wanted(name)
        },
    )
