"""What ten thousand alerts at once cost, whether kills of the API lose or double any, and how long one takes.

flood: so many alerts are committed by analytics in one moment; one receiver takes `standard`, one `alertmanager`.
minutes: how long after a minute's end the webhook of a rule on its fields arrives.
kills: the API is killed (-9) at random moments while alerts fire and resolve and the receiver fails now and then.
"""

import json
import random
import signal
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.bucket_latency import bucket_latency
from benchmarks.hook import Hook, listening
from store.sqlite import connect
from store.state import SCHEMA
from voltair.bench import free_port, process, wait
from voltair.supervise import voltair_argv

_CALLS = ("/api/v1/stations", "/api/v1/alerts?limit=100", "/api/v1/progress", "/api/v1/events?limit=100", "/metrics")
_STATIONS = 20


def _transition(alert: str, number: int, station: str, time_ms: int) -> dict[str, Any]:
    over = number == 2
    device = alert.rpartition("-")[2]
    return {
        "id": f"{alert}.{number}", "alert": alert, "fingerprint": f"f-{alert}", "time_ms": time_ms,
        "type": "alert.resolved" if over else "alert.firing", "rule": "port_faulted", "category": "fault",
        "severity": "critical", "state": "resolved" if over else "firing", "station": station, "device": device,
        "device_kind": "port", "since_ms": time_ms, "fired_ms": time_ms, "resolved_ms": time_ms if over else None,
        "value": None, "threshold": None, "unit": "", "evidence": {},
        "summary": {"en": f"Port {device} is faulted", "zh": f"{device} 故障"},
        "remedy": {"en": "Look at it", "zh": "检查"},
    }


def make_state(data: Path) -> sqlite3.Connection:
    """Return analytics' file, empty."""
    data.mkdir(parents=True, exist_ok=True)
    db = connect(data / "state.db")
    for statement in SCHEMA.split(";"):
        db.execute(statement)
    return db


def commit(db: sqlite3.Connection, rows: list[dict[str, Any]]) -> None:
    """Commit transitions as analytics would, at once."""
    db.execute("BEGIN IMMEDIATE")
    db.executemany(
        "INSERT INTO transition(id, alert, station, time_ms, body) VALUES(?, ?, ?, ?, ?)",
        [(r["id"], r["alert"], r["station"], r["time_ms"], json.dumps(r)) for r in rows],
    )
    db.execute("COMMIT")


def _write_config(folder: Path, port: int, hooks: str) -> Path:
    path = folder / "voltair.toml"
    path.write_text(
        f'data_dir = "data"\n[api]\nlisten = "127.0.0.1:{port}"\n[mqtt]\nurl = "mqtt://127.0.0.1:1"\n{hooks}', "utf-8"
    )
    return path


@dataclass(frozen=True)
class Flood:
    """What many alerts at once did."""

    standard_s: float
    """Until the last `standard` body had arrived."""
    grouped_s: float
    messages: int
    """Bodies that carried them in `alertmanager`'s format."""
    api_ms: list[float]
    """Times that calls of the API took meanwhile."""


def flood(alerts: int) -> Flood:
    """Commit so many alerts of 20 stations at once, and call the API until all are delivered."""
    with tempfile.TemporaryDirectory(prefix="voltair-bench-") as name, listening() as one, listening() as many:
        folder, port = Path(name), free_port()
        db = make_state(folder / "data")
        config = _write_config(folder, port, one.table("standard") + many.table("alertmanager"))
        api = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30)
        with process(voltair_argv("api", "--config", str(config)), folder), api:
            wait(lambda: api.get("/livez").is_success, folder)
            now_ms = time.time_ns() // 1_000_000
            rows = [
                _transition(f"s{i % _STATIONS}-p{i}", 1, f"s{i % _STATIONS}", now_ms) for i in range(alerts)
            ]
            start_s = time.monotonic()
            commit(db, rows)
            took_ms: list[float] = []

            def arrived() -> bool:
                for path in _CALLS:
                    began = time.perf_counter()
                    api.get(path).raise_for_status()
                    took_ms.append(1000 * (time.perf_counter() - began))
                    time.sleep(0.02)  # a page that asks now and then, not a second load
                return len(one.posts) >= alerts and sum(len(b["alerts"]) for _, _, b in list(many.posts)) >= alerts

            wait(arrived, folder)
        db.close()
        ids = {b["data"]["id"] for _, _, b in one.posts}
        grouped = {a["fingerprint"] for _, _, b in many.posts for a in b["alerts"]}
        assert len(ids) == len(grouped) == alerts, "every alert arrives in both formats"
        return Flood(one.posts[-1][1] - start_s, many.posts[-1][1] - start_s, len(many.posts), took_ms)


@dataclass(frozen=True)
class Kills:
    """What arrived in spite of kills."""

    kills: int
    transitions: int
    posts: int
    """More than transitions where a kill came between a POST and its note."""


def kills(many: int, *, alerts: int, seed: int = 1) -> Kills:
    """Kill the API so often while alerts fire and resolve; everything must arrive, in order, each under one id."""
    random_ = random.Random(seed)  # noqa: S311 - moments of kills, no secret
    with tempfile.TemporaryDirectory(prefix="voltair-bench-") as name, listening() as hook:
        folder, port = Path(name), free_port()
        hook.status = lambda: 503 if random_.random() < 0.02 else 204
        db = make_state(folder / "data")
        config = _write_config(folder, port, hook.table("standard"))
        argv = voltair_argv("api", "--config", str(config))
        stream = _story(alerts, random_)
        api = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10)
        with api:
            for kill in range(many):
                with process(argv, folder, signal.SIGKILL):
                    wait(lambda: api.get("/livez").is_success, folder)
                    step = len(stream) * kill // many, len(stream) * (kill + 1) // many
                    commit(db, stream[step[0] : step[1]])
                    time.sleep(random_.uniform(0, 0.4))  # the moment of the kill is what is varied
            hook.status = lambda: 204
            _hurry(folder / "data")
            with process(argv, folder):
                wait(lambda: api.get("/livez").is_success, folder)
                wait(lambda: _settled(api, len(stream)), folder)
        db.close()
    _check(hook, {(r["alert"], r["type"]) for r in stream})
    return Kills(many, len(stream), len(hook.posts))


def _story(alerts: int, random_: random.Random) -> list[dict[str, Any]]:
    """Return firing and resolved of every alert, mixed, each in its order."""
    left = {i: [1, 2] for i in range(alerts)}
    story = []
    while left:
        alert = random_.choice(list(left))
        number = left[alert].pop(0)
        story.append(_transition(f"s1-p{alert}", number, "s1", 1_795_000_000_000 + len(story)))
        if not left[alert]:
            del left[alert]
    return story


def _hurry(data: Path) -> None:
    """Make due what waits for its next try, as if the minutes had passed."""
    db = connect(data / "desk.db")
    db.execute("UPDATE delivery SET next_at_ms = 0 WHERE state = 'pending'")
    db.close()


def _settled(api: httpx.Client, transitions: int) -> bool:
    """Return whether all is taken and nothing is on its way."""
    events = api.get("/api/v1/events", params={"limit": 100_000}).json()["items"]
    return len(events) == transitions and api.get("/api/v1/progress").json()["deliveries_pending"] == 0


def _check(hook: Hook, wanted: set[tuple[str, str]]) -> None:
    ids: dict[tuple[str, int], set[str]] = {}
    order: dict[str, list[int]] = {}
    for id_, _, body in hook.posts:
        data = body["data"]
        ids.setdefault((data["id"], data["sequence"]), set()).add(id_)
        seen = order.setdefault(data["id"], [])
        if data["sequence"] not in seen:
            seen.append(data["sequence"])
    assert {(b["data"]["id"], b["type"]) for _, _, b in hook.posts} == wanted, "every transition arrives"
    assert all(len(i) == 1 for i in ids.values()), "each under one id"
    assert all(seen == [1, 2] for seen in order.values()), "in order"


def measure_alerts(alerts: int, kill_count: int, minutes: int, ports: int) -> Iterator[tuple[str, str]]:
    """Yield what was measured, as text for people; a part of size 0 is left out."""
    if alerts:
        yield from _measure_flood(alerts)
    if kill_count:
        survived = kills(kill_count, alerts=5 * kill_count)
        yield "kills of the API", f"{survived.kills}"
        yield "transitions", f"{survived.transitions:,}, all arrived in order, each under one id"
        yield "bodies posted", f"{survived.posts:,}"
    if minutes:
        late_s = bucket_latency(minutes, ports)
        p50, p99 = np.percentile(late_s, [50, 99])
        yield "end of a minute to webhook", f"p50 {p50:.2f} s, p99 {p99:.2f} s, {len(late_s):,} bodies, {ports} ports"


def _measure_flood(alerts: int) -> Iterator[tuple[str, str]]:
    found = flood(alerts)
    p50, p95, p99 = np.percentile(found.api_ms, [50, 95, 99])
    yield "alerts at once", f"{alerts:,}"
    yield "all arrived, standard", f"{found.standard_s:.1f} s ({alerts / found.standard_s:,.0f}/s)"
    yield "all arrived, alertmanager", f"{found.grouped_s:.1f} s in {found.messages:,} messages"
    yield "API meanwhile", f"p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms over {len(found.api_ms)} calls"
