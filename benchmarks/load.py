"""What `voltair simulate --load` can give: CPU of one publisher per message, to a real broker."""

import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks.ingest import mosquitto
from simulators.load import load_messages
from simulators.publish import BulkPublisher
from simulators.publish.broker import parse_broker


def measure_load(devices: int, messages: int) -> dict[str, str]:
    """Publish messages of that many devices at QoS 1 and return what it took."""
    rate, start_ms = 50_000.0, 1_700_000_000_000
    begin_s = time.process_time()
    for _ in load_messages(devices, rate, start_ms, messages):
        pass
    made_s = time.process_time() - begin_s
    with tempfile.TemporaryDirectory(prefix="voltair-bench-") as name, mosquitto(Path(name)) as port:
        publisher = BulkPublisher(parse_broker(f"mqtt://127.0.0.1:{port}"), None)
        begin_s, clock_s = time.process_time(), time.monotonic()
        asyncio.run(publisher.publish(load_messages(devices, rate, start_ms, messages)))
        cpu_s, wall_s = time.process_time() - begin_s, time.monotonic() - clock_s
    return {
        "devices": f"{devices:,}",
        "messages acknowledged": f"{publisher.acknowledged:,}",
        "making a message": f"{made_s / messages * 1e6:.2f} us of CPU",
        "the whole of a message": f"{cpu_s / messages * 1e6:.2f} us of CPU",
        "one core could send": f"{messages / cpu_s:,.0f} messages/s",
        "this broker took": f"{messages / wall_s:,.0f} messages/s",
    }
