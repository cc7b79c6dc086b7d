"""Recorded data as messages: each known format by name, each run the same bytes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from simulators.message import Message
from simulators.replay.acn_sim import acn_sim_messages
from simulators.replay.measur_log import measur_log_messages
from telemetry.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Format:
    """How one kind of recording is read."""

    station: str
    """Station id unless another is given."""
    text: str
    """One line for people."""
    messages: Callable[[Path, str], Iterator[Message]]
    """(file, station id) -> messages in order of time."""


FORMATS = {
    "acn-sim": Format(
        "acn",
        "ACN-Sim result (JSON, also .gz): real sessions of a garage with simulated currents",
        acn_sim_messages,
    ),
    "measur-log": Format(
        "measur",
        "logger export of eight compressors (CSV): power in kW and header pressure in psig",
        measur_log_messages,
    ),
}
"""Name on the command line -> format."""


def replay_messages(path: Path, format_name: str, station: str = "") -> Iterator[Message]:
    """Return the messages of a recording, in order of time.

    Parameters
    ----------
    path
        The recording.
    format_name
        A key of `FORMATS`.
    station
        Station id; empty: the format's own.

    Raises
    ------
    ConfigError
        If the format is unknown.
    VoltairError
        If the file cannot be read or is not of that format.
    """
    chosen = FORMATS.get(format_name)
    if chosen is None:
        msg = f"format {format_name!r} is none of {', '.join(FORMATS)}"
        raise ConfigError(msg)
    return chosen.messages(path, station or chosen.station)
