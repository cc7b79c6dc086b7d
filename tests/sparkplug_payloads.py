"""Sparkplug B payloads made by hand, by the field numbers of sparkplug_b.proto."""

import struct

T0 = 1_795_316_400_000
INT32, INT64, DOUBLE, BOOLEAN, STRING = 3, 4, 10, 11, 12


def number(tag: int, value: int) -> bytes:
    """Return a field of Protocol Buffers that holds an integer."""
    return varint(tag << 3) + varint(value)


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))


def chunk(tag: int, data: bytes) -> bytes:
    return varint(tag << 3 | 2) + varint(len(data)) + data


def metric(name=None, value=None, datatype=None, alias=None, ms=None, historical=False) -> bytes:
    """Return a metric, by the field numbers of sparkplug_b.proto."""
    out = b"" if name is None else chunk(1, name.encode())
    out += b"" if alias is None else number(2, alias)
    out += b"" if ms is None else number(3, ms)
    out += b"" if datatype is None else number(4, datatype)
    out += number(5, 1) if historical else b""
    if value is None:
        return out + number(7, 1)
    if type(value) is bool:
        return out + number(14, value)
    if type(value) is int:
        return out + (number(10, value % 2**32) if datatype != INT64 else number(11, value % 2**64))
    if type(value) is str:
        return out + chunk(15, value.encode())
    return out + varint(13 << 3 | 1) + struct.pack("<d", value)


def payload(seq, *metrics, ms=T0) -> bytes:
    out = b"" if ms is None else number(1, ms)
    return out + b"".join(chunk(2, m) for m in metrics) + (b"" if seq is None else number(3, seq))
