"""The bucket fold in its most obvious form: plain loops over the readings of one device, integers only.

This is what the fast fold is proved against, so it is written for the eye, not for speed. Where readings of
one device share `(time_ms, seq)`, they are taken in order of their connector; of two connectors in equally
high states the first by name decides the session; while no state is known there is no session.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from naive.readings import Minutes, Reading, Run, Settings

from store.buckets import combine_of, empty_of
from telemetry.channels import KIND_BY_NAME, Role
from telemetry.times import HOUR_MS, MINUTE_MS

PORT_RANK = (
    "Faulted", "Unavailable", "Available", "Reserved", "Occupied", "Preparing", "Finishing", "SuspendedEV",
    "SuspendedEVSE", "Charging",
)
"""Of several connectors the one furthest to the right decides the state of the port."""
FREE = ("Available", "Unavailable", "Faulted", "Reserved")
"""A connector in one of these forgets its session."""
UNLOADED = ("unloaded", "loading", "unloading")
CHARGING_KW = 0.05
"""Power above this is charging where the status does not say."""
FALL_VALUES = 3
"""A fall that is back within so many later values is a glitch."""
MEASURED_MS = 6 * HOUR_MS
"""A reset takes the integral of power or flow only over intervals up to this length."""
GAUGE_FACTOR = 1e6
"""Integrals of gauges: [10^-6 unit x ms]."""
METERED = {
    "energy_kwh": ("energy", "power_kw", 1e9 / 3.6e6),
    "volume_m3": ("volume", "flow_m3_min", 1e9 / 6e4),
}
"""Register -> column stem, gauge that measures the same, and the factor from gauge x ms to 10^-9 units."""


@dataclass(slots=True)
class _Row:
    """All readings of one identity, and what the device was after it."""

    time_ms: int
    seq: int
    lane: str
    values: dict[str, float] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    online: int | None = None
    retained: bool = True
    state: str = ""
    in_charge: bool = False
    session_id: str = ""


@dataclass(slots=True)
class _Lane:
    """What one connector of a port said last."""

    status: str = ""
    power_kw: float | None = None
    session_id: str = ""


class _Value(NamedTuple):
    time_ms: int
    row: int
    """Position of its row."""
    value: float


class _Interval(NamedTuple):
    """A counted difference of a register, or a segment of power."""

    stem: str
    row: int
    """Row at which it starts."""
    total_n: int


def naive_fold(
    readings: Sequence[Reading], devices: Mapping[str, Settings]
) -> tuple[Minutes, dict[str, list[Run]]]:
    """Return minute buckets and runs of readings given in order of delivery.

    What lies after the last reading of a device is left out. A device not in `devices` has default settings.
    """
    minutes: Minutes = {}
    runs: dict[str, list[Run]] = {}
    for device in sorted({r["device"] for r in readings}):
        own = [r for r in readings if r["device"] == device]
        found, runs[device] = _Device(own, devices.get(device, Settings())).fold()
        for start_ms, columns in found.items():
            kept = {c: v for c, v in columns.items() if v != empty_of(c)}
            if kept:
                minutes[device, start_ms] = kept
    return minutes, runs


def integral(settings: Settings, factor: float, a: _Value, b: _Value, x: int) -> int:
    """Return the rounded integral of a gauge from `a` up to the time `x` within `[a, b]`."""
    dx = float(x - a.time_ms)
    if settings.integration == "hold":
        return round(factor * (a.value * dx))
    length = float(b.time_ms - a.time_ms)
    return round(factor * (a.value * dx + (b.value - a.value) * dx * dx / (2.0 * length)))


def merge(readings: Sequence[Reading]) -> list[_Row]:
    """Return one row per identity, in order of event time, without retained presence that says nothing."""
    rows: dict[tuple[int, int, str], _Row] = {}
    for r in readings:
        lane = r["codes"].get("connector", "")
        key = (r["time_ms"], r["seq"], lane)
        row = rows.setdefault(key, _Row(*key))
        row.values.update(r["values"])
        row.codes.update(r["codes"])
        row.online = row.online if r["online"] is None else r["online"]
        row.retained = row.retained and r["retained"]
    # A retained 1 is no sign of life and ends no state; a retained 0 is a death like any other.
    return [rows[key] for key in sorted(rows) if not (rows[key].retained and rows[key].online != 0)]


class _Device:
    def __init__(self, readings: Sequence[Reading], settings: Settings) -> None:
        self.kind = KIND_BY_NAME[readings[0]["kind"]]
        self.settings = settings
        self.rows = merge(readings)
        self.minutes: dict[int, dict[str, int]] = defaultdict(dict)
        self.intervals: list[_Interval] = []

    def fold(self) -> tuple[dict[int, dict[str, int]], list[Run]]:
        if self.kind.name == "port":
            self.port_states()
        else:
            self.machine_states()
        for row in self.rows:
            self.add("readings", row.time_ms, 1)
        self.lock_failures()
        for channel in self.kind.values:
            if channel.role is Role.GAUGE:
                self.points(channel.name)
            for lane in sorted({row.lane for row in self.rows}):
                if channel.role is Role.GAUGE:
                    self.gauge(channel.name, self.values(channel.name, lane))
                if channel.role is Role.REGISTER:
                    self.register(channel.name, lane)
        return self.minutes, self.runs()

    def machine_states(self) -> None:
        state = ""
        for row in self.rows:
            state = row.codes.get("state", state)
            row.state = state

    def port_states(self) -> None:
        lanes: dict[str, _Lane] = {}
        for row in self.rows:
            lane = lanes.setdefault(row.lane, _Lane())
            lane.status = row.codes.get("status", lane.status)
            lane.power_kw = row.values.get("power_kw", lane.power_kw)
            lane.session_id = row.codes.get("session_id", lane.session_id)
            by_status = any(one.status for one in lanes.values())
            if (lane.status if by_status else _state_by_power(lane)) in FREE:
                lane.session_id = ""
            power_flows = any(_state_by_power(one) == "Charging" for one in lanes.values())
            decides = _deciding(lanes, by_status=by_status)
            if decides is None:
                continue
            row.state = decides.status if by_status else _state_by_power(decides)
            if row.state in ("Faulted", "Unavailable") and not self.all_spoke(lanes):
                row.state = ""
            row.in_charge = row.state == "Charging" or (row.state == "Occupied" and power_flows)
            row.session_id = "" if row.state in ("", *FREE) else decides.session_id

    def all_spoke(self, lanes: Mapping[str, _Lane]) -> bool:
        """Whether every connector has sent a status, or the port one for itself."""
        spoke = [name for name, lane in lanes.items() if lane.status]
        return "" in spoke or len(spoke) >= self.settings.connectors

    def runs(self) -> list[Run]:
        """Count heard and state time, and return the runs with the energy that began in them."""
        out: list[Run] = []
        run_of: dict[int, int] = {}
        current: Run | None = None
        for i, (row, after) in enumerate(pairwise(self.rows)):
            gap = after.time_ms - row.time_ms
            heard = 0 if row.online == 0 else min(gap, self.settings.offline_after_ms)
            end = row.time_ms + heard
            self.span("heard_ms", row.time_ms, end)
            if row.state:
                self.span(f"{row.state}_ms", row.time_ms, end)
            if row.in_charge:
                self.span("in_charge_ms", row.time_ms, end)
            if row.online == 0:
                current = None
                continue
            same = (row.state, row.in_charge, row.session_id)
            if current is None or (current.state, current.in_charge, current.session_id) != same:
                out.append(Run(row.time_ms, row.seq, end, *same, 0))
            current = out[-1] = out[-1]._replace(end_ms=end)
            run_of[i] = len(out) - 1
            if heard < gap:
                current = None
        for interval in self.intervals:
            if interval.stem == "energy" and interval.row in run_of:
                at = run_of[interval.row]
                # A run of no length that begins as the next one does (same time, same or no `seq`) is a part of it.
                while at + 1 < len(out) and out[at + 1][:2] == out[at][:2]:
                    at += 1
                out[at] = out[at]._replace(energy_n=out[at].energy_n + interval.total_n)
        return [run for run in out if run.end_ms > run.start_ms]

    def lock_failures(self) -> None:
        """Count in which minutes a connector's lock began to fail."""
        failing: dict[str, bool] = {}
        for row in self.rows:
            code = row.codes.get("error_code")
            if code is not None and self.kind.name == "port":
                if code == "ConnectorLockFailure" and not failing.get(row.lane, False):
                    self.add("lock_failures", row.time_ms, 1)
                failing[row.lane] = code == "ConnectorLockFailure"

    def values(self, channel: str, lane: str) -> list[_Value]:
        return [
            _Value(row.time_ms, i, row.values[channel])
            for i, row in enumerate(self.rows) if row.lane == lane and channel in row.values
        ]

    def points(self, channel: str) -> None:
        """Extremes and last value of all lanes, from values whose own time lies in the minute."""
        for row in self.rows:
            if channel not in row.values:
                continue
            value = round(GAUGE_FACTOR * row.values[channel])
            self.add(f"{channel}_min", row.time_ms, value)
            self.add(f"{channel}_max", row.time_ms, value)
            columns = self.minutes[_minute(row.time_ms)]
            columns[f"{channel}_last"] = value
            columns[f"{channel}_last_ms"] = row.time_ms

    def segments(self, values: list[_Value]) -> list[tuple[_Value, _Value]]:
        return [
            (a, b) for a, b in pairwise(values)
            if 0 < b.time_ms - a.time_ms <= self.settings.offline_after_ms
        ]

    def gauge(self, channel: str, values: list[_Value]) -> None:
        for a, b in self.segments(values):
            upto = partial(integral, self.settings, GAUGE_FACTOR, a, b)
            self.spread(f"{channel}_i", a.time_ms, b.time_ms, upto)
            self.span(f"{channel}_ms", a.time_ms, b.time_ms)

    def register(self, channel: str, lane: str) -> None:
        stem, measured_by, factor = METERED.get(channel, (channel, "", 0.0))
        values = self.values(channel, lane)
        measured = self.values(measured_by, lane)
        if measured_by:
            until = values[0].time_ms if values else None
            for a, b in self.segments(measured):
                end = b.time_ms if until is None else min(b.time_ms, until)
                if end > a.time_ms:
                    self.count(stem, a.row, a.time_ms, end, partial(integral, self.settings, factor, a, b))
        n = [round(v.value * 1e9) for v in values]
        base, at = 0, 1
        while at < len(values):
            if n[at] >= n[base]:
                self.difference(stem, values[base], values[at], n[at] - n[base])
                base, at = at, at + 1
                continue
            later = range(at + 1, at + 1 + FALL_VALUES)
            back = next((k for k in later if k < len(values) and n[k] >= n[base]), None)
            if back is not None:
                self.difference(stem, values[base], values[back], n[back] - n[base])
                if measured_by:
                    self.add(f"{stem}_glitches", values[back].time_ms, 1)
                base, at = back, back + 1
                continue
            if later[-1] >= len(values):
                break
            if measured_by:
                self.add(f"{stem}_resets", values[later[-1]].time_ms, 1)
                before, after = self.rows[values[base].row], self.rows[values[at].row]
                there = [row.state not in ("", *FREE) for row in (before, after)]
                edge = (before.session_id != after.session_id or there[0] != there[1]
                        or (before.state == "Preparing" != after.state))
                if self.kind.name == "port" and edge and values[base].value <= 250:
                    self.add(f"{stem}_session_resets", values[later[-1]].time_ms, 1)
            total = None
            if measured_by and values[later[-1]].time_ms - values[base].time_ms <= MEASURED_MS:
                total = self.measured(measured, factor, values[base].time_ms, values[at].time_ms)
            if total is None:
                total = n[at] if self.plausible(stem, values[base], values[at]) else 0
            self.difference(stem, values[base], values[at], total)
            base, at = at, at + 1

    def measured(self, values: list[_Value], factor: float, start: int, end: int) -> int | None:
        """Return the integral over `[start, end]`, None where segments do not cover all of it."""
        covered = total = 0
        for a, b in self.segments(values):
            low, high = max(a.time_ms, start), min(b.time_ms, end)
            if high > low:
                covered += high - low
                upto = partial(integral, self.settings, factor, a, b)
                total += upto(high) - upto(low)
        return total if covered == end - start else None

    def plausible(self, stem: str, base: _Value, value: _Value) -> bool:
        hours = (value.time_ms - base.time_ms) / HOUR_MS
        kw, flow = self.settings.rated_kw, self.settings.rated_flow_m3_min
        per_hour = kw if stem == "energy" else None if stem != "volume" or flow is None else flow * 60
        return per_hour is not None and value.value <= 1.1 * per_hour * hours

    def difference(self, stem: str, a: _Value, b: _Value, total_n: int) -> None:
        """Spread a difference evenly over the interval between two values of a register."""
        length = b.time_ms - a.time_ms
        self.count(stem, a.row, a.time_ms, b.time_ms,
                   lambda x: total_n * (x - a.time_ms) // length if length else total_n)
        if length > self.settings.offline_after_ms and stem in ("energy", "volume"):
            self.spread(f"{stem}_estimated_n", a.time_ms, b.time_ms,
                        lambda x: total_n * (x - a.time_ms) // length)

    def count(self, stem: str, row: int, start: int, end: int, cumulative: Callable[[int], int]) -> None:
        self.spread(f"{stem}_n", start, end, cumulative)
        self.span(f"{stem}_ms", start, end)
        self.intervals.append(_Interval(stem, row, cumulative(end)))
        if stem == "energy" and self.kind.name == "compressor" and self.rows[row].state in UNLOADED:
            self.spread("energy_unloaded_n", start, end, cumulative)

    def add(self, column: str, time_ms: int, amount: int) -> None:
        columns = self.minutes[_minute(time_ms)]
        old = columns.get(column, empty_of(column))
        how = combine_of(column)
        if how == "sum":
            columns[column] = old + amount
        else:
            columns[column] = min(old, amount) if how == "min" else max(old, amount)

    def span(self, column: str, start: int, end: int) -> None:
        """Add the time `[start, end)` to the minutes in which it lies."""
        if end > start:
            self.spread(column, start, end, lambda x: x - start)

    def spread(self, column: str, start: int, end: int, cumulative: Callable[[int], int]) -> None:
        """Add differences of a cumulative (0 at `start`) to the minutes between `start` and `end`."""
        if end == start:
            self.add(column, end, cumulative(end))
            return
        done = 0
        for minute in range(_minute(start), end, MINUTE_MS):
            upto = cumulative(min(minute + MINUTE_MS, end))
            self.add(column, minute, upto - done)
            done = upto


def _minute(time_ms: int) -> int:
    return time_ms - time_ms % MINUTE_MS


def _state_by_power(lane: _Lane) -> str:
    if lane.power_kw is None:
        return ""
    return "Charging" if lane.power_kw > CHARGING_KW else "Available"


def _deciding(lanes: Mapping[str, _Lane], *, by_status: bool) -> _Lane | None:
    """Return the lane in the highest state, the first by name of several; None where no state is known."""
    best: _Lane | None = None
    best_rank = -1
    for name in sorted(lanes):
        state = lanes[name].status if by_status else _state_by_power(lanes[name])
        rank = PORT_RANK.index(state) if state else -1
        if rank > best_rank:
            best, best_rank = lanes[name], rank
    return best
