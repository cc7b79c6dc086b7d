"""Dispatch by trying everything: every set of machines, every split in steps of one unit of flow."""

from collections.abc import Sequence
from itertools import product

Machine = Sequence[float]
"""Power at flow 0, 1, 2, ...; the last is its capacity."""


def naive_dispatch(machines: Sequence[Machine], demand: int) -> float | None:
    """Return the least power that delivers the demand in whole units, None where nothing does."""
    best: float | None = None
    for run in product((False, True), repeat=len(machines)):
        chosen = [m for m, on in zip(machines, run, strict=True) if on]
        for flows in product(*(range(len(m)) for m in chosen)):
            if sum(flows) == demand:
                power = sum(m[q] for m, q in zip(chosen, flows, strict=True))
                best = power if best is None else min(best, power)
    return best
