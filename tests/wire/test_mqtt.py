"""The packet codec: handmade vectors, paho as the second opinion, and every split of a stream."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import MQTTv5, MQTTv311
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from telemetry.errors import WireError
from wire.mqtt.encode import (
    Connect,
    encode_connect,
    encode_disconnect,
    encode_pubacks,
    encode_publish,
    encode_subscribe,
    encode_unsubscribe,
    varint,
)
from wire.mqtt.packets import (
    TOPIC_ALIAS_MAXIMUM,
    Connack,
    Disconnect,
    Pingresp,
    Puback,
    Publish,
    Suback,
    Unsuback,
    is_permanent,
    reason_text,
)
from wire.mqtt.parse import StreamParser

STREAM_5 = (
    b"\x20\x06\x01\x00\x03\x13\x00\x14"  # CONNACK, session present, server keep alive 20 s
    b"\x90\x05\x00\x01\x00\x01\x87"  # SUBACK 1: QoS 1, not authorised
    b"\x32\x0b\x00\x03a/b\x00\x07\x00{}\n"  # PUBLISH QoS 1
    + encode_publish(5, "t", b"x" * 300, packet_id=65_535, retain=True, dup=True, content_type="A/MsgPack; v=1")
    + b"\x30\x07\x00\x01q\x00abc"  # PUBLISH QoS 0
    b"\x40\x02\x00\x09\x40\x04\x00\x0a\x10\x00"  # PUBACK short and long
    b"\xb0\x04\x00\x02\x00\x00\xd0\x00"  # UNSUBACK, PINGRESP
    b"\xe0\x08\x8b\x06\x1f\x00\x03bye"  # DISCONNECT, server shutting down
)
PACKETS_5 = [
    Connack(session_present=True, code=0, keepalive_s=20),
    Suback(1, (1, 0x87)),
    Publish(b"a/b", b"{}\n", 7, 0x02),
    Publish(b"t", b"x" * 300, 65_535, 0x0B, "a/msgpack"),
    Publish(b"q", b"abc", 0, 0),
    Puback(9),
    Puback(10, 0x10),
    Unsuback(2),
    Pingresp(),
    Disconnect(0x8B, "bye"),
]
STREAM_3 = b"\x20\x02\x00\x05\x90\x03\x00\x01\x80\x32\x08\x00\x01a\x00\x01xyz\xb0\x02\x00\x02\xd0\x00"
PACKETS_3 = [
    Connack(session_present=False, code=5),
    Suback(1, (0x80,)),
    Publish(b"a", b"xyz", 1, 0x02),
    Unsuback(2),
    Pingresp(),
]


@pytest.mark.parametrize(("version", "stream", "packets"), [(5, STREAM_5, PACKETS_5), (4, STREAM_3, PACKETS_3)])
def test_a_stream_gives_the_same_packets_however_it_is_cut(version, stream, packets):
    assert StreamParser(version).feed(stream) == packets
    for cut in range(len(stream) + 1):
        parser = StreamParser(version)
        assert parser.feed(stream[:cut]) + parser.feed(stream[cut:]) == packets
    for step in (1, 2, 3, 7):
        parser = StreamParser(version)
        found = []
        for at in range(0, len(stream), step):
            found += parser.feed(stream[at : at + step])
        assert found == packets


@given(st.lists(st.integers(1, len(STREAM_5) - 1), max_size=8))
def test_a_stream_may_be_cut_anywhere(cuts):
    parser = StreamParser(5)
    edges = [0, *sorted(cuts), len(STREAM_5)]
    found = [p for a, b in pairwise(edges) for p in parser.feed(STREAM_5[a:b])]
    assert found == PACKETS_5


def test_flags_of_a_message():
    message = PACKETS_5[3]
    assert isinstance(message, Publish)
    assert (message.qos, message.retain, message.dup) == (1, True, True)
    plain = PACKETS_5[4]
    assert isinstance(plain, Publish)
    assert (plain.qos, plain.retain, plain.dup) == (0, False, False)


def test_properties_that_do_not_concern_us_are_read_over():
    properties = Properties(PacketTypes.PUBLISH)
    properties.PayloadFormatIndicator = 1
    properties.MessageExpiryInterval = 99
    properties.ResponseTopic = "r"
    properties.CorrelationData = b"\x00\x01"
    properties.UserProperty = [("a", "b"), ("c", "")]
    properties.SubscriptionIdentifier = 4_000
    properties.ContentType = "application/msgpack"
    packed = properties.pack()
    body = b"\x00\x01t\x00\x05" + packed + b"payload"
    (message,) = StreamParser(5).feed(bytes((0x32,)) + varint(len(body)) + body)
    assert message == Publish(b"t", b"payload", 5, 0x02, "application/msgpack")


def test_a_long_packet_arrives_in_many_reads():
    payload = bytes(range(256)) * 8_192
    stream = encode_publish(5, "big", payload, packet_id=1) + b"\xd0\x00"
    parser = StreamParser(5)
    found = [p for at in range(0, len(stream), 65_536) for p in parser.feed(stream[at : at + 65_536])]
    assert found == [Publish(b"big", payload, 1, 0x02), Pingresp()]


@pytest.mark.parametrize(
    "stream",
    [
        b"HTTP/1.1 400 Bad Request\r\n" + b"Server: none\r\n" * 9,
        b"\x34\x07\x00\x01a\x00\x01\x00x",  # QoS 2
        b"\x30\xff\xff\xff\xff\x01",  # length of five bytes
        b"\x32\x03\x00\x09a",  # topic longer than the packet
        b"\x30\x02\x00\x09",
        b"\x20\x01\x00",  # CONNACK without a code
        b"\x30\x08\x00\x01a\x03\x23\x00\x00x",  # topic alias 0
        b"\x30\x08\x00\x01a\x03\x23\x04\x01x",  # topic alias beyond the maximum
        b"\x30\x07\x00\x00\x03\x23\x00\x01x",  # topic alias that was never given
        b"\x30\x06\x00\x01a\x02\x7f\x00",  # unknown property
        b"\x30\x07\x00\x01a\x03\x03\x00\x09",  # property longer than its place
    ],
)
def test_what_is_no_mqtt_is_refused(stream):
    with pytest.raises(WireError):
        StreamParser(5).feed(stream)


@given(st.binary(max_size=200))
def test_no_stream_of_bytes_does_more_harm_than_a_refusal(stream):
    try:
        StreamParser(5).feed(stream)
    except WireError as error:
        assert "broker" in str(error)  # noqa: PT017 - both outcomes are right


def test_connect_asks_for_a_session_that_outlives_the_connection():
    connect = Connect(client_id="voltair", keepalive_s=30, session_expiry_s=604_800, receive_maximum=8_000)
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 604_800
    properties.ReceiveMaximum = 8_000
    properties.TopicAliasMaximum = TOPIC_ALIAS_MAXIMUM
    body = b"\x00\x04MQTT" + bytes((MQTTv5, 0)) + b"\x00\x1e" + properties.pack() + b"\x00\x07voltair"
    assert encode_connect(connect) == b"\x10" + bytes((len(body),)) + body


def test_connect_of_3_1_1_with_a_login():
    connect = Connect(version=4, client_id="v", username="u", password="pw", clean_start=True)
    body = b"\x00\x04MQTT" + bytes((MQTTv311, 0xC2)) + b"\x00\x1e\x00\x01v\x00\x01u\x00\x02pw"
    assert encode_connect(connect) == b"\x10" + bytes((len(body),)) + body


def test_subscribe_unsubscribe_and_disconnect():
    assert encode_subscribe(5, 3, ["a/#", "b"]) == b"\x82\x0d\x00\x03\x00\x00\x03a/#\x01\x00\x01b\x01"
    assert encode_subscribe(4, 3, ["b"], qos=0) == b"\x82\x06\x00\x03\x00\x01b\x00"
    assert encode_unsubscribe(5, 4, ["b"]) == b"\xa2\x06\x00\x04\x00\x00\x01b"
    assert encode_unsubscribe(4, 4, ["b"]) == b"\xa2\x05\x00\x04\x00\x01b"
    assert (encode_disconnect(5), encode_disconnect(4)) == (b"\xe0\x02\x00\x00", b"\xe0\x00")


def test_acknowledgements_keep_their_order():
    ids = [1, 65_535, 256, 7]
    assert encode_pubacks(ids) == b"".join(b"\x40\x02" + struct.pack(">H", i) for i in ids)
    assert StreamParser(5).feed(encode_pubacks(ids)) == [Puback(i) for i in ids]


@pytest.mark.parametrize("value", [0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455])
def test_lengths_of_one_to_four_bytes(value):
    data = varint(value)
    assert len(data) == 1 + (value > 127) + (value > 16_383) + (value > 2_097_151)
    assert sum((b & 0x7F) << (7 * i) for i, b in enumerate(data)) == value


def test_a_packet_beyond_the_protocol_is_refused():
    with pytest.raises(ValueError, match="268435456"):
        varint(268_435_456)


def test_which_refusals_are_for_good():
    assert is_permanent(5, 0x86)
    assert is_permanent(4, 4)
    assert not is_permanent(5, 0x88)
    assert not is_permanent(4, 3)
    assert "bad user name or password" in reason_text(5, 0x86)
    assert "0xee" in reason_text(4, 0xEE)
