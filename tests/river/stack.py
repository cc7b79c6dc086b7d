"""A whole Voltair as its users see it: mosquitto, `voltair run`, the HTTP API and a receiver of webhooks."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from servers import Broker, Server, free_port, mosquitto, voltair

from simulators.commands import publish
from simulators.message import Message
from store.roles import ROLES

_QUIET_S = 2.0
"""Drained: the counters are equal and do not change for this long."""
_SETTLED_S = 3.0
"""Longer than the pause between two checkpoints of analytics."""

Json = dict[str, Any]


@dataclass
class Stack:
    """One running instance with a broker and a data directory of its own."""

    folder: Path
    broker: Broker
    server: Server
    client: httpx.Client
    timings: dict[str, float] = field(default_factory=dict)
    """What took how long [s], for whoever reads the log."""

    # ---- the API

    def get(self, path: str, **params: Any) -> Any:
        """GET below /api/v1; `from_` stands for `from`."""
        query = {name.rstrip("_"): value for name, value in params.items()}
        answer = self.client.get(f"/api/v1/{path}", params=query)
        assert answer.status_code == httpx.codes.OK, f"{answer.url}: {answer.text}"
        return answer.json()

    def items(self, path: str, **params: Any) -> list[Json]:
        """Return every item of a list, page by page."""
        found: list[Json] = []
        cursor: dict[str, str] = {}
        while True:
            page = self.get(path, **params, **cursor)
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}

    def kpis(self, station: str, from_: Any, to: Any) -> Json:
        answer: Json = self.get(f"stations/{station}/kpis", from_=from_, to=to)
        return answer

    def sessions(self, station: str, from_: Any, to: Any) -> list[Json]:
        return self.items(f"stations/{station}/sessions", from_=from_, to=to)

    def progress(self) -> Json:
        answer: Json = self.get("progress")
        return answer

    # ---- waiting

    def wait_for(self, condition: Callable[[], bool], what: str, seconds: float = 120.0) -> None:
        """Wait for the progress of other processes; a killed API is no progress."""
        self.server.wait_until(condition, what, seconds)

    def wait_ready(self) -> None:
        self.wait_for(lambda: self.client.get("/readyz").status_code == httpx.codes.OK, "ready")

    def wait_drained(self, seconds: float = 240.0) -> Json:
        """Wait as the contract says: connected, journalled == written == analysed, unchanged for 2 s."""
        began_s = time.monotonic()
        since_s = began_s
        last: Json = {}

        def drained() -> bool:
            nonlocal since_s, last
            now = self.progress()
            counters = {name: now[name] for name in ("journalled", "written", "analysed")}
            if counters != last or len(set(counters.values())) != 1 or not now["connected"]:
                since_s, last = time.monotonic(), counters
            return time.monotonic() - since_s >= _QUIET_S

        self.wait_for(drained, "drained", seconds)
        self.timings["drain"] = time.monotonic() - began_s - _QUIET_S
        return self.progress()

    def wait_settled(self) -> None:
        """Wait until also derived rows are written and deliveries are made, and no more come.

        In event mode the watermark moves up to `now` once nothing has come for 5 s, and promises its rows.
        """
        since_s = time.monotonic()

        def settled() -> bool:
            nonlocal since_s
            now = self.progress()
            newest = {s["station"]: s["now"] for s in self.items("stations")}
            waits = any(mark is None or mark < newest[name] for name, mark in now["watermark"].items())
            if waits or now["derived_pending"] or now["deliveries_pending"]:
                since_s = time.monotonic()
            return time.monotonic() - since_s >= _SETTLED_S

        self.wait_for(settled, "derived rows written and webhooks delivered")

    # ---- doing

    def publish(self, messages: Iterable[Message], speed: float | None = None) -> int:
        """Publish at QoS 1 and return the number of acknowledged messages."""
        began_s = time.monotonic()
        count = publish(messages, self.broker.url, speed, "test")
        self.timings["publish"] = time.monotonic() - began_s
        return count

    def replay(self, file: Path, format_name: str, speed: str, station: str) -> int:
        """Run `voltair replay` and return the number of messages that it reports."""
        began_s = time.monotonic()
        done = subprocess.run(
            [
                sys.executable, "-P", "-m", "voltair", "replay", str(file), "--format", format_name,
                "--speed", speed, "--broker", self.broker.url, "--station", station,
            ],
            cwd=self.folder, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        self.timings[f"replay {station} at {speed}"] = time.monotonic() - began_s
        return int(done.stdout.split()[0])

    def report(self) -> None:
        """Print what took how long; pytest shows it with -s or on failure."""
        print(self.folder.name, {name: f"{s:.1f} s" for name, s in self.timings.items()})  # noqa: T201

    def pids(self) -> dict[str, int]:
        """Return the living roles, as the kernel knows them: a status file may tell of one that is gone."""
        found = {}
        supervisor = self.server.pid
        for pid in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split():
            with contextlib.suppress(OSError):
                argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                found.update({role: int(pid) for role in ROLES if role.encode() in argv})
        return found

    def kill9(self, role: str) -> bool:
        """Kill a role as a power cut would; return whether it was there to be killed."""
        pid = self.pids().get(role)
        if pid is None:
            return False
        os.kill(pid, signal.SIGKILL)
        return True


@contextmanager
def stack(
    folder: Path, *, clock: str = "event", stations: str = "", settings: str = "", sections: str = ""
) -> Iterator[Stack]:
    """Run mosquitto and `voltair run` and yield when it is ready.

    Parameters
    ----------
    folder
        Of configuration, data and logs.
    clock
        `clock.mode`.
    stations
        Text of stations.toml.
    settings
        Top-level lines of voltair.toml.
    sections
        Further sections of voltair.toml.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    (folder / "stations.toml").write_text(stations)
    with mosquitto(folder=folder / "broker") as broker:
        (folder / "voltair.toml").write_text(
            f'{settings}\n[mqtt]\nurl = "{broker.url}"\n[clock]\nmode = "{clock}"\n'
            f'[api]\nlisten = "127.0.0.1:{port}"\n{sections}\n'
        )
        with (
            voltair("run", folder=folder) as server,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60.0) as client,
        ):
            made = Stack(folder, broker, server, client)
            made.wait_ready()
            yield made
