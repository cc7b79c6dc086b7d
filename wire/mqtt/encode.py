"""What a client sends: values to bytes."""

from collections.abc import Sequence

import msgspec
import numpy as np

from wire.mqtt.packets import FLAG_DUP, FLAG_RETAIN, MQTT_5, TOPIC_ALIAS_MAXIMUM

PINGREQ = b"\xc0\x00"

_MAX_LENGTH = 268_435_455


class Connect(msgspec.Struct, frozen=True, kw_only=True):
    """Who connects, and how its session is kept."""

    version: int = MQTT_5
    client_id: str
    username: str = ""
    password: str = ""
    keepalive_s: int = 30
    clean_start: bool = False
    """False: take up the session that the broker has kept."""
    session_expiry_s: int = 0
    """MQTT 5: how long the broker keeps the session after the connection ends; 0xFFFFFFFF: for ever."""
    receive_maximum: int = 65_535
    """MQTT 5: how many messages of QoS 1 the broker may send ahead of their acknowledgement."""


def varint(value: int) -> bytes:
    """Return a variable byte integer.

    Raises
    ------
    ValueError
        If it is beyond 268,435,455.
    """
    if value > _MAX_LENGTH:
        msg = f"an MQTT packet of {value} bytes is too long; the protocol ends at {_MAX_LENGTH}"
        raise ValueError(msg)
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        if not value:
            out.append(low)
            return bytes(out)
        out.append(low | 0x80)


def _text(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return len(data).to_bytes(2, "big") + data


def _packet(first: int, body: bytes) -> bytes:
    return bytes((first,)) + varint(len(body)) + body


def encode_connect(connect: Connect) -> bytes:
    """Return a CONNECT."""
    five = connect.version == MQTT_5
    flags = (0x02 if connect.clean_start else 0) | (0x80 if connect.username else 0)
    flags |= 0x40 if connect.password else 0
    body = _text("MQTT") + bytes((connect.version, flags)) + connect.keepalive_s.to_bytes(2, "big")
    if five:
        properties = b"\x11" + connect.session_expiry_s.to_bytes(4, "big")
        properties += b"\x21" + connect.receive_maximum.to_bytes(2, "big")
        properties += b"\x22" + TOPIC_ALIAS_MAXIMUM.to_bytes(2, "big")
        body += varint(len(properties)) + properties
    body += _text(connect.client_id)
    body += _text(connect.username) if connect.username else b""
    body += _text(connect.password) if connect.password else b""
    return _packet(0x10, body)


def encode_subscribe(version: int, packet_id: int, filters: Sequence[str], qos: int = 1) -> bytes:
    """Return a SUBSCRIBE of all filters at one QoS."""
    body = packet_id.to_bytes(2, "big") + (b"\x00" if version == MQTT_5 else b"")
    return _packet(0x82, body + b"".join(_text(f) + bytes((qos,)) for f in filters))


def encode_unsubscribe(version: int, packet_id: int, filters: Sequence[str]) -> bytes:
    """Return an UNSUBSCRIBE."""
    body = packet_id.to_bytes(2, "big") + (b"\x00" if version == MQTT_5 else b"")
    return _packet(0xA2, body + b"".join(_text(f) for f in filters))


def encode_publish(
    version: int,
    topic: str | bytes,
    payload: bytes,
    *,
    packet_id: int = 0,
    retain: bool = False,
    dup: bool = False,
    content_type: str = "",
) -> bytes:
    """Return a PUBLISH: QoS 1 with a packet id, QoS 0 without."""
    flags = (FLAG_RETAIN if retain else 0) | (FLAG_DUP if dup else 0) | (0x02 if packet_id else 0)
    body = _text(topic) + (packet_id.to_bytes(2, "big") if packet_id else b"")
    if version == MQTT_5:
        properties = b"\x03" + _text(content_type) if content_type else b""
        body += varint(len(properties)) + properties
    return _packet(0x30 | flags, body + payload)


def encode_pubacks(packet_ids: Sequence[int]) -> bytes:
    """Return the acknowledgements of many messages, in the given order, as one run of bytes."""
    out = np.empty((len(packet_ids), 2), ">u2")
    out[:, 0] = 0x4002
    out[:, 1] = packet_ids
    return out.tobytes()


def encode_disconnect(version: int) -> bytes:
    """Return a DISCONNECT that keeps the session as CONNECT asked for."""
    return b"\xe0\x02\x00\x00" if version == MQTT_5 else b"\xe0\x00"
