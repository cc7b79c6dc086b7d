"""What each role holds and says: an exclusive lock on its file, and `roles/{role}.json` once a second."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

from store.sd_notify import sd_notify
from telemetry.errors import RoleLocked, VoltairError

ROLES = ("ingest", "analytics", "writer", "api")
SAYING_S = 1.0
"""How often a role that works on one thing says that it is alive; the others think it silent after some seconds."""


class RoleStatus(msgspec.Struct, kw_only=True):
    """What a role says of itself."""

    role: str
    pid: int
    started_ms: int
    updated_ms: int
    """Wall time of this statement."""
    ready: bool = False
    """Whether the role does its work (for ingest: subscribed, and the journal accepts)."""
    problems: list[str] = []
    """What is wrong now, each with its remedy; empty when all is well."""
    gauges: dict[str, float] = {}
    """Numbers for `/metrics`, e.g. `connected`, `lag_s`."""
    counters: dict[str, int] = {}
    """Totals since the role's process started, for `/metrics`."""


class RoleLock:
    """An exclusive lock on one role of one data directory, held while the process lives."""

    def __init__(self, data: Path, role: str) -> None:
        self._path = data / "roles" / f"{role}.lock"
        self._role = role
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        # Tokens and secrets lie in it; a directory that is already there keeps what its owner gave it.
        self._path.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.parent.mkdir(exist_ok=True)
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip()
            file.close()
            msg = (
                f"role {self._role!r} already runs on {self._path.parent.parent} (process {holder}); "
                "stop it first, or use another data_dir"
            )
            raise RoleLocked(msg) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            sd_notify("STOPPING=1")
            self._file.close()
            self._file = None


def wall_ms() -> int:
    """Return the wall clock in ms since the epoch."""
    return time.time_ns() // 1_000_000


def write_status(data: Path, status: RoleStatus, *, alive: bool = True) -> None:
    """Write `roles/{role}.json` in one step, so that a reader never meets half a file; tell systemd, too.

    A role's first word means that it has started, every further one that it is alive; unless it says why it ends.
    """
    path = data / "roles" / f"{status.role}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".json.new")
    temporary.write_bytes(msgspec.json.encode(status))
    temporary.replace(path)
    if alive:
        sd_notify("READY=1", "WATCHDOG=1", f"STATUS={'; '.join(status.problems).replace(chr(10), ' ') or 'well'}")


@contextmanager
def long_work(data: Path, status: RoleStatus) -> Iterator[None]:
    """Say once a second that the role is alive, as it said last: it works on one thing for longer than others wait."""
    done = threading.Event()

    def speak() -> None:
        while not done.wait(SAYING_S):
            status.updated_ms = wall_ms()
            with suppress(OSError):  # a full disk is the work's to tell of
                write_status(data, status)

    speaker = threading.Thread(target=speak, name="long work", daemon=True)
    speaker.start()
    try:
        yield
    finally:
        done.set()
        speaker.join()


@contextmanager
def explained(data: Path, role: str) -> Iterator[None]:
    """Where the role ends by an error, leave the reason in its status: `/readyz` tells it until the role works."""
    started_ms = wall_ms()
    try:
        yield
    except VoltairError as error:
        status = RoleStatus(
            role=role, pid=os.getpid(), started_ms=started_ms, updated_ms=wall_ms(), problems=[str(error)]
        )
        with suppress(OSError):
            write_status(data, status, alive=False)
        raise


def read_status(data: Path, role: str) -> RoleStatus | None:
    """Return what a role said last, or None where it never spoke."""
    try:
        return msgspec.json.decode((data / "roles" / f"{role}.json").read_bytes(), type=RoleStatus)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
