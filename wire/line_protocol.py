r"""Points as InfluxDB line protocol, by columns.

`measurement,tag=value field=1.5,other=2i,text="x" 1732240000123000017`: tags sorted, floats so that they survive
the trip, time in ns = `time_ms` x 10^6 + `seq` mod 10^6. Spaces, commas and equal signs of names and tags are
escaped by a backslash, quotes and backslashes of texts too; a line break in a tag becomes `\n`, as InfluxData's own
clients do.
"""

from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from telemetry.points import NO_INT, Column, Points

# Before a comma or space a backslash of a tag could not be told from an escape: it becomes a slash.
_MEASUREMENT = str.maketrans({"\\": "/", ",": r"\,", " ": r"\ ", "\n": r"\n", "\r": r"\r", "\t": r"\t"})
_KEY = {**_MEASUREMENT, ord("="): r"\="}
_TEXT = str.maketrans({'"': r"\"", "\\": r"\\"})

_json = msgspec.json.Encoder()


def to_lines(points: Points) -> list[str]:
    """Return one line per point that has a field, in the order of the points.

    Missing values (NaN, `NO_INT`, None) and infinite ones are left out; an empty tag counts as missing.
    """
    if not points.fields:
        return []
    names = tuple(sorted(points.tags))
    tags = zip(*(points.tags[name] for name in names), strict=True) if names else [()] * len(points)
    heads = [_head(points.measurement, names, values) for values in tags]
    # Each field is a column of texts `,name=value`, empty where missing; a line is the sum of a row.
    columns = [_column(name.translate(_KEY), column) for name, column in points.fields.items()]
    rows = map("".join, zip(*columns, strict=True))
    times = _numbers(" ", time_ns(points), "")
    return [f"{head} {row[1:]}{time}" for head, row, time in zip(heads, rows, times, strict=True) if row]


def time_ns(points: Points) -> NDArray[np.int64]:
    """Return (n,) times in ns that carry `seq`, so that readings of one millisecond stay apart."""
    return points.time_ms * 1_000_000 + np.where(points.seq < 0, 0, points.seq % 1_000_000)


def _column(key: str, column: Column) -> list[str]:
    if isinstance(column, tuple):
        texts = {
            text: "" if text is None else f',{key}="{text.translate(_TEXT)}"' for text in set(column)
        }
        return [texts[text] for text in column]
    return _numbers(f",{key}=", column, "i" if column.dtype.kind == "i" else "")


def _numbers(prefix: str, values: NDArray[np.float64] | NDArray[np.int64], suffix: str) -> list[str]:
    """Return prefix, number and suffix of each value, or nothing where it is missing.

    The JSON encoder writes the shortest text that reads back as the same number, ten times faster than `repr`.
    """
    if not len(values):
        return []
    body = _json.encode(values.tolist())[1:-1].decode()
    texts = (prefix + body.replace(",", f"{suffix}\n{prefix}") + suffix).split("\n")
    missing = values == NO_INT if values.dtype.kind == "i" else ~np.isfinite(values)
    for i in np.flatnonzero(missing).tolist():
        texts[i] = ""
    return texts


@lru_cache(maxsize=65_536)
def _head(measurement: str, names: tuple[str, ...], values: tuple[str | None, ...]) -> str:
    """Return `measurement,tag=value`, escaped."""
    head = measurement.translate(_MEASUREMENT)
    for name, value in zip(names, values, strict=True):
        if value:
            head += f",{name.translate(_KEY)}={value.translate(_KEY)}"
    return head
