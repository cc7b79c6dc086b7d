"""The packet codec against the package mqtt5, in both directions, however the stream is cut."""

from itertools import pairwise

import mqtt5
from hypothesis import given
from hypothesis import strategies as st

from wire.mqtt.encode import (
    Connect,
    encode_connect,
    encode_disconnect,
    encode_pubacks,
    encode_publish,
    encode_subscribe,
    encode_unsubscribe,
)
from wire.mqtt.packets import (
    TOPIC_ALIAS_MAXIMUM,
    Connack,
    Disconnect,
    Packet,
    Pingresp,
    Puback,
    Publish,
    Suback,
    Unsuback,
)
from wire.mqtt.parse import StreamParser

TEXTS = st.text(st.characters(exclude_categories=("C",)), max_size=12)
TOPICS = st.text("ab/é中", min_size=1, max_size=140)
IDS = st.integers(1, 65_535)
WORDS = st.none() | TEXTS.filter(bool)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), max_size=2)


def reasons(names: type) -> st.SearchStrategy:
    """Return one of the package's reason codes, which are no Python enumeration."""
    return st.sampled_from([getattr(names, name) for name in dir(names) if name.isupper()])


@st.composite
def publishes(draw) -> tuple[mqtt5.PublishPacket, Publish]:
    topic, payload, content_type = draw(TOPICS), draw(st.binary(max_size=300)), draw(st.none() | TEXTS)
    packet_id, retain = draw(st.none() | IDS), draw(st.booleans())
    duplicate = packet_id is not None and draw(st.booleans())
    theirs = mqtt5.PublishPacket(
        topic,
        payload,
        qos=mqtt5.QoS.AT_MOST_ONCE if packet_id is None else mqtt5.QoS.AT_LEAST_ONCE,
        retain=retain,
        packet_id=packet_id,
        duplicate=duplicate,
        message_expiry_interval=draw(st.none() | st.integers(1, 2**32 - 1)),
        content_type=content_type,
        response_topic=draw(st.none() | TOPICS),
        correlation_data=draw(st.none() | st.binary(max_size=9)),
        subscription_ids=draw(st.none() | st.lists(st.integers(1, 268_435_455), max_size=2)),
        topic_alias=draw(st.none() | st.integers(1, TOPIC_ALIAS_MAXIMUM)),
        user_properties=draw(PAIRS),
    )
    flags = retain | (packet_id is not None) << 1 | duplicate << 3
    type_ = (content_type or "").partition(";")[0].strip().lower()
    return theirs, Publish(topic.encode(), payload, packet_id or 0, flags, type_)


@st.composite
def controls(draw) -> tuple[mqtt5.Packet, Packet]:
    id_, words = draw(IDS), draw(st.none() | TEXTS)
    more = {"reason_str": words, "user_properties": draw(PAIRS)}
    match draw(st.sampled_from(("connack", "suback", "unsuback", "puback", "ping", "disconnect"))):
        case "connack":
            code, keepalive = draw(reasons(mqtt5.ConnAckReasonCode)), draw(st.none() | IDS)
            theirs = mqtt5.ConnAckPacket(reason_code=code, server_keep_alive=keepalive, receive_max=20, **more)
            return theirs, Connack(session_present=False, code=code, keepalive_s=keepalive, reason=words or "")
        case "suback":
            codes = draw(st.lists(reasons(mqtt5.SubAckReasonCode), min_size=1, max_size=4))
            return mqtt5.SubAckPacket(id_, codes, **more), Suback(id_, tuple(map(int, codes)))
        case "unsuback":
            return mqtt5.UnsubAckPacket(id_, [mqtt5.UnsubAckReasonCode.SUCCESS], **more), Unsuback(id_)
        case "puback":
            code = draw(reasons(mqtt5.PubAckReasonCode))
            return mqtt5.PubAckPacket(id_, reason_code=code, **more), Puback(id_, code)
        case "ping":
            return mqtt5.PingRespPacket(), Pingresp()
        case _:
            code = draw(reasons(mqtt5.DisconnectReasonCode))
            return mqtt5.DisconnectPacket(reason_code=code, **more), Disconnect(code, words or "")


@given(st.lists(publishes() | controls(), min_size=1, max_size=8), st.data())
def test_what_mqtt5_writes_we_read_however_it_is_cut(packets, data):
    stream = b"".join(theirs.write() for theirs, _ in packets)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    parser = StreamParser(5)
    found = [p for a, b in pairwise([0, *cuts, len(stream)]) for p in parser.feed(stream[a:b])]
    assert found == [ours for _, ours in packets]


@given(st.lists(st.tuples(st.integers(1, 3), st.booleans(), TOPICS), min_size=1, max_size=12), st.integers(1, 9))
def test_topic_aliases_mean_what_was_said_last_however_the_stream_is_cut(sent, step):
    known: dict[int, str] = {}
    stream, topics = b"", []
    for alias, repeats, topic in sent:
        short = repeats and alias in known
        known[alias] = known[alias] if short else topic
        topics.append(known[alias].encode())
        stream += mqtt5.PublishPacket("" if short else topic, b"{}", topic_alias=alias).write()
    parser = StreamParser(5)
    found = [p for at in range(0, len(stream), step) for p in parser.feed(stream[at : at + step])]
    assert [p.topic for p in found] == topics


def theirs(data: bytes) -> mqtt5.Packet:
    packet, size = mqtt5.read(memoryview(data))
    assert size == len(data)
    return packet


@given(TOPICS, st.binary(max_size=300), st.none() | IDS, st.booleans(), WORDS)
def test_messages_that_we_write_mqtt5_reads(topic, payload, packet_id, retain, content_type):
    found = theirs(
        encode_publish(5, topic, payload, packet_id=packet_id or 0, retain=retain, content_type=content_type or "")
    )
    assert isinstance(found, mqtt5.PublishPacket)
    assert (found.topic, found.payload, found.packet_id, found.retain, found.content_type) == (
        topic, payload, packet_id, retain, content_type,
    )  # fmt: skip
    assert found.qos == (packet_id is not None)


@given(WORDS, WORDS, st.integers(0, 65_535), st.integers(0, 2**32 - 1))
def test_a_connect_that_we_write_mqtt5_reads(username, password, keepalive_s, expiry_s):
    connect = Connect(
        client_id="v", username=username or "", password=password or "", keepalive_s=keepalive_s,
        session_expiry_s=expiry_s, receive_maximum=8_000,
    )  # fmt: skip
    found = theirs(encode_connect(connect))
    assert isinstance(found, mqtt5.ConnectPacket)
    assert (found.client_id, found.username, found.password, found.clean_start) == (
        "v", username, None if password is None else password.encode(), False,
    )  # fmt: skip
    assert (found.keep_alive, found.session_expiry_interval, found.receive_max, found.topic_alias_max) == (
        keepalive_s, expiry_s, 8_000, TOPIC_ALIAS_MAXIMUM,
    )  # fmt: skip


@given(IDS, st.lists(TOPICS, min_size=1, max_size=4))
def test_subscriptions_that_we_write_mqtt5_reads(packet_id, filters):
    found, gone = theirs(encode_subscribe(5, packet_id, filters)), theirs(encode_unsubscribe(5, packet_id, filters))
    assert isinstance(found, mqtt5.SubscribePacket)
    assert isinstance(gone, mqtt5.UnsubscribePacket)
    assert [(f.pattern, f.max_qos) for f in found.topic_filters] == [(f, mqtt5.QoS.AT_LEAST_ONCE) for f in filters]
    assert (found.packet_id, gone.packet_id, gone.patterns) == (packet_id, packet_id, filters)


@given(st.lists(IDS, min_size=1, max_size=9))
def test_acknowledgements_that_we_write_mqtt5_reads(ids):
    stream = encode_pubacks(ids)
    found = [theirs(stream[at : at + 4]) for at in range(0, len(stream), 4)]
    assert [(p.packet_id, p.reason_code) for p in found] == [(i, 0) for i in ids]
    assert isinstance(theirs(encode_disconnect(5)), mqtt5.DisconnectPacket)
