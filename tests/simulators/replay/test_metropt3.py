import hashlib
import zipfile
from collections import Counter

import pytest
from simulators_support import decoded

from simulators.replay import metropt3, replay_messages
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


def test_the_whole_data_set_is_known_by_its_checksum(excerpt, tmp_path, monkeypatch):
    data = excerpt.read_bytes()
    whole = tmp_path / "MetroPT3.csv"
    whole.write_bytes(data)
    zipped = tmp_path / "metropt.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("Data Description.pdf", b"")
        archive.writestr("MetroPT3(AirCompressor).csv", data)
    sums = {f.stat().st_size: hashlib.sha256(f.read_bytes()).hexdigest() for f in (whole, zipped)}
    monkeypatch.setattr(metropt3, "PUBLISHED", sums)
    expected = list(replay_messages(excerpt, "metropt3"))
    assert list(replay_messages(whole, "metropt3")) == list(replay_messages(zipped, "metropt3")) == expected
    whole.write_bytes(data.replace(b"9.358", b"9.359", 1))
    with pytest.raises(VoltairError, match="are not the data set as published"):
        list(replay_messages(whole, "metropt3"))
    whole.write_bytes(data[:-1000])
    with pytest.raises(VoltairError, match="are not the data set as published"):
        list(replay_messages(whole, "metropt3"))


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n"])
def test_a_file_of_another_kind_is_refused_by_name(tmp_path, text):
    file = tmp_path / "other.csv"
    file.write_text(text)
    with pytest.raises(VoltairError, match=r"other\.csv is no file of MetroPT-3: it has no column 'timestamp'"):
        list(replay_messages(file, "metropt3"))
