"""Pages of sessions: one computation for a walk, and a walk that stays right while sessions come and change."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import api.session_pages as module
from analytics.sessions import Session
from api.problems import Problem
from api.session_pages import KEEP_S, SessionPages


def session(start_ms: int, port: str, **changes: Any) -> Session:
    base = Session(
        port=port, session_id=None, start_ms=start_ms, charging_end_ms=None, end_ms=None, energy_kwh=None, peak_kw=None,
        charging_s=0.0, idle_s=0.0, stop_reason=None, outcome="open", error_code=None, cause=None, overstay_s=None,
        overstay=None, flags=(),
    )
    return replace(base, **changes)


class World:
    """What is to be listed, and how often it was computed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *sessions: Session) -> None:
        self.sessions = list(sessions)
        self.computed = 0
        self.clock_s = 0.0
        monkeypatch.setattr(module, "sessions_of", lambda _window: self._compute())
        self.pages = SessionPages(lambda *_query: None, monotonic_s=lambda: self.clock_s)  # type: ignore[arg-type,return-value]

    def _compute(self) -> list[Session]:
        self.computed += 1
        return sorted(self.sessions, key=lambda s: (s.start_ms, s.port))

    def page(self, cursor: str | None = None, *, limit: int = 2, to_ms: int = 100) -> tuple[list[int], str | None]:
        found, next_cursor = self.pages.page("s", 0, to_ms, limit, cursor)
        return [s.start_ms for s in found], next_cursor


def test_a_walk_is_computed_once_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, *(session(i, "p") for i in range(5)))
    first, cursor = world.page()
    second, cursor = world.page(cursor)
    third, end = world.page(cursor)
    assert (first, second, third, end) == ([0, 1], [2, 3], [4], None)
    assert world.computed == 1
    world.page(limit=5)
    assert world.computed == 2, "a first page is always new"
    assert world.page("")[0] == [0, 1]


@pytest.mark.parametrize("why", ["late", "other window", "too many kept"])
def test_where_nothing_is_kept_it_is_computed_anew(monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    world = World(monkeypatch, *(session(i, "p") for i in range(5)))
    monkeypatch.setattr(module, "KEEP_SESSIONS", 4 if why == "too many kept" else 100)
    _, cursor = world.page()
    world.clock_s += KEEP_S + 1 if why == "late" else KEEP_S - 1
    assert world.page(cursor, to_ms=99 if why == "other window" else 100)[0] == [2, 3]
    assert world.computed == 2


@pytest.mark.parametrize("kept", [True, False])
def test_a_session_that_comes_meanwhile_shifts_nothing(monkeypatch: pytest.MonkeyPatch, kept: bool) -> None:
    """A backlog brings one before the place of the cursor, one that was listed ends, and one begins at its end."""
    world = World(monkeypatch, *(session(i, "p") for i in (10, 20, 30, 40)))
    _, cursor = world.page()
    if not kept:
        world.clock_s += KEEP_S + 1
    world.sessions += [session(5, "q"), session(20, "q"), session(50, "p")]
    world.sessions[2] = session(30, "p", end_ms=35)
    rest, _ = world.page(cursor, limit=10)
    assert rest == ([30, 40] if kept else [20, 30, 40, 50])


@given(
    st.lists(st.tuples(st.integers(0, 20), st.sampled_from("ab")), unique=True, max_size=30),
    st.lists(st.tuples(st.integers(0, 20), st.sampled_from("ab")), unique=True, max_size=10), st.integers(1, 4),
)
def test_none_is_shown_twice_and_none_that_stays_is_left_out(
    before: list[tuple[int, str]], meanwhile: list[tuple[int, str]], limit: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        world = World(patch, *(session(*place) for place in before))
        found, cursor = world.pages.page("s", 0, 100, limit, None)
        for place in meanwhile:
            if cursor is None:
                break
            world.clock_s += KEEP_S + 1
            world.sessions = [session(*p) for p in {(s.start_ms, s.port) for s in world.sessions} | {place}]
            more, cursor = world.pages.page("s", 0, 100, limit, cursor)
            found += more
        while cursor is not None:
            more, cursor = world.pages.page("s", 0, 100, limit, cursor)
            found += more
    places = [(s.start_ms, s.port) for s in found]
    assert places == sorted(set(places))
    assert set(before) <= set(places)


@pytest.mark.parametrize("cursor", ["5", "x.p", "1.p/1", "1.", f"{10**16}.p", "-.p"])
def test_a_foreign_cursor_is_refused(monkeypatch: pytest.MonkeyPatch, cursor: str) -> None:
    with pytest.raises(Problem, match="next_cursor"):
        World(monkeypatch).page(cursor)
