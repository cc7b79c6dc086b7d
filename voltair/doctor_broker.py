"""The doctor's look at the broker: it does not ask what the broker promises, it leaves and counts what is there after.

Everything happens on a throwaway session and on topics of its own, `{mqtt.prefix}/doctor/...`; the session of ingest is
not touched.
"""

import os
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from telemetry.config import Config, MqttConfig, duration
from voltair.findings import Finding

PROBES = 5_000
"""Messages published while the session is away; mosquitto's default keeps 1,000."""
ANSWER_S = 5.0
_PUBLISH_S = 60.0
_GROUP = 100
"""Messages published before their acknowledgements are waited for."""
_QUIET_S = 2.0
"""No message for this long: no more come."""
_SYS_S = 1.0
_NEVER_EXPIRES_S = 0xFFFFFFFF
_SYS = {
    "$SYS/broker/version": "version",
    "$SYS/broker/publish/messages/dropped": "dropped",
    "$SYS/broker/store/messages/count": "stored",
    "$SYS/broker/clients/disconnected": "away",
}
_KEEP = (
    "with mosquitto set max_queued_messages 0 and max_queued_bytes (deploy/mosquitto/mosquitto.conf), else the limit "
    "of queued messages of a session, and restart the broker"
)


class _NoBroker(Exception):  # noqa: N818 - the answer to a question
    """The broker cannot be spoken to; the message says why and what to do."""


class _Line:
    """One connection, from CONNECT to DISCONNECT."""

    def __init__(self, settings: MqttConfig, name: str, *, clean: bool, expiry_s: int = 0) -> None:
        self._settings = settings
        self._clean = clean
        self._expiry_s = expiry_s
        self._five = settings.protocol == 5
        self._answered, self._subscribed = threading.Event(), threading.Event()
        self._reason = "no answer"
        self.session_present = False
        self.limits: dict[str, Any] = {}
        """Properties of the broker's CONNACK (MQTT 5)."""
        self.granted: list[int] = []
        """Codes of the last SUBACK."""
        self.got: list[tuple[str, bytes]] = []
        self._acknowledged: set[int] = set()
        """Packet ids of publications that the broker has acknowledged with success."""
        self._refused: set[int] = set()
        self._client = client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=name,
            protocol=paho.MQTTv5 if self._five else paho.MQTTv311,
            clean_session=None if self._five else clean,
        )
        if settings.username:
            client.username_pw_set(settings.username, settings.password)
        client.max_inflight_messages_set(_GROUP)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message

    def _on_connect(self, _client: Any, _data: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._reason = str(reason)
        self.session_present = bool(flags.session_present)
        self.limits = properties.json() if properties is not None else {}
        self._answered.set()

    def _on_subscribe(self, _client: Any, _data: Any, _mid: int, reasons: list[Any], _properties: Any) -> None:
        self.granted = [r.value for r in reasons]
        self._subscribed.set()

    def _on_publish(self, _client: Any, _data: Any, mid: int, reason: Any, _properties: Any) -> None:
        (self._refused if reason.is_failure else self._acknowledged).add(mid)

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        self.got.append((message.topic, bytes(message.payload)))

    def __enter__(self) -> Self:
        settings = self._settings
        url = urlsplit(settings.url)
        properties = None
        if self._five:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho types it in part
            properties.SessionExpiryInterval = self._expiry_s
        try:
            if url.scheme == "mqtts":
                self._client.tls_set(settings.ca_file or None, settings.cert_file or None, settings.key_file or None)
            self._client.connect(
                url.hostname or "",
                url.port or (8883 if url.scheme == "mqtts" else 1883),
                clean_start=self._clean if self._five else paho.MQTT_CLEAN_START_FIRST_ONLY,
                properties=properties,
            )
        except OSError as error:
            msg = f"{settings.url} cannot be reached ({error}); start the broker, or change mqtt.url"
            raise _NoBroker(msg) from error
        self._client.loop_start()
        self._answered.wait(ANSWER_S)
        if self._reason != "Success":
            self.__exit__(None, None, None)
            msg = (
                f"{settings.url} refuses: {self._reason}; look at mqtt.username, mqtt.password and mqtt.protocol"
            )
            raise _NoBroker(msg)
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def subscribe(self, *filters: str) -> bool:
        """Subscribe at QoS 1; return whether the broker grants it for all."""
        self._subscribed.clear()
        self._client.subscribe([(name, 1) for name in filters])
        return self._subscribed.wait(ANSWER_S) and all(code == 1 for code in self.granted)

    def publish(self, topic: str, count: int) -> int:
        """Publish numbered messages at QoS 1; return how many the broker has acknowledged."""
        deadline_s = time.monotonic() + _PUBLISH_S
        done = 0
        for first in range(0, count, _GROUP):
            # Each is known by its packet id, so that none counts twice.
            numbers = range(first, min(first + _GROUP, count))
            sent = {self._client.publish(topic, b"%d" % number, qos=1).mid for number in numbers}
            while not sent <= self._acknowledged | self._refused:
                if time.monotonic() > deadline_s or not self._client.is_connected():
                    return done + len(sent & self._acknowledged)
                time.sleep(0.002)
            done += len(sent & self._acknowledged)
        return done

    def wait(self, count: int, quiet_s: float) -> None:
        """Wait until so many messages have come, or none for `quiet_s`."""
        seen, since_s = len(self.got), time.monotonic()
        while seen < count and time.monotonic() - since_s < quiet_s:
            time.sleep(0.01)
            if len(self.got) != seen:
                seen, since_s = len(self.got), time.monotonic()


def examine_broker(config: Config, probes: int = PROBES) -> Iterator[Finding]:
    """Yield what is right and wrong with the broker; it takes a few seconds.

    Parameters
    ----------
    probes
        Messages that are published while the session is away.
    """
    settings = config.mqtt
    mark = os.urandom(6).hex()
    name, topic = f"{settings.client_id}-doctor-{mark}", f"{settings.prefix}/doctor/{mark}"
    expiry_s = min(duration(settings.session_expiry) // 1000, _NEVER_EXPIRES_S)
    try:
        try:
            # MQTT 3.1.1 has no expiry: there a clean session ends with its connection.
            with _Line(settings, name, clean=settings.protocol == 5, expiry_s=expiry_s) as line:
                version = "5" if settings.protocol == 5 else "3.1.1"
                yield Finding("broker", ok=True, text=f"{settings.url} speaks MQTT {version}")
                yield from _limits(config, line, expiry_s)
                with _Line(settings, f"{name}-counters", clean=True) as other:
                    # Not on the session that is counted: it would keep them too.
                    yield _counters(other)
                trouble = _echo(settings, line, topic)
            yield trouble or _away(settings, name, topic, expiry_s, probes)
        finally:
            # The session goes with a clean start that asks for no expiry.
            with _Line(settings, name, clean=True):
                pass
    except _NoBroker as error:
        yield Finding("broker", ok=False, text=str(error))


def _limits(config: Config, line: _Line, expiry_s: int) -> Iterator[Finding]:
    """Judge what an MQTT 5 broker says about itself on connecting."""
    limits = line.limits
    found = []
    if limits.get("SessionExpiryInterval", expiry_s) < expiry_s:
        found.append(
            f"it keeps sessions for {limits['SessionExpiryInterval']} s only, mqtt.session_expiry is {expiry_s} s: "
            "raise the broker's limit, or lower the setting and know that a longer absence loses messages"
        )
    if limits.get("MaximumQoS", 2) < 1:
        found.append("it knows QoS 0 only, so nothing is sure to arrive: use another broker")
    if limits.get("RetainAvailable", 1) == 0:
        found.append("it refuses retained messages, which presence and key figures need: allow them")
    most = limits.get("MaximumPacketSize")
    if most is not None and most < config.ingest.max_payload_bytes:
        found.append(
            f"it takes packets of at most {most} bytes, ingest.max_payload_bytes is "
            f"{config.ingest.max_payload_bytes}: a longer message cuts its sender off; raise the one or lower the other"
        )
    if found:
        yield Finding("broker limits", ok=False, text="; ".join(found))


def _counters(line: _Line) -> Finding:
    """Read what a mosquitto publishes about itself."""
    line.subscribe(*_SYS)
    line.wait(len(_SYS), _SYS_S)
    said = {_SYS[topic]: payload.decode("utf-8", "replace") for topic, payload in line.got if topic in _SYS}
    if not said:
        text = "none: not mosquitto, started seconds ago, or this user may not read $SYS/#; what counts is proven below"
        return Finding("broker counters", ok=True, text=text)
    text = ", ".join(f"{name} {value}" for name, value in sorted(said.items()))
    if said.get("dropped", "0") != "0":
        text += " (dropped since its start, of any session: if it grows while Voltair is away, messages are lost)"
    return Finding("broker counters", ok=True, text=text)


def _echo(settings: MqttConfig, line: _Line, topic: str) -> Finding | None:
    """Subscribe to the throwaway topic; return what is wrong where a message does not come back."""
    if not line.subscribe(topic):
        text = f"the subscription to {topic} is refused; allow mqtt.username to read {settings.prefix}/doctor/+"
        return Finding("broker queue", ok=False, text=text)
    line.publish(topic, 1)
    line.wait(1, ANSWER_S)
    if not line.got:
        text = (
            f"what is published to {topic} does not come back, so nothing can be proven; allow mqtt.username to read "
            f"and write {settings.prefix}/doctor/+ (deploy/mosquitto/voltair.acl)"
        )
        return Finding("broker queue", ok=False, text=text)
    return None


def _away(settings: MqttConfig, name: str, topic: str, expiry_s: int, probes: int) -> Finding:
    """Publish while the session is away, come back and count."""
    with _Line(settings, f"{name}-publisher", clean=True) as line:
        published = line.publish(topic, probes)
    if published < probes:
        text = f"it acknowledged {published:,} of {probes:,} messages while a session was away; {_KEEP}"
        return Finding("broker queue", ok=False, text=text)
    with _Line(settings, name, clean=False, expiry_s=expiry_s) as line:
        if not line.session_present:
            text = (
                "it forgets a session when its client leaves, and with it all messages until the client is back; "
                "allow persistent sessions"
            )
            return Finding("broker queue", ok=False, text=text)
        line.wait(probes, _QUIET_S)
        kept = len({payload for _, payload in line.got})
    if kept < probes:
        text = (
            f"it acknowledged {probes:,} messages while a session was away and kept {kept:,}: what comes while "
            f"ingest is away is lost beyond that; {_KEEP}"
        )
        return Finding("broker queue", ok=False, text=text)
    text = (
        f"all {probes:,} messages of an absence were kept, the session too. Whether also over its own restart "
        "cannot be seen from here: that is persistence, in deploy/mosquitto"
    )
    return Finding("broker queue", ok=True, text=text)
