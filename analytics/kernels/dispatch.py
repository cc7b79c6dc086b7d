"""The machine combination and load split of least power for a demand, exact over all subsets.

Each machine is a convex, piecewise linear curve of power over flow from 0 (running, delivers nothing) to its capacity.
For a set of machines the least power is then reached by filling segments in the order of their slopes (equal
incremental power), and all 2^n sets are looked through at once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

MOST_MACHINES = 12
"""4,096 subsets; more would need a search."""


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Power over flow of n machines."""

    idle_kw: Float64
    """(n,) power of a machine that runs and delivers nothing."""
    width_m3_min: Float64
    """(n, k) flow of each segment, from 0 on; 0 for segments that a machine lacks."""
    slope_kw: Float64
    """(n, k) power per flow in each segment [kW/(m3/min)], not falling along a row."""

    @property
    def capacity_m3_min(self) -> Float64:
        """(n,) most that each machine delivers."""
        return np.asarray(self.width_m3_min.sum(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """A set of machines and its split."""

    run: Bools
    """(n,)"""
    flow_m3_min: Float64
    """(n,) 0 where a machine does not run."""
    power_kw: Float64
    """(n,)"""

    @property
    def total_kw(self) -> float:
        """Power of all machines."""
        return float(self.power_kw.sum())


def best_choice(
    curves: Curves, demand_m3_min: float, *, cover_m3_min: float = 0.0, storage_m3_min: float | None = None,
    must_run: Bools | None = None, must_stop: Bools | None = None, start_kw: Float64 | None = None,
) -> Choice | None:
    """Return the set and split of least power; None where no set reaches the demand.

    Parameters
    ----------
    curves
        At most `MOST_MACHINES` machines.
    demand_m3_min
        Flow to be delivered.
    cover_m3_min
        Forecast demand: the set's capacity must reach it too.
    storage_m3_min
        Flow that the receivers can give until another machine has started. Given, the set must reach the demand
        without its largest machine by its capacity and this flow (N-1); None: no spinning reserve.
    must_run, must_stop
        (n,) machines whose minimum run or stop time is not over, or that are not available.
    start_kw
        (n,) what running a machine costs besides: the energy of its start over its minimum run time.

    Raises
    ------
    ValueError
        If there are too many machines.
    """
    n = len(curves.idle_kw)
    if n > MOST_MACHINES:
        msg = f"{n} machines are more than {MOST_MACHINES}; split the station"
        raise ValueError(msg)
    sets = (np.arange(1 << n)[:, None] >> np.arange(n) & 1).astype(np.bool_)
    if must_run is not None:
        sets = sets[(sets | ~must_run).all(axis=1)]
    if must_stop is not None:
        sets = sets[~(sets & must_stop).any(axis=1)]
    able = sets * curves.capacity_m3_min
    reach = able.sum(axis=1)
    enough = reach + 1e-9 >= max(demand_m3_min, cover_m3_min)
    if storage_m3_min is not None:
        enough &= reach - able.max(axis=1, initial=0.0) + storage_m3_min + 1e-9 >= demand_m3_min
    sets = sets[enough]
    if not len(sets):
        return None
    cost = sets @ (curves.idle_kw + (0.0 if start_kw is None else start_kw)) + _split(curves, sets, demand_m3_min)[1]
    run = sets[np.argmin(cost)]
    return choice_of(curves, run, demand_m3_min)


def choice_of(curves: Curves, run: Bools, demand_m3_min: float) -> Choice:
    """Return the split of least power for a given set; what exceeds its capacity is not delivered."""
    filled, _ = _split(curves, run[None, :], demand_m3_min)
    power = np.where(run, curves.idle_kw, 0.0) + (filled[0] * curves.slope_kw).sum(axis=1)
    return Choice(run, filled[0].sum(axis=1), power)


def _split(curves: Curves, sets: Bools, demand_m3_min: float) -> tuple[Float64, Float64]:
    """Return (sets, n, k) flow in each segment and (sets,) its power, segments filled in the order of their slopes."""
    shape = curves.width_m3_min.shape
    order = np.argsort(curves.slope_kw, axis=None, kind="stable")
    width = (sets[:, :, None] * curves.width_m3_min).reshape(len(sets), -1)[:, order]
    before = np.cumsum(width, axis=1) - width
    filled = np.clip(demand_m3_min - before, 0.0, width)
    power = filled @ curves.slope_kw.ravel()[order]
    back = np.empty_like(filled)
    back[:, order] = filled
    return back.reshape(len(sets), *shape), power


def greedy_choice(curves: Curves, demand_m3_min: float) -> Choice | None:
    """Return what the rule of thumb takes: the fewest machines, then the lowest full-load power; None: not enough."""
    n = len(curves.idle_kw)
    full_kw = curves.idle_kw + (curves.width_m3_min * curves.slope_kw).sum(axis=1)
    sets = (np.arange(1 << n)[:, None] >> np.arange(n) & 1).astype(np.bool_)
    sets = sets[sets @ curves.capacity_m3_min + 1e-9 >= demand_m3_min]
    if not len(sets):
        return None
    return choice_of(curves, sets[np.lexsort((sets @ full_kw, sets.sum(axis=1)))[0]], demand_m3_min)


def convex_slopes(slopes: Float64, widths: Float64) -> Float64:
    """Return the nearest slopes that do not fall and are not negative: neighbours that do are pooled (PAV).

    Parameters
    ----------
    slopes, widths
        (k,) of a curve's segments; widths weigh.
    """
    blocks: list[tuple[float, float, int]] = []
    for slope, width in zip(slopes.tolist(), widths.tolist(), strict=True):
        block = (slope, width, 1)
        while blocks and blocks[-1][0] > block[0]:
            value, weight, count = blocks.pop()
            total = weight + block[1]
            block = ((value * weight + block[0] * block[1]) / total, total, count + block[2])
        blocks.append(block)
    pooled = np.repeat(np.array([b[0] for b in blocks]), [b[2] for b in blocks])
    return np.asarray(np.maximum(pooled, 0.0))
