"""The session on the broker: kept over every loss of the connection, acknowledged only by who has committed.

Libraries cannot acknowledge after a commit without a risk: packet ids are used again after a reconnect, so a late
acknowledgement may hit another message. Here each one is tied to the connection that brought its message.
"""

import asyncio
import random
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ingest.connection import Connection, Refused
from ingest.memory import remember, remembered
from telemetry.config import MqttConfig, duration
from telemetry.errors import ConfigError, WireError
from wire.mqtt.encode import Connect
from wire.mqtt.packets import Publish, is_permanent, reason_text

CONNECT_S = 10.0
"""A broker that has not answered CONNECT and SUBSCRIBE by then is unreachable."""
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 30.0
_STEADY_S = 5.0
_NEVER_EXPIRES_S = 0xFFFFFFFF


class Session:
    """Connects, subscribes, stays; hands messages over and takes acknowledgements."""

    def __init__(
        self,
        config: MqttConfig,
        *,
        receive_maximum: int,
        on_messages: Callable[[int, list[Publish]], None],
        on_change: Callable[[], None],
        memory: Path,
    ) -> None:
        """Prepare a session; `run` connects.

        Parameters
        ----------
        receive_maximum
            How many messages may be under way unacknowledged (MQTT 5): the broker's back-pressure.
        on_messages
            Called with the connection's generation and the messages of one read, in order.
        on_change
            Called when `connected` changes.
        memory
            File that remembers what the session is subscribed to, so that old filters are given up.
        """
        self._config = config
        self._on_messages = on_messages
        self._on_change = on_change
        self._memory = memory
        expiry_s = min(duration(config.session_expiry) // 1000, _NEVER_EXPIRES_S)
        self._connect = Connect(
            version=config.protocol,
            client_id=config.client_id,
            username=config.username,
            password=config.password,
            keepalive_s=config.keepalive_s,
            session_expiry_s=expiry_s,
            receive_maximum=receive_maximum,
        )
        self._tls = _tls_context(config)
        self._connection: Connection | None = None
        self._subscribed = False
        self._paused = False
        self.generation = 0
        """Number of the newest connection."""
        self.reconnects = 0
        """Connections that were lost."""
        self.stale_acks = 0
        """Acknowledgements dropped because their connection is gone; those messages come again."""
        self.problem: str | None = f"not connected to {config.url} yet"
        """Why there is no connection, or what is wrong with it; None when all is well."""

    @property
    def connected(self) -> bool:
        """Whether the broker has acknowledged the subscription and the connection stands."""
        return self._subscribed

    async def run(self) -> None:
        """Keep the session up until cancelled.

        Raises
        ------
        ConfigError
            If the broker refuses the login for good.
        """
        url = self._config.url
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            try:
                connection = await self._open()
            except Refused as refused:
                why = reason_text(self._config.protocol, refused.code)
                words = f": {refused.words}" if refused.words else ""
                if refused.connack and is_permanent(self._config.protocol, refused.code):
                    msg = (
                        f"the broker {url} refuses client {self._config.client_id!r}, user "
                        f"{self._config.username!r}: {why}{words}; see mqtt.username, mqtt.password, mqtt.client_id "
                        "and mqtt.protocol"
                    )
                    raise ConfigError(msg) from refused
                self.problem = f"the broker {url} refuses: {refused} {why}{words}"
            except (OSError, TimeoutError, WireError) as error:
                said = str(error) or "no answer"
                self.problem = f"no connection to the broker {url} ({said}); it is tried again and again"
            else:
                since = loop.time()
                self.problem = connection.warning
                self._change(subscribed=True)
                if self._paused:
                    connection.pause_reading()
                lost = await connection.watch()
                self._connection = None
                self.reconnects += 1
                self.problem = f"connection to {url} lost ({lost}); it is tried again"
                self._change(subscribed=False)
                if loop.time() - since > _STEADY_S:
                    failures = 0
            await asyncio.sleep(_pause_s(failures))
            failures += 1

    async def _open(self) -> Connection:
        """Connect and subscribe."""
        self.generation += 1
        generation = self.generation
        wanted = list(self._config.topics)
        before = remembered(self._memory)

        def messages(found: list[Publish]) -> None:
            self._on_messages(generation, found)

        connection = Connection(
            self._connect, wanted, obsolete=sorted(before - set(wanted)), on_messages=messages
        )
        remember(self._memory, before | set(wanted))
        # From here on acknowledgements count: a kept session sends its messages before the SUBACK.
        self._connection = connection
        address = urlsplit(self._config.url)
        try:
            async with asyncio.timeout(CONNECT_S):
                await asyncio.get_running_loop().create_connection(
                    lambda: connection,
                    address.hostname or "",
                    address.port or (8883 if self._tls else 1883),
                    ssl=self._tls,
                )
                await connection.subscribed
        except BaseException:
            self._connection = None
            connection.abort("not subscribed")
            raise
        remember(self._memory, set(wanted))
        return connection

    def _change(self, *, subscribed: bool) -> None:
        self._subscribed = subscribed
        self._on_change()

    def acknowledge(self, generation: int, packet_ids: Sequence[int]) -> None:
        """Acknowledge messages with one write, unless their connection is gone: then they come again."""
        if self._connection is None or generation != self.generation:
            self.stale_acks += len(packet_ids)
        elif packet_ids:
            self._connection.acknowledge(packet_ids)

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 0, unless there is no connection."""
        if self._connection is not None and self._subscribed:
            self._connection.publish(topic, payload)

    def pause_reading(self) -> None:
        """Leave further messages with the broker."""
        self._paused = True
        if self._connection is not None and self._subscribed:
            self._connection.pause_reading()

    def resume_reading(self) -> None:
        """Take messages again."""
        self._paused = False
        if self._connection is not None and self._subscribed:
            self._connection.resume_reading()

    def disconnect(self) -> None:
        """Say goodbye; the broker keeps the session."""
        if self._connection is not None:
            self._connection.disconnect()
            self._connection = None


def _pause_s(failures: int) -> float:
    """Return how long to wait before the next attempt: longer each time, never in step with others [s]."""
    longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 1.6 ** min(failures, 20))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads clients, no secret


def _tls_context(config: MqttConfig) -> ssl.SSLContext | None:
    if urlsplit(config.url).scheme != "mqtts":
        return None
    try:
        context = ssl.create_default_context(cafile=config.ca_file or None)
        if config.cert_file:
            context.load_cert_chain(config.cert_file, config.key_file or None)
    except OSError as error:
        names = f"ca_file {config.ca_file!r}, cert_file {config.cert_file!r}, key_file {config.key_file!r}"
        msg = f"TLS for {config.url}: {error}; see mqtt.{names}"
        raise ConfigError(msg) from error
    return context
