"""Analytics on one core: from the journal's segments to closed minutes and key figures, beside DuckDB and polars.

The role itself works through a recorded journal, in a process of its own: it reads, decodes, folds and commits
checkpoints; when the recording is over, all minutes are judged by every rule and detector, rows are made for the
series store, and the advice. DuckDB and polars are given device, time and state alone, and find hourly utilisation
alone; ours is checked to be the same. `python -m benchmarks.analytics FOLDER` is the role over a recording.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from analytics.advice.ordered import RECENT_MS, ordered_advice
from analytics.heap import keep_pages
from analytics.kpis import station_kpis
from analytics.loading import load_window
from analytics.role import Analytics
from benchmarks.analytics_peers import PEERS
from benchmarks.recorded import BEGIN_MS, Recording, frames, record
from store.state import StateReader
from telemetry.channels import OCCUPIED_STATUS, PORT
from telemetry.config import ClockConfig, Config
from telemetry.times import HOUR_MS, MINUTE_MS

YEAR_H = 8_760
MEMORY = {1_000: (10, 0.5), 100_000: (1_000, 1 / 3)}
"""Ports -> (stations, hours): longer than `analytics.reorder`, whose readings are all in memory."""


class Timed(Analytics):
    """The role, which notes what its minutes cost: rules, detectors, rows, advice."""

    minutes_s = 0.0

    def _work_off_minutes(self, *, behind: bool = False) -> None:
        began_s = time.process_time()
        super()._work_off_minutes(behind=behind)
        self.minutes_s += time.process_time() - began_s


def measure_analytics(ports: int, hours: float, *, memory: bool) -> Iterator[tuple[str, str]]:
    """Make a recording, work through it, and yield what it took."""
    recording = Recording(ports, hours)
    yield "readings", f"{recording.readings:,} of {ports} ports, one per 10 s for {hours:g} h"
    with tempfile.TemporaryDirectory(prefix="voltair-bench-") as name:
        folder = Path(name)
        record(folder, recording)
        ours = _role(folder)
        yield from _rates(recording, ours)
        yield from _beside(folder, recording, ours["closed_s"])
    for count, (stations, long) in MEMORY.items() if memory else ():
        with tempfile.TemporaryDirectory(prefix="voltair-bench-") as name:
            record(Path(name), Recording(count, long, frame=20_000, tick=100_000, stations=stations))
            used = _role(Path(name))
        each_kb = used["grown_kb"] / count
        yield f"memory per port at {count:,}", f"{each_kb:.1f} kB ({used['peak_kb'] / 1024:,.0f} MB in all)"


def _rates(recording: Recording, ours: dict[str, float]) -> Iterator[tuple[str, str]]:
    n = recording.readings
    once_s, known_s = ours["closed_s"] + ours["window_s"], ours["closed_s"] + ours["hourly_s"]
    all_s = ours["closed_s"] + ours["minutes_s"]
    share = YEAR_H / recording.hours
    spent = {"minutes": ours["closed_s"], "hourly key figures too": known_s, "rules, rows, advice too": all_s}
    hour_ms = 1000 * ours["hourly_s"] / recording.hours
    yield "segments to minutes in state.db", f"{n / ours['closed_s']:,.0f} readings/s of CPU"
    window_ms = 1000 * ours["window_s"]
    yield "and all key figures of the whole time", f"{n / once_s:,.0f} readings/s; {window_ms:.0f} ms"
    yield "and all key figures of every hour", f"{n / known_s:,.0f} readings/s; {hour_ms:.0f} ms each"
    yield "with rules, detectors, rows and advice", f"{n / all_s:,.0f} readings/s"
    yield f"ordered charging of {recording.ports} ports", f"{1000 * ours['advice_s']:.0f} ms each minute"
    yield (
        f"a year of {recording.ports} ports, from this part of it",
        ", ".join(f"{part} {spent_s * share / 60:.0f} min" for part, spent_s in spent.items()),
    )


def _role(folder: Path) -> dict[str, Any]:
    argv = [sys.executable, "-m", "benchmarks.analytics", str(folder)]
    found: dict[str, Any] = json.loads(subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout)
    return found


def work_through(folder: Path) -> dict[str, float]:
    """Run the role over the journal in a folder, and return what it took."""
    before_kb = _peak_kb()
    keep_pages()
    role = Timed(Config(data_dir=str(folder), clock=ClockConfig(mode="event")))
    began_s = time.process_time()
    while role.step():
        pass
    role.commit()
    closed_s = time.process_time() - began_s - role.minutes_s
    peak_kb = _peak_kb()
    reader = StateReader.open(role.path)
    station = role.engine.stations[0]
    end_ms = int(role.engine.now_ms[0]) // MINUTE_MS * MINUTE_MS

    def kpis_s(from_ms: int, to_ms: int) -> float:
        began_s = time.process_time()
        station_kpis(load_window(reader, role.engine.registry, station, from_ms, to_ms))
        return time.process_time() - began_s

    window_s = kpis_s(BEGIN_MS, end_ms)
    hourly_s = sum(kpis_s(start, min(start + HOUR_MS, end_ms)) for start in range(BEGIN_MS, end_ms, HOUR_MS))
    began_s = time.process_time()
    item = ordered_advice(load_window(reader, role.engine.registry, station, end_ms - RECENT_MS, end_ms), {})
    assert not isinstance(item, str), item
    advice_s = time.process_time() - began_s
    return {
        "closed_s": closed_s, "minutes_s": role.minutes_s, "window_s": window_s, "hourly_s": hourly_s,
        "advice_s": advice_s, "peak_kb": peak_kb, "grown_kb": peak_kb - before_kb,
    }


def _peak_kb() -> int:
    """Return the most memory that this program has had; `getrusage` would count what its parent had when it forked."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.partition("VmHWM:")[2].split()[0])


def _beside(folder: Path, recording: Recording, closed_s: float) -> Iterator[tuple[str, str]]:
    readings = folder / "readings.parquet"
    status = PORT.code_index["status"]
    parts = [pa.table({"device": f.device, "time_ms": f.time_ms, "status": f.codes[:, status].astype(np.int8)})
             for f in frames(recording)]
    pq.write_table(pa.concat_tables(parts), readings)
    ours = occupied_hours(folder)
    for name in PEERS:
        out = folder / f"{name}.npy"
        argv = [sys.executable, "-m", "benchmarks.analytics_peers", name, str(readings), str(out)]
        env = {**os.environ, "POLARS_MAX_THREADS": "1"}
        cpu_s = float(subprocess.run(argv, check=True, stdout=subprocess.PIPE, env=env).stdout)
        same = "equal to ours" if np.array_equal(np.load(out), ours) else "DIFFERENT from ours"
        rate = recording.readings / cpu_s
        yield f"hourly utilisation alone, {name}", f"{rate:,.0f} readings/s, {closed_s / cpu_s:.1f} times ours; {same}"


def occupied_hours(folder: Path) -> NDArray[np.int64]:
    """Return (device, hour, occupied ms) from the minutes in a state.db, where a port was occupied at all."""
    reader = StateReader.open(folder / "state.db")
    found = []
    for station, (_, now_ms, _) in sorted(reader.stations().items()):
        for block in reader.blocks(station, "port", BEGIN_MS, now_ms, lambda column: column.endswith("_ms")):
            device = np.array([int(d.removeprefix("p")) for d in block.devices], np.int64)[block.device]
            ms = sum(block.get(f"{s}_ms") for s in OCCUPIED_STATUS)
            found.append(np.stack([device, block.start_ms // HOUR_MS, ms]))
    device, hour, ms = np.concatenate(found, axis=1)
    keys, place = np.unique(device << 32 | hour, return_inverse=True)
    total = np.zeros(len(keys), np.int64)
    np.add.at(total, place, ms)
    rows = np.stack([keys >> 32, keys & 0xFFFF_FFFF, total])
    return rows[:, total > 0]


if __name__ == "__main__":
    print(json.dumps(work_through(Path(sys.argv[1]))))
