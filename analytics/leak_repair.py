"""Whether a leak that somebody marked repaired is gone: what the next nights of its place say.

The mark itself proves nothing, nor does an alert that ends: after four weeks a leak is part of the learned level. A
night counts if it began after the mark. It is judged twice: by the rule that found the leak, as of that night, and
against the level before the leak. Where the two disagree (a night of the weekend at a customer, a dead meter) the night
says nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from analytics.leak_trend import growth_of
from analytics.nights import Nights

NIGHTS_NEEDED = 2
"""Quiet nights in a row that verify a repair, as many as end the alert."""
LEFT_SHARE = 0.5
"""What is left of a leak, of its size before, from which on it is still there; as in the rule."""

Verdict = Literal["verifying", "verified", "leaking"]


@dataclass(frozen=True, slots=True)
class RepairNights:
    """What the nights after a mark say."""

    state: Verdict
    ends_ms: tuple[int, ...]
    """Ends of the nights that the verdict stands on, oldest first; none while it is open."""
    leak_m3_min: float | None
    """What is left above the level before the leak, in the last of them; never below 0; None while it is open."""


def judge_repair(nights: Nights, marked_ms: int, level_m3_min: float, size_m3_min: float) -> RepairNights:
    """Return what a place's nights say about a repair.

    Parameters
    ----------
    nights
        Of the leak's place, up to now; some of before the mark among them.
    marked_ms
        When it was marked repaired; a night that had begun by then does not count.
    level_m3_min
        The level learned before the leak.
    size_m3_min
        The leak when it was marked.
    """
    told = [
        (int(nights.end_ms[i]), float(nights.base[i]) - level_m3_min, growth_of(nights, i + 1).leak_m3_min)
        for i in range(len(nights.base)) if nights.start_ms[i] >= marked_ms
    ]
    # A night that is not known is NaN in both, and so neither.
    held = [(end, left, left >= LEFT_SHARE * size_m3_min) for end, left, grown in told
            if (left >= LEFT_SHARE * size_m3_min and grown > 0) or (left < LEFT_SHARE * size_m3_min and grown == 0)]
    return _verdict(held)


def _verdict(held: Sequence[tuple[int, float, bool]]) -> RepairNights:
    """Return the verdict of nights that say something: (end, what is left, whether it is still a leak)."""
    if held and held[-1][2]:
        end, left, _ = held[-1]
        return RepairNights("leaking", (end,), left)
    last = held[-NIGHTS_NEEDED:]
    if len(last) == NIGHTS_NEEDED and not any(leaks for _, _, leaks in last):
        return RepairNights("verified", tuple(end for end, _, _ in last), max(last[-1][1], 0.0))
    return RepairNights("verifying", (), None)
