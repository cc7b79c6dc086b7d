"""Sparkplug B 3.0: the devices of one kind are behind one edge node, `spBv1.0/{station}/{message}/{kind}/{device}`.

A birth names every channel of the kind and gives it an alias and a data type; data come by alias. A device is born with
the first reading it sends, and a birth says what the last reading said, as of its time: repeated births are the same
reading again. The edge nodes measure nothing themselves, so there are no NDATA.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from simulators.message import Address, Message, native_address, read_elements
from telemetry.channels import KIND_BY_NAME, Channel, Role
from telemetry.errors import VoltairError
from wire.sparkplug_pb import (
    BD_SEQ,
    BOOLEAN,
    DATETIME,
    DOUBLE,
    INT64,
    REBIRTH,
    STRING,
    Metric,
    Payload,
    read_sparkplug,
    write_sparkplug,
)

_DATATYPES = {
    Role.GAUGE: DOUBLE, Role.REGISTER: DOUBLE, Role.TIME: DATETIME, Role.STATE: STRING, Role.TEXT: STRING,
}  # fmt: skip

Reading = Mapping[str, Any]


class EdgeNode:
    """One edge node: what it must remember to speak.

    Parameters
    ----------
    station, kind
        Whose devices are behind it.
    bd_seq
        Number of its first connection, 0 to 255.
    """

    def __init__(self, station: str, kind: str, bd_seq: int = 0) -> None:
        known = KIND_BY_NAME[kind]
        self._station, self._name = station, kind
        self._channels: tuple[Channel, ...] = (*known.values, *(c for c in known.codes if c.name != "online"))
        self._seq, self._bd_seq = -1, bd_seq - 1
        self._now_ms = 0
        self._last: dict[str, Reading] = {}
        """The last reading of each device that is born."""
        self._aliases: dict[str, int] = {}
        """The alias of each device's first channel; the others follow."""

    @property
    def command_topic(self) -> str:
        """Where a host asks for births."""
        return self._topic("NCMD")

    def connect(self, now_ms: int) -> Message:
        """Begin a connection; return its will, which is also what a node says before it leaves."""
        self._bd_seq = (self._bd_seq + 1) % 256
        self._now_ms = max(self._now_ms, now_ms)
        return Message(self._now_ms, self._topic("NDEATH"), write_sparkplug(self._now_ms, None, [self._tie()]))

    def births(self) -> Iterator[Message]:
        """Yield the births of the node and of every device that is there."""
        self._seq = -1
        control = Metric(REBIRTH, None, self._now_ms, BOOLEAN, historical=False, raw=False)
        yield self._said("NBIRTH", "", self._now_ms, [self._tie(), control])
        for device in self._last:
            yield self._birth(device)

    def speak(self, message: Message) -> Iterator[Message]:
        """Yield what a native message of one of the node's devices is in Sparkplug's words."""
        self._now_ms = max(self._now_ms, message.time_ms)
        _, _, device, says = address_of(message)
        if says == "online":
            if message.payload == b"0" and self._last.pop(device, None) is not None:
                yield self._said("DDEATH", device, self._now_ms, [])
            return  # it is born again with its next reading
        readings = read_elements(message.payload)
        if not readings:
            yield Message(self._now_ms, self._topic("DDATA", device), message.payload)  # as damaged as it was
            return
        born, (*past, newest) = device in self._last, readings
        if not born or newest["ts"] >= self._last[device]["ts"]:
            self._last[device] = newest
        if not born:
            yield self._birth(device)
        if past:
            yield self._said("DDATA", device, self._now_ms, [m for r in past for m in self._data(device, r, past=True)])
        if born:
            yield self._said("DDATA", device, newest["ts"], self._data(device, newest))

    def _birth(self, device: str) -> Message:
        reading = self._last[device]
        alias = self._aliases.setdefault(device, len(self._aliases) * len(self._channels))
        metrics = [
            Metric(c.name, alias + k, reading["ts"], _DATATYPES[c.role], historical=False, raw=_raw(c, reading))
            for k, c in enumerate(self._channels)
        ]
        return self._said("DBIRTH", device, reading["ts"], metrics)

    def _data(self, device: str, reading: Reading, *, past: bool = False) -> list[Metric]:
        alias = self._aliases[device]
        return [
            Metric("", alias + k, reading["ts"], _wide(c), historical=past, raw=_raw(c, reading))
            for k, c in enumerate(self._channels)
            if c.name in reading
        ]

    def _tie(self) -> Metric:
        return Metric(BD_SEQ, None, self._now_ms, INT64, historical=False, raw=self._bd_seq)

    def _said(self, what: str, device: str, time_ms: int, metrics: Iterable[Metric]) -> Message:
        self._seq = (self._seq + 1) % 256
        return Message(self._now_ms, self._topic(what, device), write_sparkplug(time_ms, self._seq, metrics))

    def _topic(self, what: str, device: str = "") -> str:
        return "/".join(("spBv1.0", self._station, what, self._name, *((device,) if device else ())))


def speak_sparkplug(messages: Iterable[Message]) -> Iterator[Message]:
    """Yield native messages as edge nodes say them that are born with their first message and leave at the end."""
    nodes: dict[tuple[str, str], EdgeNode] = {}
    deaths: list[Message] = []
    now_ms = 0
    for message in messages:
        now_ms, address = message.time_ms, address_of(message)
        node = nodes.get(address[:2])
        if node is None:
            node = nodes[address[:2]] = EdgeNode(address.station, address.kind)
            deaths.append(node.connect(now_ms))
            yield from node.births()
        yield from node.speak(message)
    yield from (death._replace(time_ms=now_ms) for death in deaths)


def address_of(message: Message) -> Address:
    """Return whose native message it is.

    Raises
    ------
    VoltairError
        If it is none.
    """
    found = native_address(message.topic)
    if found is None or found.kind not in KIND_BY_NAME:
        msg = f"topic {message.topic!r} is no native one, which the dialect sparkplug needs"
        raise VoltairError(msg)
    return found


def asks_for_births(command: bytes) -> bool:
    """Return whether an NCMD is a request for births."""
    found = read_sparkplug(command)
    return isinstance(found, Payload) and any(m.name == REBIRTH and m.raw is True for m in found.metrics)


def _wide(channel: Channel) -> int:
    """Return the data type that data must repeat: integers of 64 bits travel in a field of their own."""
    return DATETIME if channel.role is Role.TIME else 0


def _raw(channel: Channel, reading: Reading) -> float | int | str | None:
    """Return a channel's value as its metric carries it."""
    value = reading.get(channel.name)
    if value is None or channel.role is Role.TIME:
        return value
    return str(value) if channel.role in (Role.STATE, Role.TEXT) else float(value)
