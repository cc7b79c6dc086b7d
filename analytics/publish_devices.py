"""Rows of devices by periods: time in states, means and extremes of gauges, differences of registers."""

import numpy as np

from analytics.counted import seen
from analytics.kernels.grid import ratio
from analytics.kernels.intervals import span
from analytics.kpis.electrical import mean_of, power_kw
from analytics.publish_periods import Float64, Int64, Periods, offline_ms, periods_of, pieces_of, rows_of
from analytics.window import Window
from store.buckets import MAX_EMPTY, MIN_EMPTY, Buckets, coarsen, empty_buckets, empty_of
from store.schema import OFFLINE, OFFLINE_CODE, UNKNOWN, UNKNOWN_CODE
from telemetry.channels import KINDS, Kind, Role
from telemetry.points import Column, Points
from telemetry.times import MINUTE_MS

_STEMS = {"energy_kwh": "energy", "volume_m3": "volume"}
"""Registers whose columns of a bucket have a name of their own."""

_ALWAYS = ("Available", "Charging", "stopped", "unloaded", "loaded")
"""States whose time is entered also where it is 0; that of the others, which are many and rare, is absent then."""


def device_rows(window: Window, width: str, *, again: bool = False) -> list[Points]:
    """Return the rows of every device for every period from that of its first message on.

    A period in which nothing is known has only times (`known_s`, `offline_s`) and a status.

    Parameters
    ----------
    window
        One station; begins and ends on bounds of the width.
    width
        `1m`, `15m`, `1h` or `1d`.
    again
        The rows take the place of rows that are out: the times of all states are entered, so that none stays
        that is 0 now (stores merge fields).
    """
    periods = periods_of(window, width)
    found = [_kind_rows(window, kind, width, periods, again=again) for kind in KINDS]
    return [points for points in found if points is not None and len(points)]


class _Grid:
    """The rows that a kind gets: one for each device and period, by device, then time.

    Parameters
    ----------
    names
        Devices; the first of them are those of `rows`, in that order.
    first
        (devices,) first period of each.
    rows
        Buckets of the periods.
    at
        (n,) period of each bucket.
    count
        Number of periods.
    """

    def __init__(self, names: list[str], first: Int64, rows: Buckets, at: Int64, count: int) -> None:
        self.each = np.maximum(count - first, 0)
        offset = np.cumsum(self.each) - self.each
        self.size = int(self.each.sum())
        self.device = np.repeat(np.arange(len(names)), self.each)
        self.period = np.arange(self.size) - np.repeat(offset - first, self.each)
        of = offset[rows.device] + at - first[rows.device]
        use = (at >= first[rows.device]) & (at < count)
        self.rows = rows if use.all() else rows.take(use)
        self._place = of[use]
        self._full = len(self._place) == self.size

    def put(self, values: Int64, empty: int = 0) -> Int64:
        """Return integers of buckets as values of rows."""
        if self._full:
            return values
        out = np.full(self.size, empty, np.int64)
        out[self._place] = values
        return out

    def put_known(self, values: Float64) -> Float64:
        """Return values of buckets as values of rows, NaN where a row has no bucket."""
        if self._full:
            return values
        out = np.full(self.size, np.nan)
        out[self._place] = values
        return out

    def has(self, column: str) -> bool:
        """Return whether any bucket has the column."""
        return column in self.rows.columns

    def get(self, column: str) -> Int64:
        """Return a column of the buckets as values of rows."""
        return self.put(self.rows.get(column), empty_of(column))


def _kind_rows(window: Window, kind: Kind, width: str, periods: Periods, *, again: bool) -> Points | None:
    rows = window.minutes.get(kind.name, empty_buckets())
    names = list(dict.fromkeys([*rows.devices, *seen(window, kind.name)]))
    if not names or not len(periods):
        return None
    first_ms = [window.first_heard_ms.get((kind.name, name), window.from_ms) for name in names]
    first = np.maximum(periods.of(np.array(first_ms, np.int64)), 0)
    at = periods.of(rows.start_ms)
    if width != "1m":
        rows = coarsen(rows, periods.start_ms[at], periods.length_ms[at])
        at = periods.of(rows.start_ms)
    grid = _Grid(names, first, rows, at, len(periods))
    whole = pieces_of([span(window.from_ms, int(periods.edges_ms[-1]))] * len(names), periods)
    silent_ms = offline_ms(window, kind.name, names, whole)[grid.device * len(periods) + grid.period]
    fields: dict[str, Column] = {}
    _put_states(grid, kind, silent_ms, periods.length_ms[grid.period], fields, again=again)
    for channel in kind.values:
        if channel.role is Role.REGISTER:
            _put_register(grid, channel.name, fields)
        elif channel.role is Role.GAUGE:
            _put_gauge(grid, channel.name, fields)
    tags: dict[str, tuple[str | None, ...]] = {
        "station": (window.station.id,) * grid.size,
        "device": tuple(np.repeat(np.array(names, object), grid.each).tolist()),
    }
    return rows_of(f"{kind.name}_{width}", tags, periods.start_ms[grid.period], fields)


def _put_states(
    grid: _Grid, kind: Kind, silent_ms: Int64, length_ms: Int64, fields: dict[str, Column], *, again: bool
) -> None:
    """Enter times, and for kinds with a state the one that lasted longest (of equal ones the first in the list)."""
    states = next((c.states for c in kind.codes if c.name in ("status", "state")), ())
    if not states:
        fields["known_s"], fields["offline_s"] = grid.get("heard_ms") / 1000, silent_ms / 1000
        return
    state_ms = {code: grid.get(f"{s}_ms") for code, s in enumerate(states) if grid.has(f"{s}_ms")}
    known_ms = np.zeros(grid.size, np.int64)
    longest_ms, longest = np.zeros(grid.size, np.int64), np.full(grid.size, UNKNOWN_CODE, np.int64)
    candidates = [*state_ms.items(), (OFFLINE_CODE, silent_ms)]
    for code, ms in candidates:
        if code != OFFLINE_CODE:
            known_ms = known_ms + ms
        ahead = ms > longest_ms
        longest[ahead], longest_ms = code, np.maximum(longest_ms, ms)
    longest[length_ms - known_ms - silent_ms > longest_ms] = UNKNOWN_CODE
    texts = np.empty(UNKNOWN_CODE + 1, object)
    texts[: len(states)], texts[OFFLINE_CODE], texts[UNKNOWN_CODE] = states, OFFLINE, UNKNOWN
    fields["status"], fields["status_code"] = tuple(texts[longest].tolist()), longest
    fields["known_s"], fields["offline_s"] = known_ms / 1000, silent_ms / 1000
    for code, state in enumerate(states):
        # What a row holds must not depend on the others that happen to be made together with it.
        ms = state_ms.get(code, np.zeros(grid.size, np.int64))
        fields[f"{state}_s"] = np.where(known_ms > 0 if again or state in _ALWAYS else ms > 0, ms / 1000, np.nan)


def _put_register(grid: _Grid, register: str, fields: dict[str, Column]) -> None:
    stem = _STEMS.get(register, register)
    if grid.has(f"{stem}_n") or grid.has(f"{stem}_ms"):
        amount, covered_ms = grid.rows.get(f"{stem}_n"), grid.rows.get(f"{stem}_ms")
        known = (amount != 0) | (covered_ms > 0)
        fields[register] = grid.put_known(np.where(known, amount / 1e9, np.nan))


def _put_gauge(grid: _Grid, gauge: str, fields: dict[str, Column]) -> None:
    """Enter a gauge; means of power and flow fall back on the register."""
    rows = grid.rows
    if gauge == "power_kw":
        mean = power_kw(rows)
    else:
        mean = mean_of(rows, gauge)
        if gauge == "flow_m3_min" and "volume_ms" in rows.columns and np.isnan(mean).any():
            from_volume = ratio(rows.get("volume_n"), rows.columns["volume_ms"], MINUTE_MS / 1e9)
            mean = np.where(np.isnan(mean), from_volume, mean)
    if not np.isnan(mean).all():
        fields[f"{gauge}_mean"] = grid.put_known(mean)
    for end, missing in (("min", MIN_EMPTY), ("max", MAX_EMPTY), ("last", MAX_EMPTY)):
        values = rows.columns.get(f"{gauge}_{end}")
        if values is not None:
            fields[f"{gauge}_{end}"] = grid.put_known(np.where(values == missing, np.nan, values / 1e6))
