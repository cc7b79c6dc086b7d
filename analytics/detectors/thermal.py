"""Ports that are too hot, and ports that give less because they are hot."""

import numpy as np

from analytics.detectors.minutes import FULL_MS, Bools, minutes_of, number, streak
from analytics.detectors.signal import Float64, Signal
from analytics.window import Window

IMPLAUSIBLE_C = 150.0
"""No part of a port that still reports is hotter."""
JUMP_C = 40.0
"""Nothing warms by so much from one minute to the next: a sensor has failed."""
REDUCED = 0.8
WARMER_C = 3.0
"""Rise since charging began that makes less power a matter of heat [K]."""
HOT_C = 45.0
"""Below this nothing gives less for its heat: a car that tapers while a cool port still warms up is no fault."""
COOLING_MIN, COOLING_C = 5, 0.5
"""A port that has lost more than this since then cools down [min, K]."""
TAPER_SOC_PCT = 80.0
"""From here on cars take less by themselves."""


def _plausible(temperature_c: Float64) -> Float64:
    jump = np.abs(np.diff(temperature_c, axis=1, prepend=temperature_c[:, :1]))
    wrong: Bools = (temperature_c > IMPLAUSIBLE_C) | (jump > JUMP_C)
    return np.where(wrong, np.nan, temperature_c)


def over_temperature(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Find the mean temperature of each minute [C]; unknown where a sensor shows what cannot be."""
    minutes = minutes_of(window, "port")
    value = _plausible(minutes.mean("temperature_c"))
    return minutes.signal(value, from_ms, lambda i, j: {"temperature_c": number(value[i, j])})


def derating(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Find for how many minutes in a row a port gave less than 0.8 of its best while it was hot and did not cool.

    Its best: the highest power of the same unbroken charging within the look-back. A car that tapers does not count:
    from 80 % on, or where the port cools down as it takes less, or is not hot yet.
    """
    minutes = minutes_of(window, "port")
    power, offered = minutes.power_kw(), minutes.mean("offered_kw")
    temperature = _plausible(minutes.mean("temperature_c"))
    charging = minutes.sums("in_charge_ms") >= FULL_MS
    best, coolest_c = _so_far(np.where(charging, power, np.nan), temperature)
    before = np.full(temperature.shape, np.nan)
    before[:, COOLING_MIN:] = temperature[:, :-COOLING_MIN]
    hot = (temperature > np.fmax(coolest_c + WARMER_C, HOT_C)) & (temperature > before - COOLING_C)
    holds = charging & (power < REDUCED * best) & hot & ~(minutes.mean("soc_pct") >= TAPER_SOC_PCT)
    value = streak(holds).astype(np.float64)
    return minutes.signal(value, from_ms, lambda i, j: {
        "power_kw": number(power[i, j]), "best_power_kw": number(best[i, j]), "offered_kw": number(offered[i, j]),
        "temperature_c": number(temperature[i, j]), "coolest_c": number(coolest_c[i, j]),
    })


def _so_far(power: Float64, temperature: Float64) -> tuple[Float64, Float64]:
    """Return the highest power and the lowest temperature since charging began; NaN while it does not."""
    best, coolest = np.full(power.shape, np.nan), np.full(power.shape, np.nan)
    high, low = np.full(len(power), np.nan), np.full(len(power), np.nan)
    for j in range(power.shape[1]):
        charging = ~np.isnan(power[:, j])
        high = np.where(charging, np.fmax(high, power[:, j]), np.nan)
        low = np.where(charging, np.fmin(low, temperature[:, j]), np.nan)
        best[:, j], coolest[:, j] = high, low
    return best, coolest
