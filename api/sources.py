"""What analytics knows, as the API needs it: stations, devices, and windows for key figures."""

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from analytics.advice import ADVICE_TYPES
from analytics.alerts import AlertKey, states_of
from analytics.groups import group_of
from analytics.loading import load_sessions, load_window
from analytics.rules.lifecycle import AlertState
from analytics.window import Window
from api.problems import Problem
from store.roles import wall_ms
from store.state import DeviceTable, StateReader
from telemetry.config import Config
from telemetry.registry import DEVICE_LISTS, Registry, Station, load_registry, registry_from_json
from telemetry.times import DAY_MS, EARLIEST_MS, MINUTE_MS

Int64 = NDArray[np.int64]

_BLIND_MS = 15_000
"""Live: analytics that is this far behind the clock does not know who is online."""


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One device that stations.toml lists or that was heard."""

    device: str
    kind: str
    name: str
    registered: bool
    """Whether stations.toml lists it."""
    online: bool | None
    """None: never heard, or Voltair itself does not hear it now."""
    state: str | None
    """`status` of a port, `state` of a machine; None where there is none."""
    first_ms: int | None
    """Time of its oldest message."""
    last_ms: int | None
    """Time of its newest message."""
    values: dict[str, Any]
    """Channel -> last value."""


class Sources:
    """Reads state.db; each thread has its own connection."""

    def __init__(self, config: Config, *, clock_ms: Callable[[], int] = wall_ms) -> None:
        self._config = config
        self._path = config.data / "state.db"
        self._clock_ms = clock_ms
        self._local = threading.local()

    def _state(self) -> StateReader | None:
        """Return this thread's reader, None where analytics has not made the file yet."""
        try:
            inode = self._path.stat().st_ino
        except FileNotFoundError:
            return None
        reader: StateReader | None = getattr(self._local, "reader", None)
        if reader is None or self._local.inode != inode:
            if reader is not None:
                reader.close()
            reader = self._local.reader = StateReader.open(self._path)
            self._local.inode = inode
        return reader

    @property
    def ready(self) -> bool:
        """Whether analytics has made its file."""
        return self._state() is not None

    def registry(self) -> Registry:
        """Return the registry that analytics works with; before its first word the one of the file."""
        state = self._state()
        raw = None if state is None else state.meta().get("registry")
        return load_registry(self._config.stations_file) if raw is None else _decoded(raw)

    def rules_json(self) -> bytes | None:
        """Return the rule file as analytics has it from the journal; None before its first word."""
        state = self._state()
        return None if state is None else state.meta().get("rules")

    def rule_states(self, station: str) -> list[tuple[AlertKey, AlertState]]:
        """Return what the rules of a station have come to, as of the last checkpoint of analytics."""
        state = self._state()
        snapshot = None if state is None else state.snapshot("alerts")
        return [] if snapshot is None else states_of(snapshot, station)

    def station_ids(self) -> list[str]:
        """Return all stations: those of stations.toml in its order, then others that were heard."""
        listed = list(self.registry().stations)
        return listed + sorted(set(self._heard()) - set(listed))

    def station(self, station: str) -> Station:
        """Return a station; one that is not listed has every default.

        Raises
        ------
        Problem
            404 where nobody knows it.
        """
        registry = self.registry()
        found = registry.stations.get(station)
        if found is not None:
            return found
        heard = self._heard().get(station)
        if heard is None:
            detail = (
                f"there is no station {station!r}; GET /api/v1/stations lists all, new ones stand in stations.toml"
            )
            raise Problem(404, detail)
        return registry.station(station, heard[0])

    def groups_of(self, station: str) -> list[str]:
        """Return the groups of a station, or the group of a pseudo-station; none of one that is not listed."""
        group = group_of(station)
        if group is not None:
            return [group]
        found = self.registry().stations.get(station)
        return [] if found is None else found.groups

    def now_ms(self, station: str) -> int:
        """Return the station's `now`: the clock in live mode, its newest accepted time in event mode."""
        if self._config.clock.mode == "live":
            return self._clock_ms()
        heard = self._heard().get(station)
        return self._clock_ms() if heard is None else heard[1]

    def watermark_ms(self, station: str) -> int:
        """Return up to where a station's figures are complete; 0 where nothing of it was analysed."""
        return self._heard().get(station, ("", 0, 0))[2]

    def devices(self, station: str) -> list[DeviceRow]:
        """Return the devices of a station: those listed in the order of stations.toml, then others by id."""
        settings = self.station(station)
        state = self._state()
        heard: dict[tuple[str, str], _Word] = {}
        if state is not None:
            # Silence is judged by the clock of analytics: what it has not seen yet is no silence of the device.
            analysed_ms = self._heard().get(station, ("", 0, 0))[1]
            blind = self.now_ms(station) - analysed_ms > _BLIND_MS
            deaf_ms = state.deaf(analysed_ms - DAY_MS, analysed_ms)
            heard = {
                (kind, name): word
                for kind, table in state.devices(station).items()
                for name, word in _last_words(table, analysed_ms, deaf_ms, blind=blind).items()
            }
        listed = {(kind, d): own for kind in DEVICE_LISTS.values() for d, own in settings.listed(kind).items()}
        rows = []
        for kind, device in [*listed, *sorted(set(heard) - set(listed))]:
            own = listed.get((kind, device))
            name = own.name if own is not None and own.name else device
            word = heard.get((kind, device), _NEVER)
            rows.append(
                DeviceRow(
                    device, kind, name, own is not None,
                    word.online, word.state, word.first_ms, word.last_ms, word.values,
                )
            )
        return rows

    def window(self, station: str, from_ms: int, to_ms: int, *, extremes: bool = False) -> Window:
        """Return what key figures are computed from, for the whole minutes of `[from_ms, to_ms)`.

        `extremes`: with minima and maxima of gauges, which key figures do without.

        Raises
        ------
        Problem
            503 where analytics has not made its file yet.
        """
        from_ms, to_ms = _minutes(from_ms, to_ms)
        return load_window(self._analysed(station), self.registry(), station, from_ms, to_ms, extremes=extremes)

    def outages(self, station: str, from_ms: int, to_ms: int) -> Window:
        """Return what uptime is made from, for the whole minutes of `[from_ms, to_ms)`; months are cheap.

        Raises
        ------
        Problem
            503 where analytics has not made its file yet.
        """
        minutes = _minutes(from_ms, to_ms)
        return load_window(self._analysed(station), self.registry(), station, *minutes, with_minutes=False)

    def sessions(self, station: str, from_ms: int, to_ms: int) -> Window:
        """Return what sessions are made from, for the whole minutes of `[from_ms, to_ms)`; months are cheap.

        Raises
        ------
        Problem
            503 where analytics has not made its file yet.
        """
        return load_sessions(self._analysed(station), self.registry(), station, *_minutes(from_ms, to_ms))

    def _analysed(self, station: str) -> StateReader:
        state = self._state()
        if state is None:
            raise Problem(503, f"nothing of {station!r} is analysed yet; start 'voltair analytics', see /readyz")
        return state

    def advice(self, station: str) -> dict[str, Any]:
        """Return the advice record in force; one without items where there is none.

        Raises
        ------
        Problem
            404 where nobody knows the station.
        """
        kind = self.station(station).kind
        state = self._state()
        body = None if state is None else state.advice(station)
        if body is not None:
            return dict(msgspec.json.decode(body))
        why = dict.fromkeys(ADVICE_TYPES[kind], "no minute is analysed yet")
        return {"station": station, "kind": kind, "at": None, "items": [], "reasons": why}

    def _heard(self) -> dict[str, tuple[str, int, int]]:
        state = self._state()
        return {} if state is None else state.stations()


def _minutes(from_ms: int, to_ms: int) -> tuple[int, int]:
    first_ms = from_ms - from_ms % MINUTE_MS
    return first_ms, max(to_ms - to_ms % MINUTE_MS, first_ms + MINUTE_MS)


@functools.lru_cache(maxsize=2)
def _decoded(raw: bytes) -> Registry:
    """Return a registry; it is asked for often and changes seldom."""
    return registry_from_json(raw)


@dataclass(frozen=True, slots=True)
class _Word:
    """The last that was heard of a device."""

    online: bool | None
    state: str | None
    first_ms: int | None
    last_ms: int | None
    values: dict[str, Any]


_NEVER = _Word(None, None, None, None, {})


def _last_words(table: DeviceTable, now_ms: int, deaf_ms: Int64, *, blind: bool) -> dict[str, _Word]:
    """Return device -> its last word; values that were never sent are left out.

    Parameters
    ----------
    table
        Devices of one kind.
    now_ms
        Up to where analytics has come.
    deaf_ms
        (k, 2) intervals in which Voltair could not hear: they are no silence of a device.
    blind
        Whether analytics has fallen behind the clock: then nobody knows who is online.
    """
    arrays = table.arrays
    first, newest, hold = (arrays[name].tolist() for name in ("first_ms", "newest_ms", "hold_ms"))
    gap_ms = now_ms - arrays["newest_ms"]
    unheard_ms = (deaf_ms[:, 1, None] - np.maximum(deaf_ms[:, 0, None], arrays["newest_ms"])).clip(0).sum(0)
    silent_ms = (gap_ms - unheard_ms).tolist()
    states, sessions = arrays["state"].tolist(), arrays["session"].tolist()
    last = arrays["last"]
    words = {}
    for i, name in enumerate(table.names):
        if newest[i] < EARLIEST_MS:
            continue
        sent = np.flatnonzero(~np.isnan(last[i]))
        values: dict[str, Any] = {table.channels[c]: float(last[i, c]) for c in sent}
        if table.sessions[sessions[i]]:
            values["session_id"] = table.sessions[sessions[i]]
        words[name] = _Word(
            online=_online(hold[i], int(gap_ms[i]), silent_ms[i], blind=blind),
            state=table.states[states[i]] if states[i] >= 0 and table.states else None,
            first_ms=first[i],
            last_ms=newest[i],
            values=values,
        )
    return words


def _online(hold_ms: int, gap_ms: int, silent_ms: int, *, blind: bool) -> bool | None:
    """Return whether a device is online; None where its silence may be Voltair's own deafness."""
    if hold_ms == 0 or silent_ms > hold_ms:
        return False
    return None if blind or gap_ms > hold_ms else True
