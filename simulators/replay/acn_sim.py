"""ACN-Sim results: 54 EVSEs of a garage in steps of five minutes, real sessions with simulated currents.

Every EVSE reports at every step, and once more when the last step ends. What a step says holds until the next one:
the register is the integral of the current held over each step, so energy is exact although power jumps.
"""

import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from simulators.files import read_unpacked, reading_file
from simulators.message import Message, telemetry, telemetry_topic
from telemetry.times import MINUTE_MS, to_ms

_ZONE = ZoneInfo("America/Los_Angeles")
"""The garage of the recording is at Caltech; the file states no zone."""
_UNPLUGGED = ""


@dataclass(frozen=True, slots=True)
class AcnSim:
    """One result file, n EVSEs over k steps."""

    start_ms: int
    period_ms: int
    evses: tuple[str, ...]
    """Ids, cleaned to the contract's alphabet, in order of their rows."""
    rate_a: NDArray[np.float64]
    """Charging current, shape (n, k)."""
    pilot_a: NDArray[np.float64]
    """Current that the station offers, shape (n, k)."""
    volts: NDArray[np.float64]
    """Shape (n,)."""
    session: tuple[tuple[str, ...], ...]
    """Id of the plugged session, n rows of k; empty: no vehicle."""


def read_acn_sim(path: Path) -> AcnSim:
    """Read a result file of ACN-Sim, plain or gzip.

    Raises
    ------
    VoltairError
        If the file cannot be read or is no such result.
    """
    with reading_file(
        path, "result of ACN-Sim", EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError, IndexError
    ):
        root = json.loads(read_unpacked(path))
        if isinstance(root, str):  # the experiments saved the JSON text as a JSON string
            root = json.loads(root)
        return _convert(root)


def acn_sim_messages(path: Path, station: str) -> Iterator[Message]:
    """Yield the messages of a result file, by time, then by EVSE.

    Raises
    ------
    VoltairError
        If the file cannot be read or is no such result.
    """
    run = read_acn_sim(path)
    order = sorted(range(len(run.evses)), key=lambda k: run.evses[k])
    topics = [telemetry_topic(station, "port", run.evses[k]) for k in order]
    power_kw = run.rate_a * run.volts[:, None] / 1000.0
    energy_kwh = np.zeros((power_kw.shape[0], power_kw.shape[1] + 1))
    np.cumsum(power_kw * (run.period_ms / 3_600_000), axis=1, out=energy_kwh[:, 1:])
    steps = power_kw.shape[1]
    for step in range(steps + 1):
        time_ms = run.start_ms + step * run.period_ms
        rate, pilot, power = (
            (a[:, step] if step < steps else np.zeros(len(order))).tolist()
            for a in (run.rate_a, run.pilot_a, power_kw)
        )
        energy = energy_kwh[:, step].tolist()
        for topic, k in zip(topics, order, strict=True):
            session = run.session[k][step] if step < steps else _UNPLUGGED
            values: dict[str, float | int | str] = {"status": _status(session, rate[k], pilot[k])}
            if session:
                values["session_id"] = session
            values["power_kw"] = power[k]
            values["energy_kwh"] = round(energy[k], 9)
            values["current_a"] = rate[k]
            values["offered_a"] = pilot[k]
            values["voltage_v"] = run.volts[k].item()
            yield telemetry(topic, time_ms, values)


def _status(session: str, rate_a: float, pilot_a: float) -> str:
    if not session:
        return "Available"
    if rate_a > 0.0:
        return "Charging"
    return "SuspendedEV" if pilot_a > 0.0 else "SuspendedEVSE"


def _convert(root: dict[str, Any]) -> AcnSim:
    context = root["context_dict"]

    def attributes(reference: Any) -> dict[str, Any]:
        found: dict[str, Any] = context[reference["id"] if isinstance(reference, dict) else reference]["attributes"]
        return found

    simulator = attributes(root["id"])
    network = attributes(simulator["network"])
    names = list(network["_EVSEs"])
    rate_a = np.asarray(simulator["charging_rates"], np.float64)
    pilot_a = np.asarray(simulator["pilot_signals"], np.float64)
    if rate_a.shape != pilot_a.shape or rate_a.shape[0] != len(names):
        msg = f"{len(names)} EVSEs, but rates of shape {rate_a.shape} and pilots of shape {pilot_a.shape}"
        raise ValueError(msg)
    sessions = [[_UNPLUGGED] * rate_a.shape[1] for _ in names]
    rows = {name: k for k, name in enumerate(names)}
    for reference in simulator["ev_history"].values():
        vehicle = attributes(reference)
        row = sessions[rows[vehicle["_station_id"]]]
        for step in range(vehicle["_arrival"], min(vehicle["_departure"], len(row))):
            row[step] = vehicle["_session_id"]
    start = datetime.strptime(simulator["start"], "%H:%M:%S.%f %d%m%Y").replace(tzinfo=_ZONE)
    return AcnSim(
        start_ms=to_ms(start),
        period_ms=round(float(simulator["period"]) * MINUTE_MS),
        evses=tuple(re.sub(r"[^A-Za-z0-9_-]", "_", name) for name in names),
        rate_a=rate_a,
        pilot_a=pilot_a,
        volts=np.asarray(network["_voltages"], np.float64),
        session=tuple(tuple(row) for row in sessions),
    )
