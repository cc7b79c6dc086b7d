"""The supervisor: what dies comes back, a wrong configuration stops everything, and nothing outlives it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CHILD = """
import os, signal, sys, time
folder, name, behaviour = sys.argv[1:4]
if behaviour == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(f"{folder}/{name}.pids", "a").write(f"{os.getpid()}\\n")
if behaviour.startswith("exit"):
    sys.exit(int(behaviour[4:]))
time.sleep(600)
"""

SUPERVISOR = """
import sys
from pathlib import Path
from voltair import supervise
supervise._STOP_S = 0.5
folder, *behaviours = sys.argv[1:]
code = Path(folder, "child.py")
children = [
    supervise.Child(f"c{n}", [sys.executable, str(code), folder, f"c{n}", behaviour])
    for n, behaviour in enumerate(behaviours)
]
sys.exit(supervise.keep_running(children))
"""


class Run:
    """A supervisor over children that write down their process ids."""

    def __init__(self, folder: Path, behaviours: tuple[str, ...]) -> None:
        self.folder = folder
        (folder / "child.py").write_text(CHILD)
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(folder), *behaviours], stderr=log)

    def pids(self, name: str) -> list[int]:
        path = self.folder / f"{name}.pids"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)  # other processes cannot be waited for otherwise


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@contextmanager
def supervised(folder: Path, *behaviours: str) -> Iterator[Run]:
    run = Run(folder, behaviours)
    try:
        yield run
    finally:
        run.process.kill()
        run.process.wait()


def test_a_killed_child_comes_back_at_once_and_the_other_stays(tmp_path: Path) -> None:
    with supervised(tmp_path, "sleep", "sleep") as run:
        wait_for(lambda: len(run.pids("c0")) == 1 and len(run.pids("c1")) == 1)
        killed = time.monotonic()
        os.kill(run.pids("c0")[0], signal.SIGKILL)
        wait_for(lambda: len(run.pids("c0")) == 2)
        assert time.monotonic() - killed < 2
        assert len(run.pids("c1")) == 1
        assert "SIGKILL" in run.log


def test_pauses_grow_while_a_child_keeps_dying(tmp_path: Path) -> None:
    with supervised(tmp_path, "exit1") as run:
        wait_for(lambda: len(run.pids("c0")) > 3)
    assert [line.rpartition(" again ")[2] for line in run.log.splitlines() if "ended" in line][:3] == [
        "at once",
        "in 0.5 s",
        "in 1 s",
    ]


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_also_who_does_not_listen(tmp_path: Path, ending: signal.Signals) -> None:
    with supervised(tmp_path, "sleep", "deaf") as run:
        wait_for(lambda: bool(run.pids("c0") and run.pids("c1")))
        run.process.send_signal(ending)
        assert run.process.wait(20) == 0
        assert not any(alive(pid) for name in ("c0", "c1") for pid in run.pids(name))
        assert run.log.count("did not stop") == 1


def test_a_killed_supervisor_leaves_no_child(tmp_path: Path) -> None:
    with supervised(tmp_path, "sleep", "deaf") as run:
        wait_for(lambda: bool(run.pids("c0") and run.pids("c1")))
        run.process.kill()
        wait_for(lambda: not any(alive(pid) for name in ("c0", "c1") for pid in run.pids(name)))


def test_a_refused_configuration_stops_everything_with_2(tmp_path: Path) -> None:
    with supervised(tmp_path, "sleep", "exit2") as run:
        assert run.process.wait(20) == 2
        assert not any(alive(pid) for pid in run.pids("c0"))
        assert "c1 refused its configuration" in run.log
