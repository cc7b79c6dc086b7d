"""SenML in CBOR (RFC 8428, section 6): numbers as labels; from there on it is SenML like any other."""

from decimal import Decimal
from typing import Any

import cbor2

from wire.payload import Unreadable

SENML_CBOR = "application/senml+cbor"
"""MQTT 5 content type."""
_LABELS = {
    -1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs", 0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s",
    6: "t", 7: "ut", 8: "vd",
}  # fmt: skip
_PLAIN = (str, int, float, bool)


def read_senml_cbor(payload: bytes) -> Any:
    """Return a pack as JSON would have it, or `Unreadable`."""
    try:
        pack = cbor2.loads(payload)
    except Exception as error:  # noqa: BLE001 - tags make objects of many types, each with errors of its own
        return Unreadable(f"no CBOR: {str(error)[:200]}")
    if type(pack) is not list:
        return Unreadable("SenML is an array of records")
    return [_record(record) for record in pack]


def _record(record: Any) -> Any:
    if type(record) is not dict:
        return None
    return {_LABELS.get(key, key) if type(key) in (int, str) else None: _plain(value) for key, value in record.items()}


def _plain(value: Any) -> Any:
    """Return a value as JSON could have it; CBOR's other types become a text, which no numeric field takes.

    Values that CBOR shares or nests are never walked: a few bytes can stand for billions of them.
    """
    if type(value) is Decimal:
        return float(value)
    return value if type(value) in _PLAIN else f"CBOR {type(value).__name__}"
