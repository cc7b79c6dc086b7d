"""The way from a device to the broker, and what can go wrong on it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np

from simulators.faults import Fault
from simulators.message import Message, online_topic, telemetry_topic
from telemetry.times import to_datetime, to_ms

_BACKLOG_ELEMENTS = 500
"""Readings in one message of a backlog."""
_REORDERED_SHARE = 1 / 3
_OFFLINE, _ONLINE = b"0", b"1"
_encode = msgspec.json.Encoder().encode
_DAMAGES: tuple[Callable[[bytes], bytes], ...] = (
    lambda payload: payload[: len(payload) // 2],
    lambda payload: b"\xff\xfe" + payload,
    lambda _: b"",
    lambda _: b'"OK"',
    lambda payload: payload.replace(b":", b"=", 1),
)

Values = Mapping[str, float | int | str]


@dataclass(frozen=True, slots=True)
class _Parcel:
    """A reading on its way."""

    leaves_ms: int
    ts: int
    """What the device thinks the time is."""
    values: Values
    damage: int = -1
    """Index into `_DAMAGES`; -1: none."""

    def element(self) -> dict[str, float | int | str]:
        return {"ts": self.ts, **self.values}


@dataclass(slots=True)
class _Obstacle:
    """One fault of the way and what it remembers of one device."""

    fault: Fault
    rng: np.random.Generator
    held: list[dict[str, float | int | str]] = field(default_factory=list)
    away: bool = False


class Way:
    """The way of one device's readings.

    Parameters
    ----------
    station, kind, device
        Whose readings.
    """

    def __init__(self, station: str, kind: str, device: str) -> None:
        self.topic = telemetry_topic(station, kind, device)
        self._presence = online_topic(station, kind, device)
        self._obstacles: list[_Obstacle] = []

    @property
    def clear(self) -> bool:
        """Whether nothing is in the way."""
        return not self._obstacles

    def add(self, fault: Fault, rng: np.random.Generator) -> None:
        """Put a fault of layer `way` behind those that are there."""
        self._obstacles.append(_Obstacle(fault, rng))

    def send(self, now_ms: int, elapsed_ms: int, values: Values) -> Iterator[Message]:
        """Yield the messages that come of one reading; some leave later than now."""
        parcels = [_Parcel(now_ms, now_ms, values)]
        for obstacle in self._obstacles:
            strength = obstacle.fault.strength(elapsed_ms)
            if strength:
                if obstacle.fault.kind == "gateway_restart" and not obstacle.away:
                    yield Message(now_ms, self._presence, _OFFLINE)
                obstacle.away = True
                parcels = _pass(obstacle, parcels, strength)
            elif obstacle.away:
                obstacle.away = False
                if obstacle.fault.kind == "gateway_restart":
                    yield Message(now_ms, self._presence, _ONLINE)
                for begin in range(0, len(obstacle.held), _BACKLOG_ELEMENTS):
                    yield Message(now_ms, self.topic, _encode(obstacle.held[begin : begin + _BACKLOG_ELEMENTS]))
                obstacle.held.clear()
        for parcel in parcels:
            payload = _encode(parcel.element())
            if parcel.damage < 0:
                yield Message(parcel.leaves_ms, self.topic, payload)
            else:
                yield Message(parcel.leaves_ms, self.topic, _DAMAGES[parcel.damage](payload))


def _pass(obstacle: _Obstacle, parcels: list[_Parcel], strength: float) -> list[_Parcel]:
    """Return what is left of parcels behind an obstacle."""
    kind, rng = obstacle.fault.kind, obstacle.rng
    size = obstacle.fault.full_size * strength
    if kind == "backlog":
        obstacle.held.extend(parcel.element() for parcel in parcels)
    if kind in ("backlog", "silence", "gateway_restart"):
        return []
    return [found for parcel in parcels for found in _CHANGES[kind](parcel, size, rng)]


def _lose(parcel: _Parcel, share: float, rng: np.random.Generator) -> list[_Parcel]:
    return [parcel] if rng.random() >= share else []


def _delay(parcel: _Parcel, seconds: float, _: np.random.Generator) -> list[_Parcel]:
    return [replace(parcel, leaves_ms=parcel.leaves_ms + round(1000 * seconds))]


def _reorder(parcel: _Parcel, seconds: float, rng: np.random.Generator) -> list[_Parcel]:
    return _delay(parcel, seconds * rng.random(), rng) if rng.random() < _REORDERED_SHARE else [parcel]


def _duplicate(parcel: _Parcel, share: float, rng: np.random.Generator) -> list[_Parcel]:
    return [parcel] * (1 + int(rng.random() < share))


def _damage(parcel: _Parcel, share: float, rng: np.random.Generator) -> list[_Parcel]:
    return [replace(parcel, damage=int(rng.integers(len(_DAMAGES))))] if rng.random() < share else [parcel]


def _skew(parcel: _Parcel, seconds: float, _: np.random.Generator) -> list[_Parcel]:
    return [replace(parcel, ts=parcel.ts + round(1000 * seconds))]


def _swap(parcel: _Parcel, _: float, __: np.random.Generator) -> list[_Parcel]:
    return [replace(parcel, ts=_swapped(parcel.ts))]


_CHANGES: dict[str, Callable[[_Parcel, float, np.random.Generator], list[_Parcel]]] = {
    "loss": _lose,
    "delay": _delay,
    "reorder": _reorder,
    "duplicates": _duplicate,
    "malformed": _damage,
    "clock_skew": _skew,
    "clock_swap": _swap,
}


def _swapped(time_ms: int) -> int:
    """Return a time with day and month exchanged, where that is a date at all."""
    moment = to_datetime(time_ms)
    if moment.day > 12:
        return time_ms
    return to_ms(moment.replace(month=moment.day, day=moment.month))
