"""A recording, read back, is what was received: through a real broker, journal and InfluxDB."""

from pathlib import Path

import msgspec
import pytest
from river.stack import stack
from servers import influxd

from simulators.message import PREFIX, Message, telemetry, telemetry_topic
from simulators.recorded import recorded_messages
from store.journal_reader import JournalReader
from telemetry.config import load_config
from telemetry.errors import ConfigError, JournalError
from voltair import record as module
from voltair.record import record

T0 = 1_700_000_000_000
PORT, MAIN = telemetry_topic("s", "port", "p1"), telemetry_topic("other", "air_main", "main")


def sent() -> list[Message]:
    """Readings of every shape; the last of them is older than the first."""
    messages = [
        telemetry(PORT, T0, {"seq": 7, "status": "Charging", "connector": "2", "session_id": "ä 1", "power_kw": 6.9}),
        telemetry(PORT, T0, {"seq": 8, "power_kw": 7, "departure": T0 + 5, "energy_kwh": 0.1}),
        telemetry(MAIN, T0 + 1, {"pressure_bar": -0.5}),
        telemetry(PORT, T0 + 2, {}),
        Message(T0 + 3, f"{PREFIX}/s/port/p1/online", b'{"online":0,"ts":%d}' % (T0 + 3)),
    ]
    messages += [telemetry(MAIN, T0 + 10 + k // 3, {"seq": k, "pressure_bar": k / 7}) for k in range(60)]
    return [*messages, telemetry(MAIN, T0 - 1000, {"pressure_bar": 7.0})]


def same(messages: list[Message]) -> list[tuple[str, str]]:
    return sorted((m.topic, repr(sorted(_values(m).items()))) for m in messages)


def _values(message: Message) -> dict[str, object]:
    found = msgspec.json.decode(message.payload)
    return {k: float(v) if type(v) is int and k.endswith(("_kw", "_kwh", "_bar")) else v for k, v in found.items()}


@pytest.mark.server
def test_a_recording_of_a_recording_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAGE", 2)  # of the same time there are more than a page holds
    one, two = tmp_path / "one.jsonl", tmp_path / "two.parquet"
    with influxd(folder=tmp_path / "influx") as influx:
        sections = f'[store]\nkind = "influx"\n[store.influx]\nurl = "{influx.url}"'
        with stack(tmp_path / "a", sections=sections) as river:
            assert river.publish(sent()) == len(sent())
            river.wait_drained()
            config = load_config(tmp_path / "a" / "voltair.toml")
            assert record(config, one) == len(sent())
            assert record(config, two, "influx") == len(sent()) - 2
        first = list(recorded_messages(one, ""))
        assert same(first) == same(sent())
        stored = list(recorded_messages(two, ""))
        no_points = [m for m in sent() if m.topic.endswith("online") or m.payload == b'{"ts":%d}' % m.time_ms]
        assert same(stored + no_points) == same(sent())
        assert [m.time_ms for m in stored] == sorted(m.time_ms for m in stored)
    with stack(tmp_path / "b") as river:
        river.publish(recorded_messages(one, ""))
        river.wait_drained()
        config = load_config(tmp_path / "b" / "voltair.toml")
        assert record(config, two) == len(first)
        assert list(recorded_messages(two, "")) == first
        assert record(config, two, "journal", T0, T0 + 2, "s") == 2
        assert {m.topic for m in recorded_messages(two, "")} == {PORT}
        with pytest.raises(ConfigError, match="journal, or influx where"):
            record(config, two, "influx")


def test_without_a_journal_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "voltair.toml").write_text("")
    config = load_config(tmp_path / "voltair.toml")
    with pytest.raises(JournalError, match="no journal in"):
        record(config, tmp_path / "out.jsonl")
    assert not JournalReader(config.data / "journal").exists()
