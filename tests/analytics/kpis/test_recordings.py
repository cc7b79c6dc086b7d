"""Key figures of recorded stations against the numbers that their sources state."""

import csv
import gzip
import json
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from naive.windows import runs_of, station_of, window_of

from analytics.kpis import KpiAnswer, station_kpis
from analytics.uptime import uptime_of
from store.buckets import Buckets

STEP_MS = 300_000
ACN_START_MS = 1_551_427_200_000
"""2019-03-01T08:00:00Z, midnight in Los Angeles."""


def acn_sim(path: Path) -> tuple[KpiAnswer, float, int]:
    """Return the figures of one simulated month, the energy that its vehicles got [kWh] and their number."""
    tree = json.loads(json.loads(gzip.decompress(path.read_bytes())))
    objects = tree["context_dict"]
    simulator = objects[tree["id"]]["attributes"]
    network = objects[simulator["network"]]
    names = list(network["attributes"]["_EVSEs"])
    rates = np.array(simulator["charging_rates"])[:, :10_732]
    steps = rates.shape[1]
    stay = np.zeros(rates.shape, np.int64)
    vehicles = [objects[v]["attributes"] for v in simulator["ev_history"].values()]
    for number, vehicle in enumerate(vehicles, 1):
        stay[names.index(vehicle["_station_id"]), vehicle["_arrival"] : vehicle["_departure"]] = number
    charging = rates > 0
    power_w = np.rint(rates * 208).astype(np.int64)
    flat = {
        "heard_ms": np.full(rates.shape, STEP_MS),
        "Available_ms": np.where(stay == 0, STEP_MS, 0),
        "Charging_ms": np.where((stay > 0) & charging, STEP_MS, 0),
        "SuspendedEV_ms": np.where((stay > 0) & ~charging, STEP_MS, 0),
        "in_charge_ms": np.where((stay > 0) & charging, STEP_MS, 0),
        "power_kw_i": power_w * 1000 * STEP_MS,
        "power_kw_ms": np.full(rates.shape, STEP_MS),
        "energy_n": np.rint(rates * 208 / 12 * 1e6).astype(np.int64),
        "energy_ms": np.full(rates.shape, STEP_MS),
    }
    start = ACN_START_MS + STEP_MS * np.arange(steps)
    minutes = Buckets(
        tuple(names), np.repeat(np.arange(len(names)), steps), np.tile(start, len(names)),
        np.full(rates.size, STEP_MS), {k: v.ravel() for k, v in flat.items()},
    )
    runs: list[dict[str, Any]] = []
    for e, name in enumerate(names):
        key = 2 * stay[e] + charging[e]
        edges = [0, *(np.flatnonzero(np.diff(key)) + 1).tolist(), steps]
        for a, b in pairwise(edges):
            state = "Available" if not stay[e, a] else "Charging" if charging[e, a] else "SuspendedEV"
            runs.append({
                "device": name, "start_ms": int(start[a]), "end_ms": int(start[a]) + (b - a) * STEP_MS, "state": state,
                "session_id": str(stay[e, a] or ""), "energy_n": int(flat["energy_n"][e, a:b].sum()),
            })
    end_ms = ACN_START_MS + steps * STEP_MS
    station = station_of("charging", ports=[{"id": n, "rated_kw": 6.656} for n in names])
    heard = {("port", n): ACN_START_MS for n in names}
    answer = station_kpis(window_of(
        station, 0, from_ms=ACN_START_MS, to_ms=end_ms, now_ms=end_ms, minutes={"port": minutes},
        runs={"port": runs_of(runs)}, first_heard_ms=heard, last_heard_ms=dict.fromkeys(heard, end_ms),
    ))
    return answer, sum(v["_energy_delivered"] for v in vehicles), len(vehicles)


@pytest.mark.parametrize(
    ("name", "charging", "peak_kw"),
    [("Unctrl-50", 0.02869, 99.00), ("LLF-40", 0.02907, 39.6), ("RR-20", 0.05857, 19.97)],
)
def test_acn_sim(data_dir: Path, name: str, charging: float, peak_kw: float) -> None:
    answer, delivered_kwh, vehicles = acn_sim(data_dir / "acn-sim" / f"three_phase-{name}.json.gz")
    kpis = answer.kpis
    assert answer.coverage == 1
    assert kpis["occupied_utilisation"] == pytest.approx(0.12849, abs=5e-6)
    assert kpis["charging_utilisation"] == pytest.approx(charging, abs=5e-6)
    assert kpis["peak_kw"] == pytest.approx(peak_kw, abs=0.06)
    assert kpis["energy_kwh"] == pytest.approx(delivered_kwh, rel=1e-4)
    assert vehicles == 954
    # Every session but those still plugged in at the end.
    assert 950 <= (kpis["sessions"] or 0) <= 954


@pytest.mark.parametrize(
    ("first", "last", "sessions", "stations", "energy_kwh", "occupied", "capacity"),
    [("2019-05-01", "2019-08-31", 3527, 52, 29_532.8, 0.1422, 0.0289),
     ("2021-05-01", "2021-08-31", 1829, 40, 22_783.6, 0.0476, 0.0290)],
)
def test_acn_sessions(data_dir: Path, first: str, last: str, sessions: int, stations: int, energy_kwh: float,
                      occupied: float, capacity: float) -> None:
    zone = ZoneInfo("America/Los_Angeles")
    from_ms = round(datetime.fromisoformat(first).replace(tzinfo=zone).timestamp() * 1000)
    to_ms = round(datetime.fromisoformat(last).replace(tzinfo=zone).timestamp() * 1000) + 86_400_000
    path = data_dir / "acn-sessions" / f"caltech_{first}_{last}.csv.gz"
    rows = list(csv.DictReader(gzip.decompress(path.read_bytes()).decode().splitlines()))
    ports = sorted({r["station_id"] for r in rows})
    held = np.zeros((len(ports), (to_ms - from_ms) // 60_000), np.int64)
    energy = np.zeros_like(held)
    runs: list[dict[str, Any]] = []
    for row in rows:
        start, end = (round(datetime.fromisoformat(row[k]).timestamp() * 1000) for k in ("arrival", "departure"))
        port = ports.index(row["station_id"])
        energy_n = round(float(row["delivered_energy (kWh)"]) * 1e9)
        runs.append({"device": ports[port], "start_ms": start, "end_ms": end, "state": "SuspendedEV",
                     "session_id": row["session_id"], "energy_n": energy_n})
        runs.append({"device": ports[port], "start_ms": end, "end_ms": end + 1, "state": "Available"})
        first_min, last_min = (start - from_ms) // 60_000, min((end - from_ms) // 60_000, held.shape[1] - 1)
        edges = np.clip(from_ms + 60_000 * np.arange(first_min, last_min + 2), start, end)
        held[port, first_min : last_min + 1] += np.diff(edges)
        energy[port, first_min] += energy_n
    whole = np.full(held.size, 60_000)
    minutes = Buckets(
        tuple(ports), np.repeat(np.arange(len(ports)), held.shape[1]),
        np.tile(from_ms + 60_000 * np.arange(held.shape[1]), len(ports)), whole,
        {"SuspendedEV_ms": held.ravel(), "Available_ms": 60_000 - held.ravel(), "heard_ms": whole,
         "energy_n": energy.ravel(), "energy_ms": whole},
    )
    station = station_of("charging", ports=[{"id": p, "rated_kw": 6.656} for p in ports])
    window = window_of(station, 0, from_ms=from_ms, to_ms=to_ms, now_ms=to_ms + 10**9, minutes={"port": minutes},
                       runs={"port": runs_of(runs)}, first_heard_ms={("port", p): from_ms for p in ports})
    kpis = station_kpis(window).kpis
    assert len(rows) == sessions
    assert len(ports) == stations
    assert sessions - 3 <= (kpis["sessions"] or 0) <= sessions
    assert kpis["energy_kwh"] == pytest.approx(energy_kwh, abs=0.06)
    assert kpis["occupied_utilisation"] == pytest.approx(occupied, abs=6e-5)
    assert kpis["capacity_factor"] == pytest.approx(capacity, abs=6e-5)


def test_uptime_of_the_ocpp_log(data_dir: Path) -> None:
    """CH-001 is silent for 4 x 10 min; CH-002 for 2 x 10 min and for 8 h before its first message."""
    called: dict[str, list[int]] = {}
    path = data_dir / "ocpp-log" / "ocpp_1_6_synthetic_logs_14d.csv"
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if json.loads(row["msg"])[0] == 2:
                moment = datetime.fromisoformat(row["timestamp"].replace("Z", "+00:00"))
                moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
                called.setdefault(row["id"], []).append(round(moment.timestamp() * 1000))
    runs: list[dict[str, Any]] = []
    end_ms = max(t for times in called.values() for t in times)
    from_ms = round(datetime(2025, 10, 1, tzinfo=UTC).timestamp() * 1000)
    for name, given in called.items():
        times = sorted(given)
        start = times[0]
        for a, b in zip(times, [*times[1:], end_ms], strict=True):
            if b - a > 300_000 or b == end_ms:
                runs.append({"device": name, "start_ms": start, "end_ms": min(a + 300_000, b), "last_ms": a,
                             "state": "Available"})
                start = b
    station = station_of("charging", ports=[{"id": n, "commissioned": "2025-10-01"} for n in sorted(called)])
    window = window_of(station, 0, from_ms=from_ms, to_ms=end_ms, now_ms=end_ms, runs={"port": runs_of(runs)},
                       first_heard_ms={("port", n): min(t) for n, t in called.items()},
                       last_heard_ms={("port", n): max(t) for n, t in called.items()})
    first, second = uptime_of(window)
    lead_min = [(min(called[u.port]) - from_ms) / 60_000 for u in (first, second)]
    assert lead_min[1] == pytest.approx(480, abs=1)
    assert first.outage_min - lead_min[0] == pytest.approx(40, abs=0.1)
    assert second.outage_min - lead_min[1] == pytest.approx(20, abs=0.1)
