"""SenML (RFC 8428), JSON: a pack of records resolved into one object per device and time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_ABSOLUTE_S = 2**28
"""A smaller time counts from now (RFC 8428, section 4.5.3)."""
_VERSION = 10


@dataclass(frozen=True, slots=True)
class Sample:
    """The records of one base name and time."""

    base: str
    """Base name: as a rule the device."""
    time_ms: int | None
    """None: now."""
    values: dict[str, Any]
    """Name without the base -> value, or `{"value", "unit"}` where a unit is given."""
    place: int
    """Place of its first record in the pack."""


def read_senml(pack: Any, now_ms: int | None) -> Iterator[Sample | tuple[int, str]]:
    """Yield the samples of a pack, in order of their first records, and what is wrong with records: (place, reason).

    Sums count as values where a record has no value of its own. Without `now_ms` relative times are left out.
    """
    if type(pack) is not list:
        yield -1, "SenML is an array of records"
        return
    bases: dict[str, Any] = {}
    samples: dict[tuple[str, int | None], Sample] = {}
    for place, record in enumerate(pack):
        if type(record) is not dict:
            yield place, "a SenML record is an object"
            continue
        bases |= {key: record[key] for key in ("bn", "bt", "bu", "bv", "bs", "bver") if key in record}
        wrong = _wrong(record, bases)
        if wrong is not None:
            yield place, wrong
            continue
        value = _value(record, bases)
        if value is None:
            continue
        base, name = bases.get("bn", ""), record.get("n", "")
        time_ms = _time_ms(bases.get("bt", 0) + record.get("t", 0), now_ms)
        key = base, time_ms
        if key not in samples:
            samples[key] = Sample(base, time_ms, {}, place)
        unit = record.get("u", bases.get("bu"))
        samples[key].values[name or base] = value if unit is None else {"value": value, "unit": unit}
    yield from samples.values()


def _wrong(record: dict[Any, Any], bases: dict[str, Any]) -> str | None:
    for fields, types, what in (
        (("bn", "n", "bu", "u", "vs"), (str,), "a text"),
        (("bt", "t", "bv", "v", "bs", "s"), (int, float), "a number"),
    ):
        for name in fields:
            if name not in record and name not in bases:
                continue
            value = record.get(name, bases.get(name))
            if type(value) not in types or not _bounded(value):
                return f"SenML field {name} is {str(value)[:80]!r}, not {what}"
    version = bases.get("bver", _VERSION)
    if type(version) not in (int, float) or not version <= _VERSION:  # older ones are read (RFC 8428, section 4.4)
        return f"SenML version {str(version)[:80]!r} is above {_VERSION}, or none"
    unknown = [key for key in record if type(key) is str and key.endswith("_")]
    return f"SenML field {unknown[0]!r} must be understood and is not" if unknown else None


def _bounded(value: Any) -> bool:
    return type(value) is str or abs(value) < 1e300


def _value(record: dict[Any, Any], bases: dict[str, Any]) -> Any:
    for name in ("vs", "vb"):
        if name in record:
            return record[name]
    if "v" in record or "bv" in bases:
        return record.get("v", 0) + bases.get("bv", 0)
    if "s" in record or "bs" in bases:
        return record.get("s", 0) + bases.get("bs", 0)
    return None


def _time_ms(time_s: float, now_ms: int | None) -> int | None:
    if time_s >= _ABSOLUTE_S:
        return round(time_s * 1e3)
    return None if now_ms is None or time_s == 0 else now_ms + round(time_s * 1e3)
