"""Prometheus and its family: they scrape us, our rules hold, and our Alertmanager bodies are what theirs are."""

import re
import socketserver
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_support import Client, add_transitions, deliver_once, endpoint, make_services, make_state, receiver, transition
from servers import alertmanager, find_program, free_port, irc_relay, prometheus, serving, voltair

from api.app import create_app
from api.endpoints import put_endpoint
from api.services import Services
from store.roles import ROLES, RoleStatus, wall_ms, write_status
from telemetry.config import Config

pytestmark = pytest.mark.server

DEPLOY = Path(__file__).parents[2] / "deploy" / "prometheus"


def wait_for(what: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Return the first true answer; foreign programs give no other sign."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail("it did not happen in time")


def promtool(*arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        [find_program("promtool", "prometheus"), *arguments], input=stdin, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    make_state(tmp_path)
    made = make_services(Config(data_dir=str(tmp_path)))
    yield made
    made.desk.close()


def take(services: Services, *rows: dict[str, Any]) -> None:
    add_transitions(services.config.data, *rows)
    while services.intake.take():
        pass


def metrics(services: Services) -> str:
    for role in ROLES:
        status = RoleStatus(
            role=role, pid=1, started_ms=0, updated_ms=wall_ms(), ready=True, counters={"messages": 3},
            gauges={"lag_s": 0.5, "journal_bytes": 1.0, "checkpoint_s": 0.1},
        )
        write_status(services.config.data, status)
    take(services, transition())
    return Client(create_app(services), "http://127.0.0.1:8080").get("/metrics").text


def test_the_metrics_have_prometheus_own_manners(services: Services) -> None:
    assert promtool("check", "metrics", stdin=metrics(services)) == ""


def test_the_rules_hold_and_ask_for_what_there_is(services: Services) -> None:
    said = promtool("check", "rules", str(DEPLOY / "voltair.rules.yml"))
    assert "9 rules found" in said
    promtool("check", "config", str(DEPLOY / "prometheus.yml"))
    there = set(re.findall(r"^(voltair_\w+)", metrics(services), re.MULTILINE))
    asked = set(re.findall(r"\bvoltair_\w+", (DEPLOY / "voltair.rules.yml").read_text()))
    assert asked
    assert asked <= there


def test_the_rules_fire_when_they_should(tmp_path: Path) -> None:
    series = {
        'voltair_role_up{role="writer"}': "1 1 0x60", 'voltair_role_up{role="ingest"}': "1x60",
        "voltair_connected": "0x60", 'voltair_deliveries{state="pending"}': "7x90",
        'voltair_deliveries{state="dead"}': "0x30 1x60", "voltair_messages_dead_lettered_total": "0 2x60",
    }
    wanted = {
        "VoltairRoleDown": "5m", "VoltairBrokerLost": "5m", "VoltairDeliveriesWaiting": "65m",
        "VoltairDeliveriesDead": "40m", "VoltairDeadLetters": "5m",
    }
    lines = [f"rule_files: [{DEPLOY}/voltair.rules.yml]", "evaluation_interval: 1m", "tests:", "  - interval: 1m"]
    lines += ["    input_series:"]
    lines += [f"      - {{series: '{name}', values: '{values}'}}" for name, values in series.items()]
    # promtool has no other way to say "any alert of this name" than the count of ALERTS.
    lines += ["    promql_expr_test:"]
    for name, at in wanted.items():
        lines += [
            f"      - expr: count(ALERTS{{alertname='{name}', alertstate='firing'}})", f"        eval_time: {at}",
            "        exp_samples: [{labels: '{}', value: 1}]",
        ]
    lines += ["      - expr: count(ALERTS{alertname='VoltairAnalyticsBehind'})", "        eval_time: 65m"]
    (tmp_path / "test.yml").write_text("\n".join(lines) + "\n")
    promtool("test", "rules", str(tmp_path / "test.yml"))


def test_prometheus_scrapes_voltair(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "voltair.toml").write_text(f'[api]\nlisten = "127.0.0.1:{port}"\n[mqtt]\nurl = "mqtt://127.0.0.1:1"\n')
    text = (DEPLOY / "prometheus.yml").read_text()
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{port}").replace("15s", "1s")
    (tmp_path / "prometheus.yml").write_text(text)
    (tmp_path / "voltair.rules.yml").write_text((DEPLOY / "voltair.rules.yml").read_text())
    with voltair("api", folder=tmp_path, port=port), prometheus(tmp_path / "prometheus.yml") as server:

        def value(query: str) -> Any:
            answer = httpx.get(f"{server.url}/api/v1/query", params={"query": query}, trust_env=False)
            # It says 503 until it has read its own log.
            return [r["value"][1] for r in answer.json()["data"]["result"]] if answer.is_success else []

        assert wait_for(lambda: value('voltair_role_up{job="voltair", role="api"} == 1')) == ["1"]
        assert value('up{job="voltair"}') == ["1"]


def shape(value: Any) -> Any:
    """Return what members there are and of which type; names of labels are each one's own."""
    if isinstance(value, dict):
        return {k: "table" if k.endswith(("abels", "nnotations")) else shape(v) for k, v in value.items()}
    return [shape(value[0])] if isinstance(value, list) else type(value).__name__


def test_our_body_has_the_shape_of_alertmanager_s_own(services: Services) -> None:
    with receiver() as hook, alertmanager(hook.url) as server:
        with services.desk.write() as db:
            put_endpoint(db, endpoint(url=hook.url, format="alertmanager"))
        take(services, transition())
        assert deliver_once(services) == 1
        ours = hook.got.pop().json
        alert = {k: ours["alerts"][0][k] for k in ("labels", "annotations", "generatorURL")}
        assert wait_for(lambda: httpx.get(f"{server.url}/-/ready", trust_env=False).status_code == 200)
        httpx.post(f"{server.url}/api/v2/alerts", json=[alert], trust_env=False).raise_for_status()
        theirs = wait_for(lambda: hook.got)[0].json
        assert shape(ours) == shape(theirs)
        for member in ("status", "groupLabels", "commonLabels", "commonAnnotations", "version", "truncatedAlerts"):
            assert ours[member] == theirs[member], member
        assert ours["groupKey"] == theirs["groupKey"]
        assert ours["alerts"][0]["endsAt"] == theirs["alerts"][0]["endsAt"]


@contextmanager
def irc() -> Iterator[tuple[int, list[str]]]:
    """Serve as much of IRC as a robot needs; yield the port and what was said."""
    said: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for raw in self.rfile:
                line = raw.decode().strip()
                word, _, rest = line.partition(" ")
                if word == "USER":
                    self.wfile.write(b":irc 001 bot :Welcome\r\n")
                elif word == "JOIN":
                    self.wfile.write(f":bot!b@h JOIN {rest}\r\n".encode())
                elif word == "PING":
                    self.wfile.write(f":irc PONG irc {rest}\r\n".encode())
                elif word in ("NOTICE", "PRIVMSG") and rest.startswith("#"):
                    said.append(rest)

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as server:
        server.daemon_threads = True
        yield server.server_address[1], said


def test_a_public_receiver_of_alertmanager_takes_our_body_unchanged(services: Services) -> None:
    with irc() as (port, said), irc_relay(port) as relay:
        with services.desk.write() as db:
            put_endpoint(db, endpoint(url=f"{relay.url}/alerts", format="alertmanager"))
        take(services, transition(), transition("a2", device="p002"))
        assert deliver_once(services) == 1
        take(services, transition(type_="alert.resolved", number=2))
        assert deliver_once(services) == 1
        assert services.desk.reader.execute("SELECT DISTINCT state FROM delivery").fetchall() == [("delivered",)]
        wait_for(lambda: len(said) == 3)
        assert said[:2] == [
            f"#alerts :port_faulted {device} firing: Port p001 is faulted" for device in ("p001", "p002")
        ]
        assert said[2].startswith("#alerts :port_faulted p001 resolved")
        relay.kill9()  # it takes ten seconds to say goodbye


