"""The committed dashboards: what the generator says, and the rules that keep them usable everywhere."""

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from grafana.__main__ import FOLDER, files
from grafana.boards import LANGUAGES, boards
from store.schema import MEASUREMENTS, is_fine

PROVISIONING = FOLDER.parent / "provisioning"
UNITS = {"kwatt", "kwatth", "percentunit", "pressurebar", "m3", "none", "h", "s", "celsius", "string", "short"}
"""Unit ids of Grafana in use; another id would be printed as text, which only this list finds."""
KINDS = {"stat", "timeseries", "state-timeline", "bargauge", "table"}
BOARDS = [(language, name) for language in LANGUAGES for name in boards(language)]


def read(language: str, name: str) -> dict[str, Any]:
    return json.loads((FOLDER / language / name).read_text("utf-8"))  # type: ignore[no-any-return]  # JSON is Any


def test_committed_files_are_what_the_generator_writes() -> None:
    want = files()
    found = {p.relative_to(FOLDER) for p in FOLDER.rglob("*") if p.is_file()}
    assert found == set(want), "run: python -m grafana"
    for path, text in want.items():
        assert (FOLDER / path).read_text("utf-8") == text, f"{path} is stale; run: python -m grafana"


@pytest.mark.parametrize(("language", "name"), BOARDS)
def test_a_dashboard_keeps_the_rules(language: str, name: str) -> None:
    board = read(language, name)
    assert board["schemaVersion"] == 41
    assert board["uid"] == f"voltair-{name.removesuffix('.json')}-{language}"
    assert board["id"] is None
    variables = {v["name"]: v for v in board["templating"]["list"]}
    sources = {f"${{{v}}}" for v in variables if variables[v]["type"] == "datasource"}
    assert sources == {"${datasource}", "${datasource_raw}"}
    for variable in variables.values():
        assert variable["current"]["text"], variable["name"]
        assert variable["current"]["value"], variable["name"]
        assert variable["label"]
        if variable["type"] == "query":
            assert (variable["refresh"], variable["datasource"]["uid"]) == (2, "${datasource}")
    assert len(board["panels"]) <= 12
    assert len({p["id"] for p in board["panels"]}) == len(board["panels"])
    for panel in board["panels"]:
        where = f"{name}: {panel['title']}"
        assert panel["type"] in KINDS, where
        assert panel["title"], where
        assert panel["description"].endswith((".", "。")), where
        assert "libraryPanel" not in panel
        looks = [panel["fieldConfig"]["defaults"]["unit"]] + [
            p["value"] for o in panel["fieldConfig"]["overrides"] for p in o["properties"] if p["id"] == "unit"
        ]
        assert all(unit in UNITS or re.fullmatch(r"suffix:\S+", unit) for unit in looks), where
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] is None
        assert [t["refId"] for t in panel["targets"]] == [chr(65 + i) for i in range(len(panel["targets"]))], where
        for target in panel["targets"]:
            assert target["datasource"]["uid"] in sources
            assert ";" not in target["query"], f"{where}: one statement per target"
            assert "$timeFilter" in target["query"]
            assert "${station:regex}" in target["query"]
            assert "fill(previous)" not in target["query"]
            if "$__interval" in target["query"]:
                assert panel["interval"], where


@pytest.mark.parametrize(("language", "name"), BOARDS)
def test_panels_fit_the_grid_and_do_not_overlap(language: str, name: str) -> None:
    places = [p["gridPos"] for p in read(language, name)["panels"]]
    assert all(p["x"] + p["w"] <= 24 for p in places)
    for a, b in combinations(places, 2):
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        assert apart or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"], (a, b)


@pytest.mark.parametrize(("language", "name"), BOARDS)
def test_queries_ask_for_measurements_that_exist_in_the_right_database(language: str, name: str) -> None:
    for panel in read(language, name)["panels"]:
        for target in panel["targets"]:
            for measurement in re.findall(r'FROM "(\w+)"', target["query"]):
                assert measurement in MEASUREMENTS
                want = "${datasource_raw}" if is_fine(measurement) else "${datasource}"
                assert target["datasource"]["uid"] == want, (panel["title"], measurement)


def test_links_lead_to_dashboards_that_exist() -> None:
    uids = {read(*b)["uid"] for b in BOARDS}
    assert len(uids) == len(BOARDS)
    for language, name in BOARDS:
        for link in read(language, name)["links"]:
            assert link["url"].removeprefix("/d/") in uids
            assert link["url"].endswith(language)
            assert link["keepTime"]
            assert link["includeVars"]


def test_both_languages_show_the_same() -> None:
    def bones(value: Any) -> Any:
        words = {
            "title",
            "description",
            "alias",
            "label",
            "text",
            "name",
            "renameByName",
            "indexByName",
            "overrides",
            "uid",
            "links",
        }
        if isinstance(value, dict):
            return {k: bones(v) for k, v in value.items() if k not in words}
        if isinstance(value, list):
            return [bones(v) for v in value]
        # Texts of alerts stand in a field per language.
        return re.sub(r"\b(title|text)_zh\b", r"\1", value) if isinstance(value, str) else value

    for name in boards("en"):
        assert bones(read("en", name)) == bones(read("zh", name))
        assert read("en", name)["title"] != read("zh", name)["title"]
        assert not re.search(r"[一-鿿]", json.dumps(read("en", name), ensure_ascii=False))


def test_provisioning_names_the_data_sources_that_dashboards_choose() -> None:
    sources = yaml.safe_load((PROVISIONING / "datasources" / "voltair.yaml").read_text())["datasources"]
    chosen = {
        (v["current"]["text"], v["current"]["value"])
        for b in BOARDS
        for v in read(*b)["templating"]["list"]
        if v["type"] == "datasource"
    }
    assert {(s["name"], s["uid"]) for s in sources} == chosen
    known = {"name", "uid", "type", "access", "url", "user", "jsonData", "secureJsonData"}
    for source in sources:
        assert set(source) <= known
        assert (source["type"], source["access"], source["jsonData"]["httpMode"]) == ("influxdb", "proxy", "POST")
        assert source["jsonData"]["dbName"].endswith("_raw") == (source["uid"] == "voltair-raw")
        # Grafana expands ${...} twice in secrets: a password that holds a $ must come by $NAME.
        assert source["secureJsonData"]["password"].startswith("$VOLTAIR")
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "voltair.yaml").read_text())["providers"]
    assert provider["type"] == "file"
    assert Path(provider["options"]["path"]).is_absolute()
