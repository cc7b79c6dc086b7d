"""Sessions that should not be: without energy again and again, without an end, two at once in one port."""

from collections.abc import Iterator

import numpy as np

from analytics.detectors.minutes import Minutes, minutes_of, number
from analytics.detectors.signal import Float64, Signal
from analytics.detectors.stays import count_of, last_of, sessions_in
from analytics.folded import LARGEST_SESSION_KWH
from analytics.sessions import SUCCESS_KWH, Session
from analytics.window import Window
from telemetry.times import DAY_MS, HOUR_MS, MINUTE_MS

LONGEST_H = 48
"""No stay is longer (Atlas validation, 2,880 min)."""
LONGEST_CHARGING_H = 24


def zero_energy_sessions(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Find how many sessions in a row, up to the last one that ended, delivered no more than 0.1 kWh."""
    minutes = minutes_of(window, "port")
    value = last_of(minutes, _in_a_row(sessions_in(window)))
    return minutes.signal(value, from_ms, lambda i, j: {"sessions_in_a_row": int(value[i, j])}, silent=True)


def _in_a_row(sessions: tuple[Session, ...]) -> Iterator[tuple[str, int, float]]:
    count: dict[str, int] = {}
    for one in sessions:
        if one.end_ms is not None and one.energy_kwh is not None:
            count[one.port] = count.get(one.port, 0) + 1 if one.energy_kwh <= SUCCESS_KWH else 0
            yield one.port, one.end_ms, float(count[one.port])


def session_over_long(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Find how far the session is beyond what is plausible: the largest of h / 48, h of charging / 24, kWh / 250."""
    minutes = minutes_of(window, "port")
    hours, charging_h, energy_kwh = (np.zeros(minutes.shape) for _ in range(3))
    ends_ms = window.from_ms + MINUTE_MS * (np.arange(minutes.shape[1]) + 1)
    place = {name: i for i, name in enumerate(minutes.devices)}
    energy_after, charging_after = _after(minutes, "energy_n"), _after(minutes, "in_charge_ms")
    for one in sessions_in(window):
        row = place.get(one.port)
        if row is None:
            continue
        end_ms = one.end_ms or window.to_ms
        first, last = np.searchsorted(ends_ms, (one.start_ms, end_ms), "right")
        # What a session had at an earlier minute is what it has now without what came since.
        now = slice(first, last)
        end = np.searchsorted(ends_ms, end_ms, "left")
        hours[row, now] = (ends_ms[now] - one.start_ms) / HOUR_MS
        charging_h[row, now] = one.charging_s / 3600 - (
            charging_after[row, now] - charging_after[row, end]
        ) / HOUR_MS
        energy_kwh[row, now] = (one.energy_kwh or 0.0) - (energy_after[row, now] - energy_after[row, end]) / 1e9
    value = np.max([hours / LONGEST_H, charging_h / LONGEST_CHARGING_H, energy_kwh / LARGEST_SESSION_KWH], axis=0)
    return minutes.signal(value, from_ms, lambda i, j: {
        "session_h": number(hours[i, j]), "charging_h": number(charging_h[i, j]),
        "energy_kwh": number(energy_kwh[i, j]),
    }, silent=True)


def _after(minutes: Minutes, column: str) -> Float64:
    """Return (devices, minutes + 1) what a column holds after each minute."""
    values = minutes.sums(column)
    later = np.cumsum(values[:, ::-1], axis=1)[:, ::-1].astype(np.float64)
    # Nothing comes after the last minute, nor beyond the window.
    return np.concatenate((later[:, 1:], np.zeros((len(values), 2))), axis=1)


def session_overlap(window: Window, from_ms: int, _to_ms: int) -> Signal:
    """Find how often in 24 h a `session_id` of a port came back after another one: two sessions at once in one port."""
    minutes = minutes_of(window, "port")
    runs = window.runs.get("port")
    events: list[tuple[str, int, float]] = []
    seen: dict[int, dict[str, None]] = {}
    for i in range(0 if runs is None else len(runs)):
        assert runs is not None  # noqa: S101 - the range is empty without runs
        device, sent = int(runs.device[i]), runs.session_id[i]
        known = seen.setdefault(device, {})
        if sent and sent in known and next(reversed(known)) != sent:
            events.append((runs.devices[device], int(runs.start_ms[i]), 1.0))
        if sent:
            known.pop(sent, None)
            known[sent] = None
    value = count_of(minutes, events, DAY_MS)
    return minutes.signal(value, from_ms, lambda i, j: {"times_in_24h": int(value[i, j])}, silent=True)
