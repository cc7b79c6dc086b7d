"""Ordered charging by trying: every rate of a port from the highest down, every limit by plain sums."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class NaivePort:
    """One port as the twin sees it."""

    rates: Sequence[float]
    wanted: float
    laxity: float
    served: float
    weights: Sequence[complex]
    """Of each limit."""


def naive_used(ports: Sequence[NaivePort], current: Sequence[float], limit: int) -> float:
    """Return what currents add up to at one limit."""
    total = 0j
    for port, amps in zip(ports, current, strict=True):
        total += port.weights[limit] * amps
    return abs(total)


def naive_fits(ports: Sequence[NaivePort], current: Sequence[float], most: Sequence[float], which: int) -> bool:
    """Return whether the limits that a port adds to hold."""
    for limit, allowed in enumerate(most):
        if ports[which].weights[limit] == 0:
            continue
        if allowed < 0 or naive_used(ports, current, limit) > allowed + 1e-6:
            return False
    return True


def useful(port: NaivePort) -> list[float]:
    """Return the rates that make sense for what the vehicle can take: up to the first that covers it."""
    found: list[float] = []
    for rate in port.rates:
        found.append(rate)
        if rate >= port.wanted:
            break
    return found


def naive_share(ports: Sequence[NaivePort], current: list[float], most: Sequence[float], who: Sequence[int]) -> None:
    """Raise the lowest port by one rate until none can be raised."""
    stuck: set[int] = set()
    while len(stuck) < len(who):
        lowest = min((i for i in who if i not in stuck), key=lambda i: (current[i], ports[i].served, i))
        higher = [r for r in useful(ports[lowest]) if r > current[lowest]]
        before = current[lowest]
        if higher:
            current[lowest] = higher[0]
        if not higher or not naive_fits(ports, current, most, lowest):
            current[lowest] = before
            stuck.add(lowest)


def naive_allot(ports: Sequence[NaivePort], most: Sequence[float]) -> list[float]:
    """Return the current of each port."""
    current = [0.0] * len(ports)
    unknown = [i for i, p in enumerate(ports) if math.isnan(p.laxity)]
    known = [i for i, p in enumerate(ports) if math.isfinite(p.laxity)]
    done = [i for i, p in enumerate(ports) if math.isinf(p.laxity)]
    if unknown:
        naive_share(ports, current, most, [*unknown, *known])
        for i in known:
            current[i] = 0.0
    for i in sorted(known, key=lambda i: (ports[i].laxity, ports[i].served, i)):
        for rate in reversed(useful(ports[i])):
            current[i] = rate
            if rate == 0 or naive_fits(ports, current, most, i):
                break
    naive_share(ports, current, most, unknown)
    naive_share(ports, current, most, [*unknown, *done])
    return current
