"""The life of an alert: inactive -> pending -> firing -> resolved, as one pure function in event time.

A sample says from `time_ms` on whether the rule's condition holds; it stands until the next sample. The alert fires
at the moment at which the condition has held for `for`, and is resolved at the moment at which it has been gone for
`keep_firing_for`, whenever that is noticed. So it matters neither how samples are batched nor how often time is
advanced in between. At such a moment itself the sample of that time decides.

A sample older than the newest is a correction: it never changes an alert of the past.
"""

from typing import Any, Literal

import msgspec

from analytics.rules.types import Timing

ChangeType = Literal["alert.firing", "alert.updated", "alert.resolved"]

_LONG_AGO = -(2**62)


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the condition of a rule holds from a time on."""

    time_ms: int
    holds: bool | None
    """None: unknown, or explained by another alert. It ends a pending alert and keeps a firing one firing."""
    value: float | None = None
    """What was compared, in the rule's unit."""
    threshold: float | None = None
    """The limit at that time, in the rule's unit."""
    evidence: dict[str, Any] = {}
    """What a person needs to believe it; JSON values."""


class AlertState(msgspec.Struct, frozen=True, kw_only=True):
    """One rule at one device (or station); encode it with msgspec to keep it over a restart."""

    phase: Literal["inactive", "pending", "firing"] = "inactive"
    time_ms: int = _LONG_AGO
    """Time of the newest sample."""
    since_ms: int = _LONG_AGO
    """When the condition of the present (or last) episode began to hold."""
    repeat: int = 0
    """How many earlier episodes began in the same millisecond."""
    fired_ms: int = _LONG_AGO
    clear_ms: int | None = None
    """Firing: since when the condition is gone."""
    value: float | None = None
    """Of the newest sample that knew; so are `threshold` and `evidence`."""
    threshold: float | None = None
    evidence: dict[str, Any] = {}
    told: float | None = None
    """The value in the last change."""
    number: int = 0
    """Changes of this episode so far."""
    unknown_ms: int | None = None
    """Since when the condition is not known, for want of data or of coverage, or explained by another alert."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One transition of an alert, to be told to people."""

    type: ChangeType
    number: int
    """0 for the first change of the episode."""
    time_ms: int
    since_ms: int
    repeat: int
    fired_ms: int
    resolved_ms: int | None
    value: float | None
    threshold: float | None
    evidence: dict[str, Any]


def step(state: AlertState, timing: Timing, sample: Sample) -> tuple[AlertState, tuple[Change, ...]]:
    """Take one sample.

    Parameters
    ----------
    state
        The alert before; `AlertState()` for one never seen.
    timing
        `Rule.timing`.
    sample
        Samples of one time count in the order in which they are given.

    Returns
    -------
    tuple
        The alert after, and the changes in order of time.
    """
    if sample.time_ms < state.time_ms:
        return state, ()
    state, changes = advance(state, timing, sample.time_ms)
    state = msgspec.structs.replace(state, time_ms=sample.time_ms)
    if sample.holds is None:
        state = msgspec.structs.replace(
            state, unknown_ms=sample.time_ms if state.unknown_ms is None else state.unknown_ms
        )
        if state.phase == "pending":
            return msgspec.structs.replace(state, phase="inactive"), changes
        return msgspec.structs.replace(state, clear_ms=None), changes
    state = msgspec.structs.replace(
        state, value=sample.value, threshold=sample.threshold, evidence=sample.evidence, unknown_ms=None
    )
    state, more = _held(state, timing) if sample.holds else _gone(state, timing)
    return state, changes + more


def advance(state: AlertState, timing: Timing, to_ms: int) -> tuple[AlertState, tuple[Change, ...]]:
    """Let time pass: every sample before `to_ms` has been given. Return as `step` does."""
    if state.phase == "pending" and state.since_ms + timing.for_ms < to_ms:
        return _fire(state, timing)
    if state.phase == "firing" and state.clear_ms is not None and state.clear_ms + timing.keep_firing_ms < to_ms:
        return _resolve(state, state.clear_ms + timing.keep_firing_ms)
    return state, ()


def withdraw(state: AlertState) -> tuple[AlertState, tuple[Change, ...]]:
    """End an alert whose rule is gone, at the time of its newest sample. Return as `step` does."""
    if state.phase == "firing":
        return _resolve(state, state.time_ms)
    return msgspec.structs.replace(state, phase="inactive"), ()


def next_due(state: AlertState, timing: Timing) -> int | None:
    """Return the time at which the alert changes if no sample comes, None where it stays as it is."""
    if state.phase == "pending":
        return state.since_ms + timing.for_ms
    if state.phase == "firing" and state.clear_ms is not None:
        return state.clear_ms + timing.keep_firing_ms
    return None


def _held(state: AlertState, timing: Timing) -> tuple[AlertState, tuple[Change, ...]]:
    if state.phase == "inactive":
        repeat = state.repeat + 1 if state.since_ms == state.time_ms else 0
        state = msgspec.structs.replace(
            state, phase="pending", since_ms=state.time_ms, repeat=repeat, told=None, number=0
        )
    if state.phase == "pending":
        return _fire(state, timing) if state.since_ms + timing.for_ms <= state.time_ms else (state, ())
    state = msgspec.structs.replace(state, clear_ms=None)
    if (
        timing.update_share is not None
        and state.value is not None
        and state.told is not None
        and abs(state.value - state.told) >= timing.update_share * abs(state.told) > 0
    ):
        return _change(state, "alert.updated", state.time_ms)
    return state, ()


def _gone(state: AlertState, timing: Timing) -> tuple[AlertState, tuple[Change, ...]]:
    if state.phase == "pending":
        return msgspec.structs.replace(state, phase="inactive"), ()
    if state.phase == "inactive":
        return state, ()
    clear_ms = state.time_ms if state.clear_ms is None else state.clear_ms
    due = clear_ms + timing.keep_firing_ms
    state = msgspec.structs.replace(state, clear_ms=clear_ms)
    return _resolve(state, due) if due <= state.time_ms else (state, ())


def _fire(state: AlertState, timing: Timing) -> tuple[AlertState, tuple[Change, ...]]:
    fired_ms = state.since_ms + timing.for_ms
    state = msgspec.structs.replace(state, phase="firing", fired_ms=fired_ms, clear_ms=None)
    return _change(state, "alert.firing", fired_ms)


def _resolve(state: AlertState, due: int) -> tuple[AlertState, tuple[Change, ...]]:
    # A device's own reading may be older than the time to which alerts were advanced: never end before the start.
    state, changes = _change(state, "alert.resolved", max(due, state.fired_ms))
    return msgspec.structs.replace(state, phase="inactive", clear_ms=None), changes


def _change(state: AlertState, change: ChangeType, time_ms: int) -> tuple[AlertState, tuple[Change, ...]]:
    told = Change(
        type=change, number=state.number, time_ms=time_ms, since_ms=state.since_ms, repeat=state.repeat,
        fired_ms=state.fired_ms, resolved_ms=time_ms if change == "alert.resolved" else None, value=state.value,
        threshold=state.threshold, evidence=state.evidence,
    )
    return msgspec.structs.replace(state, told=state.value, number=state.number + 1), (told,)
