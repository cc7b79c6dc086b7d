"""The site: pages made from the types are current, every page is in its navigation, nothing comes from elsewhere."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import msgspec
import pytest
import yaml

from telemetry.config import Config

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_page_of_settings_is_what_the_types_say(generate: ModuleType) -> None:
    assert generate.PAGE.read_text("utf-8") == generate.page(), "run .venv/bin/python docs/generate.py"


def test_every_setting_is_on_the_page(generate: ModuleType) -> None:
    listed = {struct for _, struct in generate._TABLES}

    def structs(type_: Any) -> set[Any]:
        if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
            return {type_}.union(*(structs(f.type) for f in msgspec.structs.fields(type_)))
        return set().union(*(structs(part) for part in get_args(type_)))

    inside = {s for s in structs(Config) if msgspec.structs.fields(s)}
    # One that holds nothing but tables has no table of its own.
    assert {s.__name__ for s in inside - listed} <= {"AlertsConfig"}
    page = generate.page()
    for struct in listed:
        for field in msgspec.structs.fields(struct):
            nested = isinstance(field.default, msgspec.Struct)
            assert nested or f"| `{field.encode_name}` |" in page, field.name
    assert "Annotated" not in page


def nav_pages(nav: list[Any]) -> list[str]:
    found = []
    for entry in nav:
        (value,) = entry.values()
        found += [value] if isinstance(value, str) else nav_pages(value)
    return found


def test_every_page_has_one_place_in_the_navigation() -> None:
    text = re.sub(r"!!python\S+", "", (ROOT / "mkdocs.yml").read_text("utf-8"))
    pages = nav_pages(yaml.safe_load(text)["nav"])
    assert sorted(pages) == sorted(file.name for file in DOCS.glob("*.md"))


def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    for file in tmp_path.rglob("*.html"):
        for tag in re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", file.read_text("utf-8")):
            assert not re.search(r'(?:src|href)="(?:https?:)?//', tag), f"{file.name}: {tag}"
    assert (tmp_path / "search" / "search_index.json").exists()
    # A link to a file of the repository became its path.
    assert "deploy/mosquitto/README.md" in (tmp_path / "tutorial.html").read_text("utf-8")
