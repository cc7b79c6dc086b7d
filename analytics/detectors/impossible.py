"""An efficiency that physics does not allow: a meter is wrong, or counts in another state than is declared."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from analytics.air import air_minutes, to_state
from analytics.detectors.minutes import number
from analytics.detectors.signal import Detector, Signal
from analytics.kernels.flow import INLET
from analytics.kernels.grid import ratio
from analytics.kernels.thermo import isentropic_kwh_per_m3, isothermal_kwh_per_m3
from analytics.kpis.air import station_pressure_bar
from analytics.window import Window
from telemetry.times import MINUTE_MS

WIDTH_MIN = 10
"""Ratios are those of the last minutes: stored air moves energy and flow apart for a while."""


def find(window: Window, from_ms: int, to_ms: int) -> Signal:
    """Return the station's isentropic efficiency over the ten minutes before the end of each minute."""
    air = air_minutes(window)
    pressure_bar = station_pressure_bar(air)
    known = air.balance_known & ~np.isnan(pressure_bar)
    inlet_m3 = air.supply.amount_n.sum(axis=0) / 1e9 * to_state(window.station, INLET)
    used_kwh = air.energy.amount_n.sum(axis=0) / 1e9
    at = (air.times_ms - window.from_ms) // MINUTE_MS
    values = np.zeros((5, (window.to_ms - window.from_ms) // MINUTE_MS + 1))
    isentropic, isothermal = isentropic_kwh_per_m3(pressure_bar), isothermal_kwh_per_m3(pressure_bar)
    for row, amounts in enumerate((isentropic * inlet_m3, used_kwh, inlet_m3, isothermal * inlet_m3, known)):
        values[row, at + 1] = np.where(known, amounts, 0.0)
    ends = np.arange((from_ms - window.from_ms) // MINUTE_MS + 1, values.shape[1])
    sums = np.cumsum(values, axis=1)
    work, energy, volume, least, minutes = sums[:, ends] - sums[:, np.maximum(ends - WIDTH_MIN, 0)]
    # Sums of floats leave a rest where nothing was used.
    efficiency = ratio(work, np.where(energy > 1e-6, energy, 0.0))
    time_ms = window.from_ms + ends * MINUTE_MS

    def explain(row: int) -> Mapping[str, Any]:
        return {
            "kwh_per_m3_inlet": number(energy[row] / volume[row]),
            "isentropic_kwh_per_m3": number(work[row] / volume[row]),
            "isothermal_kwh_per_m3": number(least[row] / volume[row]), "window_min": WIDTH_MIN,
        }

    zeros = np.zeros(len(ends), np.int64)
    chosen = time_ms <= to_ms
    return Signal("", ("",), zeros[chosen], time_ms[chosen], efficiency[chosen], minutes[chosen] / WIDTH_MIN, explain)


IMPOSSIBLE_EFFICIENCY = Detector(find, lookback_ms=WIDTH_MIN * MINUTE_MS)
