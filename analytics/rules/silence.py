"""Silence of devices and of stations: many devices silent together are one alert, not many.

While every device of a group is offline, the station's rule holds and the rules of the devices are explained by it
(unknown). When the first of them is heard again, the others have their own time limit from then on before they
count as offline themselves.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from analytics.rules.lifecycle import Sample

MIN_TOGETHER = 2
"""The silence of a single device is that device's alert."""


class SilenceState(msgspec.Struct, frozen=True, kw_only=True):
    """A group of devices; encode it with msgspec to keep it over a restart."""

    offline: Mapping[str, int | None] = {}
    """Every device that was ever heard -> since when it is offline [ms], None while it is online."""
    together: bool = False
    """Whether all are offline."""
    excused: Mapping[str, int] = {}
    """Device that was offline when the group came back -> when it counts as offline itself [ms]."""


class SilenceSample(msgspec.Struct, frozen=True, kw_only=True):
    """A sample for the lifecycle of one device's rule, or of the station's."""

    device: str | None
    """None: the rule of the station."""
    sample: Sample


def silence_step(
    state: SilenceState, device: str, time_ms: int, *, offline: bool, offline_after_ms: Mapping[str, int]
) -> tuple[SilenceState, tuple[SilenceSample, ...]]:
    """Take the news that a device went offline (or is heard) at `time_ms`; give them in order of time.

    Parameters
    ----------
    state
        The group before; `SilenceState()` for a new one.
    device
        One of the group; a new one joins it.
    time_ms
        Went offline: last message + its limit, or the time of presence 0. Heard: the time of the reading.
    offline
        Which of the two. News that the group already knows change nothing.
    offline_after_ms
        Device -> its limit [ms], for every device of the group.

    Returns
    -------
    tuple
        The group after, and samples for the lifecycles in order of time.
    """
    state, out = silence_advance(state, time_ms, offline_after_ms)
    if device in state.offline and (state.offline[device] is not None) == offline:
        return state, out
    devices = dict(state.offline)
    devices[device] = time_ms if offline else None
    together = len(devices) >= MIN_TOGETHER and all(since is not None for since in devices.values())
    excused = {d: due for d, due in state.excused.items() if d != device}
    more: list[SilenceSample] = []
    longest = max(offline_after_ms[d] for d in devices) if together or state.together else 0
    if together:
        excused = {}
        more.append(_sample(None, time_ms, longest, holds=True, evidence={"devices": sorted(devices)}))
        more += [_sample(d, time_ms, offline_after_ms[d], holds=None) for d in sorted(devices)]
    else:
        if state.together:
            evidence = {"devices": sorted(state.offline), "heard": device}
            more.append(_sample(None, time_ms, longest, holds=False, evidence=evidence))
            excused = {d: time_ms + offline_after_ms[d] for d, since in devices.items() if since is not None}
        more.append(_sample(device, time_ms, offline_after_ms[device], holds=offline))
    return SilenceState(offline=devices, together=together, excused=excused), out + tuple(more)


def silence_advance(
    state: SilenceState, to_ms: int, offline_after_ms: Mapping[str, int]
) -> tuple[SilenceState, tuple[SilenceSample, ...]]:
    """Let time pass: all news before `to_ms` have been given. Arguments and result as of `silence_step`."""
    due = sorted((when, device) for device, when in state.excused.items() if when < to_ms)
    if not due:
        return state, ()
    gone = {device for _, device in due}
    excused = {d: when for d, when in state.excused.items() if d not in gone}
    return msgspec.structs.replace(state, excused=excused), tuple(
        _sample(device, when, offline_after_ms[device], holds=True) for when, device in due
    )


def _sample(
    device: str | None, time_ms: int, limit_ms: int, *, holds: bool | None, evidence: Mapping[str, Any] | None = None
) -> SilenceSample:
    """Return a sample whose threshold is the limit of silence [s]; of a group: the longest of its devices."""
    return SilenceSample(device=device, sample=Sample(
        time_ms=time_ms, holds=holds, threshold=limit_ms / 1000, evidence=dict(evidence or {}),
    ))
