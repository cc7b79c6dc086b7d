"""Kernels of compressed air written out: one value, one minute, one machine after the other."""

import math
from collections.abc import Sequence
from itertools import combinations


def conversion(t1: float, p1: float, phi1: float, t2: float, p2: float, phi2: float) -> float:
    """Take the water out of 1 m3, cool or warm what is left, press it to the dry air's pressure of the other state."""
    dry1_pa, dry2_pa = (1e5 * p - phi * 610.94 * math.exp(17.625 * t / (t + 243.04))
                        for t, p, phi in ((t1, p1, phi1), (t2, p2, phi2)))
    moles = dry1_pa * 1.0 / (8.314462618 * (t1 + 273.15))
    return moles * 8.314462618 * (t2 + 273.15) / dry2_pa


def isothermal_kwh_per_m3(gauge_bar: float, steps: int = 20_000) -> float:
    """The work of pressing 1 m3 together at constant temperature, slice by slice: the integral of V dp."""
    p1, work = 101_325.0, 0.0
    step = gauge_bar * 1e5 / steps
    for i in range(steps):
        work += p1 / (p1 + (i + 0.5) * step) * step
    return work / 3.6e6


def baseline(rows: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    """Return (base, per m3, per bar) from the normal equations of (energy, volume, pressure), by Cramer's rule."""
    mean = math.fsum(p for _, _, p in rows) / len(rows)
    table = [(1.0, v, p - mean) for _, v, p in rows]
    left = [[math.fsum(r[i] * r[j] for r in table) for j in range(3)] for i in range(3)]
    right = [math.fsum(r[i] * e for r, (e, _, _) in zip(table, rows, strict=True)) for i in range(3)]

    def det(m: Sequence[Sequence[float]]) -> float:
        (a, b, c), (d, e, f), (g, h, i) = m
        return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)

    whole = det(left)
    found = [det([[right[r] if c == k else left[r][c] for c in range(3)] for r in range(3)]) / whole for k in range(3)]
    return found[0], found[1], found[2]


def idle_falls(delivers: Sequence[bool], known: Sequence[bool], bar: Sequence[float]) -> list[tuple[int, float]]:
    found, begin = [], None
    for i in range(len(bar)):
        if known[i] and not delivers[i]:
            if begin is None:
                begin = i
            continue
        whole = begin is not None and begin > 0 and known[begin - 1] and known[i]
        if begin is not None and whole and i - begin >= 4:
            fall = (bar[begin + 1] - bar[i - 1]) / (i - begin - 2)
            if not math.isnan(fall):
                found.append((i, fall))
        begin = None
    return found


def pooled(slopes: Sequence[float], widths: Sequence[float]) -> list[float]:
    """Isotonic regression by its formula: over beginnings the largest, over ends the smallest of the weighted means."""
    def mean(a: int, b: int) -> float:
        return math.fsum(s * w for s, w in zip(slopes[a:b], widths[a:b], strict=True)) / math.fsum(widths[a:b])

    n = len(slopes)
    return [max(0.0, *(min(mean(a, b) for b in range(i + 1, n + 1)) for a in range(i + 1))) for i in range(n)]


def fewest(capacity: Sequence[float], full_kw: Sequence[float], demand: float) -> tuple[int, float] | None:
    """Return how many machines the rule of thumb takes, and the full-load power of those."""
    for count in range(len(capacity) + 1):
        fit = [math.fsum(full_kw[i] for i in chosen) for chosen in combinations(range(len(capacity)), count)
               if math.fsum(capacity[i] for i in chosen) + 1e-9 >= demand]
        if fit:
            return count, min(fit)
    return None


def dense(
    rows: Sequence[tuple[int, int, int]], times: Sequence[int], devices: int, empty: int
) -> list[list[int]]:
    """Return (row, time, value) as a table."""
    table = [[empty] * len(times) for _ in range(devices)]
    for row, time, value in rows:
        if row >= 0:
            table[row][list(times).index(time)] = value
    return table
