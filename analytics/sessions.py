"""Charging sessions: unbroken occupied intervals of a port."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from analytics.error_codes import error_class
from analytics.figures import round_figure
from analytics.kernels.grid import sum_per_device
from analytics.window import Runs, Window
from telemetry.channels import OCCUPIED_STATUS
from telemetry.times import MINUTE_MS, format_time

SUCCESS_KWH = 0.1
"""A session that delivers no more than this is no success (kwwhat)."""
SUCCESS_REASONS = ("", "Local", "Remote", "EVDisconnected")
"""Stop reasons that the driver meant."""
INTERRUPTING = ("Faulted", "Unavailable")
"""States that end a session against the driver's will."""


@dataclass(frozen=True, slots=True)
class Session:
    """One charging session."""

    port: str
    session_id: str | None
    """As sent by the device; None where it sends none."""
    start_ms: int
    charging_end_ms: int | None
    """When energy last flowed; None where it never did."""
    end_ms: int | None
    """None while the session is open, also while its port is silent."""
    energy_kwh: float | None
    """None where the port reports neither energy nor power."""
    peak_kw: float | None
    """Highest power value; None where none was sent."""
    charging_s: float
    idle_s: float
    """Heard occupied time without charging; time offline is neither."""
    stop_reason: str | None
    outcome: str
    """success, zero_energy, failed, interrupted, open; unknown where a closed session's energy is not measured."""
    error_code: str | None
    """The code or stop reason that `cause` is told from; None where none was sent or it was a success."""
    cause: str | None
    """Who or what a session that failed is owed to: user, vehicle, charger, grid, network; None where unknown."""
    overstay_s: float | None
    """Idle time beyond what the port's rated power allows (`allowed_idle_s`); None where that is not known."""
    overstay: str | None
    """info: within what is allowed; warning: beyond; error: twice as long or more; None where it is not known."""
    flags: tuple[str, ...]
    """`offline`: the port was silent for a part of it; `energy_unknown`."""

    @property
    def mean_kw(self) -> float | None:
        """Energy over the time of charging; None where either is missing."""
        if self.energy_kwh is None or not self.charging_s:
            return None
        return round_figure(self.energy_kwh / (self.charging_s / 3600))

    def item(self) -> dict[str, Any]:
        """Return the session as `GET /sessions` lists it."""
        return {
            "port": self.port,
            "session_id": self.session_id,
            "start": format_time(self.start_ms),
            "charging_end": format_time(self.charging_end_ms),
            "end": format_time(self.end_ms),
            "energy_kwh": self.energy_kwh,
            "peak_kw": self.peak_kw,
            "mean_kw": self.mean_kw,
            "charging_s": self.charging_s,
            "idle_s": self.idle_s,
            "stop_reason": self.stop_reason,
            "outcome": self.outcome,
            "error_code": self.error_code,
            "cause": self.cause,
            "overstay": self.overstay,
            "flags": list(self.flags),
        }


def sessions_of(window: Window) -> list[Session]:
    """Return the sessions that overlap the window, oldest first."""
    return [
        s
        for s in all_sessions(window)
        if s.start_ms < window.to_ms and (s.end_ms is None or s.end_ms > window.from_ms)
    ]


def sessions_ending(window: Window) -> list[Session]:
    """Return the sessions that end in the window, oldest first."""
    found = all_sessions(window)
    return [s for s in found if s.end_ms is not None and window.from_ms <= s.end_ms < window.to_ms]


def all_sessions(window: Window) -> list[Session]:
    """Return every session that the runs of the window tell of, oldest first.

    A session is as long as its runs reach: the window's loader hands over the runs of a session also where they lie
    before the window, and the run that ends it.
    """
    runs = window.runs.get("port")
    if runs is None or not len(runs):
        return []
    measured = _measured_ports(window)
    rated_kw = {name: device.rated_kw for name, device in window.station.listed("port").items()}
    table = _Table(
        runs, runs.device.tolist(), runs.start_ms.tolist(), runs.end_ms.tolist(), runs.in_charge.tolist(),
        runs.energy_n.tolist(), runs.peak_kw.tolist(),
    )
    found = [_session(table, group, after, measured, rated_kw) for group, after in _groups(table)]
    return sorted(found, key=lambda s: (s.start_ms, s.port))


@dataclass(frozen=True, slots=True)
class _Table:
    """Columns of the runs as lists: there are few runs, and they are walked through one by one."""

    runs: Runs
    device: list[int]
    start_ms: list[int]
    end_ms: list[int]
    in_charge: list[bool]
    energy_n: list[int]
    peak_kw: list[float]


def _groups(table: _Table) -> list[tuple[list[int], int | None]]:
    """Return the runs of each session, and the run of the same port that follows it (None: it is still open)."""
    runs, device, start, end = table.runs, table.device, table.start_ms, table.end_ms
    found: list[tuple[list[int], int | None]] = []
    group: list[int] = []
    sent_id = ""
    for i in range(len(runs)):
        last = group[-1] if group else None
        if last is not None:
            goes_on = (
                device[i] == device[last]
                and runs.state[i] in OCCUPIED_STATUS
                and (not sent_id or runs.session_id[i] in ("", sent_id))
                and (
                    start[i] <= end[last]
                    # Between the two the port was silent.
                    or (runs.state[i] == runs.state[last] and runs.session_id[i] == runs.session_id[last])
                )
            )
            if not goes_on:
                found.append((group, i if device[i] == device[last] else None))
                group, sent_id = [], ""
        if runs.state[i] in OCCUPIED_STATUS:
            group.append(i)
            sent_id = runs.session_id[i] or sent_id
    if group:
        found.append((group, None))
    return found


def allowed_idle_s(rated_kw: float) -> float:
    """Return how long a vehicle may stay without charging [s], by the rated power of the port.

    120 min up to 3.68 kW, 60 min up to 7.36 kW, 30 min below 50 kW, else 15 min (rule of sap-labs-france/ev-server).
    """
    minutes = 120 if rated_kw <= 3.68 else 60 if rated_kw <= 7.36 else 30 if rated_kw < 50 else 15
    return minutes * MINUTE_MS / 1000


def _overstay(idle_s: float, rated_kw: float | None) -> tuple[float | None, str | None]:
    if rated_kw is None:
        return None, None
    allowed_s = allowed_idle_s(rated_kw)
    level = "info" if idle_s < allowed_s else "warning" if idle_s < 2 * allowed_s else "error"
    return max(0.0, idle_s - allowed_s), level


def _session(
    table: _Table, group: list[int], after: int | None, measured: frozenset[str], rated_kw: Mapping[str, float | None]
) -> Session:
    runs, start, end = table.runs, table.start_ms, table.end_ms
    charging = [i for i in group if table.in_charge[i]]
    charging_ms = sum(end[i] - start[i] for i in charging)
    occupied_ms = sum(end[i] - start[i] for i in group)
    peaks = [table.peak_kw[i] for i in group if not math.isnan(table.peak_kw[i])]
    energy_n = sum(table.energy_n[i] for i in group)
    port = runs.devices[table.device[group[0]]]
    known = energy_n != 0 or port in measured
    energy_kwh = round_figure(energy_n / 1e9) if known else None
    reason = _stop_reason(runs, group, after)
    offline = any(start[b] > end[a] for a, b in pairwise(group))
    outcome = _outcome(None if after is None else runs.state[after], reason, energy_kwh)
    idle_s = (occupied_ms - charging_ms) / 1000
    error_code, cause = _cause(runs, group, after, outcome, reason, offline=offline)
    overstay_s, overstay = _overstay(idle_s, rated_kw.get(port))
    return Session(
        port=port,
        session_id=next((runs.session_id[i] for i in group if runs.session_id[i]), None),
        start_ms=start[group[0]],
        charging_end_ms=end[charging[-1]] if charging else None,
        end_ms=None if after is None else end[group[-1]],
        energy_kwh=energy_kwh,
        peak_kw=round_figure(max(peaks)) if peaks else None,
        charging_s=charging_ms / 1000,
        idle_s=idle_s,
        stop_reason=reason or None,
        outcome=outcome,
        error_code=error_code,
        cause=cause,
        overstay_s=overstay_s,
        overstay=overstay,
        flags=(*(("offline",) if offline else ()), *(() if known else ("energy_unknown",))),
    )


def _stop_reason(runs: Runs, group: list[int], after: int | None) -> str:
    """Return the last reason sent in the session, or with the reading that freed the port; "" where none was."""
    sent = next((runs.stop_reason[i] for i in reversed(group) if runs.stop_reason[i]), "")
    if not sent and after is not None and runs.state[after] not in OCCUPIED_STATUS:
        return runs.stop_reason[after]
    return sent


def _outcome(state_after: str | None, stop_reason: str, energy_kwh: float | None) -> str:
    if state_after is None:
        return "open"
    if state_after in INTERRUPTING:
        return "interrupted"
    if stop_reason not in SUCCESS_REASONS:
        return "failed"
    if energy_kwh is None:
        return "unknown"
    return "success" if energy_kwh > SUCCESS_KWH else "zero_energy"


def _cause(
    runs: Runs, group: list[int], after: int | None, outcome: str, stop_reason: str, *, offline: bool
) -> tuple[str | None, str | None]:
    """Return the code that speaks for a session that was no success, and its cause; without one what can be told."""
    if outcome not in ("interrupted", "failed", "zero_energy"):
        return None, None
    said = [stop_reason, *(runs.error_code[i] for i in (*([] if after is None else [after]), *reversed(group)))]
    for code in said:
        found = error_class(code) if code else None
        if found is not None and found.failure:
            return code, found.cause
    unknown = next((code for code in said if code and error_class(code) is None), None)
    if outcome == "zero_energy":
        states = {runs.state[i] for i in group}
        told = {"SuspendedEVSE": "charger", "SuspendedEV": "vehicle"}
        tried = any(runs.in_charge[i] for i in group)
        return unknown, next((cause for state, cause in told.items() if state in states), None if tried else "user")
    return unknown, "charger" if outcome == "interrupted" else "network" if offline else None


def _measured_ports(window: Window) -> frozenset[str]:
    """Return the ports whose energy was measured at any time in the window, or flowed in a run that it tells of."""
    minutes, runs = window.minutes.get("port"), window.runs["port"]
    flowed = frozenset(runs.devices[d] for d in np.unique(runs.device[runs.energy_n != 0]).tolist())
    if minutes is None or "energy_ms" not in minutes.columns:
        return flowed
    covered_ms = sum_per_device(minutes.device, minutes.columns["energy_ms"], len(minutes.devices))
    return flowed | {d for d, ms in zip(minutes.devices, covered_ms, strict=True) if ms > 0}
