"""Pages of the list of charging sessions: computed once for a walk through them, and stable while data change.

A cursor is the place of the last session in the order of the list. The pages of one walk come from one computation as
long as that is kept; where it is not, from a new one, which goes on behind the same place: what changes meanwhile
never shows a session twice, and leaves none out that was there from the first page to the last.
"""

import re
import threading
import time
from bisect import bisect_right
from collections.abc import Callable

from analytics.sessions import Session, sessions_of
from analytics.window import Window
from api.params import LARGEST
from api.problems import Problem

KEEP_S = 60.0
"""A walk may pause this long between two pages,"""
KEEP_SESSIONS = 100_000
"""and so many sessions are kept in all."""

_CURSOR = re.compile(r"(-?[0-9]{1,16})\.([A-Za-z0-9_-]{1,64})")
_Query = tuple[str, int, int]


class SessionPages:
    """Answers of which a part was asked for."""

    def __init__(
        self, load: Callable[[str, int, int], Window], *, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        """Prepare; `load` returns (station, from, to) -> window with runs."""
        self._load = load
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._kept: dict[_Query, tuple[float, list[Session]]] = {}
        """Query -> (when it was last asked for, its sessions); the one asked for last stands last."""

    def page(
        self, station: str, from_ms: int, to_ms: int, limit: int, cursor: str | None
    ) -> tuple[list[Session], str | None]:
        """Return sessions that overlap `[from_ms, to_ms)`, oldest first, and the cursor of the next page.

        Raises
        ------
        Problem
            If the cursor is none of ours (422).
        """
        query = (station, from_ms, to_ms)
        start = 0
        if not cursor:
            found = sessions_of(self._load(*query))
        else:
            place = _place(cursor)
            kept = self._recall(query)
            found = sessions_of(self._load(*query)) if kept is None else kept
            start = bisect_right(found, place, key=_key)
        items = found[start : start + limit]
        more = start + limit < len(found)
        self._keep(query, found if more else None)
        return items, "{}.{}".format(*_key(items[-1])) if more else None

    def _recall(self, query: _Query) -> list[Session] | None:
        with self._lock:
            asked_s, found = self._kept.get(query, (0.0, None))
            return found if self._monotonic_s() - asked_s <= KEEP_S else None

    def _keep(self, query: _Query, found: list[Session] | None) -> None:
        """Keep what a walk goes on with; None: it is over."""
        now_s = self._monotonic_s()
        with self._lock:
            self._kept.pop(query, None)
            if found is not None:
                self._kept[query] = now_s, found
            total = sum(len(sessions) for _, sessions in self._kept.values())
            for old, (asked_s, sessions) in list(self._kept.items()):
                if total > KEEP_SESSIONS or now_s - asked_s > KEEP_S:
                    total -= len(sessions)
                    del self._kept[old]


def _key(session: Session) -> tuple[int, str]:
    """Return the place of a session in the list; no other session has it."""
    return session.start_ms, session.port


def _place(cursor: str) -> tuple[int, str]:
    match = _CURSOR.fullmatch(cursor)
    if match is None or abs(int(match[1])) > LARGEST:
        raise Problem(422, f"cursor = {cursor!r} is none of ours; take next_cursor of the answer before")
    return int(match[1]), match[2]
