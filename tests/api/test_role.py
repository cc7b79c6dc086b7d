"""The role as a process: alert to webhook, stream, kill -9, a taken port."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import paho.mqtt.client as paho
import pytest
from api_support import SECRET, Receiver, add_transitions, make_state, receiver, transition
from servers import free_port, mosquitto
from standardwebhooks import Webhook

from store.roles import RoleStatus, read_status, write_status
from store.sqlite import connect

_RUN = """
import sys
from pathlib import Path
from api.role import run
from telemetry.config import load_config
from telemetry.errors import ConfigError, RoleLocked
try:
    run(load_config(Path(sys.argv[1])))
except (ConfigError, RoleLocked) as error:
    print(error, file=sys.stderr)
    sys.exit(2)
"""
pytestmark = pytest.mark.server


def write_config(folder: Path, port: int, hook: str, more: str = "", broker: str = "mqtt://127.0.0.1:1") -> Path:
    path = folder / "voltair.toml"
    path.write_text(
        f'data_dir = "data"\n[mqtt]\nurl = "{broker}"\n[api]\nlisten = "127.0.0.1:{port}"\n'
        f'[[webhooks]]\nurl = "{hook}"\n'
        f'secret = "{SECRET}"\nallow_private = ["127.0.0.0/8"]\n{more}'
    )
    return path


def start(config: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", _RUN, str(config)], stderr=subprocess.PIPE)


@contextmanager
def role(config: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    process = start(config)
    try:
        wait_for(lambda: answers(port), process)
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/livez", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def wait_for(condition: Callable[[], bool], process: "subprocess.Popen[bytes] | None" = None) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.02)


def test_from_transition_to_webhook_and_stream_over_a_kill(tmp_path: Path) -> None:
    data, port = tmp_path / "data", free_port()
    make_state(data)
    with receiver() as hook:
        config = write_config(tmp_path, port, hook.url)
        with role(config, port) as process:
            with httpx.stream("GET", f"http://127.0.0.1:{port}/api/v1/stream", trust_env=False) as stream:
                assert stream.headers["content-type"].startswith("text/event-stream")
                lines = stream.iter_lines()
                assert next(lines) == "event: hello"
                started = time.monotonic()
                add_transitions(data, transition())
                wait_for(lambda: len(hook.got) == 1)
                assert time.monotonic() - started < 5
                while next(lines) != "event: alert":
                    pass
                assert json.loads(next(lines).removeprefix("data: "))["id"] == "a1"
            wait_for(lambda: (s := read_status(data, "api")) is not None and s.ready and len(s.problems) == 1)
            status = read_status(data, "api")
            assert status is not None
            assert status.problems[0].startswith("MQTT out: alerts and key figures are not published")
            process.kill()
            process.wait()
        add_transitions(data, transition(type_="alert.resolved", number=2))
        with role(config, port) as process:
            wait_for(lambda: len(hook.got) >= 2)
            events = httpx.get(f"http://127.0.0.1:{port}/api/v1/events", trust_env=False).json()["items"]
            assert [e["n"] for e in events] == [1, 2]
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        bodies = [Webhook(SECRET).verify(g.body, g.headers) for g in hook.got]
        assert [b["data"]["sequence"] for b in bodies] == [1, 2]


def test_from_transition_to_mqtt_over_a_kill(tmp_path: Path) -> None:
    data, port, topic = tmp_path / "data", free_port(), "voltair/v1/harbour/alert/a1"
    make_state(data)
    held: dict[str, bytes] = {}
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _data, message: held.update({message.topic: message.payload})
    with mosquitto() as broker:
        config = write_config(tmp_path, port, "http://127.0.0.1:1/", broker=broker.url)
        client.connect("127.0.0.1", broker.port)
        client.subscribe("voltair/v1/+/alert/+", 1)
        client.loop_start()
        try:
            with role(config, port) as process:
                wait_for(lambda: (s := read_status(data, "api")) is not None and s.gauges["mqtt_out_connected"] == 1)
                add_transitions(data, transition())
                wait_for(lambda: topic in held)
                assert json.loads(held[topic])["rule"] == "port_faulted"
                process.kill()
                process.wait()
            add_transitions(data, transition(type_="alert.resolved", number=2))
            with role(config, port) as process:
                wait_for(lambda: held[topic] == b"")
                process.send_signal(signal.SIGTERM)
                assert process.wait(20) == 0
        finally:
            client.disconnect()
            client.loop_stop()


def test_sigterm_ends_open_streams(tmp_path: Path) -> None:
    port = free_port()
    make_state(tmp_path / "data")
    config = write_config(tmp_path, port, "http://127.0.0.1:1/")
    with role(config, port) as process, httpx.stream(
        "GET", f"http://127.0.0.1:{port}/api/v1/stream", trust_env=False, timeout=30
    ) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: hello"
        process.send_signal(signal.SIGTERM)
        for _ in lines:
            pass
        assert process.wait(20) == 0


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(write_config(tmp_path, port, "http://127.0.0.1:1/"))
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert f"port {port} of api.listen" in errors.decode()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('repeat = "soon"\n', "repeat = 'soon' is no duration"),
        ('[webhooks.headers]\nHost = "evil"\n', "one that Voltair itself must set"),
        ('[[webhooks]]\nurl = "http://example.org/"\n', "plain http"),
    ],
)
def test_wrong_webhooks_are_refused_at_the_start(tmp_path: Path, more: str, message: str) -> None:
    process = start(write_config(tmp_path, free_port(), "http://127.0.0.1:1/", more))
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert message in errors.decode()


def test_a_second_one_is_refused(tmp_path: Path) -> None:
    port = free_port()
    config = write_config(tmp_path, port, "http://127.0.0.1:1/")
    with role(config, port) as process:
        second = start(config)
        assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
        _, errors = second.communicate(timeout=30)
        assert second.returncode == 2
        assert f"process {process.pid}" in errors.decode()
    assert (tmp_path / "data" / "desk.db").stat().st_mode & 0o777 == 0o600


def test_a_replay_neither_escalates_nor_repeats_nor_judges_voltair(tmp_path: Path) -> None:
    """The same files on a live clock do all three; only then is it said that the replay did none."""
    rules = json.dumps({"source": "rules.toml", "text": '[role_silent]\nthreshold = 1\nfor = "0s"\n'}).encode()
    more = 'repeat = "1s"\n[[alerts.escalation]]\ntier = 2\nafter = "1s"\n'
    with ExitStack() as stack:
        hooks: dict[str, Receiver] = {}

        def kinds(mode: str) -> list[tuple[str, str]]:
            return [(g.json["type"], g.json["data"]["rule"]) for g in list(hooks[mode].got)]

        # The replay first: it has more time than the other for what it must not do.
        for mode in ("event", "live"):
            data, port = tmp_path / mode / "data", free_port()
            make_state(data)
            with closing(connect(data / "state.db")) as db:
                db.execute("INSERT INTO meta VALUES('rules', ?)", (rules,))
            write_status(data, RoleStatus(role="writer", pid=1, started_ms=1, updated_ms=1, ready=True))
            add_transitions(data, transition())
            hooks[mode] = stack.enter_context(receiver())
            config = write_config(tmp_path / mode, port, hooks[mode].url, f'{more}[clock]\nmode = "{mode}"\n')
            stack.enter_context(role(config, port))
            wait_for(lambda mode=mode: ("alert.firing", "port_faulted") in kinds(mode))  # type: ignore[misc]
        wait_for(lambda: {("alert.escalated", "port_faulted"), ("alert.firing", "role_silent")} <= set(kinds("live")))
        wait_for(lambda: len(kinds("live")) > len(set(kinds("live"))))
        assert kinds("event") == [("alert.firing", "port_faulted")]
