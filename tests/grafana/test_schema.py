"""The committed dashboards against strict schemas of Grafana's own types: no unknown field, none of a wrong type."""

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import grafana_day
import pytest
from grafana_schema import VERSION
from jsonschema import Draft7Validator

from grafana.__main__ import FOLDER
from grafana.names import named_files
from telemetry.registry import registry_from_tables

SCHEMA = json.loads((Path(__file__).parent / "schema.json").read_text("utf-8"))
OF_INFLUXDB = {
    "fromAnnotations", "name", "query", "queryType", "tagsColumn", "textColumn", "timeEndColumn", "titleColumn",
}
"""What the InfluxDB data source reads of an annotation's target; the schema leaves targets of sources out."""
FILES = sorted(FOLDER.rglob("*.json"))


@cache
def validator(*path: str) -> Draft7Validator:
    found = SCHEMA
    for name in path:
        found = found[name]
    return Draft7Validator(found)


@cache
def one_of(panel: str, field: str) -> Draft7Validator:
    """Return the schema of a single field of a panel's own settings."""
    whole = SCHEMA["custom"][panel]
    name = whole["$ref"].rpartition("/")[2]
    return Draft7Validator({**whole["definitions"][name]["properties"][field], "definitions": whole["definitions"]})


def problems(found: Draft7Validator, value: Any) -> list[str]:
    return [f"{'/'.join(map(str, e.absolute_path))}: {e.message}"[:400] for e in found.iter_errors(value)]


def panel_problems(panel: dict[str, Any]) -> list[str]:
    """Return what is wrong with the parts that the schema of a dashboard leaves open."""
    kind, field = panel["type"], panel["fieldConfig"]
    wrong = problems(validator("options", kind), panel["options"])
    if kind in SCHEMA["custom"]:
        wrong += problems(validator("custom", kind), field["defaults"]["custom"])
    else:
        assert field["defaults"]["custom"] == {}, kind
    standard = SCHEMA["dashboard"]["definitions"]["FieldConfig"]["properties"]
    for override in field["overrides"]:
        for part in override["properties"]:
            area, _, name = part["id"].rpartition(".")
            if area == "custom":
                wrong += problems(one_of(kind, name), part["value"])
            else:
                schema = {**standard[name], "definitions": SCHEMA["dashboard"]["definitions"]}
                wrong += problems(Draft7Validator(schema), part["value"])
    return wrong


NAMED = named_files(registry_from_tables(tomllib.loads(grafana_day.SCENARIO.stations_toml()), "test"), "https://x")
TEXTS = {f"{p.parent.name}-{p.stem}": p.read_text("utf-8") for p in FILES} | {
    f"named-{name}": text for name, text in NAMED.items()
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_dashboard_is_what_grafana_expects(name: str) -> None:
    board = json.loads(TEXTS[name])
    for layer in board["annotations"]["list"]:
        assert set(layer["target"]) > OF_INFLUXDB
        layer["target"] = {k: v for k, v in layer["target"].items() if k not in OF_INFLUXDB}
    assert problems(validator("dashboard"), board) == []
    for panel in board["panels"]:
        assert panel_problems(panel) == [], panel["title"]


def test_the_schema_is_strict() -> None:
    board = json.loads(FILES[0].read_text("utf-8")) | {"annotations": {"list": []}}
    assert not problems(validator("dashboard"), board)
    assert problems(validator("dashboard"), board | {"hideControls": False})  # a field of long ago
    assert problems(validator("dashboard"), board | {"refresh": 5})
    panel = board["panels"][0]
    assert problems(validator("dashboard"), {**board, "panels": [panel | {"nullPointMode": "null"}]})
    assert panel_problems({**panel, "options": panel["options"] | {"colorMode": "pink"}})
    chart = next(p for p in board["panels"] if p["type"] == "timeseries")
    custom = chart["fieldConfig"]["defaults"]["custom"]
    field = {"defaults": {**chart["fieldConfig"]["defaults"], "custom": custom | {"lineWdith": 1}}, "overrides": []}
    assert panel_problems({**chart, "fieldConfig": field})
    assert VERSION in SCHEMA["source"]
