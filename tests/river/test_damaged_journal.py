"""Pages of the journal go bad: Voltair says so and touches nothing; the operator does what it says, and all goes on."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from river.stack import Stack, stack

from simulators.message import Message, telemetry, telemetry_topic
from store.segments import segment_files
from telemetry.times import SECOND_MS

pytestmark = [pytest.mark.server, pytest.mark.slow]

T0 = 1_732_240_020_000
COUNT = 6_000
PAGE = 4_096


def readings(first: int, count: int) -> list[Message]:
    topic = telemetry_topic("harbour", "port", "p1")
    return [
        telemetry(topic, T0 + i * SECOND_MS, {"seq": i, "power_kw": 1.0}) for i in range(first, first + count)
    ]


def voltair(river: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "voltair", *arguments], cwd=river.folder, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def reasons(river: Stack) -> str:
    answer = river.client.get("/readyz")
    return " ".join(answer.json()["reasons"]) if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else ""


@pytest.mark.parametrize("at", [1, -1], ids=["closed segment", "open segment"])
def test_the_way_out_of_a_damaged_journal(at: int, tmp_path: Path) -> None:
    with stack(tmp_path, sections="[journal]\nsegment_bytes = 60000\n") as river:
        river.publish(readings(0, COUNT))
        river.wait_drained()
        river.server.stop()
        data = tmp_path / "voltair-data"
        for name in ("state.db", "series.db"):  # consumers that are still far behind
            (data / name).unlink()
        damaged = segment_files(data / "journal")[at][1]
        with closing(sqlite3.connect(damaged)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # so that its pages are the ones that count
        content = bytearray(damaged.read_bytes())
        # Bodies of entries in the one, the table of counters in the other.
        for offset in range(4 * PAGE + 200, len(content), PAGE) if at == 1 else (PAGE,):
            content[offset : offset + 10] = os.urandom(10)
        damaged.write_bytes(content)
        river.server.start()
        role = "analytics: " if at == 1 else "ingest: "
        river.wait_for(lambda: role in reasons(river) and "voltair journal repair" in reasons(river), "refusal", 30)
        assert "is damaged" in river.server.log
        refused = voltair(river, "journal", "repair")
        assert refused.returncode == 1
        assert "already runs" in refused.stderr
        river.server.stop()
        assert damaged.read_bytes() == bytes(content)

        checked = voltair(river, "journal", "check")
        assert checked.returncode == 1
        assert str(damaged) in checked.stdout or damaged.name in checked.stdout
        repaired = voltair(river, "journal", "repair")
        assert repaired.returncode == 0, repaired.stderr
        assert damaged.name in repaired.stdout
        assert voltair(river, "journal", "check").stdout == "ok\n"

        river.server.start()
        river.wait_ready()
        river.publish(readings(COUNT, 100))
        progress = river.wait_drained()
        assert progress["journalled"] >= COUNT + 100
        assert (progress["lost"] > 0) == (at == 1)
        assert progress["lost"] < COUNT
        stored = len(river.items("series", measurement="port", field="power_kw", from_=0, to=4_000_000_000_000))
        assert stored == progress["journalled"] - progress["lost"]
