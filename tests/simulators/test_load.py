from collections import defaultdict

import pytest
from simulators_support import decoded

from simulators import commands
from simulators.load import load_messages
from telemetry.channels import KIND_BY_NAME, PORT_STATUS
from telemetry.errors import ConfigError

T0 = 1_700_000_000_000


def test_every_device_speaks_in_turn_and_every_message_is_another_valid_reading():
    messages = list(load_messages(1500, 3000.0, T0, 1500 * 50))
    assert len(set(messages)) == len({(m.topic, m.payload) for m in messages}) == 1500 * 50
    assert [m.time_ms for m in messages[::3000]] == [T0 + 1000 * k for k in range(25)]
    port, found = KIND_BY_NAME["port"], defaultdict(list)
    for reading in decoded(messages):
        found[reading.station, reading.device].append(reading.values)
    assert len(found) == 1500
    assert {station for station, _ in found} == {"load0000", "load0001"}
    for values in found.values():
        assert [v["seq"] for v in values] == list(range(50))
        assert {v["status"] for v in values} <= set(PORT_STATUS)
        registers = [v["energy_kwh"] for v in values]
        assert registers == sorted(registers)
        assert registers[-1] - registers[0] == pytest.approx(sum(v["power_kw"] for v in values[1:]) / 7200, abs=0.001)
        for name in ("power_kw", "energy_kwh"):
            channel = port.channel(name)
            assert channel is not None
            assert all(channel.low <= v[name] <= channel.high for v in values)


def test_a_million_devices_have_a_topic_each():
    topics = {m.topic for m in load_messages(1_000_000, 1e6, T0, 1_000_000)}
    assert len(topics) == 1_000_000


def test_rate_and_duration_give_the_number_of_messages(tmp_path):
    assert commands.load(600, duration="2m", out=tmp_path / "a.jsonl") == 1200
    assert commands.load(600, rate=500.0, duration="2s", out=tmp_path / "a.jsonl") == 1000


@pytest.mark.parametrize(
    ("more", "match"),
    [
        ({"devices": 0}, "1 to 1,000,000"),
        ({"devices": 1_000_001}, "1 to 1,000,000"),
        ({"rate": 0.0}, "above 0"),
        ({"duration": "long"}, "'long' is not like"),
        ({"duration": None}, "needs --duration"),
    ],
)
def test_what_cannot_be_says_why(tmp_path, more, match):
    with pytest.raises(ConfigError, match=match):
        commands.load(**({"devices": 5, "duration": "1s", "out": tmp_path / "a.jsonl"} | more))
