"""Compressors that cycle too often, run for nothing, get hot, clog, or draw a wrong current."""

from collections.abc import Mapping, Sequence

import numpy as np

from analytics.detectors.air_minutes import (
    DEAD_BAR,
    HELD_MIN,
    LOOKBACK_MS,
    WHOLE_MS,
    Bools,
    Float64,
    Int64,
    Minutes,
    Part,
    held,
    run_length,
    signal_of,
    trailing,
    trailing_sum,
)
from analytics.detectors.signal import Detector, Signal
from analytics.kernels.grid import ratio
from analytics.kernels.thermo import isentropic_kwh_per_m3
from analytics.kpis.machines import UNLOADED, cut_ins
from analytics.window import Window
from telemetry.channels import MACHINE_STATE
from telemetry.times import DAY_MS, HOUR_MS, MINUTE_MS

CYCLES_MIN = 120
"""Time over which cut-ins are counted."""
FULL_FLOW = 0.5
"""Share of the rated flow from which a filter's pressure drop can be brought to full flow."""
CURRENT_HIGH, CURRENT_LOW = 0.10, 0.15
"""How far a loaded current may be from its usual one: +8 % and -13 %, widened by the 2 % of the instrument."""
CURRENT_MIN = 20
"""Loaded minutes that make a usual current."""
USUAL_MS, USUAL_MIN = DAY_MS, 10
"""Time in which a current is learned, and length of the pieces that it is learned from."""


def short_cycling(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Return each compressor's cut-ins of the last two hours [1/h]."""
    m = Minutes(window)
    devices = m.devices("compressor")
    counts = np.zeros((len(devices), m.count))
    for i, device in enumerate(devices):
        np.add.at(counts[i], (cut_ins(window, [device]) - window.from_ms) // MINUTE_MS, 1)
    value = trailing_sum(counts, CYCLES_MIN) * 60 / CYCLES_MIN
    return signal_of(m, from_ms, [Part("compressor", devices, value, {"cut_ins_per_h": value})])


def unloaded_running(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Return for how long each compressor has run unloaded without a break [min]."""
    m = Minutes(window)
    value = run_length(m.in_state(*UNLOADED) >= WHOLE_MS).astype(np.float64)
    evidence = {"unloaded_min": value, "power_kw": m.mean("compressor", "power_kw")}
    return signal_of(m, from_ms, [Part("compressor", m.devices("compressor"), value, evidence)])


def overheating(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Return the hotter of discharge and oil of each compressor [deg C]."""
    m = Minutes(window)
    discharge, oil = (m.mean("compressor", f"{c}_temperature_c") for c in ("discharge", "oil"))
    evidence = {"discharge_temperature_c": discharge, "oil_temperature_c": oil,
                "power_kw": m.mean("compressor", "power_kw")}
    return signal_of(m, from_ms, [Part("compressor", m.devices("compressor"), np.fmax(discharge, oil), evidence)])


def filter_clogged(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Return each filter's pressure drop at full flow, the median of 10 minutes [bar]: it goes with flow squared."""
    m = Minutes(window)
    drop = m.mean("compressor", "filter_dp_bar")
    flow = m.mean("compressor", "flow_m3_min")
    share = ratio(flow, np.broadcast_to(m.rated("compressor", "rated_flow_m3_min"), flow.shape))
    loaded = m.in_state("loaded") >= WHOLE_MS
    with np.errstate(invalid="ignore", divide="ignore"):
        full = np.where(np.isnan(share), np.where(loaded, drop, np.nan),
                        np.where(share >= FULL_FLOW, drop / np.minimum(share, 1.0) ** 2, np.nan))
    value = trailing(full, 10, 0.5, 5)
    return signal_of(m, from_ms, [
        Part("compressor", m.devices("compressor"), value, {"filter_dp_bar": drop, "flow_share": share})])


def motor_current(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Return how far the loaded current of a fixed-speed compressor is from its usual one, 1 at the limit.

    Usual is the median of the loaded minutes of the day up to ten minutes ago, by medians of ten minutes each; limits
    are +10 % and -15 %. A motor works as the pressure ratio asks, part of its current goes into its field: between the
    usual current and that times the isentropic work now over the usual work, every current is right. Minutes in which
    current and discharge pressure both stand are a frozen logger: its states go on, its gauges tell nothing.
    """
    m = Minutes(window)
    listed = window.station.listed("compressor")
    fixed = np.array([getattr(listed.get(d), "control", None) == "fixed" for d in m.devices("compressor")], np.bool_)
    loaded = (m.in_state("loaded") >= WHOLE_MS) & fixed[:, None]
    # The way to the first value of the next state is no loaded current: the mean stays among the minute's own values.
    least, most = (m.end("compressor", f"motor_current_a_{end}") for end in ("min", "max"))
    loaded &= ~_stand(m, ("motor_current_a", "discharge_pressure_bar"))
    current = np.where(loaded, np.fmin(np.fmax(m.mean("compressor", "motor_current_a"), least), most), np.nan)
    own_bar = m.mean("compressor", "discharge_pressure_bar")
    pressure = np.where(loaded, np.where(own_bar > DEAD_BAR, own_bar, m.header_bar()), np.nan)
    minute = m.times_ms // MINUTE_MS
    usual, usual_bar = _usual(current, minute), _usual(pressure, minute)
    work = isentropic_kwh_per_m3(pressure) / isentropic_kwh_per_m3(usual_bar)
    work = np.where(np.isnan(work), 1.0, work)
    above, below = current / (usual * np.maximum(work, 1.0)) - 1, current / (usual * np.minimum(work, 1.0)) - 1
    off = np.where(np.isnan(current), np.nan, np.maximum(above, 0.0) + np.minimum(below, 0.0))
    recent = np.full(current.shape, np.nan)
    for i, known in enumerate(~np.isnan(off)):
        # The last three loaded minutes, whatever lies between them: some machines are loaded for a minute at a time.
        recent[i, known] = trailing(off[i : i + 1, known], 3, 0.5, 2)[0]
    off = held(recent, HELD_MIN)
    value = np.where(off > 0, off / CURRENT_HIGH, -off / CURRENT_LOW)
    return signal_of(m, from_ms, [
        Part("compressor", m.devices("compressor"), value, {
            "motor_current_a": current, "usual_a": usual, "pressure_bar": pressure, "usual_bar": usual_bar,
            "deviation_share": off})])


def _stand(m: Minutes, gauges: Sequence[str]) -> Bools:
    """Return (compressors, minutes) whether all these gauges are known and are as they were the minute before."""
    stand = []
    for gauge in gauges:
        low, high = (m.end("compressor", f"{gauge}_{end}") for end in ("min", "max"))
        still = low == high
        still[:, 1:] &= high[:, 1:] == high[:, :-1]
        still[:, :1] = False
        stand.append(still)
    return np.asarray(np.logical_and.reduce(stand))


def _usual(values: Float64, minute: Int64) -> Float64:
    """Return (devices, minutes) the median over a day of the medians of ten minutes, up to the block before.

    Blocks are aligned to the epoch, so that it does not matter where the window begins.
    """
    block = minute // USUAL_MIN
    first = int(block[0]) if len(block) else 0
    count = int(block[-1]) - first + 1 if len(block) else 0
    medians = np.full((len(values), count), np.nan)
    minutes = np.zeros((len(values), count), np.int64)
    for k in range(count):
        inside = values[:, block == first + k]
        minutes[:, k] = (~np.isnan(inside)).sum(axis=1)
        known = minutes[:, k] > 0
        medians[known, k] = np.nanmedian(inside[known], axis=1) if known.any() else np.nan
    usual = trailing(medians, USUAL_MS // (USUAL_MIN * MINUTE_MS), 0.5, 2)
    enough = trailing_sum(minutes, USUAL_MS // (USUAL_MIN * MINUTE_MS)) >= CURRENT_MIN
    before = np.full((len(values), count + 1), np.nan)
    before[:, 1:] = np.where(enough, usual, np.nan)
    return before[:, block - first]


MACHINES: Mapping[str, Detector] = {
    **{d.__name__: Detector(d, LOOKBACK_MS, extremes=True)
       for d in (short_cycling, unloaded_running, overheating, filter_clogged)},
    "motor_current": Detector(motor_current, USUAL_MS + HOUR_MS, columns=(
        *(f"{g}_{e}" for g in ("motor_current_a", "discharge_pressure_bar") for e in ("min", "max")),
        *(f"{s}_ms" for s in MACHINE_STATE),
        *(f"{g}_{e}" for g in ("motor_current_a", "discharge_pressure_bar", "pressure_bar") for e in ("i", "ms")))),
}
