"""Advice: curves learned from minutes, the machines to run, the lowest pressure; and where it is kept."""

import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from naive.readings import Reading
from naive.streams import reading
from naive.windows import START_MS, air_window, runs_of, station_of, window_of

from analytics.advice import advice_of, learn_curves
from analytics.advice.curves import nameplate_kw
from analytics.air import air_minutes
from analytics.window import Window
from store.state import StateReader

sys.path.insert(0, str(Path(__file__).parent))
from journalled import T0, River

HOUR = 60
MACHINES = [
    {"id": "big", "rated_kw": 200, "rated_flow_m3_min": 36, "control": "fixed"},
    {"id": "small", "rated_kw": 90, "rated_flow_m3_min": 16, "control": "fixed"},
    {"id": "trim", "rated_kw": 90, "rated_flow_m3_min": 16, "control": "vsd"},
]


def window(table: Any = None, states: Any = None, **channels: Any) -> Window:
    """Return two hours in which `big` alone delivers 20 m3/min; `states`: machine -> (state, since minutes)."""
    station = station_of("compressed_air", **{
        "compressors": MACHINES, "air_mains": [{"id": "main"}], "tariff_per_kwh": 0.5, **(table or {})
    })
    minutes, flow = 2 * HOUR, 20.0
    states = states or {"big": ("loaded", 120), "small": ("stopped", 120), "trim": ("stopped", 120)}
    end_ms = START_MS + 60_000 * minutes
    runs = [
        {"device": d, "state": s, "start_ms": end_ms - 60_000 * m, "end_ms": end_ms} for d, (s, m) in states.items()
    ]
    amounts: dict[tuple[str, str], dict[str, Any]] = {
        ("compressor", "big"): {"power_kw": 140.0, "flow_m3_min": flow, "loaded_s": 60},
        ("compressor", "small"): {"power_kw": 0.0, "flow_m3_min": 0.0, "stopped_s": 60},
        ("compressor", "trim"): {"power_kw": 0.0, "flow_m3_min": 0.0, "stopped_s": 60},
        ("air_main", "main"): {"flow_m3_min": flow, "pressure_bar": 7.0, **channels.pop("main", {})},
        **{("air_meter", m): c for m, c in channels.items()},
    }
    return air_window(station, minutes, amounts, runs={"compressor": runs_of(runs)})


def advice(made: Window, **week: Any) -> dict[str, Any]:
    empty = window_of(made.station, 30)
    return advice_of(made, learn_curves(air_minutes(window_of(made.station, 30))), week.get("last_week", empty))


def item(record: dict[str, Any], type_: str) -> dict[str, Any]:
    (found,) = (i for i in record["items"] if i["type"] == type_)
    return dict(found)


def test_the_set_of_least_power_and_what_it_saves() -> None:
    found = item(advice(window()), "dispatch")
    # Nameplate: big 60 + 140/36 q; small 27 + 63/16 q; trim 13.5 + 76.5/16 q. At 20 m3/min big alone is
    # 60 + 77.8 = 137.8, small 16 and trim 4: 27 + 63 + 13.5 + 19.1 = 122.6.
    assert [(m["device"], m["run"]) for m in found["machines"]] == [("big", False), ("small", True), ("trim", True)]
    assert found["power_kw"] == pytest.approx(122.625)
    assert found["present_power_kw"] == pytest.approx(60 + 140 / 36 * 20)
    assert found["saving_kw"] == pytest.approx(found["present_power_kw"] - 122.625)
    assert found["saving_money_per_h"] == pytest.approx(0.5 * found["saving_kw"])
    assert (found["measured_power_kw"], found["regret_kw"]) == pytest.approx((140.0, 140 - 122.625))
    assert {m["curve"] for m in found["machines"]} == {"nameplate"}
    assert "small + trim" in found["text"]["en"]
    assert found["valid_m3_min"][0] < 20 < found["valid_m3_min"][1]


def test_minimum_run_and_stop_times_and_faults_hold_machines() -> None:
    just_on = {"big": ("loaded", 10), "small": ("stopped", 120), "trim": ("stopped", 120)}
    assert item(advice(window(states=just_on)), "dispatch")["machines"][0]["run"]
    just_off = {"big": ("loaded", 120), "small": ("stopped", 3), "trim": ("stopped", 120)}
    assert not item(advice(window(states=just_off)), "dispatch")["machines"][1]["run"]
    broken = {"big": ("loaded", 120), "small": ("fault", 120), "trim": ("stopped", 120)}
    assert not item(advice(window(states=broken)), "dispatch")["machines"][1]["run"]
    too_few = {"big": ("fault", 120), "small": ("stopped", 120), "trim": ("fault", 120)}
    assert "16.0 m3/min, less than the 20.0" in advice(window(states=too_few))["reasons"]["dispatch"]


def test_forecast_and_reserve_ask_for_more_machines() -> None:
    busy = air_window(window().station, 30, {("air_main", "main"): {"flow_m3_min": 50.0}})
    found = item(advice(window(), last_week=busy), "dispatch")
    assert found["forecast_m3_min"] == 50
    assert found["machines"][0]["run"]
    reserve = {"contract_pressure_bar": [7.0, 8.0], "receiver_m3": 5}
    found = item(advice(window(table=reserve)), "dispatch")
    assert found["reserve"]
    able = sum(m["rated_flow_m3_min"] for m, a in zip(MACHINES, found["machines"], strict=True) if a["run"])
    largest = max(m["rated_flow_m3_min"] for m, a in zip(MACHINES, found["machines"], strict=True) if a["run"])
    assert able - largest >= 20
    # The other set is there for the reserve, not for the power.
    assert found["saving_kw"] < 0
    assert f"{-found['saving_kw']:.0f} kW more than now" in found["text"]["en"]


def test_curves_are_learned_where_there_are_minutes() -> None:
    nameplate = nameplate_kw("fixed", 200.0)
    loads = np.tile([18.0, 36.0], 60)
    power = np.where(loads == 18.0, 150.0, 220.0)
    made = air_window(station_of("compressed_air", compressors=MACHINES), 120, {
        ("compressor", "big"): {"power_kw": power.tolist(), "flow_m3_min": loads.tolist()}})
    found = learn_curves(air_minutes(made))
    assert found.learned == (True, False, False)
    at = found.curves.idle_kw[0] + np.cumsum(found.curves.width_m3_min[0] * found.curves.slope_kw[0])
    assert (np.diff(found.curves.slope_kw[0]) >= -1e-9).all()
    assert at[-1] == pytest.approx(220, rel=0.02)
    assert at[4] == pytest.approx(150, rel=0.05)
    assert found.curves.idle_kw[0] == pytest.approx(nameplate[0] * 370 / (nameplate[5] + nameplate[10]))


def test_the_lowest_pressure_that_keeps_the_worst_customer() -> None:
    table = {"contract_pressure_bar": [5.5, 7.0], "customers": [{"id": "near", "meters": ["m1"]},
                                                                {"id": "far", "meters": ["m2"]}]}
    made = window(table=table, m1={"flow_m3_min": 10.0, "pressure_bar": 6.9},
                  m2={"flow_m3_min": 10.0, "pressure_bar": 6.6})
    found = item(advice(made), "pressure")
    assert (found["worst_customer"], found["worst_p05_bar"]) == ("far", 6.6)
    assert found["advised_bar"] == pytest.approx(7.0 - (6.6 - 5.6))
    # The reference: 8.4 % from 7 to 6 bar.
    assert found["saving_share"] == pytest.approx(0.084, abs=5e-4)
    assert found["saving_kw"] == pytest.approx(140 * found["saving_share"])
    low = window(table=table, m2={"flow_m3_min": 10.0, "pressure_bar": 5.4})
    assert item(advice(low), "pressure")["text"]["en"].startswith("Raise")
    assert "contract_pressure_bar" in advice(window())["reasons"]["pressure"]


def readings(minutes: range) -> list[Reading]:
    found = []
    for m in minutes:
        at = T0 + 60_000 * m
        found.append(reading("compressor", "big", at, values={"power_kw": 140.0}, codes={"state": "loaded"}))
        found += [reading("compressor", d, at, values={"power_kw": 0.0}, codes={"state": "stopped"})
                  for d in ("small", "trim")]
        found.append(reading("air_main", "main", at, values={"flow_m3_min": 20.0, "pressure_bar": 7.0}))
    return found


def test_it_is_kept_in_state_db_and_made_again_after_a_kill(tmp_path: Path) -> None:
    river = River(tmp_path, readings(range(30)))
    river.put_registry({"stations": {"s": {"kind": "compressed_air", "compressors": MACHINES,
                                           "air_mains": [{"id": "main"}]}}})
    river.write(readings(range(30)))
    for _ in range(7):
        river.tick()
    river.work()
    reader = StateReader.open(tmp_path / "state.db")
    body = reader.advice("s")
    assert body is not None
    record = msgspec.json.decode(body)
    assert (record["station"], record["kind"]) == ("s", "compressed_air")
    assert item(record, "dispatch")["demand_m3_min"] == pytest.approx(20)
    assert reader.advice("other") is None
    river.kill()
    river.write(readings(range(30, 40)))
    for _ in range(7):
        river.tick()
    river.work()
    later = msgspec.json.decode(reader.advice("s") or b"")
    assert later["at"] > record["at"]
    assert later["items"] == record["items"]
