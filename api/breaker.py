"""How hard an endpoint may be pressed now: its rate limit, and a circuit breaker for receivers that are away."""

from collections import deque
from dataclasses import dataclass, field

from api.post import Outcome

THRESHOLD = 5
"""Failures in succession after which a receiver is taken for away."""
FIRST_PAUSE_MS = 5_000
LONGEST_PAUSE_MS = 300_000
_MINUTE_MS = 60_000


@dataclass(slots=True)
class Breaker:
    """What one endpoint can take.

    Closed, everything that is due is tried. After `THRESHOLD` failures in succession it is open: one probe after a
    pause, which doubles with each probe that fails; the first success closes it. What waits meanwhile uses up none of
    its own attempts. It lives in memory: after a restart a few more attempts find out again.
    """

    failures: int = 0
    """In succession."""
    failing_since_ms: int | None = None
    """When the first of them ended."""
    until_ms: int = 0
    """No attempt before."""
    _starts: deque[int] = field(default_factory=deque)

    def room(self, now_ms: int, running: int, most: int, per_minute: int) -> int:
        """Return how many more attempts may begin now.

        Parameters
        ----------
        now_ms
            Wall time.
        running
            Attempts under way.
        most
            Attempts at once while all is well.
        per_minute
            Most attempts in any minute; 0: no limit.
        """
        if now_ms < self.until_ms:
            return 0
        room = (1 if self.failures >= THRESHOLD else most) - running
        if per_minute:
            while self._starts and self._starts[0] <= now_ms - _MINUTE_MS:
                self._starts.popleft()
            room = min(room, per_minute - len(self._starts))
        return max(0, room)

    def started(self, now_ms: int) -> None:
        """Count an attempt that begins."""
        self._starts.append(now_ms)
        if len(self._starts) > 10_000:
            self._starts.popleft()

    def ended(self, outcome: Outcome, now_ms: int) -> None:
        """Learn from what came of an attempt."""
        if not outcome.strained:
            self.failures, self.failing_since_ms, self.until_ms = 0, None, 0
            return
        self.failures += 1
        if self.failing_since_ms is None:
            self.failing_since_ms = now_ms
        over = self.failures - THRESHOLD
        pause_ms = min(FIRST_PAUSE_MS << min(over, 10), LONGEST_PAUSE_MS) if over >= 0 else 0
        if outcome.status in (429, 503) and outcome.retry_after_s is not None:
            # It asks everybody to wait, not only this delivery.
            pause_ms = max(pause_ms, min(round(1000 * outcome.retry_after_s), LONGEST_PAUSE_MS))
        self.until_ms = max(self.until_ms, now_ms + pause_ms) if pause_ms else self.until_ms

    @property
    def is_open(self) -> bool:
        """Whether the receiver is taken for away."""
        return self.failures >= THRESHOLD

