"""Every role and InfluxDB are killed again and again during a replay: nothing differs from a run that nobody disturbed.

The stream is a day of the charging station with faults (a part of its ports, so that it stays short) beside six hours
of the compressed-air station. Watermarks follow, so alerts, rows and deliveries are made all the while. The
calm run writes into the embedded store, the disturbed one into InfluxDB 1.x; both must hold every message exactly once.
`./dev bench crash --kills N` runs the same with more kills.
"""

import heapq
import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from river.receiver import Post, receiving
from river.replays import Point, influx_points, sqlite_points
from river.stack import Json, Stack, stack
from servers import Server, influxd

from simulators.message import Message
from simulators.scenario import load_scenario
from simulators.simulation import simulate_messages
from simulators.toml_text import to_toml
from store.roles import ROLES
from telemetry.channels import KIND_BY_NAME
from telemetry.times import DAY_MS, HOUR_MS

pytestmark = [pytest.mark.server, pytest.mark.slow]

SEED = 20_261_122
INFLUX = "influxd"
VICTIMS = (*ROLES, INFLUX)
KILLS = int(os.environ.get("VOLTAIR_KILLS", "60"))
"""Of all victims together."""
LASTS_S = 0.8 * KILLS
"""The disturbed replay: each victim dies about every 4 s, some of them before they have said a word."""
PORTS = ("p03", "p05", "p12", "p21", "p22", "p30", "p37")
"""Those with faults, one that shares its charge point, and a fast one."""
HARBOUR, ISLE = load_scenario("charging-faults"), load_scenario("air-day")
FROM_MS, TO_MS = HARBOUR.start_ms, HARBOUR.start_ms + DAY_MS
ISLE_MS = FROM_MS + 5 * HOUR_MS
WINDOWS = {"day": (FROM_MS, TO_MS), "fault": (FROM_MS + 9 * HOUR_MS, FROM_MS + 10 * HOUR_MS)}
SECTIONS = '[analytics]\nlateness = "2h"\n'
"""Less than ingest may be away: killed twice it is for 8 s, which are 4 h here. The broker keeps the order of what
comes meanwhile, so none of it is late."""


def messages() -> list[Message]:
    kept = {*PORTS, "m1"}
    harbour = (
        m for m in simulate_messages(HARBOUR, HARBOUR.seed, FROM_MS, DAY_MS) if m.topic.split("/")[4] in kept
    )
    isle = simulate_messages(ISLE, ISLE.seed, ISLE_MS, 6 * HOUR_MS)
    return list(heapq.merge(harbour, isle, key=lambda m: m.time_ms))


def stations() -> str:
    tables = {**HARBOUR.tables()["stations"], **ISLE.tables()["stations"]}
    tables["harbour"]["ports"] = [p for p in tables["harbour"]["ports"] if p["id"] in PORTS]
    return to_toml({"stations": tables})


@dataclass
class Outcome:
    """All that a run left behind."""

    kpis: dict[str, Json] = field(default_factory=dict)
    sessions: list[Json] = field(default_factory=list)
    uptime: list[Json] = field(default_factory=list)
    events: list[Json] = field(default_factory=list)
    points: dict[str, list[Point]] = field(default_factory=dict)
    """Measurement -> its points in the store."""
    posts: list[Post] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    progress: Json = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)


def run(folder: Path, stream: list[Message], influx: Server | None) -> Outcome:
    """Run the stream through a stack of its own; with an InfluxDB slower, and disturbed."""
    made = Outcome()
    store = f'[store]\nkind = "influx"\n[store.influx]\nurl = "{influx.url}"\n' if influx else ""
    with receiving() as receiver, stack(
        folder, stations=stations(), sections=SECTIONS + store + receiver.section
    ) as river:
        if influx:
            with ThreadPoolExecutor(1) as pool:
                publishing = pool.submit(river.publish, stream, DAY_MS / 1000 / LASTS_S)
                made.kills = disturb(river, influx)
                assert publishing.result() == len(stream)
            river.wait_ready()
        else:
            assert river.publish(stream) == len(stream)
        river.wait_drained()
        # In event mode the watermark reaches the last reading once nothing new comes.
        river.wait_for(lambda: everything_is_out(river), "watermarks at the end", 60)
        river.wait_settled()
        river.report()
        made.progress = river.progress()
        for station in ("harbour", "isle"):
            for name, (from_ms, to_ms) in WINDOWS.items():
                made.kpis[f"{station}, {name}"] = river.kpis(station, from_ms, to_ms)
        made.sessions = river.sessions("harbour", FROM_MS, TO_MS)
        made.uptime = river.items("stations/harbour/uptime", from_=FROM_MS, to=TO_MS)
        made.events = list(all_events(river))
        made.points = influx_points(influx.url) if influx else sqlite_points(folder / "voltair-data" / "series.db")
        made.posts, made.refused = list(receiver.posts), receiver.refused
    return made


def disturb(river: Stack, influx: Server) -> Counter[str]:
    """Kill roles and InfluxDB at random moments of the replay; return how often each."""
    chance = random.Random(SEED)  # noqa: S311 - moments, no secret
    victims = [VICTIMS[i % len(VICTIMS)] for i in range(KILLS)]
    chance.shuffle(victims)
    moments = sorted(chance.uniform(0.5, LASTS_S) for _ in victims)
    began_s = time.monotonic()
    done: Counter[str] = Counter()
    for role, moment in zip(victims, moments, strict=True):
        time.sleep(max(0.0, began_s + moment - time.monotonic()))  # the moment is the test
        if role == INFLUX:
            influx.kill9()
            influx.start()
        else:
            river.wait_for(lambda role=role: river.kill9(role), f"{role} there to be killed", 30)  # type: ignore[misc]
        done[role] += 1
    return done


def everything_is_out(river: Stack) -> bool:
    last = {item["station"]: item["last_seen"] for item in river.get("stations")["items"]}
    return bool(river.progress()["watermark"] == last)


def all_events(river: Stack) -> Iterator[Json]:
    """Yield every transition, without what names this instance."""
    for event in river.items("events"):
        event["data"].pop("links")
        yield event


@pytest.fixture(scope="module")
def stream() -> list[Message]:
    return messages()


@pytest.fixture(scope="module")
def outcomes(stream: list[Message], tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Outcome]:
    """Return what a calm and a disturbed run left behind.

    One after the other: a calm run that has to wait 5 s for the processor would take that for the end of the stream.
    """
    calm = run(tmp_path_factory.mktemp("calm"), stream, None)
    with influxd(folder=tmp_path_factory.mktemp("influx")) as influx:
        return calm, run(tmp_path_factory.mktemp("disturbed"), stream, influx)


def identity(message: Message) -> tuple[str, int, int | None]:
    """Return what makes a message one: its device, time and number."""
    _, _, station, _, device, _ = message.topic.split("/")
    reading = json.loads(message.payload)
    tags = [station, device, *([reading["connector"]] if "connector" in reading else [])]
    return "/".join(tags), reading["ts"], reading.get("seq")


def test_every_message_is_stored_exactly_once(stream: list[Message], outcomes: tuple[Outcome, Outcome]) -> None:
    sent = Counter((message.topic.split("/")[3], *identity(message)) for message in stream)
    assert set(sent.values()) == {1}
    for outcome in outcomes:
        stored = Counter(
            (kind, *point)
            for kind, points in outcome.points.items() if kind in KIND_BY_NAME
            for point in {point[:3] for point in points}
        )  # fmt: skip
        assert stored == sent
        rows = [(kind, *point[:4]) for kind, points in outcome.points.items() for point in points]
        assert len(rows) == len(set(rows))


def test_the_stream_is_worth_it(outcomes: tuple[Outcome, Outcome]) -> None:
    calm, disturbed = outcomes
    assert set(disturbed.kills) == set(VICTIMS)
    assert disturbed.kills.total() == KILLS >= 60
    assert calm.progress["journalled"] == calm.progress["received"]
    assert disturbed.progress["journalled"] >= calm.progress["journalled"]
    assert disturbed.progress["dead_lettered"] == disturbed.progress["too_late"] == 0
    assert len(calm.sessions) > 10
    rules = Counter(e["data"]["rule"] for e in calm.events if e["type"] == "alert.firing")
    assert rules["port_faulted"] >= 10
    assert {"port_unavailable", "device_offline", "station_offline"} <= rules.keys()


def test_key_figures_and_sessions_are_the_same(outcomes: tuple[Outcome, Outcome]) -> None:
    calm, disturbed = outcomes
    assert disturbed.kpis == calm.kpis
    assert disturbed.sessions == calm.sessions
    assert disturbed.uptime == calm.uptime


def test_the_store_holds_the_same_points(outcomes: tuple[Outcome, Outcome]) -> None:
    calm, disturbed = outcomes
    assert disturbed.points.keys() == calm.points.keys()
    for measurement, points in calm.points.items():
        expected, found = set(points), set(disturbed.points[measurement])
        missing, wrong = sorted(expected - found, key=repr), sorted(found - expected, key=repr)
        assert (missing[:9], wrong[:9]) == ([], []), f"{measurement}: {len(missing)} missing, {len(wrong)} wrong"
        assert len(disturbed.points[measurement]) == len(points)


def test_alerts_are_the_same(outcomes: tuple[Outcome, Outcome]) -> None:
    calm, disturbed = ({transition(e): e["data"] for e in o.events} for o in outcomes)
    assert disturbed.keys() == calm.keys()
    assert disturbed == calm


def test_each_transition_is_delivered_under_one_id(outcomes: tuple[Outcome, Outcome]) -> None:
    for outcome in outcomes:
        assert outcome.refused == []
        ids = {(post.transition, post.webhook_id) for post in outcome.posts}
        assert len(ids) == len({webhook_id for _, webhook_id in ids})
        assert sorted(t for t, _ in ids) == sorted(transition(e) for e in outcome.events)
        # A repeated POST says the same as the first.
        bodies = {post.webhook_id: post.body for post in outcome.posts}
        assert all(bodies[post.webhook_id] == post.body for post in outcome.posts)


def transition(event: Json) -> tuple[str, int, str]:
    return event["data"]["id"], event["data"]["sequence"], event["type"]
