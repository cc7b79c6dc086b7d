"""Dead letters, read again by the configuration of today, or dropped; `voltair dead-letters` asks ingest for it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from ingest.commit import Committer
from ingest.decode import Decoder
from store.deadletters import DeadLetter, newest_letter, read_dead_letters
from store.requests import Mailbox
from telemetry.config import Config
from telemetry.errors import JournalFull
from wire.foreign import ForeignDecoders
from wire.mqtt.packets import Publish

AT_ONCE = 500
"""Letters that are read between two batches of messages."""
Work = Callable[[Callable[[], None], asyncio.Event], Awaitable[None]]
"""Decodes and commits; given what to do while the journal is full, and when to give up."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done with which letters."""

    action: Literal["retry", "drop"]
    ids: tuple[int, ...] = ()
    reason: str = ""
    """Those whose reason contains this text."""
    everything: bool = False
    last: int | None = None
    """Newest letter when it was asked: whoever says all does not mean those that come later; None: the newest now."""

    def wants(self, letter: DeadLetter) -> bool:
        """Return whether a letter is meant."""
        return self.everything or letter.id in self.ids or bool(self.reason and self.reason in letter.reason)


class Answer(msgspec.Struct, kw_only=True):
    """What became of them."""

    done: int = 0
    """Letters that are gone: read, or dropped."""
    still: int = 0
    """Letters that cannot be read now, either."""
    problem: str = ""
    """Why it ended before it was through."""


def mailbox(data: Path) -> Mailbox[Request, Answer]:
    """Return where requests lie."""
    return Mailbox(data, "ingest", Request, Answer)


class Letters:
    """Does requests, by the decoder and the journal of ingest."""

    def __init__(self, config: Config, decoder: Decoder, committer: Committer) -> None:
        self._config = config
        self._decoder = decoder
        self._committer = committer

    async def do(self, request: Request, between: Callable[[Work], Awaitable[None]]) -> Answer:
        """Do a request; `between` runs each piece of work while nothing else decodes or commits."""
        answer = Answer()
        foreign = ForeignDecoders(self._config.decoders, self._config.mqtt.prefix, self._config.ingest.max_nesting)
        try:
            for letters in _chosen(self._config.data / "journal", request):
                if request.action == "retry":
                    await between(lambda full, stop, some=letters: self._retry(some, foreign, answer, full, stop))  # type: ignore[misc]
                elif await self._committer.drop([x.id for x in letters]):
                    answer.done += len(letters)
                else:
                    raise JournalFull(self._committer.full)
        except JournalFull as error:
            answer.problem = str(error)
        return answer

    async def _retry(
        self,
        letters: list[DeadLetter],
        foreign: ForeignDecoders,
        answer: Answer,
        on_full: Callable[[], None],
        give_up: asyncio.Event,
    ) -> None:
        messages = [Publish(x.topic.encode(), x.payload, 0, 0, x.content_type) for x in letters]
        # Received when they were received: a reading without a time of its own keeps its identity.
        receipt_ms = np.array([x.time_ms for x in letters], np.int64)
        with self._decoder.again(foreign):
            found = self._decoder.decode(messages, receipt_ms, [x.element for x in letters])
        wrong = {(x.topic, x.payload, x.element): x.reason for x in found.letters}
        still = {x.id: why for x in letters if (why := wrong.get((x.topic, x.payload, x.element))) is not None}
        known = {(x.topic, x.payload, x.element) for x in letters}
        parts = [x for x in found.letters if (x.topic, x.payload, x.element) not in known]
        done = [x.id for x in letters if x.id not in still]
        await self._committer.commit_again(
            found, done=done, still=still, parts=parts, on_full=on_full, give_up=give_up
        )
        answer.done += len(done)
        answer.still += len(still)


def _chosen(folder: Path, request: Request) -> Iterator[list[DeadLetter]]:
    """Yield the letters that a request means, oldest first; not those that it makes."""
    last = newest_letter(folder) if request.last is None else request.last
    after = 0
    while found := read_dead_letters(folder, after=after, limit=AT_ONCE):
        after = found[-1].id
        letters = [x for x in found if x.id <= last and request.wants(x)]
        if letters:
            yield letters
        if after >= last:
            return
