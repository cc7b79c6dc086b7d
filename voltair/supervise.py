"""Start processes, restart what dies, stop all: the roles of `voltair run`, and everything of the demo.

Children die with the supervisor, also when it is killed: the kernel sends them SIGKILL (PR_SET_PDEATHSIG). That is
safe because every role may be killed at any moment.
"""

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from store.roles import ROLES, RoleLock
from store.sd_notify import ADDRESS, sd_notify
from telemetry.config import Config

_log = logging.getLogger(__name__)

_CONFIG_EXIT = 2
_PAUSES_S = (0.0, 0.5, 1.0, 2.0, 5.0)
"""Before the first, second... restart in a row; the last one for ever."""
_STABLE_S = 5.0
"""After this long a process counts as started, and its pauses begin anew."""
_STOP_S = 10.0
"""Time to end in peace before SIGKILL."""
_ENDING = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Child:
    """A process that shall always run."""

    name: str
    argv: Sequence[str]
    log: Path | None = None
    """File for stdout and stderr; None: ours."""
    environ: Mapping[str, str] | None = None
    """Environment; None: ours."""


class _Life:
    """One child over all its processes."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.process: subprocess.Popen[bytes] | None = None
        self.due_s = 0.0
        self.starts = 0
        self._started_s = 0.0
        self._deaths = 0

    def start(self) -> None:
        child = self.child
        with contextlib.ExitStack() as stack:
            out = stack.enter_context(child.log.open("ab")) if child.log else None
            self.process = subprocess.Popen(  # noqa: S603 - our own commands
                child.argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=child.environ,
                process_group=0,  # Ctrl-C reaches the supervisor only, which ends the others in order
                preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - the supervisor has one thread
            )
        self.starts += 1
        self._started_s = time.monotonic()
        _log.info("%s started, process %d", child.name, self.process.pid)

    def reap(self) -> int | None:
        """Note a death and when to start again; return the exit code of a process that died."""
        if self.process is None:
            return None
        code = self.process.poll()
        if code is None:
            return None
        self.process = None
        now_s = time.monotonic()
        self._deaths = 0 if now_s - self._started_s > _STABLE_S else self._deaths + 1
        pause_s = _PAUSES_S[min(max(self._deaths - 1, 0), len(_PAUSES_S) - 1)]
        self.due_s = now_s + pause_s
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        where = f", see {self.child.log}" if self.child.log else ""
        when = f"in {pause_s:g} s" if pause_s else "at once"
        _log.warning("%s ended with %s%s; starting it again %s", self.child.name, how, where, when)
        return code


def supervise(config: Config, path: Path | None) -> int:
    """Run the four roles until SIGTERM or SIGINT.

    Parameters
    ----------
    config
        The settings.
    path
        Their file, handed to each role.

    Returns
    -------
    int
        Exit code: 0 after a signal, 2 when a role refused its configuration at its first start.

    Raises
    ------
    RoleLocked
        If another supervisor runs on the data directory.
    """
    # systemd hears of the supervisor only: a role's word would count as the whole's.
    address = os.environ.pop(ADDRESS, "")

    def alive() -> bool:
        sd_notify("READY=1", "WATCHDOG=1", address=address)
        return False

    with RoleLock(config.data, "run"):
        try:
            return keep_running([role_child(role, path) for role in ROLES], alive if address else None)
        finally:
            sd_notify("STOPPING=1", address=address)


def role_child(role: str, path: Path | None, log: Path | None = None) -> Child:
    """Return how a role is started."""
    return Child(role, voltair_argv(role, *(["--config", str(path)] if path else [])), log)


def voltair_argv(*arguments: str) -> list[str]:
    """Return the command that runs `voltair` in this environment, whatever the working directory holds."""
    return [sys.executable, "-P", "-m", "voltair", *arguments]


def keep_running(children: Sequence[Child], poll: Callable[[], bool] | None = None) -> int:
    """Start children in order and keep them running until SIGTERM, SIGINT or SIGHUP.

    Must be called in the main thread of a process with one thread.

    Parameters
    ----------
    children
        What shall run.
    poll
        Called about five times a second until it returns True.

    Returns
    -------
    int
        0 after a signal, 2 when the first process of a child ended with 2.
    """
    with _blocked(_ENDING | {signal.SIGCHLD}) as signals:
        lives = [_Life(child) for child in children]
        try:
            while True:
                for life in lives:
                    if life.process is None and life.due_s <= time.monotonic():
                        life.start()
                if poll is not None and poll():
                    poll = None
                caught = signal.sigtimedwait(signals, _wait_s(lives, 0.2 if poll else 1.0))
                if caught is not None and caught.si_signo in _ENDING:
                    _log.info("%s: stopping", signal.Signals(caught.si_signo).name)
                    return 0
                for life in lives:
                    if life.reap() == _CONFIG_EXIT and life.starts == 1:
                        _log.error("%s refused its configuration: stopping", life.child.name)
                        return _CONFIG_EXIT
        finally:
            _stop(lives, signals)


@contextlib.contextmanager
def _blocked(signals: set[signal.Signals]) -> Iterator[set[signal.Signals]]:
    """Take signals by waiting instead of handlers: nothing can happen between a look and a wait."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield signals
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wait_s(lives: Sequence[_Life], longest_s: float) -> float:
    due = [life.due_s - time.monotonic() for life in lives if life.process is None]
    return max(0.0, min([longest_s, *due]))


def _stop(lives: Sequence[_Life], signals: set[signal.Signals]) -> None:
    """End every child: SIGTERM, then SIGKILL after 10 s."""
    alive = [life.process for life in lives if life.process is not None]
    for process in alive:
        process.terminate()
    deadline_s = time.monotonic() + _STOP_S
    while alive and (left_s := deadline_s - time.monotonic()) > 0:
        signal.sigtimedwait(signals, min(left_s, 0.2))
        alive = [process for process in alive if process.poll() is None]
    for process in alive:
        _log.warning("process %d did not stop; killing it", process.pid)
        process.kill()
        process.wait()


def _die_with(parent: int) -> Callable[[], None]:
    """Return what a new child does before it becomes its program."""
    libc = ctypes.CDLL(None, use_errno=True)

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the line above
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_SETMASK, set())

    return prepare
