"""Registers and powers that cannot be: falls, energy against power, more power than the port is rated for."""

import numpy as np

from analytics.detectors.minutes import FULL_MS, minutes_of, number, rolled
from analytics.detectors.signal import Signal
from analytics.kernels.grid import ratio
from analytics.window import Window
from telemetry.times import HOUR_MS

RECENT_MIN = 60
"""A reset is told for this long [min]."""
COMPARED_MIN = 60
"""Energy and power are compared over this long [min]; more evens out what a register does between two values."""
COMPARED_KWH = 1.0
"""Less energy is not compared: the steps of the register would decide."""


def meter_reset(window: Window, from_ms: int, _to_ms: int, kind: str = "port") -> Signal:
    """Find how often the energy register began anew in the last hour.

    Falls that came back at once are no reset, and a register that begins anew with each session does so by design.
    """
    minutes = minutes_of(window, kind)
    relative = rolled(minutes.sums("energy_session_resets"), RECENT_MIN)
    resets = rolled(minutes.sums("energy_resets"), RECENT_MIN) - relative
    glitches = rolled(minutes.sums("energy_glitches"), RECENT_MIN)
    return minutes.signal(resets.astype(np.float64), from_ms, lambda i, j: {
        "resets_in_1h": int(resets[i, j]), "session_resets_in_1h": int(relative[i, j]),
        "glitches_in_1h": int(glitches[i, j]),
    }, silent=True)


def meter_mismatch(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Find the difference of register and integrated power over the last hour, as a share of the larger of both.

    Of minutes in which both are known throughout. Unknown below 1 kWh.
    """
    minutes = minutes_of(window, "port")
    both = (minutes.sums("power_kw_ms") >= FULL_MS) & (minutes.sums("energy_ms") >= FULL_MS)
    register = rolled(np.where(both, minutes.sums("energy_n"), 0), COMPARED_MIN) / 1e9
    integral = rolled(np.where(both, minutes.sums("power_kw_i"), 0), COMPARED_MIN) / 1e6 / HOUR_MS
    larger = np.maximum(register, np.abs(integral))
    enough = larger >= COMPARED_KWH
    value = np.where(enough, ratio(np.abs(register - integral), np.where(enough, larger, 0.0)), np.nan)
    return minutes.signal(value, from_ms, lambda i, j: {
        "register_kwh": number(register[i, j]), "integrated_power_kwh": number(integral[i, j]), "minutes": COMPARED_MIN,
    })


def impossible_power(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Find the mean power of each minute, of gauge or register whichever is more, over the rated power."""
    minutes = minutes_of(window, "port")
    booked_n = np.where(minutes.sums("energy_estimated_n") == 0, minutes.sums("energy_n"), 0)
    gauge, register = minutes.mean("power_kw"), booked_n / 1e9 * 60
    power = np.fmax(gauge, register)
    value = power / minutes.numbers("rated_kw")
    return minutes.signal(value, from_ms, lambda i, j: {
        "power_kw": number(gauge[i, j]), "register_kw": number(register[i, j]),
        "rated_kw": number(power[i, j] / value[i, j]),
    })
