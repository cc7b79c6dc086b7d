"""What drivers experience: visits made of attempts (ChargeX key figures, as kwwhat computes them)."""

from collections.abc import Sequence

from analytics.figures import Sheet
from analytics.sessions import Session

SAME_VISIT_MS = 120_000
"""Attempts at one port by an unknown driver with a shorter pause belong to one visit."""


def visits_of(sessions: Sequence[Session]) -> list[list[Session]]:
    """Return visits as lists of attempts, oldest first; attempts without a known outcome are left out."""
    last: dict[str, list[Session]] = {}
    found: list[list[Session]] = []
    for one in sorted(sessions, key=lambda s: (s.start_ms, s.port)):
        if one.end_ms is None or one.outcome == "unknown":
            continue
        before = last.get(one.port)
        if before is not None and one.start_ms - (before[-1].end_ms or 0) < SAME_VISIT_MS:
            before.append(one)
        else:
            last[one.port] = [one]
            found.append(last[one.port])
    return found


def visit_kpis(sheet: Sheet, sessions: Sequence[Session]) -> None:
    """Enter `visits`, `attempts_per_visit`, and the shares that succeeded at first, later, or not in the end."""
    visits = visits_of(sessions)
    good = [[a.outcome == "success" for a in visit] for visit in visits]
    reason = "no visit ended in the window"
    sheet.put("visits", len(visits))
    sheet.over("attempts_per_visit", sum(len(v) for v in visits), len(visits), reason)
    sheet.over("first_attempt_success_rate", sum(v[0] for v in good), len(visits), reason)
    sheet.over("troubled_visit_rate", sum(v[-1] and not v[0] for v in good), len(visits), reason)
    sheet.over("failed_visit_rate", sum(not v[-1] for v in good), len(visits), reason)
