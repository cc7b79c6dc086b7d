"""Receivers as they are: they fail, hang, close, redirect, are slow or away. Every transition arrives all the same."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from api_support import SECRET, T0, Clock, endpoint, make_services, make_state, take, transition
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from api.deliver import Deliverer
from api.endpoints import put_endpoint
from api.outbox import SCHEDULE_S
from api.post import Poster
from api.services import Services
from telemetry.config import Config

TIMEOUT_S = 0.3
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def status(code: int, *headers: str) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        head = "".join(f"{h}\r\n" for h in ("Content-Length: 0", *headers))
        writer.write(f"HTTP/1.1 {code} X\r\n{head}\r\n".encode())

    return answer


async def hang(_writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(2 * TIMEOUT_S)


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def slow(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 204 X\r\n")
    for piece in (b"Slow: 1\r\n", b"Content-Length: 0\r\n", b"\r\n"):
        await asyncio.sleep(TIMEOUT_S / 10)
        writer.write(piece)


async def drip(writer: asyncio.StreamWriter) -> None:
    """Answer for ever, a byte at a time."""
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b"H")
            await writer.drain()
            await asyncio.sleep(TIMEOUT_S / 5)


async def flood(writer: asyncio.StreamWriter) -> None:
    """Answer 200 with a body without end."""
    writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 10000000000\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()


async def nonsense(writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\xff 42\r\n\r\n")
    writer.close()


class Hook:
    """A receiver that answers what it is told and keeps what it took in."""

    def __init__(self, answers: Callable[[dict[str, Any]], Answer]) -> None:
        self.answers = answers
        self.posts: list[tuple[str, bytes]] = []
        """(id, body) of all."""
        self.taken: list[dict[str, Any]] = []
        """Verified bodies that were answered 2xx."""
        self.open: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._talk(reader, writer))
        self.open.add(task)
        await asyncio.wait([task])
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        self.open.discard(task)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:]) if k}
                body = await reader.readexactly(int(headers["content-length"]))
                self.posts.append((headers["webhook-id"], body))
                found = Webhook(SECRET).verify(body, headers)
                answer = self.answers(found)
                if answer in (GOOD, slow, flood):
                    self.taken.append(found)
                await answer(writer)
                await writer.drain()
                if answer in (flood, drip, close, nonsense, hang):
                    break


GOOD = status(204)


@contextlib.asynccontextmanager
async def serving(hook: Hook) -> AsyncIterator[int]:
    server = await asyncio.start_server(hook.serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        while hook.open:
            for task in hook.open:
                task.cancel()
            await asyncio.sleep(0)


@pytest.fixture
def services(tmp_path: Path, clock: Clock) -> Iterator[Services]:
    make_state(tmp_path)
    made = make_services(Config(data_dir=str(tmp_path)), clock=clock)
    yield made
    made.desk.close()


def put(services: Services, port: int) -> None:
    with services.desk.write() as db:
        put_endpoint(db, endpoint(url=f"http://127.0.0.1:{port}/hook"))


@contextlib.asynccontextmanager
async def delivering(services: Services, clock: Clock) -> AsyncIterator[Deliverer]:
    # Signatures are judged by the wall clock, whatever the clock of the schedule says.
    poster = Poster(timeout_s=TIMEOUT_S)
    try:
        yield Deliverer(services.desk, poster, clock_ms=clock, jitter=lambda: 0.0)
    finally:
        await poster.close()


def pending(services: Services) -> int:
    return int(services.desk.reader.execute("SELECT count(*) FROM delivery WHERE state = 'pending'").fetchone()[0])


async def pass_time(deliverer: Deliverer, services: Services, clock: Clock, seconds: float) -> None:
    """Let a time pass in small steps, delivering all the while."""
    end = clock.ms + round(1000 * seconds)
    while clock.ms < end and pending(services):
        await deliverer.round()
        clock.ms = min(end, clock.ms + 5_000)
    clock.ms = end
    await deliverer.round()


@pytest.mark.parametrize(
    ("answer", "last"),
    [
        (status(500), (500, "the receiver answered 500")), (status(503), (503, "the receiver answered 503")),
        (status(429, "Retry-After: 30"), (429, "the receiver answered 429")),
        (status(404), (404, "the receiver answered 404")),
        (status(302, "Location: http://127.0.0.1:1/"), (302, "the receiver answered 302")),
        (hang, (None, "no answer within 0.3 s")), (drip, (None, "no answer within 0.3 s")),
        (close, (None, "RemoteProtocolError")), (nonsense, (None, "RemoteProtocolError")),
    ],
)
def test_what_fails_is_told_again_and_arrives(
    services: Services, clock: Clock, answer: Answer, last: tuple[int | None, str]
) -> None:
    async def work() -> Hook:
        hook = Hook(lambda _: answer if len(hook.posts) <= 2 else GOOD)
        async with serving(hook) as port, delivering(services, clock) as deliverer:
            put(services, port)
            take(services, transition())
            await deliverer.round()
            row = services.desk.reader.execute("SELECT last_status, last_error, last_latency_ms FROM delivery")
            found, error, latency_ms = row.fetchone()
            assert found == last[0]
            assert error.startswith(last[1])
            assert latency_ms < 1000 * TIMEOUT_S + 500
            await pass_time(deliverer, services, clock, 600)
        return hook

    hook = asyncio.run(work())
    assert len(hook.posts) == 3
    assert len(set(hook.posts)) == 1, "one id, one body"
    assert [t["data"]["sequence"] for t in hook.taken] == [1]


@pytest.mark.parametrize("answer", [slow, flood], ids=["slow", "flood"])
def test_what_arrives_in_a_strange_way_has_arrived(services: Services, clock: Clock, answer: Answer) -> None:
    async def work() -> Hook:
        hook = Hook(lambda _: answer)
        async with serving(hook) as port, delivering(services, clock) as deliverer:
            put(services, port)
            take(services, transition())
            await deliverer.round()
        return hook

    assert len(asyncio.run(work()).taken) == 1
    assert pending(services) == 0


def test_a_receiver_that_is_away_for_an_hour_gets_everything_in_order(services: Services, clock: Clock) -> None:
    async def work() -> tuple[Hook, int]:
        hook = Hook(lambda _: GOOD)
        async with serving(hook) as port, delivering(services, clock) as deliverer:
            put(services, 1)
            for minute in range(60):
                number = minute // 20 + 1
                kind = "alert.resolved" if number == 3 else "alert.firing" if number == 1 else "alert.updated"
                take(services, transition(f"a{minute % 20}", kind, number=number))
                await pass_time(deliverer, services, clock, 60)
            attempts = deliverer.finished
            put(services, port)
            await pass_time(deliverer, services, clock, 600)
        return hook, attempts

    hook, attempts = asyncio.run(work())
    assert attempts < 60, "while the receiver is away it is only probed"
    for i in range(20):
        assert [t["data"]["sequence"] for t in hook.taken if t["data"]["id"] == f"a{i}"] == [1, 2, 3]
    assert len({p[0] for p in hook.posts}) == len(hook.posts) == 60


def test_a_receiver_that_never_comes_back_leaves_dead_letters(services: Services, clock: Clock) -> None:
    async def work() -> None:
        async with delivering(services, clock) as deliverer:
            put(services, 1)
            take(services, *(transition(f"a{i}") for i in range(30)))
            for _ in range(14 * 12):
                await deliverer.round()
                clock.forward(1800)
            dead = services.desk.reader.execute("SELECT count(*) FROM delivery WHERE state = 'dead'").fetchone()
            assert dead == (30,)
            assert clock.ms > T0 + 1000 * sum(SCHEDULE_S)

    asyncio.run(work())


ANSWERS = {
    "good": GOOD, "500": status(500), "429": status(429, "Retry-After: 7"), "404": status(404), "close": close,
    "redirect": status(307, "Location: /x"),
}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(sorted(ANSWERS)), max_size=9), st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_every_transition_arrives_once_it_can_in_order_with_one_id(
    tmp_path_factory: pytest.TempPathFactory, moods: list[str], story: list[int]
) -> None:
    clock = Clock()
    data = tmp_path_factory.mktemp("moods")
    make_state(data)
    services = make_services(Config(data_dir=str(data)), clock=clock)
    left = list(moods)
    numbers = [0, 0, 0, 0]

    async def work() -> Hook:
        hook = Hook(lambda _: ANSWERS[left.pop(0)] if left else GOOD)
        async with serving(hook) as port, delivering(services, clock) as deliverer:
            put(services, port)
            for alert in story:
                numbers[alert] += 1
                kind = "alert.firing" if numbers[alert] == 1 else "alert.updated"
                take(services, transition(f"a{alert}", kind, number=numbers[alert]))
                await deliverer.round()
                clock.forward(3)
            for _ in range(200):
                await deliverer.round()
                clock.forward(1800)
        return hook

    hook = asyncio.run(work())
    for alert, many in enumerate(numbers):
        got = [t["data"]["sequence"] for t in hook.taken if t["data"]["id"] == f"a{alert}"]
        assert got == list(range(1, many + 1))
    ids = {id_ for id_, _ in hook.posts}
    assert len(ids) == len(story)
    assert len({(id_, body) for id_, body in hook.posts}) == len(ids)
    services.desk.close()


