"""The tree as a whole: every module imports, comes from this repository, and keeps its budget of lines."""

import importlib
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"][
    "packages"
]
FILES = sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MOST_LINES = 400


@pytest.mark.parametrize("file", FILES, ids=str)
def test_a_module_imports_and_is_ours(file: Path) -> None:
    parts = file.with_suffix("").parts
    module = importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    assert module.__file__ is not None
    assert Path(module.__file__).resolve() == ROOT / file, "another package has our name"
    assert module.__doc__, "a module says in its first line what it is about"


def test_no_file_is_over_budget() -> None:
    lengths = {str(file): len((ROOT / file).read_text("utf-8").splitlines()) for file in FILES}
    assert {file: n for file, n in lengths.items() if n > MOST_LINES} == {}, "split them by subject"
