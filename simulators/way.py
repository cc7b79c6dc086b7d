"""The way of one device's readings: sensors that lie, then what can go wrong between the device and the broker."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np

from simulators.distort import Distortion
from simulators.fault_kinds import Layer
from simulators.faults import Fault
from simulators.message import Message, Reading, online_topic, read_elements, telemetry_topic
from telemetry.channels import KIND_BY_NAME
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
    """A message on its way."""

    leaves_ms: int
    elements: list[Values]
    """Its readings, each with what the device thinks the time is; none where it is not understood."""
    payload: bytes | None = None
    """What is sent; None: the readings, which are new or have changed."""
    array: bool = False
    damage: int = -1
    """Index into `_DAMAGES`; -1: none."""

    def message(self, topic: str) -> Message:
        payload = self.payload
        if payload is None:
            payload = _encode(self.elements if self.array else self.elements[0])
        return Message(self.leaves_ms, topic, payload if self.damage < 0 else _DAMAGES[self.damage](payload))


@dataclass(slots=True)
class _Obstacle:
    """One fault of the way and what it remembers of one device."""

    fault: Fault
    rng: np.random.Generator
    held: list[_Parcel] = field(default_factory=list)
    away: bool = False

    def hand_over(self, topic: str, now_ms: int) -> Iterator[Message]:
        """Yield what was held: readings as a backlog, the rest one by one."""
        elements = [element for parcel in self.held for element in parcel.elements]
        for begin in range(0, len(elements), _BACKLOG_ELEMENTS):
            yield Message(now_ms, topic, _encode(elements[begin : begin + _BACKLOG_ELEMENTS]))
        yield from (replace(parcel, leaves_ms=now_ms).message(topic) for parcel in self.held if not parcel.elements)
        self.held.clear()


class Way:
    """The way of one device's readings.

    Parameters
    ----------
    station, kind, device
        Whose readings.
    foreign
        A topic that is not native, which is then all that is known.
    """

    def __init__(self, station: str, kind: str, device: str, foreign: str = "") -> None:
        self.station, self.device = station, device
        self.topic = foreign or telemetry_topic(station, kind, device)
        self._kind = kind
        self._presence = "" if foreign else online_topic(station, kind, device)
        self._senses: list[Distortion] = []
        self._obstacles: list[_Obstacle] = []

    @property
    def clear(self) -> bool:
        """Whether sensors are right and nothing is in the way."""
        return not self._obstacles and not self._senses

    def add(self, fault: Fault, rng: np.random.Generator) -> None:
        """Put a fault of layer `reading` or `way` behind those that are there."""
        if fault.traits.layer is Layer.WAY:
            self._obstacles.append(_Obstacle(fault, rng))
        elif self._kind in KIND_BY_NAME:
            self._senses.append(Distortion(fault, self._kind, rng))

    def send(self, now_ms: int, elapsed_ms: int, values: Values) -> Iterator[Message]:
        """Yield the messages that come of one reading; some leave later than now."""
        return self._deliver(_Parcel(now_ms, [{"ts": now_ms, **self._sensed(values, elapsed_ms)}]), elapsed_ms)

    def forward(self, message: Message, elapsed_ms: int) -> Iterator[Message]:
        """Yield what comes of a recorded message; presence is the broker's word and passes."""
        if message.topic == self._presence:
            return iter((message,))
        elements: list[Values] = list(read_elements(message.payload))
        sensed = [self._sensed(element, elapsed_ms) for element in elements]
        payload = message.payload if sensed == elements else None
        parcel = _Parcel(message.time_ms, sensed, payload, array=message.payload[:1] == b"[")
        return self._deliver(parcel, elapsed_ms)

    def rest(self, now_ms: int) -> Iterator[Message]:
        """Yield what the device still holds when all is over."""
        for obstacle in self._obstacles:
            yield from obstacle.hand_over(self.topic, now_ms)

    def _sensed(self, values: Values, elapsed_ms: int) -> Values:
        for sense in self._senses:
            values = sense.apply(Reading(self._kind, self.device, values), elapsed_ms).values
        return values

    def _deliver(self, parcel: _Parcel, elapsed_ms: int) -> Iterator[Message]:
        parcels, now_ms = [parcel], parcel.leaves_ms
        for obstacle in self._obstacles:
            strength = obstacle.fault.strength(elapsed_ms)
            if bool(strength) != obstacle.away:
                obstacle.away = bool(strength)
                if obstacle.fault.kind == "gateway_restart" and self._presence:
                    yield Message(now_ms, self._presence, _OFFLINE if strength else _ONLINE)
            if strength:
                parcels = _pass(obstacle, parcels, strength)
            else:
                yield from obstacle.hand_over(self.topic, now_ms)
        yield from (found.message(self.topic) for found in parcels)


def _pass(obstacle: _Obstacle, parcels: list[_Parcel], strength: float) -> list[_Parcel]:
    """Return what is left of parcels behind an obstacle."""
    kind, rng = obstacle.fault.kind, obstacle.rng
    size = obstacle.fault.full_size * strength
    if kind == "backlog":
        obstacle.held.extend(parcels)
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
    return [_timed(parcel, lambda ts: ts + round(1000 * seconds))]


def _swap(parcel: _Parcel, _: float, __: np.random.Generator) -> list[_Parcel]:
    return [_timed(parcel, _swapped)]


_CHANGES: dict[str, Callable[[_Parcel, float, np.random.Generator], list[_Parcel]]] = {
    "loss": _lose,
    "delay": _delay,
    "reorder": _reorder,
    "duplicates": _duplicate,
    "malformed": _damage,
    "clock_skew": _skew,
    "clock_swap": _swap,
}


def _timed(parcel: _Parcel, clock: Callable[[int], int]) -> _Parcel:
    """Return a parcel whose device has another clock."""
    if not parcel.elements:
        return parcel
    return replace(parcel, payload=None, elements=[{**e, "ts": clock(int(e["ts"]))} for e in parcel.elements])


def _swapped(time_ms: int) -> int:
    """Return a time with day and month exchanged, where that is a date at all."""
    moment = to_datetime(time_ms)
    if moment.day > 12:
        return time_ms
    return to_ms(moment.replace(month=moment.day, day=moment.month))
