"""The servers other tests rely on: they start, die, come back with port and data, and leave nothing behind."""

import urllib.error
import urllib.request
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from servers import free_port, influxd, listening_ports, mosquitto, nginx, victoria_metrics

pytestmark = pytest.mark.server


def _get(url: str, data: bytes | None = None) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, data, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_free_ports_differ() -> None:
    assert len({free_port() for _ in range(20)}) == 20


def test_mosquitto_answers_and_keeps_its_port_over_a_kill() -> None:
    with mosquitto() as broker:
        pid, port = broker.pid, broker.port
        assert port in listening_ports(pid)
        client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        assert client.connect(broker.host, port) == 0
        client.disconnect()
        broker.kill9()
        assert not Path(f"/proc/{pid}").exists()
        broker.restart()
        assert broker.pid != pid
        assert port in listening_ports(broker.pid)
        last = broker.pid
    assert not Path(f"/proc/{last}").exists()


def test_influxd_keeps_its_data_over_a_restart() -> None:
    with influxd() as server:
        assert _get(f"{server.url}/query?q=CREATE+DATABASE+t", b"")[0] == 200
        assert _get(f"{server.url}/write?db=t", b"m,a=b v=1 1000000000")[0] == 204
        server.kill9()
        server.restart()
        assert b"1970-01-01T00:00:01Z" in _get(f"{server.url}/query?db=t&q=SELECT+v+FROM+m")[1]


def test_nginx_changes_its_mind_at_a_restart() -> None:
    with nginx("location / { return 503; }") as server:
        assert _get(server.url)[0] == 503
        server.set_http("location / { return 200 yes; }")
        server.restart()
        assert _get(server.url) == (200, b"yes")


def test_victoria_metrics_takes_line_protocol() -> None:
    with victoria_metrics() as server:
        assert _get(f"{server.url}/write", b"m,a=b v=1")[0] == 204
