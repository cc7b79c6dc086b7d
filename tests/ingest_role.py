"""Ingest as a process on its own data directory, and a publisher, for tests with a real broker."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from servers import Broker, Server

from store.journal import EntryType
from store.journal_reader import JournalReader
from store.roles import RoleStatus, read_status

RUN = """
import sys
from pathlib import Path
from telemetry.config import load_config
from telemetry.errors import VoltairError
import ingest.role as role
{patch}
try:
    role.run(load_config(Path(sys.argv[1])))
except VoltairError as error:
    sys.exit(f"{{type(error).__name__}}: {{error}}")
"""


class Ingest(Server):
    """The role on its own data directory."""

    def __init__(self, folder: Path, broker_url: str, settings: str = "", patch: str = "") -> None:
        folder.mkdir(exist_ok=True)
        mqtt, _, more = f"\n{settings}".partition("\n[")
        (folder / "voltair.toml").write_text(
            f'data_dir = "data"\n[mqtt]\nurl = "{broker_url}"\n{mqtt}\n{"[" if more else ""}{more}'
        )
        self.data = folder / "data"
        argv = [sys.executable, "-c", RUN.format(patch=patch), str(folder / "voltair.toml")]
        super().__init__(argv, None, folder, {"PYTHONPATH": str(Path(__file__).resolve().parents[1])})

    def status(self) -> RoleStatus | None:
        status = read_status(self.data, "ingest")
        return status if status is not None and self.process and status.pid == self.process.pid else None

    def until(self, condition, what: str):
        """Wait until `condition(status)` is true and return the status."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            status = self.status()
            if status is not None and condition(status):
                return status
            time.sleep(0.02)  # the status file of another process
        return pytest.fail(f"never came: {what}\n{self.status()}\n{self.log[-3000:]}")

    def ready(self) -> "Ingest":
        self.until(lambda s: s.ready, "ready")
        return self

    def wait_exit(self) -> int:
        assert self.process is not None
        code = self.process.wait(30)
        self.process = None
        return code

    def journalled(self, n: int) -> None:
        deadline = time.monotonic() + 30
        while self.totals().journalled < n:
            assert time.monotonic() < deadline, f"{self.totals()}\n{self.log[-3000:]}"
            time.sleep(0.02)  # the journal of another process

    def totals(self):
        return JournalReader(self.data / "journal").head()[3]

    def entries(self):
        reader = JournalReader(self.data / "journal")
        entries, after = [], 0
        while found := reader.read(after):
            entries += found
            after = found[-1].number
        return entries, reader.devices

    def seqs(self) -> list[int]:
        """Return every journalled seq, in order of the journal."""
        return [int(s) for e in self.entries()[0] if e.type is EntryType.FRAME for s in e.frame().seq]


@contextmanager
def started(ingest: Ingest) -> Iterator[Ingest]:
    try:
        ingest.start()
        yield ingest
    finally:
        ingest.stop()


@contextmanager
def publisher(broker: Broker, protocol: int = 5) -> Iterator[paho.Client]:
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5 if protocol == 5 else paho.MQTTv311)
    client.max_inflight_messages_set(1_000)
    client.max_queued_messages_set(0)
    client.connect(broker.host, broker.port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()
