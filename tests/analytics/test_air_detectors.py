"""Fault detectors of air stations through their rules: each with a case that fires and one that looks like it."""

import csv
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from naive.windows import START_MS, air_window, buckets_of, runs_of, station_of, window_of

from telemetry.times import MINUTE_MS

sys.path.insert(0, str(Path(__file__).parent))
from judged import fired

N = 240
EVENT = range(150, N)
STATION: dict[str, Any] = {
    "contract_pressure_bar": [6.0, 7.0], "dew_point_max_c": 10,
    "compressors": [{"id": c, "rated_kw": 100, "rated_flow_m3_min": 16, "control": "fixed"} for c in ("c1", "c2")],
    "air_mains": [{"id": "main"}], "dryers": [{"id": "d1"}],
}
Amounts = dict[tuple[str, str], dict[str, Any]]


def moving(middle: float, size: float = 0.02) -> list[float]:
    return [middle + size * np.sin(i * 1.7) for i in range(N)]


def changed(base: Any, value: Any, event: range = EVENT) -> list[Any]:
    values = list(base) if isinstance(base, list) else [base] * N
    for i in event:
        values[i] = value(values[i]) if callable(value) else value
    return values


def usual() -> Amounts:
    machine = {"power_kw": moving(100, 1), "flow_m3_min": moving(16, 0.1), "loaded_s": 60,
               "discharge_pressure_bar": moving(6.8), "discharge_temperature_c": moving(82, 0.5),
               "motor_current_a": moving(180, 1), "filter_dp_bar": moving(0.15)}
    return {
        ("compressor", "c1"): dict(machine), ("compressor", "c2"): dict(machine),
        ("air_main", "main"): {
            "flow_m3_min": moving(31, 0.2), "pressure_bar": moving(6.5), "dew_point_c": moving(5, 0.1)},
        ("dryer", "d1"): {"power_kw": moving(5, 0.1), "dew_point_c": moving(5, 0.1), "running_s": 60},
        ("air_meter", "m1"): {"flow_m3_min": moving(29, 0.2), "pressure_bar": moving(6.4)},
    }


def told(amounts: Mapping[tuple[str, str], Mapping[str, Any]], step: int = N, **parts: Any) -> list[tuple[str, str]]:
    """Return (rule, device) of all alerts of detectors that fire, judged in pieces of `step` minutes."""
    station = station_of("compressed_air", **STATION)
    return fired(air_window(station, N, amounts, **parts), step)


def with_(key: tuple[str, str], **channels: Any) -> Amounts:
    amounts = usual()
    for name, value in channels.items():
        if value is None:
            amounts[key].pop(name)
        elif callable(value):
            amounts[key][name] = changed(amounts[key][name], value)
        else:
            amounts[key][name] = value
    return amounts


C1, MAIN, DRYER, METER = ("compressor", "c1"), ("air_main", "main"), ("dryer", "d1"), ("air_meter", "m1")


def test_a_usual_day_is_quiet() -> None:
    assert told(usual()) == []


def off(**more: Any) -> dict[str, Any]:
    return {"loaded_s": changed(60, 0), "stopped_s": changed(0, 60), "power_kw": lambda _: 0.0,
            "flow_m3_min": lambda _: 0.0, **more}


CASES = [
    ("overheating", C1, {"discharge_temperature_c": lambda v: v + 24}, {"discharge_temperature_c": lambda v: v + 12}),
    ("filter_clogged", C1, {"filter_dp_bar": lambda v: v + 0.6}, {"filter_dp_bar": lambda v: v + 0.15}),
    ("motor_current", C1, {"motor_current_a": lambda v: 1.15 * v}, {"motor_current_a": lambda v: 1.05 * v}),
    ("unloaded_running", C1,
     {"loaded_s": changed(60, 0), "unloaded_s": changed(0, 60), "flow_m3_min": lambda _: 0.0,
      "power_kw": lambda v: 0.3 * v},
     {"loaded_s": changed(60, 0, range(150, 170)), "unloaded_s": changed(0, 60, range(150, 170)),
      "flow_m3_min": changed(moving(16, 0.1), 0.0, range(150, 170))}),
    ("pressure_low", MAIN, {"pressure_bar": lambda v: v - 0.65}, {"pressure_bar": lambda v: v - 0.4}),
    ("pressure_band", MAIN,
     {"pressure_bar": [6.3 + 0.6 * np.sin(i / 3) * (i >= 100) + 0.8 * (i % 20 > 10) for i in range(N)]},
     {"pressure_bar": [6.2 + 0.7 * (i % 20 > 10) for i in range(N)]}),
    ("branch_drop", METER, {"pressure_bar": lambda v: v - 0.6}, {"pressure_bar": lambda v: v - 0.2}),
    ("dryer_off", DRYER, {"stopped_s": changed(0, 60), "running_s": changed(60, 0)},
     {"stopped_s": changed(0, 60, range(150, 160)), "running_s": changed(60, 0, range(150, 160))}),
    ("dew_point_high", MAIN, {"dew_point_c": lambda v: v + 12},
     {"dew_point_c": changed(moving(5), 18, range(150, 160))}),
    ("sensor_dropout", MAIN, {"pressure_bar": lambda _: 0.0}, {"pressure_bar": lambda v: v - 0.3}),
    ("sensor_dropout", METER, {"pressure_bar": lambda _: -0.02},
     {"pressure_bar": lambda _: 0.0, "flow_m3_min": lambda _: 0.0}),
    ("sensor_frozen", MAIN,
     {c: changed(v, v[149]) for c, v in usual()[MAIN].items()},
     {"pressure_bar": moving(6.5), "flow_m3_min": changed(moving(31, 0.2), 31.0)}),
    ("sensor_frozen", METER, {c: changed(v, v[149]) for c, v in usual()[METER].items()},
     {"flow_m3_min": changed(moving(29, 0.2), 0.0), "pressure_bar": changed(moving(6.4), 0.0)}),
    ("flow_without_power", C1, {"power_kw": lambda _: 0.5}, off()),
    ("power_without_flow", C1, {"flow_m3_min": lambda _: 0.0}, off()),
    ("meter_reversal", METER, {"flow_m3_min": lambda v: -v}, {"flow_m3_min": lambda _: -0.02}),
    ("gauges_apart", C1, {"discharge_pressure_bar": lambda v: v - 1.0}, {"discharge_pressure_bar": lambda v: v + 0.4}),
]


@pytest.mark.parametrize(("rule", "key", "bad", "alike"), CASES, ids=[f"{c[0]}-{c[1][1]}" for c in CASES])
def test_it_fires_and_its_look_alike_does_not(
    rule: str, key: tuple[str, str], bad: dict[str, Any], alike: dict[str, Any]
) -> None:
    assert (rule, key[1]) in told(with_(key, **bad))
    amounts = with_(key, **alike)
    if key[0] == "compressor" and ("stopped_s" in alike or "unloaded_s" in alike):
        amounts[MAIN]["flow_m3_min"] = changed(moving(31, 0.2), lambda v: v - 16)
    if key == MAIN:
        amounts[METER]["pressure_bar"] = [bar - 0.1 for bar in amounts[MAIN]["pressure_bar"]]
    assert told(amounts) == []


@pytest.mark.parametrize("case", [2, 3, 9, 14])
def test_pieces_of_any_length_tell_the_same(case: int) -> None:
    _, key, bad, _ = CASES[case]
    amounts = with_(key, **bad)
    assert told(amounts, 3) == told(amounts, 37) == told(amounts, N)


def test_the_way_down_to_unloaded_is_no_loaded_current() -> None:
    dragged = with_(C1, motor_current_a=lambda v: 0.8 * v)
    assert ("motor_current", "c1") in told(dragged)
    window = air_window(station_of("compressed_air", **STATION), N, dragged)
    columns = window.minutes["compressor"].columns
    for end in ("min", "max"):
        # All that the machine said in these minutes was a loaded current.
        columns[f"motor_current_a_{end}"] = np.full(len(window.minutes["compressor"]), 180_000_000)  # type: ignore[index]
    assert fired(window, N) == []


def test_a_current_that_a_frozen_logger_keeps_is_no_fault_of_the_motor() -> None:
    """It froze while the machine ran unloaded; its states go on. A current that stands alone is judged."""
    kept = {"motor_current_a": lambda _: 90.0, "discharge_pressure_bar": lambda _: 6.55}
    assert ("motor_current", "c1") not in told(with_(C1, **kept))
    assert ("motor_current", "c1") in told(with_(C1, motor_current_a=lambda _: 90.0))


def test_a_dead_header_gauge_is_one_sensor_event_and_nothing_else() -> None:
    assert told(with_(MAIN, pressure_bar=lambda _: -0.02)) == [("sensor_dropout", "main")]


def standing(*keys: tuple[str, str]) -> Amounts:
    """Return a usual day in which all gauges of some devices keep their value in the event."""
    amounts = usual()
    for key in keys:
        for channel, values in amounts[key].items():
            if not channel.endswith("_s"):
                amounts[key][channel] = changed(values, values[149])
    return amounts


def test_a_logger_that_freezes_as_a_whole_is_told_of_every_device_and_of_no_leak_or_pressure() -> None:
    keys = list(usual())
    assert told(standing(*keys)) == told(standing(*keys), 7) == sorted(("sensor_frozen", device) for _, device in keys)


def test_a_network_that_is_held_still_is_no_frozen_logger() -> None:
    """A machine runs on: its power and temperatures move while every pressure and flow of the network stands."""
    amounts = standing(MAIN, DRYER, METER)
    for machine in ("c1", "c2"):
        amounts["compressor", machine]["discharge_pressure_bar"] = changed(moving(6.8), 6.8)
    assert told(amounts) == []


def test_a_stopped_station_may_stand_still() -> None:
    amounts = standing(*usual())
    for machine in ("c1", "c2"):
        amounts["compressor", machine] |= {"loaded_s": changed(60, 0), "stopped_s": changed(0, 60),
                                           "power_kw": changed(moving(100, 1), 0.0),
                                           "flow_m3_min": changed(moving(16, 0.1), 0.0)}
    for key in (MAIN, METER):
        amounts[key]["flow_m3_min"] = changed(amounts[key]["flow_m3_min"], 0.0)
    assert told(amounts) == []


def test_a_header_gauge_with_an_offset_is_named_itself() -> None:
    amounts = with_(MAIN, pressure_bar=lambda v: v + 1.2)
    assert [a for a in told(amounts) if a[0] == "gauges_apart"] == [("gauges_apart", "main")]


def test_a_station_that_is_vented_on_purpose_is_quiet() -> None:
    amounts = usual()
    for machine in ("c1", "c2"):
        amounts["compressor", machine] = with_(("compressor", machine), **off())["compressor", machine]
        amounts["compressor", machine]["discharge_pressure_bar"] = changed(moving(6.8), 0.0)
    amounts[MAIN] |= {"pressure_bar": changed(moving(6.5), 0.0), "flow_m3_min": changed(moving(31, 0.2), 0.0)}
    amounts[METER] |= {"pressure_bar": changed(moving(6.4), 0.0), "flow_m3_min": changed(moving(29, 0.2), 0.0)}
    assert told(amounts) == []


@pytest.mark.parametrize(("filling_min", "low"), [(20, False), (45, True)])
def test_a_station_may_take_half_an_hour_to_fill_its_pipes_again(filling_min: int, low: bool) -> None:
    """Shut down in the minutes 100 to 129, then without pressure for so long though machines run."""
    amounts, shut, filling = usual(), range(100, 130), range(130, 130 + filling_min)
    for machine in ("c1", "c2"):
        amounts["compressor", machine] |= {
            "loaded_s": changed(60, 0, shut), "stopped_s": changed(0, 60, shut),
            "power_kw": changed(moving(100, 1), 0.0, shut), "flow_m3_min": changed(moving(16, 0.1), 0.0, shut),
        }
    amounts[MAIN]["pressure_bar"] = changed(changed(moving(6.5), 0.0, shut), 3.0, filling)
    assert (("pressure_low", "main") in told(amounts)) == low


@pytest.mark.parametrize(("cycle_min", "bad"), [(2, True), (4, False)])
def test_short_cycling_counts_cut_ins(cycle_min: int, bad: bool) -> None:
    half = cycle_min // 2
    runs = [{"device": "c1", "start_ms": START_MS + MINUTE_MS * i, "end_ms": START_MS + MINUTE_MS * (i + half),
             "state": "loaded" if i // half % 2 else "unloaded"} for i in range(0, N, half)]
    found = told(usual(), runs={"compressor": runs_of(runs)})
    assert found == ([("short_cycling", "c1")] if bad else [])


def test_a_reset_is_told_once_and_a_register_that_runs_backwards_is_no_reset() -> None:
    for falls, rule in ((range(150, 151), "meter_reset"), (range(150, N), "meter_reversal")):
        window = air_window(station_of("compressed_air", **STATION), N, usual())
        meters = window.minutes["air_meter"]
        resets = np.zeros(len(meters), np.int64)
        resets[falls.start : falls.stop] = 1
        meters.columns["volume_resets"] = resets  # type: ignore[index]
        assert fired(window, 4) == [(rule, "m1")]


def test_the_compressor_log_s_dropout_is_one_sensor_event(data_dir: Path) -> None:
    """16 minutes of -0.26 psig on 2022-05-02 while 2.4 MW keep running."""
    rows: dict[str, dict[tuple[str, int], dict[str, int]]] = {"compressor": {}, "air_main": {}}
    with next((data_dir / "measur-log").glob("*.csv")).open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            time_ms = round(datetime.strptime(row["DateTime"], "%m/%d/%Y %H:%M").replace(tzinfo=UTC).timestamp()) * 1000
            for name, cell in row.items():
                if name == "DateTime" or not cell:
                    continue
                kind, gauge, factor = ("compressor", "power_kw", 1.0) if "kW" in name else (
                    "air_main", "pressure_bar", 0.0689475729)
                value = round(float(cell) * factor * 1e6)
                machine = name.split("(")[0].replace(" ", "").removeprefix("Compressor")
                device = "main" if kind == "air_main" else machine
                rows[kind].setdefault((device, time_ms), {}).update({
                    "heard_ms": MINUTE_MS, f"{gauge}_i": value * MINUTE_MS, f"{gauge}_ms": MINUTE_MS,
                    f"{gauge}_min": value, f"{gauge}_max": value})
    from_ms, to_ms = (f(t for r in rows.values() for _, t in r) for f in (min, max))
    minutes = {kind: buckets_of(r) for kind, r in rows.items()}
    heard = {(k, d): from_ms for k, b in minutes.items() for d in b.devices}
    window = window_of(station_of("compressed_air"), 0, from_ms=from_ms, to_ms=to_ms, now_ms=to_ms, minutes=minutes,
                       first_heard_ms=heard, listed=False)
    assert fired(window, 1440) == [("sensor_dropout", "main")]
