"""Named scenarios: which stations, how busy, for how long, and what goes wrong when.

A scenario is a TOML file in `simulators/scenarios`. It names stations whose entry in `stations.toml` is kept in
`simulators/stations`, so the registry that monitors a simulated station is the one that built it.
"""

import tomllib
from importlib.resources import files
from typing import Any

import msgspec

from simulators.faults import Duration, Fault
from simulators.presets import fleet_tables, station_model, station_table
from simulators.toml_text import to_toml
from telemetry.errors import ConfigError
from telemetry.times import parse_duration_ms, parse_time


class ScenarioStation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One simulated station of a scenario."""

    preset: str = ""
    """File of `simulators/stations` that describes it; empty: the one of its own id."""
    model: dict[str, Any] = {}
    """Fields of `ChargingSettings` or `AirSettings`."""
    registry: dict[str, Any] = {}
    """Keys that replace those of the station's entry in `stations.toml`."""


class Fleet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Many charging stations alike: `{prefix}01`, `{prefix}02` and so on."""

    preset: str
    """File of `simulators/stations` that describes them."""
    prefix: str
    ports: tuple[int, ...]
    """Number of ports of each station."""
    model: dict[str, Any] = {}
    """Fields of `ChargingSettings`; `arrivals_per_h` is for ten ports."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One scenario file."""

    name: str = ""
    """That of its file."""
    text: str
    """One line for people."""
    stations: dict[str, ScenarioStation] = {}
    fleets: tuple[Fleet, ...] = ()
    seed: int = 1
    start: str
    """Start of the simulated time unless another is given, RFC 3339."""
    duration: Duration = ""
    """Length unless another is given; empty: until it is stopped."""
    warm_up: Duration = "6h"
    """Simulated before the start without a report, so that the stations are in full life from the first second."""
    step_s: int = 5
    """Step of the models; at least this far apart are changes of state."""
    faults: tuple[Fault, ...] = ()

    def tables(self) -> dict[str, Any]:
        """Return the tables of the `stations.toml` that belongs to this scenario."""
        found = {name: {**station_table(s.preset or name), **s.registry} for name, s in self.stations.items()}
        for fleet in self.fleets:
            found |= fleet_tables(fleet.preset, fleet.prefix, fleet.ports)
        return {"stations": found}

    def models(self) -> dict[str, dict[str, Any]]:
        """Return the settings of each station's model."""
        found = {name: {**station_model(s.preset or name), **s.model} for name, s in self.stations.items()}
        for fleet in self.fleets:
            for k, count in enumerate(fleet.ports, 1):
                busy = {"arrivals_per_h": fleet.model.get("arrivals_per_h", 1.0) * count / 10}
                found[f"{fleet.prefix}{k:02}"] = {**fleet.model, **busy}
        return found

    def stations_toml(self) -> str:
        """Return the text of that file."""
        return to_toml(self.tables())

    @property
    def start_ms(self) -> int:
        """The default start as a time."""
        found = parse_time(self.start)
        if found is None:
            msg = f"scenario: start {self.start!r} is not like 2026-06-01T00:00:00Z"
            raise ConfigError(msg)
        return found

    @property
    def duration_ms(self) -> int | None:
        """The default length; None: without end."""
        return parse_duration_ms(self.duration) if self.duration else None


def list_scenarios() -> list[tuple[str, str]]:
    """Return name and text of every scenario that ships, by name."""
    names = sorted(f.name.removesuffix(".toml") for f in files("simulators").joinpath("scenarios").iterdir()
                   if f.name.endswith(".toml"))
    return [(name, load_scenario(name).text) for name in names]


def load_scenario(name: str) -> Scenario:
    """Return a scenario by its name.

    Raises
    ------
    ConfigError
        If there is no such scenario, or its file is wrong.
    """
    source = files("simulators").joinpath("scenarios", f"{name}.toml")
    if not name.replace("-", "").isalnum() or not source.is_file():
        msg = f"no scenario {name!r}; 'voltair scenarios' lists them"
        raise ConfigError(msg)
    try:
        found = msgspec.toml.decode(source.read_text("utf-8"), type=Scenario)
    except (msgspec.ValidationError, tomllib.TOMLDecodeError) as error:
        msg = f"scenario {name}: {error}"
        raise ConfigError(msg) from error
    return msgspec.structs.replace(found, name=name)
