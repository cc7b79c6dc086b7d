"""What is replayed, and what is asked afterwards. Each job has a broker, processes and a data directory of its own."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain, takewhile
from pathlib import Path

import httpx
from river.stack import Json, Stack, stack
from servers import influxd

from simulators.replay import FORMATS, replay_messages
from telemetry.times import HOUR_MS, MINUTE_MS

FIRST_H = (6, 8)
"""The windows of the slow replays [h]: the issue's six hours, and eight, in which there are sessions."""

RAW = ("air_main", "compressor")
"""What the logger's file becomes."""

Point = tuple[str, int, int | None, str, float | int | str]
"""Station/device, ts, seq, field, value."""


@dataclass(frozen=True)
class Recording:
    """One file and the window that it covers."""

    path: str
    format_name: str
    from_ms: int
    to_ms: int

    @property
    def station(self) -> str:
        return FORMATS[self.format_name].station

    @property
    def is_charging(self) -> bool:
        return self.format_name == "acn-sim"


_ACN_MS = 1_551_427_200_000
LLF = Recording("acn-sim/three_phase-LLF-40.json.gz", "acn-sim", _ACN_MS, _ACN_MS + 10_732 * 5 * MINUTE_MS)
UNCTRL = Recording("acn-sim/three_phase-Unctrl-50.json.gz", "acn-sim", LLF.from_ms, LLF.to_ms)
MEASUR = Recording("measur-log/eight-compressors_2022-05.csv", "measur-log", 1_651_381_200_000, 1_652_687_880_000)


@dataclass
class Answers:
    """What the API said after a replay."""

    messages: int
    progress: Json
    kpis: dict[str, Json] = field(default_factory=dict)
    """Window -> answer: `whole` and `6 h`, `8 h` from the start."""
    sessions: dict[str, list[Json]] = field(default_factory=dict)
    series: dict[str, int] = field(default_factory=dict)
    """Compressor -> points of power that `/series` lists."""
    raw: list[Point] = field(default_factory=list)
    """All raw points of the compressors and the header, straight out of the store."""


def _ask(river: Stack, recording: Recording, messages: int, *, whole: bool) -> Answers:
    answers = Answers(messages, river.wait_drained())
    windows = {f"{h} h": recording.from_ms + h * HOUR_MS for h in FIRST_H}
    if whole:
        windows["whole"] = recording.to_ms
    for name, to_ms in windows.items():
        answers.kpis[name] = river.kpis(recording.station, recording.from_ms, to_ms)
        if recording.is_charging:
            answers.sessions[name] = river.sessions(recording.station, recording.from_ms, to_ms)
    if recording is MEASUR and whole:
        for device in answers.kpis["whole"]["devices"]:
            if device["kind"] == "compressor":
                answers.series[device["device"]] = len(river.items(
                    "series", measurement="compressor", field="power_kw", station=recording.station,
                    device=device["device"], from_=recording.from_ms, to=recording.to_ms,
                ))  # fmt: skip
    return answers


def replay_whole(data_dir: Path, folder: Path, recording: Recording, speed: str, sections: str = "") -> Answers:
    """Replay a file by the command line and ask about the whole of it and its first hours."""
    with stack(folder, sections=sections) as river:
        count = river.replay(data_dir / recording.path, recording.format_name, speed, recording.station)
        answers = _ask(river, recording, count, whole=True)
        river.report()
        river.server.kill9()  # the answers are there; roles end with their supervisor
        if recording is MEASUR and not sections:
            points = sqlite_points(folder / "voltair-data" / "series.db", RAW)
            answers.raw = sorted((point for name in RAW for point in points[name]), key=repr)
    shutil.rmtree(folder)  # series.db of a whole file takes 600 MB
    return answers


def replay_into_influx(data_dir: Path, folder: Path) -> Answers:
    """Replay the logger's file into an InfluxDB 1.x."""
    with influxd(folder=folder / "influx") as influx:
        sections = f'[store]\nkind = "influx"\n[store.influx]\nurl = "{influx.url}"'
        answers = replay_whole(data_dir, folder / "run", MEASUR, "max", sections)
        points = influx_points(influx.url, RAW)
        answers.raw = sorted((point for name in RAW for point in points[name]), key=repr)
        return answers


def replay_first_hours(data_dir: Path, folder: Path, recording: Recording) -> Answers:
    """Replay the first hours of a file, the reading at their end included, at speed 600."""
    end_ms = recording.from_ms + max(FIRST_H) * HOUR_MS
    with stack(folder) as river:
        messages = replay_messages(data_dir / recording.path, recording.format_name)
        count = river.publish(takewhile(lambda m: m.time_ms <= end_ms, messages), speed=600.0)
        answers = _ask(river, recording, count, whole=False)
        river.report()
    return answers


NO_ROWS = '[analytics]\nlateness = "400d"\n'
"""Derived rows wait: one replay of each recording makes them, the others save their time for the readings."""

JOBS: dict[str, Callable[[Path, Path], Answers]] = {
    # The longest come first, beside those that mostly wait for the clock.
    "acn at 36000": lambda data, folder: replay_whole(data, folder, LLF, "36000", NO_ROWS),
    "acn at max": lambda data, folder: replay_whole(data, folder, LLF, "max"),
    "acn at 600": lambda data, folder: replay_first_hours(data, folder, LLF),
    "measur at 600": lambda data, folder: replay_first_hours(data, folder, MEASUR),
    "measur at 36000": lambda data, folder: replay_whole(data, folder, MEASUR, "36000", NO_ROWS),
    "acn uncontrolled at max": lambda data, folder: replay_whole(data, folder, UNCTRL, "max", NO_ROWS),
    "measur at max": lambda data, folder: replay_whole(data, folder, MEASUR, "max"),
    "measur into influx": replay_into_influx,
}


class Replays:
    """Answers of every replay by name; the first who asks waits."""

    def __init__(self, futures: dict[str, Future[Answers]]) -> None:
        self._futures = futures

    def __getitem__(self, name: str) -> Answers:
        return self._futures[name].result()


def sqlite_points(path: Path, measurements: Collection[str] | None = None) -> dict[str, list[Point]]:
    """Return the points of an embedded store, sorted, by measurement; None: of all."""
    points: dict[str, list[Point]] = {}
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        series = db.execute("SELECT id, measurement, tags FROM series").fetchall()
        # Station before device before whatever else.
        tags = {id_: "/".join(v for _, v in sorted(json.loads(text).items(), reverse=True)) for id_, _, text in series}
        for measurement in measurements or sorted({name for _, name, _ in series}):
            rows = db.execute(f'SELECT * FROM "{measurement}"')  # noqa: S608 - a name out of the same file
            columns = [column[0] for column in rows.description]
            assert columns[:3] == ["series", "time_ms", "seq"]
            points[measurement] = sorted(
                (
                    # Where two fields differ in case only, the embedded store marks the later one.
                    (tags[row[0]], row[1], None if row[2] < 0 else row[2], name.rstrip("~"), value)
                    for row in rows
                    for name, value in zip(columns[3:], row[3:], strict=True)
                    if value is not None
                ),
                key=repr,
            )
    return points


def influx_points(url: str, measurements: Collection[str] | None = None) -> dict[str, list[Point]]:
    """Return the points of an InfluxDB 1.x, sorted, by measurement; None: of all."""
    points: dict[str, list[Point]] = {}
    for database in ("voltair", "voltair_raw"):
        for name in _query(url, database, "SHOW MEASUREMENTS")[0]["values"]:
            if measurements is None or name[0] in measurements:
                found = _query(url, database, f'SELECT * FROM "{name[0]}" GROUP BY *')  # noqa: S608 - its own name
                points[name[0]] = sorted(chain.from_iterable(map(_points, found)), key=repr)
    return points


def _query(url: str, database: str, statement: str) -> list[Json]:
    query = {"db": database, "epoch": "ns", "q": statement}
    answer = httpx.get(f"{url}/query", params=query, timeout=120.0, trust_env=False).json()
    found: list[Json] = answer["results"][0]["series"]
    return found


def _points(series: Json) -> Iterator[Point]:
    # As in the embedded store: station before device before whatever else, and no empty tags.
    tags = "/".join(value for _, value in sorted(series["tags"].items(), reverse=True) if value)
    for row in series["values"]:
        values = dict(zip(series["columns"], row, strict=True))
        time_ns, seq = values.pop("time"), values.pop("seq", None)
        time_ms, rest = divmod(time_ns, 1_000_000)
        assert rest == (0 if seq is None else seq % 1_000_000)
        yield from ((tags, time_ms, seq, name, value) for name, value in values.items() if value is not None)
