"""One connection to the broker: from CONNECT to its end."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from typing import cast

from telemetry.errors import WireError
from wire.mqtt.encode import (
    PINGREQ,
    Connect,
    encode_connect,
    encode_disconnect,
    encode_pubacks,
    encode_publish,
    encode_subscribe,
    encode_unsubscribe,
)
from wire.mqtt.packets import Connack, Disconnect, Packet, Publish, Suback, Unsuback, reason_text
from wire.mqtt.parse import StreamParser

_SUBSCRIBE_ID = 1
_UNSUBSCRIBE_ID = 2
_FAILURE = 0x80
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
"""Linux only."""


class Refused(Exception):  # noqa: N818 - the broker's answer, turned into a state by the session
    """The broker refuses the connection or a subscription."""

    def __init__(self, what: str, code: int, words: str, *, connack: bool) -> None:
        super().__init__(what)
        self.code = code
        self.words = words
        """What the broker says to it."""
        self.connack = connack
        """Whether it was CONNECT that was refused."""


class Connection(asyncio.Protocol):
    """Speaks for one connection; when it ends, a new one is made."""

    def __init__(
        self,
        connect: Connect,
        filters: Sequence[str],
        *,
        obsolete: Sequence[str],
        on_messages: Callable[[list[Publish]], None],
    ) -> None:
        """Prepare a connection.

        Parameters
        ----------
        filters
            Topic filters to subscribe to.
        obsolete
            Topic filters of an earlier configuration, to give up where the broker has kept the session.
        """
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._connect = connect
        self._filters = filters
        self._obsolete = obsolete
        self._on_messages = on_messages
        self._parser = StreamParser(connect.version)
        self._transport: asyncio.Transport | None = None
        self._keepalive_s = connect.keepalive_s
        self._heard = self._said = loop.time()
        self._awaited: set[int] = set()
        self._paused = False
        self._why = ""
        self.subscribed: asyncio.Future[None] = loop.create_future()
        """Done when the broker has acknowledged every subscription."""
        self._closed: asyncio.Future[str] = loop.create_future()
        self.warning: str | None = None
        """What is wrong with a connection that works all the same."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say CONNECT."""
        # create_connection makes no other; uvloop's transport is none by inheritance
        self._transport = cast("asyncio.Transport", transport)
        self._acknowledge_reads()
        self._write(encode_connect(self._connect))

    def data_received(self, data: bytes) -> None:
        """Take what one read brought."""
        self._heard = self._loop.time()
        self._acknowledge_reads()
        try:
            packets = self._parser.feed(data)
            messages = [p for p in packets if type(p) is Publish]
            if len(messages) < len(packets):
                for packet in packets:
                    if type(packet) is not Publish:
                        self._control(packet)
        except WireError as error:
            self.abort(str(error))
            return
        if messages:
            self._on_messages(messages)

    def _acknowledge_reads(self) -> None:
        """Let the kernel acknowledge TCP segments at once.

        A broker without `set_tcp_nodelay` holds a message back until the one before it is acknowledged, which the
        kernel otherwise delays by up to 40 ms; it forgets the wish, so every read repeats it.
        """
        if _QUICKACK is not None and self._transport is not None:
            with contextlib.suppress(OSError):  # a connection that ends; where it is gone, watch() says so
                self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def _control(self, packet: Packet) -> None:
        if isinstance(packet, Connack):
            if packet.code:
                self._fail(Refused("CONNECT:", packet.code, packet.reason, connack=True))
                return
            self._keepalive_s = packet.keepalive_s or self._keepalive_s
            version = self._connect.version
            self._awaited = {_SUBSCRIBE_ID}
            self._write(encode_subscribe(version, _SUBSCRIBE_ID, self._filters))
            if packet.session_present and self._obsolete:
                self._awaited.add(_UNSUBSCRIBE_ID)
                self._write(encode_unsubscribe(version, _UNSUBSCRIBE_ID, self._obsolete))
        elif isinstance(packet, Suback):
            for name, code in zip(self._filters, packet.codes, strict=False):
                if code >= _FAILURE:
                    what = f"subscription to {name!r} (grant it to the user, or see mqtt.topics):"
                    self._fail(Refused(what, code, "", connack=False))
                    return
                if code == 0:
                    self.warning = f"the broker grants {name!r} only QoS 0: it may lose messages"
            self._answered(packet.packet_id)
        elif isinstance(packet, Unsuback):
            self._answered(packet.packet_id)
        elif isinstance(packet, Disconnect):
            why = reason_text(self._connect.version, packet.code)
            self.abort(f"the broker says: {why} {packet.reason}".rstrip())

    def _answered(self, packet_id: int) -> None:
        self._awaited.discard(packet_id)
        if not self._awaited and not self.subscribed.done():
            self.subscribed.set_result(None)

    def _fail(self, refused: Refused) -> None:
        self._give_up(refused)
        self.abort(str(refused))

    def _give_up(self, error: Exception) -> None:
        """Tell who waits for the subscription that it will not come."""
        if not self.subscribed.done():
            self.subscribed.set_exception(error)
            self.subscribed.exception()  # marks it as seen: nobody may be waiting any more

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        why = self._why or (str(exc) if exc else "closed by the broker")
        self._give_up(ConnectionError(why))
        if not self._closed.done():
            self._closed.set_result(why)

    async def watch(self) -> str:
        """Keep the connection alive until it ends; return why it ended.

        A broker that is silent for one and a half keepalives is dead, unless reading is paused.
        """
        pause_s = max(self._keepalive_s / 4, 0.1)
        while not self._closed.done():
            await asyncio.wait((self._closed,), timeout=pause_s if self._keepalive_s else None)
            now = self._loop.time()
            if self._paused:
                self._heard = now
            if now - self._heard > 1.5 * self._keepalive_s:
                self.abort(f"the broker is silent for {now - self._heard:.0f} s")
            elif now - self._heard >= pause_s or now - self._said >= self._keepalive_s / 2:
                self._write(PINGREQ)
        return self._closed.result()

    def acknowledge(self, packet_ids: Sequence[int]) -> None:
        """Acknowledge messages, in the given order, with one write."""
        self._write(encode_pubacks(packet_ids))

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 0."""
        self._write(encode_publish(self._connect.version, topic, payload))

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._said = self._loop.time()
            self._transport.write(data)

    def pause_reading(self) -> None:
        """Let the rest stay in the socket."""
        self._paused = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._paused = False
        self._heard = self._loop.time()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def disconnect(self) -> None:
        """Say DISCONNECT after everything that was written, and close."""
        self._write(encode_disconnect(self._connect.version))
        if self._transport is not None:
            self._transport.close()

    def abort(self, why: str) -> None:
        """End the connection now."""
        self._why = self._why or why
        if self._transport is not None:
            self._transport.abort()
        self._give_up(ConnectionError(why))
