"""What every publisher does: count, stop when asked, wait for a broker and come back to it."""

import asyncio
import contextlib
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable

from simulators.message import Message
from simulators.publish.broker import Broker
from simulators.publish.pace import Paced
from telemetry.errors import VoltairError

KEEPALIVE_S = 30
PATIENCE_S = 10.0
"""How long a broker may be unreachable at the start; later it is waited for as long as it takes."""
STOP_S = 5.0
"""How long a stopped publisher still waits for the broker."""
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0
_log = logging.getLogger("voltair.simulators")

Progress = Callable[[int, int], None]
"""Called with the number of messages sent so far and the event time of the last one [ms]."""


class Publisher(ABC):
    """Publishes one stream of messages to one broker.

    Parameters
    ----------
    broker
        Where to.
    speed
        Event time per wall time, counted from here: what is due by the time the first message is there (models warm
        up, files are read) goes out at once. None: as fast as the broker takes it.
    progress
        Told about every write.
    """

    def __init__(self, broker: Broker, speed: float | None, progress: Progress | None = None) -> None:
        self._broker = broker
        self._speed = speed
        self._progress = progress
        self._stopped = asyncio.Event()
        self._begin_s = time.monotonic()
        self.sent = 0
        """Messages handed to the broker, each counted once."""
        self.acknowledged = 0
        """Messages that the broker has acknowledged; at QoS 0 those that it was handed."""
        self.connections = 0

    def stop(self) -> None:
        """Take no further message; `publish` returns when those under way are settled (or after `STOP_S`)."""
        self._stopped.set()

    async def publish(self, messages: Iterable[Message]) -> None:
        """Publish all messages; return when the broker has settled every one.

        Raises
        ------
        VoltairError
            If the broker cannot be reached at the start, or refuses the login.
        """
        source = Paced(iter(messages), self._speed, self._begin_s)
        if not source.done:
            await self._publish(source)

    @abstractmethod
    async def _publish(self, source: Paced) -> None: ...

    async def _insist(self, session: Callable[[], Awaitable[None]]) -> None:
        """Run a session until it ends by itself; one that breaks (`OSError`) is begun again.

        Until it is stopped: what could not be settled within `STOP_S` is given up.
        """
        begin_s, pause_s = time.monotonic(), _FIRST_PAUSE_S
        while not self._stopped.is_set():
            before = self.connections
            try:
                await session()
            except OSError as error:
                if not self.connections and time.monotonic() - begin_s > PATIENCE_S:
                    msg = f"no broker at {self._broker.url} ({error}); start one, or name another with --broker"
                    raise VoltairError(msg) from error
                if self.connections > before:
                    _log.warning("lost the connection to %s (%s); connecting again", self._broker.url, error)
                    pause_s = _FIRST_PAUSE_S
            else:
                return
            await self._rest(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, 2.0 * pause_s)

    async def _given_up(self) -> None:
        """Wait until it was stopped `STOP_S` ago."""
        await self._stopped.wait()
        await asyncio.sleep(STOP_S)

    async def _rest(self, seconds: float) -> None:
        """Wait, but no longer than until it is stopped."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), min(seconds, _LONGEST_PAUSE_S))

    def _report(self, time_ms: int, count: int) -> None:
        self.sent += count
        if self._progress is not None:
            self._progress(self.sent, time_ms)


def is_presence(topic: str) -> bool:
    """Return whether a message is presence: whoever subscribes later must know it too, so it is retained."""
    return topic.endswith("/online")
