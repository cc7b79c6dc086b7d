"""Files that Grafana reads at its start: data sources, dashboards, the alert pack."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_asks import Asker, Filled, Json
from grafana_day import AIR, CHARGING, TO

from grafana.__main__ import HERE, PACK
from grafana.boards import LANGUAGES, boards
from telemetry.times import HOUR_MS, SECOND_MS

SOURCES = (HERE / "provisioning" / "datasources" / "voltair.yaml", *sorted((HERE / "sources").glob("*.yaml")))


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
def test_data_sources_are_those_that_dashboards_choose(path: Path) -> None:
    sources = read(path)["datasources"]
    chosen = {
        (v["current"]["text"], v["current"]["value"])
        for language in LANGUAGES
        for board in boards(language).values()
        for v in board["templating"]["list"]
        if v["type"] == "datasource"
    }
    assert {(s["name"], s["uid"]) for s in sources} == chosen
    for source in sources:
        assert set(source) <= {"name", "uid", "type", "access", "url", "user", "jsonData", "secureJsonData"}
        assert (source["type"], source["access"], source["jsonData"]["httpMode"]) == ("influxdb", "proxy", "POST")
        assert source["jsonData"]["dbName"].endswith("_raw") == (source["uid"] == "voltair-raw")
        assert "version" not in source["jsonData"], "InfluxQL is what Grafana takes without it"
        (secret,) = source["secureJsonData"].values()
        # Grafana expands ${...} twice in secrets: one that holds a $ must come by $NAME.
        assert re.fullmatch(r"((Token|Bearer) )?\$VOLTAIR_INFLUX_(PASSWORD|TOKEN)", secret)
        if "user" not in source:
            assert source["jsonData"]["httpHeaderName1"] == "Authorization"
            assert set(source["secureJsonData"]) == {"httpHeaderValue1"}
    words = {"influxdb-2": "Token ", "influxdb-3": "Bearer "}
    assert all(next(iter(s["secureJsonData"].values())).startswith(words.get(path.stem, "$")) for s in sources)


def test_dashboards_are_read_from_where_they_are_put() -> None:
    (provider,) = read(HERE / "provisioning" / "dashboards" / "voltair.yaml")["providers"]
    assert provider["type"] == "file"
    assert Path(provider["options"]["path"]).is_absolute()
    assert provider["options"]["foldersFromFilesStructure"]


def rules() -> list[Json]:
    (group,) = read(PACK)["groups"]
    assert set(group) == {"folder", "interval", "name", "orgId", "rules"}
    return group["rules"]  # type: ignore[no-any-return]  # YAML is Any


def test_the_alert_pack_is_about_stale_data_only_and_whole() -> None:
    assert len({r["uid"] for r in rules()}) == len({r["title"] for r in rules()}) == 3
    health = boards("en")["health.json"]
    for rule in rules():
        assert set(rule) == {
            "annotations", "condition", "dashboardUid", "data", "execErrState", "for", "isPaused", "labels",
            "noDataState", "panelId", "title", "uid",
        }  # fmt: skip
        assert rule["labels"]["subject"] == "stale-data"
        assert "$" not in rule["title"] + "".join(rule["labels"].values()), "Grafana expands it there"
        assert "${" not in "".join(rule["annotations"].values()), "Grafana expands it there"
        assert re.search(r"[一-鿿]", rule["annotations"]["description"])
        assert rule["dashboardUid"] == health["uid"]
        assert rule["panelId"] in {p["id"] for p in health["panels"]}
        assert (rule["execErrState"], rule["condition"]) == ("KeepLast", "C")
        assert rule["noDataState"] in ("OK", "Alerting")
        refs = [d["refId"] for d in rule["data"]]
        assert refs == ["A", "B", "C"]
        for step, before in zip(rule["data"][1:], refs, strict=False):
            assert (step["datasourceUid"], step["model"]["expression"]) == ("__expr__", before)
        assert "${" not in rule["data"][0]["model"]["query"], "rules have no variables"
        assert rule["data"][0]["datasourceUid"] == "voltair-raw"


def stale(asker: Asker, now_ms: int, rule: Json) -> dict[str, bool]:
    """Return what a rule says at a time: series -> whether its last count is below 1."""
    query = rule["data"][0]
    span = query["relativeTimeRange"]
    moved = Asker(asker.client, now_ms - span["to"] * SECOND_MS)
    range_ms = (span["from"] - span["to"]) * SECOND_MS
    result = moved.ask(query["model"]["query"], "${datasource_raw}", range_ms, None, {})
    return {
        s.get("tags", {}).get("station", s["name"]): s["values"][-1][1] < 1 for s in result.get("series", [])
    }


@pytest.mark.server
def test_the_alert_pack_tells_fresh_from_stale(filled: Filled) -> None:
    charging, air, every = rules()
    both = {"charging_station_1m", "air_station_1m"}
    for rule, series in ((charging, set(CHARGING)), (air, set(AIR)), (every, both)):
        for after_ms, want in ((0, False), (4 * 60 * SECOND_MS, False), (HOUR_MS, True)):
            assert stale(filled.asker, TO + after_ms, rule) == dict.fromkeys(series, want), (rule["title"], after_ms)
        assert stale(filled.asker, TO + 24 * HOUR_MS, rule) == {}
