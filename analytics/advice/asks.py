"""What vehicles have asked for: departure and energy, as their ports said it in the present session."""

import numpy as np

from analytics.advice.ordered import Ask
from analytics.sessions import Session, all_sessions
from analytics.window import Window
from store.buckets import Buckets, empty_buckets
from store.state import DeviceTable


def first_start_ms(window: Window) -> int | None:
    """Return when the oldest open session began; None where there is none."""
    return min((s.start_ms for s in all_sessions(window) if s.end_ms is None), default=None)


def asks_of(window: Window, ports: DeviceTable, day: Window) -> dict[str, Ask]:
    """Return port -> what its vehicle has asked for; ports without an open session are left out.

    `requested_kwh` is what the vehicle wants when the value is said for the first time in the session: saying it
    again renews nothing. So a port may send it once, repeat it, or count it down to what is still missing.

    Parameters
    ----------
    window
        The last minutes with the runs of the present sessions.
    ports
        The last values of the ports.
    day
        Minutes since the oldest open session began, at most a day, with `requested_kwh` and energy.
    """
    found = {}
    minutes = day.minutes.get("port", empty_buckets())
    row = {name: i for i, name in enumerate(ports.names)}
    for session in all_sessions(window):
        if session.end_ms is None and session.port in row:
            departure, requested = (
                _said(ports, row[session.port], channel, session.start_ms) for channel in ("departure", "requested_kwh")
            )
            found[session.port] = Ask(departure, requested - _delivered_kwh(minutes, session, requested))
    return found


def _said(ports: DeviceTable, row: int, channel: str, since_ms: int) -> float:
    """Return the last value of a channel; NaN where it is older than the session."""
    column = ports.channels.index(channel)
    said = ports.arrays["last_ms"][row, column] >= since_ms
    return float(ports.arrays["last"][row, column]) if said else np.nan


def _delivered_kwh(minutes: Buckets, session: Session, requested_kwh: float) -> float:
    """Return the energy since the session's request was first said as it is now; NaN where it is not measured."""
    if session.energy_kwh is None:
        return np.nan
    if session.port not in minutes.devices:
        return session.energy_kwh
    own = (minutes.device == minutes.devices.index(session.port)) & (minutes.start_ms >= session.start_ms)
    known = own & (minutes.get("requested_kwh_ms") > 0)
    mean = minutes.get("requested_kwh_i")[known] / minutes.get("requested_kwh_ms")[known]
    other_ms = minutes.start_ms[known][np.abs(mean - requested_kwh * 1e6) > 1]
    if not len(other_ms):
        return session.energy_kwh
    return float(minutes.get("energy_n")[own & (minutes.start_ms > other_ms[-1])].sum()) / 1e9
