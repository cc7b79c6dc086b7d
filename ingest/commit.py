"""Everything that goes to the journal, in one thread: batches, dead letters, ticks, the registry, retention.

The event loop keeps reading while a commit waits for the disk. A full journal is waited for: nothing is acknowledged
meanwhile, so nothing is lost.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ingest.decoded import Decoded
from store.cursors import entries_done, entries_reached
from store.deadletters import DeadLetter, DeadLetterWriter
from store.journal import EntryType, JournalWriter
from store.roles import wall_ms
from telemetry.config import Config, duration
from telemetry.errors import JournalError, JournalFull

T = TypeVar("T")

_log = logging.getLogger("voltair.ingest")

RETRY_S = 1.0
"""A full journal is tried again after this long."""


class Committer:
    """The journal's only writer."""

    def __init__(self, config: Config, wall: Callable[[], int] = wall_ms) -> None:
        """Open journal and dead letters, or start them.

        Raises
        ------
        JournalError
            If the data directory belongs to the other clock mode, or a file is damaged.
        """
        limit = config.journal.max_bytes
        self.journal = JournalWriter.open(
            config.data / "journal",
            clock_mode=config.clock.mode,
            # Only closed segments can go: a full journal must have some.
            segment_bytes=min(config.journal.segment_bytes, limit // 4),
            max_bytes=limit,
            reached=entries_reached(config.data),
        )
        self._letters = DeadLetterWriter(config.data / "journal", self.journal.next_number - 1)
        self._data: Path = config.data
        self._keep_ms = duration(config.journal.keep)
        self._wall = wall
        self._clock_ms = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._waiting = False
        self.full: str | None = None
        """Why the journal does not accept; None when it does."""

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _now_ms(self) -> int:
        """Return the journal's clock, which does not go back where the wall's does."""
        self._clock_ms = max(self._clock_ms, self._wall())
        return self._clock_ms

    async def commit(
        self,
        batch: Decoded,
        *,
        received: int,
        acknowledged: int,
        connected: bool,
        on_full: Callable[[], None],
        give_up: asyncio.Event,
    ) -> None:
        """Commit one batch durably, waiting for as long as the journal is full.

        Parameters
        ----------
        received, acknowledged
            Messages of the batch, and those that will be acknowledged for it.
        on_full
            Called when the wait begins: bring no more.
        give_up
            Once set, a full journal is no longer waited for.

        Raises
        ------
        JournalFull
            If the journal is full and `give_up` is set; nothing may be acknowledged.
        """
        steps: list[Callable[[], object]] = []
        if batch.letters:
            steps.append(lambda: self._letters.add(batch.letters, self.journal.next_number))
            if not batch.frames:
                # Letters belong to the next entry: without readings a tick is that entry.
                steps.append(lambda: self.journal.tick(connected=connected, now_ms=self._now_ms()))
        steps.append(lambda: self._append(batch, received, acknowledged))
        await self._take(steps, on_full, give_up)

    async def commit_again(
        self,
        batch: Decoded,
        *,
        done: Collection[int],
        still: Mapping[int, str],
        parts: Sequence[DeadLetter],
        on_full: Callable[[], None],
        give_up: asyncio.Event,
    ) -> None:
        """Commit what dead letters hold, and settle them: both or neither, whenever the process is killed.

        Parameters
        ----------
        done, still, parts
            As in `DeadLetterWriter.settle`.

        Raises
        ------
        JournalFull
            As in `commit`.
        """
        entry = 0
        # They were counted when they came, and what they say to decoders is of the past.
        again = replace(batch, dead_messages=0, memory={})

        def work() -> None:
            nonlocal entry
            entry = self.journal.next_number if batch.frames else self.journal.next_number - 1
            self._letters.settle(done, still, parts, entry)
            if not batch.frames:
                return
            try:
                self._append(again, 0, 0)
            except JournalFull as full:
                try:
                    self._letters.unsettle(entry)
                except JournalFull as error:
                    # Another batch must not get that number: the role ends, and its next start takes the marks away.
                    raise JournalError(str(error)) from full
                raise

        await self._take([work, lambda: self._letters.settled(entry)], on_full, give_up)

    async def drop(self, ids: Collection[int]) -> bool:
        """Remove dead letters for good; return whether the disk took it."""
        return await self._offer(lambda: self._letters.drop(ids))

    async def _take(
        self, steps: Sequence[Callable[[], object]], on_full: Callable[[], None], give_up: asyncio.Event
    ) -> None:
        """Do one step after the other, waiting for as long as the journal is full."""
        for step in steps:
            while not await self._offer(step):
                self._waiting = True
                on_full()
                await self.retire()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_S):
                        await give_up.wait()
                if give_up.is_set():
                    raise JournalFull(self.full)
        self._waiting = False

    def _append(self, batch: Decoded, received: int, acknowledged: int) -> int:
        totals = self.journal.totals.plus(
            received=received,
            acknowledged=acknowledged,
            dead_lettered=batch.dead_messages,
            rejected=batch.rejected.total(),
            journalled=batch.readings,
        )
        return self.journal.append(
            batch.frames,
            now_ms=self._now_ms(),
            totals=totals,
            new_devices=batch.new_devices,
            station_now=batch.station_now,
            memory=batch.memory,
        )

    async def tick(self, *, connected: bool) -> None:
        """Commit a tick, unless a batch waits for room: its entry comes first."""
        if not self._waiting:
            await self._offer(lambda: self.journal.tick(connected=connected, now_ms=self._now_ms()))

    async def put(self, type_: EntryType, body: bytes) -> bool:
        """Commit a registry or rules; return whether the journal took it."""
        return await self._offer(lambda: self.journal.put(type_, body, now_ms=self._now_ms()))

    async def _offer(self, work: Callable[[], object]) -> bool:
        try:
            await self._in_thread(work)
        except JournalFull as error:
            if self.full is None:
                _log.warning("nothing is acknowledged until there is room: %s", error)
            self.full = str(error)
            return False
        if self.full is not None:
            _log.warning("the journal takes more again")
        self.full = None
        return True

    async def retire(self) -> int:
        """Unlink closed segments that nobody needs any more; return how many."""

        def work() -> int:
            done = entries_done(self._data)
            return self.journal.retire(done=done, before_ms=self._wall() - self._keep_ms)

        return await self._in_thread(work)

    def close(self) -> None:
        """Finish what was begun and close the files."""
        self._thread.shutdown()
        self._letters.close()
        self.journal.close()
