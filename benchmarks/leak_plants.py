"""Made plants without a flow meter for `./dev bench leaks`: one fixed-speed machine that cycles on a receiver.

By night, without production, the pressure falls through the holes from cut-out to cut-in, step by step of ten seconds;
by day the machine is loaded for the share of time that the use needs.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from analytics.window import Runs, Window
from benchmarks.leak_stations import BEFORE_D, DAY, DAYS, START_MS, Event, Float64, Made, N, wander
from store.buckets import Buckets
from telemetry.registry import registry_from_tables
from telemetry.times import DAY_MS, MINUTE_MS

RATED_M3_MIN = 20.0
RECEIVER_M3 = 30.0
CUT_IN_BAR, CUT_OUT_BAR = 6.3, 7.1
STEP_S = 10
STEPS = 60 // STEP_S
NIGHT = 300
"""Idle minutes of a day, from midnight."""
RUN_ON_S = 300
"""The machine stays on, unloaded, for so long."""
STATES = ("loaded", "unloaded", "stopped")


@dataclass
class _Machine:
    """A machine that holds the pressure of a receiver; state 0 loaded, 1 unloaded, 2 stopped."""

    flow_m3_min: float
    volume_m3: float
    bar: float = 6.8
    state: int = 2
    unloaded_s: int = 0

    def night(self, lost: Float64, used: Float64) -> tuple[Float64, np.ndarray]:
        """Return pressure and state of each step; `lost` at 6.6 bar and `used` are minutes of a night [m3/min]."""
        bars, states = np.empty(NIGHT * STEPS), np.empty(NIGHT * STEPS, np.int64)
        for i in range(NIGHT * STEPS):
            out = lost[i // STEPS] * (self.bar + 1.013) / 7.613 + used[i // STEPS]
            into = self.flow_m3_min if self.state == 0 else 0.0
            self.bar += (into - out) * STEP_S / 60 / self.volume_m3
            if self.bar <= CUT_IN_BAR:
                self.state = 0
            elif self.state == 0 and self.bar >= CUT_OUT_BAR:
                self.state, self.unloaded_s = 1, 0
            elif self.state == 1:
                self.unloaded_s += STEP_S
                self.state = 2 if self.unloaded_s >= RUN_ON_S else 1
            bars[i], states[i] = self.bar, self.state
        return bars, states


def make_plant(seed: int, event: Event) -> Made:
    """Return one plant with what happens to it; there is no meter, so a leak has no side."""
    rng = np.random.default_rng(seed)
    minute = np.arange(N)
    hour, weekday = minute % DAY / 60, minute // DAY % 7
    start = BEFORE_D * DAY + int(rng.uniform(0, DAY))
    after = minute >= start
    first, end = rng.uniform(5.5, 8), rng.uniform(17, 23.5)
    size = rng.uniform(9, 14)
    open_ = (hour >= first) & (hour < end) & (weekday < rng.choice([5, 6]))
    use = size * open_ * np.repeat(rng.lognormal(0, 0.06, DAYS), DAY) * np.maximum(0, 1 + wander(rng, N, 0.08, 45))
    if event.what == "demand":
        use = np.where(after, 1.3 * use, use)
    if event.what == "holiday":
        use = np.where(after & (minute < start + 5 * DAY), 0.1 * use, use)
    if event.what == "season":
        use *= 1 + 0.15 * minute / N
    if event.what == "night_shift":
        use += np.where(after & (hour < NIGHT / 60) & (weekday < 5), 0.3 * size * (1 + wander(rng, N, 0.1, 45)), 0)
    if event.what == "purge":
        use += np.where(after & (minute % 240 < 20), 0.05 * size, 0)
    if event.what == "vent":
        use += np.where((minute >= BEFORE_D * DAY + 60) & (minute < BEFORE_D * DAY + 180), 0.2 * size, 0)
    mean = float(use.mean()) / (1 - 0.08)
    growth = np.clip((minute - start) / (5 * DAY if event.ramp else 1), 0, 1) * event.share * mean
    lost = mean * rng.uniform(0.04, 0.10) + growth
    machine = _Machine(RATED_M3_MIN * (1 + rng.normal(0, 0.03)), RECEIVER_M3 * (1 + rng.normal(0, 0.03)))
    loaded = np.clip((use + lost) / machine.flow_m3_min, 0, 1)
    states_ms = np.rint(MINUTE_MS * np.array([loaded, 1 - loaded, 0 * loaded])).astype(np.int64)
    bar = 6.7 + wander(rng, N, 0.1, 20)
    runs: list[tuple[int, int, str]] = []
    for day in range(DAYS):
        at = slice(day * DAY, day * DAY + NIGHT)
        bars, states = machine.night(lost[at], use[at])
        bar[at] = bars.reshape(NIGHT, STEPS).mean(axis=1)
        states_ms[:, at] = [(states == s).reshape(NIGHT, STEPS).sum(axis=1) * STEP_S * 1000 for s in range(3)]
        turns = np.r_[0, np.flatnonzero(np.diff(states)) + 1, len(states)]
        from_ms = START_MS + day * DAY_MS
        runs += [(from_ms + int(a) * STEP_S * 1000, from_ms + int(b) * STEP_S * 1000, STATES[states[a]])
                 for a, b in pairwise(turns)]
    nights = growth[[d * DAY + NIGHT - 1 for d in range(DAYS)]]
    window = _window(states_ms, bar + rng.normal(0, 0.005, N), runs)
    return Made(window, mean, "network", START_MS + start * MINUTE_MS, nights)


def _window(states_ms: np.ndarray, bar: Float64, runs: list[tuple[int, int, str]]) -> Window:
    table = {"kind": "compressed_air", "timezone": "Asia/Shanghai", "idle_hours": "00:00-05:00",
             "receiver_m3": RECEIVER_M3, "flow_reference": "ANR", "air_mains": [{"id": "main"}],
             "compressors": [{"id": "c1", "rated_flow_m3_min": RATED_M3_MIN, "control": "fixed"}]}
    station = registry_from_tables({"stations": {"s": table}}, "bench").stations["s"]
    whole = np.full(N, MINUTE_MS)
    time_ms, zeros = START_MS + MINUTE_MS * np.arange(N), np.zeros(N, np.int64)
    machine = {f"{s}_ms": states_ms[i] for i, s in enumerate(STATES)} | {"heard_ms": whole}
    integral = np.rint(bar * 1e6 * MINUTE_MS).astype(np.int64)
    gauge = {"pressure_bar_i": integral, "pressure_bar_ms": whole, "heard_ms": whole}
    minutes = {"compressor": Buckets(("c1",), zeros, time_ms, whole, machine),
               "air_main": Buckets(("main",), zeros, time_ms, whole, gauge)}
    n, end_ms = len(runs), START_MS + DAYS * DAY_MS
    start, end, state = zip(*runs, strict=True)
    none = ("",) * n
    zero = np.zeros(n, np.int64)
    made = Runs(("c1",), zero, np.array(start), np.full(n, -1), np.array(end), np.array(end), state,
                zero > 0, none, zero, np.full(n, np.nan), none, none)
    heard = {("compressor", "c1"): START_MS, ("air_main", "main"): START_MS}
    listed = True
    return Window(station, listed, START_MS, end_ms, end_ms, minutes, {"compressor": made}, heard, {},
                  np.empty((0, 2), np.int64))
