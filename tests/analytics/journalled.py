"""A journal that a test writes, and analytics over it that may be killed."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from folding import frame_of
from naive.readings import Reading
from naive.streams import reading

from analytics.role import Analytics, _to_ticks
from store.buckets import decode_buckets, empty_of
from store.journal import DeviceKey, EntryType, JournalWriter
from telemetry.channels import KIND_BY_NAME
from telemetry.config import ClockConfig, Config
from telemetry.points import Points
from telemetry.registry import registry_json
from wire.points_codec import decode_points

T0 = 1_732_240_020_000
"""The start of a minute."""


class River:
    """A journal that a test writes, and analytics that may be killed."""

    def __init__(
        self, folder: Path, readings: Sequence[Reading], mode: str = "event", stations: Mapping[str, str] | None = None
    ) -> None:
        """`stations`: device -> its station, where that is not `s`."""
        self.config = Config(data_dir=str(folder), clock=ClockConfig(mode=mode))  # type: ignore[arg-type]
        self.journal = JournalWriter.open(folder / "journal", clock_mode=mode)
        kinds = sorted({(r["device"], r["kind"]) for r in readings})
        self.index = {d: i for i, (d, _) in enumerate(kinds)}
        self.new = [(DeviceKey((stations or {}).get(d, "s"), k, d), self.index[d]) for d, k in kinds]
        self.clock_ms = T0
        self.analytics = Analytics(self.config)

    def put_registry(self, tables: dict[str, object]) -> None:
        self.journal.put(EntryType.REGISTRY, registry_json(tables), now_ms=self.clock_ms)

    def put_rules(self, text: str) -> None:
        body = msgspec.json.encode({"source": "rules.toml", "text": text})
        self.journal.put(EntryType.RULES, body, now_ms=self.clock_ms)

    def write(self, batch: Sequence[Reading]) -> None:
        self.clock_ms += 100
        frames = [
            frame_of(KIND_BY_NAME[kind], [r for r in batch if r["kind"] == kind], self.index)
            for kind in sorted({r["kind"] for r in batch})
        ]
        self.journal.append(frames, now_ms=self.clock_ms, totals=self.journal.totals, new_devices=self.new)
        self.new = []

    def tick(self, *, connected: bool = True, step_ms: int = 1_000) -> None:
        self.clock_ms += step_ms
        self.journal.tick(connected=connected, now_ms=self.clock_ms)

    def work(self, limit: int = 10_000) -> None:
        """Do at most `limit` entries, as the role's loop does."""
        a = self.analytics
        a._work_off_minutes()
        for piece in _to_ticks(a.reader.read(a.engine.cursor, limit_entries=limit)):
            a.engine.take(piece, a.reader.devices)
            if piece[-1].type is EntryType.TICK:
                a._work_off_minutes()

    def live_through(self, stream: Sequence[Reading], step: int, *, kills: bool) -> None:
        """Write a stream in pieces with a tick after each, and work through it `step` entries at a time."""
        for k in range(0, len(stream), 40):
            self.write(stream[k : k + 40])
            self.tick()
        for _ in range(7):
            self.tick()
        while self.analytics.engine.cursor < self.analytics.reader.head()[2]:
            self.work(step)
            self.analytics.commit()
            if kills:
                self.kill()

    def kill(self) -> None:
        """Forget everything that is not on disk."""
        self.analytics.state.close()
        self.analytics = Analytics(self.config)

    def db(self) -> sqlite3.Connection:
        return sqlite3.connect(self.config.data / "state.db")

    def minutes(self) -> dict[tuple[str, int], dict[str, int]]:
        out = {}
        for (body,) in self.db().execute("SELECT body FROM block"):
            table = decode_buckets(body)
            for i in range(len(table)):
                kept = {c: int(v[i]) for c, v in table.columns.items() if v[i] != empty_of(c)}
                if kept:
                    out[table.devices[table.device[i]], int(table.start_ms[i])] = kept
        return out

    def told(self) -> list[tuple[str, str, int]]:
        """Return (rule, state, event time) of every transition, in the order in which they were made."""
        rows = self.db().execute(
            "SELECT json_extract(body, '$.rule'), json_extract(body, '$.state'), time_ms FROM transition ORDER BY n"
        )
        return [tuple(r) for r in rows]

    def everything(self) -> list[object]:
        """Return all that consumers can see, but not the numbers of rows."""
        db = self.db()
        return [
            self.minutes(),
            list(db.execute("SELECT * FROM run ORDER BY 1, 2, 3, 4, 5")),
            sorted(db.execute("SELECT id, alert, time_ms FROM transition")),
            list(db.execute("SELECT * FROM station")),
            list(db.execute("SELECT * FROM device")),
            list(db.execute("SELECT key, value FROM meta WHERE key IN ('cursor', 'analysed', 'too_late')")),
        ]

    def rows(self, measurement: str) -> list[Points]:
        """Return the derived rows of a measurement, in the order in which they went out."""
        found = [decode_points(body) for (body,) in self.db().execute("SELECT body FROM outbox ORDER BY n")]
        return [points for points in found if points.measurement == measurement]


def port(device: str, at_s: float, status: str | None = None, **values: float) -> Reading:
    return reading("port", device, T0 + round(1000 * at_s), values=values, codes={"status": status} if status else {})
