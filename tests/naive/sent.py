"""What one device has sent, in order of time, and what the contract says of the time between: plain loops.

Shares nothing with the fold: no buckets, no kernels, no integers of 10^-9. Devices without connectors, times in ms.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from naive.readings import Reading

REORDER_MS = 15 * 60_000
BACKFILL_MS = 35 * 86_400_000
MEASURED_MS = 6 * 3_600_000
"""A reset that is decided later than this after it began is not filled from the gauge."""
MINUTE_MS = 60_000
HOUR_MS = 3_600_000

Interval = tuple[int, int]


@dataclass(frozen=True)
class Rules:
    """What stations.toml says of one device."""

    offline_after_ms: int
    rated_kw: float | None = None
    hold: bool = False
    """`integration = "hold"`."""
    commissioned_ms: int | None = None
    decommissioned_ms: int | None = None
    charge_point: str | None = None


@dataclass
class Row:
    """All readings of one identity, and what its device was after it."""

    time_ms: int
    values: dict[str, float] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    online: int | None = None
    state: str = ""
    in_charge: bool = False
    session: str = ""


@dataclass(frozen=True)
class Line:
    """A rate from one time to another: `v0` at the first, `v1` at the second, straight in between."""

    from_ms: int
    to_ms: int
    v0: float
    v1: float
    row: int
    """The reading with which it begins."""
    at_once: float = 0.0
    """What was counted where both times are the same."""

    def amount(self, from_ms: int, to_ms: int) -> float:
        """Return its integral over the part of it that lies in some time [unit x h]."""
        if self.from_ms == self.to_ms:
            return self.at_once if from_ms <= self.from_ms < to_ms else 0.0
        a, b = max(self.from_ms, from_ms), min(self.to_ms, to_ms)
        if a >= b:
            return 0.0
        slope = (self.v1 - self.v0) / (self.to_ms - self.from_ms)
        ends = [self.v0 + slope * (t - self.from_ms) for t in (a, b)]
        return sum(ends) / 2 * (b - a) / HOUR_MS

    @property
    def whole(self) -> float:
        """All of it [unit x h]."""
        return self.amount(self.from_ms, max(self.to_ms, self.from_ms + 1))


def accepted(readings: Iterable[Reading], offline_after_ms: int) -> list[Reading]:
    """Return what is not too late, of one device, in order of arrival."""
    newest: int | None = None
    gaps: list[Interval] = []
    found = []
    for one in readings:
        t = one["time_ms"]
        late = newest is not None and t < newest - REORDER_MS
        if late and not (newest is not None and t >= newest - BACKFILL_MS and any(a < t < b for a, b in gaps)):
            continue
        if newest is not None and t - newest > offline_after_ms:
            gaps.append((newest, t))
        newest = t if newest is None else max(newest, t)
        found.append(one)
    return found


class Device:
    """One device: its readings in order of time, when it was heard, and what its channels say in between."""

    def __init__(self, readings: Iterable[Reading], rules: Rules, now_ms: int) -> None:
        self.rules = rules
        merged: dict[tuple[int, int], Row] = {}
        for one in accepted(readings, rules.offline_after_ms):
            row = merged.setdefault((one["time_ms"], one["seq"]), Row(one["time_ms"]))
            row.values.update(one["values"])
            row.codes.update(one["codes"])
            row.online = row.online if one["online"] is None else one["online"]
        self.rows = [merged[key] for key in sorted(merged)]
        self.now_ms = now_ms

    def spans(self) -> list[tuple[int, int, Row]]:
        """Return the time in which it was heard, by the reading that it follows."""
        after = [*(r.time_ms for r in self.rows[1:]), max(self.rows[-1].time_ms, self.now_ms)]
        limit = self.rules.offline_after_ms
        return [
            (r.time_ms, r.time_ms if r.online == 0 else min(t, r.time_ms + limit), r)
            for r, t in zip(self.rows, after, strict=True)
        ]

    def gauge(self, channel: str) -> list[Line]:
        """Return a gauge between its values, where they are close enough."""
        known = [(r.time_ms, r.values[channel], i) for i, r in enumerate(self.rows) if channel in r.values]
        return [
            Line(t0, t1, v0, v0 if self.rules.hold else v1, i)
            for (t0, v0, i), (t1, v1, _) in pairwise(known) if 0 < t1 - t0 <= self.rules.offline_after_ms
        ]

    def register(self, channel: str, measured_by: str = "") -> list[Line]:
        """Return what a register counted, or before its first value (without one: altogether) what its gauge tells.

        One that no gauge stands for counts nothing where it began anew.
        """
        levels = [(r.time_ms, r.values[channel], i) for i, r in enumerate(self.rows) if channel in r.values]
        lines = self.gauge(measured_by) if measured_by else []
        found = [cut for line in lines for cut in _until(line, levels[0][0] if levels else None)]
        base, k = 0, 1
        while k < len(levels):
            t0, old, i = levels[base]
            back = next((j for j in range(k, min(k + 4, len(levels))) if levels[j][1] >= old), None)
            if back is not None:
                found.append(_even(t0, levels[back][0], levels[back][1] - old, i))
                base, k = back, back + 1
            elif k + 3 >= len(levels):
                break
            else:
                t1, new, _ = levels[k]
                most = 1.1 * (self.rules.rated_kw or 0.0) * (t1 - t0) / HOUR_MS if measured_by else 0.0
                measured = levels[k + 3][0] - t0 <= MEASURED_MS and _covered(lines, t0, t1)
                found.append(_even(t0, t1, _measured(lines, t0, t1) if measured else new if new <= most else 0.0, i))
                base, k = k, k + 1
        return found


def _until(line: Line, end_ms: int | None) -> list[Line]:
    if end_ms is None or line.to_ms <= end_ms:
        return [line]
    if line.from_ms >= end_ms:
        return []
    v1 = line.v0 + (line.v1 - line.v0) * (end_ms - line.from_ms) / (line.to_ms - line.from_ms)
    return [Line(line.from_ms, end_ms, line.v0, v1, line.row)]


def _even(from_ms: int, to_ms: int, amount: float, row: int) -> Line:
    rate = amount * HOUR_MS / (to_ms - from_ms) if to_ms > from_ms else 0.0
    return Line(from_ms, to_ms, rate, rate, row, amount)


def _covered(lines: Sequence[Line], from_ms: int, to_ms: int) -> bool:
    return to_ms > from_ms and clip([(x.from_ms, x.to_ms) for x in lines], [(from_ms, to_ms)]) == to_ms - from_ms


def _measured(lines: Sequence[Line], from_ms: int, to_ms: int) -> float:
    return sum(x.amount(from_ms, to_ms) for x in lines)


def minute_sums(lines: Iterable[Line], from_ms: int, to_ms: int) -> dict[int, tuple[float, float]]:
    """Return of each minute in which a rate is known its integral and for how long it is known [h]."""
    lines = list(lines)
    sums: dict[int, tuple[float, float]] = {}
    for line in (x for x in lines if x.to_ms > x.from_ms):
        for minute in range(max(line.from_ms, from_ms) // MINUTE_MS * MINUTE_MS, min(line.to_ms, to_ms), MINUTE_MS):
            amount, hours = sums.get(minute, (0.0, 0.0))
            known = clip([(line.from_ms, line.to_ms)], [(minute, minute + MINUTE_MS)])
            sums[minute] = amount + line.amount(minute, minute + MINUTE_MS), hours + known / HOUR_MS
    # What a register counted within one moment belongs to its minute too.
    for line in lines:
        minute = line.from_ms // MINUTE_MS * MINUTE_MS
        if line.from_ms == line.to_ms and minute in sums:
            sums[minute] = sums[minute][0] + line.at_once, sums[minute][1]
    return sums


def minute_means(lines: Iterable[Line], from_ms: int, to_ms: int) -> dict[int, float]:
    """Return the mean of each minute over the part of it in which the rate is known."""
    return {minute: amount / hours for minute, (amount, hours) in minute_sums(lines, from_ms, to_ms).items()}


def clip(intervals: Iterable[Interval], keep: Iterable[Interval]) -> int:
    """Return how much of some (disjoint) time lies in other (disjoint) time."""
    kept = list(keep)
    return sum(max(0, min(b, d) - max(a, c)) for a, b in intervals for c, d in kept)


def length(intervals: Iterable[Interval]) -> int:
    """Return the length of some (disjoint) time."""
    return sum(b - a for a, b in intervals)


def common(intervals: Iterable[Interval], keep: Iterable[Interval]) -> list[Interval]:
    """Return the time that lies in both."""
    kept = list(keep)
    return joined(p for a, b in intervals for c, d in kept if (p := (max(a, c), min(b, d)))[1] > p[0])


def joined(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the union."""
    out: list[Interval] = []
    for a, b in sorted(intervals):
        if out and out[-1][1] >= a:
            out[-1] = (out[-1][0], max(out[-1][1], b))
        elif b > a:
            out.append((a, b))
    return out


def minus(intervals: Iterable[Interval], away: Iterable[Interval]) -> list[Interval]:
    """Return what is left of some time without other time."""
    left = joined(intervals)
    for c, d in joined(away):
        left = [p for a, b in left for p in ((a, min(b, c)), (max(a, d), b)) if p[1] > p[0]]
    return left
