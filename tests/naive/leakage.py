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


def cycle_share(loaded: float, idle: float) -> float:
    return loaded / (loaded + idle)


def decay_flow(volume_m3: float, gauge_bar: float, rate_per_min: float) -> float:
    """The air that the receiver holds, in m3 at 1 bar, and the part of it that goes in a minute."""
    held = volume_m3 * (gauge_bar + 1.01325)
    return held * rate_per_min


def bleed_flow(volume: float, p1: float, p2: float, minutes: float, atmosphere: float) -> float:
    lost = volume * p1 / atmosphere - volume * p2 / atmosphere
    return lost / minutes * 5 / 4


def orifice_m3_min(diameter_mm: float, gauge_bar: float) -> float:
    """Density and speed of sound in the throat, times its area; m3 of 20 C and 1 bar."""
    inlet_pa, inlet_k, kappa, gas = (gauge_bar + 1.01325) * 1e5, 293.15, 1.4, 287.05
    throat_k = inlet_k * 2 / (kappa + 1)
    throat_pa = inlet_pa * (throat_k / inlet_k) ** (kappa / (kappa - 1))
    speed = math.sqrt(kappa * gas * throat_k)
    area = math.pi * (diameter_mm / 2000) ** 2
    return 0.65 * throat_pa / (gas * throat_k) * speed * area / (1e5 / (gas * 293.15)) * 60


def smallest_leak(flows: Sequence[float], accuracy: float) -> float:
    return 2 * math.hypot(*(accuracy * q for q in flows))


def level_of(values: Sequence[float], floor: float) -> tuple[float, float]:
    if not values:
        return math.nan, math.nan
    middle = statistics.median(values)
    return middle, max(floor, 1.4826 * statistics.median(abs(v - middle) for v in values))
