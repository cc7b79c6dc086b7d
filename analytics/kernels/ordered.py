"""Ordered charging: the current of every port so that each limit holds, by least laxity, else by fair shares.

A limit is |sum of w_i x_i| <= L: x the currents, w complex weights. So a line of a three-phase network is a limit (the
weights are the phasors of what a port adds to it, as in ACN-Sim), and the total power too (real weights, kW per
ampere). Where no weight points away from another, less current than allotted breaks no limit either, whatever the
vehicles draw.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Complex128 = NDArray[np.complex128]
Int64 = NDArray[np.int64]

TOLERANCE = 1e-6
"""Of a limit, in its unit: what rounding may add."""
AT_ONCE = 256
"""Rises that are looked at together."""


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """k limits over n ports."""

    weight: Complex128
    """(k, n) what an ampere of each port adds to what is limited."""
    most: Float64
    """(k,) what may be used; where it is below 0 nothing is left for ports that add to it."""

    def used(self, current_a: Float64) -> Float64:
        """Return (k,) what currents (n,) add up to."""
        return np.asarray(np.abs(self.weight @ current_a))


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """What n ports may be given and how urgent each is."""

    rates_a: Sequence[Float64]
    """Of each port: the currents it can be set to, ascending, the first 0."""
    wanted_a: Float64
    """(n,) what its vehicle can take now; it is given no more than the next rate that covers it."""
    laxity_h: Float64
    """(n,) time that is left beyond what charging needs at full power; NaN: not known; infinite: has what it asked."""
    served_kwh: Float64
    """(n,) energy of the session: of two equal ports the one with less comes first."""


def laxity_h(left_h: Float64, missing_kwh: Float64, most_kw: Float64) -> Float64:
    """Return (departure - now) - missing / power [h]; infinite where nothing is missing, NaN where one is not known.

    Parameters
    ----------
    left_h
        (n,) until departure; a departure that has passed is not known any more.
    missing_kwh
        (n,) requested less delivered.
    most_kw
        (n,) most that the port can do; above 0.
    """
    found = np.where(left_h > 0, left_h - missing_kwh / most_kw, np.nan)
    return np.where(missing_kwh <= 0, np.inf, found)


def allot(limits: Limits, demand: Demand) -> Float64:
    """Return (n,) the current of each port [A]; none can be raised to its next rate (work-conserving).

    1. Ports whose laxity is not known get a fair share: what raising always the lowest of all ports gives them.
    2. What is left goes to the others in the order of their laxity, to each as much as fits.
    3. What is still left is shared fairly by the ports of 1. and by those that have what they asked for.
    """
    given = _Given(limits, demand)
    known = np.isfinite(demand.laxity_h)
    unknown = np.isnan(demand.laxity_h)
    urgent = np.flatnonzero(known)[np.lexsort((demand.served_kwh[known], demand.laxity_h[known]))]
    if unknown.any():
        given.raise_lowest(np.flatnonzero(known | unknown))
        given.take_back(urgent)
    for port in urgent.tolist():
        given.raise_to_most(port)
    given.raise_lowest(np.flatnonzero(unknown))
    given.raise_lowest(np.flatnonzero(~known))
    return given.current_a


class _Given:
    """Currents that hold all limits, on their way up."""

    def __init__(self, limits: Limits, demand: Demand) -> None:
        self._weight = limits.weight.T.copy()
        self._square = (self._weight * self._weight.conj()).real
        self._most_2 = np.where(limits.most < 0, -1.0, (limits.most + TOLERANCE) ** 2)
        self._rates = demand.rates_a
        self._rate = np.zeros((len(self._rates), max(map(len, self._rates), default=0)))
        for port, rates in enumerate(self._rates):
            self._rate[port, : len(rates)] = rates
        self._served = demand.served_kwh
        self._top = np.array([
            min(int(np.searchsorted(r, w)), len(r) - 1) for r, w in zip(self._rates, demand.wanted_a, strict=True)
        ], np.int64)
        self._level = np.zeros(len(self._rates), np.int64)
        self._sum = np.zeros(len(limits.most), np.complex128)
        self.current_a = np.zeros(len(self._rates))

    def take_back(self, ports: Int64) -> None:
        """Set ports to 0."""
        for port in ports.tolist():
            self._set(port, 0)

    def raise_to_most(self, port: int) -> None:
        """Give a port that has nothing the highest of its rates that fits."""
        fits = int(np.searchsorted(self._rates[port], self._room_a(port), side="right")) - 1
        self._set(port, min(max(fits, 0), int(self._top[port])))

    def raise_lowest(self, ports: Int64) -> None:
        """Raise the lowest port to its next rate, again and again, until none can be raised (max-min fair).

        A port that cannot be raised when it is the lowest is left as it is from there on. All steps stand in order
        beforehand; those that fit one after the other are taken at once, and so are ports that are left as they are.
        """
        port, level = self._steps(ports)
        while len(port):
            now = port[:AT_ONCE]
            rise = self._rate[now, level[: len(now)] + 1] - self._rate[now, level[: len(now)]]
            adds = self._weight[now] * rise[:, None]
            sums = np.cumsum(np.concatenate([self._sum[None], adds]), axis=0)[1:]
            fit = _leading(self._holds(sums, now))
            if fit:
                self._sum = sums[fit - 1]
                np.maximum.at(self._level, now[:fit], level[:fit] + 1)
                self.current_a[now[:fit]] = self._rate[now[:fit], self._level[now[:fit]]]
            left = _leading(~self._holds(self._sum + adds[fit:], now[fit:]))
            stay = np.ones(len(port), np.bool_)
            stay[:fit] = False
            stay &= ~np.isin(port, now[fit : fit + left])
            port, level = port[stay], level[stay]

    def _steps(self, ports: Int64) -> tuple[Int64, Int64]:
        """Return port and level of all rises, the lowest first; of two equal ones the port with less energy."""
        count = np.maximum(self._top[ports] - self._level[ports], 0)
        port = np.repeat(ports, count)
        level = self._level[port] + np.arange(len(port)) - np.repeat(np.cumsum(count) - count, count)
        order = np.lexsort((port, self._served[port], self._rate[port, level]))
        return port[order], level[order]

    def _holds(self, sums: Complex128, ports: Int64) -> NDArray[np.bool_]:
        """Return (m,) whether the limits that a port adds to hold at the sums (m, k) beside it."""
        held = (sums * sums.conj()).real <= self._most_2
        return np.asarray((held | (self._square[ports] == 0)).all(axis=1))

    def _set(self, port: int, level: int) -> None:
        rate = self._rate[port, level]
        self._sum = self._sum + self._weight[port] * (rate - self.current_a[port])
        self._level[port], self.current_a[port] = level, rate

    def _room_a(self, port: int) -> float:
        """Return by how much a port can be raised: where the first limit is met, |sum + t w|^2 = L^2."""
        on = self._square[port] > 0
        if not on.any():
            return np.inf
        weight, before, square = self._weight[port][on], self._sum[on], self._square[port][on]
        half = (before * weight.conj()).real / square
        rest = (self._most_2[on] - (before * before.conj()).real) / square
        if (rest < 0).any():
            return -1.0
        return float((np.sqrt(half**2 + rest) - half).min())


def _leading(mask: NDArray[np.bool_]) -> int:
    """Return how many cells are true before the first that is not."""
    return len(mask) if mask.all() else int(mask.argmin())
