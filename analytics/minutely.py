"""Once the watermark has passed a minute: rules on key figures are judged, and rows go out for the series store."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from analytics.advise import Advisor
from analytics.engine import Engine
from analytics.groups import group_id, members_of
from analytics.judge import judge, judge_clocks
from analytics.judge_groups import judge_group
from analytics.loading import load_window
from analytics.publish import device_rows, info_rows, session_rows, station_rows
from analytics.shelf import LONG_AGO
from analytics.window import Window
from store.sqlite import connect
from store.state import StateReader, StateWriter
from telemetry.config import Config
from telemetry.registry import Station
from telemetry.times import DAY_MS, HOUR_MS, MINUTE_MS, QUARTER_MS, local_day_start, next_local_day

CHUNK_MS = DAY_MS
"""Minutes judged and published in one piece."""
TIDY_MS = 60_000
WIDTHS = {"15m": QUARTER_MS, "1h": HOUR_MS}


class Minutely:
    """What waits for the watermark. Reads what the engine has committed; rows go out with its next checkpoint."""

    def __init__(self, engine: Engine, reader: StateReader, config: Config) -> None:
        self._engine = engine
        self._reader = reader
        self._config = config
        self._tidied_ms = 0
        self._advisor = Advisor(self._window, reader.devices)
        self._described: dict[str, tuple[int, Station, int]] = {}
        """Station -> (day, registry entry, devices) of its last info rows."""

    def due(self, *, behind: bool = False) -> bool:
        """Return whether a minute of some station is over, or rows that are out have changed.

        `behind`: more of the journal is at hand, and will change rows again; they wait until it has been read.
        """
        engine = self._engine
        for one in engine.kinds.values():
            one.minutes.settle()
        return (not behind and any(one.minutes.corrected for one in engine.kinds.values())) or any(
            engine.judged_ms(i) < int(engine.watermark_ms[i]) // MINUTE_MS * MINUTE_MS
            for i in range(len(engine.stations))
        )

    def run(self, stopped: Callable[[], bool], *, behind: bool = False) -> None:
        """Judge and publish every minute that is over, a day at a time, until `stopped` says so.

        Alerts come first, of all stations: nobody waits for them until rows are made. `behind`: as of `due`.
        """
        engine = self._engine
        groups = self._places_of_groups()
        before = {name: engine.judged_ms(i) for i, name in enumerate(engine.stations)}
        while (pieces := self._next_pieces()) and not stopped():
            for done, (station, from_ms, to_ms) in enumerate(pieces):
                if stopped():
                    del pieces[done:]
                    break
                self._judge(station, from_ms, to_ms)
            for station, from_ms, to_ms in pieces:
                self._put_out(station, from_ms, to_ms)
        for name, done_ms in before.items() if not behind else ():
            corrected: set[int] = set()
            for one in engine.kinds.values():
                corrected |= one.minutes.corrected.pop(name, set())
            for from_ms, to_ms in _hours(corrected):
                self._publish(name, from_ms, min(to_ms, done_ms), done_ms, again=True)
        for group, (start, members, heard) in groups.items():
            end = min(engine.published_ms.get(m, start) for m in heard) // QUARTER_MS * QUARTER_MS
            if start < end:
                judge_group(engine.alerts, group, members, heard, self._window, start, end)
                engine.published_ms[group_id(group)] = end
        engine.commit_transitions()

    def _next_pieces(self) -> list[tuple[int, int, int]]:
        """Return (station, from, to) of each station that has minutes to be judged: at most the rest of a day."""
        engine, pieces = self._engine, []
        for i in range(len(engine.stations)):
            start, end = engine.judged_ms(i), int(engine.watermark_ms[i]) // MINUTE_MS * MINUTE_MS
            if start < end:
                pieces.append((i, start, min(end, (start // CHUNK_MS + 1) * CHUNK_MS)))
        return pieces

    def _judge(self, station: int, from_ms: int, to_ms: int) -> None:
        engine, name = self._engine, self._engine.stations[station]
        settings = engine.registry.station(name, engine.station_kind[station])
        self._judge_clocks(station, settings, to_ms)
        judge(engine.alerts, settings, name, partial(self._window, name), from_ms, to_ms)
        engine.commit_transitions()

    def _judge_clocks(self, station: int, settings: Station, at_ms: int) -> None:
        engine = self._engine
        for kind, one in engine.kinds.items():
            mine = np.flatnonzero((engine.station_of == station) & (one.clocks.since_ms > LONG_AGO))
            if len(mine):
                limit_ms = one.shelf.devices.offline_after_ms[mine]
                signal_of = partial(one.clocks.signal, kind, engine.names_of(mine), mine, limit_ms, at_ms)
                judge_clocks(engine.alerts, settings, engine.stations[station], kind, signal_of)

    def _put_out(self, station: int, from_ms: int, to_ms: int) -> None:
        """Publish minutes that were judged, and move the station's place behind them."""
        engine, name = self._engine, self._engine.stations[station]
        self._publish(name, from_ms, to_ms, to_ms)
        self._describe(station, from_ms)
        engine.published_ms[name] = to_ms
        if to_ms == int(engine.watermark_ms[station]) // MINUTE_MS * MINUTE_MS:
            self._advisor.advise(engine, name, to_ms)

    def _places_of_groups(self) -> dict[str, tuple[int, list[Station], list[str]]]:
        """Return group -> (end of what it has been judged by, its stations, those that were heard).

        A new group begins where its stations stand now, at the beginning of everything with their first minutes.
        """
        engine = self._engine
        index = {name: i for i, name in enumerate(engine.stations)}
        places = {}
        for group, members in members_of(engine.registry).items():
            judged = {m.id: engine.judged_ms(index[m.id]) for m in members if m.id in index}
            if judged:
                start = min(judged.values()) // QUARTER_MS * QUARTER_MS
                places[group] = (engine.published_ms.setdefault(group_id(group), start), members, list(judged))
        return places

    def _window(
        self, station: str, from_ms: int, to_ms: int, *, extremes: bool = False, runs_from_ms: int | None = None,
        columns: tuple[str, ...] = (),
    ) -> Window:
        return load_window(
            self._reader, self._engine.registry, station, from_ms, to_ms, now_ms=to_ms, extremes=extremes,
            runs_from_ms=runs_from_ms, columns=columns,
        )

    def _publish(self, name: str, from_ms: int, to_ms: int, done_ms: int, *, again: bool = False) -> None:
        """Put the rows of `[from_ms, to_ms)` into the outbox, and those of the longer periods that it touches.

        Periods are published whole: none that ends after `done_ms`, up to which all minutes have been judged.
        `again`: they are out already.
        """
        if from_ms >= to_ms:
            return
        window = self._window(name, from_ms, to_ms, extremes=True)
        self._engine.ship(device_rows(window, "1m", again=again))
        self._engine.ship(station_rows(window, "1m"))
        self._engine.ship(session_rows(window, from_ms, to_ms))
        for width, width_ms in WIDTHS.items():
            end_ms = min(-(-to_ms // width_ms), done_ms // width_ms) * width_ms
            self._publish_width(name, width, from_ms // width_ms * width_ms, end_ms, again=again)
        zone = window.station.zone
        day_end_ms = min(next_local_day(to_ms - 1, zone), local_day_start(done_ms, zone))
        self._publish_width(name, "1d", local_day_start(from_ms, zone), day_end_ms, again=again)

    def _publish_width(self, name: str, width: str, from_ms: int, to_ms: int, *, again: bool) -> None:
        if from_ms < to_ms:
            window = self._window(name, from_ms, to_ms, extremes=True)
            self._engine.ship(device_rows(window, width, again=again))
            self._engine.ship(station_rows(window, width))

    def _describe(self, station: int, day_ms: int) -> None:
        """Once a day, and when stations.toml or the devices have changed: names, kinds and ratings."""
        engine = self._engine
        name = engine.stations[station]
        settings = engine.registry.station(name, engine.station_kind[station])
        devices = engine.devices_of(station)
        said = (day_ms // DAY_MS, settings, len(devices))
        if self._described.get(name) != said:
            self._described[name] = said
            engine.ship(info_rows(settings, name, devices, day_ms // DAY_MS * DAY_MS))

    def tidy(self, state: StateWriter) -> None:
        """Now and then: remove derived rows that the writer has shipped."""
        engine = self._engine
        if engine.clock_ms - self._tidied_ms < TIDY_MS:
            return
        self._tidied_ms = engine.clock_ms
        with contextlib.suppress(sqlite3.OperationalError):
            db = connect(self._config.data / "series.db", read_only=True)
            row = db.execute("SELECT value FROM meta WHERE key = 'derived_cursor'").fetchone()
            db.close()
            if row is not None:
                state.prune_outbox(int(row[0]))


def _hours(minutes: Iterable[int]) -> list[tuple[int, int]]:
    """Return the hours [from, to) in which minutes (numbers since the epoch) lie, neighbours joined."""
    spans: list[tuple[int, int]] = []
    for hour in sorted({m * MINUTE_MS // HOUR_MS for m in minutes}):
        start = hour * HOUR_MS
        if spans and spans[-1][1] == start:
            spans[-1] = (spans[-1][0], start + HOUR_MS)
        else:
            spans.append((start, start + HOUR_MS))
    return spans

