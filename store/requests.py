"""What a command asks of a running role, which alone may write its file: requests and answers beside the roles' status.

The role takes a request up within a second. Where it does not run, or ends before it answers, the command does the same
work itself, under the role's lock.
"""

import contextlib
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


class Mailbox(Generic[R, A]):
    """`roles/requests/{role}/`: requests of commands, and their answers."""

    def __init__(self, data: Path, role: str, request: type[R], answer: type[A]) -> None:
        self._folder = data / "roles" / "requests" / role
        self._request, self._answer = request, answer

    def put(self, request: R) -> str:
        """Leave a request; return its name."""
        name = uuid.uuid4().hex
        self._write(f"{name}.request", request)
        return name

    def take(self) -> Iterator[tuple[str, R]]:
        """Yield requests; each stays until it is answered, so that one that is interrupted is begun again."""
        for path in sorted(self._folder.glob("*.request")):
            with contextlib.suppress(OSError, msgspec.DecodeError):  # withdrawn meanwhile, or not ours
                yield path.stem, msgspec.json.decode(path.read_bytes(), type=self._request)

    def answer(self, name: str, answer: A) -> None:
        """Answer a request, unless it was withdrawn."""
        request = self._folder / f"{name}.request"
        if request.exists():
            self._write(f"{name}.answer", answer)
            request.unlink(missing_ok=True)

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
                    return here()
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
