"""A backup taken while everything writes, restored elsewhere, goes on as if nothing had happened."""

import contextlib
import signal
import sqlite3
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "analytics"))
from journalled import River, port
from test_tree import ROOT

from analytics.role import Analytics
from store.backup import backup, restore
from store.journal import JournalWriter
from store.roles import RoleLock
from store.writer import Writer
from telemetry.config import ClockConfig, Config
from telemetry.errors import RoleLocked, StoreError

STATES = ("Available", "Charging", "Faulted", "Charging", "Finishing")


def batch(number: int) -> list[object]:
    return [
        port(f"p{i}", 600 * number + 60 * k, STATES[(number + k + i) % len(STATES)], power_kw=float(k))
        for i in range(4) for k in range(10)
    ]


def step(river: River, writer: Writer, number: int) -> None:
    river.write(batch(number))  # type: ignore[arg-type]
    river.tick()
    river.work()
    river.analytics.commit()
    while writer.step():
        pass


def settle(config: Config) -> tuple[River, dict[str, set[tuple[object, ...]]]]:
    """Work off a directory to its end; return it and the points in its series store."""
    river = River.__new__(River)
    river.config, river.analytics = config, Analytics(config)
    river.work()
    river.analytics.commit()
    writer = Writer(config)
    writer.start()
    while writer.step():
        pass
    with contextlib.closing(sqlite3.connect(config.data / "series.db")) as db:
        tags = dict(db.execute("SELECT id, measurement || tags FROM series"))
        names = {name for (name,) in db.execute("SELECT DISTINCT measurement FROM series")}
        points = {n: {(tags[r[0]], *r[1:]) for r in db.execute(f'SELECT * FROM "{n}"')} for n in names}  # noqa: S608
    return river, points


def config_of(folder: Path) -> Config:
    return Config(data_dir=str(folder), clock=ClockConfig(mode="event"))


@pytest.mark.parametrize("segment_bytes", [268_435_456, 20_000])
def test_a_backup_of_a_running_directory_ends_the_same(tmp_path: Path, segment_bytes: int) -> None:
    river = River(tmp_path / "live", batch(0))  # type: ignore[arg-type]
    river.journal.segment_bytes = segment_bytes
    river.put_registry({"stations": {"s": {"kind": "charging", "ports": [{"id": f"p{i}"} for i in range(4)]}}})
    writer = Writer(river.config)
    for number in range(5):
        step(river, writer, number)
    number = 5
    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(backup, river.config.data, tmp_path / "b.tar")
        while not made.done() or number < 7:
            step(river, writer, number)
            number += 1
        manifest = made.result()
    assert manifest.journal_id == river.journal.journal_id
    restore(tmp_path / "b.tar", tmp_path / "again")
    # The same journal alone, analysed from its beginning.
    restore(tmp_path / "b.tar", tmp_path / "fresh")
    for name in ("state.db", "series.db"):
        (tmp_path / "fresh" / name).unlink()
    again, points = settle(config_of(tmp_path / "again"))
    fresh, expected = settle(config_of(tmp_path / "fresh"))
    assert again.everything() == fresh.everything()
    assert len(again.told()) > 4
    assert points == expected
    with contextlib.closing(JournalWriter.open(tmp_path / "again" / "journal", clock_mode="event")) as journal:
        assert 6 <= journal.next_number <= river.journal.next_number


def test_derived_rows_that_the_copied_state_has_yet_to_make_are_shipped(tmp_path: Path) -> None:
    river = River(tmp_path / "live", batch(0))  # type: ignore[arg-type]
    writer = Writer(river.config)
    step(river, writer, 0)
    backup(river.config.data, tmp_path / "b.tar")
    restore(tmp_path / "b.tar", tmp_path / "again")
    with contextlib.closing(sqlite3.connect(tmp_path / "again" / "series.db")) as db:
        before = db.execute("SELECT value FROM meta WHERE key = 'derived_cursor'").fetchone()[0]
        db.execute("UPDATE meta SET value = 1000000 WHERE key = 'derived_cursor'")
        db.commit()
    backup(tmp_path / "again", tmp_path / "ahead.tar")
    restore(tmp_path / "ahead.tar", tmp_path / "third")
    with contextlib.closing(sqlite3.connect(tmp_path / "third" / "series.db")) as db:
        assert db.execute("SELECT value FROM meta WHERE key = 'derived_cursor'").fetchone()[0] == before


_KILLED = """
import os, signal, sys
from pathlib import Path
from store import backup
left = int(sys.argv[3])
def at(path, sha256=backup._sha256):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return sha256(path)
backup._sha256 = at
backup.backup(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_a_backup_killed_between_two_files_is_none_and_the_next_leaves_nothing_of_it(tmp_path: Path) -> None:
    river = River(tmp_path / "live", batch(0))  # type: ignore[arg-type]
    step(river, Writer(river.config), 0)
    target = tmp_path / "to" / "b.tar"
    target.parent.mkdir()
    for at in (1, 2, 3):
        argv = [sys.executable, "-c", _KILLED, str(river.config.data), str(target), str(at)]
        assert subprocess.run(argv, check=False, cwd=ROOT).returncode == -signal.SIGKILL
        assert not target.exists()
        with pytest.raises(StoreError, match="no complete backup"):
            restore(target.with_name("b.tar.part"), tmp_path / "never")
    backup(river.config.data, target)
    assert list(target.parent.iterdir()) == [target]
    assert target.stat().st_mode & 0o077 == 0
    restore(target, tmp_path / "again")


def test_refusals_name_file_and_remedy(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no journal; see data_dir"):
        backup(tmp_path / "nothing", tmp_path / "b.tar")
    river = River(tmp_path / "live", batch(0))  # type: ignore[arg-type]
    river.write(batch(0))  # type: ignore[arg-type]
    backup(river.config.data, tmp_path / "b.tar")
    with pytest.raises(StoreError, match=r"b\.tar exists"):
        backup(river.config.data, tmp_path / "b.tar")
    with pytest.raises(StoreError, match="is not empty; move it away"):
        restore(tmp_path / "b.tar", river.config.data)
    with RoleLock(tmp_path / "held", "api"), pytest.raises(RoleLocked, match="'api'"):
        restore(tmp_path / "b.tar", tmp_path / "held")
    (tmp_path / "text.tar").write_text("no tar")
    with pytest.raises(StoreError, match="no complete backup"):
        restore(tmp_path / "text.tar", tmp_path / "new")
    assert not list(tmp_path.glob("new*"))


def test_a_damaged_file_is_found(tmp_path: Path) -> None:
    river = River(tmp_path / "live", batch(0))  # type: ignore[arg-type]
    river.write(batch(0))  # type: ignore[arg-type]
    backup(river.config.data, tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar") as tar:
        tar.extractall(tmp_path / "open", filter="data")
    segment = next((tmp_path / "open" / "journal").glob("0*.db"))
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        tar.add(tmp_path / "open", ".")
    with pytest.raises(StoreError, match="is damaged"):
        restore(tmp_path / "bad.tar", tmp_path / "new")
    assert not list(tmp_path.glob("new*"))
