"""The desk: one list, one delivery per transition and endpoint, whatever happens between two statements."""

import shutil
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from api_support import T0, add_transitions, endpoint, make_state, transition
from dying import DyingConnection, Killed

from api.alert_log import alert_item, find_alert, firing_counts, list_alerts
from api.desk import Desk
from api.endpoints import list_endpoints, put_endpoint, sync_config
from api.intake import Intake
from api.routing import message_id
from api.silences import EXPLAINED_MS, Exclusion, Silence, list_exclusions, put_exclusion, put_silence, release_held
from store.sqlite import connect

STORY = (
    transition(number=1),
    transition("a2", number=1),
    transition(type_="alert.updated", number=2),
    transition(type_="alert.resolved", number=3),
)


def open_desk(data: Path, opener: Any = connect) -> Desk:
    return Desk(data / "desk.db", base_url="http://voltair.example", opener=opener)


def test_nobody_else_reads_it_nor_what_is_yet_to_go_into_it(tmp_path: Path) -> None:
    (tmp_path / "desk.db-wal").touch(mode=0o644)  # of a release that left it so
    desk = open_desk(tmp_path)
    files = list(tmp_path.glob("desk.db*"))
    assert len(files) == 3
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    desk.close()


def prepared(data: Path) -> None:
    make_state(data)
    add_transitions(data, *STORY)
    desk = open_desk(data)
    with desk.write() as db:
        put_endpoint(db, endpoint("ep_1"))
        put_endpoint(db, endpoint("ep_2", "http://127.0.0.1:9/other"))
    desk.close()


def take_all(data: Path, desk: Desk) -> None:
    intake = Intake(data, desk, event_clock=False, clock_ms=lambda: T0)
    while intake.take():
        pass


def content(desk: Desk) -> dict[str, list[Any]]:
    db = desk.reader
    return {
        "event": db.execute("SELECT n, id, type, alert, sequence, body FROM event ORDER BY n").fetchall(),
        "alert": db.execute("SELECT alert, state, data FROM alert ORDER BY alert").fetchall(),
        "delivery": db.execute("SELECT id, endpoint, event, body, state FROM delivery ORDER BY n").fetchall(),
    }


def test_transitions_become_events_alerts_and_deliveries(tmp_path: Path) -> None:
    prepared(tmp_path)
    desk = open_desk(tmp_path)
    take_all(tmp_path, desk)
    found = content(desk)
    assert [(r[1], r[4]) for r in found["event"]] == [("a1-1", 1), ("a2-1", 1), ("a1-2", 2), ("a1-3", 3)]
    assert [r[:2] for r in found["alert"]] == [("a1", "resolved"), ("a2", "firing")]
    assert [(r[1], r[2]) for r in found["delivery"]] == [(e, n) for n in (1, 2, 3, 4) for e in ("ep_1", "ep_2")]
    assert len({r[0] for r in found["delivery"]}) == 8
    assert all(r[0] == message_id(STORY[r[2] - 1]["id"], r[1]) for r in found["delivery"])
    assert firing_counts(desk.reader) == {"harbour": {"critical": 1}}
    item = find_alert(desk.reader, "a1")
    assert item is not None
    assert [t["type"] for t in item["transitions"]] == ["alert.firing", "alert.updated", "alert.resolved"]
    assert item["links"]["page"] == "http://voltair.example/?alert=a1"
    desk.close()


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_statement_neither_loses_nor_doubles(tmp_path: Path, after: bool) -> None:
    whole = tmp_path / "whole"
    prepared(whole)
    desk = open_desk(whole)
    take_all(whole, desk)
    wanted = content(desk)
    desk.close()
    fresh = tmp_path / "fresh"
    prepared(fresh)
    died = 0
    for at in range(1, 200):
        data = tmp_path / f"crash{at}"
        shutil.copytree(fresh, data)
        made: list[DyingConnection] = []

        def opener(path: Path, _at: int = at, _made: list[DyingConnection] = made, **how: Any) -> Any:
            _made.append(DyingConnection(connect(path, **how), _at, after=after))
            return _made[0]

        try:
            crashing = open_desk(data, opener)
            take_all(data, crashing)
        except Killed:
            died += 1
        made[0].close()
        desk = open_desk(data)
        take_all(data, desk)
        assert content(desk) == wanted, f"statement {at}"
        desk.close()
        if not made[0].dead:
            break
    assert died > 30


def test_the_same_transitions_again_change_nothing(tmp_path: Path) -> None:
    prepared(tmp_path)
    desk = open_desk(tmp_path)
    take_all(tmp_path, desk)
    before = content(desk)
    (tmp_path / "state.db").unlink()
    for name in ("state.db-wal", "state.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    make_state(tmp_path)
    # Another state.db numbers from 1 again; a new transition stands behind the known ones.
    add_transitions(tmp_path, *STORY, transition("a3", number=1))
    take_all(tmp_path, desk)
    found = content(desk)
    assert found["event"][:4] == before["event"]
    assert [r[1] for r in found["event"][4:]] == ["a3-1"]
    desk.close()


def test_acknowledging_is_an_event_of_the_alert(tmp_path: Path) -> None:
    prepared(tmp_path)
    desk = open_desk(tmp_path)
    take_all(tmp_path, desk)
    event = desk.acknowledge("a2", "Li", "on my way", time_ms=T0 + 5, now_ms=T0)
    assert event is not None
    assert (event.type, event.sequence, event.n) == ("alert.acknowledged", 2, 5)
    assert desk.acknowledge("nope", "Li", "", time_ms=T0, now_ms=T0) is None
    item = find_alert(desk.reader, "a2")
    assert item is not None
    assert item["acknowledgement"]["by"] == "Li"
    add_transitions(tmp_path, transition("a2", "alert.resolved", number=2))
    take_all(tmp_path, desk)
    item = find_alert(desk.reader, "a2")
    assert item is not None
    assert (item["sequence"], item["state"], item["acknowledgement"]["note"]) == (3, "resolved", "on my way")
    desk.close()


def test_an_endpoint_added_later_gets_later_events_only(tmp_path: Path) -> None:
    prepared(tmp_path)
    desk = open_desk(tmp_path)
    take_all(tmp_path, desk)
    with desk.write() as db:
        put_endpoint(db, endpoint("ep_late"))
    add_transitions(tmp_path, transition("a9"))
    take_all(tmp_path, desk)
    rows = desk.reader.execute("SELECT event FROM delivery WHERE endpoint = 'ep_late'").fetchall()
    assert rows == [(5,)]
    desk.close()


def test_an_endpoint_that_leaves_the_file_is_kept_and_comes_back(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    configured = endpoint("ep_file", source="config")
    with desk.write() as db:
        sync_config(db, [configured], T0)
    with desk.write() as db:
        sync_config(db, [], T0 + 1)
    assert [(e.enabled, e.disabled_reason) for e in list_endpoints(desk.reader)] == [
        (False, "no longer in voltair.toml")
    ]
    with desk.write() as db:
        sync_config(db, [configured], T0 + 2)
    assert [(e.enabled, e.created_ms) for e in list_endpoints(desk.reader)] == [(True, T0)]
    desk.close()


def silence(from_ms: int, to_ms: int, **matchers: Any) -> Silence:
    return Silence(id="sil_1", matchers=matchers, from_ms=from_ms, to_ms=to_ms, by="Li", reason="")


def states(desk: Desk) -> list[tuple[str, str]]:
    return [tuple(r) for r in desk.reader.execute("SELECT type, state FROM delivery ORDER BY n")]


def test_a_silence_holds_back_and_lets_go(tmp_path: Path) -> None:
    make_state(tmp_path)
    desk = open_desk(tmp_path)
    with desk.write() as db:
        put_endpoint(db, endpoint())
        put_silence(db, silence(T0, T0 + 60_000, station="harbour", severity=["critical", "warning"]))
    add_transitions(tmp_path, transition("a1"), transition("a2"), transition("other", station="isle"))
    take_all(tmp_path, desk)
    assert states(desk) == [("alert.firing", "held"), ("alert.firing", "held"), ("alert.firing", "pending")]
    add_transitions(tmp_path, transition("a2", "alert.resolved", number=2))
    take_all(tmp_path, desk)
    with desk.write() as db:
        assert release_held(db, {}, T0 + 30_000, T0) == 0
    with desk.write() as db:
        assert release_held(db, {}, T0 + 60_000, T0) == 1
    assert states(desk) == [
        ("alert.firing", "pending"), ("alert.firing", "silenced"), ("alert.firing", "pending"),
        ("alert.resolved", "silenced"),
    ]
    desk.close()


def test_what_was_held_never_overtakes(tmp_path: Path) -> None:
    make_state(tmp_path)
    desk = open_desk(tmp_path)
    with desk.write() as db:
        put_endpoint(db, endpoint())
        put_silence(db, silence(T0, T0 + 2000, rule="port_faulted"))
    add_transitions(tmp_path, transition("a1"), transition("a1", "alert.updated", number=2))
    take_all(tmp_path, desk)
    with desk.write() as db:
        assert release_held(db, {}, T0 + 2000, T0) == 0
    assert states(desk) == [("alert.firing", "silenced"), ("alert.updated", "pending")]
    desk.close()


def test_what_went_out_is_closed_in_spite_of_a_silence(tmp_path: Path) -> None:
    make_state(tmp_path)
    desk = open_desk(tmp_path)
    with desk.write() as db:
        put_endpoint(db, endpoint())
    add_transitions(tmp_path, transition("a1"))
    take_all(tmp_path, desk)
    with desk.write() as db:
        put_silence(db, silence(T0, T0 + 60_000, rule="port_faulted"))
    add_transitions(tmp_path, transition("a1", "alert.resolved", number=2))
    take_all(tmp_path, desk)
    assert states(desk) == [("alert.firing", "pending"), ("alert.resolved", "pending")]
    desk.close()


def test_an_alert_that_explains_others_holds_them_back_and_lets_go_in_time(tmp_path: Path) -> None:
    make_state(tmp_path)
    desk = open_desk(tmp_path)
    with desk.write() as db:
        put_endpoint(db, endpoint())
    dark = {"rule": "site_power_loss", "device": "m1", "device_kind": "site_meter", "inhibits": ["port_faulted"]}
    add_transitions(
        tmp_path, transition("a1"), transition("dark", **dark), transition("a2"), transition("a3"),
        transition("else", station="depot"), transition("hot", rule="over_temperature"),
        transition("dark", "alert.resolved", number=2, **{**dark, "inhibits": []}),  # the rule was changed meanwhile
        transition("a3", "alert.resolved", number=3), transition("a4", number=4),
    )
    take_all(tmp_path, desk)
    dark_and_others = ["pending", "pending", "held", "held", "pending", "pending", "pending", "held", "held"]
    assert [s for _, s in states(desk)] == dark_and_others
    end_ms = T0 + 2000 + EXPLAINED_MS
    for now_ms, released in [(end_ms - 1, 0), (end_ms, 2)]:
        with desk.write() as db:
            assert release_held(db, {}, now_ms, T0) == released
    # a2 and a4 go out; of a3 nobody was told, so nobody hears that it is over.
    assert [s for _, s in states(desk)] == [*["pending"] * 3, "silenced", *["pending"] * 3, "silenced", "pending"]
    desk.close()


def test_a_recurring_maintenance_window_holds_its_devices(tmp_path: Path) -> None:
    make_state(tmp_path)
    desk = open_desk(tmp_path)
    # T0 is a Wednesday, 11:06:40 UTC, 19:06:40 in Shanghai.
    window = Exclusion(
        id="exc_1", station="harbour", devices=["p001"], from_ms=T0 - 1, to_ms=None, hours="Wed 19:00-20:00",
        timezone="Asia/Shanghai", by="Li", reason="cleaning",
    )
    with desk.write() as db:
        put_endpoint(db, endpoint())
        put_exclusion(db, window)
    add_transitions(tmp_path, transition("a1"), transition("a2", device="p002"))
    take_all(tmp_path, desk)
    assert len(list_exclusions(desk.reader, "harbour")) == 1
    assert [s for _, s in states(desk)] == ["held", "pending"]
    desk.close()


def test_alerts_page_by_time(tmp_path: Path) -> None:
    make_state(tmp_path)
    desk = open_desk(tmp_path)
    rows = [transition(f"a{i}", fired_ms=T0 + 1000 * (i // 2)) for i in range(6)]
    add_transitions(tmp_path, *rows)
    take_all(tmp_path, desk)
    first = list_alerts(desk.reader, where={"state": "firing"}, limit=4)
    rest = list_alerts(desk.reader, where={}, after=(first[-1][0], first[-1][1]), limit=4)
    assert [i for _, i, _ in first + rest] == [f"a{i}" for i in range(6)]
    one = list_alerts(desk.reader, where={}, from_ms=T0 + 1000, to_ms=T0 + 2000, limit=9)
    assert [i for _, i, _ in one] == ["a2", "a3"]
    assert list_alerts(desk.reader, where={"severity": "info"}, limit=9) == []
    assert alert_item(desk.reader, "a0", b"{}")["transitions"][0]["sequence"] == 1
    desk.close()


def test_closing_waits_for_the_thread_that_has_the_connection(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk.db")
    inside, go_on = threading.Event(), threading.Event()

    def hold() -> int:
        with desk.write() as db:
            inside.set()
            go_on.wait(10)
            return int(db.execute("SELECT 1").fetchone()[0])

    with ThreadPoolExecutor() as pool:
        held = pool.submit(hold)
        assert inside.wait(10)
        closed = pool.submit(desk.close)
        with pytest.raises(TimeoutError):
            closed.result(0.05)
        go_on.set()
        closed.result(10)
        assert held.result(10) == 1
    with pytest.raises(sqlite3.ProgrammingError):
        desk.cursor()
