"""Messages to a broker at QoS 1: in order, paced by event time, and none lost when the connection breaks.

A window of messages may be under way at once; each stays in hand until the broker has acknowledged it. After a broken
connection everything that is still in hand is sent again first, so every device's order is kept; a message may arrive
twice, as QoS 1 allows.
"""

import asyncio
import contextlib
import logging
import os
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import cast
from urllib.parse import unquote, urlsplit

from simulators.message import Message
from telemetry.errors import ConfigError, VoltairError
from wire.mqtt.encode import PINGREQ, Connect, encode_connect, encode_disconnect, encode_publish
from wire.mqtt.packets import MQTT_3_1_1, Connack, Packet, Puback, is_permanent, reason_text
from wire.mqtt.parse import StreamParser

WINDOW = 1_000
"""Messages that may be under way without an acknowledgement."""
_CHUNK = 250
"""Messages of one write."""
_KEEPALIVE_S = 30
_PATIENCE_S = 10.0
"""How long a broker may be unreachable at the start; later it is waited for as long as it takes."""
_STOP_S = 5.0
"""How long a stopped publisher still waits for acknowledgements."""
_log = logging.getLogger("voltair.simulators")

Progress = Callable[[int, int], None]
"""Called with the number of messages sent so far and the event time of the last one [ms]."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where to publish."""

    host: str
    port: int
    tls: bool
    username: str
    password: str

    @property
    def url(self) -> str:
        """The address without the password, for messages."""
        return f"mqtt{'s' if self.tls else ''}://{self.host}:{self.port}"


def parse_broker(url: str) -> Broker:
    """Read `mqtt://[user:password@]host[:1883]` or `mqtts://host[:8883]`.

    Raises
    ------
    ConfigError
        If the text is no such URL.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        msg = f"broker {url!r} is not like mqtt://host:1883 or mqtts://host:8883"
        raise ConfigError(msg)
    tls = parts.scheme == "mqtts"
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Broker(parts.hostname, port or (8883 if tls else 1883), tls, user, password)


def parse_speed(speed: float | str) -> float | None:
    """Return event time per wall time, or None for `max`.

    Raises
    ------
    ConfigError
        If it is neither a number above 0 nor `max`.
    """
    if speed == "max":
        return None
    try:
        value = float(speed)
    except ValueError:
        value = 0.0
    if not 0.0 < value < float("inf"):
        msg = f"speed {speed!r} is neither a number above 0 nor 'max'"
        raise ConfigError(msg)
    return value


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


class Publisher:
    """Publishes one stream of messages to one broker.

    Parameters
    ----------
    broker
        Where to.
    speed
        Event time per wall time, counted from here: what is due by the time the first message is there (models warm
        up, files are read) goes out at once. None: as fast as the broker acknowledges.
    progress
        Told about every write.
    """

    def __init__(self, broker: Broker, speed: float | None, progress: Progress | None = None) -> None:
        self._broker = broker
        self._speed = speed
        self._progress = progress
        self._in_hand: dict[int, Message] = {}
        self._next_id = 0
        self._stopping = False
        self._begin_s = time.monotonic()
        self._link: _Link | None = None
        self._pinged_s = 0.0
        self.sent = 0
        """Messages handed to the broker, each counted once."""
        self.acknowledged = 0
        """Messages that the broker has acknowledged."""
        self.connections = 0

    def stop(self) -> None:
        """Take no further message; `publish` returns when those under way are acknowledged (or after `_STOP_S`)."""
        self._stopping = True
        if self._link is not None:
            self._link.news.set()

    async def publish(self, messages: Iterable[Message]) -> None:
        """Publish all messages; return when the broker has acknowledged every one.

        Raises
        ------
        VoltairError
            If the broker cannot be reached at the start, or refuses the login.
        """
        source = _Paced(iter(messages), self._speed, self._begin_s)
        while not (source.done and not self._in_hand):
            link = self._link = await self._connect()
            if link is None:
                return
            for packet_id, message in self._in_hand.items():
                link.write(_packet(packet_id, message, dup=True))
            await self._pump(link, source)
            if not link.closed:
                link.write(encode_disconnect(MQTT_3_1_1))
                link.close()
                return
            _log.warning("lost the connection to %s (%s); connecting again", self._broker.url, link.error or "closed")

    async def _pump(self, link: _Link, source: "_Paced") -> None:
        """Send and collect acknowledgements until all is done, the link breaks or stopping takes too long."""
        give_up_s = float("inf")
        while not link.closed:
            if self._stopping and give_up_s == float("inf"):
                give_up_s = time.monotonic() + _STOP_S
            if (source.done or self._stopping) and (not self._in_hand or time.monotonic() > give_up_s):
                return
            pause_s = 1.0
            if not self._stopping and link.ready and len(self._in_hand) < WINDOW:
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
        self.sent += len(batch)
        if self._progress is not None:
            self._progress(self.sent, batch[-1].time_ms)

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
        if now_s - link.heard_s > 1.5 * _KEEPALIVE_S:
            link.error = TimeoutError("the broker is silent")
            link.close()
        elif now_s - max(link.heard_s, self._pinged_s) > _KEEPALIVE_S / 3.0:
            self._pinged_s = now_s
            link.write(PINGREQ)

    async def _connect(self) -> _Link | None:
        """Return an accepted connection; None when stopped while waiting for the broker."""
        begin_s, pause_s = time.monotonic(), 0.2
        while not self._stopping:
            try:
                return await self._try_connect()
            except (OSError, TimeoutError) as error:
                if not self.connections and time.monotonic() - begin_s > _PATIENCE_S:
                    msg = f"no broker at {self._broker.url} ({error}); start one, or name another with --broker"
                    raise VoltairError(msg) from error
            await asyncio.sleep(pause_s)
            pause_s = min(5.0, 2.0 * pause_s)
        return None

    async def _try_connect(self) -> _Link:
        broker = self._broker
        link = _Link(self._settle)
        context = ssl.create_default_context() if broker.tls else None
        loop = asyncio.get_running_loop()
        await asyncio.wait_for(
            loop.create_connection(lambda: link, broker.host, broker.port, ssl=context), _PATIENCE_S
        )
        link.write(
            encode_connect(
                Connect(
                    version=MQTT_3_1_1,
                    client_id=f"voltair-sim-{os.getpid()}-{id(self) & 0xFFFFFF:x}",
                    username=broker.username,
                    password=broker.password,
                    keepalive_s=_KEEPALIVE_S,
                    clean_start=True,
                )
            )
        )
        deadline_s = time.monotonic() + _PATIENCE_S
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
        self.connections += 1
        return link


class _Paced:
    """Hands out messages when their event time has come."""

    def __init__(self, messages: Iterator[Message], speed: float | None, begin_s: float) -> None:
        self._messages = messages
        self._speed = speed
        self._begin_s = begin_s
        self._ahead = next(messages, None)
        self._begin_ms = 0 if self._ahead is None else self._ahead.time_ms

    @property
    def done(self) -> bool:
        """Whether every message has been handed out."""
        return self._ahead is None

    def wait_s(self) -> float:
        """Return the time until the next message is due."""
        if self._ahead is None or self._speed is None:
            return float("inf")
        due_s = self._begin_s + (self._ahead.time_ms - self._begin_ms) / 1000.0 / self._speed
        return max(0.0, due_s - time.monotonic())

    def due(self, limit: int) -> list[Message]:
        """Return at most `limit` messages whose time has come, in order."""
        found: list[Message] = []
        if self._ahead is None:
            return found
        if self._speed is None:
            found = [self._ahead, *islice(self._messages, limit - 1)]
            self._ahead = next(self._messages, None)
            return found
        while self._ahead is not None and len(found) < limit and self.wait_s() <= 0.0:
            found.append(self._ahead)
            self._ahead = next(self._messages, None)
        return found


def _packet(packet_id: int, message: Message, *, dup: bool = False) -> bytes:
    presence = message.topic.endswith("/online")  # whoever subscribes later must know it too
    return encode_publish(
        MQTT_3_1_1, message.topic, message.payload, packet_id=packet_id, dup=dup, retain=presence
    )
