"""The doctor on real servers: it finds what is wrong, says what to do, and leaves nothing behind."""

import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hardened import PASSWORDS, hardened_mosquitto
from servers import Broker, find_program, free_port, influxd, mosquitto, running

from ingest.decode import Decoder
from store.journal import JournalWriter
from store.roles import wall_ms
from telemetry.config import Config, InfluxConfig, IngestConfig, JournalConfig, MqttConfig, StoreConfig
from telemetry.registry import Registry
from voltair import doctor_local, doctor_store
from voltair.doctor import examine
from voltair.doctor_broker import examine_broker
from voltair.doctor_local import examine_clocks, examine_data
from voltair.doctor_store import examine_store
from wire.mqtt.packets import Publish


def by_subject(findings):
    found = {}
    for finding in findings:
        assert finding.subject not in found
        found[finding.subject] = finding
    return found


def default_mosquitto(folder: Path, extra: str = "") -> Broker:
    port = free_port()
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", "sys_interval 1", extra]
    folder.mkdir()
    (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
    program = find_program("mosquitto", "mosquitto")
    return Broker([program, "-c", str(folder / "mosquitto.conf")], port, folder)


@pytest.mark.server
@pytest.mark.parametrize("protocol", [5, 4])
def test_a_mosquitto_with_its_defaults_loses_what_it_acknowledged(tmp_path, protocol):
    with running(default_mosquitto(tmp_path / "broker")) as broker:
        found = by_subject(examine_broker(Config(mqtt=MqttConfig(url=broker.url, protocol=protocol))))
    assert found["broker"].ok
    queue = found["broker queue"]
    assert not queue.ok
    assert "acknowledged 5,000" in queue.text
    assert "kept 1,0" in queue.text
    assert "max_queued_messages 0" in queue.text


@pytest.mark.server
@pytest.mark.parametrize("protocol", [5, 4])
def test_the_shipped_configuration_passes_and_nothing_is_left_behind(tmp_path, protocol):
    with hardened_mosquitto(tmp_path / "broker") as broker:
        settings = MqttConfig(url=broker.url, username="voltair", password=PASSWORDS["voltair"], protocol=protocol)
        found = by_subject(examine_broker(Config(mqtt=settings)))
        assert [f for f in found.values() if not f.ok] == []
        assert "all 5,000 messages" in found["broker queue"].text
        broker.stop()
        assert b"-doctor-" not in (broker.folder / "mosquitto.db").read_bytes()


@pytest.mark.server
def test_a_user_without_the_right_to_the_throwaway_topic_is_told_which(tmp_path):
    with hardened_mosquitto(tmp_path / "broker") as broker:
        settings = MqttConfig(url=broker.url, username="harbour", password=PASSWORDS["harbour"])
        found = by_subject(examine_broker(Config(mqtt=settings)))
    assert not found["broker queue"].ok
    assert "voltair/v1/doctor/+" in found["broker queue"].text


@pytest.mark.server
def test_a_wrong_password_and_no_broker_are_told_apart(tmp_path):
    with hardened_mosquitto(tmp_path / "broker") as broker:
        settings = MqttConfig(url=broker.url, username="voltair", password="guess")
        (refused,) = examine_broker(Config(mqtt=settings))
    assert "mqtt.password" in refused.text
    (absent,) = examine_broker(Config(mqtt=settings))
    assert "start the broker" in absent.text
    assert not refused.ok
    assert not absent.ok


@pytest.mark.server
def test_limits_of_the_broker_that_cost_messages_are_named(tmp_path):
    extra = "max_packet_size 5000\nretain_available false\nmax_queued_messages 0"
    with running(default_mosquitto(tmp_path / "broker", extra)) as broker:
        config = Config(mqtt=MqttConfig(url=broker.url), ingest=IngestConfig(max_payload_bytes=6_000))
        found = by_subject(examine_broker(config))
    assert not found["broker limits"].ok
    assert "5000" in found["broker limits"].text
    assert "retained" in found["broker limits"].text
    assert found["broker queue"].ok


@pytest.mark.server
def test_counters_of_the_broker_are_shown(tmp_path):
    with running(default_mosquitto(tmp_path / "broker")) as broker:
        config = Config(mqtt=MqttConfig(url=broker.url))
        deadline = time.monotonic() + 20
        text = ""
        while "dropped" not in text and time.monotonic() < deadline:  # the broker publishes them once a second
            text = by_subject(examine_broker(config, probes=1))["broker counters"].text
    assert "version mosquitto" in text
    assert "dropped 0" in text


def test_a_disk_without_room_or_too_slow_is_found(tmp_path, monkeypatch):
    def look(**journal):
        return by_subject(examine_data(Config(data_dir=str(tmp_path), journal=JournalConfig(**journal))))

    found = look(max_bytes=1_000)
    assert found["data directory"].ok
    assert found["disk"].ok
    assert "ms" in found["disk"].text
    full = look(max_bytes=10**18)["data directory"]
    assert not full.ok
    assert "journal.max_bytes" in full.text
    monkeypatch.setattr(doctor_local, "_SLOW_S", 0.0)
    assert "faster disk" in look(max_bytes=1_000)["disk"].text
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_found(tmp_path):
    (tmp_path / "data").write_text("a file in its place")
    (finding,) = examine_data(Config(data_dir=str(tmp_path / "data")))
    assert "change its owner" in finding.text


def journal(folder: Path, *readings: tuple[str, dict[str, object]]) -> Config:
    """Write readings of devices to a journal."""
    decoder = Decoder(
        prefix="voltair/v1",
        clock_mode="live",
        limits=IngestConfig(),
        devices={},
        station_now={},
        registry=Registry(),
    )
    messages = [
        Publish(f"voltair/v1/s/port/{device}/telemetry".encode(), msgspec.json.encode(value), 1, 0x02)
        for device, value in readings
    ]
    now = wall_ms()
    decoded = decoder.decode(messages, np.full(len(messages), now))
    writer = JournalWriter.open(folder / "journal", clock_mode="live")
    writer.append(
        decoded.frames, now_ms=now, totals=writer.totals, new_devices=decoded.new_devices,
        station_now=decoded.station_now,
    )  # fmt: skip
    writer.close()
    return Config(data_dir=str(folder))


def test_clocks_of_devices_are_compared_with_receipt(tmp_path):
    now = wall_ms()
    fast, slow, right = now + 100_000, now - 4_000_000, now - 1_000
    silent = {"power_kw": 1}
    good = journal(tmp_path / "good", ("a", {"ts": slow}), ("a", {"ts": right}), ("b", silent))
    (finding,) = examine_clocks(good)
    assert finding.ok
    assert finding.text.startswith("1 devices")
    bad = journal(tmp_path / "bad", ("a", {"ts": right}), ("fast", {"ts": fast}), ("slow", {"ts": slow}))
    (finding,) = examine_clocks(bad)
    assert not finding.ok
    assert finding.text.startswith("2 of 3 devices")
    assert "s/fast +100 s" in finding.text
    assert "s/slow -4000 s" in finding.text
    assert list(examine_clocks(Config(data_dir=str(tmp_path / "none")))) == []


def influx(url: str, **more: object) -> Config:
    return Config(store=StoreConfig(kind="influx", influx=InfluxConfig(url=url, **more)))


@pytest.mark.server
def test_an_influxdb_is_looked_through(tmp_path, monkeypatch):
    with influxd() as server:
        found = by_subject(examine_store(influx(server.url)))
        assert found["series store"].ok
        assert "1.6" in found["series store"].text
        assert found["series store clock"].ok
        assert found["series store dialect"].ok
        assert "not made yet" in found["series store databases"].text
        limits = found["series store limits"]
        assert not limits.ok, "Debian's defaults"
        assert "max-values-per-tag = 100000" in limits.text
        wrong = by_subject(examine_store(influx(server.url, version=2)))["series store"]
        assert not wrong.ok
        assert "set it to 1" in wrong.text
        run = doctor_store.query
        run(influx(server.url).store.influx, "", 'CREATE DATABASE "voltair"')
        run(influx(server.url).store.influx, "", 'CREATE DATABASE "voltair_raw" WITH DURATION 7d')
        retention = [f for f in examine_store(influx(server.url)) if f.subject == "series store retention"]
        assert [f.ok for f in retention] == [True, False]
        assert "DURATION 2592000s" in retention[1].text
        run(influx(server.url).store.influx, "", 'ALTER RETENTION POLICY "autogen" ON "voltair_raw" DURATION 2592000s')
        assert all(f.ok for f in examine_store(influx(server.url)) if f.subject == "series store retention")
        monkeypatch.setattr(doctor_store.time, "time", lambda: 0.0)
        assert not next(f for f in examine_store(influx(server.url)) if f.subject == "series store clock").ok


@pytest.mark.server
def test_an_influxdb_without_limits_passes(monkeypatch):
    for name in ("MAX_SERIES_PER_DATABASE", "MAX_VALUES_PER_TAG"):
        monkeypatch.setenv(f"INFLUXDB_DATA_{name}", "0")
    with influxd() as server:
        assert [f for f in examine_store(influx(server.url)) if not f.ok] == []


def test_an_influxdb_that_is_away_is_found():
    (finding,) = examine_store(influx(f"http://127.0.0.1:{free_port()}"))
    assert not finding.ok
    assert "start InfluxDB" in finding.text


def test_a_wrong_configuration_ends_the_visit(tmp_path):
    (tmp_path / "voltair.toml").write_text("[mqtt]\nurll = 1\n")
    (finding,) = examine(tmp_path / "voltair.toml")
    assert not finding.ok
    assert "urll" in finding.text


@pytest.mark.server
def test_the_embedded_store_and_absent_roles(tmp_path):
    with mosquitto() as broker:
        (tmp_path / "voltair.toml").write_text(f'[mqtt]\nurl = "{broker.url}"\n[journal]\nmax_bytes = 1000\n')
        found = by_subject(examine(tmp_path / "voltair.toml"))
    assert found["series store"].text == "embedded, not made yet"
    assert [s for s, f in found.items() if not f.ok] == ["ingest", "analytics", "writer", "api"]
