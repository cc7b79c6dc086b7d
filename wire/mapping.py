"""Fields of a decoder, compiled: a payload's object to the channels and time of a native reading."""

import math
import re
from collections.abc import Mapping, Set
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import jmespath
import jmespath.exceptions
import msgspec

from telemetry.channels import KINDS, Channel, Role
from telemetry.decoders import FieldConfig, TimeConfig
from telemetry.errors import ConfigError
from telemetry.times import parse_time, to_ms
from telemetry.units import Conversion, conversion
from wire.columns import Element

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_MS_PER = {"s": 1e3, "ms": 1.0, "us": 1e-3, "ns": 1e-6}
_CHANNELS = {c.name: c for kind in KINDS for c in (*kind.values, *kind.codes)}
_JMESPATH_ERRORS = (
    jmespath.exceptions.JMESPathError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError,
    RecursionError,
)  # fmt: skip
"""Functions of JMESPath meet values that they do not fit."""


class Path:
    """A compiled JMESPath."""

    def __init__(self, text: str) -> None:
        """Compile a path.

        Raises
        ------
        ConfigError
            If it is none.
        """
        try:
            compiled = jmespath.compile(text)
        except _JMESPATH_ERRORS as error:
            first = str(error).partition("\n")[0]
            msg = f"path {text!r} is no JMESPath ({first}); quote names with other than letters, digits and _"
            raise ConfigError(msg) from error
        self._compiled = compiled
        self.names = frozenset(_names(compiled.parsed))
        """Every name that the path mentions."""
        self._keys = _plain(compiled.parsed)

    def find(self, value: Any) -> Any:
        """Return what stands there, None where nothing does or a function does not fit what stands there."""
        if self._keys is not None:
            for key in self._keys:
                value = value.get(key) if type(value) is dict else None
            return value
        try:
            return self._compiled.search(value)
        except _JMESPATH_ERRORS:
            return None


def _names(node: Any) -> Set[str]:
    if not isinstance(node, dict):
        return set()
    own = {node["value"]} if node.get("type") == "field" else set()
    return own.union(*(_names(child) for child in node.get("children", ())))


def _plain(node: Any) -> tuple[str, ...] | None:
    """Return the keys of a path that is names and dots only, as most are: to walk them is 5 times as fast."""
    if node["type"] == "field":
        return (node["value"],)
    if node["type"] == "current":
        return ()
    parts = [_plain(child) for child in node["children"]] if node["type"] == "subexpression" else [None]
    return None if None in parts else tuple(key for part in parts if part for key in part)


class Field:
    """One channel: where it stands and how it becomes ours."""

    def __init__(self, channel: str, config: FieldConfig | str) -> None:
        """Compile a field.

        Raises
        ------
        ConfigError
            If there is no such channel, or its path, unit or enumeration is wrong.
        """
        found = _CHANNELS.get(channel)
        if found is None:
            msg = f"field {channel!r} is no channel of any kind of device; docs/contract.md lists them"
            raise ConfigError(msg)
        config = FieldConfig(path=config) if isinstance(config, str) else config
        self.channel = found
        self.path = Path(config.path)
        self._map = config.map
        self._scale = config.scale
        self._convert = _of_unit(found, config.unit)
        if found.states and found.name != "online":
            for name in config.map.values():
                if name not in found.states:
                    msg = f"map of {channel}: {name!r} is none of {', '.join(found.states)}"
                    raise ConfigError(msg)

    def find(self, source: Any) -> Any:
        """Return the channel's value in its own unit, None where the source has none.

        What is there but does not fit is returned as it is, to be refused and counted by the checks that every
        reading passes.
        """
        value = self.path.find(source)
        if value is None or (type(value) is list and None in value):
            return None
        convert = self._convert
        if type(value) is dict and "value" in value and len(value) <= 2:
            value, unit = value["value"], value.get("unit")
            if type(unit) is str:
                try:
                    convert = _of_unit(self.channel, unit)
                except ConfigError:
                    return f"{value} {unit}"
        if self._map:
            text = _text(value)
            value = self._map.get(text, value) if type(text) is str else value
        return _typed(value, self.channel, convert, self._scale)


def _of_unit(channel: Channel, unit: str) -> Conversion | float | None:
    """Return how a value of that unit becomes the channel's: for times ms per unit."""
    if not unit:
        return None
    if channel.role is Role.TIME:
        if unit not in _MS_PER:
            msg = f"unit {unit!r} of the time {channel.name} is none of {', '.join(_MS_PER)}"
            raise ConfigError(msg)
        return _MS_PER[unit]
    return conversion(channel.name, unit)


def _typed(value: Any, channel: Channel, convert: Conversion | float | None, scale: float) -> Any:
    """Return a value as its channel wants it: numbers of texts, texts of numbers."""
    if channel.name == "online":
        return _presence(value)
    if channel.role in (Role.STATE, Role.TEXT):
        return _text(value)
    value = read_number(value)
    if type(value) not in (int, float):
        return value
    if scale != 1.0:
        value *= scale
    if channel.role is Role.TIME:
        return round(value * convert) if isinstance(convert, float) and abs(value) < 1e20 else value
    return convert(value) if isinstance(convert, Conversion) else value


def read_number(value: Any) -> Any:
    """Return the number that a text is, anything else as it is; an integer beyond 64 bits is infinite."""
    if type(value) is int and abs(value) >= 2**63:
        return math.inf if value > 0 else -math.inf
    if type(value) is not str or not _NUMBER.fullmatch(value.strip()):
        return value
    return float(value) if re.search(r"[.eE]", value) or len(value) > 18 else int(value)


def _presence(value: Any) -> Any:
    if type(value) is bool:
        return int(value)
    return int(value) if value in ("0", "1") else value


def _text(value: Any) -> Any:
    """Return a value as JSON where it is no text; what JSON cannot say as it is."""
    if type(value) is str:
        return value
    try:
        return msgspec.json.encode(value).decode()
    except (ValueError, TypeError, RecursionError):
        return value


class TimeReader:
    """Finds the time of a reading."""

    def __init__(self, config: TimeConfig) -> None:
        """Compile it.

        Raises
        ------
        ConfigError
            If path or zone is wrong.
        """
        if (config.format == "absent") != (not config.path):
            msg = f"time: format {config.format!r} with path {config.path!r}; give both, or leave time out"
            raise ConfigError(msg)
        self._format = config.format
        self._path = Path(config.path) if config.path else None
        try:
            self._zone = ZoneInfo(config.zone) if config.zone else None
        except (ZoneInfoNotFoundError, ValueError) as error:
            msg = f"time: zone {config.zone!r} is unknown; use a name like Asia/Shanghai"
            raise ConfigError(msg) from error

    def put(self, element: Element, source: Any, whole: Any, receipt_ms: int | None) -> str | None:
        """Write `ts` into a reading; return what is wrong with the time, None where nothing is.

        Without `receipt_ms` (event mode) a relative time is left out.
        """
        if self._path is None:
            return None
        value = self._path.find(source)
        if value is None:
            value = self._path.find(whole)
        if value is None:
            return None
        found = self._read(value, receipt_ms)
        if isinstance(found, str):
            return found
        if found is not None:
            element["ts"] = found
        return None

    def _read(self, value: Any, receipt_ms: int | None) -> int | str | None:
        if self._format == "iso":
            return _iso(value, self._zone)
        value = read_number(value)
        if type(value) not in (int, float) or not abs(value) < 1e20:
            return f"time {str(value)[:80]!r} is no number, which format {self._format!r} wants"
        if self._format == "relative":
            return None if receipt_ms is None else receipt_ms + round(value * 1e3)
        if type(value) is int and self._format in ("us", "ns"):
            return value // (1_000 if self._format == "us" else 1_000_000)
        return int(round(value * _MS_PER[self._format]))  # noqa: RUF046 - the value's type is not known


def _iso(value: Any, zone: ZoneInfo | None) -> int | str:
    wrong = f"time {str(value)[:80]!r} is not RFC 3339 with an offset"
    if type(value) is not str:
        return wrong
    found = None if value.lstrip("-").isdigit() else parse_time(value.upper())
    if found is None and zone is not None:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return wrong
        # Years at the ends of the calendar have no instant in some zones.
        found = to_ms(moment.replace(tzinfo=zone)) if 1 < moment.year < 9999 else None
    return wrong if found is None else found


def compile_fields(fields: Mapping[str, FieldConfig | str]) -> tuple[Field, ...]:
    """Return the compiled fields.

    Raises
    ------
    ConfigError
        If one is wrong.
    """
    return tuple(Field(name, config) for name, config in fields.items())
