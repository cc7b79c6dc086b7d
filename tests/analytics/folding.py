"""The real fold driven by the readings of the naive twin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from naive.readings import Reading, Settings

from analytics.arrive import to_table
from analytics.books import MinuteBook, to_buckets
from analytics.devices import Lanes, Texts, make_devices
from analytics.folded import NEVER
from analytics.gather import Block
from analytics.runs import RunBook
from analytics.shelf import Shelf
from store.buckets import empty_of
from store.journal import DeviceKey
from telemetry.channels import KIND_BY_NAME, MACHINE_STATE, PORT, PORT_STATUS, Kind
from telemetry.frame import FLAG_RETAINED, NO_CODE, Frame, columns_of
from telemetry.registry import Registry, registry_from_tables

TABLES = {
    "port": "ports", "site_meter": "site_meters", "compressor": "compressors", "dryer": "dryers",
    "auxiliary": "auxiliaries", "air_main": "air_mains", "air_meter": "air_meters",
}


def registry_of(readings: Sequence[Reading], devices: Mapping[str, Settings]) -> Registry:
    station: dict[str, object] = {"kind": "charging"}
    for device, kind in sorted({(r["device"], r["kind"]) for r in readings}):
        s = devices.get(device, Settings())
        entry: dict[str, object] = {
            "id": device, "offline_after_s": s.offline_after_ms / 1000, "integration": s.integration,
        }
        if s.rated_kw is not None:
            entry["rated_kw"] = s.rated_kw
        if kind == "port":
            entry["connectors"] = s.connectors
        if s.rated_flow_m3_min is not None:
            entry["rated_flow_m3_min"] = s.rated_flow_m3_min
        station.setdefault(TABLES[kind], []).append(entry)  # type: ignore[attr-defined]
    return registry_from_tables({"stations": {"s": station}}, "test")


def frame_of(kind: Kind, readings: Sequence[Reading], index: Mapping[str, int]) -> Frame:
    n = len(readings)
    values = np.full((n, len(kind.values)), np.nan)
    codes = np.full((n, len(kind.codes)), NO_CODE, np.int32)
    texts: dict[str, int] = {}
    for i, r in enumerate(readings):
        for name, value in r["values"].items():
            values[i, kind.value_index[name]] = value
        for name, text in r["codes"].items():
            channel = kind.channel(name)
            assert channel is not None
            code = channel.states.index(text) if channel.states else texts.setdefault(text, len(texts))
            codes[i, kind.code_index[name]] = code
        if r["online"] is not None:
            codes[i, kind.code_index["online"]] = r["online"]
    return Frame(
        kind,
        np.array([index[r["device"]] for r in readings], np.int32),
        np.array([r["time_ms"] for r in readings], np.int64),
        np.array([r["seq"] for r in readings], np.int64),
        np.array([FLAG_RETAINED if r["retained"] else 0 for r in readings], np.uint16),
        values, codes, tuple(texts),
    )


@dataclass
class OneKind:
    """Shelf and books of one kind."""

    shelf: Shelf
    minutes: MinuteBook
    runs: RunBook
    lanes: Lanes


class Folding:
    """Everything the engine holds of a stream, without the engine."""

    def __init__(self, readings: Sequence[Reading], devices: Mapping[str, Settings]) -> None:
        self.texts = Texts()
        self.registry = registry_of(readings, devices)
        kinds = {r["device"]: r["kind"] for r in readings}
        self.names = sorted(kinds)
        self.index = {d: i for i, d in enumerate(self.names)}
        self.keys = [DeviceKey("s", kinds[d], d) for d in self.names]
        self.kinds: dict[str, OneKind] = {}
        for name in sorted(set(kinds.values())):
            kind, lanes = KIND_BY_NAME[name], Lanes()
            settings = make_devices(kind, self.keys, self.registry, lanes, self.texts, None)
            shelf = Shelf(kind, settings, reorder_ms=900_000, backfill_ms=35 * 86_400_000)
            shelf.grow(len(self.keys))
            book = MinuteBook(lambda d: ["s"] * len(d), lambda _s, _h: None, lambda _s: 0)
            self.kinds[name] = OneKind(shelf, book, RunBook(lambda _k: None), lanes)
        self.too_late = 0

    def feed(self, batch: Sequence[Reading]) -> None:
        for name, one in self.kinds.items():
            mine = [r for r in batch if r["kind"] == name]
            if not mine:
                continue
            kind = one.shelf.kind
            table = to_table(
                [columns_of(frame_of(kind, mine, self.index))], one.lanes, self.texts, np.ones(len(mine), np.bool_)
            )
            one.shelf.devices = make_devices(
                kind, self.keys, self.registry, one.lanes, self.texts, one.shelf.devices
            )
            table, refused = one.shelf.admit(table)
            self.too_late += int(refused.sum())
            if not len(table):
                continue
            for change in one.shelf.take(table):
                one.minutes.put(change)
                one.runs.put(
                    change, kind.value_index.get("power_kw"), kind.code_index.get("stop_reason"),
                    kind.code_index.get("error_code"),
                )

    def compact(self, before_ms: int = NEVER) -> None:
        for one in self.kinds.values():
            one.shelf.compact(before_ms)

    def tidy(self, *, saved: bool) -> None:
        for one in self.kinds.values():
            one.shelf.tidy()
            for layer in one.shelf.kept.layers:
                layer.saved |= saved

    def minute_columns(self) -> dict[tuple[str, int], dict[str, int]]:
        out: dict[tuple[str, int], dict[str, int]] = {}
        for one in self.kinds.values():
            one.minutes.settle()
            for block in one.minutes.blocks.values():
                out.update(self._rows(block))
        return out

    def _rows(self, block: Block) -> dict[tuple[str, int], dict[str, int]]:
        table = to_buckets(block, lambda d: [self.names[i] for i in d])
        rows = {}
        for i in range(len(table)):
            kept = {c: int(v[i]) for c, v in table.columns.items() if v[i] != empty_of(c)}
            if kept:
                rows[table.devices[table.device[i]], int(table.start_ms[i])] = kept
        return rows

    def run_list(self) -> dict[str, list[tuple[object, ...]]]:
        out: dict[str, list[tuple[object, ...]]] = {d: [] for d in self.names}
        for one in self.kinds.values():
            states = PORT_STATUS if one.shelf.kind is PORT else MACHINE_STATE
            one.runs.settle()
            for (device, start, seq), run in sorted(one.runs.runs.items()):
                if run.length_ms > 0:
                    state = states[run.state] if run.state >= 0 else ""
                    out[self.names[device]].append(
                        (start, seq, start + run.length_ms, state, run.charging, self.texts.all[run.session],
                         run.energy_n)
                    )
        return out
