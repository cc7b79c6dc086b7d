"""Plain loops that say what the kernels of key figures mean: sets of milliseconds, lists, no numpy."""

import math
from collections.abc import Iterable, Sequence

Intervals = Iterable[Sequence[int]]


def naive_time(intervals: Intervals) -> set[int]:
    """Return every millisecond that any of the intervals holds."""
    return {t for start, end in intervals for t in range(start, end)}


def naive_intervals(times: set[int]) -> list[list[int]]:
    """Return the sorted, disjoint intervals of a set of milliseconds."""
    found: list[list[int]] = []
    for t in sorted(times):
        if found and found[-1][1] == t:
            found[-1][1] = t + 1
        else:
            found.append([t, t + 1])
    return found


def naive_quantile(values: Sequence[float], q: float) -> float:
    known = sorted(v for v in values if not math.isnan(v))
    if not known:
        return math.nan
    at = q * (len(known) - 1)
    low = math.floor(at)
    high = min(low + 1, len(known) - 1)
    return known[low] + (at - low) * (known[high] - known[low])


def naive_block_means(
    times: Sequence[int], values: Sequence[float], weights: Sequence[float], block_ms: int
) -> list[tuple[int, float, float]]:
    sums: dict[int, list[float]] = {}
    for t, v, w in zip(times, values, weights, strict=True):
        if math.isnan(v) or w <= 0:
            continue
        entry = sums.setdefault(t // block_ms * block_ms, [0.0, 0.0])
        entry[0] += v * w
        entry[1] += w
    return [(start, total / weight, weight) for start, (total, weight) in sorted(sums.items())]


def naive_isentropic_kwh_per_m3(gauge_bar: float, steps: int = 20_000) -> float:
    """Integrate v dp along p v^1.4 = const from 1.01325 bar, starting with 1 m3 (midpoint rule)."""
    p1 = 1.01325
    dp = gauge_bar / steps
    work_bar_m3 = sum((p1 / (p1 + (i + 0.5) * dp)) ** (1 / 1.4) * dp for i in range(steps))
    return work_bar_m3 / 36.0


OCCUPIED = ("Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Occupied")

Tick = tuple[str, str] | None
"""State and session id of a port in one second; None: silent."""


def naive_hours(timeline: Sequence[Tick], keep: set[int]) -> dict[str, int]:
    """Return seconds per kind of time, over the seconds in `keep`."""
    out = dict.fromkeys(("available", "reserved", "occupied", "charging", "faulted", "unavailable", "offline"), 0)
    heard_before = False
    for second, tick in enumerate(timeline):
        heard_before = heard_before or tick is not None
        if second not in keep:
            continue
        if tick is None:
            out["offline"] += heard_before
        elif tick[0] in OCCUPIED:
            out["occupied"] += 1
            out["charging"] += tick[0] == "Charging"
        else:
            out[tick[0].lower()] += 1
    return out


def naive_congested(timelines: Sequence[Sequence[Tick]]) -> int:
    """Return the seconds in which all ports are occupied."""
    return sum(
        all(line[s] is not None and line[s][0] in OCCUPIED for line in timelines) for s in range(len(timelines[0]))
    )


def naive_sessions(timeline: Sequence[Tick]) -> list[dict[str, object]]:
    """Walk through the seconds of one port and cut its occupied time into sessions (start, end, charging seconds)."""
    sessions: list[dict[str, object]] = []
    now: dict[str, object] | None = None
    last: Tick = None
    for second, tick in enumerate(timeline):
        if tick is None:
            continue
        state, sent = tick
        silent = second > 0 and timeline[second - 1] is None
        if now is not None:
            other_id = bool(sent) and bool(now["id"]) and sent != now["id"]
            if state not in OCCUPIED or other_id or (silent and tick != last):
                now["end"] = now["heard"]
                now["after"] = state
                now = None
        if now is None and state in OCCUPIED:
            now = {"id": "", "start": second, "end": None, "after": None, "charging": 0, "idle": 0}
            sessions.append(now)
        if now is not None:
            now["id"] = now["id"] or sent
            now["heard"] = second + 1
            now["charging"] += state == "Charging"
            now["idle"] += state != "Charging"
        last = tick
    return sessions
