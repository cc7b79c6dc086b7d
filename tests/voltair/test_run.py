"""`voltair run` with the real roles and a real broker: each may be killed, and all end together."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from servers import Server, free_port, mosquitto, voltair

from store.roles import ROLES, read_status

pytestmark = [pytest.mark.server, pytest.mark.slow]


def wait_for(condition: Callable[[], bool], what: str, server: Server, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert server.process is not None
        assert server.process.poll() is None, server.log
        assert time.monotonic() < deadline, f"not in time: {what}\n{server.log[-6000:]}"
        time.sleep(0.1)  # other processes' progress


def pids(folder: Path) -> dict[str, int]:
    found = {role: status.pid for role in ROLES if (status := read_status(folder / "voltair-data", role))}
    assert all(pid > 1 for pid in found.values()), found  # it is about to be killed: 0 would be ourselves
    return found


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[tuple[Server, httpx.Client]]:
    """Yield a running instance that is ready, and a client of its API."""
    port = free_port()
    with mosquitto() as broker:
        (tmp_path / "voltair.toml").write_text(
            f'[mqtt]\nurl = "{broker.url}"\n[api]\nlisten = "127.0.0.1:{port}"\n'
        )
        with (
            voltair("run", folder=tmp_path) as server,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
        ):
            wait_for(lambda: is_ready(client), "ready after the start", server)
            yield server, client


def is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def new_pid(server: Server, role: str, old: int) -> int:
    wait_for(lambda: pids(server.folder)[role] != old, f"{role} again", server)
    return pids(server.folder)[role]


def test_every_killed_role_comes_back_alone(instance: tuple[Server, httpx.Client]) -> None:
    server, client = instance
    expected = pids(server.folder)
    for role in ROLES:
        os.kill(expected[role], signal.SIGKILL)
        expected = {**expected, role: new_pid(server, role, expected[role])}
        wait_for(lambda: is_ready(client), f"ready after {role} was killed", server)
        assert pids(server.folder) == expected


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_role_outlives_the_supervisor(instance: tuple[Server, httpx.Client], how: signal.Signals) -> None:
    server, _ = instance
    roles = pids(server.folder)
    assert server.process is not None
    server.process.send_signal(how)
    assert server.process.wait(15) == (0 if how == signal.SIGTERM else -how)
    server.process = None
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in roles.values()):
        assert time.monotonic() < deadline, "a role outlived the supervisor"
        time.sleep(0.05)  # the kernel ends them on its own time


def test_a_taken_port_stops_everything_with_2(tmp_path: Path) -> None:
    with mosquitto() as broker:  # a program that surely listens
        (tmp_path / "voltair.toml").write_text(
            f'[mqtt]\nurl = "{broker.url}"\n[api]\nlisten = "127.0.0.1:{broker.port}"\n'
        )
        with voltair("run", folder=tmp_path) as server:
            assert server.process is not None
            assert server.process.wait(30) == 2
            server.process = None
            assert f"port {broker.port}" in server.log
            assert "api.listen" in server.log
            assert "Traceback" not in server.log
