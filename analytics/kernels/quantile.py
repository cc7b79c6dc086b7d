"""Means of blocks of time, and low quantiles with the range in which they are sure."""

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


def quantile(values: Float64, q: float) -> float:
    """Return the q-quantile (0..1) of the values, interpolated between neighbours; NaN is left out, none gives NaN."""
    known = values[~np.isnan(values)]
    return float(np.quantile(known, q)) if len(known) else float("nan")


def quantile_range(values: Float64, q: float) -> tuple[float, float]:
    """Return the values between which the q-quantile of the population lies with about 95 %.

    Ranks n q -+ 1.96 sqrt(n q (1 - q)) of the sorted sample (normal form of the binomial), held inside the sample.
    The values must not be empty or NaN.
    """
    ordered = np.sort(values)
    n = len(ordered)
    half = 1.96 * np.sqrt(n * q * (1.0 - q))
    low = int(np.clip(np.floor(n * q - half), 0, n - 1))
    high = int(np.clip(np.ceil(n * q + half), 0, n - 1))
    return float(ordered[low]), float(ordered[high])


def block_means(time_ms: Int64, values: Float64, weight: Float64, block_ms: int) -> tuple[Int64, Float64, Float64]:
    """Return weighted means of blocks aligned to the epoch.

    Parameters
    ----------
    time_ms
        (n,) sorted.
    values
        (n,) NaN where missing.
    weight
        (n,) e.g. the time that a value covers; a value of weight 0 does not count.
    block_ms
        Length of a block.

    Returns
    -------
    start of each block that has a value (k,), mean (k,), sum of weights (k,).
    """
    use = ~np.isnan(values) & (weight > 0)
    if not use.any():
        none = np.empty(0)
        return np.empty(0, np.int64), none, none
    block = time_ms[use] - time_ms[use] % block_ms
    first = np.flatnonzero(np.r_[True, block[1:] != block[:-1]])
    total = np.add.reduceat(weight[use], first)
    return block[first], np.add.reduceat(values[use] * weight[use], first) / total, total
