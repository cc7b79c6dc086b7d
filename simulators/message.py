"""What a simulator or a recording sends: one message of one device, and its topic and payload."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

PREFIX = "voltair/v1"
"""First levels of the native topics."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Message(NamedTuple):
    """One message on its way to a broker or a file."""

    time_ms: int
    """When it leaves; this is also the event time unless the way there is disturbed."""
    topic: str
    payload: bytes
    """JSON, UTF-8, unless it was damaged on the way or is of another dialect."""


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


class Address(NamedTuple):
    """What a native topic names."""

    station: str
    kind: str
    device: str
    says: str
    """`telemetry` or `online`."""


def native_address(topic: str) -> Address | None:
    """Return what a native topic names, None for others."""
    levels = topic.removeprefix(f"{PREFIX}/").split("/")
    return Address(*levels) if len(levels) == 4 and topic.startswith(PREFIX) else None


def read_elements(payload: bytes) -> list[dict[str, Any]]:
    """Return the readings of a native payload that all have a time; none where it is damaged."""
    try:
        value = _decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []
    readings = value if isinstance(value, list) else [value]
    return readings if all(isinstance(r, dict) and type(r.get("ts")) is int for r in readings) else []


def telemetry(topic: str, time_ms: int, values: Mapping[str, float | int | str]) -> Message:
    """Return a reading as a message; `ts` comes first, then the values in their order."""
    return Message(time_ms, topic, _encode({"ts": time_ms, **values}))
