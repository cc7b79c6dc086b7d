"""The embedded series store: one table per measurement in series.db, rows by series and time."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from store.schema import Aggregation, is_fine
from store.series import Outcome, SeriesItem, SeriesQuery, Value, differences
from store.sqlite import connect
from telemetry.errors import StoreUnavailable
from telemetry.points import NO_INT, Column, Points

Cutoff = Callable[[str], int]
"""Station -> the oldest time that is kept [ms]."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS series(
    id INTEGER PRIMARY KEY, measurement TEXT, tags TEXT, station TEXT, device TEXT, UNIQUE(measurement, tags))
"""
_KEY = ("series", "time_ms", "seq")
_EXPIRE_ROWS = 5_000

_ORDER = "p.time_ms * 1000000 + max(p.seq, 0) % 1000000"
"""Order of the rows of a device, the same as InfluxDB's nanoseconds."""
_VALUE_OF = {
    Aggregation.MEAN: "avg({f}), 0",
    Aggregation.SUM: "sum({f}), 0",
    Aggregation.MIN: "min({f}), 0",
    Aggregation.MAX: "max({f}), 0",
    Aggregation.COUNT: "count({f}), 0",
    # SQLite takes the bare column from the row that has the maximum.
    Aggregation.LAST: f"{{f}}, max({_ORDER})",
    Aggregation.DIFFERENCE: f"{{f}}, max({_ORDER})",
}


class SqliteSeries:
    """The write side; it works inside the transaction that its connection has open, so points and cursor go together.

    Parameters
    ----------
    db
        series.db, open for writing.
    cutoff
        Retention of raw readings and one-minute rows; None: kept for ever.
    """

    batch = 5_000
    worth = 1
    gather_ms = 0

    def __init__(self, db: sqlite3.Connection, cutoff: Cutoff | None = None) -> None:
        self._db = db
        self._cutoff = cutoff
        self._ids: dict[tuple[str, tuple[str, ...], tuple[str | None, ...]], int] = {}
        self._columns: dict[str, dict[str, str]] = {}
        self._to_expire: list[tuple[str, int, str]] = []
        db.execute(_SCHEMA)

    def put(self, batch: Sequence[Points]) -> Outcome:
        """Insert or merge points; of two values of a field the later put stays."""
        beyond = 0
        try:
            for points in batch:
                beyond += self._put(points)
        except sqlite3.OperationalError as error:
            msg = f"series.db cannot be written ({error}); free space on its disk"
            raise StoreUnavailable(msg) from error
        return Outcome(beyond_retention=beyond)

    def _put(self, points: Points) -> int:
        keep = self._kept(points)
        series = self._series(points)
        # In order of the primary key, and of arrival where the key is the same.
        order = np.lexsort((points.seq, points.time_ms, series))
        if keep is not None:
            order = order[keep[order]]
        fields = {name: column for name, column in points.fields.items() if name != "seq"}
        columns = self._add_columns(points.measurement, fields)
        names = [_quoted(columns[name]) for name in fields]
        merge = ", ".join(f"{n} = COALESCE(excluded.{n}, {n})" for n in names)
        self._db.executemany(
            f"INSERT INTO {_quoted(points.measurement)}({', '.join(['series', 'time_ms', 'seq', *names])})"
            f" VALUES({', '.join('?' * (3 + len(names)))})"
            f" ON CONFLICT(series, time_ms, seq) DO {f'UPDATE SET {merge}' if names else 'NOTHING'}",
            zip(
                series[order].tolist(), points.time_ms[order].tolist(), points.seq[order].tolist(),
                *(_values(column, order) for column in fields.values()),
                strict=True,
            ),
        )
        return len(points) - len(order)

    def _kept(self, points: Points) -> NDArray[np.bool_] | None:
        """Return which points are young enough, None for all."""
        if self._cutoff is None or not is_fine(points.measurement):
            return None
        stations = points.tags["station"]
        oldest = {station: self._cutoff(station or "") for station in set(stations)}
        keep = points.time_ms >= np.array([oldest[station] for station in stations])
        return None if keep.all() else keep

    def _series(self, points: Points) -> NDArray[np.int64]:
        names = tuple(sorted(points.tags))
        keys = list(zip(*(points.tags[name] for name in names), strict=True))
        ids: dict[tuple[str | None, ...], int] = {}
        for key in set(keys):
            found = self._ids.get((points.measurement, names, key))
            if found is None:
                found = self._ids[(points.measurement, names, key)] = self._series_id(points.measurement, names, key)
            ids[key] = found
        return np.array([ids[key] for key in keys], np.int64)

    def _series_id(self, measurement: str, names: tuple[str, ...], values: tuple[str | None, ...]) -> int:
        tags = {name: value for name, value in zip(names, values, strict=True) if value}
        row = (measurement, json.dumps(tags, ensure_ascii=False))
        find = "SELECT id FROM series WHERE measurement = ? AND tags = ?"
        found = self._db.execute(find, row).fetchone()
        if found is None:
            found = self._db.execute(
                "INSERT INTO series(measurement, tags, station, device) VALUES(?, ?, ?, ?) RETURNING id",
                (*row, tags.get("station"), tags.get("device")),
            ).fetchone()
        return int(found[0])

    def _add_columns(self, measurement: str, fields: dict[str, Column]) -> dict[str, str]:
        """Return the column of each field, after adding those that are new."""
        columns = self._columns.get(measurement)
        if columns is None:
            self._db.execute(
                f"CREATE TABLE IF NOT EXISTS {_quoted(measurement)}(series INTEGER, time_ms INTEGER, seq INTEGER,"
                " PRIMARY KEY(series, time_ms, seq)) WITHOUT ROWID"
            )
            columns = self._columns[measurement] = _columns_of(self._db, measurement)
        for name in fields.keys() - columns.keys():
            column, taken = name, {other.lower() for other in (*_KEY, *columns.values())}
            while column.lower() in taken:
                column += "~"
            self._db.execute(f"ALTER TABLE {_quoted(measurement)} ADD COLUMN {_quoted(column)}")
            columns[name] = column
        return columns

    def expire(self) -> bool:
        """Delete up to 5,000 rows beyond retention, in a transaction of its own; return whether there may be more."""
        if self._cutoff is None:
            return False
        if not self._to_expire:
            rows = self._db.execute("SELECT measurement, id, station FROM series").fetchall()
            self._to_expire = [row for row in rows if is_fine(row[0])]
        while self._to_expire:
            measurement, series, station = self._to_expire[-1]
            removed = self._db.execute(
                f"DELETE FROM {_quoted(measurement)} WHERE (series, time_ms, seq) IN (SELECT series, time_ms, seq"  # noqa: S608 - quoted
                f" FROM {_quoted(measurement)} WHERE series = ? AND time_ms < ? LIMIT ?)",
                (series, self._cutoff(station), _EXPIRE_ROWS),
            ).rowcount
            if removed < _EXPIRE_ROWS:
                self._to_expire.pop()
            if removed:
                break
        return bool(self._to_expire)

    def reset(self) -> None:
        """Forget ids and columns: those of a transaction that was rolled back are gone."""
        self._ids.clear()
        self._columns.clear()

    def close(self) -> None:
        """Do nothing: the connection is the writer's."""


def read_series(path: Path, query: SeriesQuery) -> list[SeriesItem]:
    """Return the values of a field, ordered by time, station and device; [] where nothing was ever stored.

    Parameters
    ----------
    path
        series.db.
    query
        What is asked for.
    """
    if not path.exists():
        return []
    db = connect(path, read_only=True)
    try:
        columns = _columns_of(db, query.measurement)
        column = "seq" if columns and query.field == "seq" else columns.get(query.field)
        return [] if column is None else _read(db, query, column)
    finally:
        db.close()


def _read(db: sqlite3.Connection, query: SeriesQuery, column: str) -> list[SeriesItem]:
    field = f"p.{_quoted(column)}"
    wanted = f"{field} >= 0" if column == "seq" else f"{field} IS NOT NULL"
    where, values = f"{wanted} AND s.measurement = ?", [query.measurement]
    for name, value in (("station", query.station), ("device", query.device)):
        if value is not None:
            where += f" AND s.{name} = ?"
            values.append(value)
    # A cross join keeps this order: first the few series, then each one's range of the primary key.
    source = f"FROM series s CROSS JOIN {_quoted(query.measurement)} p ON p.series = s.id WHERE {where}"
    span = "AND p.time_ms >= ? AND p.time_ms < ?"
    difference = query.step_ms is not None and query.aggregation is Aggregation.DIFFERENCE
    # A first step without history has no difference, so these can only be counted at the end.
    limits = (query.from_ms, query.to_ms, -1 if query.limit is None or difference else query.limit)
    if query.step_ms is None:
        rows = db.execute(
            f"SELECT p.time_ms, s.station, s.device, {field} {source} {span}"
            f" ORDER BY p.time_ms, s.station, s.device, p.seq LIMIT ?",
            (*values, *limits),
        )
        return [SeriesItem(*row) for row in rows]
    rows = db.execute(
        f"SELECT p.time_ms / ? * ? AS step, s.station, s.device, {_VALUE_OF[query.aggregation].format(f=field)}"
        f" {source} {span} GROUP BY step, s.station, s.device ORDER BY step, s.station, s.device LIMIT ?",
        (query.step_ms, query.step_ms, *values, *limits),
    )
    items = [SeriesItem(*row[:4]) for row in rows]
    if difference:
        before = _before(db, query, field, {(item.station, item.device) for item in items})
        return differences(items, before)[: query.limit]
    return items


def _before(
    db: sqlite3.Connection, query: SeriesQuery, field: str, devices: set[tuple[str, str | None]]
) -> dict[tuple[str, str | None], Value]:
    """Return the last value of each device before the query's span; of several connectors the newest."""
    newest: dict[tuple[str, str | None], tuple[int, Value]] = {}
    find = "SELECT id, station, device FROM series WHERE measurement = ?"
    for series, station, device in db.execute(find, (query.measurement,)).fetchall():
        if (station, device) not in devices:
            continue
        row = db.execute(
            f"SELECT {_ORDER}, {field} FROM {_quoted(query.measurement)} p WHERE p.series = ? AND p.time_ms < ?"  # noqa: S608 - quoted
            f" AND {field} IS NOT NULL ORDER BY p.time_ms DESC, p.seq DESC LIMIT 1",
            (series, query.from_ms),
        ).fetchone()
        if row and ((station, device) not in newest or row > newest[(station, device)]):
            newest[(station, device)] = row
    return {device: value for device, (_, value) in newest.items()}


def _columns_of(db: sqlite3.Connection, measurement: str) -> dict[str, str]:
    """Return field -> column. SQLite does not tell `Occupied_s` from `occupied_s`: the later one ends in `~`."""
    names = [row[1] for row in db.execute(f"PRAGMA table_info({_quoted(measurement)})")]
    return {name.rstrip("~"): name for name in names if name not in _KEY}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _values(column: Column, order: NDArray[np.intp]) -> Sequence[object]:
    """Return the values in that order; SQLite keeps a NaN as NULL by itself."""
    if isinstance(column, tuple):
        return [column[i] for i in order.tolist()]
    values = column[order]
    if values.dtype.kind == "i":
        return [None if value == NO_INT else value for value in values.tolist()]
    finite: list[object] = np.where(np.isfinite(values), values, np.nan).tolist()
    return finite
