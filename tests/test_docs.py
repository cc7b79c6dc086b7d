"""Documents are tested like code: their examples run, their names exist, their links lead somewhere."""

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import typer
from starlette.routing import Match, Route

from analytics.rules.load import load_rules
from api.app import BASE, PARTS
from api.bodies import FORMATS
from api.routes import operation
from ingest.decode import Decoder
from simulators.fault_kinds import KINDS as FAULTS
from simulators.replay.table import load_map
from simulators.scenario import list_scenarios
from simulators.truth import SCHEMA, Truth, TruthFault, TruthStation
from telemetry.channels import KINDS
from telemetry.config import IngestConfig, load_config
from telemetry.decoders import DecoderConfig
from telemetry.registry import Registry, registry_from_tables
from telemetry.units import UNITS
from voltair.cli import app
from wire.foreign import ForeignDecoders
from wire.mqtt.packets import Publish
from wire.presets import preset_names

ROOT = Path(__file__).parents[1]
DOCS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[Any]:
    return [
        pytest.param(text, id=f"{file.name}-{i}")
        for file in DOCS
        for i, (found, text) in enumerate(FENCE.findall(file.read_text("utf-8")))
        if found == language
    ]


@pytest.mark.parametrize("text", blocks("toml"))
def test_toml_examples_load(text: str, tmp_path: Path) -> None:
    tables = tomllib.loads(text)
    if "stations" in tables and isinstance(tables["stations"], dict):
        registry = registry_from_tables(tables, "example")
        pack = load_rules()
        for name, station in registry.stations.items():
            pack.for_station(station, name)
    elif "devices" in tables:
        file = tmp_path / "columns.toml"
        file.write_text(text, "utf-8")
        load_map(file)
    elif "case" in tables or all(isinstance(t, dict) and "category" in t for t in tables.values()):
        return  # rules and their scenarios: tests/voltair/test_rule_scenarios.py runs them
    else:
        file = tmp_path / "voltair.toml"
        file.write_text(text, "utf-8")
        config = load_config(file, {})
        ForeignDecoders(config.decoders, config.mqtt.prefix)


PRESETS = ({"preset": "evcc", "station": "home"}, {"preset": "shelly", "station": "isle", "kind": "auxiliary"})
"""The decoders of the README, for its messages of foreign devices."""


def decode(topic: str, payload: bytes) -> Any:
    decoder = Decoder(
        prefix="voltair/v1",
        clock_mode="live",
        limits=IngestConfig(),
        devices={},
        station_now={},
        registry=Registry(),
        foreign=ForeignDecoders([msgspec.convert(table, DecoderConfig) for table in PRESETS], "voltair/v1"),
    )
    message = Publish(topic.encode(), payload, packet_id=1, flags=0b0010)
    return decoder.decode([message], np.array([1_795_316_400_500]))


@pytest.mark.parametrize("text", blocks("json"))
def test_json_examples_are_json_and_readings_decode(text: str) -> None:
    value = json.loads(text)
    if "ts" in value:
        kinds = [k.name for k in KINDS if all(k.channel(c) for c in value if c not in ("ts", "seq"))]
        assert kinds, "the reading fits no kind of device"
        check_taken(decode(f"voltair/v1/s/{kinds[0]}/d/telemetry", text.encode()))
    elif "data" in value:
        assert value["type"].startswith("alert.")


def check_taken(decoded: Any, topic: str = "") -> None:
    assert decoded.letters == []
    assert decoded.rejected.total() == decoded.unknown_keys == 0
    # Of a device that sends a value per message, the first ones may only show that it lives.
    assert decoded.readings == 1 or topic.startswith("evcc/")


def command_lines() -> list[Any]:
    found = []
    for block in blocks("sh"):
        lines = re.sub(r"\\\n\s*", " ", block.values[0]).splitlines()
        found += [pytest.param(line, id=f"{block.id}-{i}") for i, line in enumerate(lines) if line.strip()]
    return found


@pytest.mark.parametrize("line", command_lines())
def test_shell_examples_name_what_exists(line: str) -> None:
    program, *words = shlex.split(line.replace("$(date +%s)", "1795316400"), comments=True)
    if program == "voltair":
        check_command(words)
    elif program == "./dev":
        assert re.search(rf"^    {words[0]}\)", (ROOT / "dev").read_text(), re.MULTILINE)
    elif program == ".":
        assert words == [".venv/bin/activate"]
    elif program == "mosquitto_pub":
        options = dict(zip(words[::2], words[1::2], strict=True))
        check_taken(decode(options["-t"], options["-m"].encode()), options["-t"])
    elif program == "curl":
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        (url,) = (w for w in words if w.startswith("http://127.0.0.1:8080/"))
        check_call(method, url.partition("8080")[2])
        for body in (words[i + 1] for i, w in enumerate(words) if w == "-d"):
            json.loads(body)
    else:
        pytest.fail(f"no test knows what {program!r} is")


def check_command(words: list[str]) -> None:
    command: Any = typer.main.get_command(app)  # Typer carries a click of its own, so its types are not click's
    while hasattr(command, "commands"):
        assert words[0] in command.commands, f"voltair has no command {words[0]!r}"
        command, words = command.commands[words[0]], words[1:]
    options = {name for p in command.params for name in p.opts}
    assert {w for w in words if w.startswith("--")} <= options


def check_call(method: str, path: str) -> None:
    routes = [(r, BASE) for part in PARTS for r in part.router.routes]
    routes += [(r, "") for r in operation.outside.routes]
    for route, base in routes:
        assert isinstance(route, Route)
        scope = {"type": "http", "method": method, "path": path.partition("?")[0].removeprefix(base), "root_path": ""}
        if path.startswith(base) and route.matches(scope)[0] is Match.FULL:
            return
    pytest.fail(f"the API has no call {method} {path}")


def test_the_page_of_decoders_lists_every_unit_and_preset() -> None:
    text = (ROOT / "docs" / "decoders.md").read_text("utf-8")
    rows = text.partition("| channels | units |")[2].partition("\n\n")[0]
    for units in UNITS.values():
        assert set(units) <= set(re.findall(r"[^\s|,;()]+", rows))
    for name in preset_names():
        assert f"| `{name}` |" in text


def contract_parts() -> tuple[str, str]:
    text, _, missing = (ROOT / "docs" / "contract.md").read_text("utf-8").partition("## What release")
    assert missing
    return text, missing


def test_the_contract_and_its_list_of_gaps_agree_with_the_code() -> None:
    contract, missing = contract_parts()
    gone = set(re.findall(r"`voltair ([a-z-]+)`", missing)) - {"dead-letters"}
    groups = re.findall(r"`voltair\s+([a-z-]+(?: ?\| ?[a-z-]+)*)", contract)
    promised = {name.strip() for names in groups for name in names.split("|")}
    group: Any = typer.main.get_command(app)
    there = set(group.commands)
    assert promised - there == gone, "a command that is missing is not said to be, or one that exists is"
    formats = set(re.findall(r"`(\w+)`", contract.partition("Body by the endpoint's `format`:")[2].partition(".\n")[0]))
    assert set(FORMATS) == formats
    for call in re.findall(r"`GET (/[^`?]+?)(?:\[?\?[^`]*)?`", contract.partition("## 6.")[2].partition("## 7.")[0]):
        check_call("GET", "/api/v1" + re.sub(r"\{\w+\}", "x", call))


def test_what_is_not_computed_is_owned_up_to() -> None:
    _, missing = contract_parts()
    source = "".join(f.read_text("utf-8") for f in (ROOT / "analytics" / "kpis").glob("*.py"))
    assert "in this release" not in source
    assert "**Key figures**" not in missing


@pytest.mark.parametrize("file", DOCS, ids=lambda f: f.name)
def test_links_and_paths_lead_somewhere(file: Path) -> None:
    text = file.read_text("utf-8")
    prose = FENCE.sub("", text)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        found = file.parent / name if name else file
        assert found.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.+)$", found.read_text("utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}, target
    if file.name == "architecture.md":
        for path in re.findall(r"`((?:[a-z_]+/)+[a-z_]*(?:\.py)?)`", prose):
            # Folders of a data directory, and one that is named inside its parent.
            if not path.startswith(("journal/", "roles/", "kernels/")):
                assert (ROOT / path).exists(), path


def test_every_page_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for file in (ROOT / "docs").glob("*.md"):
        assert f"docs/{file.name}" in readme, file.name


def test_no_page_names_a_machine() -> None:
    for file in DOCS:
        assert not re.search(r"/work\b|/tmp\b|/root\b", file.read_text("utf-8")), file.name


def test_the_page_of_simulators_lists_every_scenario_and_kind_of_fault() -> None:
    text = (ROOT / "docs" / "simulators.md").read_text("utf-8")
    row = r"^\|{} `([a-z_0-9-]+)` \|"
    first, second = (set(re.findall(row.format(before), text, re.MULTILINE)) for before in ("", r" [a-z ]+ \|"))
    assert {name for name, _ in list_scenarios()} <= first
    assert set(FAULTS) == second


def test_the_page_of_simulators_names_every_key_of_a_truth_file() -> None:
    text = (ROOT / "docs" / "simulators.md").read_text("utf-8")
    table = text[text.index("## Truth") : text.index("## Score")]
    for struct in (Truth, TruthFault, TruthStation):
        for name in struct.__struct_encode_fields__:
            assert f"`{name}`" in table, name
    assert f"`{SCHEMA}`" in table
