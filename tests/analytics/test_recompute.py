"""After a recomputation everything is as if every reading had come in time, except the alerts of the past."""

import random
import sys
from pathlib import Path

import pytest
from naive.readings import Reading
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent))
from journalled import T0, River, port

from analytics.recompute import Done, Order, orders
from telemetry.errors import JournalError
from voltair.cli import app

STATES = ("Available", "Charging", "SuspendedEV", "Faulted", "Finishing")
TABLES = {"stations": {"s": {"kind": "charging", "ports": [{"id": "p0", "rated_kw": 7}, {"id": "p1"}]}}}


def stream(minutes: range, seed: int = 5) -> list[Reading]:
    """Return a reading a minute of each port: states, power, a register."""
    chance = random.Random(seed)  # noqa: S311 - a stream, no secret
    out = []
    for m in minutes:
        for name in ("p0", "p1"):
            state = STATES[(m // 7) % len(STATES)] if chance.random() < 0.9 else None
            out.append(port(name, 60 * m + chance.randrange(30), state, power_kw=m % 11, energy_kwh=100 + 0.1 * m))
    return out


def river_of(folder: Path, readings: list[Reading]) -> River:
    river = River(folder, readings)
    river.put_registry(TABLES)
    return river


def feed(river: River, readings: list[Reading], pieces: int = 10) -> None:
    for start in range(0, len(readings), pieces):
        river.write(readings[start : start + pieces])
        river.tick()
    river.work()


def test_what_came_too_late_is_in_its_place(tmp_path: Path) -> None:
    first, later = stream(range(180)), stream(range(180, 260))
    late = random.Random(1).sample(first[:240], 30)  # noqa: S311 - no secret
    in_time = [r for r in first if r not in late]
    river = river_of(tmp_path / "late", first)
    feed(river, in_time)
    feed(river, late)
    assert river.analytics.engine.counters["too_late"] == len(late)
    told = river.told()
    calm = river_of(tmp_path / "calm", first)
    feed(calm, first)
    calm.analytics.commit()
    river.analytics.commit()
    assert river.minutes() != calm.minutes()

    river.analytics.recompute()
    assert river.minutes() == calm.minutes()
    assert runs(river) == runs(calm)
    assert river.told() == told
    assert river.analytics.engine.counters["analysed"] == len(first)

    # It goes on from there, and over a kill.
    river.kill()
    for one in (river, calm):
        feed(one, later)
        one.analytics.commit()
    assert river.minutes() == calm.minutes()
    assert runs(river) == runs(calm)
    new = [t for t in river.told() if t not in told]
    assert new
    assert new == [t for t in calm.told() if t[2] > T0 + 180 * 60_000]


def runs(river: River) -> list[object]:
    return list(river.db().execute("SELECT * FROM run ORDER BY 1, 2, 3, 4, 5"))


def test_rows_that_are_out_are_published_again_where_minutes_changed(tmp_path: Path) -> None:
    readings = stream(range(200))
    late = [r for r in readings if r["time_ms"] < T0 + 300_000]
    river = river_of(tmp_path, readings)
    feed(river, [r for r in readings if r not in late])
    for _ in range(8):
        river.tick()
    feed(river, late)
    river.analytics.commit()
    before = len(river.rows("port_1m"))
    river.analytics.recompute()
    river.work()
    river.analytics.commit()
    again = river.rows("port_1m")[before:]
    times = {t for points in again for t in points.time_ms.tolist()}
    assert min(times) == T0


def test_a_journal_that_lost_its_beginning_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    readings = stream(range(100))
    river = river_of(tmp_path, readings)
    river.journal.segment_bytes = 2_000
    feed(river, readings)
    river.analytics.commit()
    river.journal.retire(done=10**9, before_ms=2**60)
    before = river.everything()
    with pytest.raises(JournalError, match=r"begins at entry \d+.*raise journal.keep"):
        river.analytics.recompute()
    assert river.everything() == before
    assert not list(tmp_path.glob("recompute-*"))


def test_the_running_role_takes_an_order_and_answers(tmp_path: Path) -> None:
    readings = stream(range(60))
    river = river_of(tmp_path, readings)
    feed(river, readings[20:])
    feed(river, readings[:20])
    assert river.analytics.engine.counters["too_late"] > 0
    box = orders(tmp_path)
    names = [box.put(Order()), box.put(Order())]
    river.analytics._recompute_if_asked()
    assert [box.answered(name) for name in names] == [Done(), Done()]
    assert list(box.take()) == []
    assert min(t for _, t in river.minutes()) == T0


def test_the_command_does_it_where_no_role_runs(tmp_path: Path) -> None:
    readings = stream(range(60))
    river = river_of(tmp_path / "voltair-data", readings)
    feed(river, readings[20:])
    feed(river, readings[:20])
    river.analytics.commit()
    assert min(t for _, t in river.minutes()) > T0
    (tmp_path / "voltair.toml").write_text('[clock]\nmode = "event"\n')
    answer = CliRunner().invoke(app, ["recompute", "--config", str(tmp_path / "voltair.toml")])
    assert (answer.exit_code, answer.output) == (0, "recomputed\n")
    assert min(t for _, t in river.minutes()) == T0
