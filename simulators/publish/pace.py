"""How fast event time passes: messages leave when theirs has come."""

import time
from collections.abc import Iterator
from itertools import islice

from simulators.message import Message
from telemetry.errors import ConfigError


def parse_speed(speed: float | str) -> float | None:
    """Return event time per wall time, or None for `max`.

    Raises
    ------
    ConfigError
        If it is neither a number above 0 nor `max`.
    """
    if speed == "max":
        return None
    try:
        value = float(speed)
    except ValueError:
        value = 0.0
    if not 0.0 < value < float("inf"):
        msg = f"speed {speed!r} is neither a number above 0 nor 'max'"
        raise ConfigError(msg)
    return value


class Paced:
    """Hands out messages when their event time has come.

    Parameters
    ----------
    messages
        In order of `time_ms`.
    speed
        Event time per wall time; None: every message is due.
    begin_s
        When the first message was due, by the monotonic clock.
    """

    def __init__(self, messages: Iterator[Message], speed: float | None, begin_s: float) -> None:
        self._messages = messages
        self._speed = speed
        self._begin_s = begin_s
        self._ahead = next(messages, None)
        self._begin_ms = 0 if self._ahead is None else self._ahead.time_ms

    @property
    def done(self) -> bool:
        """Whether every message has been handed out."""
        return self._ahead is None

    def wait_s(self) -> float:
        """Return the time until the next message is due."""
        if self._ahead is None or self._speed is None:
            return float("inf")
        due_s = self._begin_s + (self._ahead.time_ms - self._begin_ms) / 1000.0 / self._speed
        return max(0.0, due_s - time.monotonic())

    def due(self, limit: int) -> list[Message]:
        """Return at most `limit` messages whose time has come, in order."""
        found: list[Message] = []
        if self._ahead is None:
            return found
        if self._speed is None:
            found = [self._ahead, *islice(self._messages, limit - 1)]
            self._ahead = next(self._messages, None)
            return found
        while self._ahead is not None and len(found) < limit and self.wait_s() <= 0.0:
            found.append(self._ahead)
            self._ahead = next(self._messages, None)
        return found
