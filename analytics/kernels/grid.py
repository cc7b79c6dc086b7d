"""Rows of (device, start) as sums per device and as dense tables (devices, times)."""

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


def sum_per_device(device: Int64, values: Int64, devices: int) -> Int64:
    """Return the exact sum of the values of each device.

    Parameters
    ----------
    device
        (n,) rising.
    values
        (n,)
    devices
        Number of devices.
    """
    total = np.concatenate((np.zeros(1, np.int64), np.cumsum(values)))
    edges = np.searchsorted(device, np.arange(devices + 1))
    return total[edges[1:]] - total[edges[:-1]]


def max_per_device(device: Int64, values: Float64, devices: int) -> Float64:
    """Return the largest value of each device; NaN values are left out, none gives NaN."""
    out = np.full(devices, -np.inf)
    use = ~np.isnan(values)
    np.maximum.at(out, device[use], values[use])
    return np.where(np.isneginf(out), np.nan, out)


def dense(row: Int64, time_ms: Int64, values: Int64, times_ms: Int64, rows: int, empty: int = 0) -> Int64:
    """Return values as a table, `empty` where a row has none.

    Parameters
    ----------
    row
        (n,) row of the table; -1 leaves the value out.
    time_ms
        (n,) each stands in `times_ms`.
    values
        (n,)
    times_ms
        (m,) sorted: the columns.
    rows
        Number of rows.
    """
    out = np.full((rows, len(times_ms)), empty, np.int64)
    use = row >= 0
    out[row[use], np.searchsorted(times_ms, time_ms[use])] = values[use]
    return out


def ratio(numerator: Int64 | Float64, denominator: Int64 | Float64, scale: float = 1.0) -> Float64:
    """Return numerator / denominator x scale, NaN where the denominator is 0."""
    out = np.full(np.shape(numerator), np.nan)
    np.divide(np.asarray(numerator, np.float64) * scale, denominator, out=out, where=np.asarray(denominator) != 0)
    return out
