"""Recorded data as messages: each known format by name, each run the same bytes."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulators.files import reading_file
from simulators.message import Message
from simulators.recorded import recorded_messages
from simulators.replay.acn_sessions import acn_sessions_messages, acn_sessions_tables
from simulators.replay.acn_sim import acn_sim_messages
from simulators.replay.measur_log import measur_log_messages
from simulators.replay.metropt3 import metropt3_messages, metropt3_tables
from simulators.replay.ocpp_log import ocpp_log_messages, ocpp_log_tables
from simulators.replay.table import table_messages
from telemetry.errors import ConfigError, VoltairError


@dataclass(frozen=True, slots=True)
class Format:
    """How one kind of recording is read."""

    station: str
    """Station id unless another is given; empty: the file says."""
    text: str
    """One line for people."""
    messages: Callable[[Path, str], Iterator[Message]]
    """(file, station id) -> messages in order of time."""
    tables: Callable[[Path, str], dict[str, Any]] | None = None
    """(file, station id) -> tables of the `stations.toml` that belongs to it."""


FORMATS = {
    "acn-sim": Format(
        "acn",
        "ACN-Sim result (JSON, also .gz): real sessions of a garage with simulated currents",
        acn_sim_messages,
    ),
    "acn-sessions": Format(
        "caltech",
        "sessions of the Adaptive Charging Network (CSV, also .gz): arrival, departure, energy",
        acn_sessions_messages,
        acn_sessions_tables,
    ),
    "ocpp-log": Format(
        "kwwhat",
        "log of OCPP 1.6 messages (CSV): published as frames, for a decoder",
        ocpp_log_messages,
        ocpp_log_tables,
    ),
    "measur-log": Format(
        "measur",
        "logger export of eight compressors (CSV): power in kW and header pressure in psig",
        measur_log_messages,
    ),
    "metropt3": Format(
        "metro",
        "MetroPT-3 (CSV, or the whole as .zip): the air production unit of a train",
        metropt3_messages,
        metropt3_tables,
    ),
    "voltair": Format(
        "",
        "what 'voltair record' and 'voltair simulate --out' write (.jsonl or .parquet)",
        recorded_messages,
    ),
}
"""Name on the command line -> format."""

TABLE = "table"
"""Name of the format that a map of columns describes."""


def replay_messages(
    path: Path, format_name: str, station: str = "", columns: Path | None = None
) -> Iterator[Message]:
    """Return the messages of a recording, in order of time.

    Parameters
    ----------
    path
        The recording.
    format_name
        A key of `FORMATS`, or `TABLE`.
    station
        Station id; empty: the format's own.
    columns
        The map of a table's columns; other formats have none.

    Raises
    ------
    ConfigError
        If the format is unknown, or a table's map is missing or wrong.
    VoltairError
        If the file cannot be read or is not of that format.
    """
    if format_name == TABLE:
        return table_messages(path, station, columns)
    if columns is not None:
        msg = f"--columns goes with --format {TABLE}; {format_name} knows its columns"
        raise ConfigError(msg)
    chosen = _chosen(format_name)
    return chosen.messages(path, station or chosen.station)


def replay_tables(path: Path, format_name: str, station: str = "") -> dict[str, Any]:
    """Return the tables of the `stations.toml` that belongs to a recording.

    Raises
    ------
    ConfigError
        If the format is unknown, or says nothing of its stations.
    VoltairError
        If the file cannot be read or is not of that format.
    """
    chosen = _chosen(format_name)
    if chosen.tables is None:
        known = ", ".join(name for name, f in FORMATS.items() if f.tables)
        msg = f"format {format_name} says nothing of its stations; {known} do"
        raise ConfigError(msg)
    return chosen.tables(path, station or chosen.station)


def check_sha256(path: Path, expected: str) -> None:
    """Refuse a recording that is not the one that somebody means.

    Raises
    ------
    VoltairError
        If it cannot be read, or its SHA-256 is another.
    """
    with reading_file(path), path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected.strip().lower():
        msg = f"{path} has SHA-256 {found}, not {expected}; fetch it again, or give the checksum of this one"
        raise VoltairError(msg)


def _chosen(format_name: str) -> Format:
    chosen = FORMATS.get(format_name)
    if chosen is None:
        msg = f"format {format_name!r} is none of {', '.join(FORMATS)}, {TABLE}"
        raise ConfigError(msg)
    return chosen
