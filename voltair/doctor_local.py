"""The doctor's look at this machine: space, how long a commit takes, and the clocks of the devices."""

import os
import shutil
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from store.journal import EntryType
from store.journal_reader import JournalReader
from telemetry.config import Config
from telemetry.errors import JournalError
from telemetry.frame import FLAG_RECEIPT_TIME, FLAG_RETAINED
from voltair.findings import Finding

_COMMITS = 40
_COMMIT_BYTES = 4_096
_SLOW_S = 0.05
"""A commit that takes longer holds every acknowledgement up noticeably."""
_SKEW_S = 60.0
_ENTRIES = 2_000
"""Newest journal entries that are looked through for clocks."""
_SHOWN = 5


def examine_data(config: Config) -> Iterator[Finding]:
    """Yield whether the data directory can be written, has room, and commits quickly."""
    folder = config.data
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        commits_s = _commits_s(folder / ".doctor")
    except OSError as error:
        text = f"{folder} cannot be written ({error.strerror}); change its owner, free space, or change data_dir"
        yield Finding("data directory", ok=False, text=text)
        return
    used = sum(file.stat().st_size for file in (folder / "journal").glob("*.db*"))
    free = shutil.disk_usage(folder).free
    may_grow = max(0, config.journal.max_bytes - used)
    text = f"{free / 1e9:.1f} GB free in {folder}"
    if free < may_grow:
        text += (
            f", but the journal may grow by {may_grow / 1e9:.1f} GB (journal.max_bytes); lower it, or make room: at "
            "the end of the disk nothing is acknowledged any more"
        )
    yield Finding("data directory", ok=free >= may_grow, text=text)
    median_s = statistics.median(commits_s)
    text = f"a commit takes {1000 * median_s:.1f} ms (median of {_COMMITS}), at most {1000 * max(commits_s):.0f} ms"
    slow = median_s > _SLOW_S
    if slow:
        text += f"; above {1000 * _SLOW_S:.0f} ms every acknowledgement waits: put data_dir on a faster disk"
    yield Finding("disk", ok=not slow, text=text)


def _commits_s(path: Path) -> list[float]:
    """Return how long each of some small appends takes until it is on the disk [s]."""
    taken_s = []
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for _ in range(_COMMITS):
            start_s = time.perf_counter()
            os.write(file, bytes(_COMMIT_BYTES))
            os.fdatasync(file)
            taken_s.append(time.perf_counter() - start_s)
    finally:
        os.close(file)
        path.unlink()
    return taken_s


def examine_clocks(config: Config) -> Iterator[Finding]:
    """Yield whether devices' clocks agree with the receipt of their newest readings (live mode)."""
    if config.clock.mode != "live":
        return
    reader = JournalReader(config.data / "journal")
    try:
        ahead_s = _ahead_s(reader)
    except JournalError as error:
        if reader.exists():
            yield Finding("journal", ok=False, text=str(error))
        return
    finally:
        reader.close()
    if not ahead_s:
        return
    wrong = sorted((name, s) for name, s in ahead_s.items() if abs(s) > _SKEW_S)
    text = f"{len(ahead_s)} devices agree with this machine within {_SKEW_S:g} s"
    if wrong:
        some = ", ".join(f"{name} {s:+.0f} s" for name, s in wrong[:_SHOWN])
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        text = (
            f"{len(wrong)} of {len(ahead_s)} devices differ from the time of receipt by more than {_SKEW_S:g} s: "
            f"{some}{more}; set their clocks (or this machine's), or send no ts. Right after an outage a backlog looks "
            "the same"
        )
    yield Finding("device clocks", ok=not wrong, text=text)


def _ahead_s(reader: JournalReader) -> dict[str, float]:
    """Return by device how far its newest `ts` is ahead of the commit [s], of those that send one."""
    newest = reader.head()[2]
    after = max(0, newest - _ENTRIES)
    found: dict[str, float] = {}
    while True:
        try:
            entries = reader.read(after)
        except JournalError:
            if after >= newest:
                raise
            after = newest  # the older part was retired meanwhile
            continue
        if not entries:
            return found
        for entry in entries:
            if entry.type is not EntryType.FRAME:
                continue
            frame = entry.frame()
            own = (frame.flags & (FLAG_RECEIPT_TIME | FLAG_RETAINED)) == 0
            for device in np.unique(frame.device[own]).tolist():
                ahead = 0.001 * float(frame.time_ms[own & (frame.device == device)].max() - entry.time_ms)
                key = reader.devices[device]
                name = f"{key.station}/{key.device}"
                found[name] = max(found.get(name, ahead), ahead)
        after = entries[-1].number
