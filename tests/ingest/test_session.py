"""The session against brokers that misbehave on purpose."""

import asyncio
import contextlib
import socket
from pathlib import Path

import mqtt5
import pytest
from fake_broker import CONNACK_5_RESUMED, SUBACK_5, FakeBroker, Peer, publish

from ingest import session as session_module
from ingest.connection import Connection
from ingest.session import Session
from telemetry.config import MqttConfig
from telemetry.errors import ConfigError
from wire.mqtt.encode import Connect
from wire.mqtt.packets import TOPIC_ALIAS_MAXIMUM, Publish

WAIT_S = 10


class Heard:
    """What a session brought."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, Publish]] = []
        self.changed = asyncio.Event()
        self.arrived = asyncio.Event()

    def on_messages(self, generation: int, messages: list[Publish]) -> None:
        self.messages += [(generation, m) for m in messages]
        self.arrived.set()

    async def count(self, n: int) -> None:
        async with asyncio.timeout(WAIT_S):
            while len(self.messages) < n:
                self.arrived.clear()
                await self.arrived.wait()


def make(port: int, heard: Heard, folder: Path, **settings: object) -> Session:
    return Session(
        MqttConfig(url=f"mqtt://127.0.0.1:{port}", **settings),
        receive_maximum=100,
        on_messages=heard.on_messages,
        on_change=heard.changed.set,
        memory=folder / "subscriptions.json",
    )


async def until(condition, what: str) -> None:
    try:
        async with asyncio.timeout(WAIT_S):
            while not condition():  # noqa: ASYNC110 - states of several objects, which set no event
                await asyncio.sleep(0.005)
    except TimeoutError:
        pytest.fail(f"never came: {what}")


def scripted(*scripts, test, tmp_path, **settings):
    """Run a session against the scripts, and `test(session, heard)` beside it."""

    async def main() -> None:
        async with FakeBroker(*scripts) as broker:
            heard = Heard()
            session = make(broker.port, heard, tmp_path, **settings)
            task = asyncio.ensure_future(session.run())
            try:
                async with asyncio.timeout(3 * WAIT_S):
                    await test(session, heard, task)
            finally:
                task.cancel()
                await asyncio.wait((task,))
                session.disconnect()
                await asyncio.sleep(0)
            assert broker.errors == []

    asyncio.run(main())


def test_a_late_acknowledgement_of_an_old_connection_is_dropped(tmp_path):
    acknowledged = []

    async def first(peer: Peer) -> None:
        await peer.welcome()
        peer.send(publish(7, b'{"n": 1}'))
        await seen.wait()

    async def second(peer: Peer) -> None:
        # Packet id 7 is another message now.
        await peer.welcome(CONNACK_5_RESUMED)
        peer.send(publish(7, b'{"n": 2}') + publish(8, b'{"n": 3}'))
        acknowledged.append(await peer.expect(4))
        acknowledged.append(await peer.expect(4))
        done.set()

    async def test(session, heard, task):
        await heard.count(1)
        seen.set()
        await heard.count(3)
        assert [g for g, _ in heard.messages] == [1, 2, 2]
        session.acknowledge(1, [7])
        assert session.stale_acks == 1
        session.acknowledge(2, [8, 7])
        await done.wait()
        assert acknowledged == [b"\x00\x08", b"\x00\x07"]
        assert session.reconnects == 1

    seen, done = asyncio.Event(), asyncio.Event()
    scripted(first, second, test=test, tmp_path=tmp_path)


def test_messages_of_a_kept_session_are_acknowledged_before_the_suback(tmp_path):
    async def script(peer: Peer) -> None:
        await peer.expect(1)
        peer.send(CONNACK_5_RESUMED + publish(1) + publish(2))
        await peer.expect(8)
        # A broker with a window of two sends the SUBACK only after these.
        assert await peer.expect(4) == b"\x00\x01"
        assert await peer.expect(4) == b"\x00\x02"
        peer.send(SUBACK_5)
        await done.wait()

    async def test(session, heard, task):
        await heard.count(2)
        assert not session.connected
        session.acknowledge(1, [1, 2])
        await until(lambda: session.connected, "the subscription")
        done.set()

    done = asyncio.Event()
    scripted(script, test=test, tmp_path=tmp_path)


@pytest.mark.parametrize(
    ("protocol", "connack", "words"),
    [
        (5, b"\x20\x03\x00\x86\x00", "bad user name or password"),
        (5, b"\x20\x08\x00\x87\x05\x1f\x00\x02no", "not authorised (code 0x87): no"),
        (4, b"\x20\x02\x00\x05", "not authorised"),
    ],
)
def test_a_refused_login_ends_with_a_message(tmp_path, protocol, connack, words):
    async def script(peer: Peer) -> None:
        await peer.expect(1)
        peer.send(connack)

    async def test(session, heard, task):
        await asyncio.wait((task,))
        with pytest.raises(ConfigError) as caught:
            task.result()
        assert words in str(caught.value)
        assert "mqtt.password" in str(caught.value)
        assert "'anna'" in str(caught.value)

    scripted(script, test=test, tmp_path=tmp_path, protocol=protocol, username="anna", password="x")


def test_a_busy_broker_and_a_refused_subscription_are_tried_again(tmp_path):
    async def busy(peer: Peer) -> None:
        await peer.expect(1)
        peer.send(b"\x20\x03\x00\x89\x00")

    async def forbids(peer: Peer) -> None:
        await peer.welcome(suback=b"\x90\x05\x00\x01\x00\x01\x87")
        refused.set()

    async def kind(peer: Peer) -> None:
        await peer.welcome(suback=b"\x90\x05\x00\x01\x00\x01\x00")
        await done.wait()

    async def test(session, heard, task):
        await until(lambda: "server busy" in (session.problem or ""), "the reason")
        await until(lambda: "subscription to 'voltair/v1/+/+/+/online'" in (session.problem or ""), "the filter")
        assert not session.connected
        await until(lambda: session.connected, "the third connection")
        assert session.problem == "the broker grants 'voltair/v1/+/+/+/online' only QoS 0: it may lose messages"
        done.set()

    refused, done = asyncio.Event(), asyncio.Event()
    scripted(busy, forbids, kind, test=test, tmp_path=tmp_path)


def test_a_silent_broker_is_dead(tmp_path):
    pings = []

    async def silent(peer: Peer) -> None:
        await peer.welcome(b"\x20\x06\x00\x00\x03\x13\x00\x01")  # server keep alive: 1 s
        while True:
            try:
                pings.append((await peer.packet())[0])
            except asyncio.IncompleteReadError:
                return

    async def alive(peer: Peer) -> None:
        await peer.welcome()
        await done.wait()

    async def test(session, heard, task):
        await until(lambda: session.reconnects == 1, "the end of the first connection")
        assert set(pings) == {12}
        assert "silent for" in session.problem
        await until(lambda: session.connected, "the second connection")
        done.set()

    done = asyncio.Event()
    scripted(silent, alive, test=test, tmp_path=tmp_path)


def test_the_broker_says_why_it_leaves(tmp_path):
    async def taken(peer: Peer) -> None:
        await peer.welcome()
        peer.send(b"\xe0\x02\x8e\x00")
        await asyncio.sleep(0.05)

    async def garbage(peer: Peer) -> None:
        await peer.welcome()
        peer.send(b"\x00\x00")
        await peer._reader.read()

    async def test(session, heard, task):
        await until(lambda: session.reconnects == 1, "the end")
        assert "another client with the same client_id" in session.problem
        await until(lambda: "packet of type 0" in session.problem, "the second reason")

    scripted(taken, garbage, test=test, tmp_path=tmp_path)


def test_a_session_asks_to_be_kept_and_gives_up_old_filters(tmp_path):
    connects = []

    async def first(peer: Peer) -> None:
        connects.append(await peer.welcome(suback=b"\x90\x04\x00\x01\x00\x01"))
        await peer.expect(14)

    async def second(peer: Peer) -> None:
        connects.append(await peer.expect(1))
        peer.send(CONNACK_5_RESUMED)
        assert await peer.expect(8) == b"\x00\x01\x00\x00\x03new\x01"
        assert await peer.expect(10) == b"\x00\x02\x00\x00\x05old/#"
        peer.send(b"\x90\x04\x00\x01\x00\x01")
        await asyncio.sleep(0.05)
        peer.send(b"\xb0\x04\x00\x02\x00\x00")
        await peer.expect(14)

    async def test(session, heard, task):
        await until(lambda: session.connected, "the subscription")

    scripted(first, test=test, tmp_path=tmp_path, topics=("old/#",))
    scripted(second, test=test, tmp_path=tmp_path, topics=("new",))
    for connect in connects:
        assert connect[7] & 0x02 == 0  # clean start is off
        assert b"\x11" + (7 * 86_400).to_bytes(4, "big") in connect
        assert b"\x21\x00\x64" in connect  # receive maximum 100


def test_paused_reading_leaves_messages_in_the_socket(tmp_path):
    async def script(peer: Peer) -> None:
        await peer.welcome()
        peer.send(publish(1))
        await paused.wait()
        peer.send(publish(2))
        await done.wait()

    async def test(session, heard, task):
        await heard.count(1)
        session.pause_reading()
        paused.set()
        await asyncio.sleep(0.1)  # nothing may come, so there is nothing to wait for
        assert len(heard.messages) == 1
        session.resume_reading()
        await heard.count(2)
        done.set()

    paused, done = asyncio.Event(), asyncio.Event()
    scripted(script, test=test, tmp_path=tmp_path)


def test_an_unreachable_broker_is_waited_for(tmp_path):
    async def main() -> None:
        async with FakeBroker() as broker:
            port = broker.port
        heard = Heard()
        session = make(port, heard, tmp_path)
        task = asyncio.ensure_future(session.run())
        await until(lambda: "no connection to the broker" in (session.problem or ""), "the message")
        assert f"127.0.0.1:{port}" in session.problem
        task.cancel()
        await asyncio.wait((task,))

    asyncio.run(main())


def test_a_broker_that_never_answers_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(session_module, "CONNECT_S", 0.1)

    async def mute(peer: Peer) -> None:
        await peer._reader.read()

    async def kind(peer: Peer) -> None:
        await peer.welcome()
        await done.wait()

    async def test(session, heard, task):
        await until(lambda: "no answer" in (session.problem or ""), "the message")
        await until(lambda: session.connected, "the second connection")
        assert heard.changed.is_set()
        done.set()

    done = asyncio.Event()
    scripted(mute, kind, test=test, tmp_path=tmp_path)


def test_pauses_grow_and_differ():
    pauses = [[session_module._pause_s(n) for _ in range(50)] for n in range(40)]
    assert max(pauses[0]) <= 0.2
    assert all(max(p) <= 30 for p in pauses)
    assert min(pauses[39]) >= 15
    assert len(set(pauses[3])) == 50


def test_tls_files_that_are_wrong_are_named(tmp_path):
    heard = Heard
    with pytest.raises(ConfigError, match=r"gone\.pem"):
        Session(
            MqttConfig(url="mqtts://127.0.0.1:1", ca_file="gone.pem"),
            receive_maximum=1, on_messages=heard.on_messages, on_change=lambda: None, memory=tmp_path / "m",
        )  # fmt: skip




@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="the kernel has no TCP_QUICKACK")
def test_each_read_is_acknowledged_at_once(tmp_path):
    """Where the broker uses Nagle's algorithm, a delayed acknowledgement holds the next message back for 40 ms."""
    wishes = []

    class Socket:
        def setsockopt(self, *option):
            wishes.append(option)

    class Transport(asyncio.Transport):
        def get_extra_info(self, name, default=None):
            return Socket() if name == "socket" else default

        def is_closing(self):
            return False

        def write(self, data):
            pass

    async def main() -> None:
        connection = Connection(Connect(client_id="v"), ["a"], obsolete=[], on_messages=lambda _: None)
        connection.connection_made(Transport())
        for _ in range(2):
            connection.data_received(publish(1))

    asyncio.run(main())
    assert wishes == [(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)] * 3


def test_topic_aliases_end_with_their_connection(tmp_path):
    def aliased(topic: str, payload: bytes) -> bytes:
        return mqtt5.PublishPacket(topic, payload, topic_alias=1).write()

    async def first(peer: Peer):
        connect = await peer.welcome()
        assert b"\x22" + TOPIC_ALIAS_MAXIMUM.to_bytes(2, "big") in connect
        peer.send(aliased("a/b", b"1") + aliased("", b"2"))

    async def second(peer: Peer):
        await peer.welcome()
        peer.send(aliased("", b"3"))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await peer.packet()

    async def third(peer: Peer):
        await peer.welcome()
        peer.send(aliased("c", b"4"))
        await peer.expect(14)

    async def test(session, heard, task):
        await heard.count(3)
        assert [(m.topic, m.payload) for _, m in heard.messages] == [(b"a/b", b"1"), (b"a/b", b"2"), (b"c", b"4")]

    scripted(first, second, third, test=test, tmp_path=tmp_path)
