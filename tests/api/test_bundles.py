"""Many alerts, few messages; one wave of failures, few attempts."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_support import (
    T0,
    Clock,
    Receiver,
    deliver_once,
    die_after_post,
    endpoint,
    make_services,
    make_state,
    take,
    transition,
)

from api.breaker import FIRST_PAUSE_MS, LONGEST_PAUSE_MS, THRESHOLD, Breaker
from api.deliver import Deliverer
from api.endpoints import put_endpoint
from api.outbox import find_delivery, replay
from api.post import Outcome, Poster
from api.services import Services
from telemetry.config import Config


@pytest.fixture
def services(tmp_path: Path, clock: Clock, hook: Receiver) -> Iterator[Services]:
    make_state(tmp_path)
    made = make_services(Config(data_dir=str(tmp_path)), clock=clock)
    with made.desk.write() as db:
        put_endpoint(db, endpoint(url=hook.url, format="alertmanager"))
    yield made
    made.desk.close()


def wave(many: int, **changes: Any) -> list[dict[str, Any]]:
    return [transition(f"a{i}", device=f"p{i:03}", **changes) for i in range(many)]


def states(services: Services) -> list[tuple[str, int]]:
    rows = services.desk.reader.execute("SELECT state, count(*) FROM delivery GROUP BY state ORDER BY state")
    return [tuple(r) for r in rows]


def test_forty_ports_of_one_station_are_one_message(services: Services, hook: Receiver) -> None:
    take(services, *wave(40), transition("b", station="isle"), transition("c", rule="port_unavailable"))
    assert deliver_once(services) == 3
    sizes = sorted(len(g.json["alerts"]) for g in hook.got)
    assert sizes == [1, 1, 40]
    assert states(services) == [("delivered", 42)]
    log = services.desk.reader.execute("SELECT id FROM delivery WHERE alert IN ('a0', 'a39') ORDER BY n").fetchall()
    first, last = (find_delivery(services.desk.reader, id_) for (id_,) in log)
    assert first is not None
    assert last is not None
    assert last.public()["sent_as"] == first.public()["sent_as"] == first.id
    assert first.id in {g.headers["webhook-id"] for g in hook.got}


def test_standard_always_carries_one(services: Services, hook: Receiver) -> None:
    with services.desk.write() as db:
        put_endpoint(db, endpoint(url=hook.url))
    take(services, *wave(40))
    assert deliver_once(services) == 40


def test_a_group_that_fails_comes_again_as_it_was(services: Services, hook: Receiver, clock: Clock) -> None:
    hook.answer = lambda _: (500, {})
    take(services, *wave(3))
    assert deliver_once(services) == 1
    take(services, *[transition(f"late{i}") for i in range(2)])
    hook.answer = lambda _: (200, {})
    clock.forward(5)
    assert deliver_once(services) == 2
    first, *rest = [(g.headers["webhook-id"], g.body) for g in hook.got]
    assert rest.count(first) == 1
    assert sorted(len(g.json["alerts"]) for g in hook.got) == [2, 3, 3]
    assert states(services) == [("delivered", 5)]
    with services.desk.write() as db:
        assert replay(db, first[0], clock())
    assert deliver_once(services) == 1
    assert hook.got[-1].body == first[1]


def test_a_crash_after_a_group_was_posted_repeats_it(services: Services, hook: Receiver) -> None:
    take(services, *wave(3))
    die_after_post(services)
    take(services, transition("late"))
    deliver_once(services)
    first, *rest = [(g.headers["webhook-id"], g.body) for g in hook.got]
    assert rest.count(first) == 1
    assert sorted(len(g.json["alerts"]) for g in hook.got) == [1, 3, 3]


def test_the_end_waits_for_the_group_of_its_start(services: Services, hook: Receiver, clock: Clock) -> None:
    hook.answer = lambda _: (500, {})
    take(services, *wave(3))
    deliver_once(services)
    take(services, transition("a1", "alert.resolved", number=2))
    assert deliver_once(services) == 0
    hook.answer = lambda _: (200, {})
    clock.forward(5)
    assert deliver_once(services) == 2
    assert [g.json["status"] for g in hook.got] == ["firing", "firing", "resolved"]


def test_a_rate_limit_makes_groups_of_what_waits(services: Services, hook: Receiver, clock: Clock) -> None:
    with services.desk.write() as db:
        put_endpoint(db, endpoint(url=hook.url, format="slack", rate_per_minute=2))

    async def work() -> None:
        poster = Poster()
        deliverer = Deliverer(services.desk, poster, clock_ms=clock, jitter=lambda: 0.0)
        for i in range(12):
            take(services, transition(f"a{i}"))
            await deliverer.round()
            clock.forward(5)
        assert len(hook.got) == 2
        clock.forward(1)
        assert await deliverer.round() == 1
        await poster.close()

    asyncio.run(work())
    assert "10 alerts of port_faulted" in hook.got[2].json["text"]
    assert states(services) == [("delivered", 12)]


GOOD, BAD, WRONG = Outcome(204, "", 1), Outcome(None, "no connection", 1, None, False), Outcome(404, "", 1)


def test_a_breaker_opens_probes_and_closes() -> None:
    breaker, now = Breaker(), T0
    for _ in range(THRESHOLD - 1):
        breaker.ended(BAD, now)
    assert breaker.room(now, 2, 8, 0) == 6
    pause = FIRST_PAUSE_MS
    for _ in range(9):
        breaker.ended(BAD, now)
        assert breaker.room(now + min(pause, LONGEST_PAUSE_MS) - 1, 0, 8, 0) == 0
        now += min(pause, LONGEST_PAUSE_MS)
        assert breaker.room(now, 0, 8, 0) == 1
        assert breaker.room(now, 1, 8, 0) == 0
        pause *= 2
    assert breaker.failing_since_ms == T0
    breaker.ended(GOOD, now)
    assert breaker.room(now, 0, 8, 0) == 8
    assert breaker.failing_since_ms is None


def test_a_receiver_that_answers_is_not_away() -> None:
    breaker = Breaker()
    for _ in range(20):
        breaker.ended(WRONG, T0)
    assert breaker.room(T0, 0, 8, 0) == 8


def test_retry_after_holds_everybody() -> None:
    breaker = Breaker()
    breaker.ended(Outcome(429, "", 1, 60.0), T0)
    assert breaker.room(T0 + 59_999, 0, 8, 0) == 0
    assert breaker.room(T0 + 60_000, 0, 8, 0) == 8


def test_a_rate_is_counted_over_any_minute() -> None:
    breaker = Breaker()
    for second in (0, 1, 2):
        breaker.started(T0 + 1000 * second)
    assert breaker.room(T0 + 3000, 0, 8, 4) == 1
    assert breaker.room(T0 + 59_999, 0, 8, 3) == 0
    assert breaker.room(T0 + 60_000, 0, 8, 3) == 1
