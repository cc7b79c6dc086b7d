"""One connection by aiomqtt, whose errors are those of the simulators."""

import contextlib
import socket
import ssl
import uuid
from collections.abc import AsyncIterator

from aiomqtt import Client, MqttError, ProtocolVersion, Will
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.reasoncodes import ReasonCode

from simulators.publish.base import KEEPALIVE_S, PATIENCE_S
from simulators.publish.broker import Broker
from telemetry.errors import VoltairError
from wire.mqtt.packets import MQTT_5, is_permanent, reason_text


@contextlib.asynccontextmanager
async def connected(broker: Broker, window: int, will: Will | None = None) -> AsyncIterator[Client]:
    """Give a connection on which `window` messages may be under way.

    Raises
    ------
    OSError
        If there is none, or it breaks; another may be better.
    VoltairError
        If the broker would refuse any.
    """
    client = Client(
        broker.host, broker.port, protocol=ProtocolVersion.V311, identifier=f"voltair-sim-{uuid.uuid4().hex[:10]}",
        username=broker.username or None, password=broker.password or None, will=will, clean_session=True,
        keepalive=KEEPALIVE_S, timeout=PATIENCE_S, max_inflight_messages=window,
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        tls_context=ssl.create_default_context() if broker.tls else None,
    )  # fmt: skip
    client.pending_calls_threshold = window  # above it the library warns
    try:
        async with client:
            yield client
    except MqttConnectError as error:
        # the library speaks of the codes of MQTT 5, whatever the version
        code = error.rc.value if isinstance(error.rc, ReasonCode) else 0x80
        msg = f"{broker.url} refuses the connection: {reason_text(MQTT_5, code)}; check user and password"
        raise (VoltairError if is_permanent(MQTT_5, code) else OSError)(msg) from error
    except MqttError as error:
        reason = error.__cause__ or error  # its arguments say more than its text
        raise OSError(*reason.args[:1]) from error


async def watch(client: Client) -> None:
    """Raise `MqttError` when the connection is lost; nothing is subscribed, so nothing comes."""
    async for _ in client.messages:
        pass
