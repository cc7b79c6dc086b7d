"""A scenario at work: models, sensors and the way to the broker, step by step, and what really happened."""

import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import msgspec
import numpy as np

from simulators.fault_kinds import Layer
from simulators.faults import Fault, fail_unknown
from simulators.message import Message, Reading, telemetry
from simulators.model.air import AirStation
from simulators.model.charging import ChargingStation
from simulators.model.metro import MetroUnit
from simulators.network import Network
from simulators.scenario import Scenario
from simulators.truth import Truth, TruthStation, true_faults
from telemetry.errors import ConfigError
from telemetry.registry import DEVICE_LISTS, Station, registry_from_tables
from telemetry.times import SECOND_MS, format_time, parse_duration_ms

_WARM_STEP_S = 5


class _Model(Protocol):
    def step(self, now_ms: int, dt_s: float) -> list[Reading]: ...

    def advance(self, now_ms: int, dt_s: float) -> None: ...

    def apply(self, fault: Fault, strength: float) -> None: ...

    def begin(self) -> None: ...

    def key_figures(self) -> dict[str, float | None]: ...

    def describe(self, fault: Fault) -> dict[str, Any]: ...


_MODELS: dict[str, type[ChargingStation] | type[AirStation]] = {
    "charging": ChargingStation,
    "compressed_air": AirStation,
}
_UNITS: dict[str, type[MetroUnit]] = {"metropt3": MetroUnit}
"""Models of one certain machine, by `unit` of the settings."""


class Simulation:
    """One run of a scenario. The same scenario, seed and start give the same bytes.

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
    """

    def __init__(self, scenario: Scenario, seed: int, start_ms: int, duration_ms: int | None) -> None:
        registry = registry_from_tables(scenario.tables(), "scenario")
        self.scenario, self.seed = scenario, seed
        self.begin_ms = start_ms // SECOND_MS * SECOND_MS
        self.elapsed_ms = 0
        """How far the simulation has come."""
        self._duration_ms = duration_ms
        self.stations = registry.stations
        self.models: dict[str, _Model] = {
            name: _build(name, settings, registry.stations[name], seed)
            for name, settings in scenario.models().items()
        }
        self.faults: list[Fault] = []
        self._strengths: list[float] = []
        self._network = Network(seed)
        for fault in scenario.faults:
            self.inject(fault)

    def inject(self, fault: Fault) -> None:
        """Add a fault; one that is added on the way begins by its own `at`.

        Raises
        ------
        ConfigError
            If the fault names something that is not there.
        """
        if fault.station not in self.models:
            msg = f"fault {fault.kind!r}: station {fault.station!r} is not in the scenario ({', '.join(self.models)})"
            raise ConfigError(msg)
        layer, kinds = fault.traits.layer, device_kinds(self.stations[fault.station])
        if layer not in (Layer.READING, Layer.WAY):
            self.models[fault.station].apply(fault, 0.0)
        elif fault.device and fault.device not in kinds:
            fail_unknown(fault, "device", kinds)
        else:
            self._network.add(len(self.faults), fault)
        self.faults.append(fault)
        self._strengths.append(0.0)

    def messages(self, before_step: Callable[[], None] | None = None) -> Iterator[Message]:
        """Yield every message in the order of leaving; `before_step` may inject faults."""
        self._warm_up()
        step_ms = self.scenario.step_s * SECOND_MS
        while self._duration_ms is None or self.elapsed_ms < self._duration_ms:
            now_ms = self.begin_ms + self.elapsed_ms
            yield from self._network.released(now_ms)
            if before_step is not None:
                before_step()
            self._apply_faults()
            for name, model in self.models.items():
                for reading in model.step(now_ms, self.scenario.step_s):
                    way = self._network.way(name, reading.kind, reading.device)
                    if way.clear:
                        yield telemetry(way.topic, now_ms, reading.values)
                    else:
                        sent = way.send(now_ms, self.elapsed_ms, reading.values)
                        yield from self._network.on_time(sent, now_ms)
            self.elapsed_ms += step_ms
        yield from self._network.released(None)

    def truth(self) -> Truth:
        """Return what really happened so far."""
        kinds = {name: device_kinds(station) for name, station in self.stations.items()}
        faults = [
            row
            for fault in self.faults
            for row in true_faults(
                fault, self.models[fault.station].describe(fault), kinds[fault.station], self.begin_ms, self.elapsed_ms
            )
        ]
        return Truth(
            scenario=self.scenario.name,
            seed=self.seed,
            from_=format_time(self.begin_ms) or "",
            to=format_time(self.begin_ms + self.elapsed_ms) or "",
            faults=sorted(faults, key=lambda row: (row.from_, row.station, row.fault, row.device or "")),
            stations=[TruthStation(name, model.key_figures()) for name, model in self.models.items()],
        )

    def _warm_up(self) -> None:
        """Let the stations live for a while unheard; a coarse step is good enough here."""
        step_s = max(self.scenario.step_s, _WARM_STEP_S)
        warm_ms = parse_duration_ms(self.scenario.warm_up) or 0
        for now_ms in range(self.begin_ms - warm_ms, self.begin_ms, step_s * SECOND_MS):
            for model in self.models.values():
                model.advance(now_ms, step_s)
        for model in self.models.values():
            model.begin()

    def _apply_faults(self) -> None:
        """Tell the models whose faults have changed."""
        for k, fault in enumerate(self.faults):
            strength = fault.strength(self.elapsed_ms)
            if strength != self._strengths[k]:
                self._strengths[k] = strength
                if fault.traits.layer not in (Layer.READING, Layer.WAY):
                    self.models[fault.station].apply(fault, strength)


def simulate_messages(scenario: Scenario, seed: int, start_ms: int, duration_ms: int | None) -> Iterator[Message]:
    """Yield every message of one run of a scenario; see `Simulation`."""
    yield from Simulation(scenario, seed, start_ms, duration_ms).messages()


def device_kinds(station: Station) -> dict[str, str]:
    """Return device -> kind of everything that a station lists."""
    return {device: kind for kind in DEVICE_LISTS.values() for device in station.listed(kind)}


def _build(name: str, settings: dict[str, Any], station: Station, seed: int) -> _Model:
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    try:
        return (_UNITS.get(settings.get("unit", "")) or _MODELS[station.kind])(station, settings, rng)
    except msgspec.ValidationError as error:
        msg = f"scenario: model of station {name!r}: {error}"
        raise ConfigError(msg) from error
