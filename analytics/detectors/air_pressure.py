"""Pressure and dew point of the air that is sold."""

from collections.abc import Mapping

import numpy as np

from analytics.detectors.air_minutes import (
    DEAD_BAR,
    LOOKBACK_MS,
    WHOLE_MS,
    Bools,
    Float64,
    Minutes,
    Part,
    run_length,
    signal_of,
    trailing,
)
from analytics.detectors.signal import Detector, Signal
from analytics.window import Window
from telemetry.channels import MACHINE_STATE

PARKED_BAR, FILLING_MIN = 1.0, 30
"""A station that stood below this without a running machine may take so long to come back to pressure [bar, min]."""
BAND_MIN = 60
"""Time over which the band of the header is taken."""


def pressure_low(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Return the header's pressure while a machine runs [bar].

    A dead gauge leaves it unknown. A station that is shut down sells no air, nor does one that fills its pipes after
    that: its pressure counts as the contract's.
    """
    m = Minutes(window)
    pressure = m.header_bar()
    contract = window.station.contract_pressure_bar
    if contract is not None:
        parked = np.nan_to_num(m.mean("air_main", "pressure_bar"), nan=np.inf).min(axis=0, initial=np.inf)
        shown = np.where(np.isfinite(parked), np.fmax(pressure, contract[0]), np.nan)
        pressure = np.where(m.working() & ~_filling(parked, m.working(), contract[0]), pressure, shown)
    value = np.broadcast_to(pressure, (len(m.devices("air_main")), m.count))
    power = np.broadcast_to(m.power_kw(), value.shape)
    return signal_of(m, from_ms, [
        Part("air_main", m.devices("air_main"), value, {"pressure_bar": value, "power_kw": power})])


def _filling(pressure: Float64, working: Bools, contract_bar: float) -> Bools:
    """Return the minutes between a shut-down station's standing and its first minute at contract pressure."""
    minute = np.arange(len(pressure))
    parked = np.maximum.accumulate(np.where((pressure < PARKED_BAR) & ~working, minute, -FILLING_MIN - 1))
    full = np.maximum.accumulate(np.where(pressure >= contract_bar, minute, -1))
    found: Bools = (parked > full) & (minute - parked <= FILLING_MIN)
    return found


def pressure_band(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Return p95 - p05 of the header's 1-minute means over an hour in which machines ran [bar]."""
    m = Minutes(window)
    pressure = np.where(m.working(), m.header_bar(), np.nan)[None]
    low, high = (trailing(pressure, BAND_MIN, q, BAND_MIN * 3 // 4) for q in (0.05, 0.95))
    shape = (len(m.devices("air_main")), m.count)
    low, high = np.broadcast_to(low, shape), np.broadcast_to(high, shape)
    evidence = {"pressure_p05_bar": low, "pressure_p95_bar": high}
    return signal_of(m, from_ms, [Part("air_main", m.devices("air_main"), high - low, evidence)])


def dew_point_high(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Return the dew point of mains and dryers while machines run [deg C]."""
    m = Minutes(window)
    parts = []
    for kind in ("air_main", "dryer"):
        value = np.where(m.working(), m.mean(kind, "dew_point_c"), np.nan)
        parts.append(Part(kind, m.devices(kind), value, {"dew_point_c": value}))
    return signal_of(m, from_ms, parts)


def branch_drop(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Return the pressure lost on the way to each customer, the median of 5 minutes [bar]; a dead gauge is unknown."""
    m = Minutes(window)
    branch = m.mean("air_meter", "pressure_bar")
    header = np.broadcast_to(m.header_bar(), branch.shape)
    drop = trailing(header - np.where(branch > DEAD_BAR, branch, np.nan), 5, 0.5, 3)
    evidence = {"pressure_bar": branch, "header_bar": header, "flow_m3_min": m.mean("air_meter", "flow_m3_min")}
    return signal_of(m, from_ms, [Part("air_meter", m.devices("air_meter"), drop, evidence)])


def dryer_off(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Return for how long every dryer has been stopped while a compressor was loaded [min].

    A standby dryer may rest; unknown where one of them sends no state.
    """
    m = Minutes(window)
    devices = m.devices("dryer")
    states = np.array([m.sums("dryer", f"{s}_ms") for s in MACHINE_STATE]).reshape(len(MACHINE_STATE), -1, m.count)
    stopped = (states[MACHINE_STATE.index("stopped")] >= WHOLE_MS).all(axis=0)
    known = (states.sum(axis=0) > 0).all(axis=0)
    loaded = (m.in_state("loaded") >= WHOLE_MS).any(axis=0)
    length = run_length((stopped & loaded)[None]).astype(np.float64)
    value = np.broadcast_to(np.where(known, length, np.nan), (len(devices), m.count))
    return signal_of(m, from_ms, [Part("dryer", devices, value, {"stopped_min": value})])


PRESSURE: Mapping[str, Detector] = {
    d.__name__: Detector(d, LOOKBACK_MS, extremes=True)
    for d in (pressure_low, pressure_band, branch_drop, dew_point_high, dryer_off)
}
