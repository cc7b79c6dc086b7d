"""The built wheel: it holds everything the packages hold, and works where only it and its dependencies are."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from test_tree import PACKAGES, ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, check=True)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of programs of an environment with the wheel and our dependencies, without our tree."""
    home = tmp_path_factory.mktemp("empty")
    venv.create(home, with_pip=False, symlinks=True)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(home), "platbase": str(home)}))
    # a path in a .pth file is searched, but .pth files inside it (such as the editable install's) are not read
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel)], check=True)
    return home / "bin"


def _say(*argv: str | Path, cwd: Path) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VOLTAIR"))}
    return subprocess.run(argv, cwd=cwd, env=environ, check=True, capture_output=True, text=True).stdout


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    listed = subprocess.run(
        ["git", "ls-files", "-z", *PACKAGES], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    files = {name for name in listed.split("\0") if name and (ROOT / name).exists()}
    assert files - names == set()
    assert {"api/static/index.html", "simulators/scenarios/demo.toml", "analytics/rules/pack/charging.toml"} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_installed_command_runs_from_the_wheel_alone(installed: Path, tmp_path: Path) -> None:
    assert "Usage" in _say(installed / "voltair", "--help", cwd=tmp_path)
    where = _say(installed / "python", "-c", "import voltair; print(voltair.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)


def test_scenarios_and_rules_ship_with_it(installed: Path, tmp_path: Path) -> None:
    lines = _say(installed / "voltair", "scenarios", cwd=tmp_path).splitlines()
    assert lines[0].split() == ["name", "text"]
    assert "demo" in [line.split()[0] for line in lines[1:]]
    # reads the rule pack
    assert " rules" in _say(installed / "voltair", "config", "check", cwd=tmp_path)
