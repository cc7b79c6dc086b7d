"""How quickly dashboards answer: a store of 400 devices and 90 days in InfluxDB 1.6.7, every query of every panel.

Eight charging stations of 40 ports and eight air stations of ten devices, with the rows that Voltair writes for them:
a quarter, an hour and a day wide for 90 days, a minute wide for the last day. Figures are made up; how many there are
is what counts.
"""

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.flow import _influxd
from grafana.boards import boards
from store.schema import is_fine
from telemetry.points import Column, Points
from telemetry.times import DAY_MS, HOUR_MS, MINUTE_MS, QUARTER_MS
from wire.line_protocol import to_lines

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from grafana_asks import Asker

TO_MS = 1_780_412_400_000
DAYS = 90
WIDTHS = {"1m": (MINUTE_MS, 1), "15m": (QUARTER_MS, DAYS), "1h": (HOUR_MS, DAYS), "1d": (DAY_MS, DAYS)}
"""Width -> (ms, days of rows)."""
RANGES = {"1 h": HOUR_MS, "24 h": DAY_MS, "7 d": 7 * DAY_MS, "30 d": 30 * DAY_MS, "90 d": 90 * DAY_MS}
_AIR_DEVICES = (*(("compressor", f"c{i}") for i in range(5)), ("dryer", "d1"), ("air_main", "main"),
                *(("air_meter", f"am{i}") for i in range(3)))
DEVICES = (
    *((f"pier{s}", "port", f"p{i:03}") for s in range(8) for i in range(40)),
    *((f"isle{s}", kind, name) for s in range(8) for kind, name in _AIR_DEVICES),
)
_GAUGES = {
    "port": ("power_kw_mean", "power_kw_max", "current_a_mean", "voltage_v_mean", "energy_kwh", "Charging_s"),
    "compressor": ("power_kw_mean", "energy_kwh", "loaded_s", "unloaded_s"),
    "dryer": ("dew_point_c_mean",), "air_main": ("flow_m3_min_mean", "flow_m3_min_min"), "air_meter": ("volume_m3",),
}
_STATES = {"port": ("Available", "Charging", "Faulted"), "compressor": ("loaded", "unloaded", "stopped")}
_STATIONS = {
    "charging_station": (
        "window_h", "known_h", "offline_h", "unknown_h", "available_h", "occupied_h", "charging_h", "idle_h",
        "faulted_h", "unavailable_h", "power_kw", "peak_kw", "energy_kwh", "sessions",
        "sessions_successful", "sessions_judged",
        "transformer_loading_max",
    ),
    "air_station": (
        "energy_kwh", "volume_m3", "supplied_m3", "metered_m3", "paired_energy_kwh", "paired_volume_m3", "kwh_per_m3",
        "flow_mean_m3_min", "pressure_mean_bar", "baseline_kwh_per_m3", "contract_min_bar", "contract_max_bar",
        "coverage", "unaccounted_m3", "unaccounted_of_m3", "leak_m3_min", "leak_low_m3_min", "leak_high_m3_min",
        "leak_share",
        "savings_kwh", "savings_money",
    ),
}  # fmt: skip
_CUSTOMER = ("volume_m3", "flow_mean_m3_min", "coverage", "savings_kwh", "savings_money", "savings_co2_kg")


def measure_grafana(repeats: int) -> Iterator[tuple[str, str]]:
    """Fill a store, ask every query so often, and yield the times."""
    with (
        tempfile.TemporaryDirectory(prefix="voltair-bench-") as name,
        _influxd(Path(name)) as url,
        httpx.Client(base_url=url, timeout=120, trust_env=False) as client,
    ):
        began_s, count = time.perf_counter(), 0
        for database in ("voltair", "voltair_raw"):
            client.post("/query", params={"q": f'CREATE DATABASE "{database}"'}).raise_for_status()
        for points in store():
            count += _write(client, points)
        yield "devices, rows", f"{len(DEVICES)}, {count:,} in {time.perf_counter() - began_s:.0f} s"
        yield from ask_all(Asker(client, TO_MS), _pid(name), repeats)


def store() -> Iterator[Points]:
    """Return everything that the store holds."""
    rng = np.random.default_rng(1)
    for width, (width_ms, days) in WIDTHS.items():
        time_ms = np.arange(TO_MS - days * DAY_MS, TO_MS, width_ms)
        n = len(time_ms)

        def numbers(names: Sequence[str], n: int = n) -> dict[str, Column]:
            return {name: np.round(rng.uniform(1, 9, n), 3) for name in names}

        for station, kind, device in DEVICES:
            fields = numbers((*_GAUGES[kind], "known_s", "offline_s"))
            if kind in _STATES:
                fields["status"] = tuple(np.array(_STATES[kind], object)[rng.integers(0, 3, n)].tolist())
            yield _points(f"{kind}_{width}", time_ms, fields, station=station, device=device)
        for s in range(8):
            for kind, names in _STATIONS.items():
                station = f"{'pier' if kind == 'charging_station' else 'isle'}{s}"
                yield _points(f"{kind}_{width}", time_ms, numbers(names), station=station)
            if width in ("1h", "1d"):
                for i in range(3):
                    customer = numbers(_CUSTOMER)
                    yield _points(f"air_customer_{width}", time_ms, customer, station=f"isle{s}", customer=f"k{i}")
    yield from _events(rng)


def _events(rng: np.random.Generator) -> Iterator[Points]:
    """Return names of every day, three sessions of each port a day, and twenty alerts of each station a day."""
    days_ms = np.arange(TO_MS - DAYS * DAY_MS, TO_MS, DAY_MS)
    for station, kind, device in DEVICES:
        n = len(days_ms)
        fields: dict[str, Column] = {
            "name": ("Bay",) * n, "kind": (kind,) * n, "charge_point": ("CP",) * n, "registered": np.ones(n, np.int64),
            "rated_kw": np.full(n, 7.0),
        }
        yield _points("device_info", days_ms, fields, station=station, device=device)
        if kind == "port":
            time_ms = (days_ms[:, None] + np.array([7, 12, 18]) * HOUR_MS + rng.integers(0, HOUR_MS, 3)).ravel()
            n = len(time_ms)
            fields = {
                "session_id": tuple(map(str, range(n))), "end_ms": time_ms + HOUR_MS, "outcome": ("success",) * n,
                "stop_reason": ("Local",) * n,
                **{f: rng.uniform(1, 9, n) for f in ("energy_kwh", "peak_kw", "charging_s", "idle_s")},
            }
            yield _points("session", time_ms, fields, station=station, device=device)
    for station in sorted({station for station, _, _ in DEVICES}):
        for k in range(20):
            time_ms = days_ms + k * HOUR_MS
            n = len(time_ms)
            texts = ("title", "title_zh", "text", "text_zh", "severity", "alert_id")
            fields = dict.fromkeys(texts, ("something that is wrong",) * n)
            fields |= {"tags": ("warning,leak,firing",) * n, "state": ("firing",) * n, "since_ms": time_ms}
            fields["end_time"] = time_ms + HOUR_MS
            yield _points("alert", time_ms, fields, station=station, device=f"p{k:03}", rule="rule")


def _points(measurement: str, time_ms: Any, fields: dict[str, Column], **tags: str) -> Points:
    n = len(time_ms)
    columns = {name: (value,) * n for name, value in tags.items()}
    return Points(measurement, columns, time_ms, np.full(n, -1, np.int64), fields, derived=True)


def _write(client: httpx.Client, points: Points) -> int:
    database = "voltair_raw" if is_fine(points.measurement) else "voltair"
    lines = to_lines(points)
    for at in range(0, len(lines), 10_000):
        body = "\n".join(lines[at : at + 10_000]).encode()
        client.post("/write", params={"db": database, "precision": "ns"}, content=body).raise_for_status()
    return len(lines)


def ask_all(asker: Asker, pid: int, repeats: int) -> Iterator[tuple[str, str]]:
    """Ask every query of every panel for one station of each kind and for all; yield p95 by range, then the slowest.

    Beside the time that passes stands the processor time of InfluxDB (`pid`): on a busy machine only that means much.
    """
    slowest: list[tuple[float, float, str]] = []
    for label, stations in (("one station", ["pier0", "isle0"]), ("all stations", sorted({s for s, _, _ in DEVICES}))):
        for span, range_ms in RANGES.items():
            found = []
            for name, board in boards("en").items():
                chosen = asker.options(board, stations)
                for panel in board["panels"]:
                    for target in panel["targets"]:
                        times = [_seconds(asker, pid, panel, target, range_ms, chosen) for _ in range(repeats)]
                        wall_s, cpu_s = np.quantile(times, 0.95, axis=0)
                        found.append((wall_s, cpu_s))
                        where = f"{name.removesuffix('.json')}: {panel['title']} {target['refId']}"
                        slowest.append((cpu_s, wall_s, f"{where}, {span}, {label}"))
            walls, cpus = np.array(found).T
            yield (
                f"{label}, {span}: p95 of the p95 of {len(found)} queries",
                (
                    f"{np.quantile(walls, 0.95):.3f} s, processor {np.quantile(cpus, 0.95):.2f} s; "
                    f"worst {walls.max():.3f} s, processor {cpus.max():.2f} s"
                ),
            )
    for cpu_s, wall_s, where in sorted(slowest, reverse=True)[:12]:
        yield where, f"{wall_s:.3f} s, processor {cpu_s:.2f} s"


def _seconds(
    asker: Asker, pid: int, panel: dict[str, Any], target: dict[str, Any], range_ms: int, chosen: dict[str, list[str]]
) -> tuple[float, float]:
    """Return the time that passes for a query, and the processor time."""
    cpu_s, began_s = _cpu_s(pid), time.perf_counter()
    asker.panel({**panel, "targets": [target]}, range_ms, chosen)
    return time.perf_counter() - began_s, _cpu_s(pid) - cpu_s


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _pid(folder: str) -> int:
    """Return the process that runs by the configuration in a folder."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if f"{folder}/influx/".encode() in path.read_bytes():
                return int(path.parent.name)
    sys.exit("influxd does not run")
