"""Recompute: minutes, runs and last words made anew from the whole journal, what came too late in its place.

Readings are sorted by event time, a file per day, so that none is late and memory holds a day at most; a second
engine without rules folds them beside the first, and takes over its alerts and its place in the journal at the end.
Alerts of the past stay as they are. Rows that are out already are published again where their minutes changed.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from analytics.alerts import Alerts
from analytics.checkpoint import checkpoint_of
from analytics.engine import Engine
from analytics.rules.load import RulePack
from analytics.snapshot import add_snapshot
from store.journal import EntryType
from store.journal_reader import JournalReader
from store.requests import Mailbox
from store.segments import segment_files
from store.state import Checkpoint, StateWriter
from telemetry.errors import JournalError
from telemetry.frame import Frame, columns_of, concat_frames, decode_frame, encode_frame
from telemetry.registry import Registry
from telemetry.times import DAY_MS, HOUR_MS, MINUTE_MS

CHUNK = 50_000
"""Readings folded at once."""
_KEPT = (
    "alerts", "counters", "cursor", "clock_ms", "quiet_from_ms", "heard_ms", "deaf", "deaf_until_ms", "now_ms",
    "watermark_ms", "published_ms", "rules_json", "rules_problem",
)
"""What the new engine takes over from the old one."""


class Order(msgspec.Struct):
    """Asks the running role for it."""


class Done(msgspec.Struct):
    """The answer to an order."""

    problem: str = ""
    """Why it was refused; empty when it was carried out."""


def orders(data: Path) -> Mailbox[Order, Done]:
    """Return where orders lie."""
    return Mailbox(data, "analytics", Order, Done)


def recompute(engine: Engine, journal: Path, folder: Path) -> Engine:
    """Return an engine that stands where `engine` stands, in its state.db, with every reading in its place.

    Parameters
    ----------
    engine
        Just checkpointed.
    journal
        The journal's folder.
    folder
        An empty folder for files that are needed meanwhile; about as large as journal and state.db.

    Raises
    ------
    JournalError
        If the journal no longer begins at its beginning; nothing was changed.
    """
    segments = segment_files(journal)
    if not segments or segments[0][0] != 1:
        msg = (
            f"the journal {journal} begins at entry {segments[0][0] if segments else 'none'}: what came before was "
            "retired, so minutes cannot be made anew from it; raise journal.keep to be able to"
        )
        raise JournalError(msg)
    days = _spread(JournalReader(journal), engine.cursor, folder)
    fresh = Engine(engine.config, StateWriter(folder / "state.db"))
    fresh.alerts = Alerts(RulePack({}, {}), Registry())
    if engine.registry_json is not None:
        fresh.use_registry_json(engine.registry_json)
    fresh.grow(engine.keys)
    for day in days:
        for frame in _in_order(day):
            fresh.fold([columns_of(frame)])
        fresh.state.commit(checkpoint_of(fresh))
        day.unlink()
    fresh.state.close()
    return _take_over(engine, fresh, folder / "state.db")


def _spread(reader: JournalReader, cursor: int, folder: Path) -> list[Path]:
    """Write the journal's readings up to an entry into a file per day of event time; return the files in order."""
    days: set[int] = set()
    done = 0
    while done < cursor:
        entries = [e for e in reader.read(done) if e.number <= cursor]
        if not entries:
            break
        done = entries[-1].number
        for entry in entries:
            if entry.type is not EntryType.FRAME:
                continue
            frame = entry.frame()
            of_day = frame.time_ms // DAY_MS
            for day in np.unique(of_day).tolist():
                body = encode_frame(frame.take(of_day == day))
                with (folder / f"{day:08d}").open("ab") as file:
                    file.write(len(body).to_bytes(4, "little") + body)
                days.add(day)
    reader.close()
    return [folder / f"{day:08d}" for day in sorted(days)]


def _in_order(path: Path) -> Iterator[Frame]:
    """Yield the readings of a day's file, kind by kind, by time; what has the same time in order of arrival."""
    frames: dict[str, list[Frame]] = {}
    with path.open("rb") as file:
        while size := file.read(4):
            frame = decode_frame(file.read(int.from_bytes(size, "little")))
            frames.setdefault(frame.kind.name, []).append(frame)
    for found in frames.values():
        frame = concat_frames(found)
        order = np.argsort(frame.time_ms, kind="stable")
        for start in range(0, len(order), CHUNK):
            yield frame.take(order[start : start + CHUNK])


def _take_over(engine: Engine, fresh: Engine, made: Path) -> Engine:
    """Put what was made into the state.db of `engine`, in one transaction with the engine's own state."""
    for name in _KEPT:
        setattr(fresh, name, getattr(engine, name))
    for kind, one in fresh.kinds.items():
        # What was told of silence stays told; days of event time say nothing of receipt.
        one.gaps, one.clocks = engine.kinds[kind].gaps, engine.kinds[kind].clocks
    fresh.state = engine.state
    for station, kind, hour_ms in engine.state.differing_blocks(made):
        published = engine.published_ms.get(station, 0)
        minutes = range(hour_ms // MINUTE_MS, min(hour_ms + HOUR_MS, published) // MINUTE_MS)
        fresh.kinds[kind].minutes.corrected.setdefault(station, set()).update(minutes)
    checkpoint: Checkpoint = checkpoint_of(fresh)
    add_snapshot(fresh, checkpoint)
    engine.state.adopt(made, checkpoint)
    return fresh
