"""What decoders remember of devices whose messages lean on those before them; it can be kept over a restart."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")

DEVICES_MAX = 100_000
"""Devices that one decoder remembers at a time."""
KEPT_BYTES = 65_536
"""A device of which more is remembered is remembered in this life only."""

Kept = dict[str, bytes | None]
"""What changed: key -> body, None where there is nothing to keep any more."""


class Remembered(Generic[T]):
    """One decoder's memory: plain values (or structs of them) by the names that tell devices apart."""

    def __init__(self, name: str, type_: type[T], new: Callable[[], T]) -> None:
        """Prepare an empty memory.

        Parameters
        ----------
        name
            Which decoder: the same in every life, different from all others.
        type_
            Of what is remembered of one device.
        new
            Makes what is known of a device that speaks for the first time.
        """
        self._name = name
        self._new = new
        self._decode = msgspec.msgpack.Decoder(type_).decode
        self._of: dict[tuple[str, ...], T] = {}
        self._touched: set[tuple[str, ...]] = set()
        self._kept: dict[tuple[str, ...], int] = {}
        """Device -> hash of the body that is kept."""

    def of(self, device: tuple[str, ...]) -> T:
        """Return what is remembered of a device, to be changed in place."""
        found = self._of.get(device)
        if found is None:
            if len(self._of) >= DEVICES_MAX:
                self._of.clear()
                self._touched.clear()
            found = self._of[device] = self._new()
        self._touched.add(device)
        return found

    def changes(self) -> Kept:
        """Return what has changed since the last call."""
        if not self._touched:
            return {}
        found: Kept = {}
        for device in self._touched:
            body = _encoded(self._of.get(device))
            mark = None if body is None else hash(body)
            if mark == self._kept.get(device):
                continue
            if mark is None:
                del self._kept[device]
            else:
                self._kept[device] = mark
            found[self._key(device)] = body
        self._touched.clear()
        if len(self._kept) > len(self._of):  # the memory was full
            for device in self._kept.keys() - self._of.keys():
                del self._kept[device]
                found[self._key(device)] = None
        return found

    def recall(self, kept: Mapping[str, bytes]) -> set[str]:
        """Remember what an earlier life kept; return the keys that are of this decoder and make sense."""
        known = set()
        for key, body in kept.items():
            with suppress(ValueError):  # of another release
                name, *device = msgspec.json.decode(key, type=list[str])
                if name == self._name:
                    self._of[tuple(device)] = self._decode(body)
                    self._kept[tuple(device)] = hash(body)
                    known.add(key)
        return known

    def _key(self, device: tuple[str, ...]) -> str:
        return msgspec.json.encode([self._name, *device]).decode()


def _encoded(value: object) -> bytes | None:
    """Return the body that keeps a value; None where there is none, or it is too large."""
    try:
        body = None if value is None else msgspec.msgpack.encode(value)
    except (OverflowError, ValueError):  # a whole number of more than 64 bits, half a surrogate pair
        return None
    return None if body is None or len(body) > KEPT_BYTES else body
