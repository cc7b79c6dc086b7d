"""Scenes of a charging station, minute by minute, and what the shipped rules say to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np
from naive.windows import START_MS, buckets_of, runs_of, window_of

from analytics.alerts import Alerts
from analytics.judge import judge
from analytics.rules.load import load_rules
from analytics.window import Window
from telemetry.registry import Registry, Station

MINUTE_MS = 60_000


@dataclass(frozen=True)
class Act:
    """What a device does for some minutes; `state` None: it is silent."""

    minutes: int
    state: str | None = "Available"
    session: str = ""
    power_kw: float | None = 0.0
    register_kw: float | None = None
    """Power by the register, where it differs from the gauge."""
    gauges: Mapping[str, float | Sequence[float]] = field(default_factory=dict)
    """One value, or one per minute."""
    columns: Mapping[str, int] = field(default_factory=dict)
    """Bucket columns of the first minute."""
    run: Mapping[str, Any] = field(default_factory=dict)
    """More of its run."""


def scene(station: Station, acts: Mapping[str, Sequence[Act]], kind: str = "port") -> Window:
    """Return the window that the acts of each device make, one after another."""
    rows: dict[tuple[str, int], dict[str, int]] = {}
    runs: list[dict[str, Any]] = []
    longest = 0
    for device, played in acts.items():
        at = START_MS
        for act in played:
            if act.state is not None:
                runs.append(_play(rows, device, at, act))
            at += act.minutes * MINUTE_MS
        longest = max(longest, (at - START_MS) // MINUTE_MS)
    heard = {(kind, d): START_MS for d in acts}
    return window_of(station, longest, minutes={kind: buckets_of(rows)}, runs={kind: runs_of(runs)},
                     first_heard_ms=heard, last_heard_ms=heard)


def _play(rows: dict[tuple[str, int], dict[str, int]], device: str, at: int, act: Act) -> dict[str, Any]:
    by_register = act.power_kw if act.register_kw is None else act.register_kw
    for m in range(act.minutes):
        row = rows[device, at + m * MINUTE_MS] = {"heard_ms": MINUTE_MS, "readings": 6}
        if act.state:
            row[f"{act.state}_ms"] = MINUTE_MS
        if act.state == "Charging":
            row["in_charge_ms"] = MINUTE_MS
        gauges = dict(act.gauges) if act.power_kw is None else {"power_kw": act.power_kw, **act.gauges}
        for name, given in gauges.items():
            value = given if isinstance(given, int | float) else given[m]
            row[f"{name}_i"], row[f"{name}_ms"] = round(value * 1e6) * MINUTE_MS, MINUTE_MS
        if by_register is not None:
            row["energy_n"], row["energy_ms"] = round(by_register / 60 * 1e9), MINUTE_MS
        if m == 0:
            row.update(act.columns)
    return {
        "device": device, "start_ms": at, "end_ms": at + act.minutes * MINUTE_MS, "state": act.state,
        "session_id": act.session, "energy_n": round((by_register or 0.0) / 60 * 1e9 * act.minutes), **act.run,
    }


def as_of(window: Window, from_ms: int, to_ms: int, runs_from_ms: int) -> Window:
    """Return what was known of a scene at `to_ms`, as the loader gives it."""
    minutes = {
        k: rows.take((rows.start_ms >= from_ms) & (rows.start_ms < to_ms)) for k, rows in window.minutes.items()
    }
    runs = {}
    for kind, r in window.runs.items():
        kept = [
            {"device": r.devices[r.device[i]], "start_ms": int(r.start_ms[i]), "end_ms": min(int(r.end_ms[i]), to_ms),
             "state": r.state[i], "session_id": r.session_id[i], "stop_reason": r.stop_reason[i],
             # Of a run that goes on only what has come so far.
             "energy_n": int(r.energy_n[i]) * int(min(r.end_ms[i], to_ms) - r.start_ms[i])
             // int(r.end_ms[i] - r.start_ms[i])}
            for i in range(len(r)) if r.start_ms[i] < to_ms
            and (r.end_ms[i] > runs_from_ms or r.state[i] in ("Preparing", "Charging", "SuspendedEV", "Finishing"))
        ]
        runs[kind] = runs_of(kept) if kept else replace(runs_of([{
            "device": d, "start_ms": 0, "end_ms": 1, "state": ""} for d in r.devices]))
    return replace(window, minutes=minutes, runs=runs, from_ms=from_ms, to_ms=to_ms, now_ms=to_ms)


def told(window: Window, step: int = 1) -> list[tuple[str, str | None, str, int]]:
    """Return (rule, device, firing or resolved, minute) of every transition, judged `step` minutes at a time."""
    registry = Registry({"s": window.station})
    alerts = Alerts(load_rules(), registry)
    length = (window.to_ms - window.from_ms) // MINUTE_MS
    for m in range(0, length, step):
        from_ms, to_ms = START_MS + m * MINUTE_MS, START_MS + min(m + step, length) * MINUTE_MS

        def load(
            since_ms: int, until_ms: int, *, extremes: bool = False, runs_from_ms: int | None = None,
            columns: tuple[str, ...] = (),
        ) -> Window:
            assert not extremes
            return as_of(window, since_ms, until_ms, since_ms if runs_from_ms is None else runs_from_ms)

        judge(alerts, window.station, "s", load, from_ms, to_ms)
    made = alerts.take_transitions()
    msgspec.json.encode(made)  # what cannot be written would end the role
    out = [(t.rule, t.device, t.state, (t.time_ms - START_MS) // MINUTE_MS) for t in made]
    return sorted(out, key=lambda t: (t[3], t[0], t[1] or ""))


def fired(window: Window) -> dict[str, int]:
    """Return rule -> minute in which it first fired; the same however the minutes are cut into pieces."""
    long = window.to_ms - window.from_ms > 300 * MINUTE_MS
    one_by_one = told(window, 60 if long else 1)
    assert told(window, 17) == one_by_one
    assert told(window, 10_000) == one_by_one
    found: dict[str, int] = {}
    for rule, _, state, minute in one_by_one:
        if state == "firing":
            found.setdefault(rule, minute)
    return found


def ramp(first: float, last: float, n: int) -> list[float]:
    """Return n values from the first to the last."""
    return np.linspace(first, last, n).tolist()
