"""The committed dashboards: what the generator says, and the rules that keep them usable everywhere."""

import json
import re
from itertools import combinations
from typing import Any

import pytest
from grafana_asks import read_measurements

from grafana.__main__ import FOLDER, PACK, files
from grafana.boards import LANGUAGES, boards
from store.schema import MEASUREMENTS, is_fine

UNITS = {
    "amp", "celsius", "dateTimeAsIso", "dthms", "h", "kwatt", "kwatth", "m3", "masskg", "none", "percentunit",
    "pressurebar", "string", "volt",
}
"""Unit ids of Grafana in use; another id would be printed as text, which only this list finds."""
KINDS = {"stat", "timeseries", "state-timeline", "bargauge", "table"}
BOARDS = [(language, name) for language in LANGUAGES for name in boards(language)]


def read(language: str, name: str) -> dict[str, Any]:
    return json.loads((FOLDER / language / name).read_text("utf-8"))  # type: ignore[no-any-return]  # JSON is Any


def test_committed_files_are_what_the_generator_writes() -> None:
    want = files()
    found = {p for p in FOLDER.rglob("*") if p.is_file()}
    assert found | {PACK} == set(want), "run: python -m grafana"
    for path, text in want.items():
        assert path.read_text("utf-8") == text, f"{path} is stale; run: python -m grafana"


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
        if variable["name"] != "port":  # of ports, which start with one, Grafana takes the first
            assert all(variable["current"].values()), variable["name"]
        assert variable["label"]
        if variable["type"] == "query":
            assert (variable["refresh"], variable["datasource"]["uid"]) == (2, "${datasource}")
    assert len(board["panels"]) <= 12
    assert len({p["id"] for p in board["panels"]}) == len(board["panels"])
    assert len({p["title"] for p in board["panels"]}) == len(board["panels"])
    for panel in board["panels"]:
        where = f"{name}: {panel['title']}"
        assert panel["type"] in KINDS, where
        assert panel["title"], where
        assert panel["description"] != board["description"], where
        assert len(panel["description"]) >= 10, f"{where}: a description defines what is shown"
        assert panel["description"].endswith((".", "。")), where
        assert "libraryPanel" not in panel
        looks = [panel["fieldConfig"]["defaults"]["unit"]] + [
            p["value"] for o in panel["fieldConfig"]["overrides"] for p in o["properties"] if p["id"] == "unit"
        ]
        assert all(unit in UNITS or re.fullmatch(r"suffix:\S+", unit) for unit in looks), where
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] is None
        assert [t["refId"] for t in panel["targets"]] == [chr(65 + i) for i in range(len(panel["targets"]))], where
        if panel["type"] == "stat":  # states are texts, which it leaves out but where a pattern names their fields
            fields = panel["options"]["reduceOptions"]["fields"]
            assert bool(fields) == any('("status")' in t["query"] for t in panel["targets"]), where
        used = {t["datasource"]["uid"] for t in panel["targets"]}
        # With any other source of the panel Grafana sends all of its queries to that one.
        assert panel["datasource"]["uid"] == (used.pop() if len(used) == 1 else "-- Mixed --"), where
        for target in panel["targets"]:
            assert target["datasource"]["uid"] in sources
            assert ";" not in target["query"], f"{where}: one statement per target"
            assert ("$timeFilter" in target["query"]) == ('FROM "device_info"' not in target["query"])
            assert "${station:regex}" in target["query"]
            assert "fill(previous)" not in target["query"]
            if "$__interval" in target["query"]:
                assert panel["interval"], where
            if target["resultFormat"] == "table":
                assert panel["type"] == "table", where
            elif re.search(r'GROUP BY (time\(\S+\), )?"[^)]*$', target["query"]):
                assert target["alias"] or "count(" in target["query"], f"{where}: a series without a name"


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


def links_within(value: Any) -> list[str]:
    """Return the addresses of all links of cells and points."""
    if isinstance(value, dict):
        return ([value["url"]] if "url" in value else []) + [u for v in value.values() for u in links_within(v)]
    return [u for v in value for u in links_within(v)] if isinstance(value, list) else []


@pytest.mark.parametrize(("language", "name"), BOARDS)
def test_links_lead_somewhere_and_carry_the_range(language: str, name: str) -> None:
    board = read(language, name)
    uids = {read(language, other)["uid"] for of, other in BOARDS if of == language}
    assert len(uids) == len(boards(language))
    (page,) = [link for link in board["links"] if link["icon"] == "external link"]
    assert page["url"] == f"${{page}}/?lang={language}&from=${{__from}}&to=${{__to}}"
    others = [link for link in board["links"] if link is not page]
    assert {link["url"] for link in others} == {f"/d/{uid}" for uid in uids - {board["uid"]}}
    assert all(link["keepTime"] and link["includeVars"] for link in others)
    for url in links_within(board["panels"]):
        if url.startswith("/d/"):
            uid, _, query = url.removeprefix("/d/").partition("?")
            assert uid in uids
            target = read(language, uid.removeprefix("voltair-").removesuffix(f"-{language}") + ".json")
            assert {p[4:].partition("=")[0] for p in query.split("&") if p.startswith("var-")} <= {
                v["name"] for v in target["templating"]["list"]
            }
            assert "${__url_time_range}" in query
        else:
            assert url.startswith("${page}/")
            assert url.endswith(f"lang={language}&from=${{__from}}&to=${{__to}}")


def test_every_query_of_a_month_reads_rolled_up_rows() -> None:
    month = {m for p in read("en", "month.json")["panels"] for t in p["targets"] for m in read_measurements(t["query"])}
    assert month
    assert all(m.endswith("_1d") for m in month)
    # Elsewhere the step of a month leaves out rows of a minute, but for the last one of each device.
    for language, name in BOARDS:
        for panel in read(language, name)["panels"]:
            for target in panel["targets"]:
                if target["datasource"]["uid"] == "${datasource_raw}":
                    last = re.search(r'SELECT last\(\S+\) AS \S+ FROM .* GROUP BY "station", "device"', target["query"])
                    assert "$__interval_ms < 300000" in target["query"] or last, panel["title"]


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
            "url",
        }
        if isinstance(value, dict):
            return {k: bones(v) for k, v in value.items() if k not in words}
        if isinstance(value, list):
            return [bones(v) for v in value]
        # Texts of alerts stand in a field per language; names of series are words.
        return re.sub(r"\b(title|text)_zh\b", r"\1", value) if isinstance(value, str) else value

    for name in boards("en"):
        assert bones(read("en", name)) == bones(read("zh", name))
        assert read("en", name)["title"] != read("zh", name)["title"]
        assert not re.search(r"[一-鿿]", json.dumps(read("en", name), ensure_ascii=False))
