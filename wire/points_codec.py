"""Points as bytes: the form in which derived rows wait for the writer.

A CRC-32, then zlib over a MessagePack array. Numbers are raw little-endian columns; texts and tags are coded
by a dictionary of their own, so a column that repeats one value costs next to nothing.
"""

import zlib
from collections.abc import Sequence

import msgspec
import numpy as np

from telemetry.errors import FrameError
from telemetry.points import Column, Points

_VERSION = 1
_MISSING = -1
"""Code of a missing text."""


def encode_points(points: Points) -> bytes:
    """Return the bytes of points, about 2 to 8 per value.

    Raises
    ------
    ValueError
        If a column or tag has not one value per point.
    """
    n = len(points)
    for name, column in (*points.tags.items(), *points.fields.items(), ("seq", points.seq)):
        if len(column) != n:
            msg = f"column {name!r} of {points.measurement!r} has {len(column)} values for {n} points"
            raise ValueError(msg)
    body = msgspec.msgpack.encode(
        [
            _VERSION,
            points.measurement,
            points.derived,
            n,
            np.ascontiguousarray(points.time_ms, "<i8").tobytes(),
            b"" if (points.seq == -1).all() else np.ascontiguousarray(points.seq, "<i8").tobytes(),
            {name: _encode_texts(values) for name, values in points.tags.items()},
            {name: _encode_column(column) for name, column in points.fields.items()},
        ]
    )
    return zlib.crc32(body).to_bytes(4, "little") + zlib.compress(body, 1)


def decode_points(data: bytes) -> Points:
    """Return the points that `encode_points` wrote.

    Raises
    ------
    FrameError
        If the bytes are damaged, or of another version.
    """
    try:
        body = zlib.decompress(memoryview(data)[4:])
    except zlib.error:
        body = b""
    if not body or zlib.crc32(body) != int.from_bytes(data[:4], "little"):
        msg = f"points of {len(data)} bytes fail their checksum; the file is damaged: restore a backup"
        raise FrameError(msg)
    version, *parts = msgspec.msgpack.decode(body)
    if version != _VERSION:
        msg = f"points version {version} is not {_VERSION}; read them with the Voltair that wrote them"
        raise FrameError(msg)
    measurement, derived, n, time_ms, seq, tags, fields = parts
    return Points(
        measurement,
        {name: _decode_texts(*packed) for name, packed in tags.items()},
        np.frombuffer(time_ms, np.int64),
        np.frombuffer(seq, np.int64) if seq else np.full(n, -1, np.int64),
        {name: _decode_column(*packed) for name, packed in fields.items()},
        derived,
    )


def _encode_texts(values: Sequence[str | None]) -> tuple[list[str], str, bytes]:
    """Return dictionary, type of the codes and the codes."""
    # Millions of texts, few of them different: everything per text is a call in C.
    texts = [text for text in dict.fromkeys(values) if text is not None]
    index: dict[str | None, int] = {text: i for i, text in enumerate(texts)}
    index[None] = _MISSING
    width = np.min_scalar_type(-1 - len(texts))
    return texts, width.str, np.fromiter(map(index.__getitem__, values), width, len(values)).tobytes()


def _decode_texts(texts: list[str], width: str, codes: bytes) -> tuple[str | None, ...]:
    # Code -1 finds the None at the end.
    table = np.array([*texts, None], object)
    return tuple(table[np.frombuffer(codes, width)].tolist())


def _encode_column(column: Column) -> tuple[str, bytes | tuple[list[str], str, bytes]]:
    if isinstance(column, tuple):
        return "text", _encode_texts(column)
    if column.dtype.kind == "i":
        return "int", np.ascontiguousarray(column, "<i8").tobytes()
    return "float", np.ascontiguousarray(column, "<f8").tobytes()


def _decode_column(kind: str, packed: bytes | tuple[list[str], str, bytes]) -> Column:
    if isinstance(packed, bytes):
        return np.frombuffer(packed, np.int64) if kind == "int" else np.frombuffer(packed, np.float64)
    return _decode_texts(*packed)
