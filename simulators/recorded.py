"""Files of messages: what `voltair simulate --out` and `voltair record` write, and `voltair replay` reads back.

A line of JSON per message, `{"topic": ..., "payload": {...}}`; by the suffix `.parquet` a row. A payload that is no
JSON object or array stands as `payload_base64`. `time_ms` stands beside it where a message leaves at another time than
its reading's `ts`.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from simulators.files import reading_file, writing_file
from simulators.message import Message
from simulators.parquet import read_rows, write_parquet
from telemetry.errors import VoltairError

PARQUET = ".parquet"


class _Line(msgspec.Struct):
    topic: str
    payload: msgspec.Raw = msgspec.Raw()
    payload_base64: str | None = None
    time_ms: int | None = None


def write_messages(messages: Iterable[Message], path: Path) -> int:
    """Write messages to a file and return their number.

    Raises
    ------
    VoltairError
        If the file cannot be written.
    """
    with writing_file(path):
        if path.suffix == PARQUET:
            return write_parquet(messages, path)
        count = 0
        with path.open("wb") as file:
            for message in messages:
                file.write(_line(message))
                count += 1
    return count


def recorded_messages(path: Path, station: str) -> Iterator[Message]:
    """Yield the messages of a file in their order; the topics say which stations.

    Raises
    ------
    VoltairError
        If the file cannot be read or is no such file.
    """
    del station
    return _rows(path) if path.suffix == PARQUET else _lines(path)


def _rows(path: Path) -> Iterator[Message]:
    for number, row in enumerate(read_rows(path), 1):
        try:
            yield msgspec.convert([row.get(name) for name in Message._fields], Message)
        except msgspec.ValidationError as error:
            msg = f"{path}, row {number}: {error}; its columns are time_ms, topic, payload"
            raise VoltairError(msg) from error


def _lines(path: Path) -> Iterator[Message]:
    decode = msgspec.json.Decoder(_Line).decode
    now_ms = 0
    with reading_file(path), path.open("rb") as file:
        for number, text in enumerate(file, 1):
            try:
                line = decode(text)
                payload = _payload(line)
            except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error, ValueError) as error:
                msg = f'{path}, line {number}: {error}; a line is {{"topic": ..., "payload": ...}}'
                raise VoltairError(msg) from error
            time_ms = line.time_ms if line.time_ms is not None else _last_time(payload)
            now_ms = now_ms if time_ms is None else time_ms
            yield Message(now_ms, line.topic, payload)


def _line(message: Message) -> bytes:
    topic = msgspec.json.encode(message.topic)
    when = b"" if _last_time(message.payload) == message.time_ms else b',"time_ms":%d' % message.time_ms
    if _is_plain(message.payload):
        return b'{"topic":%b,"payload":%b%b}\n' % (topic, message.payload, when)
    return b'{"topic":%b,"payload_base64":"%b"%b}\n' % (topic, base64.b64encode(message.payload), when)


def _payload(line: _Line) -> bytes:
    if payload := bytes(line.payload):
        return payload
    if line.payload_base64 is None:
        msg = "there is no payload"
        raise ValueError(msg)
    return base64.b64decode(line.payload_base64, validate=True)


def _is_plain(payload: bytes) -> bool:
    """Return whether a payload can stand in the line as it is and comes back byte for byte."""
    if payload[:1] not in (b"{", b"[") or b"\n" in payload or b"\r" in payload or payload[-1:] not in (b"}", b"]"):
        return False
    try:
        msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def _last_time(payload: bytes) -> int | None:
    """Return the time that a native payload says last, None where it says none."""
    try:
        value: Any = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if isinstance(value, list) and value:
        value = value[-1]
    found = value.get("ts") if isinstance(value, dict) else None
    return found if type(found) is int else None
