import hashlib
import zipfile
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from simulators_support import decoded

from simulators.commands import replay
from simulators.replay import replay_messages
from telemetry.errors import VoltairError


@pytest.fixture(scope="module")
def excerpt(data_dir):
    return data_dir / "metropt3" / "excerpt_2020-02-01.csv"


def test_states_follow_from_intake_valve_and_current(excerpt):
    readings = list(decoded(replay_messages(excerpt, "metropt3")))
    assert Counter((r.kind, r.device) for r in readings) == {
        ("compressor", "apu"): 1000, ("air_main", "main"): 1000, ("dryer", "dryer"): 1000}
    states = Counter(r.values["state"] for r in readings if r.kind == "compressor")
    assert states == {"stopped": 748, "unloaded": 201, "loaded": 51}
    assert readings[0].values == {
        "ts": 1_580_515_200_000, "state": "stopped", "discharge_pressure_bar": pytest.approx(-0.012),
        "oil_temperature_c": pytest.approx(53.6), "motor_current_a": 0.04,
    }  # fmt: skip
    assert readings[1].values == {"ts": 1_580_515_200_000, "pressure_bar": 9.358}
    assert readings[2].values == {"ts": 1_580_515_200_000, "purge_pressure_bar": pytest.approx(-0.024)}


COLUMNS = (
    "timestamp,TP2,TP3,H1,DV_pressure,Reservoirs,Oil_temperature,Motor_current,COMP,DV_eletric,Towers,MPG,LPS,"
    "Pressure_switch,Oil_level,Caudal_impulses"
)


def whole(counter):
    """Return a file as UCI hands out the whole one: a load of a minute every ten, for a day, with a gap of an hour."""
    lines = [f"{counter},{COLUMNS}"]
    begin = datetime(2020, 4, 18, tzinfo=UTC)
    for k in range(8_640):
        if 3_000 <= k < 3_360:
            continue
        time, loaded, idle = begin + timedelta(seconds=10 * k), k % 60 < 6, 6 <= k % 60 < 20
        values = (
            9.5 if loaded else -0.012, 8.7, 8.7 if loaded else 9.3, -0.02, 8.5 + (k % 60) / 100, 60.125,
            6.0 if loaded else 3.9 if idle else 0.04, 1.0 - loaded, float(loaded), 1.0, 1.0, 0.0, 1.0, 1.0, 1.0,
        )  # fmt: skip
        lines.append(",".join((str(10 * k), f"{time:%Y-%m-%d %H:%M:%S}", *map(str, values))))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("counter", ["", "index"])
def test_the_whole_data_set_is_read_like_an_excerpt_as_csv_or_zip(tmp_path, counter):
    file, zipped = tmp_path / "MetroPT3.csv", tmp_path / "metropt.zip"
    file.write_text(whole(counter))
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("Data Description.pdf", b"")
        archive.writestr("MetroPT3(AirCompressor).csv", file.read_bytes())
    messages = list(replay_messages(file, "metropt3"))
    assert list(replay_messages(zipped, "metropt3")) == messages
    readings = list(decoded(messages))
    states = Counter(r.values["state"] for r in readings if r.kind == "compressor")
    assert states == {"loaded": 828, "unloaded": 1_932, "stopped": 5_520}
    begin_ms = 1_587_168_000_000
    for place, device in enumerate(("apu", "main", "dryer")):
        own = readings[place::3]
        assert {r.device for r in own} == {device}
        assert [(r.values["ts"] - begin_ms) // 10_000 for r in own] == [*range(3_000), *range(3_360, 8_640)]
    assert readings[1].values == {"ts": begin_ms, "pressure_bar": 8.5}
    assert readings[2].values == {"ts": begin_ms, "purge_pressure_bar": -0.02}
    assert readings[3 * 7].values == {
        "ts": begin_ms + 70_000, "state": "unloaded", "discharge_pressure_bar": -0.012, "oil_temperature_c": 60.125,
        "motor_current_a": 3.9,
    }  # fmt: skip


def test_a_checksum_tells_the_file_that_is_meant(tmp_path):
    file, out = tmp_path / "MetroPT3.csv", tmp_path / "out.jsonl"
    file.write_text(whole("index"))
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert replay(file, format_name="metropt3", out=out, sha256=sha256.upper()) == 3 * 8_280
    out.unlink()
    with pytest.raises(VoltairError, match=rf"has SHA-256 {sha256}, not abc; fetch it again"):
        replay(file, format_name="metropt3", out=out, sha256="abc")
    assert not out.exists()
    with pytest.raises(VoltairError, match="cannot be read"):
        replay(tmp_path / "none.csv", format_name="metropt3", out=out, sha256=sha256)


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n"])
def test_a_file_of_another_kind_is_refused_by_name(tmp_path, text):
    file = tmp_path / "other.csv"
    file.write_text(text)
    with pytest.raises(VoltairError, match=r"other\.csv is no file of MetroPT-3: it has no column 'timestamp'"):
        list(replay_messages(file, "metropt3"))
