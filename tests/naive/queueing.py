"""Queues by exact sums, and by playing arrivals out one by one."""

import heapq
import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from math import factorial


def naive_erlang_b(ports: int, load: Fraction) -> Fraction:
    """Return a^c / c! over the sum of a^k / k!."""
    terms = [load**k / factorial(k) for k in range(ports + 1)]
    return terms[-1] / sum(terms)


def naive_erlang_c(ports: int, load: Fraction) -> Fraction:
    """Return the share that waits, by the sum over all states of M/M/c."""
    full = load**ports / factorial(ports) * ports / (ports - load)
    return full / (sum(load**k / factorial(k) for k in range(ports)) + full)


def naive_load(rate: Sequence[float], stays: Sequence[float], slot: float, at: float, grid: int = 40) -> float:
    """Return m(at): the rate integrated over the last stay, averaged over the stays, on a fine grid."""
    week = len(rate) * slot
    total = 0.0
    for stay in stays:
        n = max(1, round(grid * stay / slot))
        step = stay / n
        total += sum(rate[int(((at - (i + 0.5) * step) % week) // slot)] * step for i in range(n))
    return total / len(stays)


def play(
    ports: int, rate: Callable[[float], float], most_rate: float, stays: Sequence[float], hours: float, seed: int,
    *, waits: bool = False,
) -> tuple[int, int, float]:
    """Play vehicles out one by one; return arrivals, those that found all ports taken, and their summed wait [h].

    Parameters
    ----------
    rate
        Arrivals per hour at a time [h], at most `most_rate`.
    waits
        False: who finds all ports taken leaves.
    """
    chance = random.Random(seed)  # noqa: S311 - a simulation
    busy: list[float] = []
    now, arrivals, found_full, waited = 0.0, 0, 0, 0.0
    while True:
        now += chance.expovariate(most_rate)
        if now >= hours:
            return arrivals, found_full, waited
        if chance.random() * most_rate >= rate(now):
            continue
        arrivals += 1
        if not waits:
            while busy and busy[0] <= now:
                heapq.heappop(busy)
        start = now
        if len(busy) >= ports:
            free = busy[0]
            if free > now:
                found_full += 1
                if not waits:
                    continue
                waited += free - now
                start = free
            heapq.heappop(busy)
        heapq.heappush(busy, start + chance.choice(stays))
