"""What a simulator or a recording sends: one message of one device, and its topic and payload."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

PREFIX = "voltair/v1"
"""First levels of the native topics."""

_encode = msgspec.json.Encoder().encode


class Message(NamedTuple):
    """One message on its way to a broker or a file."""

    time_ms: int
    """When it leaves; this is also the event time unless the way there is disturbed."""
    topic: str
    payload: bytes
    """JSON, UTF-8, unless it was damaged on the way."""


class Reading(NamedTuple):
    """What one device measures at one moment; channels that it lacks are absent."""

    kind: str
    device: str
    values: Mapping[str, float | int | str]


def telemetry_topic(station: str, kind: str, device: str) -> str:
    """Return the native topic of a device's readings."""
    return f"{PREFIX}/{station}/{kind}/{device}/telemetry"


def online_topic(station: str, kind: str, device: str) -> str:
    """Return the native topic of a device's presence."""
    return f"{PREFIX}/{station}/{kind}/{device}/online"


def telemetry(topic: str, time_ms: int, values: Mapping[str, float | int | str]) -> Message:
    """Return a reading as a message; `ts` comes first, then the values in their order."""
    return Message(time_ms, topic, _encode({"ts": time_ms, **values}))
