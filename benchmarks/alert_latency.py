"""From a device's status on MQTT to the webhook, through broker, ingest, analytics and API, under load.

A process of its own publishes power readings at a steady rate; meanwhile single ports say Faulted, and later Available.
Measured is the time from the publication of such a status to the arrival of the body that tells of it.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import paho.mqtt.client as paho

from benchmarks.hook import Hook, listening
from voltair.bench import free_port, process, wait
from voltair.broker import demo_broker
from voltair.supervise import voltair_argv

_PORTS = 1_000
_RATE_S = 2
_LOAD = """
import sys, time
import paho.mqtt.client as paho
port, rate, ports = (int(a) for a in sys.argv[1:4])
client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
client.max_inflight_messages_set(0)
client.connect("127.0.0.1", port)
client.loop_start()
sent, start = 0, time.monotonic()
while True:
    while sent < (time.monotonic() - start) * rate:
        at = f"voltair/v1/load{sent % ports % 20}/port/p{sent % ports}/telemetry"
        client.publish(at, b'{"status": "Charging", "power_kw": 6.9, "energy_kwh": %d}' % (sent // ports), 1)
        sent += 1
    time.sleep(0.005)  # the rate is kept by what is due; a busy loop would take the core from those measured
"""


def measure_latency(rate: int, seconds: float) -> Iterator[tuple[str, str]]:
    """Yield quantiles of the time to the webhook, as text for people."""
    with tempfile.TemporaryDirectory(prefix="voltair-bench-") as name, listening() as hook:
        folder, broker_port, api_port = Path(name), free_port(), free_port()
        broker = demo_broker(broker_port, folder, folder / "broker.log")
        config = folder / "voltair.toml"
        config.write_text(
            f'[mqtt]\nurl = "mqtt://127.0.0.1:{broker_port}"\nprotocol = {broker.protocol}\n'
            f'[api]\nlisten = "127.0.0.1:{api_port}"\n{hook.table("standard")}', "utf-8",
        )
        api = httpx.Client(base_url=f"http://127.0.0.1:{api_port}", trust_env=False)
        with process(broker.child.argv, folder), process(voltair_argv("run", "--config", str(config)), folder), api:
            wait(lambda: api.get("/readyz").is_success, folder)
            load = subprocess.Popen([sys.executable, "-c", _LOAD, str(broker_port), str(rate), str(_PORTS)])
            try:
                time.sleep(3)  # connecting and the first burst are not what is measured
                took_ms, asked = _probe(broker_port, hook, seconds)
                before = api.get("/api/v1/progress").json()["received"]
                time.sleep(_RATE_S)  # the rate that was really there is that of a span of time
                real = (api.get("/api/v1/progress").json()["received"] - before) / _RATE_S
            finally:
                load.kill()
                load.wait()
    p50, p99 = np.percentile(took_ms, [50, 99])
    yield "load", f"{real:,.0f} messages/s received ({rate:,} asked for)"
    yield "status to webhook", f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, {len(took_ms)} of {asked} arrived"


def _probe(broker_port: int, hook: Hook, seconds: float) -> tuple[list[float], int]:
    """Let ports fault and recover, and return how long each body took [ms] and how many were to come."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker_port)
    client.loop_start()
    sent: dict[tuple[str, str], float] = {}
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end:
        port, over = f"q{number // 2}", number % 2 == 1
        payload = json.dumps({"status": "Available" if over else "Faulted"})
        sent[port, "alert.resolved" if over else "alert.firing"] = time.monotonic()
        client.publish(f"voltair/v1/probe/port/{port}/telemetry", payload, 1)
        number += 1
        time.sleep(0.2)  # probes one by one, five a second: none waits behind another
    deadline = time.monotonic() + 15
    while len(arrived := _arrived(hook)) < len(sent) and time.monotonic() < deadline:
        time.sleep(0.1)  # what has not come by then is lost, and is stated
    client.disconnect()
    client.loop_stop()
    return [1000 * (arrived[k] - at) for k, at in sent.items() if k in arrived], len(sent)


def _arrived(hook: Hook) -> dict[tuple[str, str], float]:
    """Return when each body about a probe came; a busy machine also brings alerts about Voltair itself."""
    posts = list(hook.posts)
    return {(b["data"]["device"], b["type"]): at for _, at, b in posts if b["data"]["station"] == "probe"}
