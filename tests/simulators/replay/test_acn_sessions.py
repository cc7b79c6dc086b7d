import gzip
import json
from itertools import pairwise

import pytest

from simulators.replay import replay_messages, replay_tables
from simulators.replay.acn_sessions import LIFE_MS, acn_sessions_messages, read_acn_sessions
from telemetry.errors import VoltairError
from telemetry.registry import registry_from_tables

HEADER = "arrival,departure,delivered_energy (kWh),station_id,session_id\n"


def by_port(messages):
    found = {}
    for message in messages:
        readings = json.loads(message.payload)
        assert message.time_ms == readings[-1]["ts"]
        found.setdefault(message.topic.split("/")[-2], []).extend(readings)
    return found


@pytest.mark.parametrize(
    ("name", "sessions", "ports", "energy_kwh", "occupied"),
    [
        ("caltech_2019-05-01_2019-08-31", 3527, 52, 29_532.8, 0.1422),
        ("caltech_2021-05-01_2021-08-31", 1829, 40, 22_783.6, 0.0476),
    ],
)
def test_the_published_numbers_stand_in_the_messages(data_dir, name, sessions, ports, energy_kwh, occupied):
    file = data_dir / "acn-sessions" / f"{name}.csv.gz"
    window = read_acn_sessions(file)
    found = by_port(acn_sessions_messages(file, "s", life_ms=86_400_000))
    assert len(found) == ports
    ids, energy, held_ms = [], 0.0, 0
    for readings in found.values():
        energy += [r["energy_kwh"] for r in readings if "energy_kwh" in r][-1]
        states = [r for r in readings if "status" in r]
        for here, after in pairwise(states):
            if here["status"] == "Occupied":
                ids.append(here["session_id"])
                held_ms += min(after["ts"], window.to_ms) - here["ts"]
    assert len(ids) == len(set(ids)) == sessions
    assert energy == pytest.approx(energy_kwh, abs=0.05)
    assert held_ms / (window.to_ms - window.from_ms) / ports == pytest.approx(occupied, abs=0.00005)


def test_a_port_is_never_silent_for_longer_than_the_default_allows(data_dir):
    file = data_dir / "acn-sessions" / "caltech_2021-05-01_2021-08-31.csv.gz"
    window = read_acn_sessions(file)
    messages = list(replay_messages(file, "acn-sessions"))
    assert [m.time_ms for m in messages] == sorted(m.time_ms for m in messages)
    for readings in by_port(messages).values():
        times = [r["ts"] for r in readings]
        assert times[0] == window.from_ms
        assert times[-1] >= window.to_ms
        assert max(b - a for a, b in pairwise(times)) <= LIFE_MS <= 300_000
        assert min(b - a for a, b in pairwise(times)) > 0


def test_the_stations_file_lists_every_port_with_its_rating(data_dir):
    file = data_dir / "acn-sessions" / "caltech_2021-05-01_2021-08-31.csv.gz"
    station = registry_from_tables(replay_tables(file, "acn-sessions", "garage"), "test").stations["garage"]
    assert len(station.ports) == 40
    assert {port.rated_kw for port in station.ports} == {6.656}


def test_the_window_is_whole_local_days_across_a_clock_change(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text(
        HEADER + "2019-11-02 23:30:00-07:00,2019-11-03 01:30:00-07:00,5,CA-1,a\n"
        "2019-11-03 01:10:00-08:00,2019-11-03 02:00:00-08:00,2.5,CA-1,b\n"
    )
    found = read_acn_sessions(file)
    assert found.to_ms - found.from_ms == (24 + 25) * 3_600_000
    (readings,) = by_port(replay_messages(file, "acn-sessions")).values()
    said = [(r["status"], r["energy_kwh"]) for r in readings if "status" in r]
    assert said == [("Available", 0), ("Occupied", 0), ("Available", 5), ("Occupied", 5), ("Available", 7.5)]


@pytest.mark.parametrize(
    "text",
    [
        "", "a,b\n1,2\n", HEADER, HEADER + "yesterday,today,1,CA-1,a\n",
        HEADER + "2019-05-02 01:00:00-07:00,2019-05-01 01:00:00-07:00,1,CA-1,a\n",
    ],
)  # fmt: skip
def test_a_file_of_another_kind_is_refused_by_name(tmp_path, text):
    file = tmp_path / "other.csv.gz"
    file.write_bytes(gzip.compress(text.encode()))
    with pytest.raises(VoltairError, match=r"other\.csv\.gz is no list of ACN sessions"):
        list(replay_messages(file, "acn-sessions"))
