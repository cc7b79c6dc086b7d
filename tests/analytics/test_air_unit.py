"""Leaks without a flow meter: each detector with a machine that leaks, and with what looks like it."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from naive.windows import air_window, station_of

from analytics.detectors import DETECTORS
from analytics.window import Window

sys.path.insert(0, str(Path(__file__).parent))
from judged import fired

N = 60 * 12
EVENT = range(N - 150, N)
UNIT: dict[str, Any] = {
    "compressors": [{"id": "apu", "control": "fixed"}], "air_mains": [{"id": "main"}], "dryers": [{"id": "dryer"}],
}


def unit(
    fall: float = 0.08, event_fall: float | None = None, gain: float = 1.0, event_gain: float | None = None,
    purge: float = 0.0, amps: float = 1.0, frozen: range = range(0), parked: range = range(0), table: Any = None,
) -> Window:
    """Return a machine that loads at 8 bar and unloads at 10, minute by minute; the event is the last 150 minutes."""
    bar, loaded = 9.5, False
    rows: dict[str, list[Any]] = {"loaded": [], "bar": [], "amps": [], "purge": []}
    for i in range(N):
        event = i in EVENT
        slope = -(event_fall if event and event_fall is not None else fall)
        if loaded:
            slope += event_gain if event and event_gain is not None else gain
        if i in parked:
            bar, loaded, slope = max(0.0, bar - 0.5), False, 0.0
        bar = min(10.5, max(0.0, bar + slope))
        loaded = i not in parked and (bar < 8 if not loaded else bar < 10)
        rows["loaded"].append(loaded)
        rows["bar"].append(bar if i not in frozen or not rows["bar"] else rows["bar"][-1])
        rows["amps"].append((6.0 * (amps if event else 1.0) if loaded else 3.8) + 0.02 * np.sin(i) * (i not in frozen))
        rows["purge"].append(purge if event and loaded else 0.0)
    station = station_of("compressed_air", **(UNIT if table is None else table))
    window = air_window(station, N, {
        ("compressor", "apu"): {
            "loaded_s": [60.0 * x for x in rows["loaded"]], "unloaded_s": [60.0 * (not x) for x in rows["loaded"]],
            "motor_current_a": rows["amps"]},
        ("air_main", "main"): {"pressure_bar": rows["bar"]},
        ("dryer", "dryer"): {"purge_pressure_bar": rows["purge"]},
    })
    columns = window.minutes["compressor"].columns
    still = np.array([i in frozen for i in range(N)])
    # The current wanders within a minute, unless the logger has frozen.
    columns["motor_current_a_max"] = columns["motor_current_a_max"] + np.where(still, 0, 1000)  # type: ignore[index]
    return window


LEAKS = {"purge_leak", "loaded_no_gain", "cycle_leak"}


def told(window: Window, step: int = N) -> set[tuple[str, str]]:
    return {(rule, device) for rule, device in fired(window, step) if rule in LEAKS}


def test_a_usual_day_is_quiet() -> None:
    assert told(unit()) == set()


@pytest.mark.parametrize("step", [61, N])
def test_a_purge_valve_that_stays_open_is_told_at_the_dryer(step: int) -> None:
    assert ("purge_leak", "dryer") in told(unit(event_gain=0.1, purge=1.2), step)
    assert told(unit(event_gain=0.6, purge=0.3), step) == set()


@pytest.mark.parametrize("step", [61, N])
def test_a_machine_that_no_longer_gains_is_told(step: int) -> None:
    assert ("loaded_no_gain", "apu") in told(unit(event_fall=0.98), step)


def test_filling_an_empty_reservoir_is_no_leak() -> None:
    assert told(unit(parked=range(N - 140, N - 100))) == set()


def test_a_frozen_logger_is_no_leak() -> None:
    # It freezes in a loaded minute: loaded for ever, and no gain.
    window = unit(event_fall=0.98, frozen=EVENT)
    assert ("loaded_no_gain", "apu") not in told(window)


@pytest.mark.parametrize("step", [61, N])
def test_a_pressure_that_falls_five_times_as_fast_is_told(step: int) -> None:
    assert told(unit(event_fall=0.4), step) == {("cycle_leak", "apu")}
    assert told(unit(event_fall=0.14), step) == set()


@pytest.mark.parametrize("step", [61, N])
def test_the_current_of_a_machine_that_is_loaded_for_minutes_is_compared_with_its_day(step: int) -> None:
    assert ("motor_current", "apu") in fired(unit(amps=1.15), step)
    assert ("motor_current", "apu") not in fired(unit(amps=1.05), step)


def test_where_customers_are_supplied_a_long_load_is_work() -> None:
    table = UNIT | {"customers": [{"id": "x", "meters": ["m1"]}]}
    assert told(unit(event_fall=0.98, table=table)) == set()


def test_what_is_told_names_its_place() -> None:
    window = unit(event_gain=0.1, purge=1.2)
    signal = DETECTORS["purge_leak"].find(window, window.to_ms - 60_000, window.to_ms)
    evidence = signal.explain(0)
    assert evidence["place"] == "machine:dryer"
    assert evidence["purge_pressure_bar"] == pytest.approx(1.2)
