"""Runs of one kind: what folds add up to, by device and start."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analytics.folded import Folded
from analytics.latest import Latest
from analytics.shelf import Change
from analytics.table import Table

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
    energy_n: int = 0
    peak_kw: float = float("nan")
    stop_reason: int = -1
    error_code: int = -1


@dataclass(slots=True)
class RunBook:
    """Runs of one kind that are open or have changed since the last checkpoint."""

    load: Callable[[RunKey], Run | None]
    runs: dict[RunKey, Run] = field(default_factory=dict)
    dirty: set[RunKey] = field(default_factory=set)
    gone: set[RunKey] = field(default_factory=set)

    def put(self, change: Change, power: int | None, stop: int | None, error: int | None) -> None:
        """Add what a batch changed; `power`, `stop`, `error` are columns of the kind, None where it has none."""
        t = change.table
        group, keys = _groups(t)
        if change.before is not None and change.before_table is not None:
            before_group, before_keys = _groups(change.before_table)
            self._add(change.before, before_group, before_keys, -1)
            for key in set(before_keys) - set(keys):
                self.runs.pop(key, None)
                self.dirty.discard(key)
                self.gone.add(key)
        rows = np.flatnonzero(change.fresh)
        mine = group[rows]
        last = np.full(len(keys), -1)
        # Rows are in order of time: the last assignment to a group stands.
        last[mine] = rows
        peak = _group_peak(t, rows, mine, len(keys), power)
        stops = _group_last(t.codes, rows, mine, len(keys), stop)
        errors = _group_last(t.codes, rows, mine, len(keys), error)
        for k in np.flatnonzero(last >= 0).tolist():
            key, row = keys[k], last[k]
            run = self._get(key)
            if run is None:
                run = self.runs[key] = Run()
            # Runs of no length may share a key with the one that follows them at once: the last row speaks.
            run.state, run.charging, run.session = int(t.state[row]), bool(t.charging[row]), int(t.session[row])
            run.peak_kw = float(np.fmax(run.peak_kw, peak[k]))
            run.stop_reason = stops[k] if stops[k] >= 0 else run.stop_reason
            run.error_code = errors[k] if errors[k] >= 0 else run.error_code
            self.gone.discard(key)
            self.dirty.add(key)
        self._add(change.after, group, keys, 1)

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

    def _add(self, folded: Folded, group: Int64, keys: list[RunKey], sign: int) -> None:
        for column, attribute in (("ms", "length_ms"), ("energy_n", "energy_n")):
            total = np.zeros(len(keys), np.int64)
            for name, rows, amounts in zip(folded.run_columns, folded.run_rows, folded.run_amounts, strict=True):
                if name == column:
                    np.add.at(total, group[rows], amounts)
            for k in np.flatnonzero(total).tolist():
                run = self._get(keys[k])
                if run is None:
                    continue
                setattr(run, attribute, getattr(run, attribute) + sign * int(total[k]))
                self.dirty.add(keys[k])


def _groups(table: Table) -> tuple[Int64, list[RunKey]]:
    """Return the group of each row and the run of each group; rows of one run stand together."""
    if not len(table):
        return np.empty(0, np.int64), []
    place = np.stack([table.device, table.run_ms, table.run_seq], 1)
    first = np.r_[True, (place[1:] != place[:-1]).any(axis=1)]
    return np.cumsum(first) - 1, [(d, t, q) for d, t, q in place[first].tolist()]


def _group_peak(table: Table, rows: Int64, group: Int64, count: int, column: int | None) -> NDArray[np.float64]:
    peak = np.full(count, np.nan)
    if column is not None:
        np.fmax.at(peak, group, table.values[rows, column])
    return peak


def _group_last(codes: Int64, rows: Int64, group: Int64, count: int, column: int | None) -> list[int]:
    last = np.full(count, -1)
    if column is not None:
        cell = codes[rows, column]
        valid = np.flatnonzero(cell >= 0)
        last[group[valid]] = cell[valid]
    return list(last.tolist())
