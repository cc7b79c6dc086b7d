"""A frame: readings of one device kind as columns, and its bytes on disk.

A reading is decoded once, at the edge; every later stage works on these arrays. On disk only the columns that hold
anything are kept, with a CRC over the whole, so a torn or altered frame is refused instead of believed.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from telemetry.channels import KINDS, Kind
from telemetry.columns import blank, known
from telemetry.errors import FrameError

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
UInt16 = NDArray[np.uint16]
Float64 = NDArray[np.float64]

NO_SEQ = -1
"""`seq` of a reading that carries none."""
NO_CODE = -1
"""Code of a state or text that a reading lacks."""

FLAG_RECEIPT_TIME = 1
"""The reading came without `ts`; the time of receipt was used."""
FLAG_RETAINED = 2
"""A retained presence received on subscribing: it sets the state but is no sign of life."""
FLAG_FUTURE = 4
"""Live: more than 5 min ahead of receipt; stored, not analysed."""
FLAG_CLOCK_SKEW = 8
"""Live: device time and receipt differ by more than 60 s."""

_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Readings of one kind, in order of arrival."""

    kind: Kind
    device: Int32
    """(n,) index into the journal's device table."""
    time_ms: Int64
    """(n,) time of the reading, ms since the epoch."""
    seq: Int64
    """(n,) the device's own number, `NO_SEQ` where absent."""
    flags: UInt16
    """(n,) bits `FLAG_*`."""
    values: Float64
    """(n, len(kind.values)) NaN where missing."""
    codes: Int32
    """(n, len(kind.codes)) state code, or index into `texts`; `NO_CODE` where missing."""
    texts: tuple[str, ...]
    """Dictionary of the text channels of this frame."""

    def __len__(self) -> int:
        return len(self.device)

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> "Frame":
        """Return the readings at `index` (positions or mask), with the same dictionary."""
        return Frame(
            self.kind, self.device[index], self.time_ms[index], self.seq[index], self.flags[index],
            self.values[index], self.codes[index], self.texts,
        )


@dataclass(frozen=True, slots=True, eq=False)
class FrameColumns:
    """A frame by columns, as it lies on disk: only those that hold anything."""

    kind: Kind
    device: Int32
    time_ms: Int64
    seq: Int64
    flags: UInt16
    """Where all readings have the same `seq` or flags, the column keeps it once."""
    values: Mapping[int, Float64]
    """Column of `Frame.values` -> (n,)"""
    codes: Mapping[int, Int32]
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.device)


def empty_frame(kind: Kind) -> Frame:
    """Return a frame of that kind without readings."""
    return Frame(
        kind,
        np.empty(0, np.int32),
        np.empty(0, np.int64),
        np.empty(0, np.int64),
        np.empty(0, np.uint16),
        np.empty((0, len(kind.values)), np.float64),
        np.empty((0, len(kind.codes)), np.int32),
        (),
    )


def concat_frames(frames: Sequence[Frame]) -> Frame:
    """Join frames of one kind in the given order; text dictionaries are merged.

    Raises
    ------
    ValueError
        If there is no frame, or kinds differ.
    """
    if not frames:
        msg = "concat_frames needs at least one frame; use empty_frame(kind) for none"
        raise ValueError(msg)
    kind = frames[0].kind
    if any(f.kind is not kind for f in frames):
        msg = f"concat_frames joins one kind only, got {sorted({f.kind.name for f in frames})}"
        raise ValueError(msg)
    if len(frames) == 1:
        return frames[0]
    texts: dict[str, int] = {}
    codes = []
    text_columns = [i for i, c in enumerate(kind.codes) if not c.states]
    for frame in frames:
        recoded = frame.codes.copy()
        if frame.texts:
            mapping = np.array([texts.setdefault(t, len(texts)) for t in frame.texts] + [NO_CODE], np.int32)
            for column in text_columns:
                recoded[:, column] = mapping[frame.codes[:, column]]
        codes.append(recoded)
    return Frame(
        kind,
        np.concatenate([f.device for f in frames]),
        np.concatenate([f.time_ms for f in frames]),
        np.concatenate([f.seq for f in frames]),
        np.concatenate([f.flags for f in frames]),
        np.concatenate([f.values for f in frames]),
        np.concatenate(codes),
        tuple(texts),
    )


def encode_frame(frame: Frame) -> bytes:
    """Return the frame's bytes: a MessagePack array of header and raw little-endian columns, and a CRC-32."""
    columns = [i for i in range(frame.values.shape[1]) if not np.isnan(frame.values[:, i]).all()]
    codes = [i for i in range(frame.codes.shape[1]) if (frame.codes[:, i] != NO_CODE).any()]
    body = msgspec.msgpack.encode(
        [
            _VERSION,
            frame.kind.index,
            len(frame),
            frame.device.tobytes(),
            frame.time_ms.tobytes(),
            frame.seq.tobytes() if (frame.seq != NO_SEQ).any() else b"",
            frame.flags.tobytes() if frame.flags.any() else b"",
            columns,
            np.ascontiguousarray(frame.values[:, columns].T).tobytes(),
            codes,
            np.ascontiguousarray(frame.codes[:, codes].T).tobytes(),
            frame.texts,
        ]
    )
    return zlib.crc32(body).to_bytes(4, "little") + body


def columns_of(frame: Frame) -> FrameColumns:
    """Return a frame by columns, without those that hold nothing."""
    values = {i: frame.values[:, i] for i in range(frame.values.shape[1])}
    codes = {i: frame.codes[:, i] for i in range(frame.codes.shape[1])}
    return FrameColumns(
        frame.kind, frame.device, frame.time_ms, frame.seq, frame.flags,
        {i: v for i, v in values.items() if known(v).any()}, {i: c for i, c in codes.items() if known(c).any()},
        frame.texts,
    )


def decode_columns(data: bytes) -> FrameColumns:
    """Return by columns the frame that `encode_frame` wrote.

    Raises
    ------
    FrameError
        If the checksum, the version or a shape is wrong.
    """
    if len(data) < 5 or zlib.crc32(memoryview(data)[4:]) != int.from_bytes(data[:4], "little"):
        msg = f"a frame of {len(data)} bytes fails its checksum; the file is damaged, restore it from a backup"
        raise FrameError(msg)
    version, kind_index, n, device, time_ms, seq, flags, columns, values, codes, code_bytes, texts = (
        msgspec.msgpack.decode(memoryview(data)[4:])
    )
    if version != _VERSION:
        msg = f"frame version {version} is not {_VERSION}; read it with the Voltair release that wrote it"
        raise FrameError(msg)
    return FrameColumns(
        KINDS[kind_index],
        np.frombuffer(device, np.int32),
        np.frombuffer(time_ms, np.int64),
        np.frombuffer(seq, np.int64) if seq else blank(n, NO_SEQ, np.int64),
        np.frombuffer(flags, np.uint16) if flags else blank(n, 0, np.uint16),
        dict(zip(columns, np.frombuffer(values, np.float64).reshape(len(columns), n), strict=True)),
        dict(zip(codes, np.frombuffer(code_bytes, np.int32).reshape(len(codes), n), strict=True)),
        tuple(texts),
    )


def decode_frame(data: bytes) -> Frame:
    """Return the frame that `encode_frame` wrote.

    Raises
    ------
    FrameError
        If the checksum, the version or a shape is wrong.
    """
    return frame_of(decode_columns(data))


def frame_of(found: FrameColumns) -> Frame:
    """Return a frame with all columns of its kind."""
    kind, n = found.kind, len(found)
    values = np.full((n, len(kind.values)), np.nan)
    for column, cells in found.values.items():
        values[:, column] = cells
    codes = np.full((n, len(kind.codes)), NO_CODE, np.int32)
    for column, states in found.codes.items():
        codes[:, column] = states
    return Frame(kind, found.device, found.time_ms, found.seq, found.flags, values, codes, found.texts)
