"""Any table, CSV or Parquet, by a map of its columns: a TOML file that says time, devices and their channels."""

import csv
import math
import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from simulators.files import reading_file
from simulators.message import Message, telemetry, telemetry_topic
from simulators.parquet import read_rows
from telemetry.channels import KIND_BY_NAME
from telemetry.decoders import FieldConfig
from telemetry.errors import ConfigError, VoltairError
from telemetry.times import parse_time, to_ms
from wire.mapping import Field, read_number
from wire.templates import is_id

_MS_PER = {"s": 1e3, "ms": 1.0, "us": 1e-3, "ns": 1e-6}


class ColumnConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which column holds a channel; unit, scale and map are those of a decoder's field."""

    column: str
    unit: str = ""
    scale: float = 1.0
    map: dict[str, str] = {}


class TimeColumn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which column holds the time."""

    column: str
    format: str = "iso"
    """`iso`, `s`, `ms`, `us`, `ns` since 1970, or a pattern like `%m/%d/%Y %H:%M`."""
    zone: str = "UTC"
    """Of times without an offset."""


class TableDevice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One device of the table, or all that a column names."""

    kind: str
    device: str = ""
    device_column: str = ""
    """Column that holds the id, where each row is of one device."""
    fields: dict[str, ColumnConfig | str]
    """Channel -> where it stands; a plain text is the column."""


class TableMap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a map."""

    station: str = "table"
    time: TimeColumn
    seq: bool = False
    """Each row carries its number as `seq`: rows with the same time stay points of their own."""
    delimiter: str = ","
    decimal: str = "."
    """Mark of the decimals in a CSV."""
    devices: list[TableDevice]


def table_messages(path: Path, station: str, columns: Path | None) -> Iterator[Message]:
    """Yield the messages of a table, row by row; an empty cell gives no value, a row without any no reading.

    Parameters
    ----------
    path
        `.parquet`, anything else is CSV with a header.
    station
        Station id; empty: the map's.
    columns
        The map.

    Raises
    ------
    ConfigError
        If the map is missing or wrong.
    VoltairError
        If the table cannot be read, lacks a column or has a time that is none.
    """
    found = load_map(columns)
    rows = read_rows(path) if path.suffix == ".parquet" else _csv_rows(path, found)
    return _messages(rows, path, found, station or found.station)


def load_map(columns: Path | None) -> TableMap:
    """Read and check a map.

    Raises
    ------
    ConfigError
        If it is missing or wrong.
    """
    if columns is None:
        msg = "a table needs a map of its columns: --columns FILE.toml (docs/simulators.md has an example)"
        raise ConfigError(msg)
    try:
        found = msgspec.toml.decode(columns.read_text("utf-8"), type=TableMap)
        ZoneInfo(found.time.zone)
        _check(found)
    except OSError as error:
        msg = f"{columns} cannot be read: {error.strerror or error}"
        raise ConfigError(msg) from error
    except (msgspec.ValidationError, tomllib.TOMLDecodeError, ZoneInfoNotFoundError, ValueError) as error:
        msg = f"{columns}: {error}"
        raise ConfigError(msg) from error
    return found


def _check(found: TableMap) -> None:
    for device in found.devices:
        kind = KIND_BY_NAME.get(device.kind)
        if kind is None:
            msg = f"kind {device.kind!r} is none of {', '.join(KIND_BY_NAME)}"
            raise ValueError(msg)
        if not device.device_column and not is_id(device.device):
            msg = f"device {device.device!r} is no id; give device (A-Z a-z 0-9 _ -) or device_column"
            raise ValueError(msg)
        for name in device.fields:
            if kind.channel(name) is None:
                channels = ", ".join(c.name for c in (*kind.values, *kind.codes))
                msg = f"field {name!r} is no channel of {kind.name}, which has {channels}"
                raise ValueError(msg)


def _csv_rows(path: Path, found: TableMap) -> Iterator[dict[str, Any]]:
    with reading_file(path, "CSV", UnicodeDecodeError, csv.Error), path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file, delimiter=found.delimiter):
            yield {k: v if found.decimal == "." else v.replace(found.decimal, ".") for k, v in row.items() if v}


def _messages(rows: Iterator[dict[str, Any]], path: Path, found: TableMap, station: str) -> Iterator[Message]:
    zone = ZoneInfo(found.time.zone)
    devices = [(device, [_field(name, config) for name, config in device.fields.items()]) for device in found.devices]
    seen: set[str] = set()
    for number, row in enumerate(rows):
        seen |= row.keys()
        time_ms = _time(row.get(found.time.column), found.time.format, zone)
        if time_ms is None:
            msg = (
                f"{path}, row {number + 1}: time {row.get(found.time.column)!r} in column {found.time.column!r} is not "
                f"of format {found.time.format!r}"
            )
            raise VoltairError(msg)
        plain = {k: v for k, v in row.items() if v is not None and not (type(v) is float and math.isnan(v))}
        for device, fields in devices:
            values = {field.channel.name: value for field in fields if (value := field.find(plain)) is not None}
            name = str(plain.get(device.device_column, "")).strip() if device.device_column else device.device
            if values and name:
                topic = telemetry_topic(station, device.kind, name)
                yield telemetry(topic, time_ms, {"seq": number, **values} if found.seq else values)
    missing = _columns(found) - seen
    if missing and seen:
        msg = f"{path} has no column {min(missing)!r}, which the map names"
        raise VoltairError(msg)


def _columns(found: TableMap) -> set[str]:
    return {c if isinstance(c, str) else c.column for device in found.devices for c in device.fields.values()}


def _field(channel: str, config: ColumnConfig | str) -> Field:
    config = ColumnConfig(column=config) if isinstance(config, str) else config
    path = msgspec.json.encode(config.column).decode()  # a quoted name of JMESPath
    return Field(channel, FieldConfig(path=path, unit=config.unit, scale=config.scale, map=config.map))


def _time(value: Any, format_name: str, zone: ZoneInfo) -> int | None:
    if isinstance(value, datetime):
        return to_ms(value if value.tzinfo else value.replace(tzinfo=zone))
    try:
        if format_name in _MS_PER:
            return round(float(read_number(value)) * _MS_PER[format_name])
        if format_name == "iso":
            return parse_time(value) or to_ms(datetime.fromisoformat(value).replace(tzinfo=zone))
        moment = datetime.strptime(value, format_name)  # noqa: DTZ007 - the next line gives it a zone
        return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    except (TypeError, ValueError, OverflowError):
        return None
