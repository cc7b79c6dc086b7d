"""From state.db to the desk: files that come late or are replaced, broken rows, silences that end."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from api_support import T0, Clock, add_transitions, endpoint, make_state, transition

from api.desk import Desk
from api.endpoints import put_endpoint
from api.intake import Intake
from api.silences import Silence, put_silence


async def until(found: asyncio.Event) -> None:
    async with asyncio.timeout(10):
        await found.wait()
    found.clear()


def test_a_late_file_and_later_rows_are_taken_at_once(tmp_path: Path) -> None:
    async def work() -> list[str]:
        desk = Desk(tmp_path / "desk.db")
        arrived = asyncio.Event()
        intake = Intake(tmp_path, desk, event_clock=False, on_deliveries=arrived.set)
        task = asyncio.create_task(intake.run())
        await asyncio.sleep(0)
        assert intake.problem is not None
        assert "start 'voltair analytics'" in intake.problem
        make_state(tmp_path)
        add_transitions(tmp_path, transition("a1"))
        await until(arrived)
        add_transitions(tmp_path, transition("a2"))
        await until(arrived)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        found = [e.alert for e in desk.events(0, 10)]
        desk.close()
        return found

    assert asyncio.run(work()) == ["a1", "a2"]


def test_a_broken_row_stops_the_list_and_is_named(tmp_path: Path) -> None:
    make_state(tmp_path)
    db = sqlite3.connect(tmp_path / "state.db")
    db.execute("INSERT INTO transition(id, alert, station, time_ms, body) VALUES('x', 'x', 's', 1, '{}')")
    db.commit()
    db.close()

    async def work() -> str | None:
        desk = Desk(tmp_path / "desk.db")
        intake = Intake(tmp_path, desk, event_clock=False)
        task = asyncio.create_task(intake.run())
        async with asyncio.timeout(10):
            while intake.problem is None or "cannot be taken" not in intake.problem:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert desk.cursor() == (0, "")
        desk.close()
        return intake.problem

    assert "missing required field" in (asyncio.run(work()) or "")


@pytest.mark.parametrize("event_clock", [False, True])
def test_a_silence_ends_by_the_clock_of_the_mode(tmp_path: Path, event_clock: bool) -> None:
    make_state(tmp_path)
    clock = Clock()
    desk = Desk(tmp_path / "desk.db")
    with desk.write() as db:
        put_endpoint(db, endpoint())
        put_silence(
            db, Silence(id="s", matchers={"rule": "port_faulted"}, from_ms=T0, to_ms=T0 + 60_000, by="Li", reason="")
        )
    add_transitions(tmp_path, transition())
    intake = Intake(tmp_path, desk, event_clock=event_clock, clock_ms=clock)
    while intake.take():
        pass
    assert intake.release() == 0
    clock.forward(60)
    state = sqlite3.connect(tmp_path / "state.db")
    state.execute("INSERT INTO station VALUES('harbour', 'charging', ?, ?)", (T0 + 59_999, T0))
    state.commit()
    assert intake.release() == (0 if event_clock else 1)
    state.execute("UPDATE station SET now_ms = ?", (T0 + 60_000,))
    state.commit()
    state.close()
    assert intake.release() == (1 if event_clock else 0)
    desk.close()
