"""The native payload: JSON or MessagePack to plain values, and the two forms of a time."""

import json
from typing import Any

import msgspec

from telemetry.config import IngestConfig
from telemetry.times import EARLIEST_MS, LATEST_MS, parse_time

MSGPACK = "application/msgpack"
"""MQTT 5 content type that selects MessagePack; anything else is JSON."""

_decode_json = msgspec.json.Decoder().decode
_decode_msgpack = msgspec.msgpack.Decoder().decode
_BRACKET = ord("[")


class Unreadable(msgspec.Struct, frozen=True):
    """A payload that is neither JSON nor MessagePack."""

    reason: str
    """What is wrong with it."""


def read_payload(payload: bytes, content_type: str = "", max_nesting: int = IngestConfig().max_nesting) -> Any:
    """Return the plain value of a payload, or `Unreadable`.

    NaN, Infinity and numbers beyond 64-bit floats, which JSON does not have but devices send, are read (as
    floats that are not finite), so that they cost one value and not the whole message.
    """
    if content_type == MSGPACK:
        return _read_msgpack(payload, max_nesting)
    try:
        found = _decode_json(payload)
    except (ValueError, RecursionError) as error:
        try:
            found = json.loads(payload.decode())
        except (ValueError, RecursionError):
            return Unreadable(f"no JSON: {_words(error)}")
    # Every level takes two bytes. Nearly every longer payload is one flat object, or an array of them: a search for
    # brackets sees that much sooner than a walk over values.
    if len(payload) <= 2 * max_nesting:
        return found
    if type(found) is dict and _BRACKET not in payload and payload.find(b"{", 1) < 0:
        return found
    if type(found) is list and set(map(type, found)) == {dict}:
        brackets, braces = payload.count(b"["), payload.count(b"{")
        if brackets == 1 and braces == len(found):
            return found  # an array of flat ones
    return _bounded(found, max_nesting)


def _read_msgpack(payload: bytes, max_nesting: int) -> Any:
    try:
        found = _decode_msgpack(payload)
    except (ValueError, RecursionError) as error:
        return Unreadable(f"no MessagePack: {_words(error)}")
    return _bounded(found, max_nesting)


def _bounded(found: Any, max_nesting: int) -> Any:
    if _is_deeper(found, max_nesting):
        return Unreadable(f"nested deeper than {max_nesting}; see ingest.max_nesting")
    return found


def _is_deeper(value: Any, limit: int) -> bool:
    """Return whether arrays and objects are nested deeper than `limit`."""
    layer = [value] if type(value) in (dict, list) else []
    while layer and limit:
        limit -= 1
        layer = [
            child
            for item in layer
            for child in (item.values() if type(item) is dict else item)
            if type(child) in (dict, list)
        ]
    return bool(layer)


def read_scalar(payload: bytes) -> Any:
    """Return the value of a payload that is one value: a number, true, false, null or a text; or `Unreadable`."""
    try:
        text = payload.decode().strip()
    except UnicodeDecodeError as error:
        return Unreadable(f"no text: {error}")
    found = read_payload(text.encode())
    return found if type(found) in (int, float, bool, str, type(None)) else text


def _words(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def read_time(value: object) -> int | str:
    """Return a device's time in ms, or what is wrong with it.

    A time is an integer of ms or RFC 3339 with an offset, and lies in 2000..2100.
    """
    found = None
    if isinstance(value, str):
        if not value.lstrip("-").isdigit():
            found = parse_time(value.upper())
    else:
        found = parse_time(value)
    if found is None:
        return f"{_shown(value)} is neither an integer of milliseconds nor RFC 3339 with an offset"
    if not EARLIEST_MS <= found < LATEST_MS:
        return f"{_shown(value)} lies outside 2000..2100 (times are milliseconds since 1970)"
    return found


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
