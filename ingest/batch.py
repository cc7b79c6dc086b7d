"""Batches: messages gather, are decoded and committed together, and are then acknowledged in order of receipt."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ingest.commit import Committer
from ingest.decode import Decoder
from store.roles import wall_ms
from telemetry.config import IngestConfig
from telemetry.errors import JournalFull
from wire.mqtt.packets import Publish

_WINDOW = 8
"""So many messages and then silence: a broker with a small window waits for us, so do not wait for it."""
_QUIET_S = 0.001
_TRICKLE_S = 0.004
_AHEAD_BATCHES = 4
_REST_S = 0.002
_REST_WAITING, _REST_READ = 64, 256
"""A read of fewer messages than the second, while at least the first wait for their batch, is followed by a rest: a
broker that writes each message by itself would wake us thousands of times a second, at more cost than decoding."""


class Source(Protocol):
    """Where messages come from."""

    @property
    def connected(self) -> bool:
        """Whether it delivers."""

    def acknowledge(self, generation: int, packet_ids: Sequence[int]) -> None:
        """Acknowledge messages of one connection."""

    def pause_reading(self) -> None:
        """Bring no more."""

    def resume_reading(self) -> None:
        """Bring more."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """The messages of one read."""

    generation: int
    """Which connection brought them."""
    receipt_ms: int
    messages: Sequence[Publish]
    bytes: int
    """Their payloads together."""


class Intake:
    """Takes messages, commits them in batches, acknowledges."""

    def __init__(self, config: IngestConfig, decoder: Decoder, committer: Committer) -> None:
        self._config = config
        self._decoder = decoder
        self._committer = committer
        self._source: Source | None = None
        self._waiting: deque[Arrival] = deque()
        self._messages = 0
        self._bytes = 0
        self._generation = 0
        self._paused = False
        self._resting = False
        self._since = self._last = 0.0
        """When the first of the waiting messages came, and since when it has been silent [s of the loop]."""
        self._jobs: deque[Callable[[], Awaitable[None]]] = deque()
        self._something = asyncio.Event()
        self._stopping = asyncio.Event()
        self.counters: Counter[str] = Counter()
        """Totals since the start, for the role's status."""

    def attach(self, source: Source) -> None:
        """Take messages of this source."""
        self._source = source

    @property
    def waiting(self) -> int:
        """Messages that are received and not yet committed."""
        return self._messages

    @property
    def lag_s(self) -> float:
        """Age of the oldest of them [s]."""
        return 0.001 * (wall_ms() - self._waiting[0].receipt_ms) if self._waiting else 0.0

    def offer(self, generation: int, messages: list[Publish]) -> None:
        """Take the messages of one read; beyond some batches the source is paused."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if not self._waiting:
            self._since = now
        self._last = now
        size = sum([len(m.payload) for m in messages])
        self._waiting.append(Arrival(generation, wall_ms(), messages, size))
        self._messages += len(messages)
        self._bytes += size
        self._something.set()
        if not self._paused and self._beyond(_AHEAD_BATCHES):
            self._pause()
        elif self._source and not self._resting and len(messages) < _REST_READ and self._messages >= _REST_WAITING:
            self._resting = True
            self._source.pause_reading()
            loop.call_later(_REST_S, self._wake)

    def _wake(self) -> None:
        """Read again after a rest; whether it is silent shows from now on."""
        self._resting = False
        self._last = asyncio.get_running_loop().time()
        if not self._paused and self._source is not None:
            self._source.resume_reading()

    def _beyond(self, batches: int) -> bool:
        limit = self._config
        return self._messages > batches * limit.batch_messages or self._bytes > batches * limit.batch_bytes

    def _pause(self) -> None:
        self._paused = True
        if self._source is not None:
            self._source.pause_reading()

    def _resume_if_room(self) -> None:
        if self._paused and not self._beyond(1):
            self._paused = False
            if self._source is not None and not self._resting:
                self._source.resume_reading()

    async def run(self) -> None:
        """Commit batch after batch until `stop`; then commit what is there and return.

        Raises
        ------
        JournalError
            If the journal cannot be written for a reason that does not pass by itself.
        """
        while True:
            try:
                if self._jobs:
                    await self._jobs.popleft()()
                    self._resume_if_room()
            except JournalFull:
                return
            if not self._waiting:
                if self._stopping.is_set():
                    return
                if not self._jobs:
                    await self._something.wait()
            self._something.clear()
            if not self._waiting:
                continue
            await self._gather()
            try:
                await self._commit(self._take())
            except JournalFull:
                return  # stopping, and not acknowledged: the broker keeps them
            self._resume_if_room()

    async def between(self, work: Callable[[Callable[[], None], asyncio.Event], Awaitable[None]]) -> None:
        """Do work that decodes and commits between two batches; it is given what `Committer.commit` wants.

        Raises
        ------
        JournalFull
            If ingest stops before the journal has room for it.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def job() -> None:
            try:
                await work(self._pause, self._stopping)
            except BaseException as error:
                done.set_exception(error)
                done.exception()  # marks it as seen: whoever asked may be gone
                raise
            done.set_result(None)

        self._jobs.append(job)
        self._something.set()
        await done

    def stop(self) -> None:
        """Commit what has come, then end `run`."""
        self._stopping.set()
        self._something.set()

    async def _gather(self) -> None:
        """Wait until the batch is large or old enough, or its sender has fallen silent."""
        clock = asyncio.get_running_loop().time
        limit = self._config
        pause_s = _QUIET_S
        while not self._stopping.is_set() and not self._beyond(1):
            now = clock()
            if self._messages >= limit.batch_messages or now - self._since >= 0.001 * limit.batch_ms:
                return
            if self._messages >= _WINDOW and not self._resting and now - self._last >= _QUIET_S:
                return
            await asyncio.sleep(pause_s)
            pause_s = _QUIET_S if self._messages >= _WINDOW else _TRICKLE_S

    def _take(self) -> list[Arrival]:
        """Return the reads of the next batch, whole, in order and of one connection."""
        taken: list[Arrival] = []
        messages = size = 0
        limit = self._config
        while self._waiting and messages < limit.batch_messages and size < limit.batch_bytes:
            if taken and self._waiting[0].generation != taken[0].generation:
                break
            arrival = self._waiting.popleft()
            taken.append(arrival)
            messages += len(arrival.messages)
            size += arrival.bytes
        self._messages -= messages
        self._bytes -= size
        return taken

    def connected(self, generation: int) -> None:
        """Take note of a connection that has brought nothing yet."""
        if not self._waiting:
            self._begin(generation)

    def _begin(self, generation: int) -> None:
        if generation != self._generation:
            self._generation = generation
            self._decoder.reconnected()

    async def _commit(self, arrivals: Sequence[Arrival]) -> None:
        source = self._source
        assert source is not None  # noqa: S101 - messages come from it
        messages = [m for a in arrivals for m in a.messages]
        receipt_ms = np.repeat(
            np.array([a.receipt_ms for a in arrivals], np.int64), [len(a.messages) for a in arrivals]
        )
        generation = arrivals[0].generation
        self._begin(generation)
        decoded = self._decoder.decode(messages, receipt_ms)
        acks = [m.packet_id for m in messages if m.packet_id]
        await self._committer.commit(
            decoded,
            received=len(messages),
            acknowledged=len(acks),
            connected=source.connected,
            on_full=self._pause,
            give_up=self._stopping,
        )
        source.acknowledge(generation, acks)
        count = self.counters
        count["received"] += len(messages)
        count["batches"] += 1
        count["redelivered"] += decoded.redelivered
        count["unknown_keys"] += decoded.unknown_keys
        count["dead_lettered"] += decoded.dead_messages
        count["readings"] += decoded.readings
        count.update(decoded.flagged)
        for reason, refused in decoded.rejected.items():
            count[f"rejected_{reason}"] += refused
