"""A broker of a few lines whose every answer a test decides."""

import asyncio
from collections.abc import Awaitable, Callable

from wire.mqtt.encode import encode_publish

CONNACK_5 = b"\x20\x03\x00\x00\x00"
CONNACK_5_RESUMED = b"\x20\x03\x01\x00\x00"
SUBACK_5 = b"\x90\x05\x00\x01\x00\x01\x01"


def publish(packet_id: int, payload: bytes = b"{}", topic: str = "voltair/v1/s/port/p/telemetry") -> bytes:
    return encode_publish(5, topic, payload, packet_id=packet_id)


class Peer:
    """The broker's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def packet(self) -> tuple[int, bytes]:
        """Return type and body of the client's next packet."""
        first = (await self._reader.readexactly(1))[0]
        length = shift = 0
        while True:
            digit = (await self._reader.readexactly(1))[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if digit < 128:
                break
        return first >> 4, await self._reader.readexactly(length)

    async def expect(self, type_: int) -> bytes:
        """Return the body of the next packet of a type; pings in between are not answered."""
        while True:
            found, body = await self.packet()
            if found == type_:
                return body
            assert found == 12, f"packet of type {found} where {type_} is expected"

    async def welcome(self, connack: bytes = CONNACK_5, suback: bytes = SUBACK_5) -> bytes:
        """Answer CONNECT and SUBSCRIBE; return the body of CONNECT."""
        connect = await self.expect(1)
        self.send(connack)
        await self.expect(8)
        self.send(suback)
        return connect

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    def close(self) -> None:
        self._writer.close()


class FakeBroker:
    """Serves connections one after the other, each by the next of its scripts."""

    def __init__(self, *scripts: Callable[[Peer], Awaitable[None]]) -> None:
        self._scripts = list(scripts)
        self._server: asyncio.Server | None = None
        self.errors: list[BaseException] = []
        self.port = 0

    async def __aenter__(self) -> "FakeBroker":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._scripts:
            writer.close()
            return
        try:
            await self._scripts.pop(0)(Peer(reader, writer))
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - told to the test
            self.errors.append(error)
        finally:
            writer.close()
