"""The engine: runs folds and rules over the journal, entry by entry, and keeps its place.

What depends on the watermark happens at the journal's ticks only, so the same journal gives the same alerts and rows
however it is read in pieces. Everything since the last checkpoint is done again after a crash; alert transitions are
committed at once and meet themselves by id.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import msgspec
import numpy as np
from numpy.typing import NDArray

from analytics.alerts import Alerts, News
from analytics.arrive import in_parts, to_table
from analytics.books import MinuteBook, from_buckets
from analytics.clocks import Clocks
from analytics.devices import Lanes, Texts, grown, make_devices
from analytics.folded import NEVER
from analytics.gaps import Gaps
from analytics.gather import Block
from analytics.latest import Latest
from analytics.publish import alert_row
from analytics.relative import RelativeRegisters
from analytics.rules.load import load_rules, rules_of
from analytics.rules.transitions import Transition
from analytics.runs import Run, RunBook, RunKey
from analytics.shelf import LONG_AGO, Shelf
from store.journal import DeviceKey, Entry, EntryType
from store.state import StateWriter
from telemetry.channels import KIND_BY_NAME, MACHINE_STATE, PORT, PORT_STATUS, Kind
from telemetry.columns import join
from telemetry.config import Config, duration
from telemetry.errors import ConfigError
from telemetry.frame import FLAG_FUTURE, FrameColumns
from telemetry.points import Points
from telemetry.registry import Registry, registry_from_json, station_kind_of
from telemetry.times import MINUTE_MS
from wire.points_codec import encode_points

Int64 = NDArray[np.int64]

IDLE_MS = 5_000
"""Event mode: after this time of connection without a reading the watermark moves up to `now`."""
DEAF_MS = 5_000
"""A pause in the journal's ticks longer than this means that ingest was not there to hear."""


@dataclass(slots=True)
class KindState:
    """Everything about one kind of device."""

    shelf: Shelf
    latest: Latest
    minutes: MinuteBook
    runs: RunBook
    lanes: Lanes
    gaps: Gaps
    clocks: Clocks


class Engine:
    """Analytics over one journal. Free of reading and waiting: entries are given, checkpoints are taken out."""

    def __init__(self, config: Config, state: StateWriter) -> None:
        self.config = config
        self.state = state
        self.keys: list[DeviceKey] = []
        self.kinds: dict[str, KindState] = {}
        self.texts = Texts()
        self.registry = Registry()
        self.registry_json: bytes | None = state.meta.get("registry")
        self.rules_json: bytes | None = state.meta.get("rules")
        self.alerts = Alerts(load_rules(), self.registry)
        self.rules_problem: str | None = None
        """Why the journalled rules are not in force."""
        self.stations: list[str] = []
        self.station_kind: list[str] = []
        self.station_of = np.empty(0, np.int64)
        """Station index of each device."""
        self.now_ms = np.empty(0, np.int64)
        """Of each station."""
        self.watermark_ms = np.empty(0, np.int64)
        self.relative = RelativeRegisters()
        self.mismatch = np.empty(0, np.bool_)
        """Devices whose kind differs from the registry's."""
        self.counters = {
            name: int(state.meta.get(name, 0)) for name in ("analysed", "too_late", "future", "kind_mismatch", "lost")
        }
        self.cursor = int(state.meta.get("cursor", 0))
        self.clock_ms = 0
        """Newest commit time of the journal."""
        self.quiet_from_ms = 0
        """Since when ingest has been connected and nothing new has come."""
        self.heard_ms = 0
        """Live: newest tick at which ingest was connected."""
        self.deaf: list[tuple[int, int]] = []
        self.deaf_until_ms = LONG_AGO
        self.outbox: list[tuple[int, bytes]] = []
        """Derived rows (points, bytes) for the writer, to go down with the next checkpoint."""
        self.advice: dict[str, tuple[int, bytes]] = {}
        """Station -> (time, JSON) of new advice, to go down with the next checkpoint."""
        self.published_ms: dict[str, int] = {}
        """Station -> end of the minutes whose rows are out."""
        self.changed_devices: set[tuple[str, str]] = set()
        """(station, kind) with news since the last checkpoint."""
        self._live = config.clock.mode == "live"

    # ---- entries

    def take(self, entries: list[Entry], keys: list[DeviceKey]) -> None:
        """Take entries in order; frames between two other entries are folded together, up to a limit.

        Parameters
        ----------
        entries
            As the journal gave them.
        keys
            The journal's device table, complete for these entries.
        """
        self.grow(keys)
        for is_frame, group in groupby(entries, key=lambda e: e.type is EntryType.FRAME):
            batch = list(group)
            if is_frame:
                for part in in_parts(batch):
                    self._take_frames(part)
            else:
                for entry in batch:
                    self._take_other(entry)
            self.cursor = batch[-1].number

    def _take_frames(self, batch: list[Entry]) -> None:
        frames: dict[str, list[FrameColumns]] = {}
        for entry in batch:
            frame = entry.columns()
            frames.setdefault(frame.kind.name, []).append(frame)
            if self._live:
                self.kinds[frame.kind.name].clocks.put(frame.device, frame.time_ms, frame.flags, entry.time_ms)
        self.clock_ms = self.quiet_from_ms = batch[-1].time_ms
        for found in frames.values():
            self.fold(found)

    def fold(self, frames: Sequence[FrameColumns]) -> None:
        """Take readings of one kind, in order of arrival; empty frames are none."""
        frames = [f for f in frames if len(f)]
        if not frames:
            return
        one = self.kinds[frames[0].kind.name]
        self.counters["analysed"] += sum(map(len, frames))
        future = join([f.flags for f in frames]) & FLAG_FUTURE != 0
        foreign = self.mismatch[np.concatenate([f.device for f in frames])] & ~future
        self.counters["future"] += int(future.sum())
        self.counters["kind_mismatch"] += int(foreign.sum())
        table = to_table(frames, one.lanes, self.texts, ~future & ~foreign)
        if len(one.lanes.device) != len(one.shelf.devices.lane_device):
            self.refresh(one)
        table, refused = one.shelf.admit(table)
        self.counters["too_late"] += int(refused.sum())
        if not len(table):
            return
        kind = one.shelf.kind
        column = kind.code_index.get
        of_station = self.station_of[table.device]
        np.maximum.at(self.now_ms, of_station, table.time_ms)
        for station in np.flatnonzero(np.bincount(of_station)).tolist():
            self.changed_devices.add((self.stations[station], kind.name))
        for change in one.shelf.take(table):
            one.minutes.put(change)
            self.relative.see(change.after, self.keys)
            one.runs.put(
                change, kind.value_index.get("power_kw"), column("stop_reason"),
                column("error_code", column("fault_code")),
            )
            one.latest.put(change)
            one.gaps.put(change, one.shelf.devices)
            self.alerts.see(kind, change, self.keys, self.texts.all)
        self.commit_transitions()

    def _take_other(self, entry: Entry) -> None:
        if entry.type is EntryType.REGISTRY:
            self.use_registry_json(entry.body)
        elif entry.type is EntryType.RULES:
            self.use_rules_json(entry.body)
        elif entry.type is EntryType.TICK:
            self._tick(entry)
        elif entry.type is EntryType.LOST:
            self.counters["analysed"] += entry.readings
            self.counters["lost"] += entry.readings
        self.clock_ms = max(self.clock_ms, entry.time_ms)

    # ---- time

    def _tick(self, entry: Entry) -> None:
        connected = entry.tick().connected
        if not connected or entry.time_ms - self.clock_ms > DEAF_MS:
            # What the broker has kept meanwhile is still to come.
            self.quiet_from_ms = entry.time_ms
        if self._live:
            self._listen(entry.time_ms, connected=connected)
            self.now_ms[:] = np.maximum(self.now_ms, entry.time_ms)
        idle = not self._live and connected and entry.time_ms - self.quiet_from_ms >= IDLE_MS
        target = self.now_ms - (0 if idle else self.config.lateness_ms)
        before = self.watermark_ms.copy()
        self.watermark_ms = np.maximum(before, target)
        news = self.watermark_ms > before
        for one in self.kinds.values():
            # A device that comes back with a backlog may leave the watermark where it is, in event mode for good.
            silent_from_ms = one.latest.silent_from_ms(one.shelf, self.deaf_until_ms)
            heard = one.gaps.offline & (silent_from_ms > self.watermark_ms[self.station_of])
            news[self.station_of[np.flatnonzero(heard)]] = True
        for station in np.flatnonzero(news).tolist():
            self._judge_silence(station, before)
        self.commit_transitions()

    def _listen(self, time_ms: int, *, connected: bool) -> None:
        """Keep the intervals in which Voltair itself could not hear (live only)."""
        pause = time_ms - self.heard_ms
        if self.heard_ms and (not connected or pause > DEAF_MS):
            if self.deaf and self.deaf[-1][0] == self.heard_ms:
                self.deaf[-1] = (self.heard_ms, time_ms)
            else:
                self.deaf.append((self.heard_ms, time_ms))
            self.deaf_until_ms = time_ms
        if connected or not self.heard_ms:
            self.heard_ms = time_ms

    def _judge_silence(self, station: int, before_ms: Int64) -> None:
        name = self.stations[station]
        news: list[News] = []
        limits: dict[tuple[str, str], int] = {}
        for kind, one in self.kinds.items():
            mine = np.flatnonzero(self.station_of == station)
            mine = mine[one.shelf.newest_ms[mine] > LONG_AGO]
            if not len(mine):
                continue
            found = one.gaps.news(one.shelf, one.latest.silent_from_ms(one.shelf, self.deaf_until_ms), mine,
                                  int(before_ms[station]), int(self.watermark_ms[station]))
            news += [News(t, off, kind, self.keys[d].device) for t, off, d in found]
            for d in mine.tolist():
                limits[kind, self.keys[d].device] = int(one.shelf.devices.offline_after_ms[d])
        watermark = int(self.watermark_ms[station])
        self.alerts.hear(name, sorted(news), watermark, lambda k, d: limits[k, d])
        self.alerts.advance(name, watermark, minutes=False)

    def commit_transitions(self) -> None:
        """Commit the alert transitions made since the last time."""
        made: list[Transition] = self.alerts.take_transitions()
        if made:
            self.state.add_transitions(
                (t.id, t.alert, t.station, t.time_ms, msgspec.json.encode(t)) for t in made
            )
            self.ship([alert_row(msgspec.to_builtins(t)) for t in made])

    def ship(self, rows: Iterable[Points]) -> None:
        """Put derived rows into the outbox; they go down with the next checkpoint."""
        self.outbox += [(len(points), encode_points(points)) for points in rows if len(points)]

    def devices_of(self, station: int) -> list[tuple[str, str]]:
        """Return (kind, device) of the devices heard at a station."""
        return [
            (name, self.keys[d].device)
            for name, one in self.kinds.items()
            for d in np.flatnonzero((self.station_of == station) & (one.shelf.newest_ms > LONG_AGO))
        ]

    # ---- devices and registry

    def grow(self, keys: list[DeviceKey]) -> None:
        """Take new devices of the journal."""
        if len(keys) == len(self.keys):
            return
        new = keys[len(self.keys):]
        self.keys = list(keys)
        index = {name: i for i, name in enumerate(self.stations)}
        for key in new:
            if key.station not in index:
                index[key.station] = len(self.stations)
                self.stations.append(key.station)
                self.station_kind.append(station_kind_of(key.kind))
        self.station_of = np.concatenate(
            [self.station_of, np.array([index[key.station] for key in new], np.int64)]
        )
        fill = np.full(len(self.stations) - len(self.now_ms), LONG_AGO)
        self.now_ms = np.concatenate([self.now_ms, fill])
        self.watermark_ms = np.concatenate([self.watermark_ms, fill])
        for name in sorted({key.kind for key in new}):
            if name not in self.kinds:
                self.kinds[name] = self._new_kind(KIND_BY_NAME[name])
        self._judge_new()
        for one in self.kinds.values():
            self.refresh(one)

    def _new_kind(self, kind: Kind) -> KindState:
        lanes = Lanes()
        devices = make_devices(kind, self.keys, self.registry, lanes, self.texts, None)
        analytics = self.config.analytics
        shelf = Shelf(
            kind, devices, reorder_ms=duration(analytics.reorder), backfill_ms=duration(analytics.backfill)
        )
        minutes = MinuteBook(
            self._stations_of, lambda s, h: self._load_block(kind, s, h), lambda s: self.published_ms.get(s, LONG_AGO)
        )
        runs = RunBook(lambda k: self._load_run(kind, k))
        return KindState(shelf, Latest(kind), minutes, runs, lanes, Gaps(), Clocks())

    def refresh(self, one: KindState) -> None:
        """Bring settings, lanes and arrays of a kind up to what has come."""
        one.shelf.devices = grown(one.shelf.devices, self.keys, self.registry, one.lanes)
        for part in (one.shelf, one.latest, one.gaps, one.clocks):
            part.grow(len(self.keys))

    def use_registry_json(self, body: bytes) -> None:
        """Use the registry that the journal carries from here on."""
        self.registry_json = body
        self._use_registry(registry_from_json(body))
        # How long a last state holds stands with the devices, for readers.
        self.changed_devices.update(
            (key.station, key.kind)
            for i, key in enumerate(self.keys) if self.kinds[key.kind].shelf.newest_ms[i] > LONG_AGO
        )

    def use_rules_json(self, body: bytes) -> None:
        """Use the rules that the journal carries from here on; wrong ones are refused, and the old ones stay."""
        self.rules_json = body
        try:
            self.alerts.reload(pack=rules_of(**msgspec.json.decode(body)))
        except ConfigError as error:
            self.rules_problem = f"{error}; the rules stay as they were"
        else:
            self.rules_problem = None
        self.commit_transitions()

    def _use_registry(self, registry: Registry) -> None:
        self.registry = registry
        self.alerts.reload(registry=registry)
        self.mismatch = np.empty(0, np.bool_)
        self._judge_new()
        for one in self.kinds.values():
            one.shelf.devices = make_devices(
                one.shelf.kind, self.keys, registry, one.lanes, self.texts, one.shelf.devices
            )
            self.refresh(one)

    def _judge_new(self) -> None:
        """Compare devices that have not been compared with the registry yet."""
        registry = self.registry
        for i, name in enumerate(self.stations):
            if name in registry.stations:
                self.station_kind[i] = registry.stations[name].kind
        new = self.keys[len(self.mismatch):]
        listed = {
            name: {d: k for k in KIND_BY_NAME for d in registry.stations[name].listed(k)}
            for name in {key.station for key in new} & registry.stations.keys()
        }
        found = [listed.get(k.station, {}).get(k.device, k.kind) != k.kind for k in new]
        self.mismatch = np.concatenate([self.mismatch, np.array(found, np.bool_)])

    def _stations_of(self, devices: Int64) -> list[str]:
        return [self.stations[s] for s in self.station_of[devices]]

    def names_of(self, devices: Int64) -> list[str]:
        """Return the ids of devices."""
        return [self.keys[d].device for d in devices]

    def _load_block(self, kind: Kind, station: str, hour_ms: int) -> Block | None:
        found = self.state.block(station, kind.name, hour_ms)
        if found is None:
            return None
        index = {k.device: i for i, k in enumerate(self.keys) if k.station == station and k.kind == kind.name}
        return from_buckets(found, lambda names: np.array([index[n] for n in names], np.int64))

    def _load_run(self, kind: Kind, key: RunKey) -> Run | None:
        place = self.keys[key[0]]
        row = self.state.run(place.station, kind.name, place.device, key[1], key[2])
        if row is None:
            return None
        states = PORT_STATUS if kind is PORT else MACHINE_STATE
        body, number = row.body, self.texts.number
        return Run(
            states.index(body.state) if body.state else -1, body.charging, number(body.session),
            row.end_ms - row.start_ms, body.quiet_ms, body.energy_n,
            float("nan") if body.peak_kw is None else body.peak_kw,
            number(body.stop_reason) if body.stop_reason else -1, number(body.error_code) if body.error_code else -1,
        )

    def judged_ms(self, station: int) -> int:
        """Return the end of the minutes of a station that have been judged and published; its first one at first."""
        done = self.published_ms.get(self.stations[station])
        if done is not None:
            return done
        first = [int(one.shelf.first_ms[self.station_of == station].min(initial=NEVER)) for one in self.kinds.values()]
        return min(first, default=0) // MINUTE_MS * MINUTE_MS
