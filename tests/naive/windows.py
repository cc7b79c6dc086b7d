"""Windows made by hand: ports from a state per second, air stations from flows and powers per minute."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from naive.kpis import Tick

from analytics.window import Runs, Window
from store.buckets import Buckets, empty_of
from telemetry.registry import Station, registry_from_tables

START_MS = 1_732_233_600_000
"""2024-11-22T00:00:00Z."""
ENERGY_N_PER_S = 2_000_000
"""7.2 kW."""
NO_DEAF = np.empty((0, 2), np.int64)
LATE_S = 40
"""Second of the window in which p2 of `busy_ports` is first heard."""


def station_of(kind: str, **table: Any) -> Station:
    """Return a listed station from the keys of `stations.toml`."""
    return registry_from_tables({"stations": {"s": {"kind": kind, **table}}}, "test").stations["s"]


def buckets_of(rows: Mapping[tuple[str, int], Mapping[str, int]]) -> Buckets:
    """Return minute buckets from (device, start) -> columns."""
    names = tuple(sorted({d for d, _ in rows}))
    keys = sorted(rows)
    columns = sorted({c for r in rows.values() for c in r})
    return Buckets(
        names,
        np.array([names.index(d) for d, _ in keys], np.int64),
        np.array([t for _, t in keys], np.int64),
        np.full(len(keys), 60_000, np.int64),
        {c: np.array([rows[k].get(c, empty_of(c)) for k in keys], np.int64) for c in columns},
    )


def runs_of(rows: Sequence[Mapping[str, Any]]) -> Runs:
    """Return runs from dicts with device, start_ms, end_ms, state and whatever else is not empty."""
    rows = sorted(rows, key=lambda r: (r["device"], r["start_ms"]))
    names = tuple(sorted({r["device"] for r in rows}))
    return Runs(
        devices=names,
        device=np.array([names.index(r["device"]) for r in rows], np.int64),
        start_ms=np.array([r["start_ms"] for r in rows], np.int64),
        start_seq=np.array([r.get("start_seq", -1) for r in rows], np.int64),
        end_ms=np.array([r["end_ms"] for r in rows], np.int64),
        last_ms=np.array([r.get("last_ms", r["end_ms"]) for r in rows], np.int64),
        state=tuple(r["state"] for r in rows),
        in_charge=np.array([r.get("in_charge", r["state"] == "Charging") for r in rows], np.bool_),
        session_id=tuple(r.get("session_id", "") for r in rows),
        energy_n=np.array([r.get("energy_n", 0) for r in rows], np.int64),
        peak_kw=np.array([r.get("peak_kw", np.nan) for r in rows], np.float64),
        stop_reason=tuple(r.get("stop_reason", "") for r in rows),
        error_code=tuple(r.get("error_code", "") for r in rows),
    )


def window_of(station: Station, length_min: int, **parts: Any) -> Window:
    """Return a window of so many minutes from `START_MS`; `now` is its end unless given."""
    end_ms = START_MS + 60_000 * length_min
    return Window(**{
        "station": station, "listed": True, "from_ms": START_MS, "to_ms": end_ms, "now_ms": end_ms, "minutes": {},
        "runs": {}, "first_heard_ms": {}, "last_heard_ms": {}, "deaf_ms": NO_DEAF, **parts,
    })


def port_window(timelines: Mapping[str, Sequence[Tick]], station: Station, **parts: Any) -> Window:
    """Return the window of ports that had one state per second; while Charging they draw 7.2 kW."""
    rows: dict[tuple[str, int], dict[str, int]] = {}
    runs: list[dict[str, Any]] = []
    first: dict[tuple[str, str], int] = {}
    last: dict[tuple[str, str], int] = {}
    for port, timeline in timelines.items():
        before: Tick = None
        for second, tick in enumerate(timeline):
            time_ms = START_MS + 1000 * second
            if tick is not None:
                charging = tick[0] == "Charging"
                row = rows.setdefault((port, time_ms - time_ms % 60_000), {})
                for column, value in {
                    "heard_ms": 1000, f"{tick[0]}_ms": 1000, "in_charge_ms": 1000 * charging, "energy_ms": 1000,
                    "energy_n": ENERGY_N_PER_S * charging, "power_kw_ms": 1000,
                    "power_kw_i": 7_200_000 * 1000 * charging,
                }.items():
                    row[column] = row.get(column, 0) + value
                if tick != before:
                    runs.append({"device": port, "start_ms": time_ms, "state": tick[0], "session_id": tick[1],
                                 "energy_n": 0, "peak_kw": 7.2 if charging else 0.0})
                runs[-1]["end_ms"] = time_ms + 1000
                runs[-1]["energy_n"] += ENERGY_N_PER_S * charging
                first.setdefault(("port", port), time_ms)
                last[("port", port)] = time_ms
            before = tick
    seconds = max(len(t) for t in timelines.values())
    return window_of(station, seconds // 60, **{
        "minutes": {"port": buckets_of(rows)}, "runs": {"port": runs_of(runs)}, "first_heard_ms": first,
        "last_heard_ms": last, **parts,
    })


def air_window(
    station: Station, minutes: int, amounts: Mapping[tuple[str, str], Mapping[str, Any]], **parts: Any
) -> Window:
    """Return the window of an air station.

    `amounts` maps (kind, device) to gauges and totals per minute: a number for all minutes or a list with None where
    unknown. `power_kw` and `flow_m3_min` also make energy and volume; `{state}_s` are seconds in a state.
    """
    tables: dict[str, dict[tuple[str, int], dict[str, int]]] = {}
    first = {}
    for (kind, device), channels in amounts.items():
        first[(kind, device)] = START_MS
        for name, given in channels.items():
            values = given if isinstance(given, list) else [given] * minutes
            for i, value in enumerate(values):
                row = tables.setdefault(kind, {}).setdefault((device, START_MS + 60_000 * i), {"heard_ms": 60_000})
                if value is None:
                    continue
                if name.endswith("_s"):
                    row[f"{name[:-2]}_ms"] = round(value * 1000)
                    continue
                row[f"{name}_i"], row[f"{name}_ms"] = round(value * 1e6) * 60_000, 60_000
                row[f"{name}_min"] = row[f"{name}_max"] = round(value * 1e6)
                if name == "power_kw":
                    row["energy_n"], row["energy_ms"] = round(value / 60 * 1e9), 60_000
                if name == "flow_m3_min":
                    row["volume_n"], row["volume_ms"] = round(value * 1e9), 60_000
    return window_of(station, minutes, **{
        "minutes": {kind: buckets_of(rows) for kind, rows in tables.items()}, "first_heard_ms": first, **parts,
    })


def busy_ports(hours: int = 5, **table: Any) -> Window:
    """Return ports that do everything: charge, idle, fault, fall silent, come late."""
    rng = np.random.default_rng(7)
    states = ["Available", "Preparing", "Charging", "SuspendedEV", "Finishing", "Reserved", "Unavailable", "Faulted"]
    timelines: dict[str, list[Any]] = {}
    for port in ("p1", "p2", "p3"):
        line: list[Any] = [None] * LATE_S if port == "p2" else []
        while len(line) < 3600 * hours:
            state = None if rng.random() < 0.1 else str(rng.choice(states))
            line += [None if state is None else (state, f"s{len(line)}" if state in states[1:5] else "")] * int(
                rng.integers(30, 1500)
            )
        timelines[port] = line[: 3600 * hours]
    table = {"transformer_kva": 20, "ports": [{"id": p, "rated_kw": 11} for p in ("p1", "p2", "p3")], **table}
    return port_window(timelines, station_of("charging", **table))


def part(window: Window, from_ms: int, to_ms: int) -> Window:
    """Return a part of a window, as the loader would give it."""
    minutes = {
        kind: rows.take((rows.start_ms >= from_ms) & (rows.start_ms < to_ms)) for kind, rows in window.minutes.items()
    }
    return replace(window, from_ms=from_ms, to_ms=to_ms, minutes=minutes)
