"""Folding: from neighbouring readings to minute sums and runs.

`annotate` finds the state of each row; `fold` turns the segments between neighbours into amounts per minute. A fold
only adds: what a correction changes is the fold after it minus the fold before it, over the rows that are kept.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.error_codes import LOCK, error_class
from analytics.folded import (
    AMOUNT_SCALE,
    GAUGE_SCALE,
    LARGEST_SESSION_KWH,
    MEASURED_MS,
    METERED,
    Devices,
    Folded,
    minute_key,
)
from analytics.kernels.registers import Verdict, register_intervals
from analytics.kernels.segments import (
    Pieces,
    cut_at_minutes,
    group_starts,
    last_valid,
    spread_even,
    spread_line,
)
from analytics.kernels.states import IS_OCCUPIED, STATUS_OF_RANK, port_state
from analytics.table import Table, by_lane
from telemetry.channels import COMPRESSOR, MACHINE_STATE, PORT, PORT_STATUS, Role
from telemetry.columns import is_blank, known
from telemetry.times import MINUTE_MS

Int64 = NDArray[np.int64]
Mask = NDArray[np.bool_]


def annotate(table: Table, fresh: Mask, devices: Devices) -> Table:
    """Return the table with state, charging, session and run found for the fresh rows.

    Rows that are not fresh keep what an earlier fold found; a fresh row follows them.
    """
    if not fresh.any():
        return table
    kind = devices.kind
    start = group_starts(table.device)
    if kind is PORT:
        table = _annotate_ports(table, fresh, start, devices)
    elif "state" in kind.code_index:
        cell = table.codes[kind.code_index["state"]]
        at = last_valid(cell >= 0, start)
        found = np.where(at >= 0, cell[at], -1).astype(np.int8)
        table = table.put(state=np.where(fresh, found, table.state))
    return _runs(table, fresh, start, devices)


def _annotate_ports(table: Table, fresh: Mask, start: Int64, devices: Devices) -> Table:
    place = devices.lane_place[table.lane]
    places = int(place.max()) + 1
    status = _filled(table.codes[PORT.code_index["status"]], -1, place, places, start)
    power = _filled(table.values[PORT.value_index["power_kw"]], np.nan, place, places, start)
    lane = table.lane[:, None] if places == 1 else _filled(table.lane, -1, place, places, start)
    named = (lane >= 0) & devices.lane_named[lane]
    spoke = status >= 0
    whole = (spoke & ~named).any(axis=1) | ((spoke & named).sum(axis=1) >= devices.connectors[table.device])
    found, found_charging, rank = port_state(status, power, whole)
    carried = _lane_sessions(table, fresh, rank[np.arange(len(table)), place])
    session = carried
    if places > 1:
        # Of several connectors in equally high states the first by name decides whose session it is.
        order = np.where(rank >= 0, rank.astype(np.int64) * (len(devices.lane_rank) + 1) - devices.lane_rank[lane], -1)
        order[rank < 0] = np.iinfo(np.int64).min
        sessions = _filled(carried, 0, place, places, start)
        session = sessions[np.arange(len(table)), order.argmax(axis=1)]
    occupied = (found >= 0) & IS_OCCUPIED[found]
    return table.put(
        state=np.where(fresh, found, table.state),
        charging=np.where(fresh, found_charging, table.charging),
        lane_session=np.where(fresh, carried, table.lane_session),
        session=np.where(fresh, np.where(occupied, session, 0), table.session),
    )


def _lane_sessions(table: Table, fresh: Mask, rank: NDArray[np.int8]) -> Int64:
    """Return the session that each row's connector carries; one that is free again has forgotten it."""
    sent = table.codes[PORT.code_index["session_id"]]
    free = (rank >= 0) & ~IS_OCCUPIED[STATUS_OF_RANK[rank]]
    spoken = ~fresh | (sent >= 0) | free
    value = np.where(fresh, np.where(free, 0, np.maximum(sent, 0)), table.lane_session)
    order = by_lane(table)
    at = last_valid(spoken[order], group_starts(table.lane[order]))
    carried = np.empty(len(table), np.int64)
    carried[order] = np.where(at >= 0, value[order][at], 0)
    return carried


def _filled(
    cell: NDArray[Any], missing: float, place: Int64, places: int, start: Int64
) -> NDArray[Any]:
    """Return (n, places): the last value of each connector at each row."""
    valid = known(cell)
    columns = []
    for k in range(places):
        at = last_valid(valid & (place == k), start)
        columns.append(np.where(at >= 0, cell[at], missing).astype(cell.dtype))
    return np.stack(columns, axis=1)


def _runs(table: Table, fresh: Mask, start: Int64, devices: Devices) -> Table:
    """Find runs: one goes on while state, charging and session stay and the device is heard."""
    n = len(table)
    first = start == np.arange(n)
    begins = np.ones(n, np.bool_)
    gap = np.diff(table.time_ms)
    begins[1:] = (
        (table.state[1:] != table.state[:-1])
        | (table.charging[1:] != table.charging[:-1])
        | (table.session[1:] != table.session[:-1])
        | (gap > devices.offline_after_ms[table.device[1:]])
        | table.death[:-1]
        | table.death[1:]
        | first[1:]
    )
    source = np.maximum.accumulate(np.where(begins | ~fresh, np.arange(n), 0))
    run_ms = np.where(fresh, table.time_ms, table.run_ms)[source]
    run_seq = np.where(fresh, table.seq, table.run_seq)[source]
    return table.put(run_ms=run_ms, run_seq=run_seq)


def fold(table: Table, counted: Mask, devices: Devices) -> Folded:
    """Fold every segment that ends at a counted row.

    Parameters
    ----------
    table
        Annotated rows.
    counted
        (n,) a segment between two rows counts if its later row is counted.
    """
    out = Folded()
    kind = devices.kind
    _fold_time(table, counted, devices, out)
    lanes = by_lane(table)
    for channel, cell in zip(kind.values, table.values, strict=True):
        if is_blank(cell):
            continue
        rows = lanes[known(cell)[lanes]]
        if not len(rows):
            continue
        if channel.role is Role.GAUGE:
            _fold_gauge(table, rows, cell[rows], counted, channel.name, devices, out)
        elif channel.role is Role.REGISTER and channel.name not in METERED:
            _fold_register(table, rows, cell[rows], counted, channel.name, devices, out)
    for register, (stem, gauge, scale) in METERED.items():
        if register in kind.value_index:
            _fold_metered(table, lanes, counted, register, stem, gauge, scale, devices, out)
    if kind is PORT:
        _fold_lock_failures(table, lanes, counted, devices, out)
    return out


def _fold_lock_failures(table: Table, lanes: Int64, counted: Mask, devices: Devices, out: Folded) -> None:
    """Count each time that a connector reports a failure of its lock after something else, or as its first word."""
    code = table.codes[PORT.code_index["error_code"]]
    if is_blank(code):
        return
    rows = lanes[known(code)[lanes]]
    code = code[rows]
    found = [c for c in np.unique(code).tolist() if (one := error_class(devices.texts[c])) and one.name == LOCK]
    if not found:
        return
    fails = np.isin(code, found)
    again = np.r_[False, fails[:-1] & (table.lane[rows[1:]] == table.lane[rows[:-1]])]
    mine = rows[fails & ~again & counted[rows]]
    out.add("lock_failures", minute_key(table.device[mine], table.time_ms[mine] // MINUTE_MS),
            np.ones(len(mine), np.int64))


def _fold_time(table: Table, counted: Mask, devices: Devices, out: Folded) -> None:
    kind = devices.kind
    row = np.flatnonzero(counted)
    out.add("readings", minute_key(table.device[row], table.time_ms[row] // MINUTE_MS), np.ones(len(row), np.int64))
    row = row[row > 0] - 1
    row = row[(table.device[row] == table.device[row + 1]) & ~table.death[row]]
    t0 = table.time_ms.take(row)
    gap = table.time_ms.take(row + 1) - t0
    length = np.minimum(gap, devices.offline_after_ms.take(table.device.take(row)))
    silent = gap > length
    if silent.any():
        out.add_run("quiet_ms", row[silent], length[silent])
    row, t0, length = row[length > 0], t0[length > 0], length[length > 0]
    if not len(row):
        return
    pieces = cut_at_minutes(t0, t0 + length)
    at = row.take(pieces.segment)
    key = minute_key(table.device.take(at), pieces.minute)
    out.add("heard_ms", key, pieces.length_ms)
    out.add_run("ms", row, length)
    names = PORT_STATUS if kind is PORT else MACHINE_STATE if "state" in kind.code_index else ()
    state = table.state.take(at)
    for code in np.flatnonzero(np.bincount(state + 1)[1:]).tolist() if names else ():  # -1: not known
        mine = state == code
        out.add(f"{names[code]}_ms", key[mine], pieces.length_ms[mine])
    charging = table.charging.take(at)
    if charging.any():
        out.add("in_charge_ms", key[charging], pieces.length_ms[charging])


def _neighbours(table: Table, rows: Int64, counted: Mask) -> tuple[Int64, Int64]:
    """Return positions (i, i + 1) in `rows` of neighbours in one lane whose later one is counted."""
    later = np.flatnonzero(counted[rows[1:]] & (table.lane[rows[1:]] == table.lane[rows[:-1]])) + 1
    return later - 1, later


def _fold_gauge(
    table: Table, rows: Int64, value: NDArray[np.float64], counted: Mask, name: str, devices: Devices, out: Folded
) -> None:
    i, j = _neighbours(table, rows, counted)
    begin = rows.take(i)
    t0, device = table.time_ms.take(begin), table.device.take(begin)
    length = table.time_ms.take(rows.take(j)) - t0
    near = (length > 0) & (length <= devices.offline_after_ms.take(device))
    if not near.all():
        i, j, t0, length, device = i[near], j[near], t0[near], length[near], device[near]
    if len(i):
        pieces = cut_at_minutes(t0, t0 + length)
        key = minute_key(device.take(pieces.segment), pieces.minute)
        end_value = np.where(devices.hold.take(device), value.take(i), value.take(j))
        out.add(f"{name}_i", key, spread_line(pieces, value.take(i), end_value, length, GAUGE_SCALE))
        out.add(f"{name}_ms", key, pieces.length_ms)
    mine = counted[rows]
    rows, level = rows[mine], np.rint(value[mine] * GAUGE_SCALE).astype(np.int64)
    if not len(rows):
        return
    time_ms = table.time_ms[rows]
    key = minute_key(table.device[rows], time_ms // MINUTE_MS)
    out.extremes.append((f"{name}_min", key, level))
    out.extremes.append((f"{name}_max", key, level))
    order = np.lexsort((devices.lane_rank[table.lane[rows]], table.seq[rows], time_ms, key))
    ends = order[np.r_[key[order][1:] != key[order][:-1], True]]
    out.lasts.append((name, key[ends], level[ends], time_ms[ends]))


def _fold_register(
    table: Table, rows: Int64, value: NDArray[np.float64], counted: Mask, name: str, devices: Devices, out: Folded
) -> None:
    """Fold a register that no gauge stands for; a reset counts nothing of its interval."""
    amount = np.rint(value * AMOUNT_SCALE).astype(np.int64)
    found = register_intervals(amount, group_starts(table.lane[rows]))
    mine = counted[rows[found.decided]]
    counts = np.where(found.verdict == Verdict.COUNTED, found.amount, 0)[mine]
    _spread(table, rows[found.start[mine]], rows[found.end[mine]], counts, name, devices, out)


def _spread(
    table: Table, start: Int64, end: Int64, amount: Int64, stem: str, devices: Devices, out: Folded
) -> None:
    """Spread register differences between rows evenly over their minutes."""
    t0, t1 = table.time_ms[start], table.time_ms[end]
    at_once = t1 == t0
    if at_once.any():
        now = end[at_once]
        key = minute_key(table.device[now], table.time_ms[now] // MINUTE_MS)
        out.add(f"{stem}_n", key, amount[at_once])
        _by_state(table, start[at_once], key, amount[at_once], stem, devices, out)
    wide = ~at_once
    if not wide.any():
        return
    start, t0, t1, amount = start[wide], t0[wide], t1[wide], amount[wide]
    pieces = cut_at_minutes(t0, t1)
    device = table.device.take(start)
    key = minute_key(device.take(pieces.segment), pieces.minute)
    part = spread_even(pieces, amount, t1 - t0)
    out.add(f"{stem}_n", key, part)
    out.add(f"{stem}_ms", key, pieces.length_ms)
    long = t1 - t0 > devices.offline_after_ms.take(device)
    if stem in ("energy", "volume") and long.any():
        long = long.take(pieces.segment)
        out.add(f"{stem}_estimated_n", key[long], part[long])
    _by_state(table, start[pieces.segment], key, part, stem, devices, out)


_UNLOADED = [MACHINE_STATE.index(s) for s in ("unloaded", "loading", "unloading")]


def _by_state(
    table: Table, row: Int64, key: Int64, amount: Int64, stem: str, devices: Devices, out: Folded
) -> None:
    """Energy belongs to the run and the state at the start of its interval."""
    if stem != "energy":
        return
    out.add_run("energy_n", row, amount)
    if devices.kind is not COMPRESSOR:
        return
    unloaded = np.isin(table.state[row], _UNLOADED)
    if unloaded.any():
        out.add("energy_unloaded_n", key[unloaded], amount[unloaded])


def _fold_metered(
    table: Table, lanes: Int64, counted: Mask, register: str, stem: str, gauge: str, scale: float,
    devices: Devices, out: Folded,
) -> None:
    """Fold energy or volume: from the register where there is one, before its first value from the gauge."""
    kind = devices.kind
    level = table.values[kind.value_index[register]]
    reg = lanes[known(level)[lanes]]
    flow = table.values[kind.value_index[gauge]] if gauge in kind.value_index else np.full(len(table), np.nan)
    rows = lanes[known(flow)[lanes]]
    i, j = _neighbours(table, rows, counted)
    begin = rows.take(i)
    t0, device = table.time_ms.take(begin), table.device.take(begin)
    length = table.time_ms.take(rows.take(j)) - t0
    first = devices.first_register_ms[register].take(table.lane.take(begin))
    own = (length > 0) & (length <= devices.offline_after_ms.take(device)) & (t0 < first)
    if own.any():
        i, j, t0, length, device, first = i[own], j[own], t0[own], length[own], device[own], first[own]
        pieces = cut_at_minutes(t0, np.minimum(t0 + length, first))
        v0 = flow[rows[i]]
        v1 = np.where(devices.hold[device], v0, flow[rows[j]])
        key = minute_key(device[pieces.segment], pieces.minute)
        amount = spread_line(pieces, v0, v1, length, scale)
        out.add(f"{stem}_n", key, amount)
        out.add(f"{stem}_ms", key, pieces.length_ms)
        _by_state(table, rows[i][pieces.segment], key, amount, stem, devices, out)
    if not len(reg):
        return
    found = register_intervals(np.rint(level.take(reg) * AMOUNT_SCALE).astype(np.int64), group_starts(table.lane[reg]))
    mine = counted[reg[found.decided]]
    start, end, amount = reg[found.start[mine]], reg[found.end[mine]], found.amount[mine].copy()
    decided = reg[found.decided[mine]]
    reset = found.verdict[mine] == Verdict.RESET
    glitch = ~reset & (found.end[mine] > found.start[mine] + 1)
    told = {"resets": reset, "glitches": glitch}
    if kind is PORT and reset.any():
        told["session_resets"] = reset & _session_relative(table, start, end, level)
    for column, which in told.items():
        at = decided[which]
        if len(at):
            out.add(f"{stem}_{column}", minute_key(table.device[at], table.time_ms[at] // MINUTE_MS),
                    np.ones(len(at), np.int64))
    for k in np.flatnonzero(reset):
        amount[k] = _reset_amount(table, rows, flow, start[k], end[k], decided[k], amount[k], register, scale, devices)
    _spread(table, start, end, amount, stem, devices, out)


def _session_relative(table: Table, start: Int64, end: Int64, level: NDArray[np.float64]) -> Mask:
    """Return where a register that fell counts the energy of one session: it fell as a session began or ended.

    And it had come no further than a session can. A lifetime register that a meter swap sets to 0 stood higher, or
    falls while the same vehicle stays or while the port is free.
    """
    occupied = IS_OCCUPIED[table.state] & (table.state >= 0)
    preparing = table.state == PORT_STATUS.index("Preparing")
    edge = (
        (table.session[start] != table.session[end])
        | (occupied[start] != occupied[end])
        | (preparing[start] & ~preparing[end])
    )
    relative: Mask = edge & (level[start] <= LARGEST_SESSION_KWH)
    return relative


def _reset_amount(
    table: Table, rows: Int64, flow: NDArray[np.float64], start: int, end: int, decided: int, new_value: int,
    register: str, scale: float, devices: Devices,
) -> int:
    """Return what an interval with a reset counts: the measured integral, else a plausible new value, else 0."""
    lane, device = table.lane[start], table.device[start]
    t0, t1 = int(table.time_ms[start]), int(table.time_ms[end])
    if t1 > t0 and table.time_ms[decided] - t0 <= MEASURED_MS:
        own = rows[table.lane[rows] == lane]
        time_ms = table.time_ms[own]
        i = np.flatnonzero((time_ms[:-1] < t1) & (time_ms[1:] > t0) & (time_ms[1:] > time_ms[:-1]))
        length = time_ms[i + 1] - time_ms[i]
        covered = len(i) and time_ms[i[0]] <= t0 and time_ms[i[-1] + 1] >= t1
        if covered and (length <= devices.offline_after_ms[device]).all():
            v0 = flow[own[i]]
            v1 = v0 if devices.hold[device] else flow[own[i + 1]]
            pieces = Pieces(
                np.arange(len(i)), i, np.maximum(t0 - time_ms[i], 0), np.minimum(t1 - time_ms[i], length)
            )
            return int(spread_line(pieces, v0, v1, length, scale).sum())
    limit = 1.1 * devices.rating[register][device] * (t1 - t0)
    return int(new_value) if new_value <= limit else 0
