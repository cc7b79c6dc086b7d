"""Alerts about Voltair itself: what makes each rule fire, over crashes, pauses and clocks that jump."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_support import T0, Client, Clock, Receiver, deliver_once, endpoint, make_services, make_state, take, transition
from dying import DyingConnection, Killed

from api.alert_log import find_alert
from api.app import create_app
from api.desk import Desk, Event
from api.endpoints import put_endpoint
from api.monitor import GAP_MS, MONITOR, Monitor
from api.services import Services
from store.deadletters import DeadLetter, DeadLetterWriter
from store.roles import RoleStatus, write_status
from store.sqlite import connect
from telemetry.config import ApiConfig, Config

LIMIT = 1_000_000
TOKENS = "all=one:admin,part=two:read:harbour,self=three:read:_voltair"
GAUGES: dict[str, dict[str, float]] = {
    "ingest": {"connected": 1, "lag_s": 0.1, "journal_bytes": 1_000},
    "analytics": {"lag_s": 0.5},
    "writer": {"lag_s": 0.2},
}


@pytest.fixture
def services(tmp_path: Path, clock: Clock, hook: Receiver) -> Iterator[Services]:
    make_state(tmp_path)
    made = make_services(Config(data_dir=str(tmp_path), api=ApiConfig(tokens=TOKENS)), clock=clock)
    with made.desk.write() as db:
        put_endpoint(db, endpoint("ep_1", hook.url))
    yield made
    made.desk.close()


def monitor(services: Services) -> Monitor:
    return Monitor(
        services.config.data, services.desk, services.sources.rules_json, max_journal_bytes=LIMIT,
        clock_ms=services.clock_ms,
    )


def say(data: Path, clock: Clock, *but: str, **gauges: float) -> None:
    """Let every role but some speak now; gauges are named `{role}_{gauge}`."""
    for role, own in GAUGES.items():
        if role not in but:
            more = {n.removeprefix(f"{role}_"): v for n, v in gauges.items() if n.startswith(f"{role}_")}
            write_status(
                data, RoleStatus(role=role, pid=1, started_ms=T0, updated_ms=clock(), ready=True, gauges=own | more)
            )


def fail(data: Path, clock: Clock, role: str, problem: str) -> None:
    status = RoleStatus(
        role=role, pid=1, started_ms=T0, updated_ms=clock(), problems=[problem], gauges=GAUGES[role]
    )
    write_status(data, status)


def told(events: list[Event]) -> list[tuple[str, str, str | None]]:
    found = [(e.type.removeprefix("alert."), json.loads(e.body)["data"]) for e in events]
    return [(type_, data["rule"], data["device"]) for type_, data in found]


def watch(
    one: Monitor, clock: Clock, seconds: float, speak: Any, every_s: float = 2
) -> list[tuple[str, str, str | None]]:
    """Judge every two seconds; `speak` is called before each."""
    found = []
    for _ in range(round(seconds / every_s)):
        clock.forward(every_s)
        speak()
        found += told(one.step())
    return found


def letters(data: Path, clock: Clock, many: int) -> None:
    writer = DeadLetterWriter(data / "journal", 0)
    writer.add([DeadLetter(time_ms=clock(), topic="t", reason="r", payload=b"x")] * many, 0)
    writer.close()


def test_while_all_is_well_nothing_fires(services: Services, clock: Clock) -> None:
    data = services.config.data
    letters(data, clock, 10)
    assert watch(monitor(services), clock, 300, lambda: say(data, clock), 5) == []


def test_nor_where_the_other_roles_have_never_run(services: Services, clock: Clock) -> None:
    assert watch(monitor(services), clock, 300, lambda: None, 5) == []


@pytest.mark.parametrize(
    ("rule", "device", "gauges"),
    [
        ("broker_lost", None, {"ingest_connected": 0}),
        ("ingest_lag", None, {"ingest_lag_s": 31}),
        ("analytics_lag", None, {"analytics_lag_s": 61}),
        ("store_lag", None, {"writer_lag_s": 301}),
        ("journal_nearly_full", None, {"ingest_journal_bytes": 0.91 * LIMIT}),
    ],
)
def test_what_a_role_says_fires_and_ends(
    services: Services, clock: Clock, rule: str, device: str | None, gauges: dict[str, float]
) -> None:
    data, one = services.config.data, monitor(services)
    assert watch(one, clock, 200, lambda: say(data, clock, **gauges), 10) == [("firing", rule, device)]
    assert watch(one, clock, 60, lambda: say(data, clock)) == [("resolved", rule, device)]


@pytest.mark.parametrize(
    ("role", "rule", "device"),
    [("writer", "store_down", None), ("analytics", "role_not_working", "analytics"),
     ("ingest", "role_not_working", "ingest")],
)
def test_a_role_that_fails_is_told_with_its_reason(
    services: Services, clock: Clock, role: str, rule: str, device: str | None
) -> None:
    data, one = services.config.data, monitor(services)

    def speak() -> None:
        say(data, clock, role)
        fail(data, clock, role, "the disk is full")

    assert watch(one, clock, 200, speak, 10) == [("firing", rule, device)]
    (event,) = services.desk.events(0, 10)
    assert json.loads(event.body)["data"]["evidence"] == {"problems": ["the disk is full"]}
    assert watch(one, clock, 60, lambda: say(data, clock)) == [("resolved", rule, device)]


def test_dead_letters_of_the_last_quarter_of_an_hour(services: Services, clock: Clock) -> None:
    data, one = services.config.data, monitor(services)
    letters(data, clock, 11)
    found = watch(one, clock, 1_000, lambda: say(data, clock), 20)
    assert [f[0] for f in found if f[1] == "dead_letters_rising"] == ["firing", "resolved"]


def test_a_delivery_that_waits_is_told_through_the_other_receivers(
    services: Services, clock: Clock, hook: Receiver
) -> None:
    data, one = services.config.data, monitor(services)
    with services.desk.write() as db:
        put_endpoint(db, endpoint("ep_dead", "http://127.0.0.1:1/"))
    take(services, transition())
    assert deliver_once(services) == 2
    assert watch(one, clock, 920, lambda: say(data, clock), 20) == [("firing", "deliveries_waiting", None)]
    deliver_once(services)
    body = hook.got[-1].json["data"]
    assert body["evidence"] == {"waiting": {"ep_dead": 1}}
    assert (body["category"], body["station"], body["device"]) == ("monitor", "_voltair", None)


def test_a_silent_role_is_one_alert_with_one_id(services: Services, clock: Clock, hook: Receiver) -> None:
    data, one = services.config.data, monitor(services)
    say(data, clock)
    # 30 s of silence, and the rule waits 30 s more; a role that dies and is started again is no alert.
    assert watch(one, clock, 58, lambda: say(data, clock, "analytics")) == []
    assert watch(one, clock, 4, lambda: say(data, clock, "analytics")) == [("firing", "role_silent", "analytics")]
    deliver_once(services)
    (body,) = [g.json["data"] for g in hook.got]
    assert body["device"] == "analytics"
    assert body["summary"]["en"].startswith("Role analytics of Voltair has not been heard for 6")
    assert body["summary"]["zh"].startswith("Voltair 的角色 analytics 已有 6")
    assert watch(one, clock, 2, lambda: say(data, clock)) == [("resolved", "role_silent", "analytics")]
    deliver_once(services)
    assert [g.json["data"]["sequence"] for g in hook.got] == [1, 2]
    assert len({g.json["data"]["id"] for g in hook.got}) == 1


def test_a_restart_goes_on_where_it_stopped(services: Services, clock: Clock) -> None:
    data = services.config.data
    down: dict[str, float] = {"ingest_connected": 0}
    assert watch(monitor(services), clock, 40, lambda: say(data, clock, **down)) == []
    assert watch(monitor(services), clock, 24, lambda: say(data, clock, **down)) == [("firing", "broker_lost", None)]
    assert watch(monitor(services), clock, 20, lambda: say(data, clock)) == [("resolved", "broker_lost", None)]


@pytest.mark.parametrize("seconds", [GAP_MS / 1000 + 1, -3_600])
def test_after_a_long_pause_nobody_knows(services: Services, clock: Clock, seconds: float) -> None:
    """A pending one begins anew, and one that fires goes on; the same where the clock was set back."""
    data = services.config.data
    down: dict[str, float] = {"ingest_connected": 0}
    assert watch(monitor(services), clock, 50, lambda: say(data, clock, **down)) == []
    clock.forward(seconds)
    one = monitor(services)
    assert watch(one, clock, 60, lambda: say(data, clock, **down)) == []
    assert watch(one, clock, 2, lambda: say(data, clock, **down)) == [("firing", "broker_lost", None)]
    clock.forward(seconds)
    assert watch(monitor(services), clock, 6, lambda: say(data, clock, **down)) == []
    assert watch(monitor(services), clock, 20, lambda: say(data, clock)) == [("resolved", "broker_lost", None)]


def put_rules(data: Path, text: str) -> None:
    db = connect(data / "state.db")
    body = json.dumps({"source": "rules.toml", "text": text}).encode()
    db.execute("INSERT OR REPLACE INTO meta VALUES('rules', ?)", (body,))
    db.close()


def test_numbers_of_the_rule_file_count_and_a_broken_one_changes_nothing(services: Services, clock: Clock) -> None:
    data, one = services.config.data, monitor(services)
    put_rules(data, '[broker_lost]\nfor = "4s"\n')
    down: dict[str, float] = {"ingest_connected": 0}
    assert watch(one, clock, 6, lambda: say(data, clock, **down)) == [("firing", "broker_lost", None)]
    put_rules(data, '[broker_lost]\nfor = "soon"\n')
    assert watch(one, clock, 6, lambda: say(data, clock, **down)) == []
    put_rules(data, "[broker_lost]\nenabled = false\n")
    assert watch(monitor(services), clock, 2, lambda: say(data, clock, **down)) == [("resolved", "broker_lost", None)]
    assert watch(monitor(services), clock, 20, lambda: say(data, clock, **down)) == []


def test_only_who_sees_all_stations_or_names_it_sees_them(services: Services, clock: Clock) -> None:
    data, one = services.config.data, monitor(services)
    watch(one, clock, 70, lambda: say(data, clock, ingest_connected=0))
    client = Client(create_app(services), "http://127.0.0.1:8080")
    for token, sees in (("one", True), ("two", False), ("three", True)):
        headers = {"Authorization": f"Bearer {token}"}
        alerts = client.get("/api/v1/alerts", headers=headers).json()["items"]
        assert [a["rule"] for a in alerts] == (["broker_lost"] if sees else [])
        assert bool(client.get("/api/v1/events", headers=headers).json()["items"]) == sees
    alert = client.get("/api/v1/alerts", headers={"Authorization": "Bearer one"}).json()["items"][0]
    ack = client.post(
        f"/api/v1/alerts/{alert['id']}/ack", headers={"Authorization": "Bearer one"}, json={"by": "Li", "note": ""}
    )
    assert ack.json()["acknowledgement"]["by"] == "Li"
    assert alert["station"] == MONITOR


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_statement_neither_loses_nor_doubles(tmp_path: Path, after: bool) -> None:
    """The broker goes and comes back; the API dies once, at each statement in turn, and is started at once."""

    def story(data: Path, dies_at: int) -> tuple[list[Any], bool]:
        shutil.copytree(prepared, data)
        clock = Clock()
        made: list[DyingConnection] = []

        def opener(path: Path, **how: Any) -> DyingConnection:
            made.append(DyingConnection(connect(path, **how), 0, after=after))
            return made[-1]

        desk = Desk(data / "desk.db", opener=opener)
        made[0].left = dies_at
        one = Monitor(data, desk, lambda: None, max_journal_bytes=LIMIT, clock_ms=clock)
        died = False
        for second in (0, 30, 61, 90, 101):
            clock.ms = T0 + 1_000 * second
            say(data, clock, ingest_connected=float(second > 80))
            try:
                one.step()
            except Killed:
                died = True
                desk.close()
                desk = Desk(data / "desk.db")
                one = Monitor(data, desk, lambda: None, max_journal_bytes=LIMIT, clock_ms=clock)
                one.step()
        db = desk.reader
        events = db.execute("SELECT n, id, type, alert, sequence, time_ms FROM event ORDER BY n").fetchall()
        deliveries = db.execute("SELECT id, event FROM delivery ORDER BY n").fetchall()
        desk.close()
        return [events, deliveries], died

    prepared = tmp_path / "prepared"
    prepared.mkdir()
    empty = Desk(prepared / "desk.db")
    with empty.write() as writing:
        put_endpoint(writing, endpoint("ep_1"))
    empty.close()
    whole, _ = story(tmp_path / "whole", 0)
    assert [e[2] for e in whole[0]] == ["alert.firing", "alert.resolved"]
    at = 1
    while True:
        found, died = story(tmp_path / f"at-{at}", at)
        if not died:
            break
        assert len(found[0]) == len(found[1]) == 2, at
        assert [(e[2], e[4]) for e in found[0]] == [(e[2], e[4]) for e in whole[0]], at
        at += 1
    assert at > 10


def test_alerts_about_voltair_are_found_by_their_id(services: Services, clock: Clock) -> None:
    data, one = services.config.data, monitor(services)
    watch(one, clock, 70, lambda: say(data, clock, ingest_connected=0))
    (event,) = services.desk.events(0, 10)
    item = find_alert(services.desk.reader, event.alert)
    assert item is not None
    assert item["since"] < item["fired_at"]
