"""Orders to a running simulator: a folder in which each order is a file, and its answer another.

An order is `NAME.json` with the fields of a fault; `NAME.done` or `NAME.refused` answers it. Files are moved into
place whole, so neither side ever reads half of one.
"""

import os
import time
from pathlib import Path
from typing import Any

import msgspec

from simulators.fault_kinds import KINDS, Layer
from simulators.faults import Fault
from simulators.simulation import Simulation, device_kinds
from telemetry.errors import ConfigError, VoltairError

ORDERS = "orders"
"""Name of the folder within that of a demo."""
_ANSWER_S = 10.0
_POLL_S = 0.05


class Orders:
    """The simulator's side: looks for orders between two steps."""

    def __init__(self, folder: Path, simulation: Simulation) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._simulation = simulation

    def look(self) -> None:
        """Carry out the orders that are there."""
        for path in sorted(self._folder.glob("*.json")):
            try:
                text, verdict = self._carry_out(path), "done"
            except (ConfigError, msgspec.ValidationError, msgspec.DecodeError) as error:
                text, verdict = str(error), "refused"
            _place(path.with_suffix(f".{verdict}"), text.encode())
            path.unlink(missing_ok=True)

    def _carry_out(self, path: Path) -> str:
        wanted: dict[str, Any] = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        at = f"{self._simulation.elapsed_ms}ms"
        fault = completed(msgspec.convert({"station": "", **wanted, "at": at}, Fault), self._simulation)
        self._simulation.inject(fault)
        where = f"{fault.station} {fault.device}".strip()
        return f"{fault.kind} at {where}{f' for {fault.lasts}' if fault.lasts else ''}: {fault.traits.text}"


def completed(fault: Fault, simulation: Simulation) -> Fault:
    """Fill in the station and the device that a fault leaves open: the first that fit; a device names its station."""
    layer = fault.traits.layer
    kind = "charging" if layer in (Layer.PORT, Layer.SITE) or fault.kind == "session_overlap" else "compressed_air"
    stations = simulation.stations
    owner = next((n for n, s in stations.items() if fault.device in device_kinds(s)), "")
    usual = next((n for n, s in stations.items() if s.kind == kind), next(iter(stations)))
    station = fault.station or owner or usual
    device = fault.device
    if not device and station in stations and layer in (Layer.PORT, Layer.MACHINE, Layer.READING):
        entry = stations[station]
        first = entry.ports if entry.kind == "charging" else entry.compressors
        if layer is Layer.READING and fault.traits.channels and entry.kind == "compressed_air":
            first = entry.air_mains if "pressure_bar" in fault.traits.channels else first
        device = first[0].id
    return msgspec.structs.replace(fault, station=station, device=device)


def placed(fault: Fault, simulation: Simulation) -> list[Fault]:
    """Return a fault at every station that it concerns; of readings and of the way: all that have its device."""
    if fault.traits.layer not in (Layer.READING, Layer.WAY):
        return [completed(fault, simulation)]
    if fault.station:
        return [fault]
    names = [n for n, s in simulation.stations.items() if not fault.device or fault.device in device_kinds(s)]
    return [msgspec.structs.replace(fault, station=name) for name in names or list(simulation.stations)[:1]]


def order(folder: Path, fault: dict[str, Any]) -> str:
    """Ask the simulator that watches a folder for a fault, and return its answer.

    Raises
    ------
    ConfigError
        If there is no such fault, or the simulator refuses it.
    VoltairError
        If no simulator answers.
    """
    if fault["kind"] not in KINDS:
        msg = f"no fault {fault['kind']!r}; there are: {', '.join(KINDS)}"
        raise ConfigError(msg)
    if not folder.is_dir():
        msg = f"no demo runs in {folder.parent}; start 'voltair demo', or name its folder with --folder"
        raise VoltairError(msg)
    path = folder / f"{time.time_ns()}-{os.getpid()}.json"
    _place(path, msgspec.json.encode(fault))
    until = time.monotonic() + _ANSWER_S
    while time.monotonic() < until:
        for verdict in ("done", "refused"):
            answer = path.with_suffix(f".{verdict}")
            if answer.exists():
                text = answer.read_text("utf-8")
                answer.unlink()
                if verdict == "refused":
                    raise ConfigError(text)
                return text
        time.sleep(_POLL_S)  # the simulator is another process; files are the only word between the two
    path.unlink(missing_ok=True)
    msg = f"no simulator answers in {folder}; is 'voltair demo' still running?"
    raise VoltairError(msg)


def _place(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".draft")
    draft.write_bytes(content)
    draft.replace(path)
