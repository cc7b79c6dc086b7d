"""Nights of one place as `analytics.nights` makes them, from given night values."""

from typing import Any

import numpy as np
from naive.windows import START_MS

from analytics.nights import Nights
from telemetry.times import DAY_MS

LEVEL = [2.0, 2.05, 1.95, 2.0, 2.02, 1.98, 2.0]


def nights_of(base: list[float], *, day: list[float] | None = None, flow: float = 30.0, **parts: Any) -> Nights:
    n = len(base)
    values = np.array(base, np.float64)
    start = START_MS + DAY_MS * np.arange(n)
    return Nights(**{
        "place": "network", "kind": "air_main", "device": "main", "start_ms": start, "end_ms": start + 5 * 3_600_000,
        "base": values, "spread": np.full(n, 0.05), "day": values if day is None else np.array(day, np.float64),
        "station_flow": np.full(n, flow), "metered": np.full(n, 4.0), "weekday": np.arange(n) % 7, "balance": True,
        "silent": np.zeros(n),
        **parts,
    })
