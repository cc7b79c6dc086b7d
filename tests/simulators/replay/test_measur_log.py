from collections import Counter, defaultdict

import pytest
from simulators_support import decoded

from simulators.replay import replay_messages
from telemetry.errors import ConfigError, VoltairError

MACHINES = {"A1", "B1", "C1", "D1", "A2", "B2", "C2", "D2"}


@pytest.fixture(scope="module")
def log(data_dir):
    return data_dir / "measur-log" / "eight-compressors_2022-05.csv"


@pytest.fixture(scope="module")
def readings(log):
    found = defaultdict(list)
    for reading in decoded(replay_messages(log, "measur-log")):
        assert reading.station == "measur"
        found[reading.kind, reading.device].append(reading.values)
    return found


def test_every_row_of_every_machine_is_a_point_of_its_own(readings):
    assert {device for kind, device in readings if kind == "compressor"} == MACHINES
    assert set(readings) - {("compressor", m) for m in MACHINES} == {("air_main", "main")}
    for rows in readings.values():
        assert len({(v["ts"], v["seq"]) for v in rows}) == len(rows) == 22_148
        assert sum(n - 1 for n in Counter(v["ts"] for v in rows).values()) == 370
        assert [(v["ts"], v["seq"]) for v in rows] == sorted((v["ts"], v["seq"]) for v in rows)
    assert readings["air_main", "main"][0]["ts"] == 1_651_381_200_000  # 2022-05-01T05:00:00Z


def test_pressure_and_total_power_are_those_of_the_recording(readings):
    psig = sorted(v["pressure_bar"] / 0.0689475729 for v in readings["air_main", "main"])
    assert [round(psig[int(share * len(psig))], 1) for share in (0.05, 0.5, 0.95)] == [79.4, 82.6, 89.6]
    negative = [v["ts"] for v in readings["air_main", "main"] if v["pressure_bar"] < 0]
    assert negative[-1] - negative[0] == 15 * 60_000
    totals = sorted(map(sum, zip(*([v["power_kw"] for v in readings["compressor", m]] for m in MACHINES), strict=True)))
    assert totals[len(totals) // 20] == pytest.approx(2060, abs=5)
    assert totals[-len(totals) // 20] == pytest.approx(2700, abs=5)
    assert sum(v["power_kw"] > 500 for v in readings["compressor", "A1"]) == 143


def test_a_second_run_gives_the_same_bytes(log):
    assert list(replay_messages(log, "measur-log", "s")) == list(replay_messages(log, "measur-log", "s"))


def test_an_empty_cell_gives_no_reading(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("DateTime,Compressor A1 (kW),Pressure (psig)\n5/1/2022 5:00,,80\n5/1/2022 5:01,10.5,\n")
    found = [(m.device, m.values) for m in decoded(replay_messages(path, "measur-log", "x"))]
    assert found == [
        ("main", {"ts": 1_651_381_200_000, "seq": 0, "pressure_bar": 80 * 0.0689475729}),
        ("A1", {"ts": 1_651_381_260_000, "seq": 1, "power_kw": 10.5}),
    ]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "DateTime,Compressor A1 (kW)\nyesterday,5\n"])
def test_a_file_of_another_kind_is_refused_by_name(tmp_path, text):
    path = tmp_path / "other.csv"
    path.write_text(text)
    with pytest.raises(VoltairError, match=r"other\.csv is no logger export"):
        list(replay_messages(path, "measur-log"))


def test_a_missing_file_and_an_unknown_format_say_so(tmp_path):
    with pytest.raises(VoltairError, match="cannot be read"):
        list(replay_messages(tmp_path / "none.csv", "measur-log"))
    with pytest.raises(ConfigError, match="acn-sim, acn-sessions"):
        replay_messages(tmp_path / "none.csv", "parquet")
