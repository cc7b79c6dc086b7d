"""The engine's own state as bytes, so that after a crash it goes on from its checkpoint.

Kept readings go down layer by layer, each once, with the texts that it uses.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from analytics.arrive import to_table
from analytics.engine import Engine, KindState
from analytics.shelf import Shelf
from analytics.table import Table, columns_of, table_of
from store.arrays import decode_arrays, encode_arrays
from store.journal import DeviceKey, Entry, EntryType
from store.state import Checkpoint
from telemetry.channels import KIND_BY_NAME, Kind
from telemetry.frame import FLAG_FUTURE

Int64 = NDArray[np.int64]

_SHELF = ("newest_ms", "newest_seq", "first_ms")
_LATEST = ("last", "last_ms", "state", "charging", "session", "run_ms", "run_seq", "dead")
_GAPS = ("known", "offline")
_CLOCKS = ("since_ms", "first_off_ms", "off_ms", "last_ms")


def add_snapshot(engine: Engine, checkpoint: Checkpoint) -> None:
    """Add the engine's state to a checkpoint."""
    used: list[Int64] = [np.zeros(1, np.int64)]
    for name, one in engine.kinds.items():
        _add_layers(engine, name, one.shelf, checkpoint)
        checkpoint.snapshots.append((f"{name}/state", _encode_kind(one)))
        used += [one.latest.session, np.array(one.lanes.connector, np.int64)]
        used.append(_texts_of(one.shelf.heads.all(), one.shelf.kind))
    checkpoint.snapshots.append(("texts", msgspec.msgpack.encode(_named(engine, np.concatenate(used)))))
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


def _add_layers(engine: Engine, name: str, shelf: Shelf, checkpoint: Checkpoint) -> None:
    shelf.tidy()
    checkpoint.gone_snapshots += [_layer_key(name, number) for number in shelf.kept.gone]
    shelf.kept.gone.clear()
    for layer in shelf.kept.layers:
        if not layer.saved:
            texts = _named(engine, np.concatenate(
                [layer.columns[column].astype(np.int64) for column in _text_columns(shelf.kind)]
            ))
            body = msgspec.msgpack.encode([texts, encode_arrays(layer.columns)])
            checkpoint.snapshots.append((_layer_key(name, layer.number), body))
            layer.saved = True


def _layer_key(kind: str, number: int) -> str:
    return f"{kind}/layer/{number}"


def _named(engine: Engine, numbers: Int64) -> list[tuple[int, str]]:
    """Return (number, text) of the texts that are used."""
    used = np.unique(numbers)
    return [(n, engine.texts.all[n]) for n in used[used >= 0].tolist()]


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
    renumber = _renumber(engine, msgspec.msgpack.decode(snapshots["texts"]))
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
            frame = entry.columns()
            one = engine.kinds[frame.kind.name]
            in_time = to_table([frame], one.lanes, engine.texts, frame.flags & FLAG_FUTURE == 0)
            one.shelf.repeats.add(in_time)
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
    for field in _CLOCKS:
        setattr(one.clocks, field, arrays[f"clock/{field}"])
    one.latest.session = renumber[one.latest.session]
    shelf.regions.device = arrays["region_device"]
    shelf.regions.start_ms, shelf.regions.end_ms = arrays["region_start"], arrays["region_end"]
    gaps = arrays["gaps"].reshape(-1, 4).tolist()
    one.gaps.waiting = {(d, last): (off, heard) for d, last, off, heard in gaps}
    shelf.heads.restore(_renumbered(table_of(_without("head/", arrays), kind), kind, renumber))
    beginning = _layer_key(name, 0)[:-1]
    layers = {}
    for key, data in snapshots.items():
        if key.startswith(beginning):
            texts, body = msgspec.msgpack.decode(data)
            table = table_of(decode_arrays(body), kind)
            layers[int(key[len(beginning):])] = _renumbered(table, kind, _renumber(engine, texts))
    # A data directory of before does not say what is whole.
    whole_since_ms = arrays.get("whole_since", shelf.newest_ms + 1)
    shelf.kept.restore(arrays["since"], whole_since_ms, layers)


def _renumber(engine: Engine, texts: list[tuple[int, str]]) -> Int64:
    """Return the present number of each text's number on disk; -1 stays."""
    out = np.zeros(max((old for old, _ in texts), default=0) + 2, np.int64)
    for old, text in texts:
        out[old] = engine.texts.number(text)
    out[-1] = -1
    return out


def _encode_kind(one: KindState) -> bytes:
    shelf = one.shelf
    arrays: dict[str, NDArray[Any]] = {name: getattr(shelf, name) for name in _SHELF}
    arrays |= {name: getattr(one.latest, name) for name in _LATEST}
    arrays |= {name: getattr(one.gaps, name) for name in _GAPS}
    arrays |= {f"clock/{name}": getattr(one.clocks, name) for name in _CLOCKS}
    arrays |= {f"first_{r}": first for r, first in shelf.devices.first_register_ms.items()}
    arrays |= {
        "lane_device": np.array(one.lanes.device, np.int64),
        "lane_connector": np.array(one.lanes.connector, np.int64),
        "since": shelf.kept.since,
        "whole_since": shelf.kept.whole_since_ms,
        "region_device": shelf.regions.device,
        "region_start": shelf.regions.start_ms,
        "region_end": shelf.regions.end_ms,
        "gaps": np.array([[*k, *v] for k, v in one.gaps.waiting.items()], np.int64),
    }
    arrays |= {f"head/{name}": column for name, column in columns_of(shelf.heads.all()).items()}
    return encode_arrays(arrays)


def _without(prefix: str, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the arrays whose names begin so, without that beginning."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _text_codes(kind: Kind) -> list[int]:
    return [i for i, c in enumerate(kind.codes) if not c.states]


def _text_columns(kind: Kind) -> list[str]:
    """Return the columns of a table that hold numbers of texts."""
    return ["session", "lane_session", *(f"codes/{i}" for i in _text_codes(kind))]


def _texts_of(table: Table, kind: Kind) -> Int64:
    columns = columns_of(table)
    return np.concatenate([columns[name] for name in _text_columns(kind)])


def _renumbered(table: Table, kind: Kind, renumber: Int64) -> Table:
    texts = _text_codes(kind)
    return table.put(
        codes=tuple(renumber[c] if i in texts else c for i, c in enumerate(table.codes)),
        session=renumber[table.session], lane_session=renumber[table.lane_session]
    )
