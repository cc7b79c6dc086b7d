"""Sensors of an air station that have died, stand still, or contradict each other."""

from collections.abc import Mapping

import numpy as np

from analytics.detectors.air_minutes import (
    DEAD_BAR,
    LOOKBACK_MS,
    WHOLE_MS,
    Bools,
    Float64,
    Int64,
    Minutes,
    Part,
    highest,
    middle,
    run_length,
    signal_of,
    trailing,
)
from analytics.detectors.signal import Detector, Signal
from analytics.kernels.grid import ratio
from analytics.kpis.machines import UNLOADED
from analytics.window import Window
from telemetry.channels import KIND_BY_NAME, Role

FROZEN_KINDS = ("compressor", "dryer", "air_main", "air_meter")
FROZEN_MIN = 10
SEVERAL = 2
"""Gauges of a running machine that do not stand together by chance."""
FROZEN_TIMES = 3
"""A gauge is frozen when it has stood this many times longer than ever before in the window."""
MOVES_BAR = 0.03
"""What moves less may stand still at another gauge."""
MOVED_MIN = 20
"""Minutes in which a gauge must have moved before its standing still means anything."""
TREATMENT_BAR = 0.5
"""Pressure that dryer and filters may take between a machine and the header."""


def sensor_dropout(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Return how much of its usual load a place carries while its pressure gauge reads nothing, else 0 [share].

    A header cannot be empty while the machines draw their usual power: the gauge is dead, not the network.
    """
    m = Minutes(window)
    power = m.power_kw()[None]
    load = np.where(m.working(), ratio(power, trailing(power, 60, 0.5, 2)), 0.0)
    flow = m.mean("air_meter", "flow_m3_min")
    usual = trailing(flow, 60, 0.5, 2)
    branch = np.where(usual > 0, ratio(flow, usual), 0.0)
    loaded = np.where(m.in_state("loaded") >= WHOLE_MS, 1.0, 0.0)
    parts = []
    for kind, gauge, share in (("air_main", "pressure_bar", load), ("air_meter", "pressure_bar", branch),
                               ("compressor", "discharge_pressure_bar", loaded)):
        top = m.end(kind, f"{gauge}_max")
        value = np.where(np.isnan(top), np.nan, np.where(top <= DEAD_BAR, share, 0.0))
        parts.append(Part(kind, m.devices(kind), value, {gauge: m.mean(kind, gauge), "load_share": value}))
    return signal_of(m, from_ms, parts)


def sensor_frozen(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Return for how long all gauges of a device that used to move have stood still [min].

    A machine that is stopped, a closed branch and a dead gauge are left out. While no pressure of the network moves, a
    device is judged only if every running machine stands as a whole too: at night a variable-speed machine holds the
    pressure so still that gauges rightly stand, but its own power, current and temperatures go on moving.
    """
    m = Minutes(window)
    stands = {kind: _stands(m, kind) for kind in FROZEN_KINDS}
    alive = _network_moves(m) | _machines_stand(*stands["compressor"])
    parts = []
    for kind, (minutes, moved, idle) in stands.items():
        value = np.where((moved > 0) & alive & ~idle, minutes, 0).astype(np.float64)
        parts.append(Part(kind, m.devices(kind), value, {
            "frozen_min": value, "gauges": moved.astype(np.float64)}))
    return signal_of(m, from_ms, parts)


def _stands(m: Minutes, kind: str) -> tuple[Int64, Int64, Bools]:
    """Return (devices, minutes): for how long all gauges have stood that moved before, how many did, and may they."""
    still, known, idle = _still(m, kind)
    length = np.array([run_length(s) for s in still]).reshape(still.shape)
    moved = np.cumsum(known & ~still, axis=2) >= MOVED_MIN
    ended = np.zeros_like(length)
    ended[:, :, 1:] = np.where(still[:, :, 1:], 0, length[:, :, :-1])
    longest = np.maximum.accumulate(ended, axis=2)
    frozen = np.where(moved & (length >= FROZEN_TIMES * np.maximum(longest, 1)), length, 0)
    # The shortest standing of the gauges that have moved before.
    minutes = np.where(moved, frozen, np.iinfo(np.int64).max).min(axis=0, initial=np.iinfo(np.int64).max)
    return minutes, moved.sum(axis=0), idle


def _machines_stand(minutes: Int64, moved: Int64, idle: Bools) -> Bools:
    """Return (1, minutes) whether machines run and every one of them stands as a whole: the station's logger does."""
    runs = ~idle
    whole = (minutes >= FROZEN_MIN) & (moved >= SEVERAL)
    return np.asarray(runs.any(axis=0, keepdims=True) & (whole | ~runs).all(axis=0, keepdims=True))


def _network_moves(m: Minutes) -> Bools:
    """Return (1, minutes) whether any pressure has moved by more than noise in the last minutes."""
    gauges = (("air_main", "pressure_bar"), ("air_meter", "pressure_bar"), ("compressor", "discharge_pressure_bar"))
    pressure = np.concatenate([m.mean(kind, gauge) for kind, gauge in gauges])
    low, high = (trailing(pressure, FROZEN_MIN, q, 2) for q in (0.0, 1.0))
    with np.errstate(invalid="ignore"):
        return np.asarray((high - low >= MOVES_BAR).any(axis=0, keepdims=True))


def _still(m: Minutes, kind: str) -> tuple[Bools, Bools, Bools]:
    """Return (gauges, devices, minutes): stands still and known; (devices, minutes): with good reason."""
    gauges = [c.name for c in KIND_BY_NAME[kind].values if c.role is Role.GAUGE]
    low, high = (np.array([m.end(kind, f"{g}_{e}") for g in gauges]) for e in ("min", "max"))
    known = ~np.isnan(low)
    still = known & (low == high)
    still[:, :, 1:] &= high[:, :, 1:] == high[:, :, :-1]
    still[:, :, :1] = False
    if kind == "compressor":
        runs = m.in_state("loaded", *UNLOADED, "running") >= WHOLE_MS
        return still, known, ~runs
    if kind == "dryer":
        return still, known, m.sums(kind, "stopped_ms") > 0
    pressure = m.mean(kind, "pressure_bar")
    flow = m.mean(kind, "flow_m3_min")
    with np.errstate(invalid="ignore"):
        closed = np.abs(flow) < 0.02 * highest(np.abs(flow)).reshape(-1, 1)
        return still, known, np.asarray((pressure <= DEAD_BAR) | closed | ~m.working())


def gauges_apart(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Return how far a gauge is from where the others say it must be, over 5 minutes [bar].

    Mains against each other; a loaded machine not below the header, and not above it by more than its dryer and filters
    take; a branch not above the header. Where most machines agree against the one header, the header is told.
    """
    m = Minutes(window)
    main = _alive(m.mean("air_main", "pressure_bar"))
    header = middle(main)
    machine = np.where(m.in_state("loaded") >= WHOLE_MS, _alive(m.mean("compressor", "discharge_pressure_bar")), np.nan)
    beyond = _beyond(machine - header)
    branch = np.maximum(_alive(m.mean("air_meter", "pressure_bar")) - header, 0.0)
    known = ~np.isnan(beyond)
    agree = ((beyond > 0) | ~known).all(axis=0) | ((beyond < 0) | ~known).all(axis=0)
    # What all of two or more machines have in common is the header's own error.
    least = np.where(known, np.abs(beyond), np.inf).min(axis=0, initial=np.inf)
    against = np.where(agree & (known.sum(axis=0) >= 2), least, 0.0)
    own = np.abs(beyond) - against
    apart = np.abs(main - header) if len(main) > 1 else np.where(np.isnan(main), np.nan, against)
    return signal_of(m, from_ms, [
        Part(kind, m.devices(kind), trailing(value, 5, 0.5, 3), {"pressure_bar": shown, "header_bar": np.broadcast_to(
            header, shown.shape)})
        for kind, value, shown in (("air_main", apart, main), ("compressor", own, machine),
                                   ("air_meter", branch, _alive(m.mean("air_meter", "pressure_bar"))))
    ])


def _alive(pressure: Float64) -> Float64:
    return np.where(pressure > DEAD_BAR, pressure, np.nan)


def _beyond(above: Float64) -> Float64:
    """Return by how much a machine's pressure leaves what the way to the header allows; below is negative."""
    return np.where(np.isnan(above), np.nan, np.minimum(above, 0.0) + np.maximum(above - TREATMENT_BAR, 0.0))


SENSORS: Mapping[str, Detector] = {
    d.__name__: Detector(d, LOOKBACK_MS, extremes=True) for d in (sensor_dropout, sensor_frozen, gauges_apart)
}
