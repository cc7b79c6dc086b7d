"""What tests of the writer share: its settings, an outbox, and what has been written."""

import contextlib
import sqlite3
from pathlib import Path

from servers import Server

from store.series import SeriesQuery
from store.series_read import read_series
from store.sqlite import connect
from store.state import SCHEMA
from store.writer import Writer
from telemetry.config import ClockConfig, Config, InfluxConfig, StoreConfig
from telemetry.points import Points
from wire.points_codec import encode_points


def make_config(data: Path, influx: Server | None = None, *, mode: str = "event", keep_raw: str = "") -> Config:
    store = StoreConfig(keep_raw=keep_raw)
    if influx is not None:
        store = StoreConfig(kind="influx", influx=InfluxConfig(url=influx.url))
    return Config(data_dir=str(data), clock=ClockConfig(mode=mode), store=store)  # type: ignore[arg-type]


class Outbox:
    """What analytics does to state.db, as far as the writer sees it."""

    def __init__(self, data: Path) -> None:
        self.db = connect(data / "state.db")
        self.db.executescript(SCHEMA)

    def put(self, *batch: Points) -> None:
        rows = [(len(points), encode_points(points)) for points in batch]
        self.db.executemany("INSERT INTO outbox(points, body) VALUES(?, ?)", rows)


def drain(writer: Writer) -> None:
    while writer.step():
        pass


def meta(data: Path) -> dict[str, int]:
    with contextlib.closing(connect(data / "series.db", read_only=True)) as db:
        return dict(db.execute("SELECT key, value FROM meta"))


def written(data: Path) -> int:
    try:
        return meta(data)["written"]
    except (sqlite3.OperationalError, KeyError):
        return 0


def stored(config: Config, measurement: str = "port", field: str = "power_kw") -> list[float]:
    query = SeriesQuery(measurement, field, 0, 4_000_000_000_000)
    return [item.value for item in read_series(config, query) if not isinstance(item.value, str)]
