"""A machine that takes more energy than its own past says, at the same flow and pressure."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from analytics.air import Float64, air_minutes
from analytics.detectors.signal import Detector, Signal
from analytics.kernels.enpi import Baseline, cusum, fit_baseline
from analytics.kpis.air import station_pressure_bar
from analytics.window import Window
from telemetry.times import DAY_MS, HOUR_MS, MINUTE_MS

LEARN_MS = 7 * DAY_MS
LEAST_HOURS = 48
"""Complete hours of work that make a baseline."""


def find(window: Window, _from_ms: int, to_ms: int) -> Signal:
    """Return, for each listed machine, the last day's energy over what its baseline of the week before expects, - 1.

    An hour counts when the machine's energy and volume are known in all its minutes and it delivered.
    """
    air = air_minutes(window)
    network_bar = station_pressure_bar(air)
    hour = (air.times_ms - window.from_ms) // HOUR_MS
    hours = -(-(window.to_ms - window.from_ms) // HOUR_MS)
    begin = (window.to_ms - DAY_MS - window.from_ms) // HOUR_MS
    machines = tuple(sorted(window.station.listed("compressor")))
    values, coverage = np.full(len(machines), np.nan), np.zeros(len(machines))
    evidence: list[Mapping[str, Any]] = [{}] * len(machines)
    for i, machine in enumerate(machines):
        own_bar = air.means("compressor", [machine], "discharge_pressure_bar")[0]
        pressure_bar = network_bar if np.isnan(own_bar).all() else own_bar
        energy_n, energy_ms, volume_n, volume_ms = (
            air.sums("compressor", [machine], c)[0] for c in ("energy_n", "energy_ms", "volume_n", "volume_ms")
        )
        known = (energy_ms > 0) & (volume_ms > 0) & ~np.isnan(pressure_bar)

        def total(amounts: Float64, known: Any = known) -> Float64:
            return np.bincount(hour[known], amounts[known], minlength=hours).astype(np.float64)

        minutes, volume = total(np.ones(len(hour))), total(volume_n / 1e9)
        whole = (minutes == HOUR_MS // MINUTE_MS) & (volume > 0)
        energy = np.where(whole, total(energy_n / 1e9), np.nan)
        mean_bar = np.where(whole, total(pressure_bar) / np.maximum(minutes, 1), np.nan)
        coverage[i] = float(whole[:begin].sum() >= LEAST_HOURS and whole[begin:].any())
        baseline = fit_baseline(energy[:begin], volume[:begin], mean_bar[:begin]) if coverage[i] else None
        if baseline is not None:
            values[i], evidence[i] = _judge(baseline, energy, volume, mean_bar, begin)
    at = np.full(len(machines), to_ms)
    return Signal("compressor", machines, np.arange(len(machines)), at, values, coverage, evidence.__getitem__)


def _judge(
    baseline: Baseline, energy: Float64, volume: Float64, pressure_bar: Float64, begin: int
) -> tuple[float, dict[str, Any]]:
    expected = baseline.expected_kwh(volume, pressure_bar)
    used_kwh, due_kwh = float(np.nansum(energy[begin:])), float(np.nansum(expected[begin:]))
    z = (energy - expected)[begin:] / max(baseline.sigma_kwh, 0.005 * float(np.nanmean(energy)))
    value = used_kwh / due_kwh - 1.0 if due_kwh > 0 else float("nan")
    return value, {
        "energy_kwh": used_kwh, "expected_kwh": due_kwh, "cusum_max": float(cusum(z).max()),
        "kwh_per_m3": baseline.kwh_per_m3, "base_kwh_per_h": baseline.base_kwh, "kwh_per_bar": baseline.kwh_per_bar,
        "sigma_kwh": baseline.sigma_kwh,
    }


EFFICIENCY_DEGRADED = Detector(find, lookback_ms=LEARN_MS + DAY_MS, every="idle")
