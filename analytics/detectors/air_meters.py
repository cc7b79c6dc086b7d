"""Meters of an air station that run backwards, begin anew, or contradict the machines' power."""

from collections.abc import Mapping

import numpy as np

from analytics.detectors.air_minutes import (
    LOOKBACK_MS,
    WHOLE_MS,
    Float64,
    Minutes,
    Part,
    signal_of,
    trailing_sum,
)
from analytics.detectors.signal import Detector, Signal
from analytics.window import Window

SOME_FLOW, NO_POWER, SOME_POWER = 0.05, 0.02, 0.2
"""Shares of the rated values."""
FALLING_BAR_MIN = 0.01
"""A header that falls faster feeds the flow from the receiver."""
BACKWARDS = 0.01
"""Share of the greatest flow that a meter at zero may show backwards, but at least 0.05 m3/min."""
RESETS_MIN = 30
REVERSED = 3
"""Resets in that time that are a register which counts backwards."""


def flow_without_power(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Return the flow of a compressor, or of the mains, while no machine behind it draws power, else 0 [m3/min]."""
    m = Minutes(window)
    power, flow = m.mean("compressor", "power_kw"), m.mean("compressor", "flow_m3_min")
    rated_kw, rated_flow = m.rated("compressor", "rated_kw"), m.rated("compressor", "rated_flow_m3_min")
    with np.errstate(invalid="ignore"):
        alone = np.where((flow > SOME_FLOW * rated_flow) & (power < NO_POWER * rated_kw), flow, 0.0)
        alone = np.where(np.isnan(flow) | np.isnan(power), np.nan, alone)
        all_off = (power < NO_POWER * rated_kw).all(axis=0) & bool(len(power))
        main = m.mean("air_main", "flow_m3_min")
        slope = np.r_[np.zeros(min(5, m.count)), (m.header_bar()[5:] - m.header_bar()[:-5]) / 5]
        steady = np.nan_to_num(slope) > -FALLING_BAR_MIN
        of_main = np.where((main > SOME_FLOW * m.rated("air_main", "rated_flow_m3_min")) & all_off & steady, main, 0.0)
    of_main = np.where(np.isnan(main) | np.isnan(power).any(axis=0), np.nan, of_main)
    return signal_of(m, from_ms, [
        Part("compressor", m.devices("compressor"), alone, {"flow_m3_min": flow, "power_kw": power}),
        Part("air_main", m.devices("air_main"), of_main, {"flow_m3_min": main}),
    ])


def power_without_flow(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Return the power of a compressor that is loaded and delivers nothing, else 0 [kW]."""
    m = Minutes(window)
    power, flow = m.mean("compressor", "power_kw"), m.mean("compressor", "flow_m3_min")
    rated_kw, rated_flow = m.rated("compressor", "rated_kw"), m.rated("compressor", "rated_flow_m3_min")
    with np.errstate(invalid="ignore"):
        wasted = (m.in_state("loaded") >= WHOLE_MS) & (flow < SOME_FLOW * rated_flow) & (power > SOME_POWER * rated_kw)
    value = np.where(np.isnan(flow) | np.isnan(power), np.nan, np.where(wasted, power, 0.0))
    return signal_of(m, from_ms, [
        Part("compressor", m.devices("compressor"), value, {"flow_m3_min": flow, "power_kw": power})])


def _resets(m: Minutes, kind: str) -> Float64:
    return trailing_sum(m.sums(kind, "volume_resets") + m.sums(kind, "energy_resets"), RESETS_MIN)


def meter_reversal(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Return the flow that a meter shows backwards, or its flow while its register falls again and again [m3/min]."""
    m = Minutes(window)
    parts = []
    for kind in ("air_main", "air_meter", "compressor"):
        flow = m.mean(kind, "flow_m3_min")
        size = np.nan_to_num(np.abs(flow)).max(axis=1, keepdims=True, initial=0.0)
        resets = _resets(m, kind)
        with np.errstate(invalid="ignore"):
            value = np.where(flow < -np.maximum(BACKWARDS * size, 0.05), -flow, 0.0)
        value = np.where(resets >= REVERSED, np.fmax(np.abs(np.nan_to_num(flow)), 0.01), value)
        parts.append(Part(kind, m.devices(kind), value, {"flow_m3_min": flow, "register_falls": resets}))
    return signal_of(m, from_ms, parts)


def meter_reset(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Return how often registers began anew in half an hour; 0 where it is so often that they count backwards."""
    m = Minutes(window)
    parts = []
    for kind in ("air_main", "air_meter", "compressor", "dryer", "auxiliary"):
        resets = _resets(m, kind)
        value = np.where(resets < REVERSED, resets, 0.0)
        parts.append(Part(kind, m.devices(kind), value, {"resets": value}))
    return signal_of(m, from_ms, parts)


METERS: Mapping[str, Detector] = {
    d.__name__: Detector(d, LOOKBACK_MS, extremes=True)
    for d in (flow_without_power, power_without_flow, meter_reversal, meter_reset)
}
