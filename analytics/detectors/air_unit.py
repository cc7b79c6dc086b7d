"""Leaks that no flow meter sees: at a dryer by its purge pressure, and of a single machine by its cycles.

A station of one compressor without customers, such as a train's, measures no flow. Its machine loads and unloads
between two pressures: how fast the pressure falls in between, and whether it rises while loaded, tell of leaks.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from analytics.detectors.air_minutes import (
    HELD_MIN,
    LOOKBACK_MS,
    WHOLE_MS,
    Float64,
    Minutes,
    Part,
    held,
    run_length,
    signal_of,
    trailing_sum,
)
from analytics.detectors.signal import Detector, Signal
from analytics.kernels.leakage import idle_falls
from analytics.nights import PURGE_BAR
from analytics.window import Window
from telemetry.channels import MACHINE_STATE
from telemetry.registry import Station
from telemetry.times import HOUR_MS, MINUTE_MS

GAIN_BAR_MIN = 0.1
"""A machine that is loaded and gains less than this per minute delivers into a hole."""
GAIN_MIN = 10
"""Minutes over which the gain is taken."""
CYCLES = 3
"""Cycles in the look-back from which a long load is unusual; falls that make a present figure."""
LEAST_FALL_BAR_MIN = 0.125
"""Usual falls below this count as this much: what is small may double for nothing."""
FALLS_MS = 48 * HOUR_MS
"""Time in which usual falls are learned."""
FALLS_NEEDED = 10
STALE_MS = 2 * HOUR_MS
"""A fall tells of the present for this long."""


def is_single(station: Station) -> bool:
    """Return whether one listed compressor serves no customers: only its own cycles can tell of leaks."""
    return len(station.listed("compressor")) == 1 and not station.customers


def purge_leak(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Return in how many loaded minutes in a row the purge pressure of each dryer was high [min].

    A purge ends; a purge or drain valve that stays open blows for as long as a machine delivers. While none does, what
    the last loaded minute said stands for an hour.
    """
    m = Minutes(window)
    purge = m.mean("dryer", "purge_pressure_bar")
    loaded = (m.in_state("loaded") >= WHOLE_MS).any(axis=0)
    value = np.full(purge.shape, np.nan)
    for i in range(len(purge)):
        told = loaded & ~np.isnan(purge[i])
        value[i, told] = run_length(purge[i : i + 1, told] > PURGE_BAR)[0]
    value = held(value, HELD_MIN)
    evidence = {"purge_pressure_bar": purge, "blowing_min": value, **_beside(m, len(purge))}
    signal = signal_of(m, from_ms, [Part("dryer", m.devices("dryer"), value, evidence)])
    return _placed(signal, lambda device: f"machine:{device}")


def loaded_no_gain(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Return for how long a single compressor has been loaded while the pressure hardly rose [min].

    Unknown where it has not cycled before in the look-back (its load may be its work) and where its gauges stand still.
    """
    m = Minutes(window)
    loaded = m.in_state("loaded") >= WHOLE_MS
    run = run_length(loaded)
    pressure = m.header_bar()
    back = np.minimum(run, GAIN_MIN) - 1
    gain = pressure - pressure[np.arange(m.count) - np.maximum(back, 0)]
    with np.errstate(invalid="ignore"):
        value = np.where(loaded & (gain < GAIN_BAR_MIN * back), run, 0).astype(np.float64)
        moves = m.end("compressor", "motor_current_a_max") > m.end("compressor", "motor_current_a_min")
    cut_outs = np.zeros(loaded.shape, np.int64)
    cut_outs[:, 1:] = loaded[:, :-1] & ~loaded[:, 1:]
    cycled = trailing_sum(cut_outs, m.count) >= CYCLES
    alive = trailing_sum(moves.astype(np.int64), GAIN_MIN) > 0
    value = np.where(loaded & ~(cycled & alive & ~np.isnan(gain)), np.nan, value)
    evidence = {"loaded_min": value, "gain_bar": gain, **_beside(m, len(loaded))}
    part = Part("compressor", m.devices("compressor"), value, evidence)
    return _placed(signal_of(m, from_ms, [part]), lambda _: "network")


def cycle_leak(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Return how fast the pressure fell in the last three idle times of a single compressor, against two days before.

    The median of the three over the usual median (at least 0.125 bar/min).
    """
    m = Minutes(window)
    devices = m.devices("compressor")
    known = np.asarray((m.in_state(*MACHINE_STATE) > 0).all(axis=0))
    delivers = np.asarray((m.in_state("loaded", "loading") > 0).any(axis=0))
    end, fall = idle_falls(delivers, known, m.header_bar())
    now, usual = (np.full((len(devices), m.count), np.nan) for _ in range(2))
    first = max(int(np.searchsorted(end, (from_ms - window.from_ms) // MINUTE_MS - STALE_MS // MINUTE_MS)), CYCLES - 1)
    for k in range(first, len(end)):
        before = fall[np.searchsorted(end, end[k] - FALLS_MS // MINUTE_MS) : k - CYCLES + 1]
        if len(before) < FALLS_NEEDED or end[k] - end[k - CYCLES + 1] > STALE_MS // MINUTE_MS:
            continue
        until = min(int(end[k + 1]) if k + 1 < len(end) else m.count, int(end[k]) + STALE_MS // MINUTE_MS)
        now[:, end[k] : until] = np.median(fall[k - CYCLES + 1 : k + 1])
        usual[:, end[k] : until] = np.median(before)
    value = now / np.fmax(usual, LEAST_FALL_BAR_MIN)
    evidence = {"fall_bar_per_min": now, "usual_bar_per_min": usual}
    receiver_m3 = window.station.receiver_m3
    if receiver_m3:
        evidence["leak_m3_min"] = (now - usual) * receiver_m3
    return _placed(signal_of(m, from_ms, [Part("compressor", devices, value, evidence)]), lambda _: "network")


def _beside(m: Minutes, rows: int) -> dict[str, Float64]:
    """Return what else a leak shows in each minute: the hottest oil, the highest current, the header."""
    found = {}
    for name in ("oil_temperature_c", "motor_current_a"):
        values = m.mean("compressor", name)
        top = np.where(np.isnan(values), -np.inf, values).max(axis=0, initial=-np.inf)
        found[name] = np.broadcast_to(np.where(np.isneginf(top), np.nan, top), (rows, m.count))
    return found | {"pressure_bar": np.broadcast_to(m.header_bar(), (rows, m.count))}


def _placed(signal: Signal, place: Callable[[str], str]) -> Signal:
    """Return the signal with the place of the leak in its evidence."""
    def explain(row: int) -> Mapping[str, Any]:
        return {"place": place(signal.devices[int(signal.device[row])]), **signal.explain(row)}

    return Signal(signal.kind, signal.devices, signal.device, signal.time_ms, signal.value, signal.coverage, explain,
                  signal.kinds)


_STATES = tuple(f"{s}_ms" for s in MACHINE_STATE)
UNIT: Mapping[str, Detector] = {
    "purge_leak": Detector(purge_leak, LOOKBACK_MS, extremes=True),
    "loaded_no_gain": Detector(loaded_no_gain, LOOKBACK_MS, extremes=True, fits=is_single),
    "cycle_leak": Detector(cycle_leak, FALLS_MS + STALE_MS, columns=(*_STATES, "pressure_bar_i", "pressure_bar_ms"),
                           fits=is_single),
}
