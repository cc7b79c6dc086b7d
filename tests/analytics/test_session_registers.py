"""Registers that count the energy of one session: each session has its own, no reset is told, the log says so once."""

import logging
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

STEPS = [round(0.1 * i, 3) for i in range(10)]


def at(second: int, status: str, session: str = "", **values: float) -> Reading:
    codes = {"status": status, **({"session_id": session} if session else {})}
    return reading("port", "p1", T0 + 1000 * second, values=values, codes=codes)


def charge(second: int, session: str, delivered: list[float], power: float | None = None) -> list[Reading]:
    gauge = {} if power is None else {"power_kw": power}
    return [at(second + 60 * i, "Charging", session, energy_kwh=kwh, **gauge) for i, kwh in enumerate(delivered)]


def days(ids: str, *, kept: bool, power: float | None = None) -> list[Reading]:
    """Return three stays of 0.9, 0.7 and 0.5 kWh; `kept`: the register stays where it is until the next vehicle."""
    idle = {} if power is None else {"power_kw": 0.0}
    found: list[Reading] = []
    for n, (second, count) in enumerate(((0, 10), (900, 8), (1500, 6))):
        found += charge(second, ids[n].strip(), STEPS[:count], power)
        last = {"energy_kwh": STEPS[count - 1]} if kept else {}
        found.append(at(second + 60 * count, "Available", **idle, **last))
    return found


def worked(tmp_path: Path, stream: list[Reading]) -> River:
    river = River(tmp_path, stream)
    river.put_registry({"stations": {"s": {"kind": "charging", "ports": [{"id": "p1", "rated_kw": 22}]}}})
    for r in stream:
        river.write([r])
    for _ in range(8):
        river.tick()
    river.work()
    river.analytics.commit()
    return river


def energies(river: River) -> list[float | None]:
    reader = StateReader.open(river.config.data / "state.db")
    window = load_window(reader, river.analytics.engine.registry, "s", T0, T0 + 3_600_000)
    return [s.energy_kwh for s in sessions_ending(window)]


@pytest.mark.parametrize(("ids", "kept", "power", "kwh"), [
    ("ABC", False, None, [0.9, 0.7, 0.5]),
    ("ABC", True, None, [0.9, 0.7, 0.5]),
    ("   ", True, None, [0.9, 0.7, 0.5]),
    ("ABC", True, 6.0, [0.9, 0.7, 0.5]),
    # A register that says nothing after the last value of a stay: its interval reaches to the next vehicle and counts
    # the integral of power: 6 kW down to 0 in 60 s and up again over 300 (120) s. Nobody comes after the third.
    ("ABC", False, 6.0, [0.9 + 6 * 360 / 2 / 3600, 0.7 + 6 * 180 / 2 / 3600, 0.5]),
])
def test_each_session_has_its_own_energy(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, ids: str, kept: bool, power: float | None, kwh: list[float]
) -> None:
    caplog.set_level(logging.INFO, "voltair.analytics")
    river = worked(tmp_path, days(ids, kept=kept, power=power))
    assert energies(river) == pytest.approx(kwh, abs=1e-9)
    assert [rule for rule, _, _ in river.told() if rule.endswith("meter_reset")] == []
    (line,) = [r.getMessage() for r in caplog.records if "register" in r.getMessage()]
    assert line.startswith("s/p1: its energy register begins anew with a session")


def test_of_a_meter_that_is_replaced_between_two_sessions_a_reset_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It stood higher than a session can bring it, or fell while nobody was there."""
    caplog.set_level(logging.INFO, "voltair.analytics")
    high = [*charge(0, "A", [10_000 + s for s in STEPS]), at(600, "Available"), *charge(900, "B", STEPS)]
    free = [*charge(0, "A", [20 + s for s in STEPS]), at(600, "Available", energy_kwh=20.9),
            *(at(660 + 60 * i, "Available", energy_kwh=0.0) for i in range(5))]
    for name, stream in (("high", high), ("free", free)):
        river = worked(tmp_path / name, stream)
        assert "port_meter_reset" in {rule for rule, _, _ in river.told()}, name
    assert not [r for r in caplog.records if "register" in r.getMessage()]


@pytest.mark.parametrize(("falls_with", "told"), [("Charging", False), ("Preparing", True)])
def test_the_register_of_a_port_without_ids_begins_anew_as_preparing_ends(
    tmp_path: Path, falls_with: str, told: bool
) -> None:
    stream = [*charge(0, "", STEPS), at(600, "Available", energy_kwh=0.9), at(660, "Preparing", energy_kwh=0.9),
              at(720, falls_with, energy_kwh=0.0), *charge(780, "", STEPS)]
    river = worked(tmp_path, stream)
    assert ("port_meter_reset" in {rule for rule, _, _ in river.told()}) is told


def test_a_reset_within_a_session_is_told(tmp_path: Path) -> None:
    river = worked(tmp_path, charge(0, "A", [5.0, 5.1, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5]))
    assert "port_meter_reset" in {rule for rule, _, _ in river.told()}


def test_a_small_fall_that_comes_back_is_a_glitch(tmp_path: Path) -> None:
    """Seen at the start of a session: 2,259,988 Wh at stop, 2,259,992.1 Wh just after (lbbrhzn/ocpp#1069)."""
    back = [2259.9921, 2259.988, 2259.9921, 2260.1, 2260.2, 2260.3]
    stream = [at(0, "Available", energy_kwh=2259.9921), *charge(60, "A", back)]
    stream.append(at(420, "Available", energy_kwh=2260.3))
    river = worked(tmp_path, stream)
    assert energies(river) == pytest.approx([2260.3 - 2259.9921], abs=1e-9)
    assert [rule for rule, _, _ in river.told() if "meter" in rule] == []


def test_frames_are_folded_in_parts_of_bounded_size() -> None:
    sizes = [FOLD_READINGS // 2, FOLD_READINGS // 2, 1, 3 * FOLD_READINGS, 2, 2]
    frames = [Entry(i, EntryType.FRAME, 0, size, b"") for i, size in enumerate(sizes)]
    parts = list(in_parts(frames))
    assert [[e.number for e in part] for part in parts] == [[0, 1], [2], [3], [4, 5]]
