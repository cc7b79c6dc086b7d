"""Keeps the advice in force: made anew when the watermark has passed a minute, from what is learned once an hour."""

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from analytics.advice import MachineCurves, advice_of, charging_advice, learn_curves, scorecard
from analytics.advice.asks import asks_of, first_start_ms
from analytics.advice.network import network_of
from analytics.advice.ordered import RECENT_MS
from analytics.air import air_minutes
from analytics.counted import counted
from analytics.engine import Engine
from analytics.window import Window
from store.state import DeviceTable
from telemetry.registry import Station
from telemetry.times import DAY_MS, HOUR_MS, MINUTE_MS

LEARN_MS = 7 * DAY_MS
FORECAST_MS = 30 * MINUTE_MS
ASKED = ("requested_kwh_i", "requested_kwh_ms", "energy_n")


class Load(Protocol):
    """Loads a window of a station; `columns`: the only sums that are needed, and no runs."""

    def __call__(self, station: str, from_ms: int, to_ms: int, *, columns: tuple[str, ...] = ()) -> Window:
        """Return the window [from_ms, to_ms)."""


class Advisor:
    """Makes the advice of each station."""

    def __init__(self, load: Load, devices: Callable[[str], dict[str, DeviceTable]]) -> None:
        """Take how windows and the last values of a station's devices are loaded."""
        self._load = load
        self._devices = devices
        self._learned: dict[str, tuple[int, Station, Any]] = {}
        """Station -> (hour, settings, what was learned by then)."""

    def advise(self, engine: Engine, name: str, at_ms: int) -> None:
        """Give the engine the advice of a station at the end of a minute."""
        charging = engine.station_kind[engine.stations.index(name)] == "charging"
        record = self._charging(name, at_ms) if charging else self._air(name, at_ms)
        engine.advice[name] = (at_ms, msgspec.json.encode(record))

    def _air(self, name: str, at_ms: int) -> dict[str, Any]:
        window = self._load(name, at_ms - DAY_MS, at_ms)
        week_ago = self._load(name, at_ms - LEARN_MS, at_ms - LEARN_MS + FORECAST_MS)
        return advice_of(window, self._hourly(name, window.station, at_ms, self._curves), week_ago)

    def _charging(self, name: str, at_ms: int) -> dict[str, Any]:
        window = self._load(name, at_ms - RECENT_MS, at_ms)
        missing = network_of(window.station, counted(window, "port"))
        if isinstance(missing, str):
            return charging_advice(window, {}, missing)
        ports, since_ms = self._devices(name).get("port"), first_start_ms(window)
        asks = {}
        if ports is not None and since_ms is not None:
            from_ms = max(at_ms - DAY_MS, since_ms - since_ms % MINUTE_MS)
            asks = asks_of(window, ports, self._load(name, from_ms, at_ms, columns=ASKED))
        return charging_advice(window, asks, self._hourly(name, window.station, at_ms, self._score))

    def _hourly(self, name: str, station: Station, at_ms: int, learn: Callable[[str, int], Any]) -> Any:
        """Return what is learned by the last full hour, so that a restart learns the same."""
        hour_ms = at_ms - at_ms % HOUR_MS
        learned = self._learned.get(name)
        if learned is None or learned[:2] != (hour_ms, station):
            learned = self._learned[name] = (hour_ms, station, learn(name, hour_ms))
        return learned[2]

    def _curves(self, name: str, hour_ms: int) -> MachineCurves:
        return learn_curves(air_minutes(self._load(name, hour_ms - LEARN_MS, hour_ms)))

    def _score(self, name: str, hour_ms: int) -> dict[str, Any] | str:
        return scorecard(self._load(name, hour_ms - DAY_MS, hour_ms))
