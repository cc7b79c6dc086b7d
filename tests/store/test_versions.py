"""A data directory of another release: an unmarked one is marked, a newer one is refused and left as it is."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from api.desk import Desk
from store.journal import JournalWriter
from store.ledger import Ledger
from store.segments import segment_files
from store.state import SCHEMA_VERSION, StateWriter
from store.versions import VERSION
from telemetry.errors import JournalError, StoreError, VoltairError


def open_journal(path: Path) -> JournalWriter:
    return JournalWriter.open(path.parent, clock_mode="live")


OPENERS: dict[str, Callable[[Path], object]] = {"desk.db": Desk, "series.db": Ledger, "journal": open_journal}


def make(name: str, folder: Path) -> Path:
    """Make a file by opening it as its role does."""
    path = folder / name if name != "journal" else folder / "journal" / "none"
    path.parent.mkdir(exist_ok=True)
    OPENERS[name](path).close()  # type: ignore[attr-defined]
    return path if name != "journal" else segment_files(path.parent)[-1][1]


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def mark(path: Path, number: int) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {number}")


@pytest.mark.parametrize("name", OPENERS)
def test_files_are_marked_also_those_from_before_there_were_marks(name: str, tmp_path: Path) -> None:
    path = make(name, tmp_path)
    assert version(path) == VERSION
    mark(path, 0)
    OPENERS[name](path).close()  # type: ignore[attr-defined]
    assert version(path) == VERSION


@pytest.mark.parametrize("name", OPENERS)
def test_a_newer_file_is_refused_and_left_as_it_is(name: str, tmp_path: Path) -> None:
    path = make(name, tmp_path)
    mark(path, VERSION + 1)
    with closing(sqlite3.connect(path)) as db:
        before = list(db.iterdump())
    with pytest.raises(VoltairError, match=r"written by a newer release.*restore a backup") as refused:
        OPENERS[name](path)
    assert isinstance(refused.value, JournalError if name == "journal" else StoreError)
    assert str(path) in str(refused.value)
    with closing(sqlite3.connect(path)) as db:
        assert list(db.iterdump()) == before


@pytest.mark.parametrize("number", [SCHEMA_VERSION - 1, SCHEMA_VERSION + 1])
def test_another_state_is_refused(number: int, tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    StateWriter(path).close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT OR REPLACE INTO meta VALUES('schema', ?)", (number,))
    with pytest.raises(StoreError, match=f"has schema {number}, this release needs {SCHEMA_VERSION}"):
        StateWriter(path)


def test_the_command_says_it(tmp_path: Path) -> None:
    (tmp_path / "voltair-data").mkdir()
    mark(make("series.db", tmp_path / "voltair-data"), VERSION + 1)
    (tmp_path / "voltair.toml").write_text("")
    argv = [sys.executable, "-P", "-m", "voltair", "writer"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("voltair: ")
    assert "newer release" in done.stderr
