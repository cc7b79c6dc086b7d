"""From the end of a minute to the webhook of a rule on that minute's field, with every device in time.

Ports say their temperature once a second; each is hot in every second minute, so at the end of each minute half of
them fire and half of them resolve. Voltair waits `analytics.lateness` (1 s) and for the next tick of the journal.
"""

import json
import tempfile
import time
from pathlib import Path

import httpx
import paho.mqtt.client as paho

from benchmarks.hook import Hook, listening
from telemetry.times import MINUTE_MS, parse_time
from voltair.bench import free_port, process, wait
from voltair.broker import demo_broker
from voltair.supervise import voltair_argv

STATIONS = 20
_RULES = """
[hot]
category = "fault"
severity = "warning"
station_kind = "charging"
comparison = ">"
threshold = 80
summary = {en = "{device}", zh = "{device}"}
remedy = {en = "-", zh = "-"}
input = {source = "bucket", device_kinds = ["port"], field = "temperature_c_last"}
[over_temperature]
enabled = false
"""


def bucket_latency(minutes: int, ports: int) -> list[float]:
    """Return the time from the end of the minute to the body, of each that arrived [s].

    Parameters
    ----------
    minutes
        How many ends of minutes are waited for.
    ports
        Spread over 20 stations.
    """
    with tempfile.TemporaryDirectory(prefix="voltair-bench-") as name, listening() as hook:
        folder, broker_port, api_port = Path(name), free_port(), free_port()
        broker = demo_broker(broker_port, folder, folder / "broker.log")
        (folder / "rules.toml").write_text(_RULES, "utf-8")
        config = folder / "voltair.toml"
        config.write_text(
            f'[mqtt]\nurl = "mqtt://127.0.0.1:{broker_port}"\nprotocol = {broker.protocol}\n'
            f'[api]\nlisten = "127.0.0.1:{api_port}"\n[analytics]\nrules = "{folder / "rules.toml"}"\n'
            f'{hook.table("standard")}rules = ["hot"]\n', "utf-8",
        )
        api = httpx.Client(base_url=f"http://127.0.0.1:{api_port}", trust_env=False)
        with process(broker.child.argv, folder), process(voltair_argv("run", "--config", str(config)), folder), api:
            wait(lambda: api.get("/readyz").is_success, folder)
            _speak(broker_port, hook, minutes, ports)
        return [_late_s(body["data"], at) for _, at, body in hook.posts]


def _speak(broker_port: int, hook: Hook, minutes: int, ports: int) -> None:
    """Publish until so many minutes have ended, and the last of them has been told."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker_port)
    client.loop_start()
    # One more: what the first minute brings is only a beginning.
    last_ms = (_wall_ms() // MINUTE_MS + minutes + 1) * MINUTE_MS
    while _wall_ms() < last_ms + 5_000:
        minute = _wall_ms() // MINUTE_MS
        for port in range(ports):
            hot = (minute + port) % 2
            payload = json.dumps({"status": "Charging", "temperature_c": 90 if hot else 40})
            client.publish(f"voltair/v1/st{port % STATIONS}/port/p{port}/telemetry", payload, 1)
        time.sleep(1.0 - time.time() % 1.0)  # devices speak at each full second, and nothing tells of that
    client.disconnect()
    client.loop_stop()
    wanted = ports // 2 + minutes * ports
    deadline = time.monotonic() + 15
    while len(hook.posts) < wanted and time.monotonic() < deadline:
        time.sleep(0.1)  # what has not come by then is lost, and is stated


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _late_s(data: dict[str, str], arrived_s: float) -> float:
    """Return the time from the end of the minute that a body is about to its arrival on the monotonic clock [s]."""
    told_ms = parse_time(data["resolved_at"] or data["fired_at"])
    assert told_ms is not None, "a time of ours"
    return time.time() - (time.monotonic() - arrived_s) - told_ms / 1000
