"""Named scenarios: which stations, how busy, for how long, and what goes wrong when.

A scenario is a TOML file in `simulators/scenarios`. It names stations whose entry in `stations.toml` is kept in
`simulators/stations`, so the registry that monitors a simulated station is the one that built it.
"""

import tomllib
import zlib
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Protocol

import msgspec
import numpy as np

from simulators.faults import Duration, Fault
from simulators.message import Message, Reading, telemetry, telemetry_topic
from simulators.model.air import AirStation
from simulators.model.charging import ChargingStation
from simulators.toml_text import to_toml
from telemetry.errors import ConfigError
from telemetry.registry import Station, registry_from_tables
from telemetry.times import SECOND_MS, parse_duration_ms, parse_time

_WARM_STEP_S = 5


class ScenarioStation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One simulated station of a scenario."""

    model: dict[str, Any] = {}
    """Fields of `ChargingSettings` or `AirSettings`."""
    registry: dict[str, Any] = {}
    """Keys that replace those of the station's entry in `stations.toml`."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One scenario file."""

    text: str
    """One line for people."""
    stations: dict[str, ScenarioStation]
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
        return {"stations": {name: {**_station_table(name), **s.registry} for name, s in self.stations.items()}}

    def stations_toml(self) -> str:
        """Return the text of that file."""
        return to_toml(self.tables())

    @property
    def start_ms(self) -> int:
        """The default start as a time."""
        return _checked(parse_time(self.start), "start", self.start)

    @property
    def duration_ms(self) -> int | None:
        """The default length; None: without end."""
        return parse_duration_ms(self.duration) if self.duration else None


class _Model(Protocol):
    def step(self, now_ms: int, dt_s: float) -> list[Reading]: ...

    def apply(self, fault: Fault, *, active: bool) -> None: ...


_MODELS: dict[str, type[ChargingStation] | type[AirStation]] = {
    "charging": ChargingStation,
    "compressed_air": AirStation,
}


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
        return msgspec.toml.decode(source.read_text("utf-8"), type=Scenario)
    except (msgspec.ValidationError, tomllib.TOMLDecodeError) as error:
        msg = f"scenario {name}: {error}"
        raise ConfigError(msg) from error


def simulate_messages(scenario: Scenario, seed: int, start_ms: int, duration_ms: int | None) -> Iterator[Message]:
    """Yield every message of a scenario in order of time.

    The same scenario, seed and start give the same bytes.

    Parameters
    ----------
    scenario
        What to simulate.
    seed
        Seed of all chance.
    start_ms
        First step; rounded down to whole seconds.
    duration_ms
        Length; None: without end.

    Yields
    ------
    Message
        Readings of all stations.
    """
    registry = registry_from_tables(scenario.tables(), "scenario")
    models = {name: _build(name, s, registry.stations[name], seed) for name, s in scenario.stations.items()}
    step_ms = scenario.step_s * SECOND_MS
    begin_ms = start_ms // SECOND_MS * SECOND_MS
    _warm_up(scenario, models, begin_ms)
    topics: dict[tuple[str, str], str] = {}
    present: set[int] = set()
    elapsed_ms = 0
    while duration_ms is None or elapsed_ms < duration_ms:
        now_ms = begin_ms + elapsed_ms
        silent = _apply_faults(scenario, models, present, elapsed_ms)
        for station, model in models.items():
            for reading in model.step(now_ms, scenario.step_s):
                if (station, "") in silent or (station, reading.device) in silent:
                    continue
                topic = topics.get((station, reading.device))
                if topic is None:
                    topic = telemetry_topic(station, reading.kind, reading.device)
                    topics[station, reading.device] = topic
                yield telemetry(topic, now_ms, reading.values)
        elapsed_ms += step_ms


def truth_table(scenario: Scenario, seed: int, start_ms: int, duration_ms: int) -> dict[str, Any]:
    """Return what really happened in a simulation, as a table for JSON: each occurrence of each fault."""
    begin_ms = start_ms // SECOND_MS * SECOND_MS
    return {
        "seed": seed,
        "from_ms": begin_ms,
        "to_ms": begin_ms + duration_ms,
        "faults": [
            {
                **msgspec.structs.asdict(fault),
                "from_ms": begin_ms + since,
                "to_ms": begin_ms + until,
            }
            for fault in scenario.faults
            for since, until in fault.spans(duration_ms)
        ],
    }


def _build(name: str, chosen: ScenarioStation, station: Station, seed: int) -> _Model:
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    try:
        return _MODELS[station.kind](station, chosen.model, rng)
    except msgspec.ValidationError as error:
        msg = f"scenario: model of station {name!r}: {error}"
        raise ConfigError(msg) from error


def _warm_up(scenario: Scenario, models: dict[str, _Model], begin_ms: int) -> None:
    """Let the stations live for a while unheard; a coarse step is good enough here."""
    step_s = max(scenario.step_s, _WARM_STEP_S)
    warm_ms = _checked(parse_duration_ms(scenario.warm_up), "warm_up", scenario.warm_up)
    for now_ms in range(begin_ms - warm_ms, begin_ms, step_s * SECOND_MS):
        for model in models.values():
            model.step(now_ms, step_s)


def _apply_faults(
    scenario: Scenario, models: dict[str, _Model], present: set[int], elapsed_ms: int
) -> set[tuple[str, str]]:
    """Begin and end faults; return the (station, device) pairs that are silent now."""
    silent = set()
    for k, fault in enumerate(scenario.faults):
        active = fault.active(elapsed_ms)
        if fault.station not in models:
            msg = f"fault {fault.kind!r}: station {fault.station!r} is not in the scenario"
            raise ConfigError(msg)
        if fault.kind == "silence":
            if active:
                silent.add((fault.station, fault.device))
        elif active != (k in present):
            models[fault.station].apply(fault, active=active)
        present.add(k) if active else present.discard(k)
    return silent


def _station_table(name: str) -> dict[str, Any]:
    source = files("simulators").joinpath("stations", f"{name}.toml")
    if not source.is_file():
        msg = f"scenario: no station {name!r} in simulators/stations"
        raise ConfigError(msg)
    table: dict[str, Any] = tomllib.loads(source.read_text("utf-8"))["stations"][name]
    return table


def _checked(value: int | None, key: str, text: str) -> int:
    if value is None:
        msg = f"scenario: {key} {text!r} cannot be read"
        raise ConfigError(msg)
    return value
