"""Made stations for `./dev bench leaks`: three weeks of minutes of a shared compressed-air station, seed by seed.

Not the simulators' model: demand by shift, weekday and chance, standing leaks, a pressure that wanders, meters with an
error each that wanders too. A leak goes with the absolute pressure, around the clock.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.window import Window
from store.buckets import Buckets
from telemetry.registry import registry_from_tables
from telemetry.times import DAY_MS, MINUTE_MS

Float64 = NDArray[np.float64]

START_MS = 1_740_326_400_000
"""2025-02-23T16:00:00Z, a Monday's midnight in Shanghai."""
DAYS = 21
BEFORE_D = 10
"""Days before something happens."""
DAY = 1440
N = DAYS * DAY
CUSTOMERS = 6


@dataclass(frozen=True)
class Event:
    """What happens to a station after ten days."""

    what: str
    """leak, or a nuisance: quiet, demand, night_shift, holiday, drift, dead_meter, mended_meter (after five
    days), purge, vent, season."""
    share: float = 0.0
    """Size of a leak, of the mean flow."""
    side: str = "network"
    ramp: bool = False
    """Whether a leak grows over five days."""


@dataclass(frozen=True)
class Made:
    """A station and the truth about it."""

    window: Window
    mean_flow: float
    place: str
    start_ms: int
    """Of the leak."""
    leak: Float64
    """(days,) size at the end of each quiet night [m3/min]."""


def wander(rng: np.random.Generator, n: int, size: float, minutes: float) -> Float64:
    """Return smooth noise of so many minutes' memory."""
    knots = rng.normal(0, size, max(2, int(n / minutes) + 2))
    return np.interp(np.arange(n) / minutes, np.arange(len(knots)), knots)


def make(seed: int, event: Event) -> Made:  # noqa: PLR0915 - one station, told from top to bottom
    """Return one station with what happens to it."""
    rng = np.random.default_rng(seed)
    minute = np.arange(N)
    hour = minute % DAY / 60
    weekday = minute // DAY % 7
    start = BEFORE_D * DAY + int(rng.uniform(0, DAY))
    after = minute >= start
    pressure = 6.6 + 0.15 * np.sin(2 * np.pi * hour / 24) + wander(rng, N, 0.08, 20)
    relative = (pressure + 1.013) / 7.613
    flows = np.empty((CUSTOMERS, N))
    victim = int(rng.integers(CUSTOMERS))
    size = rng.uniform(3, 12, CUSTOMERS)
    for c in range(CUSTOMERS):
        first, end = rng.uniform(5.5, 8), rng.uniform(17, 23.5)
        night = rng.choice([0.0, 0.0, 0.0, 0.3])
        shape = np.where((hour >= first) & (hour < end), 1.0, np.where(weekday < 5, night, 0.0))
        shape *= np.where((hour > 12) & (hour < 12.8), 0.7, 1.0)
        shape *= np.where(weekday < 5, 1.0, np.where(weekday == 5, rng.choice([0.1, 0.6, 1.0]), 0.1))
        days = np.repeat(rng.lognormal(0, 0.06, DAYS), DAY)
        use = size[c] * shape * days * np.maximum(0, 1 + wander(rng, N, 0.08, 45) + rng.normal(0, 0.06, N))
        if event.what == "demand" and c == victim:
            use = np.where(after & (hour >= first) & (hour < end), 1.5 * use, use)
        if event.what == "night_shift" and c == victim:
            more = (hour >= 22) | (hour < first)
            use += np.where(after & more & (weekday < 5),
                            0.5 * size[c] * (1 + wander(rng, N, 0.1, 45) + rng.normal(0, 0.06, N)), 0)
        if event.what == "holiday":
            use = np.where(after & (minute < start + 5 * DAY), 0.1 * use, use)
        if event.what == "season":
            use *= 1 + 0.15 * minute / N
        flows[c] = np.maximum(use, 0) + size[c] * rng.uniform(0.005, 0.04) * relative
    standing = flows.mean() * CUSTOMERS * rng.uniform(0.04, 0.10)
    lost = standing * relative
    if event.what == "season":
        lost *= 1 + 0.1 * minute / N
    if event.what == "purge":
        lost += np.where(after & (minute % 240 < 20), 0.05 * flows.sum(axis=0).mean(), 0)
    if event.what == "vent":
        at = BEFORE_D * DAY + 60
        lost += np.where((minute >= at) & (minute < at + 180), 0.2 * flows.sum(axis=0).mean(), 0)
    mean = float(flows.sum(axis=0).mean() + lost.mean())
    growth = np.clip((minute - start) / (5 * DAY if event.ramp else 1), 0, 1) * event.share * mean
    place = "network" if event.side == "network" else f"customer:k{victim}"
    if event.side == "network":
        lost += growth * relative
    else:
        flows[victim] += growth * relative
    gain = 1 + rng.normal(0, 0.004, CUSTOMERS + 1)[:, None] + np.repeat(
        rng.normal(0, 0.0015, (CUSTOMERS + 1, DAYS)), DAY, axis=1)
    if event.what == "drift":
        gain[victim] -= 0.05 * np.clip((minute - start) / (5 * DAY), 0, 1)
    if event.what in ("dead_meter", "mended_meter"):
        gain[victim, start:start + 5 * DAY if event.what == "mended_meter" else N] = 0
    shown = np.vstack([flows, flows.sum(axis=0) + lost]) * gain * (1 + rng.normal(0, 0.003, (CUSTOMERS + 1, N)))
    nights = growth[[d * DAY + 299 for d in range(DAYS)]]
    window = _window(shown, pressure, declared=bool(rng.integers(2)))
    return Made(window, mean, place, START_MS + start * MINUTE_MS, nights)


def _window(shown: Float64, pressure: Float64, *, declared: bool) -> Window:
    names = [f"m{c}" for c in range(CUSTOMERS)]
    table = {"kind": "compressed_air", "timezone": "Asia/Shanghai", "air_mains": [{"id": "main"}],
             "customers": [{"id": f"k{c}", "meters": [m]} for c, m in enumerate(names)]}
    if declared:
        table["idle_hours"] = "00:00-05:00"
    station = registry_from_tables({"stations": {"s": table}}, "bench").stations["s"]
    time_ms = START_MS + MINUTE_MS * np.arange(N)
    end_ms = START_MS + DAYS * DAY_MS
    minutes = {"air_meter": _buckets(names, time_ms, {"volume_n": shown[:CUSTOMERS]}),
               "air_main": _buckets(["main"], time_ms, {"volume_n": shown[-1:], "pressure_bar_i": pressure[None]})}
    listed = True
    heard = {(k, d): START_MS for k, b in minutes.items() for d in b.devices}
    return Window(station, listed, START_MS, end_ms, end_ms, minutes, {}, heard, {}, np.empty((0, 2), np.int64))


def _buckets(names: list[str], time_ms: NDArray[np.int64], values: dict[str, Float64]) -> Buckets:
    whole = np.full(len(names) * N, MINUTE_MS)
    columns = {"heard_ms": whole}
    for name, value in values.items():
        scale = 1e9 if name == "volume_n" else 1e6 * MINUTE_MS
        columns[name] = np.rint(value * scale).astype(np.int64).ravel()
        columns[f"{name.rpartition('_')[0]}_ms"] = whole
    return Buckets(tuple(names), np.repeat(np.arange(len(names)), N), np.tile(time_ms, len(names)), whole, columns)
