"""A log of OCPP 1.6 messages as kwwhat keeps it (CSV: timestamp, id, action, msg), published as the frames it holds.

Most frames say no time of their own; the log's stands in an envelope around each, `{"at": ..., "frame": [...]}`. Which
ports and connectors there are stands beside the log, in chargers.csv, ports.csv and connectors.csv.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from simulators.files import reading_file
from simulators.message import Message
from telemetry.errors import VoltairError
from telemetry.times import parse_time

TOPIC = "ocpp/{}/log"
"""Of a charge point."""
_COLUMNS = {"timestamp", "id", "msg"}


def ocpp_log_messages(path: Path, station: str) -> Iterator[Message]:
    """Yield the messages of a log, row by row; the station is the decoder's to say.

    Raises
    ------
    VoltairError
        If the file cannot be read or is no such log.
    """
    del station
    for row in _rows(path, _COLUMNS):
        time_ms = parse_time(row["timestamp"])
        try:
            frame = msgspec.json.decode(row["msg"])
        except msgspec.DecodeError:
            frame = None
        if time_ms is None or not isinstance(frame, list) or not row["id"]:
            msg = f"{path} is no log of OCPP messages: {row['timestamp']!r}, {row['id']!r}, {row['msg'][:80]!r}"
            raise VoltairError(msg)
        payload = msgspec.json.encode({"at": row["timestamp"], "frame": frame})
        yield Message(time_ms, TOPIC.format(row["id"]), payload)


def ocpp_log_tables(path: Path, station: str) -> dict[str, Any]:
    """Return the tables of the `stations.toml` that the files beside a log imply; device: charge point, port.

    Raises
    ------
    VoltairError
        If one of them cannot be read.
    """
    chargers = {row["charge_point_id"]: row for row in _rows(path.with_name("chargers.csv"), {"charge_point_id"})}
    connectors = list(_rows(path.with_name("connectors.csv"), {"charge_point_id", "port_id", "connector_id"}))
    ports = []
    for row in _rows(path.with_name("ports.csv"), {"charge_point_id", "port_id"}):
        place = row["charge_point_id"], row["port_id"]
        port = {
            "id": "-".join(place),
            "charge_point": place[0],
            "connectors": sum((c["charge_point_id"], c["port_id"]) == place for c in connectors),
        }
        for name in ("commissioned", "decommissioned"):
            when = chargers.get(place[0], {}).get(f"{name}_ts")
            if when:
                port[name] = when
        ports.append(port)
    return {"stations": {station: {"kind": "charging", "ports": ports}}}


def _rows(path: Path, columns: set[str]) -> Iterator[dict[str, str]]:
    with reading_file(path, "CSV", UnicodeDecodeError, csv.Error), path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        missing = columns - set(rows.fieldnames or ())
        if missing:
            msg = f"{path} has no column {min(missing)!r}"
            raise VoltairError(msg)
        yield from rows
