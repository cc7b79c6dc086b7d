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


def silent_flow(
    late: Sequence[Sequence[float]], night: Sequence[Sequence[float]], weekday: Sequence[int]
) -> list[float]:
    out = [0.0] * len(weekday)
    for half_days, nights in zip(late, night, strict=True):
        known = [v for v in half_days if not math.isnan(v)]
        silent = [bool(known) and max(known) > 0 and v <= 0.01 * max(known) for v in half_days]
        for n in range(1, len(weekday)):
            before = [i for i in range(n) if not silent[i] and not math.isnan(nights[i])]
            alike = [i for i in before if weekday[i] == weekday[n]]
            if silent[n] and before:
                out[n] += max(nights[i] for i in alike or before)
    return out


def lower_quartile(values: Sequence[float]) -> float:
    ordered = sorted(values)
    at = 0.25 * (len(ordered) - 1)
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def weekly_growth(
    hours: Sequence[Sequence[float]], floor: float, share: float, sigmas: float, least: float
) -> list[tuple[float, float, bool, int]]:
    """(growth, error, told, days compared before) of each day."""
    out: list[tuple[float, float, bool, int]] = []
    examples: list[float] = []
    for day, flows in enumerate(hours):
        excess, usual = [], []
        for hour, flow in enumerate(flows):
            earlier = [hours[d][hour] for d in range(day - 7, -1, -7) if not out[d][2]]
            earlier = [v for v in earlier if not math.isnan(v)]
            if earlier and not math.isnan(flow):
                usual.append(statistics.median_high(earlier))
                excess.append(flow - usual[-1])
        if len(excess) < 18:
            out.append((math.nan, math.nan, False, 0))
            continue
        low, count = lower_quartile(excess), len(examples)
        if count < 3:
            out.append((math.nan, math.nan, False, count))
            examples.append(low)
            continue
        middle, error = level_of(examples, max(floor, share * lower_quartile(usual)))
        growth = low - max(middle, 0.0)
        told = growth > max(sigmas * error, least)
        out.append((growth, error, told, count))
        if not told:
            examples.append(low)
    return out


def free_nights(values: Sequence[float], weekday: Sequence[int]) -> tuple[list[bool], float]:
    def spread(some: Sequence[float]) -> float:
        return math.fsum(abs(v - statistics.median(some)) for v in some)

    found, less, best = [False] * len(weekday), 0.0, spread(values) if values else 0.0
    for first, second in ((5, 6), (6, 0)):
        free = [d in {first, second} for d in weekday]
        rest = [v for v, f in zip(values, free, strict=False) if f]
        work = [v for v, f in zip(values, free, strict=False) if not f]
        if len(rest) < 2 or len(work) < 2:
            continue
        offset = statistics.median(work) - statistics.median(rest)
        evened = spread([v + offset * f for v, f in zip(values, free, strict=False)])
        if evened < best:
            found, less, best = free, offset, evened
    return found, less
