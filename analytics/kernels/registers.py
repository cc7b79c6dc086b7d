"""What a register has counted between its values: differences, glitches, resets."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]

LOOK_AHEAD = 3
"""A fall that is not back after this many further values is a reset."""


class Verdict(IntEnum):
    """How an interval of a register is counted."""

    COUNTED = 0
    """The difference of its two values."""
    RESET = 1
    """The register began anew: its amount must come from elsewhere."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Accounted intervals of registers; `start` and `end` are positions in the series given."""

    start: Int64
    end: Int64
    amount: Int64
    """Difference of the two values; for a reset the new value."""
    verdict: NDArray[np.int8]
    decided: Int64
    """Position of the value that decided the interval: its end, or the third value after a reset."""


def register_intervals(value: Int64, lane_start: Int64) -> Intervals:
    """Return the accounted intervals of many registers at once.

    A fall that is back at or above the old value within the next three values is a glitch: the fallen values are
    passed over. Otherwise it is a reset. While fewer than three have come, the fall is open and counts nothing.

    Parameters
    ----------
    value
        (n,) register values as integers; values of one lane are contiguous, in order of (time, seq).
    lane_start
        (n,) position of the first value of the lane.

    Notes
    -----
    Lanes without a fall are done by arrays; a lane with one is walked value by value from its first fall on.
    """
    n = len(value)
    position = np.arange(n)
    follows = position > lane_start
    difference = np.zeros(n, np.int64)
    difference[1:] = value[1:] - value[:-1]
    falls = np.flatnonzero(follows & (difference < 0))
    if not len(falls):
        end = np.flatnonzero(follows)
        return Intervals(end - 1, end, difference[end], np.zeros(len(end), np.int8), end)
    lanes = np.unique(lane_start[falls])
    walked = np.isin(lane_start, lanes)
    end = np.flatnonzero(follows & ~walked)
    parts: list[tuple[int, int, int, int, int]] = []
    bounds = np.append(np.unique(lane_start), n)
    for first in lanes:
        stop = int(bounds[np.searchsorted(bounds, first) + 1])
        parts += _walk(value, int(first), stop)
    w = np.array(parts, np.int64).reshape(-1, 5)
    return Intervals(
        np.concatenate([end - 1, w[:, 0]]),
        np.concatenate([end, w[:, 1]]),
        np.concatenate([difference[end], w[:, 2]]),
        np.concatenate([np.zeros(len(end), np.int8), w[:, 3].astype(np.int8)]),
        np.concatenate([end, w[:, 4]]),
    )


def _walk(value: Int64, first: int, stop: int) -> list[tuple[int, int, int, int, int]]:
    """Walk one lane; return (start, end, amount, verdict, decided) of each interval."""
    found: list[tuple[int, int, int, int, int]] = []
    base, at = first, first + 1
    while at < stop:
        if value[at] >= value[base]:
            found.append((base, at, int(value[at] - value[base]), Verdict.COUNTED, at))
            base, at = at, at + 1
            continue
        ahead = value[at + 1 : min(at + 1 + LOOK_AHEAD, stop)]
        back = np.flatnonzero(ahead >= value[base])
        if len(back):
            end = at + 1 + int(back[0])
            found.append((base, end, int(value[end] - value[base]), Verdict.COUNTED, end))
        elif len(ahead) < LOOK_AHEAD:
            break
        else:
            end = at
            found.append((base, at, int(value[at]), Verdict.RESET, at + LOOK_AHEAD))
        base, at = end, end + 1
    return found
