"""From state.db to the window of a station: blocks, runs, and what is still open up to `now`."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from analytics.kernels.segments import cut_at_minutes
from analytics.window import Runs, Window
from store.buckets import Buckets, coarsen, combine_of, join_buckets
from store.state import DeviceTable, RunRow, StateReader
from telemetry.channels import KINDS, OCCUPIED_STATUS
from telemetry.registry import Registry
from telemetry.times import HOUR_MS, MINUTE_MS

Int64 = NDArray[np.int64]

SESSION_RUNS = 1_000
"""Runs looked through for the start or the end of a session."""


def load_window(
    reader: StateReader,
    registry: Registry,
    station: str,
    from_ms: int,
    to_ms: int,
    *,
    now_ms: int | None = None,
    extremes: bool = False,
    runs_from_ms: int | None = None,
    columns: tuple[str, ...] = (),
    with_minutes: bool = True,
) -> Window:
    """Load what analytics knows of a station in `[from_ms, to_ms)`, the segments still open included.

    Parameters
    ----------
    from_ms, to_ms
        Whole minutes.
    now_ms
        Up to where open states hold; None: the station's `now`.
    extremes
        Whether minima, maxima and last values of gauges are needed too; key figures do without them.
    runs_from_ms
        From where on runs are needed, if earlier than `from_ms`: they tell of days at little cost.
    columns
        The only sums that are needed, and no runs; empty: everything.
    with_minutes
        False: only runs; months of them cost little.
    """
    kind, now, _ = reader.stations().get(station, ("charging", from_ms, from_ms))
    now = now if now_ms is None else now_ms
    devices = reader.devices(station)
    runs_from_ms = from_ms if runs_from_ms is None else min(from_ms, runs_from_ms)
    minutes = {}
    wanted = columns.__contains__ if columns else _any if extremes else _summed
    for one in KINDS if with_minutes else ():
        table = devices.get(one.name)
        blocks = reader.blocks(station, one.name, from_ms, to_ms, wanted)
        found = _with_open(blocks, None if table is None else open_minutes(table, now))
        inside = (found.start_ms >= from_ms) & (found.start_ms < to_ms)
        if len(found):
            minutes[one.name] = found if inside.all() else found.take(inside)
    return Window(
        station=registry.station(station, kind),
        listed=station in registry.stations,
        from_ms=from_ms,
        to_ms=to_ms,
        now_ms=now,
        minutes=minutes,
        runs={} if columns else _runs(reader, station, runs_from_ms, to_ms, devices, now),
        first_heard_ms=_times(devices, "first_ms"),
        last_heard_ms=_times(devices, "newest_ms"),
        deaf_ms=reader.deaf(from_ms, to_ms),
    )


def load_sessions(reader: StateReader, registry: Registry, station: str, from_ms: int, to_ms: int) -> Window:
    """Load what sessions need: all runs, and minutes only where a port's energy may be 0 or not measured.

    Parameters
    ----------
    from_ms, to_ms
        Whole minutes, up to years apart.
    """
    window = load_window(reader, registry, station, from_ms, to_ms, with_minutes=False)
    runs = window.runs.get("port")
    if runs is None or not ((runs.energy_n == 0) & np.isin(runs.state, OCCUPIED_STATUS)).any():
        return window
    rows = join_buckets(reader.blocks(station, "port", from_ms, to_ms, "energy_ms".__eq__))
    return replace(window, minutes={"port": rows.take((rows.start_ms >= from_ms) & (rows.start_ms < to_ms))})


def _any(_column: str) -> bool:
    return True


def _summed(column: str) -> bool:
    return combine_of(column) == "sum"


def _times(devices: Mapping[str, DeviceTable], name: str) -> dict[tuple[str, str], int]:
    return {
        (kind, device): int(time_ms)
        for kind, table in devices.items()
        for device, time_ms in zip(table.names, table.arrays[name], strict=True)
    }


def _hold_until(table: DeviceTable, now_ms: int) -> Int64:
    """Return until when each device's last state holds."""
    newest = table.arrays["newest_ms"]
    until: Int64 = np.maximum(newest, np.minimum(newest + table.arrays["hold_ms"], now_ms))
    return until


def open_minutes(table: DeviceTable, now_ms: int) -> Buckets:
    """Return the minutes after each device's last message in which its state still holds."""
    newest, until = table.arrays["newest_ms"], _hold_until(table, now_ms)
    device = np.flatnonzero(until > newest)
    pieces = cut_at_minutes(newest[device], until[device]) if len(device) else None
    if pieces is None:
        none = np.empty(0, np.int64)
        return Buckets(table.names, none, none, none, {})
    at, length = device[pieces.segment], pieces.length_ms
    columns = {"heard_ms": length}
    state = table.arrays["state"][at]
    for code in np.unique(state[state >= 0]) if table.states else ():
        columns[f"{table.states[code]}_ms"] = np.where(state == code, length, 0)
    if table.arrays["charging"].any():
        columns["in_charge_ms"] = np.where(table.arrays["charging"][at], length, 0)
    return Buckets(table.names, at, pieces.minute * MINUTE_MS, np.full(len(at), MINUTE_MS), columns)


def _with_open(blocks: list[Buckets], extra: Buckets | None) -> Buckets:
    """Return all minutes, with what is open added to the blocks that it meets."""
    if extra is None or not len(extra):
        return join_buckets(blocks)
    hours = set(np.unique(extra.start_ms // HOUR_MS).tolist())
    met = [b for b in blocks if int(b.start_ms[0]) // HOUR_MS in hours]
    far = [b for b in blocks if int(b.start_ms[0]) // HOUR_MS not in hours]
    joined = join_buckets([*met, extra])
    return join_buckets([*far, coarsen(joined, joined.start_ms, MINUTE_MS)])


def _runs(
    reader: StateReader, station: str, from_ms: int, to_ms: int, devices: Mapping[str, DeviceTable], now_ms: int
) -> dict[str, Runs]:
    rows = reader.runs(station, from_ms - 1, to_ms)
    by_device: dict[tuple[str, str], list[RunRow]] = {}
    for row in rows:
        by_device.setdefault((row.kind, row.device), []).append(row)
    for kind, table in devices.items():
        for device in table.names:
            own = by_device.setdefault((kind, device), [])
            if kind == "port":
                _complete_sessions(reader, station, device, own, from_ms, to_ms)
            elif not own or own[0].start_ms > from_ms:
                own[:0] = list(_first(reader.runs_before(station, kind, device, from_ms)))
    out = {}
    for kind, table in devices.items():
        out[kind] = _columns(table, [r for d in table.names for r in by_device[kind, d]], now_ms)
    return out


def _first(rows: Iterable[RunRow]) -> Iterable[RunRow]:
    for row in rows:
        yield row
        return


def _complete_sessions(
    reader: StateReader, station: str, port: str, own: list[RunRow], from_ms: int, to_ms: int
) -> None:
    """Add runs before and after, back to the start and on to the end of sessions that cross the window's edges."""
    earliest = own[0].start_ms if own else from_ms
    for count, row in enumerate(reader.runs_before(station, "port", port, earliest)):
        own.insert(0, row)
        if row.body.state not in OCCUPIED_STATUS or count >= SESSION_RUNS:
            break
    for count, row in enumerate(reader.runs_from(station, "port", port, to_ms)):
        own.append(row)
        if row.body.state not in OCCUPIED_STATUS or count >= SESSION_RUNS:
            break


def _columns(table: DeviceTable, rows: list[RunRow], now_ms: int) -> Runs:
    """Return runs in columns; the run that goes on ends where its state holds no longer.

    Runs of no length go, except the one that goes on: a state that began with the last message ended the one before.
    """
    index = {name: i for i, name in enumerate(table.names)}
    device = np.array([index[r.device] for r in rows], np.int64)
    start = np.array([r.start_ms for r in rows], np.int64)
    seq = np.array([r.start_seq for r in rows], np.int64)
    end = np.array([r.end_ms for r in rows], np.int64)
    current = (start == table.arrays["run_ms"][device]) & (seq == table.arrays["run_seq"][device])
    last = end - np.array([r.body.quiet_ms for r in rows], np.int64)
    last = np.where(current, table.arrays["newest_ms"][device], last)
    end = np.where(current, np.maximum(end, _hold_until(table, now_ms)[device]), end)
    kept = np.flatnonzero((end > start) | current)
    bodies = [rows[i].body for i in kept]
    return Runs(
        devices=table.names,
        device=device[kept],
        start_ms=start[kept],
        start_seq=seq[kept],
        end_ms=end[kept],
        last_ms=last[kept],
        state=tuple(b.state for b in bodies),
        in_charge=np.array([b.charging for b in bodies], np.bool_),
        session_id=tuple(b.session for b in bodies),
        energy_n=np.array([b.energy_n for b in bodies], np.int64),
        peak_kw=np.array([np.nan if b.peak_kw is None else b.peak_kw for b in bodies]),
        stop_reason=tuple(b.stop_reason for b in bodies),
        error_code=tuple(b.error_code for b in bodies),
    )
