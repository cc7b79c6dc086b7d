"""A journal with damage anywhere: what can be read stays, what is lost is counted, and everyone goes on."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import harbour
import pytest

from store.journal import Entry, EntryType, JournalWriter
from store.journal_reader import JournalReader
from store.journal_repair import DAMAGED, check_journal, repair_journal
from store.roles import RoleLock
from store.segments import segment_files
from store.writer import Writer
from telemetry.config import ClockConfig, Config
from telemetry.errors import JournalError, RoleLocked

ENTRIES = 40
EACH = 100


def open_journal(data: Path) -> JournalWriter:
    return JournalWriter.open(data / "journal", clock_mode="event", segment_bytes=40_000)


def grow(writer: JournalWriter, entries: int) -> None:
    for _ in range(entries):
        first = writer.totals.journalled
        writer.append(
            [harbour.frame(EACH, first)], now_ms=harbour.T0 + first, totals=writer.totals.plus(journalled=EACH),
            new_devices=[] if first else [(key, j) for j, key in enumerate(harbour.DEVICES)],
        )  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    writer = open_journal(tmp_path)
    grow(writer, ENTRIES)
    writer.close()
    assert len(segment_files(tmp_path / "journal")) >= 5
    return tmp_path


def entries(data: Path) -> Iterator[Entry]:
    reader, after = JournalReader(data / "journal"), 0
    while found := reader.read(after):
        yield from found
        after = found[-1].number


def spoil(path: Path, offset: int, length: int = 512) -> None:
    content = bytearray(path.read_bytes())
    offset %= len(content)
    content[offset : offset + length] = os.urandom(min(length, len(content) - offset))
    path.write_bytes(content)


def drained(data: Path) -> int:
    """Let the writer ship everything; return how many readings it has settled."""
    writer = Writer(Config(data_dir=str(data), clock=ClockConfig(mode="event")))
    try:
        while writer.step():
            pass
        assert not [p for p in writer.problems() if p.startswith("raw")], writer.problems()
    finally:
        writer.close()
    with closing(sqlite3.connect(data / "series.db")) as db:
        return int(db.execute("SELECT value FROM meta WHERE key = 'written'").fetchone()[0])


def test_a_whole_journal_is_left_alone(data: Path) -> None:
    assert list(check_journal(data)) == []
    assert repair_journal(data) == []
    assert not (data / "journal" / DAMAGED).exists()


@pytest.mark.parametrize("at", [0, 1, -2, -1])
@pytest.mark.parametrize("seed", range(12))
def test_any_damage_costs_only_what_it_hit(data: Path, at: int, seed: int) -> None:
    """Damage goes over the file from its first page to its last."""
    path = segment_files(data / "journal")[at][1]
    before = {e.number: e.body for e in entries(data)}
    spoil(path, path.stat().st_size * seed // 12)
    damaged = [p for p, _ in check_journal(data)]
    if not damaged:  # it hit a free page, or bytes that nobody reads
        assert {e.number: e.body for e in entries(data)} == before
        return
    assert damaged == [path]
    (done,) = repair_journal(data)
    assert list(check_journal(data)) == []
    after = list(entries(data))
    kept = {e.number: e.body for e in after if e.type is not EntryType.LOST}
    assert kept.items() <= before.items()
    assert len(after) - len(kept) == done.lost_entries
    assert done.lost_entries <= 3  # those of one page
    if at != -1:
        assert [e.number for e in after] == list(range(1, ENTRIES + 1))
    # The counters come out even again, the damaged file is kept, and ingest goes on.
    writer = open_journal(data)
    grow(writer, 1)
    assert drained(data) == writer.totals.journalled
    writer.close()
    assert done.file.parent == data / "journal" / DAMAGED
    assert done.file.exists()


def test_what_decoders_remember_survives_a_repair(data: Path) -> None:
    writer = open_journal(data)
    writer.append([], now_ms=harbour.T0, totals=writer.totals, memory={"a": b"1"})
    writer.close()
    path = segment_files(data / "journal")[-1][1]
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE entry SET body = zeroblob(9) WHERE number = (SELECT max(number) FROM entry)")
        db.commit()
    assert len(repair_journal(data)) == 1
    writer = open_journal(data)
    assert writer.memory() == {"a": b"1"}
    writer.close()


def test_altered_bytes_that_still_make_sense_are_found_by_the_checksum(data: Path) -> None:
    path = segment_files(data / "journal")[1][1]
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE entry SET body = zeroblob(9), type = 2 WHERE number = (SELECT min(number) FROM entry)")
        db.commit()
    ((found, problem),) = check_journal(data)
    assert found == path
    assert "checksum" in problem


def test_entries_that_a_consumer_has_done_and_the_journal_lacks_are_filled_in(data: Path) -> None:
    assert drained(data) == ENTRIES * EACH
    last = segment_files(data / "journal")[-1][1]
    with closing(sqlite3.connect(last)) as db:
        db.execute("DELETE FROM entry WHERE number = ?", (ENTRIES,))
        db.commit()
    with pytest.raises(JournalError, match="voltair journal repair"):
        JournalWriter.open(data / "journal", clock_mode="event", reached=ENTRIES)
    (done,) = repair_journal(data)
    assert (done.lost_entries, done.lost_readings) == (1, EACH)
    writer = open_journal(data)
    assert writer.next_number == ENTRIES + 1
    grow(writer, 1)
    assert drained(data) == (ENTRIES + 1) * EACH


def test_a_repair_that_was_cut_off_is_finished_by_the_next(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = segment_files(data / "journal")[1][1]
    spoil(path, -20_000)
    original = Path.rename
    for calls in range(2):
        cut = data.with_name(f"cut{calls}")
        shutil.copytree(data, cut)
        left = calls

        def rename(self: Path, target: Path) -> Path:
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            return original(self, target)

        monkeypatch.setattr(Path, "rename", rename)
        with suppress(KeyboardInterrupt):
            repair_journal(cut)
        monkeypatch.undo()
        repair_journal(cut)
        assert list(check_journal(cut)) == []
        assert [e.number for e in entries(cut)] == list(range(1, ENTRIES + 1))


def test_it_is_not_done_while_a_role_runs(data: Path) -> None:
    with RoleLock(data, "writer"), pytest.raises(RoleLocked):
        repair_journal(data)


def test_without_any_segment_that_says_whose_it_is_only_a_backup_helps(data: Path) -> None:
    for _, path in segment_files(data / "journal"):
        path.write_bytes(os.urandom(path.stat().st_size))
    with pytest.raises(JournalError, match="restore a backup"):
        repair_journal(data)
