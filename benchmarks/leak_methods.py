"""How soon each method would speak, and how falsely, if it were asked every day: the tables of docs/leaks.md.

A level (base flow, mass balance, night minimum, load cycles, pressure decay) becomes a flag by one rule for all: the
one-sided CUSUM (k 0.5, h 5) of its daily values against the ten days before. `hour_of_week` is told by its own limits;
the fused flag is rule `leak`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analytics.air import air_minutes
from analytics.kernels.trend import LIMIT, cusum, level_of
from analytics.leak_trend import FLOW_SHARE, growth_of
from analytics.leak_weekly import weeks_of
from analytics.leaks import leak_estimates
from analytics.nights import Nights, places
from analytics.window import Window
from benchmarks.leak_stations import BEFORE_D, DAYS, START_MS, Event, Made
from telemetry.times import DAY_MS, HOUR_MS

FUSED = "**fused flag**"
NIGHT_END_MS = 5 * HOUR_MS
LEARNED_NEEDED = 5
"""Days before the leak that must be known."""

Flags = dict[tuple[str, str], list[int]]
"""(method, place) -> times at which it begins to speak [ms]; a method that is not usable is not in it."""


def flags_of(made: Made, nights: Sequence[Nights]) -> Flags:
    """Return when each method speaks at each place of a station."""
    floor = FLOW_SHARE * made.mean_flow
    days = [(START_MS + d * DAY_MS + NIGHT_END_MS, _part(made.window, d)) for d in range(DAYS)]
    series: dict[tuple[str, str], list[tuple[int, float]]] = {
        ("night minimum", n.place): list(zip(n.end_ms.tolist(), n.base.tolist(), strict=True)) for n in nights}
    for end_ms, window in days:
        for e in leak_estimates(air_minutes(window)):
            if e.leak_m3_min is not None:
                series.setdefault((e.method, e.place), []).append((end_ms, e.leak_m3_min))
    found: Flags = {}
    for at, pairs in series.items():
        over = _over(np.array(pairs, np.float64), floor)
        if over is not None:
            found[at] = over
    for weeks in weeks_of(air_minutes(made.window)):
        told = weeks.growth().told
        found["hour_of_week", weeks.place] = _begins(START_MS + DAY_MS * (1 + np.arange(DAYS)), told)
    for n in nights:
        told = np.array([growth_of(n, i + 1).leak_m3_min > 0 for i in range(len(n.base))], np.bool_)
        found[FUSED, n.place] = _begins(n.end_ms, told)
    return found


def _part(window: Window, day: int) -> Window:
    """Return the day that ends with the night of a day."""
    to_ms = START_MS + day * DAY_MS + NIGHT_END_MS
    from_ms = max(to_ms - DAY_MS, START_MS)
    minutes = {k: b.take((b.start_ms >= from_ms) & (b.start_ms < to_ms)) for k, b in window.minutes.items()}
    return replace(window, from_ms=from_ms, to_ms=to_ms, now_ms=to_ms, minutes=minutes)


def _over(pairs: NDArray[np.float64], floor: float) -> list[int] | None:
    pairs = pairs[~np.isnan(pairs[:, 1])]
    before = pairs[:, 0] <= START_MS + BEFORE_D * DAY_MS
    if before.sum() < LEARNED_NEEDED or before.all():
        return None
    level, sigma = level_of(pairs[before, 1], floor)
    return _begins(pairs[~before, 0].astype(np.int64), cusum(pairs[~before, 1], level, sigma) > LIMIT)


def _begins(time_ms: NDArray[np.int64], told: NDArray[np.bool_]) -> list[int]:
    return [int(t) for t in time_ms[told & ~np.r_[False, told[:-1]]]]


@dataclass(frozen=True)
class Case:
    """Stations to which the same happens."""

    event: Event
    found: list[tuple[Made, Flags]]

    def delays(self, method: str) -> list[int | None]:
        """Return the nights until a method speaks at the leak's place, of each station where it is usable."""
        out: list[int | None] = []
        for made, flags in self.found:
            if (method, made.place) in flags:
                after = [t for t in flags[method, made.place] if t > made.start_ms]
                out.append(-(-(after[0] - made.start_ms) // DAY_MS) if after else None)
        return out

    def false(self, method: str) -> int:
        """Return how often a method speaks at stations without a leak."""
        return sum(len(times) for _, flags in self.found for (name, _), times in flags.items() if name == method)


def measure_cases(
    events: Sequence[Event], seed: Callable[[Event], int], stations: int, make: Callable[[int, Event], Made]
) -> Iterator[Case]:
    """Yield what all methods say of made stations, case by case."""
    for event in events:
        made = [make(seed(event) + s, event) for s in range(stations)]
        yield Case(event, [(m, flags_of(m, places(air_minutes(m.window)))) for m in made])


def table_of(cases: Sequence[Case], methods: Sequence[str], sizes: Sequence[float]) -> list[str]:
    """Return the rows `within 3 nights, median delay` of each method and size, and its false flags."""
    lines = ["| side, form | method | " + " | ".join(f"{s:.0%}" for s in sizes) + " |",
             "| --- | --- |" + " --- |" * len(sizes)]
    leaks = [c for c in cases if c.event.what == "leak"]
    for side, ramp in dict.fromkeys((c.event.side, c.event.ramp) for c in leaks):
        mine = [c for c in leaks if (c.event.side, c.event.ramp) == (side, ramp)]
        form = f"| {side}, {'ramp' if ramp else 'step'} |"
        lines += [f"{form} {method} | " + " | ".join(_cell(c.delays(method)) for c in mine) + " |"
                  for method in methods if any(c.delays(method) for c in mine)]
    quiet = [c for c in cases if c.event.what != "leak"]
    days = DAYS * sum(len(c.found) for c in quiet)
    kinds = " | ".join(c.event.what for c in quiet)
    lines += ["", f"| false flags | {kinds} | per 100 station-days |", "| --- |" + " --- |" * (len(quiet) + 1)]
    for method in methods:
        counts = [c.false(method) for c in quiet]
        lines.append(f"| {method} | " + " | ".join(map(str, counts)) + f" | {100 * sum(counts) / days:.2f} |")
    return lines


def _cell(delays: list[int | None]) -> str:
    if not delays:
        return "-"
    known = [d for d in delays if d is not None]
    near = sum(d <= 3 for d in known) / len(delays)
    return f"{near:.0%}, {np.median(known):g}" if known else "0%, -"
