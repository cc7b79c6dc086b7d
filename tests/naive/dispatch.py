"""Dispatch by trying everything: every set of machines, every split in steps of one unit of flow."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

Machine = Sequence[float]
"""Power at flow 0, 1, 2, ...; the last is its capacity."""


@dataclass(frozen=True)
class Bounds:
    """What a set of machines must keep besides the demand."""

    must_run: Sequence[bool]
    must_stop: Sequence[bool]
    start_kw: Sequence[float]
    """What running a machine costs besides its power."""
    cover: float
    storage: float | None
    """Flow that replaces the largest machine for a while; None: nothing has to."""

    def hold(self, run: Sequence[bool], capacity: Sequence[int], demand: int) -> bool:
        able = [c for c, on in zip(capacity, run, strict=True) if on]
        lost = max(able, default=0)
        return (
            all(on or not must for on, must in zip(run, self.must_run, strict=True))
            and not any(on and must for on, must in zip(run, self.must_stop, strict=True))
            and sum(able) >= self.cover
            and (self.storage is None or sum(able) - lost + self.storage >= demand)
        )


def naive_dispatch(machines: Sequence[Machine], demand: int, bounds: Bounds | None = None) -> float | None:
    """Return the least cost of delivering the demand in whole units: power, and starts; None where nothing does."""
    best: float | None = None
    for run in product((False, True), repeat=len(machines)):
        if bounds is not None and not bounds.hold(run, [len(m) - 1 for m in machines], demand):
            continue
        chosen = [m for m, on in zip(machines, run, strict=True) if on]
        for flows in product(*(range(len(m)) for m in chosen)):
            if sum(flows) == demand:
                power = sum(m[q] for m, q in zip(chosen, flows, strict=True))
                if bounds is not None:
                    power += sum(kw for kw, on in zip(bounds.start_kw, run, strict=True) if on)
                best = power if best is None else min(best, power)
    return best
