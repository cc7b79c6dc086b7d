"""Event mode: the newest accepted time of each station, which one wrong device clock must not move."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from store.journal import DeviceKey
from telemetry.times import DAY_MS, format_time

AHEAD_MS = 366 * DAY_MS
"""A reading further ahead of its station's `now` is a broken clock."""


class Timed(Protocol):
    """Readings of one kind in a batch."""

    device: list[int]
    message: list[int]
    time_ms: NDArray[np.int64]
    wrong: dict[int, str]


class EventClock:
    """`now` of every station."""

    def __init__(self, station_now: Mapping[str, int]) -> None:
        self._now = dict(station_now)

    def advance(self, kinds: Sequence[Timed], keys: Sequence[DeviceKey]) -> dict[str, int]:
        """Move the clocks of a batch; readings too far ahead become `wrong`. Return the clocks that moved.

        A station's first reading sets its clock. Order is that of arrival over all kinds.

        Parameters
        ----------
        keys
            Device of each index.
        """
        newest = self._newest(kinds, keys)
        doubtful = {s for s, t in newest.items() if t > self._now.get(s, -AHEAD_MS) + AHEAD_MS}
        moved = {s: t for s, t in newest.items() if s not in doubtful and t > self._now.get(s, t - 1)}
        self._now.update(moved)
        if doubtful:
            moved |= self._one_by_one(kinds, keys, doubtful)
        return moved

    def _newest(self, kinds: Sequence[Timed], keys: Sequence[DeviceKey]) -> dict[str, int]:
        """Return the newest time that each station's readings claim."""
        newest: dict[str, int] = {}
        for rows in kinds:
            good = np.ones(len(rows.device), bool)
            good[list(rows.wrong)] = False
            devices, place = np.unique(np.array(rows.device)[good], return_inverse=True)
            top = np.full(len(devices), np.iinfo(np.int64).min)
            np.maximum.at(top, place, rows.time_ms[good])
            for device, time_ms in zip(devices.tolist(), top.tolist(), strict=True):
                station = keys[device].station
                newest[station] = max(newest.get(station, time_ms), time_ms)
        return newest

    def _one_by_one(
        self, kinds: Sequence[Timed], keys: Sequence[DeviceKey], stations: set[str]
    ) -> dict[str, int]:
        """Judge every reading of these stations by the clock that the readings before it have set."""
        readings = sorted(
            (rows.message[row], row, at)
            for at, rows in enumerate(kinds)
            for row, device in enumerate(rows.device)
            if keys[device].station in stations and row not in rows.wrong
        )
        moved: dict[str, int] = {}
        for _, row, at in readings:
            rows = kinds[at]
            station, time_ms = keys[rows.device[row]].station, int(rows.time_ms[row])
            now = self._now.get(station)
            if now is not None and time_ms > now + AHEAD_MS:
                rows.wrong[row] = (
                    f"ts {format_time(time_ms)} is more than 366 days ahead of station {station!r}, "
                    f"which is at {format_time(now)}"
                )
            elif now is None or time_ms > now:
                self._now[station] = moved[station] = time_ms
        return moved
