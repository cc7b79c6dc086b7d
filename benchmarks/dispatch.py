"""Dispatch: how long the exact optimum over all sets of machines takes, and what the rule of thumb wastes."""

import time
from collections.abc import Iterator

import numpy as np

from analytics.advice.curves import SEGMENTS, nameplate_kw
from analytics.kernels.dispatch import Curves, best_choice, greedy_choice

_CONTROLS = ("fixed", "vsd", "centrifugal")


def made_station(machines: int, chance: np.random.Generator) -> Curves:
    """Return machines of mixed size, control and quality."""
    full_kw = chance.choice([75.0, 90.0, 110.0, 132.0, 160.0, 200.0, 250.0], machines)
    capacity = full_kw / chance.uniform(5.5, 7.5, machines)
    tables = np.array([
        nameplate_kw(c, kw) for c, kw in zip(chance.choice(_CONTROLS, machines), full_kw, strict=True)
    ])
    width = np.repeat(capacity[:, None] / SEGMENTS, SEGMENTS, axis=1)
    return Curves(tables[:, 0], width, np.diff(tables, axis=1) / width)


def measure_dispatch(cases: int, seed: int) -> Iterator[tuple[str, str]]:
    """Yield what was measured, as text for people."""
    chance = np.random.default_rng(seed)
    for machines in (5, 10, 12):
        took_ms, wasted = [], []
        for _ in range(cases):
            curves = made_station(machines, chance)
            demand = float(chance.uniform(0.1, 0.95) * curves.capacity_m3_min.sum())
            began_s = time.process_time()
            best = best_choice(curves, demand, storage_m3_min=float(curves.capacity_m3_min.max()))
            took_ms.append(1_000 * (time.process_time() - began_s))
            rule = greedy_choice(curves, demand)
            assert best is not None
            assert rule is not None
            assert best.total_kw <= rule.total_kw + 1e-6
            wasted.append(rule.total_kw / best.total_kw - 1)
        yield f"{machines} machines", (
            f"{np.median(took_ms):.2f} ms of CPU (95 %: {np.quantile(took_ms, 0.95):.2f}); fewest machines: "
            f"{100 * np.mean(wasted):.1f} % more power, 95 %: {100 * np.quantile(wasted, 0.95):.1f} %"
        )
