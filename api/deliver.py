"""The worker that delivers: what is due, in order per alert and endpoint, a few at a time."""

import asyncio
import contextlib
import logging
import random
import sqlite3
from collections import defaultdict
from collections.abc import Callable

from api.bodies import FORMATS
from api.breaker import Breaker
from api.bundles import bundle_due
from api.desk import Desk
from api.endpoints import Endpoint, disable_endpoint, list_endpoints
from api.outbox import SCHEDULE_S, Delivery, due, due_tests, give_up, next_due_ms, settle
from api.post import Outcome, Poster
from store.roles import wall_ms

PER_ENDPOINT = 8
"""Attempts at once to one endpoint: a slow receiver does not hold up the others."""
JITTER = 0.1
"""Largest part of a wait that is added to it."""
_IDLE_S = 1.0
_DISK_RETRY_S = 5.0
_LIFE_MS = round(1000 * (1 + JITTER) * sum(SCHEDULE_S))
"""Nothing is tried for longer."""

_log = logging.getLogger(__name__)


class Deliverer:
    """Delivers from the desk's outbox. One per desk."""

    def __init__(
        self,
        desk: Desk,
        poster: Poster,
        *,
        clock_ms: Callable[[], int] = wall_ms,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._desk = desk
        self._poster = poster
        self._clock_ms = clock_ms
        self._jitter = jitter
        self._wake = asyncio.Event()
        self._running: dict[int, tuple[str, asyncio.Task[None]]] = {}
        """Number of a delivery -> its endpoint, and the attempt under way."""
        self._breakers: defaultdict[str, Breaker] = defaultdict(Breaker)
        self._outcomes: list[tuple[Delivery, Endpoint, Outcome, asyncio.Future[str]]] = []
        self._writing = asyncio.Lock()
        self.finished = 0
        """Attempts since the process started."""

    def wake(self) -> None:
        """Look for due deliveries now."""
        self._wake.set()

    def forgive(self, endpoint: str) -> None:
        """Forget an endpoint's failures: a person says that it is back."""
        self._breakers.pop(endpoint, None)
        self._wake.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            await self._poster.prepare()
            while True:
                self._wake.clear()
                try:
                    await self._start_due()
                except sqlite3.OperationalError as error:
                    _log.error("desk.db cannot be used (%s); free space on its disk", error)
                    await asyncio.sleep(_DISK_RETRY_S)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._pause_s())
        finally:
            tasks = [task for _, task in self._running.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._poster.close()

    async def round(self) -> int:
        """Make one attempt at everything that is due now, and return how many were made."""
        before = self.finished
        await self._start_due()
        while self._running:
            await asyncio.gather(*(task for _, task in self._running.values()))
            await self._start_due()
        return self.finished - before

    def _pause_s(self) -> float:
        now_ms = self._clock_ms()
        next_ms = next_due_ms(self._desk.reader, now_ms)
        return _IDLE_S if next_ms is None else min(_IDLE_S, (next_ms - now_ms) / 1000)

    async def _start_due(self) -> None:
        for endpoint in list_endpoints(self._desk.reader):
            if endpoint.enabled:
                for delivery in await self._chosen(endpoint):
                    self._breakers[endpoint.id].started(self._clock_ms())
                    task = asyncio.create_task(self._attempt(delivery, endpoint))
                    self._running[delivery.n] = (endpoint.id, task)

    async def _chosen(self, endpoint: Endpoint) -> list[Delivery]:
        """Return the deliveries whose attempts begin now."""
        now_ms, format_ = self._clock_ms(), FORMATS[endpoint.format]
        running = sum(name == endpoint.id for name, _ in self._running.values())
        limit = format_.per_minute if endpoint.rate_per_minute is None else endpoint.rate_per_minute
        room = self._breakers[endpoint.id].room(now_ms, running, PER_ENDPOINT, limit)
        if room == 0:
            # A person waits for a test, and it shows whether the receiver is back.
            return self._idle(due_tests(self._desk.reader, endpoint.id))
        # Those under way are still pending on disk.
        most, bundles = room + running, format_.most > 1
        found = self._idle(due(self._desk.reader, endpoint.id, now_ms, most, bundled=True if bundles else None))
        if bundles and len(found) < room:
            missing = room - len(found)
            if await asyncio.to_thread(self._bundle, endpoint, now_ms, missing):
                found = self._idle(due(self._desk.reader, endpoint.id, now_ms, most, bundled=True))
        return found[:room]

    def _idle(self, deliveries: list[Delivery]) -> list[Delivery]:
        return [d for d in deliveries if d.n not in self._running]

    def _bundle(self, endpoint: Endpoint, now_ms: int, messages: int) -> bool:
        """Decide what the next messages carry; return whether anything waited for that."""
        if not due(self._desk.reader, endpoint.id, now_ms, 1, bundled=False):
            return False
        with self._desk.write() as db:
            bundle_due(db, endpoint, now_ms, messages)
        return True

    async def _attempt(self, delivery: Delivery, endpoint: Endpoint) -> None:
        try:
            outcome = await self._poster.post(endpoint, delivery.id, delivery.body)
            self._breakers[endpoint.id].ended(outcome, self._clock_ms())
            state = await self._record(delivery, endpoint, outcome)
            self.finished += 1
            if state != "delivered":
                what = outcome.error or f"status {outcome.status}"
                _log.warning("webhook %s to %s: %s, now %s", delivery.id, endpoint.id, what, state)
        finally:
            self._running.pop(delivery.n, None)
            self._wake.set()

    async def _record(self, delivery: Delivery, endpoint: Endpoint, outcome: Outcome) -> str:
        """Write an outcome down, together with those that wait too, and return the delivery's state.

        Where the disk refuses, try again rather than post again.
        """
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._outcomes.append((delivery, endpoint, outcome, done))
        async with self._writing:
            while not done.done():
                batch, self._outcomes = self._outcomes, []
                try:
                    states = await asyncio.to_thread(self._write, [b[:3] for b in batch])
                except sqlite3.OperationalError as error:
                    self._outcomes = batch + self._outcomes
                    _log.error("desk.db cannot be written (%s); free space on its disk", error)
                    await asyncio.sleep(_DISK_RETRY_S)
                    continue
                for (*_, future), state in zip(batch, states, strict=True):
                    if not future.cancelled():
                        future.set_result(state)
        return done.result()

    def _write(self, batch: list[tuple[Delivery, Endpoint, Outcome]]) -> list[str]:
        now_ms = self._clock_ms()
        with self._desk.write() as db:
            states = []
            for delivery, endpoint, outcome in batch:
                states.append(settle(db, delivery, outcome, now_ms, JITTER * self._jitter()))
                if outcome.status == 410:
                    disable_endpoint(db, endpoint.id, "the receiver answered 410 Gone")
                since_ms = self._breakers[endpoint.id].failing_since_ms
                if since_ms is not None and now_ms - since_ms > _LIFE_MS:
                    give_up(db, endpoint.id, now_ms - _LIFE_MS)
            return states
