"""Parquet files, where the optional package pyarrow is installed."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from simulators.files import reading_file
from simulators.message import Message
from telemetry.optional import load_pyarrow

_ROWS = 50_000
"""Rows of one batch."""


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file as plain values.

    Raises
    ------
    ConfigError
        If pyarrow is not installed.
    VoltairError
        If the file cannot be read.
    """
    arrow, parquet = load_pyarrow()
    with reading_file(path, "Parquet file", arrow.ArrowException), parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS):
            yield from batch.to_pylist()


def write_parquet(messages: Iterable[Message], path: Path) -> int:
    """Write messages as rows of `time_ms`, `topic`, `payload`; return their number.

    Raises
    ------
    ConfigError
        If pyarrow is not installed.
    OSError
        If the file cannot be written.
    """
    arrow, parquet = load_pyarrow()
    schema = arrow.schema([("time_ms", arrow.int64()), ("topic", arrow.string()), ("payload", arrow.binary())])
    source, count = iter(messages), 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        while batch := list(islice(source, _ROWS)):
            columns = [list(column) for column in zip(*batch, strict=True)]
            writer.write_table(arrow.table(columns, schema=schema))
            count += len(batch)
    return count
