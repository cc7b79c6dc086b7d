"""CUSUM as it is defined, one value after the other."""

import math
from collections.abc import Sequence


def naive_cusum(deviations: Sequence[float], slack: float) -> list[float]:
    total, out = 0.0, []
    for z in deviations:
        if not math.isnan(z):
            total = max(0.0, total + z - slack)
        out.append(total)
    return out
