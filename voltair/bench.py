"""`voltair bench`: how fast readings pass the whole river on this machine, every role a process of its own.

The clock runs from the first publication until `/progress` says that everything is journalled, analysed and written.
The scenario is computed before the clock starts. Broker and publisher run on the same machine and take their share.
"""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx

from simulators.commands import publish
from simulators.scenario import load_scenario
from simulators.simulation import simulate_messages
from telemetry.config import duration
from telemetry.errors import VoltairError
from voltair.broker import demo_broker
from voltair.supervise import voltair_argv

_PATIENCE_S = 600.0


def measure_river(scenario_name: str, length: str) -> dict[str, str]:
    """Publish a scenario at full speed and return what was measured, as text for people."""
    scenario = load_scenario(scenario_name)
    messages = list(simulate_messages(scenario, scenario.seed, scenario.start_ms, duration(length)))
    with tempfile.TemporaryDirectory(prefix="voltair-bench-") as name:
        folder = Path(name)
        broker_port, api_port = free_port(), free_port()
        broker = demo_broker(broker_port, folder, folder / "broker.log")
        broker_url = f"mqtt://127.0.0.1:{broker_port}"
        (folder / "stations.toml").write_text(scenario.stations_toml(), "utf-8")
        config = folder / "voltair.toml"
        config.write_text(
            f'[mqtt]\nurl = "{broker_url}"\nprotocol = {broker.protocol}\n'
            f'[clock]\nmode = "event"\n[api]\nlisten = "127.0.0.1:{api_port}"\n',
            "utf-8",
        )
        api = httpx.Client(base_url=f"http://127.0.0.1:{api_port}", trust_env=False)
        with process(broker.child.argv, folder), process(voltair_argv("run", "--config", str(config)), folder), api:
            wait(lambda: api.get("/readyz").status_code == httpx.codes.OK, folder)
            start_s = time.monotonic()
            publish(messages, broker_url, None, "publishing")
            published_s = time.monotonic() - start_s

            def drained() -> bool:
                counters = api.get("/api/v1/progress").raise_for_status().json()
                return bool(counters["journalled"] == counters["analysed"] == counters["written"] >= len(messages))

            wait(drained, folder)
            drained_s = time.monotonic() - start_s
        readings = len(messages)  # simulators send one reading per message
        return {
            "messages": f"{readings:,}",
            "published in": f"{published_s:.1f} s",
            "journalled, analysed, written": f"{drained_s:.1f} s",
            "rate": f"{readings / drained_s:,.0f} readings/s",
        }


@contextlib.contextmanager
def process(argv: Sequence[str], folder: Path, end: signal.Signals = signal.SIGTERM) -> Iterator[None]:
    """Run a command of Voltair, without settings from the environment; end it by a signal."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("VOLTAIR")}
    with (folder / "log").open("ab") as log:
        child = subprocess.Popen(  # noqa: S603 - our own programs
            argv, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        child.send_signal(end)
        child.wait()


def wait(condition: Callable[[], bool], folder: Path) -> None:
    """Wait until something is so; give up with the log after ten minutes."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while True:
        with contextlib.suppress(httpx.TransportError):
            if condition():
                return
        if time.monotonic() > deadline_s:
            msg = f"the river did not get there in {_PATIENCE_S:g} s:\n{(folder / 'log').read_text()[-4000:]}"
            raise VoltairError(msg)
        time.sleep(0.1)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
