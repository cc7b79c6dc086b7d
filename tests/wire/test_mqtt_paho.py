"""The packet codec against a running paho-mqtt, MQTT 3.1.1 and 5, in both directions, however the stream is cut."""

import queue
import socket
from collections.abc import Iterator
from itertools import pairwise

import paho.mqtt.client as paho
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from wire.mqtt.encode import encode_pubacks, encode_publish
from wire.mqtt.packets import Packet, Publish
from wire.mqtt.parse import StreamParser

TOPICS = st.text("ab/é中", min_size=1, max_size=140)
PAYLOADS = st.binary(max_size=300)
CONNACK = {4: b"\x20\x02\x00\x00", 5: b"\x20\x03\x00\x00\x00"}
PATIENCE_S = 20


class Link:
    """A paho client, and the broker's end of its connection."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.messages: queue.Queue[paho.MQTTMessage] = queue.Queue()
        protocol = paho.MQTTProtocolVersion(version)
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id="oracle", protocol=protocol)
        self.client.on_message = lambda _client, _data, message: self.messages.put(message)
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.client.connect("127.0.0.1", server.getsockname()[1], keepalive=0)
            self.socket, _ = server.accept()
        self.socket.settimeout(PATIENCE_S)
        self.client.loop_start()
        assert self.socket.recv(1)[0] == 0x10  # CONNECT, whose rest says nothing of messages
        self.socket.recv(4_096)
        self.socket.sendall(CONNACK[version])

    def read(self) -> tuple[bytes, list[Packet]]:
        """Return the bytes of the next message and what they are in one piece."""
        data = b""
        while not (found := StreamParser(self.version).feed(data)):
            part = self.socket.recv(65_536)
            assert part, "paho has closed the connection"
            data += part
        return data, found

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        self.socket.close()


@pytest.fixture(scope="module", params=(4, 5))
def link(request: pytest.FixtureRequest) -> Iterator[Link]:
    made = Link(request.param)
    yield made
    made.close()


few = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)


@few
@given(TOPICS, PAYLOADS, st.integers(0, 1), st.booleans(), st.sampled_from(("", "application/json")), st.data())
def test_what_paho_publishes_we_read_and_it_takes_our_acknowledgement(link, topic, payload, qos, retain, type_, data):
    properties = None
    if link.version == 5:
        properties = Properties(PacketTypes.PUBLISH)
        if type_:
            properties.ContentType = type_
    info = link.client.publish(topic, payload, qos, retain, properties)
    stream, whole = link.read()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    parser = StreamParser(link.version)
    assert [p for a, b in pairwise([0, *cuts, len(stream)]) for p in parser.feed(stream[a:b])] == whole
    (found,) = whole
    assert isinstance(found, Publish)
    assert (found.topic, found.payload, found.qos, found.retain) == (topic.encode(), payload, qos, retain)
    assert found.content_type == (type_ if link.version == 5 else "")
    if qos:
        assert found.packet_id == info.mid
        link.socket.sendall(encode_pubacks([found.packet_id]))
    info.wait_for_publish(PATIENCE_S)
    assert info.is_published()


@few
@given(TOPICS, PAYLOADS, st.booleans(), st.sampled_from(("", "application/json")), st.data())
def test_what_we_write_paho_reads(link, topic, payload, retain, type_, data):
    content_type = type_ if link.version == 5 else ""
    stream = encode_publish(link.version, topic, payload, retain=retain, content_type=content_type)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=3)))
    for a, b in pairwise([0, *cuts, len(stream)]):
        link.socket.sendall(stream[a:b])
    found = link.messages.get(timeout=PATIENCE_S)
    assert (found.topic, found.payload, found.qos, bool(found.retain)) == (topic, payload, 0, retain)
    if link.version == 5:
        assert getattr(found.properties, "ContentType", "") == content_type
