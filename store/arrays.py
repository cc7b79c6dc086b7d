"""Named numpy arrays as bytes, for state that must come back exactly as it was."""

import zlib
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray


def encode_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the bytes of arrays with their names, types and shapes; a column that is all one value takes no room."""
    parts = []
    for name, array in arrays.items():
        flat = np.ascontiguousarray(array)
        if flat.size > 1 and (flat.reshape(-1).view(f"V{flat.itemsize}") == flat.reshape(-1)[:1].view(
            f"V{flat.itemsize}"
        )).all():
            parts.append([name, flat.dtype.str, flat.shape, True, flat.reshape(-1)[:1].tobytes()])
        else:
            parts.append([name, flat.dtype.str, flat.shape, False, flat.tobytes()])
    return zlib.compress(msgspec.msgpack.encode(parts), 1)


def decode_arrays(data: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays that `encode_arrays` wrote, each writable."""
    out: dict[str, NDArray[Any]] = {}
    for name, dtype, shape, constant, raw in msgspec.msgpack.decode(zlib.decompress(data)):
        values = np.frombuffer(raw, dtype)
        out[name] = (np.full(shape, values[0]) if constant else values.reshape(shape)).copy()
    return out
