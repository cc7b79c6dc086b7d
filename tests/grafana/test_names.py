"""Dashboards with the names of stations.toml: every series of a named device is shown by its name alone."""

import json
import re
from pathlib import Path

import pytest
from grafana_asks import Filled, Json
from grafana_day import SCENARIO, STATIONS
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from grafana.boards import LANGUAGES, boards
from grafana.names import distinct, with_names
from telemetry.registry import load_registry
from telemetry.times import DAY_MS
from voltair.cli import app


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Json]:
    """File -> dashboard in English, as the command writes it."""
    folder = tmp_path_factory.mktemp("names")
    (folder / "stations.toml").write_text(SCENARIO.stations_toml(), "utf-8")
    (folder / "voltair.toml").write_text('[api]\npublic_url = "https://voltair.example"\n', "utf-8")
    out = folder / "out"
    done = CliRunner().invoke(app, ["dashboards", str(out), "--config", str(folder / "voltair.toml")])
    assert done.exit_code == 0, done.output
    assert {str(p.relative_to(out)) for p in out.rglob("*.json")} == {
        f"{language}/{name}" for language in LANGUAGES for name in boards(language)
    }
    return {p.name: json.loads(p.read_text("utf-8")) for p in (out / "en").iterdir()}


def shown(panel: Json, alias: str, series: Json, column: str) -> tuple[str, str]:
    """Return the name that Grafana's source gives a series, and that which the overrides of the panel make of it."""
    words = {"col": column, "m": series["name"], **{f"tag_{k}": v for k, v in series.get("tags", {}).items()}}
    name = re.sub(r"\$(\w+)", lambda found: words[found[1]], alias)
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"] == {"id": "byName", "options": name}:
            for part in override["properties"]:
                if part["id"] == "displayName":
                    return name, part["value"]
    return name, name


@pytest.mark.server
def test_series_have_the_names_of_their_devices(filled: Filled, named: dict[str, Json]) -> None:
    registry = load_registry(Path(filled.river.folder) / "stations.toml")
    seen = set()
    for board in named.values():
        chosen = filled.asker.options(board, list(STATIONS))
        for panel in board["panels"]:
            told: dict[str, str] = {}
            for series in filled.asker.panel(panel, DAY_MS, chosen):
                target, tags = series["target"], series.get("tags", {})
                if not target["alias"]:
                    continue
                for column in series["columns"][1:]:
                    name, text = shown(panel, target["alias"], series, column)
                    assert told.setdefault(name, text) == text
                    kind = series["name"].rpartition("_")[0]
                    if "device" in tags:
                        listed = registry.stations[tags["station"]].listed(kind).get(tags["device"])
                        want = listed.name if listed else ""
                        assert text.startswith(want) if want else text == name, (panel["title"], name, text)
                        seen.add(text)
            assert len(set(told.values())) == len(told), (panel["title"], told)
    # Two stations have a bay of that name; the port that is not listed has none.
    assert {"Screw 1", "Kerb bay 3", "pier01 x9"} <= seen
    assert len({text for text in seen if text.startswith("Kerb bay 1 (")}) > 1


def test_links_lead_to_the_page_of_the_configuration(named: dict[str, Json]) -> None:
    for board in named.values():
        (page,) = [v for v in board["templating"]["list"] if v["name"] == "page"]
        assert page["query"] == page["current"]["value"] == "https://voltair.example"


def test_without_names_dashboards_are_the_committed_ones(tmp_path: Path) -> None:
    empty = load_registry(tmp_path / "missing.toml")
    for language in LANGUAGES:
        for board in boards(language).values():
            assert with_names(board, empty) == board


NAMES = st.sampled_from(["Bay", "Bay (s)", "s a", "Dock"])


@given(st.dictionaries(st.sampled_from(["s a", "s b", "t a"]), NAMES))
def test_no_two_series_have_one_name(names: dict[str, str]) -> None:
    found = distinct({k: [n, f"{n} ({k[0]})", f"{n} ({k})"] for k, n in names.items()})
    assert set(found) == set(names)
    assert len({*found.values(), *names}) == 2 * len(names)
    for key, name in names.items():
        if list(names.values()).count(name) == 1 and name not in names and name == "Dock":
            assert found[key] == name
