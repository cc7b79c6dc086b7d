"""Registers that tell the energy of the session alone: each session has its own, and resets say what they came with."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from journalled import T0, River
from naive.streams import Reading, reading

from analytics.arrive import FOLD_READINGS, in_parts
from analytics.loading import load_window
from analytics.sessions import sessions_ending
from store.journal import Entry, EntryType
from store.state import StateReader


def at(second: int, status: str, session: str = "", **values: float) -> Reading:
    codes = {"status": status, **({"session_id": session} if session else {})}
    return reading("port", "p1", T0 + 1000 * second, values=values, codes=codes)


def charge(second: int, session: str, delivered: list[float], power: float | None = None) -> list[Reading]:
    gauge = {} if power is None else {"power_kw": power}
    return [at(second + 60 * i, "Charging", session, energy_kwh=kwh, **gauge) for i, kwh in enumerate(delivered)]


# With a gauge the interval of a reset counts its integral: the lines from 6 kW down to 0 and up again, 6 and 3 minutes.
@pytest.mark.parametrize(("power", "energies"), [(None, [0.9, 0.7, 0.5]), (6.0, [1.2, 0.85, 0.5])])
def test_each_session_has_its_own_energy(tmp_path: Path, power: float | None, energies: list[float]) -> None:
    steps = [round(0.1 * i, 3) for i in range(10)]
    idle = {} if power is None else {"power_kw": 0.0}
    stream = [
        *charge(0, "A", steps, power), at(600, "Available", **idle), *charge(900, "B", steps[:8], power),
        at(1380, "Available", **idle), *charge(1500, "C", steps[:6], power), at(1860, "Available", **idle),
    ]
    river = River(tmp_path, stream)
    river.write(stream)
    river.work()
    river.analytics.commit()
    reader = StateReader.open(river.config.data / "state.db")
    window = load_window(reader, river.analytics.engine.registry, "s", T0, T0 + 3_600_000)
    sessions = sessions_ending(window)
    assert [s.session_id for s in sessions] == ["A", "B", "C"]
    assert [s.energy_kwh for s in sessions] == pytest.approx(energies, abs=1e-9)
    minutes = window.minutes["port"]
    assert (minutes.get("energy_resets").sum(), minutes.get("energy_session_resets").sum()) == (2, 2)


def test_a_reset_within_a_session_is_none_of_a_session(tmp_path: Path) -> None:
    stream = charge(0, "A", [5.0, 5.1, 0.0, 0.1, 0.2, 0.3, 0.4])
    river = River(tmp_path, stream)
    river.write(stream)
    river.work()
    river.analytics.commit()
    minutes = river.minutes()
    assert sum(m.get("energy_resets", 0) for m in minutes.values()) == 1
    assert sum(m.get("energy_session_resets", 0) for m in minutes.values()) == 0


def test_frames_are_folded_in_parts_of_bounded_size() -> None:
    sizes = [FOLD_READINGS // 2, FOLD_READINGS // 2, 1, 3 * FOLD_READINGS, 2, 2]
    frames = [Entry(i, EntryType.FRAME, 0, size, b"") for i, size in enumerate(sizes)]
    parts = list(in_parts(frames))
    assert [[e.number for e in part] for part in parts] == [[0, 1], [2], [3], [4, 5]]
