"""`voltair record`: what Voltair has received, as messages in a file that `voltair replay --format voltair` reads back.

Out of the journal come all readings in order of arrival, with presence and signs of life; out of InfluxDB come the raw
points in order of time. Every message is native, whatever the device spoke, and says its time.
"""

import heapq
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from simulators.message import PREFIX, Message, telemetry_topic
from simulators.recorded import write_messages
from store.influx_http import query
from store.journal import DeviceKey, EntryType
from store.journal_reader import JournalReader
from store.series_influx import database_of
from telemetry.channels import KINDS, Kind, Role
from telemetry.config import Config, InfluxConfig
from telemetry.errors import ConfigError
from telemetry.frame import FLAG_RETAINED, NO_CODE, NO_SEQ, Frame
from wire.templates import is_id

ALWAYS_MS = 4_102_444_800_000
"""2100: no reading is later."""
_PAGE = 20_000
"""Points of one query."""


def record(
    config: Config, path: Path, source: str = "journal", from_ms: int = 0, to_ms: int = ALWAYS_MS, station: str = ""
) -> int:
    """Write readings of `[from_ms, to_ms)` to a file; return the number of messages.

    Parameters
    ----------
    config
        Says where journal and InfluxDB are.
    path
        `.jsonl` or `.parquet`.
    source
        `journal` or `influx`.
    from_ms, to_ms
        Times of readings.
    station
        Empty: all.

    Raises
    ------
    ConfigError
        If the source or the station is none.
    VoltairError
        If it cannot be read, or the file cannot be written.
    """
    if station and not is_id(station):
        msg = f"station {station!r} is no id (A-Z a-z 0-9 _ -)"
        raise ConfigError(msg)
    if source == "journal":
        messages = journal_messages(config.data / "journal", from_ms, to_ms, station)
    elif source == "influx" and config.store.kind == "influx":
        messages = influx_messages(config.store.influx, from_ms, to_ms, station)
    else:
        msg = f'source {source!r}: it is journal, or influx where store.kind is "influx"'
        raise ConfigError(msg)
    return write_messages(messages, path)


def journal_messages(folder: Path, from_ms: int, to_ms: int, station: str) -> Iterator[Message]:
    """Yield the readings of a journal in order of arrival, as far back as `journal.keep` has left it.

    Raises
    ------
    JournalError
        If there is none, or a segment is damaged.
    """
    reader = JournalReader(folder)
    _, _, newest, _ = reader.head()
    try:
        for entry in reader.last(newest, newest):
            if entry.type is EntryType.FRAME:
                yield from _of_frame(entry.frame(), reader.devices, from_ms, to_ms, station)
    finally:
        reader.close()


def _of_frame(
    frame: Frame, devices: list[DeviceKey], from_ms: int, to_ms: int, station: str
) -> Iterator[Message]:
    wanted = (frame.time_ms >= from_ms) & (frame.time_ms < to_ms) & ((frame.flags & FLAG_RETAINED) == 0)
    if station:
        wanted &= np.isin(frame.device, [i for i, key in enumerate(devices) if key.station == station])
    if not wanted.any():
        return
    frame = frame.take(wanted)
    kind, texts = frame.kind, frame.texts
    rows = zip(
        frame.device.tolist(), frame.time_ms.tolist(), frame.seq.tolist(), frame.values.tolist(), frame.codes.tolist(),
        strict=True,
    )  # fmt: skip
    for device, time_ms, seq, values, codes in rows:
        reading: dict[str, Any] = {"ts": time_ms}
        if seq != NO_SEQ:
            reading["seq"] = seq
        for channel, code in zip(kind.codes, codes, strict=True):
            if code != NO_CODE:
                reading[channel.name] = (channel.states or texts)[code]
        for channel, value in zip(kind.values, values, strict=True):
            if value == value:  # noqa: PLR0124 - NaN: the channel was not sent
                reading[channel.name] = int(value) if channel.role is Role.TIME else value
        yield _message(devices[device], reading)


def _message(key: DeviceKey, reading: dict[str, Any]) -> Message:
    topic = telemetry_topic(key.station, key.kind, key.device)
    if "online" in reading:
        topic = f"{PREFIX}/{key.station}/{key.kind}/{key.device}/online"
        reading = {"online": int(reading["online"]), "ts": reading["ts"]}
    return Message(reading["ts"], topic, msgspec.json.encode(reading))


def influx_messages(config: InfluxConfig, from_ms: int, to_ms: int, station: str) -> Iterator[Message]:
    """Yield the raw points of an InfluxDB in order of time.

    Raises
    ------
    StoreUnavailable, StoreError
        If the server does not answer, or refuses.
    """
    kinds = [_of_kind(config, kind, from_ms, to_ms, station) for kind in KINDS]
    return heapq.merge(*kinds, key=lambda message: message.time_ms)


def _of_kind(config: InfluxConfig, kind: Kind, from_ms: int, to_ms: int, station: str) -> Iterator[Message]:
    """Yield the points of one kind, page by page; a page ends before a time that the next one begins with."""
    known = {c.name for c in (*kind.values, *kind.codes)} | {"seq"}
    where = f" AND \"station\" = '{station}'" if station else ""
    since_ns, limit = from_ms * 1_000_000, _PAGE
    while True:
        statement = (
            f'SELECT * FROM "{kind.name}" WHERE time >= {since_ns} AND time < {to_ms}000000{where} '  # noqa: S608 - our names
            f"ORDER BY time LIMIT {limit}"
        )
        found = query(config, database_of(config, kind.name), statement)
        columns, rows = (found[0]["columns"], found[0]["values"]) if found else ([], [])
        last = len(rows) < limit
        if not last:
            since_ns = rows[-1][0]
            whole = [row for row in rows if row[0] < since_ns]
            limit = _PAGE if whole else 2 * limit  # more points of one time than a page holds
            rows = whole
        for row in rows:
            point = dict(zip(columns, row, strict=True))
            reading = {"ts": point["time"] // 1_000_000}
            reading |= {name: value for name, value in point.items() if name in known and value is not None}
            yield _message(DeviceKey(point["station"], kind.name, point["device"]), reading)
        if last:
            return
