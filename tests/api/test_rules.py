"""Rules in force at a station, with its own numbers, and what each has come to."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from api_support import T0, Client, Clock, make_services, make_state

from analytics.alerts import AlertKey, Alerts
from analytics.rules.lifecycle import Sample
from analytics.rules.load import load_rules
from api.app import create_app
from store.sqlite import connect
from telemetry.config import ApiConfig, Config
from telemetry.registry import load_registry
from telemetry.times import format_time

STATIONS = """
[stations.isle]
kind = "compressed_air"
baseline_kwh_per_m3 = 0.12
[stations.isle.rules.leak_level]
threshold = 0.2
[stations.harbour]
kind = "charging"
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "stations.toml").write_text(STATIONS)
    make_state(tmp_path)
    alerts = Alerts(load_rules(), load_registry(tmp_path / "stations.toml"))
    rules = alerts.rules_of("isle", "compressor")
    ratio = AlertKey("kwh_per_m3_high", "isle", "", "")
    for minute, holds in ((0, True), (15, True), (20, None), (25, None)):
        sample = Sample(time_ms=T0 + 60_000 * minute, holds=holds, value=0.15, threshold=0.12)
        alerts.sample(rules["kwh_per_m3_high"], ratio, sample)
    for machine, holds in (("c1", True), ("c2", True), ("c2", False)):
        key = AlertKey("machine_fault", "isle", "compressor", machine)
        alerts.sample(rules["machine_fault"], key, Sample(time_ms=T0, holds=holds))
    with closing(connect(tmp_path / "state.db")) as db:
        db.execute("INSERT INTO snapshot VALUES('alerts', ?)", (alerts.snapshot(),))
    return tmp_path


@pytest.fixture
def client(data: Path) -> Iterator[Client]:
    config = Config(
        data_dir=str(data), stations=str(data / "stations.toml"), api=ApiConfig(tokens="a=one:read,b=two:read:harbour")
    )
    made = make_services(config, clock=Clock())
    yield Client(create_app(made), "http://127.0.0.1:8080")
    made.desk.close()


def rules_of(client: Client, station: str) -> dict[str, dict[str, Any]]:
    answer = client.get(f"/api/v1/stations/{station}/rules", headers={"Authorization": "Bearer one"})
    assert answer.status_code == 200, answer.text
    return {item["rule"]: item for item in answer.json()["items"]}


def test_numbers_of_the_station_and_states_of_its_devices(client: Client) -> None:
    found = rules_of(client, "isle")
    assert "port_faulted" not in found
    assert "store_down" not in found
    assert found["leak_level"]["threshold"] == 0.2
    assert found["leak_level"]["states"] == []
    assert found["leak_level"]["inhibits"] == []
    assert [(s["device"], s["device_kind"], s["state"]) for s in found["machine_fault"]["states"]] == [
        ("c1", "compressor", "firing"), ("c2", "compressor", "inactive"),
    ]
    assert found["kwh_per_m3_high"]["threshold"] == 0.12
    assert found["kwh_per_m3_high"]["states"] == [{
        "device": None, "device_kind": None, "state": "firing", "since": format_time(T0),
        "unknown_since": format_time(T0 + 20 * 60_000), "value": 0.15, "threshold": 0.12,
    }]


def test_what_a_rule_holds_back_is_said(client: Client) -> None:
    assert "port_faulted" in rules_of(client, "harbour")["site_power_loss"]["inhibits"]


def test_the_rule_file_counts_and_a_broken_one_does_not(client: Client, data: Path) -> None:
    for text, threshold in (("[leak_level]\nseverity = 'info'", "info"), ("[leak_level]\nseverity = 'bad'", "warning")):
        body = json.dumps({"source": "rules.toml", "text": text}).encode()
        with closing(connect(data / "state.db")) as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES('rules', ?)", (body,))
        assert rules_of(client, "isle")["leak_level"]["severity"] == threshold


def test_only_who_may_see_the_station(client: Client) -> None:
    for token, station, status in (("two", "isle", 403), ("two", "harbour", 200), ("one", "nowhere", 404)):
        answer = client.get(f"/api/v1/stations/{station}/rules", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == status
