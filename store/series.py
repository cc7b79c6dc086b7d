"""What a series store takes and gives, whichever it is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from store.schema import Aggregation
from telemetry.points import Points

Value = float | int | str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of points that were put into a store; all others are stored."""

    refused: tuple[tuple[str, str], ...] = ()
    """(line protocol, reason) of each point that the store will never take."""
    beyond_retention: int = 0
    """Points that are older than the store keeps."""


class SeriesStore(Protocol):
    """Where the writer puts points. The same point may be put again: its fields merge."""

    batch: int
    """Readings or points that are put at once, about."""
    worth: int
    """Fewer readings than these wait for more,"""
    gather_ms: int
    """but no longer than this."""

    def put(self, batch: Sequence[Points]) -> Outcome:
        """Store points in order; return when every one is settled.

        Raises
        ------
        StoreUnavailable
            If the store does not answer or asks to wait: put the same batch again later.
        StoreError
            If a person must mend something first; the message says what.
        """
        ...

    def expire(self) -> bool:
        """Remove some of what is older than `store.keep_raw`; return whether there may be more."""
        ...

    def reset(self) -> None:
        """Forget what is known of the store's tables; the last transaction was rolled back."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...


@dataclass(frozen=True, slots=True)
class SeriesQuery:
    """Which values of one field are asked for, within `[from_ms, to_ms)`."""

    measurement: str
    field: str
    from_ms: int
    to_ms: int
    station: str | None = None
    """None: every station."""
    device: str | None = None
    """None: every device. Several connectors of a port are one device."""
    step_ms: int | None = None
    """One value per step, aligned to the epoch; None: every value as it is."""
    aggregation: Aggregation = Aggregation.LAST
    """With a step: see `schema.checked_aggregation`."""
    limit: int | None = None
    """At most so many items, the earliest."""


@dataclass(frozen=True, slots=True, order=True)
class SeriesItem:
    """One value, or one step that begins at `time_ms`."""

    time_ms: int
    station: str
    device: str | None
    value: Value


def differences(lasts: Iterable[SeriesItem], before: dict[tuple[str, str | None], Value]) -> list[SeriesItem]:
    """Return what a register rose by in each step: its last value minus the last one before the step.

    Parameters
    ----------
    lasts
        Last value of each step that has one, in order of time.
    before
        (station, device) -> last value before the first step; where it is missing the first step has no answer.
    """
    latest = dict(before)
    items = []
    for item in lasts:
        key = (item.station, item.device)
        old = latest.get(key)
        latest[key] = item.value
        if not isinstance(old, str | None) and not isinstance(item.value, str):
            items.append(SeriesItem(item.time_ms, item.station, item.device, item.value - old))
    return items
