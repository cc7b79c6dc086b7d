"""Runs of one kind: what folds add up to, by device and start."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analytics.folded import Folded
from analytics.latest import Latest
from analytics.shelf import Change
from analytics.table import Table
from telemetry.columns import is_blank

Int64 = NDArray[np.int64]

RunKey = tuple[int, int, int]
"""(device index, start_ms, start_seq)"""


@dataclass(slots=True)
class Run:
    """One run, as it stands."""

    state: int = -1
    charging: bool = False
    session: int = 0
    """Text id."""
    length_ms: int = 0
    quiet_ms: int = 0
    """The part of it after its last message, where a silence ended it."""
    energy_n: int = 0
    peak_kw: float = float("nan")
    stop_reason: int = -1
    error_code: int = -1


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """What a change says of its runs, a row for each."""

    device: Int64
    run_ms: Int64
    run_seq: Int64
    fresh: NDArray[np.bool_]
    """Whether it has fresh rows: state, charging and session are those of the last, the others of all of them."""
    state: NDArray[np.int8]
    charging: NDArray[np.bool_]
    session: Int64
    power_kw: NDArray[np.float64]
    stop_reason: Int64
    error_code: Int64
    length_ms: Int64
    quiet_ms: Int64
    energy_n: Int64


@dataclass(slots=True)
class RunBook:
    """Runs of one kind that are open or have changed since the last checkpoint. Changes wait until `settle`."""

    load: Callable[[RunKey], Run | None]
    runs: dict[RunKey, Run] = field(default_factory=dict)
    dirty: set[RunKey] = field(default_factory=set)
    gone: set[RunKey] = field(default_factory=set)
    _waiting: list[_Rows] = field(default_factory=list)

    def put(self, change: Change, power: int | None, stop: int | None, error: int | None) -> None:
        """Take what a batch changed; `power`, `stop`, `error` are columns of the kind, None where it has none."""
        t = change.table
        if change.before is not None and change.before_table is not None:
            self._take_away(change.before, change.before_table, t)
        n = len(t)
        if not n:
            return
        first = np.flatnonzero(_begins(t))

        def last(valid: NDArray[np.bool_]) -> Int64:
            """Return the last valid row of each run, -1 where there is none."""
            found: Int64 = np.maximum.reduceat(np.where(valid, np.arange(n), -1), first)
            return found

        def text(column: int | None) -> Int64:
            if column is None or is_blank(t.codes[column]):
                return np.full(len(first), -1)
            at = last(change.fresh & (t.codes[column] >= 0))
            return np.where(at >= 0, t.codes[column][at], -1)

        peak_kw = np.full(len(first), np.nan)
        if power is not None and not is_blank(t.values[power]):
            peak_kw = np.fmax.reduceat(np.where(change.fresh, t.values[power], np.nan), first)
        row = last(change.fresh)
        self._waiting.append(_Rows(
            t.device[first], t.run_ms[first], t.run_seq[first], row >= 0, t.state[row], t.charging[row],
            t.session[row], peak_kw, text(stop), text(error),
            *(np.add.reduceat(_per_row(change.after, n, column), first) for column in ("ms", "quiet_ms", "energy_n")),
        ))

    def _take_away(self, before: Folded, table: Table, after: Table) -> None:
        """Subtract what the rows of a table have added; runs that are not there after the change are gone."""
        self.settle()
        group, keys = _groups(table)
        for column, attribute in (("ms", "length_ms"), ("quiet_ms", "quiet_ms"), ("energy_n", "energy_n")):
            total = np.zeros(len(keys), np.int64)
            np.add.at(total, group, _per_row(before, len(table), column))
            for k in np.flatnonzero(total).tolist():
                run = self._get(keys[k])
                if run is not None:
                    setattr(run, attribute, getattr(run, attribute) - int(total[k]))
                    self.dirty.add(keys[k])
        for key in set(keys) - set(_groups(after)[1]):
            self.runs.pop(key, None)
            self.dirty.discard(key)
            self.gone.add(key)

    def settle(self) -> None:
        """Add what waits to the runs."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        r = _Rows(*(np.concatenate([getattr(w, name) for w in waiting]) for name in _Rows.__slots__))
        order = np.lexsort((r.run_seq, r.run_ms, r.device))
        r = _Rows(*(getattr(r, name)[order] for name in _Rows.__slots__))
        same = (r.device[1:] == r.device[:-1]) & (r.run_ms[1:] == r.run_ms[:-1]) & (r.run_seq[1:] == r.run_seq[:-1])
        starts = np.flatnonzero(np.r_[True, ~same])
        place = np.arange(len(order))

        def last(valid: NDArray[np.bool_]) -> Int64:
            """Return the last valid row of each run, -1 where there is none."""
            found: Int64 = np.maximum.reduceat(np.where(valid, place, -1), starts)
            return found

        stop, error = last(r.stop_reason >= 0), last(r.error_code >= 0)
        row = last(r.fresh)
        for k, (device, run_ms, run_seq, at, state, charging, session, peak, length, quiet, energy) in enumerate(zip(
            r.device[starts].tolist(), r.run_ms[starts].tolist(), r.run_seq[starts].tolist(), row.tolist(),
            r.state[row].tolist(), r.charging[row].tolist(), r.session[row].tolist(),
            np.fmax.reduceat(r.power_kw, starts).tolist(),
            *(np.add.reduceat(c, starts).tolist() for c in (r.length_ms, r.quiet_ms, r.energy_n)), strict=True,
        )):
            key = (device, run_ms, run_seq)
            run = self._get(key) if at >= 0 or length or energy else None
            if at >= 0:
                if run is None:
                    run = self.runs[key] = Run()
                # Runs of no length may share a key with the one that follows them at once: the last row speaks.
                run.state, run.charging, run.session = state, charging, session
                run.peak_kw = float(np.fmax(run.peak_kw, peak))
                run.stop_reason = int(r.stop_reason[stop[k]]) if stop[k] >= 0 else run.stop_reason
                run.error_code = int(r.error_code[error[k]]) if error[k] >= 0 else run.error_code
                self.gone.discard(key)
            if run is not None:
                run.length_ms += length
                run.quiet_ms += quiet
                run.energy_n += energy
                self.dirty.add(key)

    def forget(self, latest: Latest) -> None:
        """After a checkpoint: keep only the open run of each device in memory."""
        self.dirty.clear()
        self.gone.clear()
        for key in [k for k in self.runs if (latest.run_ms[k[0]], latest.run_seq[k[0]]) != k[1:]]:
            del self.runs[key]

    def _get(self, key: RunKey) -> Run | None:
        run = self.runs.get(key)
        if run is None and key not in self.gone:
            run = self.load(key)
            if run is not None:
                self.runs[key] = run
        return run


def _per_row(folded: Folded, n: int, column: str) -> Int64:
    """Return (n,) the amounts of a column, by the row at which they begin."""
    total = np.zeros(n, np.int64)
    for name, rows, amounts in zip(folded.run_columns, folded.run_rows, folded.run_amounts, strict=True):
        if name == column:
            np.add.at(total, rows, amounts)
    return total


def _groups(table: Table) -> tuple[Int64, list[RunKey]]:
    """Return the group of each row and the run of each group; rows of one run stand together."""
    if not len(table):
        return np.empty(0, np.int64), []
    begins = _begins(table)
    places = (column[begins].tolist() for column in (table.device, table.run_ms, table.run_seq))
    return np.cumsum(begins) - 1, list(zip(*places, strict=True))


def _begins(table: Table) -> NDArray[np.bool_]:
    """Return which rows are of another run than the row before them; n > 0."""
    begins = np.zeros(len(table), np.bool_)
    begins[0] = True
    for column in (table.device, table.run_ms, table.run_seq):
        begins[1:] |= column[1:] != column[:-1]
    return begins
