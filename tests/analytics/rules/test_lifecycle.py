from itertools import pairwise
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.rules.lifecycle import AlertState, Change, Sample, advance, next_due, step
from analytics.rules.types import Timing


class Told(NamedTuple):
    type: str
    time_ms: int


def run(timing: Timing, *samples: tuple[int, bool | None], until: int | None = None) -> list[Told]:
    state = AlertState()
    told: list[Change] = []
    for time_ms, holds in samples:
        state, changes = step(state, timing, Sample(time_ms=time_ms, holds=holds))
        told += changes
    if until is not None:
        told += advance(state, timing, until)[1]
    return [Told(c.type.removeprefix("alert."), c.time_ms) for c in told]


def test_without_delay_it_fires_and_resolves_with_the_reading() -> None:
    assert run(Timing(), (10, True), (20, True), (30, False)) == [("firing", 10), ("resolved", 30)]


def test_for_must_pass_and_the_moment_is_exact() -> None:
    timing = Timing(for_ms=100)
    assert run(timing, (10, True), (109, False), (110, True), (300, True)) == [("firing", 210)]
    assert run(timing, (10, True), until=110) == []
    assert run(timing, (10, True), until=111) == [("firing", 110)]
    # At the moment itself the sample of that time decides.
    assert run(timing, (10, True), (110, False)) == []
    assert run(timing, (10, True), (110, True)) == [("firing", 110)]


def test_keep_firing_swallows_flapping() -> None:
    timing = Timing(keep_firing_ms=50)
    assert run(timing, (0, True), (10, False), (59, True), (70, False), (119, False)) == [("firing", 0)]
    assert run(timing, (0, True), (10, False), (60, True)) == [("firing", 0)]
    assert run(timing, (0, True), (10, False), (60, False)) == [("firing", 0), ("resolved", 60)]
    assert run(timing, (0, True), (10, False), until=61) == [("firing", 0), ("resolved", 60)]


def test_unknown_ends_pending_and_keeps_firing() -> None:
    timing = Timing(for_ms=100, keep_firing_ms=50)
    assert run(timing, (0, True), (50, None), (60, True), (159, True)) == []
    assert run(timing, (0, True), (100, True), (110, None), until=10_000) == [("firing", 100)]
    # Unknown time is no time in which the condition was gone.
    told = run(timing, (0, True), (100, True), (110, False), (120, None), (200, False), until=10_000)
    assert told == [("firing", 100), ("resolved", 250)]


def test_unknown_has_its_own_beginning_and_ends_with_the_next_that_is_known() -> None:
    state, seen = AlertState(), []
    for time_ms, holds in ((0, True), (10, None), (20, None), (30, False), (40, None), (50, True)):
        state, _ = step(state, Timing(keep_firing_ms=1_000), Sample(time_ms=time_ms, holds=holds))
        seen.append((state.phase, state.unknown_ms))
    assert seen == [
        ("firing", None), ("firing", 10), ("firing", 10), ("firing", None), ("firing", 40), ("firing", None),
    ]


def test_a_correction_changes_nothing() -> None:
    state, _ = step(AlertState(), Timing(), Sample(time_ms=100, holds=True))
    assert step(state, Timing(), Sample(time_ms=99, holds=False)) == (state, ())


def test_it_never_ends_before_it_began() -> None:
    timing = Timing(for_ms=10)
    state, _ = step(AlertState(), timing, Sample(time_ms=100, holds=True))
    state, _ = advance(state, timing, 200)
    _, (change,) = step(state, timing, Sample(time_ms=105, holds=False))
    assert (change.type, change.time_ms, change.resolved_ms) == ("alert.resolved", 110, 110)


def test_episodes_of_one_millisecond_differ() -> None:
    state = AlertState()
    told: list[Change] = []
    for holds in (True, False, True, False, True):
        state, changes = step(state, Timing(), Sample(time_ms=7, holds=holds))
        told += changes
    assert [(c.type, c.since_ms, c.repeat, c.number) for c in told] == [
        ("alert.firing", 7, 0, 0), ("alert.resolved", 7, 0, 1), ("alert.firing", 7, 1, 0),
        ("alert.resolved", 7, 1, 1), ("alert.firing", 7, 2, 0),
    ]


def test_a_change_by_the_share_is_told_again() -> None:
    state = AlertState()
    told: list[Change] = []
    for time_ms, value in enumerate((4.0, 4.9, 5.0, 6.2, 6.25, 4.6)):
        state, changes = step(state, Timing(update_share=0.25), Sample(time_ms=time_ms, holds=True, value=value))
        told += changes
    assert [(c.type, c.value) for c in told] == [
        ("alert.firing", 4.0), ("alert.updated", 5.0), ("alert.updated", 6.25), ("alert.updated", 4.6),
    ]


SAMPLES = st.lists(
    st.builds(
        lambda gap, holds, value: (gap, holds, value),
        st.integers(0, 60), st.sampled_from([True, True, False, False, None]), st.sampled_from([1.0, 2.0, 2.5]),
    ),
    max_size=25,
)
TIMINGS = st.builds(
    Timing, for_ms=st.sampled_from([0, 30, 100]), keep_firing_ms=st.sampled_from([0, 30, 100]),
    update_share=st.sampled_from([None, 0.25]),
)
END = 10_000


def timed(steps: list[tuple[int, bool | None, float]]) -> list[Sample]:
    out, time_ms = [], 0
    for gap, holds, value in steps:
        time_ms += gap
        out.append(Sample(time_ms=time_ms, holds=holds, value=value))
    return out


def follow(timing: Timing, samples: list[Sample]) -> list[Change]:
    state = AlertState()
    told: list[Change] = []
    for sample in samples:
        state, changes = step(state, timing, sample)
        told += changes
    return told + list(advance(state, timing, END)[1])


@given(TIMINGS, SAMPLES, st.data())
def test_advancing_and_restarting_in_between_do_not_matter(
    timing: Timing, steps: list[tuple[int, bool | None, float]], data: st.DataObject
) -> None:
    samples = timed(steps)
    state, now = AlertState(), 0
    told: list[Change] = []
    for sample in samples:
        for to_ms in sorted(data.draw(st.lists(st.integers(now, max(now, sample.time_ms)), max_size=3))):
            state, changes = advance(state, timing, to_ms)
            told += changes
        if data.draw(st.booleans()):
            state = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=AlertState)
        state, changes = step(state, timing, sample)
        told += changes
        now = sample.time_ms
    told += advance(state, timing, END)[1]
    assert told == follow(timing, samples)


@given(TIMINGS, SAMPLES)
def test_repeating_what_is_known_does_not_matter(
    timing: Timing, steps: list[tuple[int, bool | None, float]]
) -> None:
    """A condition that is told again while it stands (a KPI each minute) changes nothing."""
    samples = timed(steps)
    dense: list[Sample] = []
    for i, sample in enumerate(samples):
        dense.append(sample)
        end = samples[i + 1].time_ms if i + 1 < len(samples) else sample.time_ms
        dense += [msgspec.structs.replace(sample, time_ms=t) for t in range(sample.time_ms, end, 7)]
    assert follow(timing, dense) == follow(timing, samples)


@given(TIMINGS, SAMPLES)
def test_episodes_are_whole(timing: Timing, steps: list[tuple[int, bool | None, float]]) -> None:
    told = follow(timing, timed(steps))
    assert [c.time_ms for c in told] == sorted(c.time_ms for c in told)
    for a, b in pairwise(told):
        if b.type == "alert.firing":
            assert a.type == "alert.resolved"
            assert b.number == 0
            assert (a.since_ms, a.repeat) != (b.since_ms, b.repeat)
        else:
            assert a.type != "alert.resolved"
            assert (b.since_ms, b.repeat, b.fired_ms, b.number) == (a.since_ms, a.repeat, a.fired_ms, a.number + 1)
    for c in told:
        assert c.fired_ms == c.since_ms + timing.for_ms
        assert c.resolved_ms == (c.time_ms if c.type == "alert.resolved" else None)


@pytest.mark.parametrize(("holds", "due"), [(True, 100), (False, None), (None, None)])
def test_next_due(holds: bool | None, due: int | None) -> None:
    timing = Timing(for_ms=100, keep_firing_ms=50)
    state, _ = step(AlertState(), timing, Sample(time_ms=0, holds=holds))
    assert next_due(state, timing) == due
    if due is not None:
        state, changes = advance(state, timing, due + 1)
        assert [c.time_ms for c in changes] == [due]
        state, _ = step(state, timing, Sample(time_ms=200, holds=False))
        assert next_due(state, timing) == 250
