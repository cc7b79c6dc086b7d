"""What a command asks of a running role, which alone may write its file: requests and answers beside the roles' status.

The role takes a request up within a second. Where it does not run, or ends before it answers, the command does the same
work itself, under the role's lock.
"""

import contextlib
import logging
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from telemetry.errors import RoleLocked

R = TypeVar("R", bound=msgspec.Struct)
A = TypeVar("A", bound=msgspec.Struct)
_POLL_S = 0.1

_log = logging.getLogger(__name__)


class Mailbox(Generic[R, A]):
    """`roles/requests/{role}/`: requests of commands, and their answers."""

    def __init__(self, data: Path, role: str, request: type[R], answer: type[A]) -> None:
        self._folder = data / "roles" / "requests" / role
        self._request, self._answer = request, answer
        self._unsent: dict[str, A] = {}
        """Answers that the disk has yet to take: what they answer is done, and not begun again."""

    def put(self, request: R) -> str:
        """Leave a request; return its name."""
        name = uuid.uuid4().hex
        self._write(f"{name}.request", request)
        return name

    def take(self) -> Iterator[tuple[str, R]]:
        """Yield requests; each stays until it is answered, so that one that is interrupted is begun again."""
        self._send()
        for path in sorted(self._folder.glob("*.request")):
            if path.stem in self._unsent:
                continue
            if path.with_suffix(".answer").exists():
                path.unlink(missing_ok=True)  # killed between the two steps of an answer
                continue
            with contextlib.suppress(OSError, msgspec.DecodeError):  # withdrawn meanwhile, or not ours
                yield path.stem, msgspec.json.decode(path.read_bytes(), type=self._request)

    def answer(self, name: str, answer: A) -> None:
        """Answer a request, unless it was withdrawn; where the disk does not take it, `take` tries again."""
        self._unsent[name] = answer
        self._send()

    def _send(self) -> None:
        for name, answer in list(self._unsent.items()):
            request = self._folder / f"{name}.request"
            try:
                if request.exists():
                    self._write(f"{name}.answer", answer)
                    request.unlink(missing_ok=True)
            except OSError as error:  # a role must not die of a full disk, or of a folder that another user made
                _log.warning("a command cannot be answered in %s: %s", self._folder, error)
            else:
                del self._unsent[name]

    def answered(self, name: str) -> A | None:
        """Return the answer to a request, None where there is none yet."""
        with contextlib.suppress(FileNotFoundError):
            return msgspec.json.decode((self._folder / f"{name}.answer").read_bytes(), type=self._answer)
        return None

    def withdraw(self, name: str) -> None:
        """Take a request back, and away its answer."""
        for kind in ("request", "answer"):
            (self._folder / f"{name}.{kind}").unlink(missing_ok=True)

    def ask(self, request: R, here: Callable[[], A], patience_s: float) -> A | None:
        """Have a request done, by the role where it runs, else by `here`; return None where it took too long.

        Parameters
        ----------
        here
            Does it under the role's lock; raises `RoleLocked` where the role runs.
        """
        name = ""
        deadline_s = time.monotonic() + patience_s
        try:
            while time.monotonic() < deadline_s:
                found = self.answered(name) if name else None
                if found is not None:
                    return found
                try:
                    done = here()
                    # The role may have done it, and ended, since this was looked at last.
                    return (self.answered(name) if name else None) or done
                except RoleLocked:
                    name = name or self.put(request)
                    time.sleep(_POLL_S)
        finally:
            if name:
                self.withdraw(name)
        return None

    def _write(self, name: str, value: R | A) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        new = self._folder / f"{name}.new"
        new.write_bytes(msgspec.json.encode(value))
        new.replace(self._folder / name)
