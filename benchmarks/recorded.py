"""A recorded journal of charging ports: what ingest would have written, made at once and in seconds.

Each port is free, prepares, charges and stands on after that, over and over; it speaks every ten seconds, a little
beside its neighbours. A frame holds what ingest commits at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from store.journal import DeviceKey, EntryType, JournalWriter
from telemetry.channels import PORT, PORT_STATUS
from telemetry.frame import NO_CODE, NO_SEQ, Frame
from telemetry.registry import registry_json
from telemetry.times import HOUR_MS

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

PERIOD_MS = 10_000
BEGIN_MS = 1_795_305_600_000
"""2026-11-22 00:00 UTC."""
STATION = "depot"
RATED_KW = 7.0
TRANSFORMER_KVA = 2.0
"""For each port: less than the vehicles would take, so that ordered charging has to share."""
STAGES = ("Available", "Preparing", "Charging", "Finishing")
PREPARING, CHARGING = 1, 2
MEAN_S = (9_000.0, 45.0, 7_200.0, 2_400.0)
"""How long a stage lasts on average."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Which journal is made."""

    ports: int
    hours: float
    frame: int = 5_000
    """Readings that ingest commits at once."""
    tick: int = 40_000
    """Readings between two ticks, which stand for a second of ingest."""
    stations: int = 1
    seed: int = 1

    @property
    def rounds(self) -> int:
        """Readings of each port."""
        return round(self.hours * HOUR_MS / PERIOD_MS)

    @property
    def readings(self) -> int:
        return self.ports * self.rounds


def record(folder: Path, recording: Recording) -> None:
    """Write the journal of a data directory."""
    writer = JournalWriter.open(folder / "journal", clock_mode="event", max_bytes=10**12)
    names = [f"p{i:06d}" for i in range(recording.ports)]
    station_of = [f"{STATION}{i * recording.stations // recording.ports}" for i in range(recording.ports)]
    tables = {
        station: {
            "kind": "charging", "name": station,
            "transformer_kva": TRANSFORMER_KVA * recording.ports / recording.stations,
            "ports": [{"id": n, "rated_kw": RATED_KW} for n, s in zip(names, station_of, strict=True) if s == station],
        }
        for station in sorted(set(station_of))
    }
    writer.put(EntryType.REGISTRY, registry_json({"stations": tables}), now_ms=BEGIN_MS)
    new = [(DeviceKey(s, "port", n), i) for i, (n, s) in enumerate(zip(names, station_of, strict=True))]
    clock_ms, since = BEGIN_MS, 0
    for frame in frames(recording):
        writer.append([frame], now_ms=clock_ms, totals=writer.totals, new_devices=new)
        new, since = [], since + len(frame)
        if since >= recording.tick:
            clock_ms, since = clock_ms + 1_000, 0
            writer.tick(connected=True, now_ms=clock_ms)
    for _ in range(10):  # quiet: the watermark moves up to the last reading
        clock_ms += 1_000
        writer.tick(connected=True, now_ms=clock_ms)
    writer.close()


def frames(recording: Recording) -> Iterator[Frame]:
    """Yield the readings in order of time."""
    made = np.random.default_rng(recording.seed)
    n = recording.ports
    offset_ms = np.sort(made.integers(0, PERIOD_MS, n))
    stage = made.integers(0, len(STAGES), n)
    left_s = made.exponential(np.array(MEAN_S)[stage])
    session, energy_kwh = np.arange(n), made.uniform(0, 10_000, n)
    sessions = n
    at_once = max(1, recording.frame // n)
    for first in range(0, recording.rounds, at_once):
        rounds = min(at_once, recording.rounds - first)
        stages, carried = np.empty((rounds, n), np.int64), np.empty((rounds, n), np.int64)
        for k in range(rounds):
            left_s -= PERIOD_MS / 1000
            over = np.flatnonzero(left_s <= 0)
            if len(over):
                stage[over] = (stage[over] + 1) % len(STAGES)
                left_s[over] = made.exponential(np.array(MEAN_S)[stage[over]])
                begun = over[stage[over] == PREPARING]
                session[begun] = sessions + np.arange(len(begun))
                sessions += len(begun)
            stages[k], carried[k] = stage, session
        power_kw = np.where(stages == CHARGING, (RATED_KW * made.uniform(0.9, 1.0, stages.shape)).round(2), 0.0)
        registers = energy_kwh + np.cumsum(power_kw, axis=0) * PERIOD_MS / HOUR_MS
        energy_kwh = registers[-1]
        time_ms = BEGIN_MS + (first + np.arange(rounds))[:, None] * PERIOD_MS + offset_ms
        device = np.tile(np.arange(n), rounds)
        columns = [device, *(a.ravel() for a in (time_ms, stages, carried, power_kw, registers.round(3)))]
        for start in range(0, len(device), recording.frame):
            yield _frame(*(c[start : start + recording.frame] for c in columns))


def _frame(
    device: Int64, time_ms: Int64, stage: Int64, session: Int64, power_kw: Float64, energy_kwh: Float64
) -> Frame:
    n = len(device)
    values, codes = np.full((n, len(PORT.values)), np.nan), np.full((n, len(PORT.codes)), NO_CODE, np.int32)
    values[:, PORT.value_index["power_kw"]] = power_kw
    values[:, PORT.value_index["energy_kwh"]] = energy_kwh
    codes[:, PORT.code_index["status"]] = np.array([PORT_STATUS.index(s) for s in STAGES])[stage]
    occupied = stage > 0
    numbers, place = np.unique(session[occupied], return_inverse=True)
    codes[occupied, PORT.code_index["session_id"]] = place
    return Frame(
        PORT, device.astype(np.int32), time_ms, np.full(n, NO_SEQ), np.zeros(n, np.uint16), values, codes,
        tuple(f"tx{number}" for number in numbers.tolist()),
    )
