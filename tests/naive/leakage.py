"""Leakage kernels written out, value by value."""

import math
import statistics
from collections.abc import Sequence


def whole_cycles(time_s: Sequence[float], loaded: Sequence[bool]) -> list[tuple[float, float]]:
    found = []
    cut_in = cut_out = None
    for i in range(1, len(time_s)):
        if loaded[i] and not loaded[i - 1]:
            if cut_in is not None and cut_out is not None:
                found.append((cut_out - cut_in, time_s[i] - cut_out))
            cut_in, cut_out = time_s[i], None
        elif loaded[i - 1] and not loaded[i] and cut_in is not None:
            cut_out = time_s[i]
    return found


def decay_rate(time_min: Sequence[float], gauge_bar: Sequence[float]) -> float:
    slope, _ = statistics.linear_regression(time_min, [math.log(p + 1.01325) for p in gauge_bar])
    return -slope


def cusum(values: Sequence[float], mean: float, sigma: float, slack: float) -> list[float]:
    out, total = [], 0.0
    for value in values:
        if not math.isnan(value):
            total = max(0.0, total + (value - mean) / sigma - slack)
        out.append(total)
    return out


def step_up(values: Sequence[float], least_before: int) -> int:
    def cost(part: Sequence[float]) -> float:
        middle = statistics.median(part)
        return math.fsum(abs(v - middle) for v in part)

    if not values:
        return 0
    splits = [(cost(values), len(values))]
    splits += [(cost(values[:k]) + cost(values[k:]), k) for k in range(least_before, len(values))]
    return min(splits, key=lambda s: s[0])[1]
