"""The publishers against a broker that misbehaves on purpose, and against a real one."""

import asyncio
import threading
import time
from collections import defaultdict

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from servers import free_port, mosquitto

from simulators.message import Message, telemetry_topic
from simulators.publish import BulkPublisher, EdgePublisher, SteadyPublisher, bulk, steady
from simulators.publish.broker import parse_broker
from simulators.publish.pace import Paced, parse_speed
from telemetry.errors import ConfigError, VoltairError

WINDOWS = {SteadyPublisher: steady.WINDOW, BulkPublisher: bulk.WINDOW}
both = pytest.mark.parametrize("kind", WINDOWS)
every = pytest.mark.parametrize("kind", [*WINDOWS, EdgePublisher])


def _messages(count, devices=7, every_ms=10):
    return [Message(k * every_ms, telemetry_topic("t", "port", f"{k % devices}"), b"%d" % k) for k in range(count)]


class Script:
    """What a scripted broker does with one connection."""

    def __init__(self, *, acknowledge=10**9, drop_after=10**9, code=0):
        self.acknowledge, self.drop_after, self.code = acknowledge, drop_after, code


class ScriptedBroker:
    """A broker that acknowledges and drops as told, one script per connection; the last one stays."""

    def __init__(self, *scripts):
        self._scripts = list(scripts)
        self.connections = []
        """Of each connection the (payload, dup) that it received."""

    async def serve(self, reader, writer):
        script = self._scripts[min(len(self.connections), len(self._scripts) - 1)]
        received = []
        self.connections.append(received)
        try:
            while len(received) < script.drop_after:
                first, body = await self._packet(reader)
                if first >> 4 == 1:
                    writer.write(bytes((0x20, 2, 0, script.code)))
                elif first >> 4 == 3:
                    size = int.from_bytes(body[:2], "big") + 2
                    received.append((body[size + 2 :], bool(first & 0x08)))
                    if len(received) <= script.acknowledge:
                        writer.write(b"\x40\x02" + body[size : size + 2])
                elif first >> 4 == 14:
                    break
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    @staticmethod
    async def _packet(reader):
        first = (await reader.readexactly(1))[0]
        length = shift = 0
        while True:
            digit = (await reader.readexactly(1))[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if digit < 128:
                return first, await reader.readexactly(length)


def _publish_to(kind, broker, messages, speed=None, stop_after_s=None):
    async def run():
        async with await asyncio.start_server(broker.serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            publisher = kind(parse_broker(f"mqtt://127.0.0.1:{port}"), speed)
            if stop_after_s is not None:
                asyncio.get_running_loop().call_later(stop_after_s, publisher.stop)
            await asyncio.wait_for(publisher.publish(messages), 30)
            return publisher

    return asyncio.run(run())


@both
def test_every_message_arrives_once_and_in_order(kind):
    broker, messages = ScriptedBroker(Script()), _messages(5_000)
    publisher = _publish_to(kind, broker, messages)
    assert [payload for payload, _ in broker.connections[0]] == [m.payload for m in messages]
    assert (publisher.sent, publisher.acknowledged) == (5_000, 5_000)


@pytest.mark.parametrize(
    ("kind", "acknowledged", "first", "second"), [(SteadyPublisher, 120, 140, 25), (BulkPublisher, 100, 300, 50)]
)
def test_after_a_broken_connection_what_was_not_acknowledged_comes_again_first(kind, acknowledged, first, second):
    broker = ScriptedBroker(
        Script(acknowledge=acknowledged, drop_after=first), Script(acknowledge=0, drop_after=second), Script()
    )
    messages = _messages(3_000)
    publisher = _publish_to(kind, broker, messages)
    payloads = [m.payload for m in messages]
    assert [[payload for payload, _ in c] for c in broker.connections] == [
        payloads[:first],
        payloads[acknowledged : acknowledged + second],
        payloads[acknowledged:],
    ]
    duplicates = [dup for _, dup in broker.connections[2]]
    # a library begins a new session, in which nothing is a repetition
    assert duplicates[: first - acknowledged] == [kind is BulkPublisher] * (first - acknowledged)
    assert not duplicates[-1]
    assert (publisher.sent, publisher.acknowledged, publisher.connections) == (3_000, 3_000, 3)


@both
def test_a_broker_that_does_not_acknowledge_gets_no_more_than_a_window(kind, monkeypatch):
    monkeypatch.setattr("simulators.publish.base.STOP_S", 0.1)
    broker = ScriptedBroker(Script(acknowledge=10))
    publisher = _publish_to(kind, broker, _messages(5_000), stop_after_s=0.5)
    assert len(broker.connections[0]) == WINDOWS[kind] + 10
    assert publisher.acknowledged == 10


@both
def test_messages_wait_for_their_time(kind):
    broker = ScriptedBroker(Script())
    begin = time.monotonic()
    _publish_to(kind, broker, _messages(51, every_ms=1_000), speed=100)
    assert 0.5 <= time.monotonic() - begin < 5
    assert len(broker.connections[0]) == 51


def test_time_that_passed_before_the_first_message_is_caught_up():
    source = Paced(iter(_messages(10, every_ms=10_000)), 1.0, time.monotonic() - 25.0)
    assert [m.time_ms for m in source.due(100)] == [0, 10_000, 20_000]
    assert 0 < source.wait_s() <= 5.0
    assert source.due(100) == []


@both
def test_a_stopped_publisher_returns_with_everything_acknowledged(kind):
    broker = ScriptedBroker(Script())
    publisher = _publish_to(kind, broker, _messages(1_000, every_ms=1_000), speed=100, stop_after_s=0.3)
    assert 0 < publisher.acknowledged == publisher.sent < 100


def test_edge_nodes_that_a_broker_does_not_answer_stop_all_the_same(monkeypatch):
    monkeypatch.setattr("simulators.publish.base.STOP_S", 0.1)
    monkeypatch.setattr("simulators.publish.connection.PATIENCE_S", 600.0)
    broker = ScriptedBroker(Script())  # takes the connection, and never answers a subscription
    publisher = _publish_to(EdgePublisher, broker, _messages(1_000), stop_after_s=0.5)
    assert (publisher.connections, publisher.sent) == (1, 0)


@every
def test_a_refused_login_is_an_error_that_names_the_reason(kind):
    with pytest.raises(VoltairError, match=r"bad user name or password .*check user"):
        _publish_to(kind, ScriptedBroker(Script(code=4)), _messages(1))


@every
def test_no_broker_is_an_error_that_names_the_address(kind, monkeypatch):
    monkeypatch.setattr("simulators.publish.base.PATIENCE_S", 0.0)
    port = free_port()
    with pytest.raises(VoltairError, match=rf"no broker at mqtt://127.0.0.1:{port}.*--broker"):
        asyncio.run(kind(parse_broker(f"mqtt://127.0.0.1:{port}"), None).publish(_messages(1)))


@every
def test_nothing_to_publish_needs_no_broker(kind):
    asyncio.run(kind(parse_broker("mqtt://127.0.0.1:1"), None).publish([]))


@pytest.mark.server
@both
def test_a_real_broker_hands_all_to_a_subscriber_in_order(kind):
    messages = _messages(4_000)
    received, done = defaultdict(list), threading.Event()

    def take(client, userdata, message):
        received[message.topic].append(int(message.payload))
        if sum(map(len, received.values())) >= len(messages):
            done.set()

    with mosquitto() as server:
        subscriber = Client(CallbackAPIVersion.VERSION2)
        subscribed = threading.Event()
        subscriber.on_subscribe = lambda *_: subscribed.set()
        subscriber.on_message = take
        subscriber.connect("127.0.0.1", server.port)
        subscriber.subscribe("voltair/#", 1)
        subscriber.loop_start()
        assert subscribed.wait(10)
        publisher = kind(parse_broker(server.url), None)
        asyncio.run(publisher.publish(messages))
        assert done.wait(30)
        subscriber.disconnect()
        subscriber.loop_stop()
    assert publisher.connections == 1
    assert received == {telemetry_topic("t", "port", f"{d}"): list(range(d, 4_000, 7)) for d in range(7)}


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "user", "password"),
    [
        ("mqtt://broker", "broker", 1883, False, "", ""),
        ("mqtts://broker", "broker", 8883, True, "", ""),
        ("mqtt://me:p%40ss@[::1]:99", "::1", 99, False, "me", "p@ss"),
    ],
)
def test_a_brokers_address(url, host, port, tls, user, password):
    broker = parse_broker(url)
    assert (broker.host, broker.port, broker.tls, broker.username, broker.password) == (host, port, tls, user, password)
    assert "p@ss" not in broker.url


@pytest.mark.parametrize("url", ["", "localhost:1883", "http://x", "mqtt://", "mqtt://x:port"])
def test_no_address(url):
    with pytest.raises(ConfigError, match="is not like mqtt://"):
        parse_broker(url)


def test_speeds():
    assert parse_speed("max") is None
    assert parse_speed("2.5") == 2.5
    for wrong in ("0", "-1", "fast", "nan", "inf"):
        with pytest.raises(ConfigError, match=wrong):
            parse_speed(wrong)
