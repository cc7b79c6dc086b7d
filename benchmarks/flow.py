"""Readings at a steady rate: what is kept up with, how late each is acknowledged, in how much memory.

Broker, publisher, the roles and InfluxDB share this machine. Every reading carries the time at which it was sent; it
counts as acknowledged when its PUBACK is handed to the connection. `python -m benchmarks.flow CONFIG FILE` is the role
`ingest`, which writes those times into FILE; `python -m benchmarks.flow PORT RATE SECONDS DEVICES` is the publisher.
"""

import contextlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import numpy as np
from numpy.typing import NDArray

from benchmarks.ingest import Peer, encode_reading, mosquitto
from ingest import role
from ingest.batch import Intake
from ingest.session import Session
from store.journal_reader import JournalReader
from store.roles import read_status
from telemetry.config import load_config
from voltair.bench import free_port, process, wait
from voltair.supervise import voltair_argv
from wire.mqtt.packets import Puback, Publish

_TURN_S = 0.005
_AHEAD = 20_000
_SAMPLE_S = 1.0
_WARM_S = 5.0
"""Left out of the latencies: imports, tables, first files."""
_LONGEST_MS = 20_000


def measure_flow(rate: int, seconds: float, devices: int, store: str) -> Iterator[tuple[str, str]]:
    """Send readings for so long and yield what was seen."""
    with tempfile.TemporaryDirectory(prefix="voltair-bench-") as name, mosquitto(Path(name)) as port:
        folder = Path(name)
        config, acks = folder / "voltair.toml", folder / "acks.npy"
        api_port = free_port()
        with contextlib.ExitStack() as stack:
            section = ""
            if store == "influx":
                section = f'[store]\nkind = "influx"\n[store.influx]\nurl = "{stack.enter_context(_influxd(folder))}"\n'
            config.write_text(
                f'[mqtt]\nurl = "mqtt://127.0.0.1:{port}"\n[api]\nlisten = "127.0.0.1:{api_port}"\n{section}', "utf-8"
            )
            roles = () if store == "none" else ("analytics", "writer", "api")
            for role in roles:
                stack.enter_context(process(voltair_argv(role, "--config", str(config)), folder))
            with subprocess.Popen([sys.executable, "-m", "benchmarks.flow", str(config), str(acks)]) as ingest:
                try:
                    api = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{api_port}", trust_env=False))
                    yield from _flow(ingest.pid, folder, api if roles else None, port, rate, seconds, devices)
                finally:
                    ingest.terminate()
                    ingest.wait()
            yield from _latencies(np.load(acks))


def _flow(
    pid: int, folder: Path, api: httpx.Client | None, port: int, rate: int, seconds: float, devices: int
) -> Iterator[tuple[str, str]]:
    data = folder / "voltair-data"
    wait(lambda: _ready(data), folder)
    sender = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.flow", str(port), str(rate), str(seconds), str(devices)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    memory, behind = [], []
    cpu_s = _cpu_s(pid)
    while sender.poll() is None:
        time.sleep(_SAMPLE_S)  # memory is sampled; asking costs those measured
        memory.append(_resident_mb(pid))
        if api is not None:
            behind.append(api.get("/api/v1/progress").json())
    assert sender.stdout is not None
    sent, took_s = map(float, sender.stdout.read().split())
    began_s = time.monotonic()
    yield "sent", f"{sent:,.0f} readings of {devices:,} devices in {took_s:.1f} s: {sent / took_s:,.0f}/s"
    wait(lambda: _journalled(data) >= sent, folder)
    yield "ingest", f"{1e6 * (_cpu_s(pid) - cpu_s) / sent:.2f} us of CPU per reading"
    if api is not None:
        for name in ("written", "analysed"):
            wait(lambda name=name: api.get("/api/v1/progress").json()[name] >= sent, folder)  # type: ignore[misc]
            late_s = time.monotonic() - began_s
            half = behind[len(behind) // 2]
            lag = [int(p["journalled"] - p[name]) for p in (half, behind[-1])]
            yield name, (
                f"all {late_s:.1f} s after the last was sent: {sent / (took_s + late_s):,.0f}/s over all; behind the "
                f"journal by {lag[0]:,} half-way and {lag[1]:,} at the end of sending"
            )
    quarter = max(1, len(memory) // 4)
    yield "memory of ingest", (
        f"{max(memory):.0f} MB at most; {np.median(memory[quarter : 2 * quarter]):.0f} MB in the second quarter of the "
        f"time, {np.median(memory[-quarter:]):.0f} MB in the last"
    )


def _latencies(counts: NDArray[np.int64]) -> Iterator[tuple[str, str]]:
    """Yield the quantiles of (ms,) counts."""
    up_to = counts.cumsum() / counts.sum()
    cuts = ", ".join(f"p{q:g} {np.searchsorted(up_to, q / 100)} ms" for q in (50, 99, 99.9))
    yield "from sending to PUBACK", f"{cuts}, at most {np.flatnonzero(counts)[-1]} ms"


def _ready(data: Path) -> bool:
    status = read_status(data, "ingest")
    return status is not None and status.ready


def _journalled(data: Path) -> int:
    return JournalReader(data / "journal").head()[3].journalled


def _resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@contextlib.contextmanager
def _influxd(folder: Path) -> Iterator[str]:
    program = shutil.which("influxd", path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin")
    if program is None:
        sys.exit("this measurement needs InfluxDB 1.x: apt-get install influxdb")
    http, rpc = free_port(), free_port()
    home = folder / "influx"
    home.mkdir()
    (home / "influxdb.conf").write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{rpc}"\n[meta]\ndir = "{home}/meta"\n[data]\n'
        f'dir = "{home}/data"\nwal-dir = "{home}/wal"\nindex-version = "tsi1"\nmax-series-per-database = 0\n'
        f'max-values-per-tag = 0\nquery-log-enabled = false\n[monitor]\nstore-enabled = false\n[http]\n'
        f'bind-address = "127.0.0.1:{http}"\nlog-enabled = false\n',
        "utf-8",
    )
    url = f"http://127.0.0.1:{http}"
    with process([program, "-config", str(home / "influxdb.conf")], folder):
        wait(lambda: httpx.get(f"{url}/ping", trust_env=False).status_code == httpx.codes.NO_CONTENT, folder)
        yield url


def _send(port: int, rate: int, seconds: float, devices: int) -> None:
    """Send at the rate, as long as the broker acknowledges; print how many and in what time."""
    peer = Peer(port, "publisher", 5, clean=True)
    acknowledged = 0

    def count() -> None:
        nonlocal acknowledged
        while True:
            acknowledged += sum(isinstance(p, Puback) for p in peer.read())

    sent, began_s = 0, time.monotonic()
    threading.Thread(target=count, daemon=True).start()
    while (now_s := time.monotonic() - began_s) < seconds:
        due = min(int(rate * now_s), acknowledged + _AHEAD) - sent
        time_ms = time.time_ns() // 1_000_000
        if due > 0:
            peer.send(b"".join(encode_reading(sent + i, devices, time_ms)[0] for i in range(due)))
            sent += due
        time.sleep(_TURN_S)  # what falls due in a turn goes out in one write
    while acknowledged < sent:
        time.sleep(_TURN_S)  # the thread counts
    print(sent, time.monotonic() - began_s)


def _ingest(config: Path, file: Path) -> None:
    """Run the role, and note how old each reading is when it is acknowledged."""
    sent_ms: dict[int, int] = {}
    counts = np.zeros(_LONGEST_MS + 1, np.int64)  # a list would show as growing memory
    began_s = 0.0
    offer, acknowledge = Intake.offer, Session.acknowledge

    def timed_offer(self: Intake, generation: int, messages: list[Publish]) -> None:
        sent_ms.update({m.packet_id: int(m.payload[6:19]) for m in messages})  # {"ts":1795316400000,
        offer(self, generation, messages)

    def timed_acknowledge(self: Session, generation: int, packet_ids: Sequence[int]) -> None:
        nonlocal began_s
        acknowledge(self, generation, packet_ids)
        now_ms, now_s = time.time_ns() // 1_000_000, time.monotonic()
        began_s = began_s or now_s
        if now_s - began_s > _WARM_S:
            late_ms = np.array([now_ms - sent_ms[i] for i in packet_ids])
            counts[:] += np.bincount(np.clip(late_ms, 0, _LONGEST_MS), minlength=len(counts))

    Intake.offer = timed_offer  # type: ignore[method-assign]
    Session.acknowledge = timed_acknowledge  # type: ignore[method-assign]
    role.run(load_config(config))
    np.save(file, counts)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _ingest(Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        _send(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
