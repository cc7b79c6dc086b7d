"""Hypothesis strategies: what 1 to 3 devices may send, and every way in which it may be delivered."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st
from naive.readings import Reading, Settings

from telemetry.channels import KIND_BY_NAME, KINDS, Role

START_MS = 1_732_240_000_000
"""Not the start of a minute."""
REORDER_MS = 900_000
"""A reading is delivered less than this behind its device's newest."""
OFFLINE_AFTER_MS = (60_000, 90_500, 300_000)
MAX_STEPS = 24
"""Readings of one device at most."""
KINDS_WEIGHTED = ("port",) * 5 + ("compressor",) * 2 + tuple(k.name for k in KINDS)
"""Every kind, those with states of their own more often."""
SESSIONS = ("s1", "s2", "")
ERRORS = ("ConnectorLockFailure", "ConnectorLockFailure", "NoError", "GroundFailure")
GAUGES_PER_DEVICE = 2
"""Besides power and flow, so many gauges of a device are sent at all."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Readings in order of event time per device, and the settings of the devices."""

    readings: list[Reading]
    devices: dict[str, Settings]


def reading(
    kind: str, device: str, time_ms: int, *, seq: int = -1, values: dict[str, float] | None = None,
    codes: dict[str, str] | None = None, online: int | None = None, retained: bool = False,
) -> Reading:
    """Return one reading; without values and codes a heartbeat."""
    return Reading(
        kind=kind, device=device, time_ms=time_ms, seq=seq, retained=retained, values=dict(values or {}),
        codes=dict(codes or {}), online=online,
    )


def settings() -> st.SearchStrategy[Settings]:
    """Return settings of a device, with and without ratings."""
    return st.builds(
        Settings,
        offline_after_ms=st.sampled_from(OFFLINE_AFTER_MS),
        integration=st.sampled_from(["trapezoid", "hold"]),
        rated_kw=st.sampled_from([None, 7.0, 160.0]),
        rated_flow_m3_min=st.sampled_from([None, 28.0]),
        connectors=st.sampled_from([1, 1, 2, 3]),
    )


@st.composite
def streams(draw: st.DrawFn, kinds: Sequence[str] = KINDS_WEIGHTED, max_steps: int = MAX_STEPS) -> Stream:
    """Draw 1 to 3 devices of `kinds` and what each sends; devices of one stream may have different kinds."""
    readings: list[Reading] = []
    devices: dict[str, Settings] = {}
    for n in range(draw(st.integers(1, 3), label="devices")):
        device = f"d{n}"
        devices[device] = draw(settings(), label=device)
        kind = draw(st.sampled_from(list(kinds)))
        readings += draw(device_readings(kind, device, devices[device].offline_after_ms, max_steps))
    return Stream(readings, devices)


@st.composite
def device_readings(
    draw: st.DrawFn, kind: str, device: str, offline_after_ms: int, max_steps: int = MAX_STEPS
) -> list[Reading]:
    """Draw what one device sends, in order of event time.

    Presence never shares its millisecond with another reading: which of the two came last would be a guess.
    """
    habit = _habit(draw, kind, offline_after_ms)
    time_ms, seq, after_presence = START_MS + draw(st.integers(0, 60_000)), 0, False
    out: list[Reading] = []
    for _ in range(draw(st.integers(1, max_steps), label="steps")):
        gap = draw(st.sampled_from(habit.gaps))
        presence = draw(st.sampled_from([False] * 12 + [True]))
        time_ms += max(gap, 1) if presence or after_presence else gap
        after_presence = presence
        if presence:
            online, retained = draw(st.sampled_from([(0, False), (1, False), (0, True), (1, True)]))
            out.append(reading(kind, device, time_ms, online=online, retained=retained))
            continue
        seq += draw(st.sampled_from([1, 1, 1, 0]))
        lane = draw(st.sampled_from(habit.lanes))
        values, codes = _content(draw, habit, lane)
        out.append(reading(kind, device, time_ms, seq=seq if habit.with_seq else -1, values=values, codes=codes))
    return out


@dataclass(slots=True)
class _Habit:
    """What a device has, and how it sends."""

    gaps: list[int]
    lanes: list[str]
    with_seq: bool
    gauges: list[str]
    registers: list[str]
    falls: list[str]
    """Weighted ways in which a register moves."""
    state: str
    """Channel of its state; "" where it sends none."""
    states: list[str]
    sends: list[bool]
    """Weighted: whether a channel stands in a reading."""
    sessions: bool
    errors: bool
    meters: dict[tuple[str, str], float]
    """(register, lane) -> where it stands."""


def _habit(draw: st.DrawFn, kind: str, offline_after_ms: int) -> _Habit:
    codes = {c.name: c.states for c in KIND_BY_NAME[kind].codes if c.name != "online"}
    state = next((name for name in ("status", "state") if name in codes), "")
    every = [c.name for c in KIND_BY_NAME[kind].values if c.role is Role.REGISTER]
    main = [r for r in every if r in ("energy_kwh", "volume_m3")]
    others = [r for r in every if r not in main]
    registers = draw(st.sampled_from([main, main, [], [*main, *others]])) if main else []
    lanes = draw(st.sampled_from([[""], [""], ["1", "2"], ["", "1"]])) if kind == "port" else [""]
    edges = [0, 1, 999, 61_001, offline_after_ms, offline_after_ms + 1]
    steady = [20_000, 20_000, 5_000]
    return _Habit(
        gaps=draw(st.sampled_from([steady, steady + edges, [*steady, *edges, 1_000_000, 25_000_000]])),
        lanes=lanes,
        with_seq=draw(st.booleans()),
        gauges=_gauges(draw, kind),
        registers=registers,
        falls=draw(st.sampled_from([["more", "same"], ["more", "more", "zero", "fall", "back"], ["more", "fall"]])),
        state=state if draw(st.sampled_from([True, True, True, False])) else "",
        states=draw(st.lists(st.sampled_from(codes[state]), min_size=1, max_size=4)) if state else [],
        sends=draw(st.sampled_from([[True], [True, True, True, False], [True, False]])),
        sessions="session_id" in codes and draw(st.booleans()),
        errors="error_code" in codes and draw(st.sampled_from([True, False, False])),
        meters={(r, lane): draw(_level()) for r in registers for lane in lanes},
    )


def _content(draw: st.DrawFn, habit: _Habit, lane: str) -> tuple[dict[str, float], dict[str, str]]:
    """Draw values and codes of one reading; with neither it is a heartbeat."""
    sent = st.sampled_from(habit.sends)
    codes = {"connector": lane} if lane else {}
    values: dict[str, float] = {}
    if draw(st.sampled_from([False] * 9 + [True])):
        return values, codes
    values.update({g: draw(_gauge_value()) for g in habit.gauges if draw(sent)})
    for register in habit.registers:
        if draw(sent):
            level = draw(_next_level(habit.meters[register, lane], habit.falls))
            habit.meters[register, lane] = values[register] = level
    if habit.state and draw(sent):
        codes[habit.state] = draw(st.sampled_from(habit.states))
    if habit.sessions and draw(sent):
        codes["session_id"] = draw(st.sampled_from(SESSIONS))
    if habit.errors and draw(st.sampled_from([True, False])):
        codes["error_code"] = draw(st.sampled_from(ERRORS))
    return values, codes


def _gauges(draw: st.DrawFn, kind: str) -> list[str]:
    """Draw the gauges that the device has: the one that measures like its register, and a few more."""
    every = [c.name for c in KIND_BY_NAME[kind].values if c.role is Role.GAUGE]
    main = [g for g in every if g in ("power_kw", "flow_m3_min")]
    others = [g for g in every if g not in main]
    few = draw(st.lists(st.sampled_from(others), unique=True, max_size=GAUGES_PER_DEVICE)) if others else []
    return [g for g in main if draw(st.sampled_from([True, True, False]))] + few


def _gauge_value() -> st.SearchStrategy[float]:
    return st.one_of(
        st.sampled_from([0.0, 0.05, 0.0500001, 6.9, -3.25, 155.5]),
        st.floats(-200, 200).map(lambda v: round(v, 3)),
    )


def _level() -> st.SearchStrategy[float]:
    """Return where a register stands at first."""
    return st.sampled_from([0.0, 1.5, 10_234.51, 8_999_999_999.0])


@st.composite
def _next_level(draw: st.DrawFn, level: float, ways: Sequence[str]) -> float:
    """Draw the next value of a register: mostly more, at times a fall (reset, or glitch that comes back)."""
    how = draw(st.sampled_from(list(ways)))
    if how == "zero":
        return 0.0
    if how == "fall":
        return round(level * draw(st.sampled_from([0.999999, 0.5, 0.001])), 6)
    if how == "back":
        return min(level + 2_000.0, 9.0e9)
    step = 0.0 if how == "same" else draw(st.sampled_from([0.000001, 0.01, 0.3, 1.7, 12.0]))
    return min(round(level + step, 6), 9.0e9)


@st.composite
def delayed(draw: st.DrawFn, readings: Sequence[Reading], limit_ms: int = REORDER_MS) -> list[Reading]:
    """Draw an order of delivery in which each reading is less than `limit_ms` behind its device's newest."""
    delays = draw(st.lists(st.integers(0, limit_ms - 1), min_size=len(readings), max_size=len(readings)))
    order = sorted(range(len(readings)), key=lambda i: (readings[i]["time_ms"] + delays[i], i))
    return [readings[i] for i in order]


@st.composite
def duplicated(draw: st.DrawFn, readings: Sequence[Reading]) -> list[Reading]:
    """Draw redeliveries: each reading stands once or more, the copies right after it."""
    copies = draw(st.lists(st.sampled_from([1, 1, 1, 2, 3]), min_size=len(readings), max_size=len(readings)))
    return [r for r, n in zip(readings, copies, strict=True) for _ in range(n)]


@st.composite
def batches(draw: st.DrawFn, readings: Sequence[Reading]) -> list[list[Reading]]:
    """Draw a split into consecutive batches, none of them empty."""
    cuts = draw(st.sets(st.integers(1, max(1, len(readings) - 1)), max_size=6))
    edges = [0, *sorted(c for c in cuts if c < len(readings)), len(readings)]
    return [list(readings[a:b]) for a, b in pairwise(edges) if b > a]


@st.composite
def deliveries(draw: st.DrawFn, stream: Stream) -> list[list[Reading]]:
    """Draw a delivery of a stream: late, repeated and in batches."""
    return draw(batches(draw(delayed(draw(duplicated(stream.readings))))))
