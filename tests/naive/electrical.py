"""Naive twins of the electrical kernels: plain loops."""

import cmath
import math
from collections.abc import Sequence


def naive_imbalance(lines: Sequence[float]) -> float:
    mean = sum(lines) / len(lines)
    return max(abs(x - mean) for x in lines) / mean if mean > 0 else math.nan


def naive_line_current(row: Sequence[float], loads: Sequence[float], angles: Sequence[float]) -> float:
    total = 0j
    for factor, amps, angle in zip(row, loads, angles, strict=True):
        total += factor * amps * cmath.exp(1j * math.radians(angle))
    return abs(total)


def naive_demand(power: Sequence[float], width: int) -> list[float]:
    out = []
    for i in range(len(power)):
        last = power[i - width + 1 : i + 1] if i >= width - 1 else []
        out.append(math.nan if not last or any(math.isnan(x) for x in last) else sum(last) / width)
    return out


def naive_power(
    current: float, lines: Sequence[float], volts: float, line_volts: Sequence[float], nominal: float, phases: int
) -> float:
    known = [v for v in line_volts if not math.isnan(v)]
    if any(not math.isnan(a) for a in lines):
        total = 0.0
        for amps, v in zip(lines, line_volts, strict=True):
            if not math.isnan(amps):
                total += amps * (v if not math.isnan(v) else volts if not math.isnan(volts) else nominal)
        return total / 1000
    mean = sum(known) / len(known) if known else nominal
    return phases * current * (volts if not math.isnan(volts) else mean) / 1000
