"""Keeps the advice in force: made anew when the watermark has passed a minute, from curves learned once an hour."""

from collections.abc import Callable

import msgspec

from analytics.advice import MachineCurves, advice_of, learn_curves
from analytics.air import air_minutes
from analytics.engine import Engine
from analytics.window import Window
from telemetry.registry import Station
from telemetry.times import DAY_MS, HOUR_MS, MINUTE_MS

LEARN_MS = 7 * DAY_MS
FORECAST_MS = 30 * MINUTE_MS


class Advisor:
    """Makes the advice of each compressed-air station."""

    def __init__(self, load: Callable[[str, int, int], Window]) -> None:
        """Take how windows are loaded: (station, from, to)."""
        self._load = load
        self._learned: dict[str, tuple[int, Station, MachineCurves]] = {}
        """Station -> (hour, settings, curves)."""

    def advise(self, engine: Engine, name: str, at_ms: int) -> None:
        """Give the engine the advice of a station at the end of a minute; other kinds of station have none."""
        if engine.station_kind[engine.stations.index(name)] != "compressed_air":
            return
        window = self._load(name, at_ms - DAY_MS, at_ms)
        week_ago = self._load(name, at_ms - LEARN_MS, at_ms - LEARN_MS + FORECAST_MS)
        record = advice_of(window, self._curves(name, window.station, at_ms), week_ago)
        engine.advice[name] = (at_ms, msgspec.json.encode(record))

    def _curves(self, name: str, station: Station, at_ms: int) -> MachineCurves:
        """Return the curves by the week before the hour, so that a restart learns the same."""
        hour_ms = at_ms - at_ms % HOUR_MS
        learned = self._learned.get(name)
        if learned is None or learned[:2] != (hour_ms, station):
            week = self._load(name, hour_ms - LEARN_MS, hour_ms)
            learned = self._learned[name] = (hour_ms, station, learn_curves(air_minutes(week)))
        return learned[2]
