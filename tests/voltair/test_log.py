"""What a role says on stderr: one line each, from the chosen level on."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (\w+) writer: \S.*\n")


def said_first(folder: Path, *options: str, level: str | None = None) -> str:
    """Return the first line of a writer that has nothing to write."""
    env = {k: v for k, v in os.environ.items() if k != "VOLTAIR_LOG"} | ({"VOLTAIR_LOG": level} if level else {})
    argv = [sys.executable, "-m", "voltair", *options, "writer"]
    with subprocess.Popen(argv, cwd=folder, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        process.terminate()
    return line


@pytest.mark.parametrize(
    ("options", "level", "first"),
    [((), None, "INFO"), ((), "warning", "WARNING"), (("--log", "info"), "error", "INFO")],
)
def test_lines_from_the_level_on(
    tmp_path: Path, options: tuple[str, ...], level: str | None, first: str
) -> None:
    found = LINE.fullmatch(said_first(tmp_path, *options, level=level))
    assert found is not None
    assert found[1] == first


def test_an_unknown_level_is_refused(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "voltair", "--log", "loud", "writer"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "loud" in done.stderr
