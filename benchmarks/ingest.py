"""How much CPU a message costs until it is acknowledged: ours, stored, against clients that merely receive.

Every contender has a session of its own on one broker, and all sessions are filled by the same publications; then
one contender after the other fetches its own, in a process of its own.
"""

import contextlib
import importlib.util
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.contenders import CONTENDERS, FILTER, HOST, MQTT_5
from wire.mqtt.encode import Connect, encode_connect, encode_disconnect, encode_publish, encode_subscribe
from wire.mqtt.packets import Connack, Packet, Puback, Suback
from wire.mqtt.parse import StreamParser

DEVICES = 1_000
_AHEAD = 1_000
_START_MS = 1_795_316_400_000
_PATIENCE_S = 60.0


def measure_ingest(messages: int) -> Iterator[tuple[str, str]]:
    """Fill a broker with so many messages for each contender; yield names and what each took."""
    with tempfile.TemporaryDirectory(prefix="voltair-bench-") as name, mosquitto(Path(name)) as port:
        names = [x for x in CONTENDERS if importlib.util.find_spec(x.partition("-")[0]) or x == "ours"]
        for contender in names:
            _leave_session(port, contender, 5 if contender in MQTT_5 else 4)
        size = _publish(port, messages)
        yield "messages", f"{messages:,} of {size:.0f} bytes on average, {DEVICES:,} devices, QoS 1"
        cost: dict[str, float] = {}
        for contender in names:
            command = [sys.executable, "-m", "benchmarks.contenders", contender, str(port), str(messages)]
            done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PATIENCE_S * 5)
            took = json.loads(done.stdout)
            cost[contender] = 1e6 * took["cpu_s"] / messages
            ratio = f", {cost[contender] / cost['ours']:.1f} times ours" if contender != "ours" else ""
            yield contender, (
                f"{cost[contender]:6.2f} us CPU/message = {1e6 / cost[contender]:9,.0f} messages per CPU second{ratio};"
                f" {messages / took['wall_s']:9,.0f} messages/s from this broker"
            )
        for left_out in set(CONTENDERS) - set(names):
            yield left_out, "left out: not installed"


@contextlib.contextmanager
def mosquitto(folder: Path) -> Iterator[int]:
    program = shutil.which("mosquitto", path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin")
    if program is None:
        sys.exit("this benchmark needs mosquitto: apt-get install mosquitto")
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    settings = f"listener {port} {HOST}\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\n"
    (folder / "mosquitto.conf").write_text(settings, "utf-8")
    with subprocess.Popen([program, "-c", str(folder / "mosquitto.conf")], stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)
            yield port
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    deadline_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline_s:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port)):
            return
        time.sleep(0.05)  # a process that starts has no event to wait for
    sys.exit(f"mosquitto does not listen on {port}")


class Peer:
    """A blocking connection to the broker."""

    def __init__(self, port: int, client_id: str, version: int, *, clean: bool) -> None:
        self._socket = socket.create_connection((HOST, port), _PATIENCE_S)
        self._parser = StreamParser(version)
        self._packets: list[Packet] = []
        connect = Connect(
            version=version, client_id=client_id, clean_start=clean, session_expiry_s=0 if clean else 3_600
        )
        self.send(encode_connect(connect))
        assert any(isinstance(p, Connack) and p.code == 0 for p in self.read())

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self) -> list[Packet]:
        while True:
            data = self._socket.recv(1 << 20)
            assert data, "the broker closed the connection"
            packets = self._parser.feed(data)
            if packets:
                return packets

    def close(self, version: int) -> None:
        self.send(encode_disconnect(version))
        self._socket.close()


def _leave_session(port: int, client_id: str, version: int) -> None:
    peer = Peer(port, client_id, version, clean=False)
    peer.send(encode_subscribe(version, 1, [FILTER]))
    assert any(isinstance(p, Suback) and p.codes == (1,) for p in peer.read())
    peer.close(version)


def encode_reading(sent: int, devices: int, time_ms: int) -> tuple[bytes, int]:
    """Return the packet of one reading, the devices in turn, and the size of its payload."""
    device, step = sent % devices, sent // devices
    payload = (
        b'{"ts":%d,"seq":%d,"status":"Charging","power_kw":%.2f,"energy_kwh":%.3f,"current_a":%.1f,'
        b'"voltage_v":229.8,"offered_kw":7.0,"temperature_c":31.5}'
        % (time_ms, step, 6.5 + device % 1_000 / 1_000, 10_000 + step / 100, 28 + device % 1_000 / 500)
    )
    topic = f"voltair/v1/s{device // 40}/port/p{device:04}/telemetry"
    return encode_publish(5, topic, payload, packet_id=sent % 60_000 + 1), len(payload)


def _publish(port: int, n: int) -> float:
    """Publish n readings; return the mean size of their payloads."""
    peer = Peer(port, "publisher", 5, clean=True)
    acknowledged = sent = size = 0
    while acknowledged < n:
        group = []
        while sent < n and sent - acknowledged < _AHEAD and len(group) < 100:
            packet, length = encode_reading(sent, DEVICES, _START_MS + 5_000 * (sent // DEVICES))
            size += length
            sent += 1
            group.append(packet)
        if group:
            peer.send(b"".join(group))
        acknowledged += sum(isinstance(p, Puback) for p in peer.read())
    peer.close(5)
    return size / n
