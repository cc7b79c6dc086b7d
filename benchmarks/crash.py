"""`./dev bench crash`: the kill test of `./dev test` with as many kills as one likes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

TEST = "tests/river/test_killing.py"
_S_PER_KILL = 1.5
_SETTLE_S = 600


def measure_crash(kills: int) -> Iterator[tuple[str, str]]:
    """Kill every role and InfluxDB at random moments of a replay, and compare all that is left with a calm run."""
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header", TEST,
            "-o", f"timeout={round(_S_PER_KILL * kills) + _SETTLE_S}",
        ],
        cwd=root, env={**os.environ, "VOLTAIR_KILLS": str(kills)}, check=False,
    )  # fmt: skip
    yield "kills", f"{kills} of ingest, analytics, writer, api and influxd"
    yield "lost, doubled, different", "nothing" if done.returncode == 0 else "see above"
    if done.returncode:
        sys.exit(done.returncode)
