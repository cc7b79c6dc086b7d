"""Deliveries: signed, retried on schedule, in order per alert, and never lost."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_support import (
    SECRET,
    T0,
    Clock,
    Received,
    Receiver,
    deliver_once,
    die_after_post,
    endpoint,
    make_services,
    make_state,
    take,
    transition,
)
from standardwebhooks import Webhook

from api.deliver import Deliverer
from api.endpoints import list_endpoints, put_endpoint
from api.outbox import SCHEDULE_S, find_delivery, next_due_ms, replay, troubles
from api.post import Poster
from api.services import Services
from store.roles import wall_ms
from telemetry.config import Config


@pytest.fixture
def services(tmp_path: Path, clock: Clock, hook: Receiver) -> Iterator[Services]:
    make_state(tmp_path)
    made = make_services(Config(data_dir=str(tmp_path)), clock=clock)
    with made.desk.write() as db:
        put_endpoint(db, endpoint(url=hook.url))
    yield made
    made.desk.close()


def states(services: Services) -> list[tuple[str, int, int | None]]:
    rows = services.desk.reader.execute("SELECT state, attempts, last_status FROM delivery ORDER BY n")
    return [tuple(r) for r in rows]


def test_a_delivery_verifies_and_has_the_contract_s_shape(services: Services, hook: Receiver) -> None:
    services.clock_ms.ms = wall_ms()  # type: ignore[attr-defined]  # the oracle judges by the wall clock
    take(services, transition())
    assert deliver_once(services) == 1
    got = hook.got[0]
    body = Webhook(SECRET).verify(got.body, got.headers)
    assert got.path == "/hook"
    assert body["type"] == "alert.firing"
    assert body["timestamp"] == "2026-11-18T11:06:41.000Z"
    data = body["data"]
    assert (data["id"], data["sequence"], data["state"], data["resolved_at"]) == ("a1", 1, "firing", None)
    assert set(data) >= {
        "id", "fingerprint", "sequence", "rule", "category", "severity", "state", "station", "device",
        "device_kind", "since", "fired_at", "resolved_at", "value", "threshold", "unit", "summary", "remedy",
        "evidence", "links",
    }
    assert got.headers["content-type"] == "application/json"
    assert states(services) == [("delivered", 1, 204)]


def test_two_secrets_sign_twice(services: Services, hook: Receiver) -> None:
    new = "whsec_" + "QUJD" * 8
    services.clock_ms.ms = wall_ms()  # type: ignore[attr-defined]  # the oracle judges by the wall clock
    with services.desk.write() as db:
        put_endpoint(db, endpoint(url=hook.url, secret=f"{new} {SECRET}"))
    take(services, transition())
    deliver_once(services)
    for secret in (new, SECRET):
        assert Webhook(secret).verify(hook.got[0].body, hook.got[0].headers)


def test_the_schedule_then_a_dead_letter_then_replay(services: Services, hook: Receiver, clock: Clock) -> None:
    hook.answer = lambda _: (500, {})
    take(services, transition())
    for attempt, wait_s in enumerate(SCHEDULE_S, 1):
        if wait_s:
            clock.forward(wait_s - 0.001)
            assert deliver_once(services) == 0
            clock.forward(0.001)
        assert deliver_once(services) == 1
        assert len(hook.got) == attempt
    assert states(services) == [("dead", 10, 500)]
    clock.forward(1e6)
    assert deliver_once(services) == 0
    assert len({g.headers["webhook-id"] for g in hook.got}) == 1
    assert len({g.body for g in hook.got}) == 1
    assert hook.got[1].headers["webhook-timestamp"] == str((T0 + 5000) // 1000)
    hook.answer = lambda _: (200, {})
    with services.desk.write() as db:
        assert replay(db, hook.got[0].headers["webhook-id"], clock())
    assert deliver_once(services) == 1
    assert hook.got[-1].headers["webhook-id"] == hook.got[0].headers["webhook-id"]
    assert states(services) == [("delivered", 1, 200)]


def test_retry_after_is_honoured(services: Services, hook: Receiver, clock: Clock) -> None:
    hook.answer = lambda _: (429, {"Retry-After": "120"})
    take(services, transition())
    deliver_once(services)
    assert next_due_ms(services.desk.reader, clock()) == clock() + 120_000


@pytest.mark.parametrize("status", [301, 302, 400, 404, 503])
def test_other_answers_are_failures(services: Services, hook: Receiver, status: int) -> None:
    hook.answer = lambda _: (status, {"Location": hook.url})
    take(services, transition())
    assert deliver_once(services) == 1
    assert len(hook.got) == 1
    assert states(services) == [("pending", 1, status)]


def test_gone_disables_the_endpoint_and_keeps_it(services: Services, hook: Receiver) -> None:
    hook.answer = lambda _: (410, {})
    take(services, transition(), transition(type_="alert.resolved", number=2))
    deliver_once(services)
    assert states(services) == [("dead", 1, 410), ("dead", 0, None)]
    assert [(e.enabled, e.disabled_reason) for e in list_endpoints(services.desk.reader)] == [
        (False, "the receiver answered 410 Gone")
    ]
    assert "410 Gone" in troubles(services.desk.reader)[0]
    take(services, transition("a2"))
    assert len(states(services)) == 2


def test_order_holds_per_alert_and_only_there(services: Services, hook: Receiver, clock: Clock) -> None:
    def answer(item: Received) -> tuple[int, dict[str, str]]:
        first = item.json["data"]["id"] == "a1" and item.json["type"] == "alert.firing"
        return (500 if first and clock() == T0 else 200), {}

    hook.answer = answer
    take(services, transition("a1"), transition("a2"), transition("a1", "alert.resolved", number=2))
    deliver_once(services)
    assert sorted((g.json["data"]["id"], g.json["type"]) for g in hook.got) == [
        ("a1", "alert.firing"), ("a2", "alert.firing")
    ]
    clock.forward(4)
    assert deliver_once(services) == 0
    clock.forward(1)
    deliver_once(services)
    assert [g.json["type"] for g in hook.got[2:]] == ["alert.firing", "alert.resolved"]
    assert [g.json["data"]["sequence"] for g in hook.got[2:]] == [1, 2]


def test_many_alerts_each_in_order(services: Services, hook: Receiver) -> None:
    rows = [
        transition(f"a{i}", "alert.resolved" if n == 3 else "alert.updated" if n == 2 else "alert.firing", number=n)
        for n in (1, 2, 3)
        for i in range(40)
    ]
    take(services, *rows)
    assert deliver_once(services) == 120
    for i in range(40):
        assert [g.json["data"]["sequence"] for g in hook.got if g.json["data"]["id"] == f"a{i}"] == [1, 2, 3]


def test_a_dead_receiver_does_not_hold_up_the_other(services: Services, hook: Receiver, clock: Clock) -> None:
    with services.desk.write() as db:
        put_endpoint(db, endpoint("ep_dead", "http://127.0.0.1:1/hook"))
    take(services, *(transition(f"a{i}") for i in range(30)))
    deliver_once(services)
    assert len(hook.got) == 30
    dead = services.desk.reader.execute(
        "SELECT state, attempts, last_status, count(*) FROM delivery WHERE endpoint = 'ep_dead' "
        "GROUP BY attempts ORDER BY attempts"
    ).fetchall()
    # The breaker opens after the attempts that were under way; the others have used up nothing.
    assert dead == [("pending", 0, None, 22), ("pending", 1, None, 8)]


def test_what_found_no_connection_goes_out_when_the_receiver_is_back(
    services: Services, hook: Receiver, clock: Clock
) -> None:
    with services.desk.write() as db:
        put_endpoint(db, endpoint(url="http://127.0.0.1:1/"))
    take(services, *(transition(f"a{i}") for i in range(3)))
    assert deliver_once(services) == 3
    clock.forward(5)
    assert deliver_once(services) == 3
    assert troubles(services.desk.reader)[0].startswith("webhook ep_1: 3 deliveries are tried again (no connection")
    with services.desk.write() as db:
        put_endpoint(db, endpoint(url=hook.url))
    clock.forward(1)
    assert deliver_once(services) == 0
    take(services, transition("a9"))
    assert deliver_once(services) == 4
    assert {g.json["data"]["id"] for g in hook.got} == {"a0", "a1", "a2", "a9"}
    assert troubles(services.desk.reader) == []


def test_a_failing_body_keeps_its_schedule_while_others_succeed(
    services: Services, hook: Receiver, clock: Clock
) -> None:
    hook.answer = lambda item: (500 if item.json["data"]["id"] == "bad" else 200, {})
    take(services, transition("bad"))
    deliver_once(services)
    for i in range(3):
        take(services, transition(f"a{i}"))
        assert deliver_once(services) == 1
    assert states(services)[0] == ("pending", 1, 500)


def test_a_crash_after_the_post_repeats_the_same_id(services: Services, hook: Receiver) -> None:
    take(services, transition())
    die_after_post(services)
    deliver_once(services)
    assert len(hook.got) == 2
    assert hook.got[0].headers["webhook-id"] == hook.got[1].headers["webhook-id"]
    assert hook.got[0].body == hook.got[1].body
    assert states(services) == [("delivered", 1, 204)]


def test_a_hanging_receiver_fails_in_time(services: Services, hook: Receiver) -> None:
    left = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        left.set()

    async def work() -> tuple[int | None, str]:
        server = await asyncio.start_server(hang, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        poster = Poster(timeout_s=0.2)
        outcome = await poster.post(endpoint(url=f"http://127.0.0.1:{port}/"), "msg_1", b"{}")
        await poster.close()
        server.close()
        await left.wait()
        return outcome.status, outcome.error

    assert asyncio.run(work()) == (None, "no answer within 0.2 s")


def test_alertmanager_bodies(services: Services, hook: Receiver) -> None:
    with services.desk.write() as db:
        put_endpoint(db, endpoint(url=hook.url, format="alertmanager"))
    take(services, transition(), transition(type_="alert.resolved", number=2))
    deliver_once(services)
    firing, resolved = (json.loads(g.body) for g in hook.got)
    assert (firing["version"], firing["status"], firing["alerts"][0]["status"]) == ("4", "firing", "firing")
    assert firing["alerts"][0]["labels"]["alertname"] == "port_faulted"
    assert firing["alerts"][0]["endsAt"].startswith("0001-")
    assert resolved["status"] == "resolved"
    assert resolved["alerts"][0]["endsAt"] == "2026-11-18T11:06:42.000Z"
    assert resolved["alerts"][0]["fingerprint"] == firing["alerts"][0]["fingerprint"]


def test_the_worker_runs_by_itself(services: Services, hook: Receiver) -> None:
    async def work() -> None:
        poster = Poster()
        deliverer = Deliverer(services.desk, poster, clock_ms=services.clock_ms)
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()

        def answer(_item: Received) -> tuple[int, dict[str, str]]:
            loop.call_soon_threadsafe(arrived.set)
            return 204, {}

        hook.answer = answer
        task = asyncio.create_task(deliverer.run())
        await asyncio.sleep(0)
        await asyncio.to_thread(take, services, transition())
        deliverer.wake()
        async with asyncio.timeout(5):
            await arrived.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(work())
    found = find_delivery(services.desk.reader, hook.got[0].headers["webhook-id"])
    assert found is not None
