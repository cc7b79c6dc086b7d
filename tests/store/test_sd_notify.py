"""What systemd hears, on a real socket: from a role, from the supervisor, and from nobody else."""

import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import free_port

from store import roles, sd_notify
from store.roles import ROLES, RoleStatus, read_status

_CREDENTIALS = struct.Struct("3i")


class Manager:
    """The service manager's end of the socket; knows who speaks."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.settimeout(60)

    def hear(self) -> tuple[int, list[str]]:
        """Return who said what next."""
        data, ancillary, _, _ = self._socket.recvmsg(4096, socket.CMSG_SPACE(_CREDENTIALS.size))
        return _CREDENTIALS.unpack(ancillary[0][2])[0], data.decode().split("\n")

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@voltair-test-{os.getpid()}"
    made = Manager(address)
    yield made
    made.close()


def start(folder: Path, manager: Manager, *command: str) -> subprocess.Popen[bytes]:
    # No broker listens there: a role starts all the same.
    (folder / "voltair.toml").write_text(
        f'[mqtt]\nurl = "mqtt://127.0.0.1:{free_port()}"\n[api]\nlisten = "127.0.0.1:{free_port()}"\n'
    )
    argv = [sys.executable, "-P", "-m", "voltair", *command]
    return subprocess.Popen(argv, cwd=folder, env={**os.environ, "NOTIFY_SOCKET": manager.address})


def end(process: subprocess.Popen[bytes], manager: Manager) -> None:
    process.send_signal(signal.SIGTERM)
    while manager.hear() != (process.pid, ["STOPPING=1"]):
        pass
    assert process.wait(30) == 0


def test_a_role_is_ready_alive_and_stops(tmp_path: Path, manager: Manager) -> None:
    process = start(tmp_path, manager, "ingest")
    for _ in range(3):
        pid, said = manager.hear()
        assert (pid, said[:2]) == (process.pid, ["READY=1", "WATCHDOG=1"])
        assert said[2].startswith("STATUS=")
    end(process, manager)


def test_of_all_roles_together_only_the_supervisor_is_heard(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    process = start(tmp_path, manager, "run")
    deadline = time.monotonic() + 60
    while any(read_status(tmp_path / "voltair-data", role) is None for role in ROLES):
        assert manager.hear() == (process.pid, ["READY=1", "WATCHDOG=1"])
        assert time.monotonic() < deadline
    for _ in range(3):
        assert manager.hear() == (process.pid, ["READY=1", "WATCHDOG=1"])
    end(process, manager)
    manager.close()


def test_long_work_is_no_silence(manager: Manager, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    monkeypatch.setattr(roles, "SAYING_S", 0.01)
    status = RoleStatus(role="analytics", pid=os.getpid(), started_ms=1, updated_ms=1, ready=True)
    with roles.long_work(tmp_path, status):
        for _ in range(2):
            assert manager.hear()[1][:2] == ["READY=1", "WATCHDOG=1"]
    said = read_status(tmp_path, "analytics")
    assert said is not None
    assert (said.ready, said.updated_ms > 1) == (True, True)


def test_without_a_manager_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    sd_notify.sd_notify("READY=1")
    sd_notify.sd_notify("READY=1", address=str(tmp_path / "nobody"))
