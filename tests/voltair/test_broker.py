"""The demo's broker, also where mosquitto is not installed: readings pass with QoS 1 in order."""

import queue
import shutil
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from servers import Server, free_port, running

from voltair.broker import demo_broker

pytestmark = pytest.mark.server


@pytest.mark.parametrize("installed", [True, False])
def test_messages_pass_in_order(installed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not installed:
        monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    elif shutil.which("mosquitto", path="/usr/sbin:/usr/bin") is None:
        pytest.skip("mosquitto (Debian package mosquitto) is missing")
    port = free_port()
    broker = demo_broker(port, tmp_path, tmp_path / "broker.log")
    assert broker.protocol == (5 if installed else 4)
    with running(Server(broker.child.argv, port, tmp_path)):
        got: queue.Queue[int] = queue.Queue()
        subscribed = queue.Queue[object]()
        protocol = paho.MQTTv5 if broker.protocol == 5 else paho.MQTTv311
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id="both", protocol=protocol)
        client.on_message = lambda _client, _data, message: got.put(int(message.payload))
        client.on_subscribe = lambda *_: subscribed.put(None)
        client.connect("127.0.0.1", port)
        client.loop_start()
        client.subscribe("voltair/v1/+/+/+/telemetry", 1)
        subscribed.get(timeout=10)
        for n in range(200):
            client.publish("voltair/v1/a/port/b/telemetry", str(n), 1)
        assert [got.get(timeout=10) for _ in range(200)] == list(range(200))
        client.disconnect()
        client.loop_stop()
