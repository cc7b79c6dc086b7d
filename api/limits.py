"""What one caller may take: the size of a body, and wrong tokens a minute."""

import time
from collections import deque
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem_response

BODY_BYTES = 1_048_576
"""No call needs more."""
FAILURES = 20
"""Wrong tokens from one address"""
WINDOW_S = 60.0
"""within this time; then it must wait."""
_ADDRESSES = 10_000


class BodyLimit:
    """ASGI middleware: refuses a body that is longer than any call needs, whatever its length is said to be."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with a problem."""
        detail = f"the body is longer than {BODY_BYTES:,} bytes; no call needs that much"
        if scope["type"] == "http":
            length = Headers(scope=scope).get("content-length", "")
            if length.isdigit() and int(length) > BODY_BYTES:
                await problem_response(413, detail)(scope, receive, send)
                return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > BODY_BYTES:
                raise HTTPException(413, detail)
            return message

        await self._app(scope, counted, send)


class Failures:
    """Wrong tokens by address, so that nobody can try them out. In memory; a restart forgets."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._times: dict[str, deque[float]] = {}

    def note(self, address: str) -> None:
        """Count a wrong token."""
        if address not in self._times and len(self._times) >= _ADDRESSES:
            self._times.pop(next(iter(self._times)))
        self._times.setdefault(address, deque(maxlen=FAILURES)).append(self._clock_s())

    def wait_s(self, address: str) -> float:
        """Return how long an address must wait before its next token is looked at; 0: not at all."""
        times = self._times.get(address)
        if times is None or len(times) < FAILURES:
            return 0.0
        return max(0.0, times[0] + WINDOW_S - self._clock_s())


def address_of(scope: Scope) -> str:
    """Return the address that a request comes from."""
    client = scope.get("client")
    return str(client[0]) if client else ""
