import json
import time

import pytest
from servers import mosquitto

from simulators import commands
from telemetry.errors import ConfigError, VoltairError


def _lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_file_holds_a_message_a_line_and_the_same_call_gives_the_same_bytes(tmp_path):
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    count = commands.simulate("charging-day", duration="2m", out=one)
    assert commands.simulate("charging-day", duration="2m", out=two) == count
    assert one.read_bytes() == two.read_bytes()
    lines = _lines(one)
    assert len(lines) == count
    assert all(set(line) == {"topic", "payload"} for line in lines)
    assert {line["topic"] for line in lines} >= {f"voltair/v1/harbour/port/p{k:02}/telemetry" for k in range(1, 41)}
    assert lines[0]["payload"]["ts"] == 1_780_243_200_000  # 2026-05-31T16:00:00Z
    assert lines[-1]["payload"]["ts"] - lines[0]["payload"]["ts"] < 120_000


def test_seed_start_and_duration_are_taken(tmp_path):
    out = tmp_path / "out.jsonl"
    commands.simulate("air-day", seed=5, start="2020-02-03T00:00:00+01:00", duration="1m", out=out)
    first = out.read_bytes()
    assert _lines(out)[0]["payload"]["ts"] == 1_580_684_400_000
    commands.simulate("air-day", seed=6, start="1580684400000", duration="1m", out=out)
    assert out.read_bytes() != first


def test_the_truth_names_each_fault_with_its_times(tmp_path):
    truth = tmp_path / "truth.json"
    commands.simulate("demo", duration="1m", out=tmp_path / "out.jsonl", truth_file=truth)
    table = json.loads(truth.read_text())
    assert (table["schema"], table["scenario"]) == ("voltair.truth.1", "demo")
    assert (table["from"], table["to"]) == ("2026-06-01T00:00:00.000Z", "2026-06-01T00:01:00.000Z")
    (fault,) = table["faults"]
    assert (fault["fault"], fault["device"], fault["rule"]) == ("port_fault", "p07", "port_faulted")
    assert (fault["from"], fault["to"]) == ("2026-06-01T00:00:40.000Z", "2026-06-01T00:01:00.000Z")
    assert {row["station"] for row in table["stations"]} == {"harbour", "isle"}


@pytest.mark.server
def test_real_time_begins_now(tmp_path):
    with mosquitto() as server:
        begin = time.time()
        count = commands.simulate("charging-day", duration="2s", broker=server.url)
        assert count > 10
        assert time.time() - begin < 30


@pytest.mark.server
def test_a_recording_goes_to_the_broker(tmp_path):
    path = tmp_path / "log.csv"
    rows = [f"5/1/2022 5:{m:02d},{m},80" for m in range(60)]
    path.write_text("\n".join(["DateTime,Compressor A1 (kW),Pressure (psig)", *rows]))
    with mosquitto() as server:
        assert commands.replay(path, format_name="measur-log", broker=server.url) == 120
    out = tmp_path / "out.jsonl"
    assert commands.replay(path, format_name="measur-log", station="mill", out=out) == 120
    assert _lines(out)[1]["topic"] == "voltair/v1/mill/air_main/main/telemetry"


def test_any_fault_may_be_added_to_a_scenario_and_stands_in_its_truth(tmp_path):
    faults = ["silence,device=p03,at=1m", "loss,size=0.5,at=1m", "port_fault,device=p05", "unit_change,station=isle"]
    truth, out = tmp_path / "truth.json", tmp_path / "out.jsonl"
    count = commands.simulate("demo", duration="2m", out=tmp_path / "plain.jsonl")
    assert commands.simulate("demo", duration="2m", out=out, faults=faults, truth_file=truth) < 0.9 * count
    p03 = [line["payload"]["ts"] for line in _lines(out) if "/p03/" in line["topic"]]
    assert max(p03) - min(p03) < 60_000
    found = {(f["fault"], f["station"], f["device"]) for f in json.loads(truth.read_text())["faults"]}
    assert found >= {
        ("silence", "harbour", "p03"), ("loss", "harbour", None), ("loss", "isle", None),
        ("port_fault", "harbour", "p05"), ("unit_change", "isle", None),
    }  # fmt: skip
    with pytest.raises(ConfigError, match="p99"):
        commands.simulate("demo", duration="2m", out=out, faults=("silence,device=p99",))


def test_faults_on_top_of_a_recording(tmp_path):
    path, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    count = commands.simulate("demo", duration="1m", out=path)
    loud = commands.replay(path, format_name="voltair", out=out, faults=("duplicates,size=1", "loss,size=0.5"), seed=3)
    assert 0.8 * count < loud < 1.2 * count
    with pytest.raises(ConfigError, match=r"'leak' needs a model.*silence"):
        commands.replay(path, format_name="voltair", out=out, faults=("leak",))


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"duration": "soon"}, "soon"),
        ({"start": "tomorrow"}, "tomorrow"),
        ({"speed": "warp"}, "warp"),
        ({"broker": "mqtt://x", "out": "out"}, "not both"),
        ({"out": "out"}, "--duration"),
    ],
)
def test_wrong_arguments_name_themselves(arguments, part):
    with pytest.raises(ConfigError, match=part):
        commands.simulate("demo", **arguments)


def test_a_file_that_cannot_be_written_says_so(tmp_path):
    with pytest.raises(VoltairError, match="cannot be written"):
        commands.simulate("charging-day", duration="5s", out=tmp_path / "none" / "out.jsonl")


def test_scenarios_are_listed():
    assert ("demo" in dict(commands.scenarios())) is True
