"""`./dev bench crash`: the kill test of `./dev test` with as many kills as one likes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROLES = "tests/river/test_killing.py"
BROKER = "tests/ingest/test_faults.py::test_kill_9_of_the_shipped_broker_costs_nothing_where_devices_repeat"
_S_PER_KILL = 1.5
_SETTLE_S = 600
_PER_BROKER_KILL = 25


def measure_crash(kills: int) -> Iterator[tuple[str, str]]:
    """Kill every role and InfluxDB at random moments of a replay, and compare all that is left with a calm run.

    Then a few kills of the shipped broker, under devices that repeat after 10 s what is not confirmed.
    """
    yield "kills", f"{kills} of ingest, analytics, writer, api and influxd"
    _run(ROLES, kills, VOLTAIR_KILLS=str(kills))
    yield "lost, doubled, different", "nothing"
    brokers = max(4, kills // _PER_BROKER_KILL)
    yield "kills of the broker", f"{brokers}, every fourth while ingest is away"
    _run(BROKER, kills, VOLTAIR_BROKER_KILLS=str(brokers), VOLTAIR_PATIENCE_S="10")
    yield "lost in the end", "nothing"


def _run(test: str, kills: int, **environ: str) -> None:
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "--no-header", test,
            "-o", f"timeout={round(_S_PER_KILL * kills) + _SETTLE_S}",
        ],
        cwd=root, env={**os.environ, **environ}, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.returncode)
