"""Many readings of one kind to columns: no work per value beyond what finds a wrong one.

Readings are grouped by their keys, which a device repeats from message to message. A group is read column by column:
its keys are looked up once, its types are checked as sets, its numbers become arrays in one step.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telemetry.channels import MACHINE_STATE, Channel, Kind, Role
from telemetry.frame import NO_CODE, NO_SEQ
from telemetry.times import EARLIEST_MS, LATEST_MS
from wire.payload import read_time

TEXT_MAX = 256
"""A longer text is rejected."""
NO_TIME = -(2**63)
"""Time of a reading that carries no `ts`."""

_REJECTED = -2
_NUMBERS = frozenset({int, float})
_INTEGERS = frozenset({int})
_TEXTS = frozenset({str})

Keys = tuple[Any, ...]
Element = dict[Any, Any]
Float64 = NDArray[np.float64]


@dataclass(slots=True)
class Group:
    """Readings of one kind with the same keys in the same order."""

    elements: list[Element] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    """Place of each among all readings of its kind in the batch."""


@dataclass(slots=True)
class Sheet:
    """The columns of n readings of one kind, while they are filled."""

    kind: Kind
    low: Float64
    """(channels,) or (n, channels): the smallest value accepted of each channel."""
    high: Float64
    """As `low`: the largest."""
    seq: NDArray[np.int64]
    values: Float64
    codes: NDArray[np.int32]
    texts: dict[str, int] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)
    """Values that were refused, by reason: `type`, `range`, `name` (of a state), `length` (of a text)."""
    unknown_keys: int = 0


def new_sheet(kind: Kind, n: int, low: Float64, high: Float64) -> Sheet:
    """Return an empty sheet for n readings."""
    return Sheet(
        kind,
        low,
        high,
        np.full(n, NO_SEQ, np.int64),
        np.full((n, len(kind.values)), np.nan),
        np.full((n, len(kind.codes)), NO_CODE, np.int32),
    )


def limits(kind: Kind) -> tuple[Float64, Float64]:
    """Return the (channels,) smallest and largest value that a kind accepts."""
    low = [float(EARLIEST_MS) if c.role is Role.TIME else c.low for c in kind.values]
    high = [float(LATEST_MS - 1) if c.role is Role.TIME else c.high for c in kind.values]
    return np.array(low), np.array(high)


def read_times(elements: Sequence[Element]) -> tuple[NDArray[np.int64], dict[int, str]]:
    """Return the (n,) times of one group [ms], `NO_TIME` where absent, and what is wrong with some, by place."""
    column = [e.get("ts") for e in elements]
    wrong: dict[int, str] = {}
    if set(map(type, column)) == {int}:
        try:
            times = np.array(column, np.int64)
        except OverflowError:
            pass
        else:
            for place in np.flatnonzero((times < EARLIEST_MS) | (times >= LATEST_MS)).tolist():
                wrong[place] = f"ts {read_time(column[place])}"
            return times, wrong
    times = np.full(len(column), NO_TIME, np.int64)
    for place, value in enumerate(column):
        if value is not None:
            found = read_time(value)
            if isinstance(found, str):
                wrong[place] = f"ts {found}"
            else:
                times[place] = found
    return times, wrong


def fill(
    sheet: Sheet, keys: Keys, elements: Sequence[Element], rows: NDArray[np.int64], *, presence: bool = False
) -> None:
    """Write one group's readings into the sheet at `rows`; refused values stay missing and are counted.

    Null is a missing value. A key is unknown where the kind has no channel of that name; presence messages have
    `online` only, and only they have it.
    """
    kind = sheet.kind
    for key in keys:
        if key == "ts":
            continue
        column = [e[key] for e in elements]
        if key == "seq":
            sheet.seq[rows] = _sequence(sheet, column)
        elif (key == "online") != presence:
            sheet.unknown_keys += len(column)
        elif key in kind.value_index:
            at = kind.value_index[key]
            if kind.values[at].role is Role.TIME:
                column = list(map(_departure, column))
            sheet.values[rows, at] = _numbers(sheet, column, rows, at)
        elif key in kind.code_index:
            at = kind.code_index[key]
            sheet.codes[rows, at] = _codes(sheet, column, kind.codes[at])
        else:
            sheet.unknown_keys += len(column)


def _only(sheet: Sheet, column: Sequence[Any], types: frozenset[type]) -> tuple[Sequence[Any], bool]:
    """Return the column with None where the type is wrong (counted), and whether it is without None."""
    found = set(map(type, column))
    if found <= types:
        return column, True
    wrong = sum(v is not None and type(v) not in types for v in column)
    if wrong:
        sheet.rejected["type"] += wrong
        column = [v if type(v) in types else None for v in column]
    return column, False


def _numbers(sheet: Sheet, column: Sequence[Any], rows: NDArray[np.int64], at: int) -> Float64:
    clean, full = _only(sheet, column, _NUMBERS)
    try:
        values = np.array(clean, np.float64)
    except OverflowError:
        values = np.array([_float(v) for v in clean], np.float64)
    low, high = sheet.low[..., at], sheet.high[..., at]
    if low.ndim:
        low, high = low[rows], high[rows]
    bad = ~((values >= low) & (values <= high))
    if bad.any():
        given = bad if full else bad & np.array([v is not None for v in clean])
        refused = int(np.count_nonzero(given))
        if refused:
            sheet.rejected["range"] += refused
        values[bad] = np.nan
    return values


def _float(value: float | None) -> float | None:
    """Return an integer beyond all floats as infinity."""
    try:
        return None if value is None else float(value)
    except OverflowError:
        return float("inf")


def _departure(value: object) -> object:
    """Return a time channel's value as a number where it is a time, else as it is, to be refused by its type."""
    if isinstance(value, str):
        found = read_time(value)
        return value if isinstance(found, str) else found
    return value


def _sequence(sheet: Sheet, column: Sequence[Any]) -> NDArray[np.int64]:
    clean, full = _only(sheet, column, _INTEGERS)
    if full:
        try:
            numbers = np.array(clean, np.int64)
        except OverflowError:
            pass
        else:
            if not (numbers < 0).any():
                return numbers
    good = [NO_SEQ if v is None or not 0 <= v < 2**63 else v for v in clean]
    refused = sum(v is not None and g == NO_SEQ for v, g in zip(clean, good, strict=True))
    if refused:
        sheet.rejected["range"] += refused
    return np.array(good, np.int64)


def _codes(sheet: Sheet, column: Sequence[Any], channel: Channel) -> NDArray[np.int32]:
    """Return state codes or dictionary places; each different value is looked at once."""
    if channel.name == "online":
        return _presence(sheet, column)
    clean, _ = _only(sheet, column, _TEXTS)
    different = dict.fromkeys(clean)
    if channel.states:
        mapping = {v: _state(v, channel) for v in different}
        reason = "name"
    else:
        mapping = {v: _text(v, sheet.texts) for v in different}
        reason = "length"
    codes = np.array([mapping[v] for v in clean], np.int32)
    if _REJECTED in mapping.values():
        refused = codes == _REJECTED
        sheet.rejected[reason] += int(np.count_nonzero(refused))
        codes[refused] = NO_CODE
    return codes


def _presence(sheet: Sheet, column: Sequence[Any]) -> NDArray[np.int32]:
    clean, _ = _only(sheet, column, _NUMBERS)
    codes = [NO_CODE if v is None else int(v) if v in (0, 1) else _REJECTED for v in clean]
    refused = codes.count(_REJECTED)
    if refused:
        sheet.rejected["range"] += refused
    return np.array([NO_CODE if c == _REJECTED else c for c in codes], np.int32)


def _state(name: str | None, channel: Channel) -> int:
    if name is None:
        return NO_CODE
    found = name.lower() if channel.states is MACHINE_STATE else name
    return channel.states.index(found) if found in channel.states else _REJECTED


def _text(text: str | None, texts: dict[str, int]) -> int:
    """Return a text's place in the dictionary; too long, or no Unicode (half a surrogate pair): refused."""
    if text is None:
        return NO_CODE
    if text in texts:
        return texts[text]
    if len(text) > TEXT_MAX or any("\ud800" <= c <= "\udfff" for c in text):
        return _REJECTED
    return texts.setdefault(text, len(texts))
