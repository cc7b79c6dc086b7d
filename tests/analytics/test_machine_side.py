"""Leaks at a machine, before the main's meter: found and named; what meters and other machines do is none."""

from typing import Any

import numpy as np
import pytest
from naive.windows import NO_DEAF, START_MS, buckets_of, station_of

from analytics.air import air_minutes
from analytics.leak_trend import Growth, growth_of
from analytics.leaks import leaks_of
from analytics.nights import places
from analytics.window import Window
from telemetry.times import DAY_MS, MINUTE_MS

DAYS, STEP_D = 12, 8
STEP = 10
"""Minutes of one row of buckets; longer ones would be none."""
NAMES = ("c1", "c2", "v1")
FLOW = (20.0, 12.0, 15.0)
KWH = (0.105, 0.112, 0.108)


def station_window(
    seed: int, *, lost: float = 0.0, at: str = "c1", always: bool = False, factor: dict[str, float] | None = None,
    wear: float = 0.0, demand: float = 0.0, swap: bool = False, energy: bool = True,
) -> Window:
    """Return twelve days; from the ninth on something happens.

    c1 is loaded by day and in half of the night, c2 by day, v1 takes the rest. `lost` m3/min leave at a machine while
    it is loaded (or `always`); `factor` multiplies what a meter shows; `wear` is energy of c1.
    """
    rng = np.random.default_rng(seed)
    n = DAYS * 1440 // STEP
    minute = STEP * np.arange(n)
    hour, after = minute % 1440 / 60, minute >= STEP_D * 1440 + 500
    day = (hour >= 7) & (hour < 19)
    loaded = np.array([day | (minute // 60 % 2 == 0), day & (rng.random(n) < 0.8), np.ones(n, bool)])
    if swap:
        loaded[1] = np.where(after, day | (minute // 60 % 2 == 0), False)
        loaded[0] = np.where(after, False, loaded[0])
    flow = loaded * np.array(FLOW)[:, None] * (1 + 0.01 * rng.standard_normal((3, n)))
    flow[2] *= np.where(day, 0.8, 0.4) * (1 + demand * (after & day))
    kwh = flow * np.array(KWH)[:, None] * (1 + 0.01 * rng.standard_normal((3, n))) * STEP
    kwh[0] *= 1 + wear * after
    gone = lost * after * (1 if always else loaded[NAMES.index(at)])
    main = flow.sum(axis=0) - gone
    used = 0.9 * main * (1 + 0.002 * rng.standard_normal(n))
    gain = {name: 1 + 0.005 * rng.standard_normal() for name in (*NAMES, "main", "m1")}
    shown = {name: v * gain[name] * np.where(after, (factor or {}).get(name, 1.0), 1.0)
             for name, v in zip((*NAMES, "main", "m1"), (*flow, main, used), strict=True)}
    rows: dict[str, dict[tuple[str, int], dict[str, int]]] = {"compressor": {}, "air_main": {}, "air_meter": {}}
    for name, values in shown.items():
        kind = {"main": "air_main", "m1": "air_meter"}.get(name, "compressor")
        for i, value in enumerate(values.tolist()):
            for k in range(STEP):
                row = {"heard_ms": MINUTE_MS, "volume_n": round(value * 1e9), "volume_ms": MINUTE_MS}
                if kind == "compressor":
                    c = NAMES.index(name)
                    row |= {"loaded_ms" if loaded[c, i] else "stopped_ms": MINUTE_MS}
                    row |= {"energy_n": round(kwh[c, i] * 1e9 / STEP), "energy_ms": MINUTE_MS} if energy else {}
                rows[kind][name, START_MS + (i * STEP + k) * MINUTE_MS] = row
    station = station_of("compressed_air", compressors=[{"id": c} for c in NAMES], air_mains=[{"id": "main"}],
                         customers=[{"id": "x", "meters": ["m1"]}], idle_hours="00:00-05:00")
    end_ms = START_MS + DAYS * DAY_MS
    minutes = {kind: buckets_of(r) for kind, r in rows.items()}
    heard = {(k, d): START_MS for k, b in minutes.items() for d in b.devices}
    return Window(station, True, START_MS, end_ms, end_ms, minutes, {}, heard, {}, NO_DEAF)


def told(window: Window) -> dict[str, Growth]:
    """Return the growth of every place that grows, at the last night."""
    found = {nights.place: growth_of(nights) for nights in places(air_minutes(window))}
    return {place: growth for place, growth in found.items() if growth.leak_m3_min > 0}


@pytest.mark.parametrize(("seed", "at", "lost", "mean"), [
    (1, "c1", 4.0, 3.0), (2, "c2", 6.0, 2.4), (3, "v1", 3.0, 3.0), (4, "c1", 3.0, 2.25),
])
def test_a_leak_at_a_machine_is_named_and_sized(seed: int, at: str, lost: float, mean: float) -> None:
    window = station_window(seed, lost=lost, at=at)
    found = told(window)
    assert list(found) == [f"machine:{at}"]
    assert found[f"machine:{at}"].leak_m3_min == pytest.approx(mean, rel=0.2)
    since = found[f"machine:{at}"].since_ms
    assert since is not None
    assert abs(since - (START_MS + STEP_D * DAY_MS + 500 * MINUTE_MS)) < DAY_MS
    assert leaks_of(window)["fused"]["place"] == f"machine:{at}"


def test_a_loss_that_never_stops_is_told_of_the_machine_that_never_stops() -> None:
    assert list(told(station_window(5, lost=3.0, always=True))) == ["machine:v1"]


QUIET: list[dict[str, Any]] = [
    {}, {"demand": 0.4}, {"wear": 0.1}, {"swap": True}, {"factor": {"c1": 1.08}}, {"factor": {"main": 0.93}},
    {"factor": {"m1": 0.9}}, {"factor": {"c1": 0.0}}, {"lost": 4.0, "energy": False},
]


@pytest.mark.parametrize("what", QUIET, ids=str)
def test_meters_wear_and_other_machines_are_no_leak_at_a_machine(what: dict[str, Any]) -> None:
    assert not [place for place in told(station_window(11, **what)) if place.startswith("machine:")]
