"""Leakage from the fall of pressure while no machine delivers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.air import AirMinutes
from analytics.counted import counted
from analytics.figures import round_figure
from analytics.kernels.grid import dense
from analytics.kernels.leakage import bleed_flow, decay_flow, decay_rate
from analytics.nights import Float64, header_bar
from store.buckets import empty_of
from telemetry.channels import MACHINE_STATE
from telemetry.times import MINUTE_MS

LEAST_MIN = 5
"""Minutes of a fall; a shorter one is all cooling of the receiver and noise of the gauge."""
VOLUME_ERROR = 0.10
"""How far the stored volume may be from `receiver_m3`: pipes count too."""
REFERENCE_BAR = {"NORMAL": 1.01325 * 293.15 / 273.15, "ANR": 1.0, "FAD": 1.01325}
"""Flow reference -> pressure at which its m3 has the temperature of the receiver, taken as 20 C."""


@dataclass(frozen=True, slots=True)
class Decay:
    """What the falls of a window say."""

    leak_m3_min: float
    low: float
    high: float
    falls: int
    minutes: int
    bar_per_min: float
    """From cut-out to the next cut-in, as textbooks define it; of the fitted minutes where no whole fall is known."""
    fitted_bar_per_min: float
    """Of the minutes that the estimate is made of: without that of the cut-out, after which the air cools down."""
    pressure_bar: float
    """Mean pressure of the falls."""
    bleed_test_m3_min: float
    """The textbook's figure for the deepest fall; its factor suits a fall to half the pressure, so it is only shown."""


def pressure_decay(air: AirMinutes, idle: NDArray[np.bool_]) -> Decay | str:
    """Return the leak that the falls in idle hours show, or why there is none to see."""
    station = air.window.station
    if not station.receiver_m3:
        return "receiver_m3 is missing: set it in stations.toml"
    if station.idle_hours is None:
        return "idle_hours is missing: only without production does the pressure fall for leaks alone"
    machines = counted(air.window, "compressor")
    states = {s: air.sums("compressor", machines, f"{s}_ms") for s in MACHINE_STATE}
    known = (np.sum(list(states.values()), axis=0) > 0).all(axis=0) if machines else np.zeros(len(idle), np.bool_)
    if not known.any():
        return "the state of every compressor must be known"
    pressure = header_bar(air)
    quiet = idle & known & (states["loaded"] == 0).all(axis=0) & ~np.isnan(pressure)
    follows = np.r_[False, air.times_ms[1:] - air.times_ms[:-1] == MINUTE_MS]
    edges = np.flatnonzero(np.diff(np.r_[False, quiet, False].astype(np.int8)) | np.r_[~follows, False])
    leaks, rates, means, lengths, bleeds, whole_falls = [], [], [], [], [], []
    low_bar, high_bar = _header_ends(air)
    loaded_min = states["loaded"].max(axis=0) / MINUTE_MS
    atmosphere_bar = REFERENCE_BAR[station.flow_reference]
    for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if not quiet[a] or b - a < LEAST_MIN:
            continue
        fall = pressure[a:b]
        rate, _ = decay_rate(np.arange(float(b - a)), fall)
        mean = float(fall.mean())
        leaks.append(decay_flow(station.receiver_m3, mean, rate, atmosphere_bar))
        rates.append((fall[0] - fall[-1]) / (b - a - 1))
        means.append(mean)
        first, last = float(fall[0]), float(fall[-1])
        bleeds.append((first - last, bleed_flow(station.receiver_m3, first, last, b - a - 1.0, atmosphere_bar)))
        lengths.append(b - a)
        whole_falls += _whole_fall(air.times_ms, a, b, loaded_min, low_bar, high_bar)
    if not leaks:
        return f"no {LEAST_MIN} minutes in idle hours in which no compressor delivered"
    weight = np.array(lengths, np.float64)
    leak = float(np.average(leaks, weights=weight))
    scatter = float(np.sqrt(np.average((np.array(leaks) - leak) ** 2, weights=weight) / len(leaks)))
    half = 2 * float(np.hypot(VOLUME_ERROR / 2 * leak, scatter))
    low, value, high = (round_figure(max(0.0, v)) for v in (leak - half, leak, leak + half))
    rate, mean = (round_figure(float(np.average(v, weights=weight))) for v in (rates, means))
    whole = round_figure(float(np.mean(whole_falls))) if whole_falls else rate
    return Decay(value, low, high, len(leaks), int(weight.sum()), whole, rate, mean, round_figure(max(bleeds)[1]))


def _whole_fall(
    times_ms: NDArray[np.int64], a: int, b: int, loaded_min: Float64, low_bar: Float64, high_bar: Float64
) -> list[float]:
    """Return the fall around the quiet minutes [a, b), cut-out to cut-in [bar/min]; empty where it is cut off.

    A machine was loaded in the two minutes before and after: the cut-out lies in the one, the cut-in in the other.
    """
    if a < 2 or b + 2 > len(times_ms) or times_ms[b + 1] - times_ms[a - 2] != (b - a + 3) * MINUTE_MS:
        return []
    drop = high_bar[a - 1] - low_bar[b]
    if np.isnan(drop) or not loaded_min[[a - 2, a - 1, b, b + 1]].all():
        return []
    return [float(drop / (b - a + 2 - loaded_min[a - 1] - loaded_min[b]))]


def _header_ends(air: AirMinutes) -> tuple[Float64, Float64]:
    """Return (times,) lowest and highest pressure of the mains in each minute; NaN where they are not loaded."""
    rows = air.rows("air_main")
    found = []
    for column in ("pressure_bar_min", "pressure_bar_max"):
        empty = empty_of(column)
        table = dense(rows.device, rows.start_ms, rows.get(column), air.times_ms, len(rows.devices), empty)
        each = np.where(table == empty, np.nan, table / 1e6)
        found.append(each.mean(axis=0) if len(each) else np.full(len(air.times_ms), np.nan))
    return found[0], found[1]
