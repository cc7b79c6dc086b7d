"""The stream of bytes from a broker, cut into packets: all that a read completed, at once."""

from functools import lru_cache

from telemetry.errors import WireError
from wire.mqtt.packets import (
    MQTT_5,
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

_BYTE, _TWO, _FOUR, _VARINT, _BINARY, _PAIR = range(6)
_PROPERTY_TYPES = {
    0x01: _BYTE, 0x02: _FOUR, 0x03: _BINARY, 0x08: _BINARY, 0x09: _BINARY, 0x0B: _VARINT, 0x11: _FOUR,
    0x12: _BINARY, 0x13: _TWO, 0x15: _BINARY, 0x16: _BINARY, 0x17: _BYTE, 0x18: _FOUR, 0x19: _BYTE,
    0x1A: _BINARY, 0x1C: _BINARY, 0x1F: _BINARY, 0x21: _TWO, 0x22: _TWO, 0x23: _TWO, 0x24: _BYTE,
    0x25: _BYTE, 0x26: _PAIR, 0x27: _FOUR, 0x28: _BYTE, 0x29: _BYTE, 0x2A: _BYTE,
}  # fmt: skip
_CONTENT_TYPE, _SERVER_KEEP_ALIVE, _REASON_STRING, _TOPIC_ALIAS = 0x03, 0x13, 0x1F, 0x23


class StreamParser:
    """Cuts a stream into packets; it keeps the bytes of a packet that is not complete yet."""

    def __init__(self, version: int) -> None:
        self._five = version == MQTT_5
        self._aliases: dict[int, bytes] = {}
        """MQTT 5: topics by the numbers that the broker gave them; they end with the connection."""
        self._parts: list[bytes] = []
        self._have = 0
        self._need = 0

    def feed(self, data: bytes) -> list[Packet]:
        """Return every packet that these bytes complete, in order.

        Raises
        ------
        WireError
            If the stream is no MQTT; give the connection up.
        """
        if self._have:
            # A long packet is joined once, when it is complete: joining at every read would be quadratic.
            self._parts.append(data)
            self._have += len(data)
            if self._have < self._need:
                return []
            data = b"".join(self._parts)
            self._parts.clear()
            self._have = 0
        packets: list[Packet] = []
        try:
            rest = self._cut(data, packets)
        except (IndexError, UnicodeDecodeError) as error:
            msg = f"the broker sent a malformed MQTT packet ({error}); is mqtt.protocol right?"
            raise WireError(msg) from error
        if rest < len(data):
            self._parts.append(data[rest:])
            self._have = len(data) - rest
        return packets

    def _cut(self, data: bytes, packets: list[Packet]) -> int:  # noqa: PLR0912 - calls per message cost as much
        """Append the packets of `data`; return where the incomplete rest starts."""
        five = self._five
        append, publish = packets.append, Publish
        size = len(data)
        start = 0
        while True:
            if size - start < 2:
                self._need = 2
                return start
            first = data[start]
            length = data[start + 1]
            at = start + 2
            if length > 127:
                if size - at > 0 and data[at] < 128:
                    length = length & 0x7F | data[at] << 7
                    at += 1
                else:
                    length, at = _long_length(data, start)
                    if length < 0:
                        self._need = at
                        return start
            end = at + length
            if end > size:
                self._need = end - start
                return start
            if first & 0xF0 == 0x30:
                # PUBLISH, written out here: it is nearly all of the traffic.
                topic_at = at + 2
                at = topic_at + (data[at] << 8 | data[at + 1])
                topic = data[topic_at:at]
                packet_id = 0
                qos_bits = first & 0x06
                if qos_bits:
                    if qos_bits != 2:
                        msg = f"the broker sends QoS {qos_bits >> 1}; at most 1 was subscribed"
                        raise WireError(msg)
                    packet_id = data[at] << 8 | data[at + 1]
                    at += 2
                content_type = ""
                if five:
                    at += 1
                    if data[at - 1]:
                        properties, at = _properties_end(data, at - 1)
                        content_type, alias = _of_publish(data[properties:at])
                        if alias:
                            topic = self._resolve(alias, topic)
                if at > end:
                    msg = "the broker sent a PUBLISH whose header is longer than the packet"
                    raise WireError(msg)
                append(publish(topic, data[at:end], packet_id, first & 0x0F, content_type))
            else:
                append(_control(first, data[at:end], five=five))
            start = end

    def _resolve(self, alias: int, topic: bytes) -> bytes:
        """Return the topic of a message that carries an alias; with a topic it gives the alias its meaning."""
        if alias > TOPIC_ALIAS_MAXIMUM:
            msg = f"the broker sent topic alias {alias}; the maximum is {TOPIC_ALIAS_MAXIMUM}"
            raise WireError(msg)
        if topic:
            self._aliases[alias] = topic
            return topic
        found = self._aliases.get(alias)
        if found is None:
            msg = f"the broker sent topic alias {alias} before it said which topic that is"
            raise WireError(msg)
        return found


def _long_length(data: bytes, start: int) -> tuple[int, int]:
    """Return a packet length of 2 to 4 bytes and the place behind it; where cut off, -1 and the bytes needed."""
    length = shift = 0
    for at in range(start + 1, min(start + 5, len(data))):
        length |= (data[at] & 0x7F) << shift
        if data[at] < 128:
            return length, at + 1
        shift += 7
    if shift > 21:
        msg = "the broker sent a packet length of more than 4 bytes; is this an MQTT port?"
        raise WireError(msg)
    return -1, len(data) - start + 1


def _control(first: int, body: bytes, *, five: bool) -> Packet:
    """Return one packet that is no PUBLISH."""
    type_ = first >> 4
    if first & 0x0F:
        msg = f"the broker sent {first:#04x} where a packet starts; is this an MQTT port?"
        raise WireError(msg)
    if type_ == 2:
        properties = _properties(body, 2) if five and len(body) > 2 else {}
        keepalive = properties.get(_SERVER_KEEP_ALIVE)
        return Connack(
            bool(body[0] & 1),
            body[1],
            keepalive if isinstance(keepalive, int) else None,
            _words(properties),
        )
    if type_ == 4:
        return Puback(body[0] << 8 | body[1], body[2] if len(body) > 2 else 0)
    if type_ in (9, 11):
        packet_id = body[0] << 8 | body[1]
        if type_ == 11:
            return Unsuback(packet_id)
        at = _properties_end(body, 2)[1] if five else 2
        return Suback(packet_id, tuple(body[at:]))
    if type_ == 13:
        return Pingresp()
    if type_ == 14:
        properties = _properties(body, 1) if len(body) > 1 else {}
        return Disconnect(body[0] if body else 0, _words(properties))
    msg = f"the broker sent a packet of type {type_}, which a subscriber never receives"
    raise WireError(msg)


def _words(properties: dict[int, int | bytes]) -> str:
    words = properties.get(_REASON_STRING, b"")
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else ""


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a variable byte integer and the place behind it."""
    value = shift = 0
    while True:
        digit = data[at]
        at += 1
        value |= (digit & 0x7F) << shift
        if digit < 128:
            return value, at
        shift += 7
        if shift > 21:
            msg = "the broker sent a length of more than 4 bytes"
            raise WireError(msg)


def _properties_end(data: bytes, at: int) -> tuple[int, int]:
    """Return where the properties at `at` start and end."""
    length, at = _varint(data, at)
    return at, at + length


def _properties(data: bytes, at: int) -> dict[int, int | bytes]:
    """Return the MQTT 5 properties at `at` by identifier; of a repeated one the last."""
    at, end = _properties_end(data, at)
    return _read_properties(data[at:end])


def _read_properties(data: bytes) -> dict[int, int | bytes]:
    found: dict[int, int | bytes] = {}
    at = 0
    while at < len(data):
        identifier = data[at]
        at += 1
        kind = _PROPERTY_TYPES.get(identifier)
        if kind is None:
            msg = f"the broker sent an unknown MQTT 5 property {identifier:#04x}"
            raise WireError(msg)
        if kind == _VARINT:
            found[identifier], at = _varint(data, at)
            continue
        if kind in (_BINARY, _PAIR):
            parts = []
            for _ in range(2 if kind == _PAIR else 1):
                end = at + 2 + (data[at] << 8 | data[at + 1])
                parts.append(data[at + 2 : end])
                at = end
            found[identifier] = parts[0]
        else:
            width = (1, 2, 4)[kind]
            found[identifier] = int.from_bytes(data[at : at + width], "big")
            at += width
        if at > len(data):
            msg = f"the broker sent an MQTT 5 property {identifier:#04x} that is cut off"
            raise WireError(msg)
    return found


@lru_cache(maxsize=4 * TOPIC_ALIAS_MAXIMUM)
def _of_publish(properties: bytes) -> tuple[str, int]:
    """Return content type (lower case, without parameters) and topic alias (0: none) of a PUBLISH.

    Devices repeat their properties, so most are read once.
    """
    found = _read_properties(properties)
    alias, name = found.get(_TOPIC_ALIAS), found.get(_CONTENT_TYPE)
    if alias == 0:
        msg = "the broker sent topic alias 0, which MQTT 5 forbids"
        raise WireError(msg)
    content_type = name.decode("utf-8", "replace").partition(";")[0].strip().lower() if type(name) is bytes else ""
    return content_type, alias if type(alias) is int else 0
