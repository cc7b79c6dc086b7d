"""The demo from nothing: the page answers, both stations live, an alert reaches the receiver, and nothing is left."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from servers import Server, free_port, running


def voltair_processes(folder: Path) -> list[str]:
    """Return the command lines of living processes that name this folder or were started in it."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(folder) in str((entry / "cwd").readlink()):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue  # gone, or not ours to look at
    return found


def wait_for(condition: Callable[[], bool], seconds: float, what: str, server: Server) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        logs = {path.name: path.read_text()[-2000:] for path in server.folder.glob("demo/logs/*.log")}
        assert server.process is not None
        assert server.process.poll() is None, (server.log, logs)
        assert time.monotonic() < deadline, (what, server.log, logs)
        time.sleep(0.2)  # another process's progress


@pytest.mark.server
@pytest.mark.slow
def test_the_demo_shows_an_alert_and_leaves_nothing(tmp_path: Path) -> None:
    port = free_port()
    argv = [sys.executable, "-P", "-m", "voltair", "demo", "--listen", f"127.0.0.1:{port}", "--folder", "demo"]
    with running(Server(argv, port=None, folder=tmp_path)) as demo, httpx.Client(
        base_url=f"http://127.0.0.1:{port}", trust_env=False
    ) as client:
        line = f"Voltair demo: http://127.0.0.1:{port}/"
        wait_for(lambda: line in demo.log.splitlines(), 30, "the page answers", demo)
        assert client.get("/").status_code == 200

        def both_live() -> bool:
            items = client.get("/api/v1/stations").json()["items"]
            return {item["station"] for item in items if item["last_seen"] is not None} == {"harbour", "isle"}

        wait_for(both_live, 30, "both stations are heard", demo)
        wait_for(lambda: client.get("/readyz").status_code == 200, 30, "all roles are ready", demo)
        wait_for(lambda: "alert.firing" in demo.log, 120, "an alert reaches the receiver", demo)
        progress = client.get("/api/v1/progress").json()
        assert progress["dead_lettered"] == 0
        assert demo.log.count("Voltair demo:") == 1
        assert demo.process is not None
        demo.process.send_signal(signal.SIGINT)
        assert demo.process.wait(20) == 0
        demo.process = None
        assert voltair_processes(tmp_path) == []


def test_a_taken_port_is_named_with_its_option(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = subprocess.run(
            [sys.executable, "-P", "-m", "voltair", "demo", "--listen", f"127.0.0.1:{port}"],
            cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert answer.returncode == 2
    assert f"port {port}" in answer.stderr
    assert "--listen" in answer.stderr


def test_a_folder_with_other_things_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    answer = subprocess.run(
        [sys.executable, "-P", "-m", "voltair", "demo", "--listen", f"127.0.0.1:{free_port()}", "--folder", "."],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert answer.returncode == 2
    assert (tmp_path / "mine.txt").read_text() == "precious"
