"""Weekly local hours such as `Mon-Fri 07:00-22:00; Sat 08:00-12:00`, also over midnight, and their UTC intervals."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from telemetry.times import DAY_MS, to_datetime, to_ms

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_PART = re.compile(
    r"(?:(?P<days>[A-Za-z,\-]+)\s+)?(?P<h1>\d{1,2}):(?P<m1>\d{2})-(?P<h2>\d{1,2}):(?P<m2>\d{2})"
)


@dataclass(frozen=True, slots=True)
class OpenHours:
    """Weekly spans of local time."""

    spans: tuple[tuple[int, int, int], ...]
    """(weekday with Monday 0, first minute of the local day, last minute exclusive; beyond 1440: next day)."""

    @property
    def always(self) -> bool:
        """Whether every minute of the week is inside."""
        return self == ALWAYS

    def intervals(
        self,
        from_ms: int,
        to_ms_: int,
        zone: ZoneInfo,
        weekday_of: Callable[[date], int | None] | None = None,
    ) -> NDArray[np.int64]:
        """Return the UTC intervals inside `[from_ms, to_ms_)`.

        Parameters
        ----------
        from_ms, to_ms_, zone
            The window, and where local hours are local.
        weekday_of
            Local day -> the weekday whose hours it has, None for a day without any; None: its own.

        Returns
        -------
        (k, 2) array of [start, end), sorted and disjoint.
        """
        if self.always and weekday_of is None:
            return np.array([[from_ms, to_ms_]], np.int64).reshape(-1, 2)
        day = to_datetime(from_ms - 2 * DAY_MS).astimezone(zone).date()
        last = to_datetime(to_ms_).astimezone(zone).date()
        found: list[tuple[int, int]] = []
        while day <= last:
            like = day.weekday() if weekday_of is None else weekday_of(day)
            for weekday, first, end in self.spans:
                if weekday == like:
                    midnight = datetime.combine(day, time())
                    start_ms = _local_ms(midnight + timedelta(minutes=first), zone)
                    end_ms = _local_ms(midnight + timedelta(minutes=end), zone)
                    found.append((max(start_ms, from_ms), min(end_ms, to_ms_)))
            day += timedelta(days=1)
        merged: list[list[int]] = []
        for start, end in sorted(f for f in found if f[0] < f[1]):
            if merged and start <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], end)
            else:
                merged.append([start, end])
        return np.array(merged, np.int64).reshape(-1, 2)


ALWAYS = OpenHours(tuple((d, 0, 1440) for d in range(7)))


def _local_ms(naive: datetime, zone: ZoneInfo) -> int:
    """Return the instant of a local wall time; a time that the clock skips moves forward with it."""
    return to_ms(naive.replace(tzinfo=zone).astimezone(UTC))


@lru_cache(maxsize=256)
def parse_hours(text: str) -> OpenHours:
    """Parse weekly hours; `24/7` is always.

    Raises
    ------
    ValueError
        If a part is not like `Mon-Fri 07:00-22:00`.
    """
    if text.strip() in ("24/7", ""):
        return ALWAYS
    spans: list[tuple[int, int, int]] = []
    for part in text.split(";"):
        match = _PART.fullmatch(part.strip())
        if match is None:
            msg = f"{part.strip()!r} is not like 'Mon-Fri 07:00-22:00'; separate parts by ';' or write '24/7'"
            raise ValueError(msg)
        first, end = 60 * int(match["h1"]) + int(match["m1"]), 60 * int(match["h2"]) + int(match["m2"])
        if max(first, end) > 1440:
            msg = f"{part.strip()!r} goes beyond 24:00; hours that wrap over midnight are written 22:00-06:00"
            raise ValueError(msg)
        spans += [(day, first, end if end > first else end + 1440) for day in _weekdays(match["days"])]
    return OpenHours(tuple(sorted(spans)))


def _weekdays(text: str | None) -> list[int]:
    if text is None:
        return list(range(7))
    days: list[int] = []
    for item in text.split(","):
        ends = item.split("-")
        try:
            numbers = [_DAYS.index(e.capitalize()) for e in ends]
        except ValueError as error:
            msg = f"{item!r} names no weekdays; use {', '.join(_DAYS)}"
            raise ValueError(msg) from error
        first, last = numbers[0], numbers[-1]
        days += [d % 7 for d in range(first, (last if last >= first else last + 7) + 1)]
    return sorted(set(days))
