"""The shipped configuration of mosquitto on the real one: it starts, keeps what it should, and tells users apart."""

import threading
import time
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from hardened import PASSWORDS, hardened_mosquitto
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from servers import Broker

pytestmark = pytest.mark.server

TOPIC = "voltair/v1/harbour/port/p1/telemetry"
FILTER = "voltair/v1/+/+/+/telemetry"
WAIT_S = 20.0
AUTOSAVE_S = 5


class Client:
    """A paho client that remembers what came."""

    def __init__(
        self, broker: Broker, user: str, name: str, *, clean: bool = True, password: str | None = None
    ) -> None:
        self.got: list[bytes] = []
        self.present = False
        self.reason = "no answer"
        self._answered = threading.Event()
        self._subscribed = threading.Event()
        self.paho = client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5)
        client.username_pw_set(user, PASSWORDS[user] if password is None else password)
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.max_inflight_messages_set(1_000)
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 0 if clean else 3_600
        client.connect(broker.host, broker.port, clean_start=clean, properties=properties)
        client.loop_start()
        assert self._answered.wait(WAIT_S)

    def _on_connect(self, _client, _data, flags, reason, _properties) -> None:
        self.present, self.reason = flags.session_present, str(reason)
        self._answered.set()

    def _on_message(self, _client, _data, message) -> None:
        self.got.append(message.payload)

    def subscribe(self, *filters: str) -> None:
        self._subscribed.clear()
        self.paho.subscribe([(name, 1) for name in filters])
        assert self._subscribed.wait(WAIT_S)

    def publish(self, payloads, topic: str = TOPIC, qos: int = 1) -> None:
        found = [self.paho.publish(topic, payload, qos) for payload in payloads]
        for info in found:
            info.wait_for_publish(WAIT_S)
            assert info.is_published()

    def until(self, count: int) -> list[bytes]:
        deadline = time.monotonic() + WAIT_S
        while len(self.got) < count and time.monotonic() < deadline:
            time.sleep(0.01)  # another thread fills the list
        return self.got

    def leave(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()


def away(broker: Broker) -> None:
    """Leave a session behind that subscribes to all telemetry."""
    client = Client(broker, "voltair", "voltair", clean=False)
    client.subscribe(FILTER)
    client.leave()


def numbers(n: int) -> list[bytes]:
    return [b"%d" % i for i in range(n)]


def test_a_session_away_gets_more_than_a_thousand_messages_and_those_of_qos_0(tmp_path: Path) -> None:
    with hardened_mosquitto(tmp_path / "broker") as broker:
        away(broker)
        station = Client(broker, "harbour", "station")
        station.publish(numbers(3_000))
        station.publish([b"fire and forget"], qos=0)
        station.leave()
        back = Client(broker, "voltair", "voltair", clean=False)
        assert back.present
        assert back.until(3_001) == [*numbers(3_000), b"fire and forget"]
        back.leave()


def test_sessions_and_messages_outlive_a_restart(tmp_path: Path) -> None:
    with hardened_mosquitto(tmp_path / "broker") as broker:
        away(broker)
        station = Client(broker, "harbour", "station")
        station.publish(numbers(500))
        station.leave()
        broker.restart()
        back = Client(broker, "voltair", "voltair", clean=False)
        assert back.present
        assert back.until(500) == numbers(500)
        back.leave()


@pytest.mark.slow
def test_kill_9_loses_at_most_what_came_since_the_last_save(tmp_path: Path) -> None:
    with hardened_mosquitto(tmp_path / "broker") as broker:
        away(broker)
        station = Client(broker, "harbour", "station")
        station.publish(numbers(500))
        saved = broker.folder / "mosquitto.db"
        asked = time.time()
        deadline = time.monotonic() + 4 * AUTOSAVE_S
        while not (saved.exists() and saved.stat().st_mtime > asked) and time.monotonic() < deadline:
            time.sleep(0.05)  # the broker's own clock
        assert time.time() - asked < 2 * AUTOSAVE_S + 1
        station.leave()
        broker.kill9()
        broker.start()
        back = Client(broker, "voltair", "voltair", clean=False)
        assert back.present
        assert back.until(500) == numbers(500)
        back.leave()


def test_a_station_speaks_for_itself_only(tmp_path: Path) -> None:
    with hardened_mosquitto(tmp_path / "broker") as broker:
        voltair = Client(broker, "voltair", "voltair")
        voltair.subscribe("voltair/v1/#")
        isle, harbour = Client(broker, "isle", "isle"), Client(broker, "harbour", "harbour")
        isle.subscribe("voltair/v1/#")
        isle.publish([b"forged"], TOPIC)
        harbour.publish([b"true"], TOPIC)
        harbour.publish([b"1"], "voltair/v1/harbour/port/p1/online")
        voltair.publish([b"{}"], "voltair/v1/harbour/kpi")
        voltair.publish([b"probe"], "voltair/v1/doctor/1")
        voltair.until(3)
        assert voltair.got == [b"true", b"1", b"probe"]
        assert isle.got == [], "a station hears nothing of another"
        for client in (isle, harbour, voltair):
            client.leave()


def test_nobody_enters_without_the_right_password(tmp_path: Path) -> None:
    with hardened_mosquitto(tmp_path / "broker") as broker:
        guest = Client(broker, "harbour", "guest", password="guess")
        assert guest.reason in {"Not authorized", "Bad user name or password"}
        guest.leave()


def test_a_message_beyond_the_dead_letters_limit_still_arrives(tmp_path: Path) -> None:
    with hardened_mosquitto(tmp_path / "broker") as broker:
        voltair = Client(broker, "voltair", "voltair")
        voltair.subscribe(FILTER)
        station = Client(broker, "harbour", "station")
        station.publish([b"x" * 1_100_000])
        assert [len(p) for p in voltair.until(1)] == [1_100_000]
        station.leave()
        voltair.leave()
