"""Parameters that many calls share: time windows, and lists that page."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from fastapi import Query
from starlette.responses import Response

from api.problems import Problem
from telemetry.registry import parse_when
from telemetry.times import DAY_MS, MINUTE_MS

FromText = Annotated[str | None, Query(alias="from", description="RFC 3339 with an offset, a date, or ms")]
ToText = Annotated[str | None, Query(alias="to", description="End, exclusive: RFC 3339, a date, or ms")]
Limit = Annotated[int, Query(ge=1, le=100_000, description="Most items in one answer")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the answer before")]

LARGEST = 2**53
"""No number of ours is larger: what a caller sends must fit into 64 bits of the database."""


def time_of(name: str, text: str) -> int:
    """Return a time parameter in ms.

    Raises
    ------
    Problem
        If it is no time (422).
    """
    found = parse_when(text)
    if found is None:
        # A plus sign that was not escaped arrives as a space.
        found = parse_when(text.replace(" ", "+"))
    if found is None or abs(found) > LARGEST:
        detail = f"{name} = {text!r} is no time; write 2026-11-22T03:00:00Z (with Z or an offset) or integer ms"
        raise Problem(422, detail)
    return found


def window_of(from_text: str | None, to_text: str | None, now_ms: int) -> tuple[int, int]:
    """Return `[from, to)` in ms; by default the last 24 h to `now`, rounded down to minutes.

    Raises
    ------
    Problem
        If one is no time, or the window is empty (422).
    """
    to_ms = now_ms - now_ms % MINUTE_MS if to_text is None else time_of("to", to_text)
    from_ms = to_ms - DAY_MS if from_text is None else time_of("from", from_text)
    if from_ms >= to_ms:
        detail = f"from = {from_text!r} is not before to = {to_text!r}; windows are [from, to)"
        raise Problem(422, detail)
    return from_ms, to_ms


class Json(Response):
    """JSON in which NaN is null."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the bytes."""
        return msgspec.json.encode(content)


def page(items: Sequence[Any], limit: int, cursor: str | None) -> tuple[Sequence[Any], str | None]:
    """Return one page of a list that is computed as a whole, and the cursor of the next."""
    start = offset_of(cursor)
    end = start + limit
    return items[start:end], str(end) if end < len(items) else None


def offset_of(cursor: str | None) -> int:
    """Return a cursor that is a number.

    Raises
    ------
    Problem
        If it is none (422).
    """
    if cursor is None or cursor == "":
        return 0
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > len(str(LARGEST)) or int(cursor) > LARGEST:
        detail = f"cursor = {cursor!r} is none of ours; take next_cursor of the answer before"
        raise Problem(422, detail)
    return int(cursor)


def listing(items: Sequence[Any], next_cursor: str | None) -> Json:
    """Return the answer of a list."""
    return Json({"items": items, "next_cursor": next_cursor})
