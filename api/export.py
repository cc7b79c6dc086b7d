"""Tables as files: CSV and Parquet, made while they are sent, so that memory does not grow with their length."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from api.problems import Problem
from telemetry.errors import ConfigError
from telemetry.optional import load_pyarrow
from telemetry.times import to_datetime

Format = Literal["json", "csv", "parquet"]
Type = Literal["text", "time", "number", "integer", "flag"]
"""`time` is an aware datetime (`local_time`); every value may be None."""
Row = Sequence[Any]

MEDIA_TYPES: Mapping[Format, str] = {
    "json": "application/json", "csv": "text/csv", "parquet": "application/vnd.apache.parquet",
}
ANSWERS: dict[int | str, dict[str, Any]] = {200: {"content": {media: {} for media in MEDIA_TYPES.values()}}}
"""What the OpenAPI document says of a call that can answer a file."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet computes texts that begin so, and devices choose what stands in `session_id` and the like."""
_CSV_ROWS = 1_000
_PARQUET_ROWS = 50_000
"""Rows of one piece, and of one row group."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """In which form the caller wants the answer."""

    format: Format
    bom: bool

    def file(self, name: str, columns: Mapping[str, Type], rows: Iterable[Row], zone: ZoneInfo) -> Response:
        """Return a table as a file to be saved.

        Parameters
        ----------
        name
            File name without its end.
        columns
            Name -> type.
        rows
            Values in the order of the columns.
        zone
            Time zone that Parquet notes beside its instants; CSV writes each time with its own offset.

        Raises
        ------
        Problem
            501 where Parquet is wanted and pyarrow is not installed.
        """
        pieces = _csv(columns, rows, bom=self.bom) if self.format == "csv" else _parquet(columns, rows, zone)
        first = next(pieces)  # what cannot be answered is found out while the answer can still be an error
        headers = {"Content-Disposition": f'attachment; filename="{name}.{self.format}"', "Vary": "Accept"}
        media = MEDIA_TYPES[self.format] + ("; charset=utf-8" if self.format == "csv" else "")
        return StreamingResponse(chain([first], pieces), headers=headers, media_type=media)


def _wanted(
    request: Request,
    format_: Annotated[
        Format | None,
        Query(alias="format", description="csv and parquet hold the whole window; by default what `Accept` asks for"),
    ] = None,
    *,
    bom: Annotated[bool, Query(description="CSV for Excel: a byte order mark, no formulas")] = False,
) -> Wanted:
    return Wanted(format_ or _accepted(request.headers.get("accept", "")), bom)


Export = Annotated[Wanted, Depends(_wanted)]
"""Parameters `format` and `bom` of a call that can answer a file."""


def _accepted(header: str) -> Format:
    """Return the first of our formats that a header `Accept` names; JSON where it names none."""
    asked = [part.partition(";")[0].strip().lower() for part in header.split(",")]
    formats: dict[str, Format] = {media: name for name, media in MEDIA_TYPES.items()}
    return next((formats[media] for media in asked if media in formats), "json")


def local_time(time_ms: int | None, zone: ZoneInfo) -> datetime | None:
    """Return a time as a table holds it."""
    return None if time_ms is None else to_datetime(time_ms).astimezone(zone)


def _csv(columns: Mapping[str, Type], rows: Iterable[Row], *, bom: bool) -> Iterator[bytes]:
    out = io.StringIO()
    writer = csv.writer(out)
    if bom:
        out.write("\ufeff")
    writer.writerow(columns)
    source = iter(rows)
    while batch := list(islice(source, _CSV_ROWS)):
        writer.writerows([_cell(value, for_people=bom) for value in row] for row in batch)
        yield _drained(out)
    if out.tell():
        yield _drained(out)


def _cell(value: object, *, for_people: bool) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    if for_people and isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return str(value).lower() if isinstance(value, bool) else value


def _drained(out: io.StringIO) -> bytes:
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text.encode()


class _Pipe(io.RawIOBase):
    """A file that is only written, and whose bytes are taken away as they come."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._length = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._length += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._length

    def take(self) -> bytes:
        found = b"".join(self._pieces)
        self._pieces.clear()
        return found


def _parquet(columns: Mapping[str, Type], rows: Iterable[Row], zone: ZoneInfo) -> Iterator[bytes]:
    try:
        arrow, parquet = load_pyarrow()
    except ConfigError as error:
        raise Problem(501, f"format = 'parquet': {error}; or take format=csv") from error
    types = {
        "text": arrow.string(), "time": arrow.timestamp("ms", zone.key), "number": arrow.float64(),
        "integer": arrow.int64(), "flag": arrow.bool_(),
    }
    schema = arrow.schema([(name, types[type_]) for name, type_ in columns.items()])
    source, pipe = iter(rows), _Pipe()
    with parquet.ParquetWriter(pipe, schema, compression="zstd") as writer:
        while batch := list(islice(source, _PARQUET_ROWS)):
            values = zip(*batch, strict=True)
            arrays = [arrow.array(list(column), field.type) for column, field in zip(values, schema, strict=True)]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))
            yield pipe.take()
    yield pipe.take()
