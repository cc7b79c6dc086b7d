"""In bulk at QoS 1: many messages per write, for load and for recordings at full speed.

Packets are made here, for a library that takes one message at a time costs 16 times as much. A window of messages may
be under way at once; each stays in hand until the broker has acknowledged it. After a broken connection everything that
is still in hand is sent again first, so every device's order is kept; a message may arrive twice, as QoS 1 allows.
"""

import asyncio
import contextlib
import os
import ssl
import time
from collections.abc import Callable
from typing import cast

from simulators.message import Message
from simulators.publish.base import KEEPALIVE_S, PATIENCE_S, Publisher, is_presence
from simulators.publish.pace import Paced
from telemetry.errors import VoltairError
from telemetry.first_of import first_of
from wire.mqtt.encode import PINGREQ, Connect, encode_connect, encode_disconnect, encode_publish
from wire.mqtt.packets import MQTT_3_1_1, Connack, Packet, Puback, is_permanent, reason_text
from wire.mqtt.parse import StreamParser

WINDOW = 1_000
"""Messages that may be under way without an acknowledgement."""
_CHUNK = 250
"""Messages of one write."""
_LOOK_S = 0.2
"""How often an idle publisher looks whether it was stopped."""


class _Link(asyncio.Protocol):
    """One connection: parses what the broker says and keeps the latest news for the publisher."""

    def __init__(self, acknowledged: Callable[[int], None]) -> None:
        self._acknowledged = acknowledged
        self._parser = StreamParser(MQTT_3_1_1)
        self._writable = True
        self.transport: asyncio.Transport | None = None
        self.connack: Connack | None = None
        self.heard_s = time.monotonic()
        self.error: Exception | None = None
        self.closed = False
        self.news = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether more may be written."""
        return self._writable and not self.closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # not checked with isinstance: uvloop's transport does not inherit from asyncio's
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.heard_s = time.monotonic()
        try:
            for packet in self._parser.feed(data):
                self._take(packet)
        except VoltairError as error:
            self.error = error
            self.close()
        self.news.set()

    def _take(self, packet: Packet) -> None:
        if isinstance(packet, Puback):
            self._acknowledged(packet.packet_id)
        elif isinstance(packet, Connack):
            self.connack = packet

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self.news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.error = self.error or exc
        self.closed = True
        self.news.set()

    def write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)

    def close(self) -> None:
        self.closed = True
        if self.transport is not None:
            self.transport.close()

    async def wait(self, timeout_s: float) -> None:
        """Wait for news, at most that long; the news may have come before."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.news.wait(), timeout_s)
        self.news.clear()


class BulkPublisher(Publisher):
    """Publishes as much as a broker takes: packets are written many at a time."""

    _in_hand: dict[int, Message]
    _next_id = 0
    _pinged_s = 0.0

    async def _publish(self, source: Paced) -> None:
        self._in_hand = {}
        await self._insist(lambda: self._session(source))

    async def _session(self, source: Paced) -> None:
        link = await self._connect()
        self.connections += 1
        try:
            for packet_id, message in self._in_hand.items():
                link.write(_packet(packet_id, message, dup=True))
            await first_of(self._pump(link, source), self._given_up())
            link.write(encode_disconnect(MQTT_3_1_1))
        finally:
            link.close()

    async def _pump(self, link: _Link, source: Paced) -> None:
        """Send and collect acknowledgements until all is done; raise `OSError` where the link breaks before."""
        while self._in_hand or not (source.done or self._stopped.is_set()):
            if link.closed:
                msg = str(link.error or "closed")
                raise OSError(msg)
            pause_s = _LOOK_S
            if not self._stopped.is_set() and link.ready and len(self._in_hand) < WINDOW:
                batch = source.due(min(_CHUNK, WINDOW - len(self._in_hand)))
                if batch:
                    self._send(link, batch)
                    await asyncio.sleep(0)
                    continue
                pause_s = min(pause_s, source.wait_s())
            self._keep_alive(link)
            await link.wait(pause_s)

    def _send(self, link: _Link, batch: list[Message]) -> None:
        packets = []
        for message in batch:
            packet_id = self._free_id()
            self._in_hand[packet_id] = message
            packets.append(_packet(packet_id, message))
        link.write(b"".join(packets))
        self._report(batch[-1].time_ms, len(batch))

    def _free_id(self) -> int:
        while True:
            self._next_id = self._next_id % 65_535 + 1
            if self._next_id not in self._in_hand:
                return self._next_id

    def _settle(self, packet_id: int) -> None:
        if self._in_hand.pop(packet_id, None) is not None:
            self.acknowledged += 1

    def _keep_alive(self, link: _Link) -> None:
        now_s = time.monotonic()
        if now_s - link.heard_s > 1.5 * KEEPALIVE_S:
            link.error = TimeoutError("the broker is silent")
            link.close()
        elif now_s - max(link.heard_s, self._pinged_s) > KEEPALIVE_S / 3.0:
            self._pinged_s = now_s
            link.write(PINGREQ)

    async def _connect(self) -> _Link:
        broker = self._broker
        link = _Link(self._settle)
        context = ssl.create_default_context() if broker.tls else None
        loop = asyncio.get_running_loop()
        await asyncio.wait_for(
            loop.create_connection(lambda: link, broker.host, broker.port, ssl=context), PATIENCE_S
        )
        link.write(
            encode_connect(
                Connect(
                    version=MQTT_3_1_1,
                    client_id=f"voltair-sim-{os.getpid()}-{id(self) & 0xFFFFFF:x}",
                    username=broker.username,
                    password=broker.password,
                    keepalive_s=KEEPALIVE_S,
                    clean_start=True,
                )
            )
        )
        deadline_s = time.monotonic() + PATIENCE_S
        while link.connack is None and not link.closed and time.monotonic() < deadline_s:
            await link.wait(1.0)
        if link.connack is None:
            link.close()
            msg = f"{broker.url} does not answer as an MQTT broker: {link.error or 'no CONNACK'}"
            raise OSError(msg)
        code = link.connack.code
        if code:
            link.close()
            msg = f"{broker.url} refuses the connection: {reason_text(MQTT_3_1_1, code)}; check user and password"
            raise VoltairError(msg) if is_permanent(MQTT_3_1_1, code) else OSError(msg)
        return link


def _packet(packet_id: int, message: Message, *, dup: bool = False) -> bytes:
    retain = is_presence(message.topic)
    return encode_publish(MQTT_3_1_1, message.topic, message.payload, packet_id=packet_id, dup=dup, retain=retain)
