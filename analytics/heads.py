"""The last cells of every device of a kind, from which the next reading finds its neighbours."""

import numpy as np
from numpy.typing import NDArray

from analytics.kernels.segments import stable_order
from analytics.table import Table, concat, empty_table, spans
from telemetry.channels import Kind

Int64 = NDArray[np.int64]

PARTS = 64
"""So many batches are looked through before they become one."""
ROWS = 20_000
"""Rows of all batches after the first that are kept anyway; more than the first has would mostly be out of date."""


class Heads:
    """Rows in parts, one of each batch: a new one costs what its own devices cost, however many others there are."""

    def __init__(self, kind: Kind) -> None:
        self._parts: list[Table] = [empty_table(kind)]
        self._rows = 0
        """In all parts but the first."""
        self._part_of = np.empty(0, np.int64)
        """(devices,) which part holds a device; one that is not in it has no rows."""

    def grow(self, count: int) -> None:
        """Make room for `count` devices."""
        more = max(count - len(self._part_of), 0)
        self._part_of = np.concatenate([self._part_of, np.zeros(more, np.int64)])

    def of(self, device: Int64) -> Table:
        """Return the rows of (sorted) devices, those of one together and in order."""
        part = self._part_of[device]
        return concat([
            self._parts[i].take(spans(self._parts[i].device, device[part == i])) for i in np.unique(part).tolist()
        ])

    def put(self, table: Table) -> None:
        """Take rows, sorted by device, in place of all others of their devices."""
        if len(self._parts) > PARTS or self._rows > max(ROWS, len(self._parts[0])):
            self.restore(self.all())
        self._part_of[table.device] = len(self._parts)
        self._parts.append(table)
        self._rows += len(table)

    def all(self) -> Table:
        """Return all rows, sorted by device."""
        rows = self.of(np.arange(len(self._part_of)))
        return rows.take(stable_order(rows.device))

    def restore(self, table: Table) -> None:
        """Take what `all` has returned."""
        self._parts, self._part_of[:], self._rows = [table], 0, 0
