"""The course of charging: what stays get when the current of every port is set anew in each step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.kernels.ordered import Complex128, Demand, Float64, Int64, Limits, allot, laxity_h

Bools = NDArray[np.bool_]

DONE_KWH = 1e-3
"""A stay that misses no more is not served any more."""


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """n ports and the k limits that they share."""

    rates_a: Sequence[Float64]
    """Of each port: the currents it can be set to, ascending, the first 0."""
    kw_per_a: Float64
    """(n,) power of an ampere."""
    weight: Complex128
    """(k, n) what an ampere of each port adds to what is limited."""

    @property
    def most_kw(self) -> Float64:
        """(n,) most that each port can do."""
        return np.array([r[-1] for r in self.rates_a]) * self.kw_per_a


@dataclass(frozen=True, slots=True, eq=False)
class Stays:
    """m stays of vehicles, at most one at a port in any step."""

    port: Int64
    """(m,)"""
    first: Int64
    """(m,) step in which it begins."""
    end: Int64
    """(m,) step before which it ends."""
    missing_kwh: Float64
    """(m,) energy that it takes if it can, from its first step on."""
    most_kw: Float64
    """(m,) most that the vehicle takes; above 0."""
    known: Bools
    """(m,) whether departure and request are known to who sets the currents."""


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What came of it."""

    current_a: Float64
    """(n, steps) what each port was set to."""
    power_kw: Float64
    """(n, steps) what was drawn."""
    missing_kwh: Float64
    """(m,) what each stay still misses when it ends."""
    curtailed: Int64
    """(m,) steps in which a stay got less than it would have taken."""


def follow(
    site: Site, most: Float64, stays: Stays, step_h: float, rule: Callable[[Limits, Demand], Float64] = allot,
    *, capped: bool = True,
) -> Course:
    """Return the course of charging over all steps.

    Parameters
    ----------
    most
        (k, steps) what may be used in each step.
    step_h
        Length of a step.
    rule
        Sets the currents of the ports that have an unfinished stay.
    capped
        Whether the rule knows what a vehicle can take; False: it takes every vehicle for as strong as its port.
    """
    steps = most.shape[1]
    current_a, power_kw = np.zeros((2, len(site.rates_a), steps))
    missing = stays.missing_kwh.astype(np.float64)
    served = np.zeros(len(missing))
    curtailed = np.zeros(len(missing), np.int64)
    port_kw = site.most_kw
    for step in range(steps):
        active = np.flatnonzero((stays.first <= step) & (step < stays.end) & (missing > DONE_KWH))
        if not len(active):
            continue
        port = stays.port[active]
        able_kw = np.minimum(np.minimum(stays.most_kw[active], port_kw[port]), missing[active] / step_h)
        left_h = np.where(stays.known[active], (stays.end[active] - step) * step_h, np.nan)
        demand = Demand(
            rates_a=[site.rates_a[p] for p in port],
            wanted_a=(able_kw if capped else port_kw[port]) / site.kw_per_a[port],
            laxity_h=laxity_h(left_h, missing[active], port_kw[port]),
            served_kwh=served[active],
        )
        set_a = rule(Limits(site.weight[:, port], most[:, step]), demand)
        drawn_kw = np.minimum(set_a * site.kw_per_a[port], able_kw)
        current_a[port, step], power_kw[port, step] = set_a, drawn_kw
        missing[active] -= drawn_kw * step_h
        served[active] += drawn_kw * step_h
        curtailed[active] += drawn_kw < able_kw - 1e-9
    return Course(current_a, power_kw, missing, curtailed)
