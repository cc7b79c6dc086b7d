"""The engine's own state as bytes, so that after a crash it goes on from its checkpoint.

Kept readings go down as they come: the base whenever it is rewritten, then one piece per checkpoint.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from analytics.arrive import to_table
from analytics.engine import Engine, KindState
from analytics.table import Table, concat
from store.arrays import decode_arrays, encode_arrays
from store.journal import DeviceKey, Entry, EntryType
from store.state import Checkpoint
from telemetry.channels import KIND_BY_NAME, Kind
from telemetry.frame import FLAG_FUTURE

Int64 = NDArray[np.int64]

_SHELF = ("newest_ms", "newest_seq", "first_ms")
_LATEST = ("last", "last_ms", "state", "charging", "session", "run_ms", "run_seq", "dead")
_GAPS = ("known", "offline")


class Snapshots:
    """What of the engine is already on disk, and what must go there with the next checkpoint."""

    def __init__(self) -> None:
        self._saved: dict[str, tuple[int, int]] = {}
        """Kind -> (base version, recent tables) that are on disk."""

    def add(self, engine: Engine, checkpoint: Checkpoint) -> None:
        """Add the engine's state to a checkpoint."""
        used: list[Int64] = [np.zeros(1, np.int64)]
        for name, one in engine.kinds.items():
            self._add_kept(name, one, checkpoint)
            checkpoint.snapshots.append((f"{name}/state", _encode_kind(one)))
            used += [one.latest.session, np.array(one.lanes.connector, np.int64)]
            used += [_texts_of(one.shelf.head, one.shelf.kind), _texts_of(one.shelf.base, one.shelf.kind)]
            used += [_texts_of(t, one.shelf.kind) for t in one.shelf.recent]
        numbers = np.unique(np.concatenate(used))
        numbers = numbers[numbers >= 0]
        checkpoint.snapshots.append(("texts", msgspec.msgpack.encode(
            [[int(n), engine.texts.all[n]] for n in numbers]
        )))
        checkpoint.snapshots.append(("alerts", engine.alerts.snapshot()))
        checkpoint.snapshots.append(("engine", msgspec.msgpack.encode({
            "keys": [[k.station, k.kind, k.device] for k in engine.keys],
            "now": engine.now_ms.tolist(), "watermark": engine.watermark_ms.tolist(),
            "published": engine.published_ms, "clock": engine.clock_ms, "quiet_from": engine.quiet_from_ms,
            "corrected": {
                name: {s: sorted(m) for s, m in one.minutes.corrected.items()} for name, one in engine.kinds.items()
            },
            "heard": engine.heard_ms, "deaf": engine.deaf, "deaf_until": engine.deaf_until_ms,
        })))

    def _add_kept(self, name: str, one: KindState, checkpoint: Checkpoint) -> None:
        shelf = one.shelf
        version, count = self._saved.get(name, (-1, 0))
        if version != shelf.base_version:
            checkpoint.gone_snapshots.append(f"{name}/recent/")
            checkpoint.snapshots.append((f"{name}/base", _encode_table(shelf.base)))
            count = 0
        if len(shelf.recent) > count:
            piece = concat(shelf.recent[count:])
            checkpoint.snapshots.append((f"{name}/recent/{count:08d}", _encode_table(piece)))
        self._saved[name] = (shelf.base_version, len(shelf.recent))


def restore(engine: Engine, snapshots: dict[str, bytes]) -> None:
    """Bring an engine to the state of its last checkpoint.

    Parameters
    ----------
    engine
        A new engine.
    snapshots
        `StateWriter.snapshots()`; empty for a new data directory.
    """
    if "engine" not in snapshots:
        return
    place = msgspec.msgpack.decode(snapshots["engine"])
    if engine.registry_json is not None:
        engine.use_registry_json(engine.registry_json)
    numbers = {old: engine.texts.number(text) for old, text in msgspec.msgpack.decode(snapshots["texts"])}
    renumber = np.zeros(max(numbers) + 2, np.int64)
    for old, new in numbers.items():
        renumber[old] = new
    renumber[-1] = -1
    engine.grow([DeviceKey(*key) for key in place["keys"]])
    engine.now_ms = np.array(place["now"], np.int64)
    engine.watermark_ms = np.array(place["watermark"], np.int64)
    engine.published_ms = dict(place["published"])
    engine.clock_ms, engine.quiet_from_ms = place["clock"], place["quiet_from"]
    engine.heard_ms, engine.deaf_until_ms = place["heard"], place["deaf_until"]
    engine.deaf = [(a, b) for a, b in place["deaf"]]
    for name, one in engine.kinds.items():
        if f"{name}/state" in snapshots:
            _restore_kind(engine, name, one, snapshots, renumber)
        one.minutes.corrected = {station: set(m) for station, m in place["corrected"].get(name, {}).items()}
    engine.alerts.restore(snapshots["alerts"])
    if engine.rules_json is not None:
        engine.use_rules_json(engine.rules_json)


def recall(engine: Engine, entries: Iterable[Entry]) -> None:
    """Show a restored engine its last entries: it knows them when the broker delivers them again."""
    for entry in entries:
        if entry.type is EntryType.FRAME:
            frame = entry.frame()
            one = engine.kinds[frame.kind.name]
            in_time = frame.take(frame.flags & FLAG_FUTURE == 0)
            one.shelf.repeats.add(to_table(in_time, one.lanes, engine.texts))
    for one in engine.kinds.values():
        engine.refresh(one)


def _restore_kind(
    engine: Engine, name: str, one: KindState, snapshots: dict[str, bytes], renumber: Int64
) -> None:
    kind, shelf = KIND_BY_NAME[name], one.shelf
    arrays = decode_arrays(snapshots[f"{name}/state"])
    for device, connector in zip(arrays["lane_device"], renumber[arrays["lane_connector"]], strict=True):
        one.lanes.of(np.array([device]), np.array([connector]))
    engine.refresh(one)
    for register, first in shelf.devices.first_register_ms.items():
        first[:] = arrays[f"first_{register}"]
    for owner, fields in ((shelf, _SHELF), (one.latest, _LATEST), (one.gaps, _GAPS)):
        for field in fields:
            setattr(owner, field, arrays[field])
    one.latest.session = renumber[one.latest.session]
    shelf.regions.device = arrays["region_device"]
    shelf.regions.start_ms, shelf.regions.end_ms = arrays["region_start"], arrays["region_end"]
    gaps = arrays["gaps"].reshape(-1, 4).tolist()
    one.gaps.waiting = {(d, last): (off, heard) for d, last, off, heard in gaps}
    shelf.head = _renumbered(_table(arrays, kind, "head/"), kind, renumber)
    shelf.base = _renumbered(_table(decode_arrays(snapshots[f"{name}/base"]), kind), kind, renumber)
    shelf.recent = [
        _renumbered(_table(decode_arrays(snapshots[key]), kind), kind, renumber)
        for key in sorted(k for k in snapshots if k.startswith(f"{name}/recent/"))
    ]


def _encode_kind(one: KindState) -> bytes:
    shelf = one.shelf
    arrays: dict[str, NDArray[Any]] = {name: getattr(shelf, name) for name in _SHELF}
    arrays |= {name: getattr(one.latest, name) for name in _LATEST}
    arrays |= {name: getattr(one.gaps, name) for name in _GAPS}
    arrays |= {f"first_{r}": first for r, first in shelf.devices.first_register_ms.items()}
    arrays |= {
        "lane_device": np.array(one.lanes.device, np.int64),
        "lane_connector": np.array(one.lanes.connector, np.int64),
        "region_device": shelf.regions.device,
        "region_start": shelf.regions.start_ms,
        "region_end": shelf.regions.end_ms,
        "gaps": np.array([[*k, *v] for k, v in one.gaps.waiting.items()], np.int64),
    }
    arrays |= _columns(shelf.head, "head/")
    return encode_arrays(arrays)


def _columns(table: Table, prefix: str = "") -> dict[str, NDArray[Any]]:
    """Return a table as flat columns; those without a value then take no room."""
    out: dict[str, NDArray[Any]] = {}
    for name in Table.__slots__:
        column = getattr(table, name)
        if column.ndim == 1:
            out[prefix + name] = column
        else:
            out |= {f"{prefix}{name}/{i}": column[:, i] for i in range(column.shape[1])}
    return out


def _encode_table(table: Table) -> bytes:
    return encode_arrays(_columns(table))


def _table(arrays: dict[str, NDArray[Any]], kind: Kind, prefix: str = "") -> Table:
    n = len(arrays[prefix + "device"])
    columns = []
    for name in Table.__slots__:
        width = {"values": len(kind.values), "codes": len(kind.codes)}.get(name)
        if width is None:
            columns.append(arrays[prefix + name])
        else:
            parts = [arrays[f"{prefix}{name}/{i}"] for i in range(width)]
            columns.append(np.stack(parts, axis=1).reshape(n, width))
    return Table(*columns)


def _text_columns(kind: Kind) -> list[int]:
    return [i for i, c in enumerate(kind.codes) if not c.states]


def _texts_of(table: Table, kind: Kind) -> Int64:
    return np.unique(np.concatenate(
        [table.session, table.lane_session, *(table.codes[:, i] for i in _text_columns(kind))]
    ))


def _renumbered(table: Table, kind: Kind, renumber: Int64) -> Table:
    codes = table.codes.copy()
    for i in _text_columns(kind):
        codes[:, i] = renumber[codes[:, i]]
    return table.put(
        codes=codes, session=renumber[table.session], lane_session=renumber[table.lane_session]
    )
