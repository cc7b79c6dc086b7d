import json

import pytest

from simulators.replay import replay_messages, replay_tables
from telemetry.errors import VoltairError
from telemetry.registry import registry_from_tables


@pytest.fixture(scope="module")
def log(data_dir):
    return data_dir / "ocpp-log" / "ocpp_1_6_synthetic_logs_14d.csv"


def test_every_row_is_a_frame_in_an_envelope(log):
    messages = list(replay_messages(log, "ocpp-log"))
    assert len(messages) == 17_670
    assert [m.time_ms for m in messages] == sorted(m.time_ms for m in messages)
    assert {m.topic for m in messages} == {"ocpp/CH-001/log", "ocpp/CH-002/log"}
    first = json.loads(messages[0].payload)
    assert first["at"] == "2025-10-01T08:00:00.000Z"
    assert first["frame"][2:] == ["Heartbeat", {}]
    frames = [json.loads(m.payload)["frame"] for m in messages]
    assert sum(frame[0] == 2 and frame[2] == "StartTransaction" for frame in frames) == 39


def test_the_files_beside_the_log_say_which_ports_there_are(log):
    station = registry_from_tables(replay_tables(log, "ocpp-log"), "test").stations["kwwhat"]
    assert [(p.id, p.charge_point, p.connectors) for p in station.ports] == [
        ("CH-001-1", "CH-001", 2), ("CH-001-2", "CH-001", 2), ("CH-002-1", "CH-002", 2), ("CH-002-2", "CH-002", 2),
    ]  # fmt: skip
    assert station.moment(station.ports[0].commissioned) == 1_759_305_600_000
    assert station.ports[2].decommissioned is None


@pytest.mark.parametrize("row", ["soon,CH,x,[]", "2025-10-01T08:00:00Z,CH,x,{}", "2025-10-01T08:00:00Z,,x,[]"])
def test_a_row_that_is_no_message_is_named(tmp_path, row):
    file = tmp_path / "log.csv"
    file.write_text(f"timestamp,id,action,msg\n{row}\n")
    with pytest.raises(VoltairError, match=r"log\.csv is no log of OCPP"):
        list(replay_messages(file, "ocpp-log"))
    with pytest.raises(VoltairError, match=r"chargers\.csv cannot be read"):
        replay_tables(file, "ocpp-log")
    file.write_text("a,b\n")
    with pytest.raises(VoltairError, match="no column 'id'"):
        list(replay_messages(file, "ocpp-log"))
