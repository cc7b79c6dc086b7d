"""As Sparkplug's edge nodes: each has a connection of its own, its death as the will, and answers for its births.

Sparkplug publishes at QoS 0: what a broken connection loses is lost, and the births that begin the next one say what
holds. What comes while there is no connection waits.
"""

import asyncio
import math
import random
from collections.abc import Iterable
from functools import partial

from aiomqtt import Client, Will

from simulators.dialects.sparkplug import EdgeNode, address_of, asks_for_births
from simulators.message import Message
from simulators.publish.base import Publisher
from simulators.publish.connection import connected
from simulators.publish.pace import Paced
from telemetry.first_of import first_of

_AHEAD = 100
"""Messages that may wait for one edge node before all wait with them."""
_LEAVE = Message(0, "", b"")


class _Edge:
    """One edge node and what it has yet to say."""

    def __init__(self, station: str, kind: str) -> None:
        # begun anywhere, so that the will of an earlier run is not taken for ours
        self.node = EdgeNode(station, kind, random.randrange(256))  # noqa: S311 - no secret
        self.waiting: asyncio.Queue[Message] = asyncio.Queue(_AHEAD)
        self.held: Message | None = None
        """Taken from `waiting` and not yet said."""
        self.speaking = asyncio.Lock()


class EdgePublisher(Publisher):
    """Publishes native messages in Sparkplug's words."""

    async def _publish(self, source: Paced) -> None:
        edges: dict[tuple[str, str], _Edge] = {}
        try:
            async with asyncio.TaskGroup() as group:
                while not (source.done or self._stopped.is_set()):
                    batch = source.due(_AHEAD)
                    for message in batch:
                        station, kind, _, _ = address_of(message)
                        edge = edges.get((station, kind))
                        if edge is None:
                            edge = edges[station, kind] = _Edge(station, kind)
                            group.create_task(self._insist(partial(self._session, edge, message.time_ms)))
                        await self._put(edge, message)
                        if self._stopped.is_set():
                            break
                    if not batch:
                        await self._rest(source.wait_s())
                await asyncio.gather(*(self._put(edge, _LEAVE) for edge in edges.values()))
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from several

    async def _put(self, edge: _Edge, message: Message) -> None:
        """Hand a message to its edge node; one that has no connection is waited for until it is stopped for good."""
        try:
            edge.waiting.put_nowait(message)
        except asyncio.QueueFull:
            await first_of(edge.waiting.put(message), self._given_up())

    async def _session(self, edge: _Edge, begin_ms: int) -> None:
        death = edge.node.connect(begin_ms)
        async with connected(self._broker, 1, Will(death.topic, death.payload, qos=1)) as client:
            self.connections += 1
            await first_of(self._live(client, edge, death), self._given_up())

    async def _live(self, client: Client, edge: _Edge, death: Message) -> None:
        await client.subscribe(edge.node.command_topic, qos=1)
        await _say(client, edge, edge.node.births())
        await first_of(self._feed(client, edge, death), _listen(client, edge))

    async def _feed(self, client: Client, edge: _Edge, death: Message) -> None:
        while True:
            edge.held = edge.held or await edge.waiting.get()
            if edge.held is _LEAVE:
                await client.publish(death.topic, death.payload, qos=1)
                return
            await _say(client, edge, edge.node.speak(edge.held))
            self._report(edge.held.time_ms, 1)
            self.acknowledged += 1
            edge.held = None


async def _say(client: Client, edge: _Edge, messages: Iterable[Message]) -> None:
    """Publish messages of one node, unbroken and in order: each gets its number as it is made."""
    async with edge.speaking:
        for message in messages:
            await client.publish(message.topic, message.payload, qos=0, timeout=math.inf)


async def _listen(client: Client, edge: _Edge) -> None:
    """Answer requests for births; raise `MqttError` when the connection is lost."""
    async for message in client.messages:
        if isinstance(message.payload, bytes) and asks_for_births(message.payload):
            await _say(client, edge, edge.node.births())
