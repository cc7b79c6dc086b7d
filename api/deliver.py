"""The worker that delivers: what is due, in order per alert and endpoint, a few at a time."""

import asyncio
import contextlib
import logging
import random
import sqlite3
from collections import Counter
from collections.abc import Callable

from api.desk import Desk
from api.endpoints import Endpoint, disable_endpoint, list_endpoints
from api.outbox import Delivery, due, next_due_ms, settle
from api.post import Outcome, Poster
from store.roles import wall_ms

PER_ENDPOINT = 8
"""Attempts at once to one endpoint: a slow receiver does not hold up the others."""
JITTER = 0.1
"""Largest part of a wait that is added to it."""
_IDLE_S = 1.0
_DISK_RETRY_S = 5.0

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
        self._running: dict[int, asyncio.Task[None]] = {}
        self._per_endpoint: Counter[str] = Counter()
        self.finished = 0
        """Attempts since the process started."""

    def wake(self) -> None:
        """Look for due deliveries now."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            await self._poster.prepare()
            while True:
                self._wake.clear()
                await self._start_due()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._pause_s())
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)
            await self._poster.close()

    async def round(self) -> int:
        """Make one attempt at everything that is due now, and return how many were made."""
        before = self.finished
        await self._start_due()
        while self._running:
            await asyncio.gather(*self._running.values())
            await self._start_due()
        return self.finished - before

    def _pause_s(self) -> float:
        now_ms = self._clock_ms()
        next_ms = next_due_ms(self._desk.reader, now_ms)
        return _IDLE_S if next_ms is None else min(_IDLE_S, (next_ms - now_ms) / 1000)

    async def _start_due(self) -> None:
        for endpoint in list_endpoints(self._desk.reader):
            if not endpoint.enabled:
                continue
            # Those under way are still pending on disk, so twice the limit holds enough new ones.
            for delivery in due(self._desk.reader, endpoint.id, self._clock_ms(), 2 * PER_ENDPOINT):
                if self._per_endpoint[endpoint.id] >= PER_ENDPOINT:
                    break
                if delivery.n not in self._running:
                    self._per_endpoint[endpoint.id] += 1
                    self._running[delivery.n] = asyncio.create_task(self._attempt(delivery, endpoint))

    async def _attempt(self, delivery: Delivery, endpoint: Endpoint) -> None:
        try:
            outcome = await self._poster.post(endpoint, delivery.id, delivery.body)
            state = await self._record(delivery, endpoint, outcome)
            self.finished += 1
            if state != "delivered":
                what = outcome.error or f"status {outcome.status}"
                _log.warning("webhook %s to %s: %s, now %s", delivery.id, endpoint.id, what, state)
        finally:
            self._per_endpoint[endpoint.id] -= 1
            self._running.pop(delivery.n, None)
            self._wake.set()

    async def _record(self, delivery: Delivery, endpoint: Endpoint, outcome: Outcome) -> str:
        """Write an outcome down; where the disk refuses, try again rather than post again."""
        now_ms = self._clock_ms()
        jitter = JITTER * self._jitter()

        def write() -> str:
            with self._desk.write() as db:
                state = settle(db, delivery, outcome, now_ms, jitter)
                if outcome.status == 410:
                    disable_endpoint(db, endpoint.id, "the receiver answered 410 Gone")
                return state

        while True:
            try:
                return await asyncio.to_thread(write)
            except sqlite3.OperationalError as error:
                _log.error("desk.db cannot be written (%s); free space on its disk", error)
                await asyncio.sleep(_DISK_RETRY_S)
