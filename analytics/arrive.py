"""From journalled frames to a table: connectors become lanes, texts become numbers, presence becomes life or death."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.devices import Lanes, Texts
from analytics.table import NO_RUN, Table
from store.journal import Entry
from telemetry.channels import Kind
from telemetry.columns import blank, is_blank, join, pick
from telemetry.frame import FLAG_RETAINED, FrameColumns

Int64 = NDArray[np.int64]

FOLD_READINGS = 50_000
"""Frames are folded together up to about so many readings; more cost more memory and little less time."""


def in_parts(frames: list[Entry]) -> Iterator[list[Entry]]:
    """Yield neighbouring frames as they are folded together."""
    begin, readings = 0, 0
    for i, entry in enumerate(frames):
        if readings and readings + entry.readings > FOLD_READINGS:
            yield frames[begin:i]
            begin, readings = i, 0
        readings += entry.readings
    yield frames[begin:]


def to_table(frames: Sequence[FrameColumns], lanes: Lanes, texts: Texts, wanted: NDArray[np.bool_]) -> Table:
    """Return readings of one kind in order of arrival.

    A retained `online` 1 is left out: it is no sign of life and says nothing that silence does not.

    Parameters
    ----------
    frames
        At least one, all of one kind.
    wanted
        (n,) which of their readings, one frame after the other.
    """
    kind = frames[0].kind
    codes = [_codes(frames, kind, i, texts) for i in range(len(kind.codes))]
    online = codes[kind.code_index["online"]]
    wanted = wanted & ((join([f.flags for f in frames]) & FLAG_RETAINED == 0) | (online == 0))
    rows = None if wanted.all() else np.flatnonzero(wanted)

    def taken(column: NDArray[Any]) -> Any:
        return column if rows is None else pick(column, rows)

    device: Int64 = taken(np.concatenate([f.device for f in frames])).astype(np.int64)
    codes = [taken(c) for c in codes]
    n = len(device)
    connector = np.zeros(n, np.int64)
    if "connector" in kind.code_index:
        connector = np.maximum(codes[kind.code_index["connector"]], 0)
    none, no = blank(n, NO_RUN, np.int64), blank(n, 0, np.bool_)
    zero = blank(n, 0, np.int64)
    online = codes[kind.code_index["online"]]
    return Table(
        device, taken(np.concatenate([f.time_ms for f in frames])), taken(join([f.seq for f in frames])),
        lanes.of(device, connector), no, no if is_blank(online) else online == 0,
        tuple(taken(join(_cells(frames, i))) for i in range(len(kind.values))), tuple(codes),
        blank(n, -1, np.int8), no, zero, zero, none, none,
    )


def _cells(frames: Sequence[FrameColumns], i: int) -> list[NDArray[np.float64]]:
    return [f.values[i] if i in f.values else blank(len(f), np.nan, np.float64) for f in frames]


def _codes(frames: Sequence[FrameColumns], kind: Kind, i: int, texts: Texts) -> Int64:
    """Return a column of codes; texts by the numbers that they have everywhere."""
    parts: list[Int64] = []
    for frame in frames:
        if i not in frame.codes:
            parts.append(blank(len(frame), -1, np.int64))
        elif kind.codes[i].states:
            parts.append(frame.codes[i].astype(np.int64))
        else:
            parts.append(texts.numbers(frame.texts)[frame.codes[i]])
    return join(parts)
