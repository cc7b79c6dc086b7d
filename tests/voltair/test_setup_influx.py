"""`voltair init` makes what Voltair needs of an InfluxDB, and the doctor is content with it."""

import subprocess
import sys
from pathlib import Path

import pytest
from influx2 import ADMIN, ORG, influx2
from servers import influxd

from store.influx_http import query, write_client
from telemetry.config import Config, InfluxConfig, StoreConfig
from telemetry.errors import StoreError
from voltair.doctor_store import examine_store
from voltair.setup_influx import GRAFANA, GRAFANA_SECRET, TOKEN, set_up

AUTH = "INFLUXDB_HTTP_AUTH_ENABLED"


def configured(influx: InfluxConfig, keep_raw: str = "30d") -> Config:
    return Config(store=StoreConfig(kind="influx", influx=influx, keep_raw=keep_raw))


def retention(influx: InfluxConfig, database: str) -> str:
    (series,) = query(influx, "", f'SHOW RETENTION POLICIES ON "{database}"')
    return str(dict(zip(series["columns"], series["values"][0], strict=True))["duration"])


@pytest.mark.server
def test_an_influxdb_1_with_logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AUTH, "true")
    for name in ("MAX_SERIES_PER_DATABASE", "MAX_VALUES_PER_TAG"):
        monkeypatch.setenv(f"INFLUXDB_DATA_{name}", "0")
    monkeypatch.setenv("INFLUXDB_DATA_INDEX_VERSION", "tsi1")
    with influxd() as server:
        root = InfluxConfig(url=server.url, username="root", password="secret")
        query(InfluxConfig(url=server.url), "", "CREATE USER root WITH PASSWORD 'secret' WITH ALL PRIVILEGES")
        with pytest.raises(StoreError):
            list(set_up(configured(InfluxConfig(url=server.url)), tmp_path, {}))
        environ = {"VOLTAIR_INFLUX_ADMIN": "root:secret"}
        said = list(set_up(configured(InfluxConfig(url=server.url)), tmp_path, environ))
        assert len(said) == 3
        assert retention(root, "voltair") == "0s"
        assert retention(root, "voltair_raw") == "720h0m0s"
        secret = tmp_path / GRAFANA_SECRET
        assert secret.stat().st_mode & 0o777 == 0o600
        word = secret.read_text()
        assert all(word not in line for line in said)
        # Again: nothing more to do, and the password stays.
        assert list(set_up(configured(root), tmp_path, {})) == []
        assert secret.read_text() == word
        grafana = InfluxConfig(url=server.url, username=GRAFANA, password=word)
        client = write_client(root)
        assert client.write("voltair_raw", b"port,station=s power_kw=1").status == 204
        client.close()
        assert query(grafana, "voltair_raw", "SELECT power_kw FROM port")
        client = write_client(grafana)
        assert client.write("voltair_raw", b"port,station=s power_kw=1").status == 403
        client.close()
        findings = {f.subject: f for f in examine_store(configured(root))}
        assert [f.text for f in findings.values() if not f.ok] == []
        assert findings["series store index"].text == "tsi1"


@pytest.mark.server
def test_retention_is_widened_and_never_narrowed(tmp_path: Path) -> None:
    with influxd() as server:
        influx = InfluxConfig(url=server.url)
        query(influx, "", 'CREATE DATABASE "voltair" WITH DURATION 30d')
        query(influx, "", 'CREATE DATABASE "voltair_raw" WITH DURATION 90d')
        widened = [line for line in set_up(configured(influx), tmp_path, {}) if line.startswith("widened")]
        assert widened == ["widened retention of voltair from 720h0m0s to INF"]
        assert retention(influx, "voltair_raw") == "2160h0m0s"
        list(set_up(configured(influx, keep_raw="120d"), tmp_path, {}))
        assert retention(influx, "voltair_raw") == "2880h0m0s"


@pytest.mark.server
def test_an_index_in_memory_is_found(tmp_path: Path) -> None:
    with influxd() as server:  # InfluxDB's default
        influx = InfluxConfig(url=server.url)
        list(set_up(configured(influx), tmp_path, {}))
        client = write_client(influx)
        client.write("voltair", b"session,station=s energy_kwh=1")
        client.close()
        (index,) = (f for f in examine_store(configured(influx)) if f.subject == "series store index")
        assert not index.ok
        assert 'index-version = "tsi1"' in index.text


def test_an_influxdb_2(tmp_path: Path) -> None:
    with influx2() as server:
        admin = InfluxConfig(version=2, url=server.url, token=ADMIN, org=ORG)
        (missing,) = (f for f in examine_store(configured(admin)) if f.subject == "series store buckets")
        assert not missing.ok
        assert "voltair init" in missing.text
        bare = InfluxConfig(version=2, url=server.url, org=ORG)
        said = list(set_up(configured(bare), tmp_path, {"VOLTAIR_INFLUX_ADMIN": ADMIN}))
        assert len(said) == 6
        buckets = {b["name"]: b["retentionRules"][0]["everySeconds"] for b in server.tables["buckets"]}
        assert buckets == {"voltair": 0, "voltair_raw": 30 * 86_400}
        ids = [b["id"] for b in server.tables["buckets"]]
        assert [(m["database"], m["bucketID"], m["default"]) for m in server.tables["dbrps"]] == [
            ("voltair", ids[0], True), ("voltair_raw", ids[1], True),
        ]  # fmt: skip
        mine, reads = server.tables["authorizations"]
        assert sorted((p["action"], p["resource"]["id"]) for p in mine["permissions"]) == sorted(
            (action, id_) for action in ("read", "write") for id_ in ids
        )
        assert [p["action"] for p in reads["permissions"]] == ["read", "read"]
        token = (tmp_path / TOKEN).read_text()
        assert {token, (tmp_path / GRAFANA_SECRET).read_text()} == {"token-0", "token-1"}
        assert list(set_up(configured(admin), tmp_path, {})) == []
        written = InfluxConfig(version=2, url=server.url, token=token, org=ORG)
        assert [f.text for f in examine_store(configured(written)) if not f.ok] == []
        server.tables["buckets"][1]["retentionRules"][0]["everySeconds"] = 3_600
        (said_again,) = set_up(configured(admin), tmp_path, {})
        assert said_again == "widened retention of voltair_raw from 3600 s to 2592000 s"
        with pytest.raises(StoreError, match="VOLTAIR_INFLUX_ADMIN"):
            list(set_up(configured(InfluxConfig(version=2, url=server.url, token="no", org=ORG)), tmp_path, {}))
        with pytest.raises(StoreError, match="no organisation 'others'"):
            list(set_up(configured(InfluxConfig(version=2, url=server.url, token=ADMIN, org="others")), tmp_path, {}))


def test_a_server_that_is_away_is_named(tmp_path: Path) -> None:
    for version in (1, 2):
        influx = InfluxConfig(version=version, url="http://127.0.0.1:9", org=ORG)  # type: ignore[arg-type]
        with pytest.raises(StoreError, match=r"http://127.0.0.1:9 .*does not answer"):
            list(set_up(configured(influx), tmp_path, {}))


@pytest.mark.server
def test_the_command(tmp_path: Path) -> None:
    with influxd() as server:
        (tmp_path / "voltair.toml").write_text(f'[store]\nkind = "influx"\n[store.influx]\nurl = "{server.url}"\n')
        done = subprocess.run(
            [sys.executable, "-P", "-m", "voltair", "init"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert "made database voltair_raw, retention 2592000s" in done.stdout
        assert "wrote stations.toml" in done.stdout
