"""States that do not fit what the port does: waiting without a transaction, no power, power while free."""

import numpy as np

from analytics.detectors.minutes import FULL_MS, minutes_of, number, streak
from analytics.detectors.signal import Signal
from analytics.detectors.stays import minutes_since, stretches
from analytics.kernels.states import CHARGING_KW
from analytics.sessions import SUCCESS_KWH
from analytics.window import Runs, Window
from telemetry.channels import OCCUPIED_STATUS


def waiting(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Find how long a port has been Preparing, Reserved or Finishing without a transaction [min].

    A transaction is a `session_id`. Finishing counts only after a stay without energy: a car that stays after
    charging is no stuck state.
    """
    minutes = minutes_of(window, "port")
    runs = window.runs.get("port")
    value = np.zeros(minutes.shape)
    if runs is not None:
        chosen = np.array([
            state in ("Preparing", "Reserved", "Finishing") and not session and not _delivered(runs, i)
            for i, (state, session) in enumerate(zip(runs.state, runs.session_id, strict=True))
        ], np.bool_)
        value = minutes_since(minutes, runs.devices, stretches(runs, chosen).tolist())
    return minutes.signal(value, from_ms, lambda i, j: {"waiting_min": number(value[i, j])})


def _delivered(runs: Runs, at: int) -> bool:
    """Return whether a Finishing run follows energy in the same stay."""
    if runs.state[at] != "Finishing":
        return False
    energy_n = int(runs.energy_n[at])
    while at > 0 and runs.device[at - 1] == runs.device[at] and runs.state[at - 1] in OCCUPIED_STATUS and (
        runs.end_ms[at - 1] >= runs.start_ms[at]
    ):
        at -= 1
        energy_n += int(runs.energy_n[at])
    return energy_n > SUCCESS_KWH * 1e9


def charging_without_power(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Find for how many minutes in a row a port was Charging with less than 50 W."""
    minutes = minutes_of(window, "port")
    power = minutes.power_kw()
    value = streak((minutes.sums("Charging_ms") >= FULL_MS) & (power < CHARGING_KW)).astype(np.float64)
    return minutes.signal(value, from_ms, lambda i, j: {"power_kw": number(power[i, j]), "minutes": int(value[i, j])})


def power_while_available(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Find the mean power of a port in minutes in which it was Available throughout [kW].

    Of the gauge alone: a register that is read seldom spreads the energy of a session beyond its end.
    """
    minutes = minutes_of(window, "port")
    free = minutes.sums("Available_ms") >= FULL_MS
    value = np.where(free, minutes.mean("power_kw"), 0.0)
    return minutes.signal(value, from_ms, lambda i, j: {"power_kw": number(value[i, j])})
