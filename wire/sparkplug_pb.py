"""The payload of Sparkplug B (Protocol Buffers): the fields that a host reads, declared here instead of generated.

Fields that are not declared (data sets, templates, properties, metadata) are skipped, as the format wants it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from wire.payload import Unreadable

INT_BITS = {1: 8, 2: 16, 3: 32, 4: 64}
"""Signed data types and their widths: they travel as unsigned numbers."""
INT64, UINT64, DOUBLE, BOOLEAN, STRING, DATETIME = 4, 8, 10, 11, 12, 13
LONG = (INT64, UINT64, DATETIME)
"""Data types whose integers take 64 bits."""
REBIRTH = "Node Control/Rebirth"
"""The metric of an edge node by which a host asks for its births."""
BD_SEQ = "bdSeq"
"""The metric that ties a death to the birth of the same connection."""
_UINT64, _UINT32, _BOOL, _FLOAT, _DOUBLE, _BYTES, _MESSAGE = 4, 13, 8, 2, 1, 12, 11
# Texts are declared as bytes, which are the same on the wire: one that is no UTF-8 must not cost the message.
_PAYLOAD = {"timestamp": (1, _UINT64), "metrics": (2, _MESSAGE), "seq": (3, _UINT64), "uuid": (4, _BYTES)}
_METRIC = {
    "name": (1, _BYTES), "alias": (2, _UINT64), "timestamp": (3, _UINT64), "datatype": (4, _UINT32),
    "is_historical": (5, _BOOL), "is_null": (7, _BOOL), "int_value": (10, _UINT32), "long_value": (11, _UINT64),
    "float_value": (12, _FLOAT), "double_value": (13, _DOUBLE), "boolean_value": (14, _BOOL),
    "string_value": (15, _BYTES),
}  # fmt: skip
_VALUES = ("int_value", "long_value", "float_value", "double_value", "boolean_value", "string_value")


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of a message."""

    name: str
    """Empty where only the alias is sent."""
    alias: int | None
    time_ms: int | None
    datatype: int
    """0: as the birth said."""
    historical: bool
    raw: int | float | bool | str | None
    """The value as it travels, None where it is null or of a type that no channel has."""


@dataclass(frozen=True, slots=True)
class Payload:
    """One message."""

    time_ms: int | None
    seq: int
    metrics: tuple[Metric, ...]


def _payload_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="sparkplug_b.proto", package="voltair", syntax="proto2")
    for name, fields in (("Metric", _METRIC), ("Payload", _PAYLOAD)):
        message = file.message_type.add(name=name)
        for field, (number, type_) in fields.items():
            declared = message.field.add(name=field, number=number, type=type_, label=1)
            if type_ == _MESSAGE:
                declared.label, declared.type_name = 3, ".voltair.Metric"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("voltair.Payload"))


PAYLOAD = _payload_class()
"""The message class of Protocol Buffers."""


def read_sparkplug(data: bytes) -> Payload | Unreadable:
    """Return a message, or why it is none."""
    try:
        found = PAYLOAD.FromString(data)
    except DecodeError as error:
        return Unreadable(f"no Sparkplug B payload: {error}")
    if found.uuid == b"SPBV1.0_COMPRESSED":
        return Unreadable("a compressed Sparkplug B payload; switch compression off at the edge node")
    time_ms = found.timestamp if found.HasField("timestamp") else None
    return Payload(time_ms, found.seq, tuple(map(_metric, found.metrics)))


def _metric(found: Any) -> Metric:
    raw = None
    if not found.is_null:
        raw = next((getattr(found, name) for name in _VALUES if found.HasField(name)), None)
    return Metric(
        found.name.decode("utf-8", "replace"),
        found.alias if found.HasField("alias") else None,
        found.timestamp if found.HasField("timestamp") else None,
        found.datatype,
        found.is_historical,
        raw.decode("utf-8", "replace") if type(raw) is bytes else raw,
    )


def value_of(metric: Metric, datatype: int) -> Any:
    """Return a metric's value as what its data type says."""
    raw, bits = metric.raw, INT_BITS.get(datatype)
    if bits is None or type(raw) is not int:
        return raw
    raw &= (1 << bits) - 1
    return raw - (1 << bits) if raw >> (bits - 1) else raw


def write_sparkplug(time_ms: int, seq: int | None, metrics: Iterable[Metric]) -> bytes:
    """Return a message that `read_sparkplug` reads back; a death and a command have no `seq`.

    A metric without a name is sent by its alias, one of data type 0 without a type, as messages of data are.
    """
    payload = PAYLOAD(timestamp=time_ms)
    if seq is not None:
        payload.seq = seq
    for metric in metrics:
        given = {
            "name": metric.name.encode() or None, "alias": metric.alias, "timestamp": metric.time_ms,
            "datatype": metric.datatype or None, "is_historical": metric.historical or None,
        }  # fmt: skip
        payload.metrics.add(**{k: v for k, v in given.items() if v is not None}, **_raw(metric))
    return bytes(payload.SerializeToString())


def _raw(metric: Metric) -> dict[str, Any]:
    raw = metric.raw
    if raw is None:
        return {"is_null": True}
    if isinstance(raw, bool):
        return {"boolean_value": raw}
    if isinstance(raw, int):
        wide = metric.datatype in LONG
        return {"long_value": raw % 2**64} if wide else {"int_value": raw % 2**32}
    return {"double_value": raw} if isinstance(raw, float) else {"string_value": raw.encode()}


def rebirth_command(now_ms: int) -> bytes:
    """Return the NCMD that asks an edge node for its births."""
    return write_sparkplug(now_ms, None, [Metric(REBIRTH, None, now_ms, BOOLEAN, historical=False, raw=True)])
