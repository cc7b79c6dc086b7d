"""What happens between a device and the broker: loss, delay, copies, disorder, wrong clocks, silence with a backlog.

A pure transformer of a stream: messages in order of `time_ms` go in, messages in order of `time_ms` come out, where
`time_ms` is when a message leaves. The reading's own time stands in the payload and stays, except where the device's
clock is at fault. Same messages, disturbances and seed: same result.
"""

import heapq
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import msgspec

from simulators.message import Message
from telemetry.errors import ConfigError
from telemetry.times import parse_duration_ms

Kind = Literal["loss", "duplicate", "delay", "reorder", "offline", "skew", "units", "malformed"]
_TS = "ts"


class Disturbance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault of the way to the broker, of some messages for some time."""

    kind: Kind
    """`loss`: never sent. `duplicate`: sent again, `seconds` later. `delay`: held for up to `seconds`; a device's order
    stays. `reorder`: the same, and later messages overtake. `offline`: all is held to the end of `lasts`, then comes as
    a backlog, in order. `skew`: the device's clock is `seconds` ahead. `units`: `channel` is multiplied by `factor`.
    `malformed`: the payload cannot be read."""
    share: float = 1.0
    """Probability that a message is concerned."""
    seconds: float = 0.0
    channel: str = ""
    factor: float = 1000.0
    station: str = ""
    """Empty: every station."""
    device: str = ""
    """Empty: every device."""
    at: str = "0s"
    """When it begins, after the stream's start."""
    lasts: str = ""
    """How long; empty: to the end."""
    every: str = ""
    """Comes again after this time; empty: once."""


def parse_disturbance(text: str) -> Disturbance:
    """Read `kind,name=value,...`, like `loss,share=0.05` or `offline,device=p07,at=6h,lasts=2h,every=24h`.

    Raises
    ------
    ConfigError
        If the text is no such disturbance.
    """
    kind, *rest = (part.strip() for part in text.split(","))
    pairs = dict(part.partition("=")[::2] for part in rest)
    try:
        found = msgspec.convert({"kind": kind, **pairs}, Disturbance, strict=False)
    except msgspec.ValidationError as error:
        msg = f"disturbance {text!r}: {error}; write it like loss,share=0.05 or offline,at=6h,lasts=2h"
        raise ConfigError(msg) from error
    _Span(found)
    return found


def disturb(
    messages: Iterable[Message], disturbances: Iterable[Disturbance], seed: int, start_ms: int | None = None
) -> Iterator[Message]:
    """Yield messages as they leave under disturbances, each applied to what the one before it leaves.

    Parameters
    ----------
    messages
        In order of `time_ms`; native topics where a disturbance names a station or device.
    disturbances
        Each has chance of its own: adding one does not change what the others do.
    seed
        Seed of all chance.
    start_ms
        What `at` counts from; None: the first message.

    Raises
    ------
    ConfigError
        If a disturbance cannot be.
    """
    stages = [(d, _Span(d), random.Random(f"{seed}/{k}/{d.kind}")) for k, d in enumerate(disturbances)]  # noqa: S311 - a simulation
    source = iter(messages)
    first = next(source, None)
    if first is None:
        return iter(())
    stream: Iterator[Message] = _chain(first, source)
    begin_ms = first.time_ms if start_ms is None else start_ms
    for disturbance, span, rng in stages:
        stream = _stage(stream, disturbance, span, rng, begin_ms)
    return stream


class _Span:
    """When a disturbance is present, in ms after the start."""

    def __init__(self, disturbance: Disturbance) -> None:
        d = disturbance
        self._at, self._lasts, self._every = (
            _duration(d.kind, name, text) for name, text in (("at", d.at), ("lasts", d.lasts), ("every", d.every))
        )
        if d.kind == "offline" and not self._lasts:
            msg = "disturbance 'offline' needs lasts, like lasts=2h: when it ends the backlog comes"
            raise ConfigError(msg)
        if d.kind == "units" and not d.channel:
            msg = "disturbance 'units' needs channel, like channel=power_kw"
            raise ConfigError(msg)
        if not 0.0 <= d.share <= 1.0 or (d.seconds < 0.0 and d.kind != "skew"):
            msg = f"disturbance {d.kind!r}: share is 0 to 1, seconds are not negative"
            raise ConfigError(msg)
        if self._every and self._lasts > self._every:
            msg = f"disturbance {d.kind!r}: it lasts {d.lasts} and comes again every {d.every}"
            raise ConfigError(msg)

    def holds(self, elapsed_ms: int) -> bool:
        """Return whether it is present that long after the start."""
        since = self._since(elapsed_ms)
        return since >= 0 and (not self._lasts or since < self._lasts)

    def end(self, elapsed_ms: int) -> int:
        """Return when the occurrence that is present ends."""
        return elapsed_ms - self._since(elapsed_ms) + self._lasts

    def _since(self, elapsed_ms: int) -> int:
        since = elapsed_ms - self._at
        return since % self._every if since >= 0 and self._every else since


def _duration(kind: str, name: str, text: str) -> int:
    found = parse_duration_ms(text) if text else 0
    if found is None:
        msg = f"disturbance {kind!r}: {name} {text!r} is not like 90s, 30m, 24h or 7d"
        raise ConfigError(msg)
    return found


def _chain(first: Message, rest: Iterator[Message]) -> Iterator[Message]:
    yield first
    yield from rest


class _Held:
    """Messages that wait for their time, in order of it; of one time, in order of arrival."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Message]] = []
        self._count = 0

    def put(self, message: Message) -> None:
        heapq.heappush(self._heap, (message.time_ms, self._count, message))
        self._count += 1

    def take(self, until_ms: float) -> Iterator[Message]:
        """Yield what leaves before that time."""
        while self._heap and self._heap[0][0] < until_ms:
            yield heapq.heappop(self._heap)[2]


def _stage(
    messages: Iterator[Message], disturbance: Disturbance, span: _Span, rng: random.Random, begin_ms: int
) -> Iterator[Message]:
    held = _Held()
    act = _ACTIONS[disturbance.kind](disturbance, span, rng, begin_ms)
    concerned = _selector(disturbance)
    for message in messages:
        yield from held.take(message.time_ms)
        present = span.holds(message.time_ms - begin_ms) and concerned(message.topic)
        chosen = present and (disturbance.share >= 1.0 or rng.random() < disturbance.share)
        for leaving in act(message, chosen):
            held.put(leaving)
    yield from held.take(float("inf"))


def _selector(disturbance: Disturbance) -> Callable[[str], bool]:
    """Return whether a topic is of the station and device that are meant; on native topics they end it."""
    station, device = disturbance.station, disturbance.device
    if not station and not device:
        return lambda _: True

    def concerned(topic: str) -> bool:
        levels = topic.split("/")
        return len(levels) >= 4 and station in ("", levels[-4]) and device in ("", levels[-2])

    return concerned


_Act = Callable[[Message, bool], tuple[Message, ...]]
"""(message, whether it is chosen) -> what leaves, and when."""


def _loss(_d: Disturbance, _span: _Span, _rng: random.Random, _begin_ms: int) -> _Act:
    return lambda message, chosen: () if chosen else (message,)


def _duplicate(d: Disturbance, _span: _Span, _rng: random.Random, _begin_ms: int) -> _Act:
    return lambda message, chosen: (message, _later(message, d.seconds)) if chosen else (message,)


def _delay(d: Disturbance, _span: _Span, rng: random.Random, _begin_ms: int) -> _Act:
    last: dict[str, int] = {}

    def act(message: Message, chosen: bool) -> tuple[Message, ...]:  # noqa: FBT001 - as _Act
        late = _later(message, rng.uniform(0.0, d.seconds)) if chosen else message
        time_ms = max(late.time_ms, last.get(message.topic, late.time_ms))
        last[message.topic] = time_ms
        return (message._replace(time_ms=time_ms),)

    return act


def _reorder(d: Disturbance, _span: _Span, rng: random.Random, _begin_ms: int) -> _Act:
    return lambda message, chosen: (_later(message, rng.uniform(0.0, d.seconds)) if chosen else message,)


def _offline(_d: Disturbance, span: _Span, _rng: random.Random, begin_ms: int) -> _Act:
    return lambda message, chosen: (
        message._replace(time_ms=begin_ms + span.end(message.time_ms - begin_ms)) if chosen else message,
    )


def _skew(d: Disturbance, _span: _Span, _rng: random.Random, _begin_ms: int) -> _Act:
    def shift(reading: dict[str, Any]) -> None:
        if type(reading.get(_TS)) is int:
            reading[_TS] += round(1000 * d.seconds)

    return _edit(shift)


def _units(d: Disturbance, _span: _Span, _rng: random.Random, _begin_ms: int) -> _Act:
    def scale(reading: dict[str, Any]) -> None:
        if type(reading.get(d.channel)) in (int, float):
            reading[d.channel] *= d.factor

    return _edit(scale)


def _malformed(_d: Disturbance, _span: _Span, rng: random.Random, _begin_ms: int) -> _Act:
    def act(message: Message, chosen: bool) -> tuple[Message, ...]:  # noqa: FBT001 - as _Act
        if not chosen:
            return (message,)
        # Cut anywhere, with a byte that UTF-8 never has: unreadable wherever the cut is.
        return (message._replace(payload=message.payload[: rng.randrange(len(message.payload) + 1)] + b"\xff"),)

    return act


_ACTIONS: dict[str, Callable[[Disturbance, _Span, random.Random, int], _Act]] = {
    "loss": _loss,
    "duplicate": _duplicate,
    "delay": _delay,
    "reorder": _reorder,
    "offline": _offline,
    "skew": _skew,
    "units": _units,
    "malformed": _malformed,
}


def _later(message: Message, seconds: float) -> Message:
    return message._replace(time_ms=message.time_ms + round(1000 * seconds))


def _edit(change: Callable[[dict[str, Any]], None]) -> _Act:
    """Return an action that changes the readings of a payload; what is no JSON stays."""

    def act(message: Message, chosen: bool) -> tuple[Message, ...]:  # noqa: FBT001 - as _Act
        if not chosen:
            return (message,)
        try:
            value = msgspec.json.decode(message.payload)
        except msgspec.DecodeError:
            return (message,)
        for reading in value if isinstance(value, list) else [value]:
            if isinstance(reading, dict):
                change(reading)
        return (message._replace(payload=msgspec.json.encode(value)),)

    return act
