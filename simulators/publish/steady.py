"""One by one at QoS 1, by aiomqtt: what simulations and recordings use at the pace of real devices.

A few messages may be under way at once; each stays in hand until the broker has acknowledged it. After a broken
connection everything that is still in hand is sent again first, so every device's order is kept; a message may arrive
twice, as QoS 1 allows.
"""

import asyncio
import math
from collections import deque

from aiomqtt import Client

from simulators.message import Message
from simulators.publish.base import Publisher, is_presence
from simulators.publish.connection import connected, watch
from simulators.publish.pace import Paced
from telemetry.first_of import first_of

WINDOW = 100
"""Messages under way without an acknowledgement: the library looks through all of them at each."""


class SteadyPublisher(Publisher):
    """Publishes at the pace of real devices."""

    async def _publish(self, source: Paced) -> None:
        in_hand: deque[Message] = deque()
        await self._insist(lambda: self._session(source, in_hand))

    async def _session(self, source: Paced, in_hand: deque[Message]) -> None:
        async with connected(self._broker, WINDOW) as client:
            self.connections += 1
            await first_of(self._pump(client, source, in_hand), watch(client), self._given_up())

    async def _pump(self, client: Client, source: Paced, in_hand: deque[Message]) -> None:
        """Send until all is acknowledged; what is not stays in hand."""
        sending = deque(asyncio.create_task(_send(client, message)) for message in in_hand)
        try:
            while in_hand or not (source.done or self._stopped.is_set()):
                room = 0 if self._stopped.is_set() else WINDOW - len(in_hand)
                if room and (batch := source.due(room)):
                    in_hand.extend(batch)
                    sending.extend(asyncio.create_task(_send(client, message)) for message in batch)
                    self._report(batch[-1].time_ms, len(batch))
                if not in_hand:
                    await self._rest(source.wait_s())
                    continue
                await asyncio.wait((sending[0],), timeout=source.wait_s() if len(in_hand) < WINDOW else None)
                while sending and sending[0].done():
                    sending.popleft().result()
                    in_hand.popleft()
                    self.acknowledged += 1
        finally:
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)


async def _send(client: Client, message: Message) -> None:
    # without a limit: a connection that is lost ends the wait
    await client.publish(message.topic, message.payload, qos=1, retain=is_presence(message.topic), timeout=math.inf)
