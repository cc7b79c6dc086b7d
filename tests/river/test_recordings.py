"""Recordings through the whole river: the published numbers, whatever the speed and whichever the store."""

import csv
import gzip
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from river.replays import FIRST_H, LLF, MEASUR, UNCTRL, Recording, Replays
from river.stack import Json

from telemetry.times import HOUR_MS, format_time

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(900)]

ROWS = 22_148
"""Of the logger's file; it has 8 machines and one pressure."""


def energies(answer: Json, kind: str) -> dict[str, float]:
    return {d["device"]: d["kpis"]["energy_kwh"] for d in answer["devices"] if d["kind"] == kind}


def acn_energies(path: Path) -> dict[str, float]:
    """Integrate the recorded currents, straight from the file."""
    root = json.loads(json.loads(gzip.decompress(path.read_bytes())))
    simulator = root["context_dict"][root["id"]]["attributes"]
    network = root["context_dict"][simulator["network"]]["attributes"]
    names = [re.sub("[^A-Za-z0-9_-]", "_", name) for name in network["_EVSEs"]]
    kwh = np.array(simulator["charging_rates"]).sum(axis=1) * 208.0 / 1000.0 * 5.0 / 60.0
    return dict(zip(names, kwh.tolist(), strict=True))


def measur_energies(path: Path) -> dict[str, float]:
    """Integrate the recorded powers by the trapezoid rule, straight from the file."""
    with path.open(newline="") as file:
        header, *rows = list(csv.reader(file))
    times_h = [datetime.strptime(row[0], "%m/%d/%Y %H:%M").replace(tzinfo=UTC).timestamp() / 3600 for row in rows]
    assert len(rows) == ROWS
    found = {}
    for column, name in enumerate(header):
        if name.startswith("Compressor"):
            kw = [float(row[column]) for row in rows]
            device = re.sub(r"Compressor|\(kW\)|\s", "", name)
            found[device] = float(np.trapezoid(kw, times_h))
    return found


@pytest.mark.parametrize(
    ("name", "recording", "charging_utilisation"),
    [("acn at max", LLF, 0.02907), ("acn uncontrolled at max", UNCTRL, 0.02869)],
)
def test_the_garage_has_its_published_figures(
    replays: Replays, data_dir: Path, name: str, recording: Recording, charging_utilisation: float
) -> None:
    found = replays[name]
    assert found.progress["received"] == found.progress["analysed"] == found.messages == 54 * 10_733
    answer = found.kpis["whole"]
    assert (answer["from"], answer["to"]) == (format_time(recording.from_ms), format_time(recording.to_ms))
    assert answer["coverage"] == 1.0
    kpis = answer["kpis"]
    assert kpis["occupied_utilisation"] == pytest.approx(0.12849, abs=0.00001)
    assert kpis["charging_utilisation"] == pytest.approx(charging_utilisation, abs=0.00001)
    assert kpis["sessions"] == 954
    assert len(found.sessions["whole"]) == 954
    expected = acn_energies(data_dir / recording.path)
    assert len(expected) == 54
    assert energies(answer, "port") == pytest.approx(expected, abs=0.1)
    assert kpis["energy_kwh"] == pytest.approx(sum(expected.values()), abs=0.1)
    assert sum(s["energy_kwh"] for s in found.sessions["whole"]) == pytest.approx(sum(expected.values()), abs=1.0)


@pytest.mark.parametrize("name", ["measur at max", "measur into influx"])
def test_the_compressor_room_has_its_energy_and_every_point(replays: Replays, data_dir: Path, name: str) -> None:
    found = replays[name]
    assert found.progress["received"] == found.progress["written"] == found.messages == 9 * ROWS
    expected = measur_energies(data_dir / MEASUR.path)
    assert energies(found.kpis["whole"], "compressor") == pytest.approx(expected, rel=0.001)
    assert found.series == dict.fromkeys(expected, ROWS)


def test_both_stores_hold_the_same_raw_points(replays: Replays) -> None:
    embedded, influx = replays["measur at max"].raw, replays["measur into influx"].raw
    assert len(embedded) == 9 * ROWS
    assert len({point[:4] for point in embedded}) == 9 * ROWS
    assert embedded == influx  # a plain comparison: pytest would explain 200,000 points for minutes


@pytest.mark.parametrize("recording", ["acn", "measur"])
def test_speed_does_not_matter_for_the_whole(replays: Replays, recording: str) -> None:
    fast, slow = replays[f"{recording} at max"], replays[f"{recording} at 36000"]
    assert slow.kpis == fast.kpis
    assert slow.sessions == fast.sessions
    assert slow.messages == fast.messages


@pytest.mark.parametrize("hours", FIRST_H)
@pytest.mark.parametrize("recording", [LLF, MEASUR], ids=lambda r: r.station)
def test_speed_does_not_matter_for_the_first_hours(replays: Replays, recording: Recording, hours: int) -> None:
    window = f"{hours} h"
    end = format_time(recording.from_ms + hours * HOUR_MS)
    whole, cut = replays[f"{recording.station} at max"], replays[f"{recording.station} at 600"]
    assert cut.kpis[window] == whole.kpis[window]
    if recording.is_charging:
        assert ended(cut.sessions[window], end) == ended(whole.sessions[window], end)
        # A session that goes on is still open where the recording was cut.
        assert begun(cut.sessions[window]) == begun(whole.sessions[window])
        assert hours == 6 or begun(cut.sessions[window])


def ended(sessions: list[Json], end: str | None) -> list[Json]:
    return [s for s in sessions if s["end"] is not None and str(s["end"]) <= str(end)]


def begun(sessions: list[Json]) -> list[tuple[str, str, str]]:
    return [(s["port"], s["session_id"], s["start"]) for s in sessions]
