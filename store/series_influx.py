"""InfluxDB as the series store: every line is stored, counted beyond retention, or kept aside with its reason."""

import re
import threading
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from zlib import crc32

from store.influx_http import Reply, WriteClient, query, write_client
from store.schema import Aggregation, is_fine
from store.series import Outcome, SeriesItem, SeriesQuery, Value, differences
from telemetry.config import InfluxConfig
from telemetry.errors import StoreError, StoreUnavailable
from telemetry.points import Points
from wire.line_protocol import to_lines

LINES = 5_000
"""Lines of one request."""
BODY_BYTES = 8 * 1024 * 1024
"""Size of one request."""
IN_FLIGHT = 4
"""Requests under way at once."""
GATHER_MS = 1_000
"""Fewer lines than a request holds wait this long for more."""

_DROPPED = re.compile(r"dropped=(\d+)")
_TOO_OLD = re.compile(r"points (?:beyond|outside) retention policy")
"""`beyond` up to 1.8 and 2.6, `outside ... of duration 24h0m0s - oldest point ...` since."""
_LIMIT = re.compile(r"max-(?:values-per-tag|series-per-database|series)[^:]*limit exceeded")


def database_of(config: InfluxConfig, measurement: str) -> str:
    """Return the database (1.x) or bucket (2.x, 3.x) of a measurement."""
    name = config.database if config.version == 1 else config.bucket
    return f"{name}_raw" if is_fine(measurement) else name


class InfluxSeries:
    """The write side.

    Parameters
    ----------
    config
        The server.
    keep_ms
        Retention of raw readings and one-minute rows in a database that has to be made; None: for ever.
    """

    batch = IN_FLIGHT * LINES
    worth = LINES
    gather_ms = GATHER_MS

    def __init__(self, config: InfluxConfig, keep_ms: int | None = None) -> None:
        self._config = config
        self._keep_ms = keep_ms
        self._client: WriteClient = write_client(config)

    def put(self, batch: Sequence[Points]) -> Outcome:
        """Post lines, 5,000 at a time; those of one series in order, different ones side by side."""
        lines: dict[str, list[str]] = {}
        for points in batch:
            lines.setdefault(database_of(self._config, points.measurement), []).extend(to_lines(points))
        lanes = [
            partial(self._post, database, lane) for database, all_lines in lines.items() for lane in _lanes(all_lines)
        ]
        outcomes = side_by_side(lanes)
        refused = tuple(chain.from_iterable(outcome.refused for outcome in outcomes))
        return Outcome(refused, sum(outcome.beyond_retention for outcome in outcomes))

    def _post(self, database: str, lines: list[str]) -> Outcome:
        refused: list[tuple[str, str]] = []
        beyond = sum(
            self._settle(database, lines[begin : begin + LINES], refused) for begin in range(0, len(lines), LINES)
        )
        return Outcome(tuple(refused), beyond)

    def _settle(self, database: str, lines: list[str], refused: list[tuple[str, str]]) -> int:
        """Post lines; halve them where some are bad. Return how many lie beyond retention."""
        body = "\n".join(lines).encode()
        if len(body) > BODY_BYTES and len(lines) > 1:
            return self._halve(database, lines, refused)
        reply = self._client.write(database, body)
        if reply.status == 404 and self._config.version == 1 and "database not found" in reply.text:
            self._create(database)
            reply = self._client.write(database, body)
        if reply.status < 300:
            return 0
        self._raise_unless_bad_lines(database, reply)
        dropped = _DROPPED.search(reply.text)
        if _TOO_OLD.search(reply.text) and (dropped or len(lines) == 1):
            # Said only when every other line is stored.
            return int(dropped[1]) if dropped else 1
        if len(lines) == 1 or (dropped and int(dropped[1]) == len(lines)):
            refused += [(line, f"{reply.status}: {reply.text}") for line in lines]
            return 0
        return self._halve(database, lines, refused)

    def _halve(self, database: str, lines: list[str], refused: list[tuple[str, str]]) -> int:
        middle = len(lines) // 2
        return self._settle(database, lines[:middle], refused) + self._settle(database, lines[middle:], refused)

    def _raise_unless_bad_lines(self, database: str, reply: Reply) -> None:
        config = self._config
        said = f"InfluxDB {config.url} answers {reply.status} to writes into {database!r} ({reply.text})"
        if reply.status >= 500 or reply.status in (408, 429):
            msg = f"{said}; the writer tries again until it succeeds"
            raise StoreUnavailable(msg, reply.retry_after_s)
        if reply.status in (401, 403):
            key = "username and password" if config.version == 1 else "token"
            msg = f"{said}; correct store.influx.{key}, or grant it the right to write"
            raise StoreError(msg)
        if reply.status == 404:
            what = "version (1 needs /write, 2 and 3 need /api/v2/write)"
            remedy = what if config.version == 1 else f"org, bucket and {what}; the bucket {database!r} must exist"
            msg = f"{said}; check store.influx.url, {remedy}"
            raise StoreError(msg)
        if _LIMIT.search(reply.text):
            msg = (
                f"{said}; raise max-values-per-tag and max-series-per-database (0: no limit) in influxdb.conf and "
                "restart it"
            )
            raise StoreError(msg)
        if reply.status not in (400, 413, 422):
            msg = f"{said}, which no InfluxDB says; check store.influx.url and what stands between"
            raise StoreError(msg)

    def _create(self, database: str) -> None:
        """Make a database of InfluxDB 1.x, the fine one with its retention."""
        keep = self._keep_ms if database.endswith("_raw") else None
        statement = f'CREATE DATABASE "{database}"' + (f" WITH DURATION {keep // 1000}s" if keep else "")
        try:
            query(self._config, "", statement)
        except StoreUnavailable:
            raise
        except StoreError as error:
            msg = (
                f"database {database!r} does not exist and could not be made: {error}. Run as administrator: "
                f"{statement}"
            )
            raise StoreError(msg) from error

    def expire(self) -> bool:
        """Do nothing: the server's retention removes what is old."""
        return False

    def reset(self) -> None:
        """Do nothing: nothing is remembered."""

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def _lanes(lines: list[str]) -> list[list[str]]:
    """Return lines in groups that may go side by side: of two values of one point the later must come later."""
    count = min(IN_FLIGHT, -(-len(lines) // LINES))
    if count <= 1:
        return [lines] if lines else []
    lanes: list[list[str]] = [[] for _ in range(count)]
    for line in lines:
        # Up to the first space: the series, or the same part of its name.
        lanes[crc32(line[: line.index(" ")].encode()) % count].append(line)
    return lanes


def side_by_side(work: Sequence[Callable[[], Outcome]]) -> list[Outcome]:
    """Do everything at once and return when all of it has ended; raise the first error.

    In threads that do not keep a process from ending while a server hangs.
    """
    done: dict[int, Outcome] = {}
    failed: dict[int, BaseException] = {}

    def run(place: int) -> None:
        try:
            done[place] = work[place]()
        except BaseException as error:  # noqa: BLE001 - raised again by the caller
            failed[place] = error

    threads = [threading.Thread(target=run, args=(place,), daemon=True) for place in range(1, len(work))]
    for thread in threads:
        thread.start()
    if work:
        run(0)
    for thread in threads:
        thread.join()
    if failed:
        raise failed[min(failed)]
    return [done[place] for place in range(len(work))]


def read_series(config: InfluxConfig, asked: SeriesQuery) -> list[SeriesItem]:
    """Return the values of a field, ordered by time, station and device; the same as the embedded store's.

    Raises
    ------
    StoreUnavailable, StoreError
        If the server does not answer, or refuses.
    """
    field, by = _quoted(asked.field), '"station", "device"'
    span = f"time >= {asked.from_ms}000000 AND time < {asked.to_ms}000000"
    if asked.step_ms is None:
        limit = "" if asked.limit is None else f" LIMIT {asked.limit}"
        items = _items(config, asked, f"SELECT {field}", span, f"GROUP BY {by}{limit}")
        return sorted(items, key=_place)[: asked.limit]
    name = Aggregation.LAST if asked.aggregation is Aggregation.DIFFERENCE else asked.aggregation
    steps = f"GROUP BY time({asked.step_ms}ms), {by} fill(none)"
    items = sorted(_items(config, asked, f"SELECT {name}({field})", span, steps), key=_place)
    if asked.aggregation is not Aggregation.DIFFERENCE:
        return items[: asked.limit]
    earlier = _items(config, asked, f"SELECT last({field})", f"time < {asked.from_ms}000000", f"GROUP BY {by}")
    before: dict[tuple[str, str | None], Value] = {(item.station, item.device): item.value for item in earlier}
    return differences(items, before)[: asked.limit]


def _items(config: InfluxConfig, asked: SeriesQuery, select: str, where: str, group: str) -> list[SeriesItem]:
    for name, value in (("station", asked.station), ("device", asked.device)):
        if value is not None:
            text = value.replace("\\", "\\\\").replace("'", "\\'")
            where += f" AND \"{name}\" = '{text}'"
    statement = f"{select} FROM {_quoted(asked.measurement)} WHERE {where} {group}"
    return [
        SeriesItem(row[0] // 1_000_000, series["tags"]["station"], series["tags"]["device"] or None, row[1])
        for series in query(config, database_of(config, asked.measurement), statement)
        for row in series["values"]
        if row[1] is not None
    ]


def _place(item: SeriesItem) -> tuple[int, str, str]:
    return item.time_ms, item.station, item.device or ""


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
