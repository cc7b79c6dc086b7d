"""What really happened in a simulation: the schema of a truth file; `docs/simulators.md` explains each key."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from simulators.faults import Fault
from simulators.files import reading_file, write_file
from telemetry.errors import ConfigError
from telemetry.times import format_time

if TYPE_CHECKING:
    from simulators.simulation import Simulation

SCHEMA = "voltair.truth.1"
"""Named in every file; changes that only add keep it."""


class TruthFault(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """One occurrence of one fault or nuisance."""

    station: str
    device: str | None
    """None: the station, or what `place` names."""
    device_kind: str | None
    fault: str
    """Its kind."""
    text: str
    """One line for people."""
    from_: str
    to: str
    place: str = ""
    """Of a leak: `network`, `customer:{id}`, `machine:{id}`; of other faults of a machine `machine:{id}`."""
    size: float
    """Fully grown."""
    unit: str
    diameter_mm: float | None = None
    """Of a leak, whose `size` is a flow."""
    rule: str | None
    """Rule whose alert is expected; None: a nuisance, about which nothing should speak."""
    category: str | None


class TruthStation(msgspec.Struct, frozen=True):
    """True key figures of one station over the whole run."""

    station: str
    kpis: dict[str, float | None]


class Truth(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from", "schema_": "schema"}):
    """A truth file."""

    schema_: str = SCHEMA
    scenario: str
    seed: int
    from_: str
    to: str
    faults: list[TruthFault]
    stations: list[TruthStation]


def true_faults(
    fault: Fault, known: dict[str, Any], kinds: dict[str, str], begin_ms: int, length_ms: int
) -> list[TruthFault]:
    """Return each occurrence of a fault within a run.

    Parameters
    ----------
    fault
        What was injected.
    known
        What the model adds: `place`, `size`, `unit`, `diameter_mm`.
    kinds
        Device -> kind of the station.
    begin_ms, length_ms
        The run.
    """
    return [
        TruthFault(
            station=fault.station,
            device=fault.device if fault.device in kinds else None,
            device_kind=kinds.get(fault.device),
            fault=fault.kind,
            text=fault.traits.text,
            from_=format_time(begin_ms + since) or "",
            to=format_time(begin_ms + until) or "",
            rule=fault.expect or None,
            category=fault.category or None,
            **{"size": fault.full_size, "unit": fault.traits.unit, **known},
        )
        for since, until in fault.spans(length_ms)
    ]


@contextlib.contextmanager
def written_truth(simulation: "Simulation", path: Path | None) -> Iterator[None]:
    """Write what really happened when the run is over, also when it was stopped early.

    Raises
    ------
    VoltairError
        If the file cannot be written; before the run, not after it.
    """
    if path is None:
        yield
        return
    write_file(path, b"")
    yield
    write_file(path, msgspec.json.format(msgspec.json.encode(simulation.truth()), indent=2) + b"\n")


def read_truth(path: Path) -> Truth:
    """Read a truth file.

    Raises
    ------
    VoltairError
        If it cannot be read.
    ConfigError
        If it is no truth file.
    """
    try:
        with reading_file(path):
            found = msgspec.json.decode(path.read_bytes(), type=Truth)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        msg = f"{path} is no truth file of 'voltair simulate --truth': {error}"
        raise ConfigError(msg) from error
    if found.schema_ != SCHEMA:
        msg = f"{path} has schema {found.schema_!r}, not {SCHEMA!r}; simulate it anew"
        raise ConfigError(msg)
    return found
