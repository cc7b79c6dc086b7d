"""The journal's files: begun, filled, rolled, retired, full; and what a damaged one says."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import harbour
import pytest

from store.cursors import entries_reached
from store.journal import EntryType, JournalWriter
from store.journal_reader import JournalReader
from store.segments import segment_files
from telemetry.errors import JournalError, JournalFull


def journal(folder: Path, *, max_bytes: int = 10_000_000, reached: int = 0) -> JournalWriter:
    return JournalWriter.open(
        folder, clock_mode="event", segment_bytes=40_000, max_bytes=max_bytes, reached=reached
    )


def grow(writer: JournalWriter, entries: int, now_ms: int = harbour.T0) -> None:
    for i in range(entries):
        first = writer.totals.journalled
        writer.append(
            [harbour.frame(100, first)], now_ms=now_ms + i, totals=writer.totals.plus(journalled=100),
            new_devices=[] if first else [(key, j) for j, key in enumerate(harbour.DEVICES)],
        )  # fmt: skip


def numbers(folder: Path) -> list[int]:
    reader, found, after = JournalReader(folder), [], 0
    while entries := reader.read(after):
        found += [e.number for e in entries]
        after = found[-1]
    return found


def test_segments_follow_each_other_without_a_gap(tmp_path: Path) -> None:
    writer = journal(tmp_path)
    grow(writer, 30)
    writer.close()
    assert len(segment_files(tmp_path)) > 3
    assert numbers(tmp_path) == list(range(1, 31))
    for _, path in segment_files(tmp_path)[:-1]:
        assert not path.with_name(path.name + "-wal").exists()
    again = journal(tmp_path)
    assert again.next_number == 31
    assert again.totals.journalled == 3_000
    assert len(again.devices) == len(harbour.DEVICES)


def test_a_segment_that_was_begun_and_killed_before_its_commit_is_begun_again(tmp_path: Path) -> None:
    writer = journal(tmp_path)
    grow(writer, 3)
    writer.close()
    for size in (0, 4096):  # nothing yet, or a file in WAL mode without a table
        with sqlite3.connect(tmp_path / "000000000004.db") as db:
            if size:
                db.execute("PRAGMA journal_mode=WAL")
        again = journal(tmp_path)
        assert again.next_number == 4
        grow(again, 1)
        again.close()
        assert numbers(tmp_path) == [1, 2, 3, 4]
        with sqlite3.connect(segment_files(tmp_path)[-1][1]) as db:
            db.execute("DELETE FROM entry WHERE number = 4")


def test_what_is_in_force_stands_in_every_segment(tmp_path: Path) -> None:
    writer = journal(tmp_path)
    writer.put(EntryType.REGISTRY, b"stations", now_ms=harbour.T0)
    writer.put(EntryType.RULES, b"rules", now_ms=harbour.T0)
    grow(writer, 30)
    writer.put(EntryType.REGISTRY, b"other stations", now_ms=harbour.T0)
    writer.close()
    writer = journal(tmp_path)
    assert writer.latest(EntryType.REGISTRY) == b"other stations"
    assert writer.latest(EntryType.RULES) == b"rules"
    writer._roll()
    writer.close()  # killed just after a segment was begun
    writer = journal(tmp_path)
    assert writer.latest(EntryType.RULES) == b"rules"
    grow(writer, 1)
    writer.retire(done=writer.next_number, before_ms=2**60)
    assert len(segment_files(tmp_path)) == 1
    writer.close()
    writer = journal(tmp_path)
    assert writer.latest(EntryType.REGISTRY) == b"other stations"
    first = segment_files(tmp_path)[0][0]
    assert [e.type for e in JournalReader(tmp_path).read(first - 1)] == [
        EntryType.REGISTRY, EntryType.RULES, EntryType.FRAME,
    ]  # fmt: skip
    writer.close()


def test_what_decoders_remember_goes_with_the_batch(tmp_path: Path) -> None:
    writer = journal(tmp_path)
    more = {"now_ms": harbour.T0, "totals": writer.totals}
    writer.append([], memory={"a": b"1", "b": b"1"}, **more)
    writer.append([], memory={"a": b"2", "b": None, "c": b"3"}, **more)
    assert writer.memory() == {"a": b"2", "c": b"3"}
    grow(writer, 30)
    assert len(segment_files(tmp_path)) > 3
    full = pytest.raises(JournalFull)
    writer.max_bytes = 1
    with full:
        writer.append([harbour.frame(100, 0)], memory={"a": b"4"}, **more)
    writer.close()
    assert journal(tmp_path).memory() == {"a": b"2", "c": b"3"}


def test_a_journal_from_before_decoders_kept_a_memory(tmp_path: Path) -> None:
    writer = journal(tmp_path)
    grow(writer, 1)
    writer.close()
    with sqlite3.connect(segment_files(tmp_path)[-1][1]) as db:
        db.execute("DROP TABLE memory")
    writer = journal(tmp_path)
    assert writer.memory() == {}
    writer.append([], now_ms=harbour.T0, totals=writer.totals, memory={"a": b"1"})
    assert writer.memory() == {"a": b"1"}
    writer.close()


def test_what_every_consumer_has_passed_goes_after_keep(tmp_path: Path) -> None:
    writer = journal(tmp_path)
    grow(writer, 30)
    files = [path for _, path in segment_files(tmp_path)]
    second = segment_files(tmp_path)[1][0]
    size = writer.bytes
    assert writer.retire(done=second - 2, before_ms=harbour.T0 + 1_000) == 0
    assert writer.retire(done=30, before_ms=harbour.T0) == 0
    assert writer.retire(done=second - 1, before_ms=harbour.T0 + 1_000) == 1
    assert not files[0].exists()
    assert writer.bytes < size
    assert writer.retire(done=10_000, before_ms=harbour.T0 + 1_000) == len(files) - 2
    assert files[-1].exists()
    with pytest.raises(JournalError, match=r"no longer in the journal .* restore a backup"):
        JournalReader(tmp_path).read(0)


def test_a_damaged_segment_that_all_have_passed_goes_too(tmp_path: Path) -> None:
    writer = journal(tmp_path)
    grow(writer, 30)
    first = segment_files(tmp_path)[0][1]
    first.write_bytes(b"\0" * first.stat().st_size)
    assert writer.retire(done=30, before_ms=harbour.T0 + 1_000) == 0
    assert writer.retire(done=30, before_ms=int(1000 * first.stat().st_mtime) + 1) > 1


def test_at_the_limit_nothing_is_written_until_there_is_room(tmp_path: Path) -> None:
    writer = journal(tmp_path, max_bytes=120_000)
    with pytest.raises(JournalFull, match=r"limit is 120000; raise journal.max_bytes, or see why analytics"):
        grow(writer, 100)
    before = writer.totals, writer.next_number
    with pytest.raises(JournalFull):
        grow(writer, 1)
    assert (writer.totals, writer.next_number) == before
    writer.retire(done=writer.next_number - 1, before_ms=harbour.T0 + 1_000)
    grow(writer, 1)
    assert writer.next_number == before[1] + 1


def test_a_journal_that_ends_before_its_consumers_is_refused(tmp_path: Path) -> None:
    """Numbers that were given already would be passed over in silence."""
    writer = journal(tmp_path)
    grow(writer, 5)
    writer.close()
    journal(tmp_path, reached=5).close()
    with pytest.raises(JournalError, match=r"ends at entry 5, and analytics or the writer has done entry 7"):
        journal(tmp_path, reached=7)
    assert entries_reached(tmp_path) == 0


@pytest.mark.parametrize(
    ("open_segment", "offset"), [(True, 0), (True, 4_096), (True, 12_288), (False, 0), (False, -20_000)]
)
def test_a_damaged_page_is_refused_and_no_file_is_touched(tmp_path: Path, offset: int, open_segment: bool) -> None:
    writer = journal(tmp_path)
    grow(writer, 30)
    writer.close()
    path = segment_files(tmp_path)[-1 if open_segment else 1][1]
    content = bytearray(path.read_bytes())
    offset %= len(content)
    content[offset : offset + 512] = os.urandom(512)
    path.write_bytes(content)
    with pytest.raises(JournalError, match="voltair journal repair"):
        use(tmp_path, write=open_segment)
    assert path.read_bytes() == bytes(content)


def use(folder: Path, *, write: bool) -> None:
    """Write to a journal, then read all of it."""
    if write:
        grow(journal(folder), 30)
    reader, after = JournalReader(folder), 0
    reader.head()
    while entries := reader.read(after):
        for entry in entries:
            if entry.type is EntryType.FRAME:
                entry.frame()
        after = entries[-1].number


FILL = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import harbour
from store.journal import JournalWriter
from telemetry.errors import JournalFull
writer = JournalWriter.open(Path(sys.argv[1]), clock_mode="event")
full = 0
try:
    while True:
        first = writer.totals.journalled
        writer.append([harbour.frame(100, first)], now_ms=first, totals=writer.totals.plus(journalled=100),
            new_devices=[] if first else [(key, j) for j, key in enumerate(harbour.DEVICES)])
except JournalFull as error:
    print(error)
Path(sys.argv[1], "ballast").unlink()
first = writer.totals.journalled
writer.append([harbour.frame(100, first)], now_ms=first, totals=writer.totals.plus(journalled=100))
print(writer.totals.journalled)
"""


def test_a_full_disk_is_waited_for(tmp_path: Path) -> None:
    """A real filesystem of 4 MB, in a mount namespace of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=4m tmpfs {disk} && dd if=/dev/zero of={disk}/ballast bs=1M count=2 status=none && "
    run = f"{mount} exec {sys.executable} -c '{FILL}' {disk} {Path(harbour.__file__).parent}"
    done = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", run],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    if "unshare failed" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"no filesystem of its own here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    said, count = done.stdout.splitlines()
    assert "full" in said
    assert "free space on its disk" in said
    assert int(count) > 100
