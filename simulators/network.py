"""What lies between all devices and the broker: the ways of simulated readings, and of the messages of a recording."""

import heapq
import zlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from simulators.faults import Fault
from simulators.message import Message, native_address
from simulators.way import Way


class Network:
    """The ways of all devices. Each fault has chance of its own at each device: adding one changes nothing else.

    Parameters
    ----------
    seed
        Seed of all chance.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._faults: list[tuple[int, Fault]] = []
        self._ways: dict[tuple[str, str], Way] = {}
        self._late: list[tuple[int, int, Message]] = []
        """Messages that leave later: a heap by time and number."""
        self._number = self._now_ms = 0

    def add(self, number: int, fault: Fault) -> None:
        """Let a fault of layer `reading` or `way` act from its `at` on; an empty station is every one.

        Parameters
        ----------
        number
            Tells its chance from that of others.
        """
        self._faults.append((number, fault))
        for way in self._ways.values():
            self._burden(way, number, fault)

    def way(self, station: str, kind: str, device: str, foreign: str = "") -> Way:
        """Return the way of a device, or of a foreign topic."""
        found = self._ways.get((station, device or foreign))
        if found is None:
            found = self._ways[station, device or foreign] = Way(station, kind, device, foreign)
            for number, fault in self._faults:
                self._burden(found, number, fault)
        return found

    def on_time(self, messages: Iterable[Message], now_ms: int) -> Iterator[Message]:
        """Yield those that leave now and keep the others."""
        for message in messages:
            if message.time_ms <= now_ms:
                yield message
            else:
                self._keep(message)

    def released(self, now_ms: int | None) -> Iterator[Message]:
        """Yield what was kept and leaves by now, in order; None: all, with what devices still hold."""
        self._now_ms = self._now_ms if now_ms is None else now_ms
        if now_ms is None:
            for way in self._ways.values():
                for message in way.rest(self._now_ms):
                    self._keep(message)
        while self._late and (now_ms is None or self._late[0][0] <= now_ms):
            yield heapq.heappop(self._late)[2]

    def _keep(self, message: Message) -> None:
        self._number += 1
        heapq.heappush(self._late, (message.time_ms, self._number, message))

    def _burden(self, way: Way, number: int, fault: Fault) -> None:
        if fault.station in ("", way.station) and fault.device in ("", way.device):
            way.add(fault, np.random.default_rng([self._seed, number, zlib.crc32((way.device or way.topic).encode())]))


def disturb(messages: Iterable[Message], faults: Sequence[Fault], seed: int) -> Iterator[Message]:
    """Yield the messages of a recording as they leave under faults, each applied to what the one before it leaves.

    Parameters
    ----------
    messages
        In order of `time_ms`; those on topics that are not native meet the faults that name no station and no device.
    faults
        Of layers `reading` and `way`; `at` counts from the first message.
    seed
        Same messages, faults and seed: same result.
    """
    network = Network(seed)
    for number, fault in enumerate(faults):
        network.add(number, fault)
    begin_ms: int | None = None
    for message in messages:
        now_ms = message.time_ms
        begin_ms = now_ms if begin_ms is None else begin_ms
        yield from network.released(now_ms)
        address = native_address(message.topic)
        way = network.way("", "", "", message.topic) if address is None else network.way(*address[:3])
        if way.clear:
            yield message
        else:
            yield from network.on_time(way.forward(message, now_ms - begin_ms), now_ms)
    yield from network.released(None)
