"""What a client receives: one type per packet, and the reasons that brokers give."""

import msgspec

MQTT_5 = 5
MQTT_3_1_1 = 4
TOPIC_ALIAS_MAXIMUM = 1_024
"""MQTT 5: so many topics a broker may abbreviate on one connection."""

FLAG_RETAIN = 0x01
FLAG_QOS = 0x06
FLAG_DUP = 0x08


class Publish(msgspec.Struct, frozen=True, gc=False):
    """A message."""

    topic: bytes
    """UTF-8, as received: it serves as a dictionary key and is read once per topic, not once per message."""
    payload: bytes
    packet_id: int
    """0 at QoS 0."""
    flags: int
    """Low half of the first byte: `FLAG_*`."""
    content_type: str = ""
    """MQTT 5; lower case, without parameters."""

    @property
    def qos(self) -> int:
        """Quality of service, 0 or 1."""
        return (self.flags & FLAG_QOS) >> 1

    @property
    def retain(self) -> bool:
        """Whether this is a retained copy, received on subscribing."""
        return bool(self.flags & FLAG_RETAIN)

    @property
    def dup(self) -> bool:
        """Whether the broker says that it sends this message again."""
        return bool(self.flags & FLAG_DUP)


class Connack(msgspec.Struct, frozen=True):
    """The broker's answer to CONNECT."""

    session_present: bool
    """Whether the broker has kept our session."""
    code: int
    """0, or why the broker refuses."""
    keepalive_s: int | None = None
    """MQTT 5: the broker's own keepalive, which replaces the client's."""
    reason: str = ""
    """MQTT 5: the broker's words."""


class Suback(msgspec.Struct, frozen=True):
    """The broker's answer to SUBSCRIBE."""

    packet_id: int
    codes: tuple[int, ...]
    """Granted QoS of each filter, or 0x80 and more where it is refused."""


class Unsuback(msgspec.Struct, frozen=True):
    """The broker's answer to UNSUBSCRIBE."""

    packet_id: int


class Puback(msgspec.Struct, frozen=True, gc=False):
    """The acknowledgement of a message that was published at QoS 1."""

    packet_id: int
    code: int = 0
    """MQTT 5: 0x80 and more where the broker refuses the message."""


class Pingresp(msgspec.Struct, frozen=True):
    """The answer to PINGREQ."""


class Disconnect(msgspec.Struct, frozen=True):
    """MQTT 5: the broker ends the connection."""

    code: int
    reason: str = ""
    """The broker's words."""


Packet = Publish | Connack | Suback | Unsuback | Puback | Pingresp | Disconnect

_REASONS_3 = {
    1: "unacceptable protocol version",
    2: "client identifier rejected",
    3: "server unavailable",
    4: "bad user name or password",
    5: "not authorised",
}
_REASONS_5 = {
    0x80: "unspecified error",
    0x81: "malformed packet",
    0x82: "protocol error",
    0x83: "implementation specific error",
    0x84: "unsupported protocol version",
    0x85: "client identifier not valid",
    0x86: "bad user name or password",
    0x87: "not authorised",
    0x88: "server unavailable",
    0x89: "server busy",
    0x8A: "banned",
    0x8B: "server shutting down",
    0x8C: "bad authentication method",
    0x8D: "keep alive timeout",
    0x8E: "session taken over by another client with the same client_id",
    0x8F: "topic filter invalid",
    0x93: "receive maximum exceeded",
    0x95: "packet too large",
    0x97: "quota exceeded",
    0x98: "administrative action",
    0x99: "payload format invalid",
    0x9A: "retain not supported",
    0x9B: "QoS not supported",
    0x9C: "use another server",
    0x9D: "server moved",
    0x9E: "shared subscriptions not supported",
    0x9F: "connection rate exceeded",
    0xA1: "subscription identifiers not supported",
    0xA2: "wildcard subscriptions not supported",
}
_PERMANENT_3 = frozenset({1, 2, 4, 5})
_PERMANENT_5 = frozenset({0x81, 0x82, 0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C, 0x95, 0x9A, 0x9B, 0x9D})


def reason_text(version: int, code: int) -> str:
    """Return a reason code in words, with its number."""
    names = _REASONS_5 if version == MQTT_5 else _REASONS_3
    return f"{names.get(code, 'reason unknown')} (code {code:#04x})"


def is_permanent(version: int, connack_code: int) -> bool:
    """Return whether a refused CONNECT will be refused again until a person changes something."""
    return connack_code in (_PERMANENT_5 if version == MQTT_5 else _PERMANENT_3)
