"""Running quality, where the energy goes, the energy code, and efficiencies that cannot be."""

from typing import Any

import msgspec
import numpy as np
import pytest
from naive.windows import START_MS, air_window, runs_of, station_of

from analytics.detectors.impossible import IMPOSSIBLE_EFFICIENCY, WIDTH_MIN
from analytics.energy_code import energy_codes
from analytics.kernels.thermo import isentropic_kwh_per_m3
from analytics.kpis import station_kpis
from analytics.window import Window

TABLE: dict[str, Any] = {
    "compressors": [{"id": "c1", "rated_kw": 200, "rated_flow_m3_min": 36}], "air_mains": [{"id": "main"}],
    "dryers": [{"id": "d1"}], "contract_pressure_bar": [6.0, 7.0], "receiver_m3": 10.1325, "idle_hours": "00:00-01:00",
    "baseline_kwh_per_m3": 0.13,
    "customers": [{"id": "near", "meters": ["m1"]}, {"id": "far", "meters": ["m2"]}],
}
MINUTES = 60


def window(power: Any = 180.0, pressure: Any = 6.5, far: Any = 6.2, runs: Any = (), **table: Any) -> Window:
    states = {"loaded_s": 45, "unloaded_s": 15}
    return air_window(station_of("compressed_air", **{**TABLE, **table}), MINUTES, {
        ("compressor", "c1"): {"power_kw": power, **states}, ("dryer", "d1"): {"power_kw": 6.0},
        ("air_main", "main"): {"flow_m3_min": 30.0, "pressure_bar": pressure},
        ("air_meter", "m1"): {"flow_m3_min": 17.0, "pressure_bar": 6.4},
        ("air_meter", "m2"): {"flow_m3_min": 10.0, "pressure_bar": far},
    }, runs={"compressor": runs_of(runs)} if runs else {})


def test_storage_steadiness_and_branch_ends() -> None:
    pressure = [6.5] * 55 + [6.5 - 0.02 * i for i in range(1, 6)]
    kpis = station_kpis(window(pressure=pressure, far=[6.2] * 50 + [5.8] * 10)).kpis
    assert kpis["usable_storage_m3"] == pytest.approx(10)
    assert kpis["storage_min"] == pytest.approx(10 / 30)
    assert kpis["drain_min"] == pytest.approx(10 * (np.mean(pressure) - 6.0) / 30)
    assert kpis["pressure_std_bar"] == pytest.approx(np.std(pressure))
    assert kpis["time_to_low_min"] == pytest.approx(0.4 / 0.02)
    assert kpis["worst_end_p05_bar"] == pytest.approx(5.8)
    assert kpis["worst_end_drop_bar"] == pytest.approx(np.mean(pressure) - np.mean([6.2] * 50 + [5.8] * 10))
    assert kpis["customer_min_outside_contract"] == 10
    replaced = station_kpis(window(far=[5.8] * 50 + [6.2] * 10, customers=[{"id": "far", "meters": [
        {"id": "m1", "until": "2024-11-22T00:40:00"}, {"id": "m2", "from": "2024-11-22T00:40:00"}]}]))
    assert replaced.kpis["customer_min_outside_contract"] == 10
    steady = station_kpis(window())
    assert steady.kpis["time_to_low_min"] is None
    assert "does not fall" in steady.reasons["time_to_low_min"]
    bare = station_kpis(window(contract_pressure_bar=None))
    assert "contract_pressure_bar" in bare.reasons["storage_min"]


def test_the_parts_of_the_energy_add_up() -> None:
    kpis = station_kpis(window()).kpis
    rated = 200 / 36 / 60
    assert kpis["useful_energy_kwh"] == pytest.approx(rated * 27 * 60)
    assert kpis["leak_energy_kwh"] == pytest.approx(rated * (kpis["leak_m3_min"] or np.nan) * 60)
    assert kpis["treatment_energy_kwh"] == pytest.approx(6)
    work = isentropic_kwh_per_m3(np.array([6.0, 6.5]))
    assert kpis["over_pressure_energy_kwh"] == pytest.approx(180 * (1 - work[0] / work[1]))
    parts = ("useful", "leak", "unloaded", "over_pressure", "treatment", "degradation")
    assert sum(kpis[f"{p}_energy_kwh"] or 0.0 for p in parts) == pytest.approx(kpis["energy_kwh"])
    dark = window(power=[180.0] * 30 + [120.0] * 30)
    columns = dark.minutes["compressor"].columns
    columns["energy_unloaded_n"] = columns["energy_n"] // 2  # type: ignore[index]
    for state in ("loaded_ms", "unloaded_ms"):
        # An interval that began unloaded reaches into minutes of which no state is known.
        columns[state][30:] = 0
    kpis = station_kpis(dark).kpis
    assert kpis["unloaded_energy_kwh"] == pytest.approx(45)
    assert sum(kpis[f"{p}_energy_kwh"] or 0.0 for p in parts) == pytest.approx(kpis["energy_kwh"])
    unrated = station_kpis(window(compressors=[{"id": "c1"}]))
    assert unrated.kpis["useful_energy_kwh"] is None
    assert "rated_kw" in unrated.reasons["useful_energy_kwh"]


def codes(made: Window) -> dict[str, tuple[str, list[str]]]:
    found = energy_codes(made, station_kpis(made))
    return {c.subject: (c.code, [r["figure"] for r in c.reasons]) for c in found}


def test_colours_and_their_reasons() -> None:
    # All air of the idle hour counts as leakage.
    found = codes(window(idle_hours="12:00-13:00"))
    assert found["station"] == ("yellow", ["unaccounted_share"])
    assert found["customer:near"] == found["customer:far"] == ("green", [])
    assert set(found) == {"station", "machine:c1", "customer:near", "customer:far"}
    assert codes(window())["station"] == ("red", ["leak_share", "unaccounted_share"])
    assert codes(window(power=270.0))["station"][1][:2] == ["leak_share", "kwh_per_m3_of_baseline"]
    assert codes(window(far=[6.2] * 58 + [5.0] * 2))["customer:far"] == ("yellow", ["outside_contract_share"])
    assert codes(window(far=[6.2] * 50 + [5.0] * 10))["customer:far"] == ("red", ["outside_contract_share"])
    broken = [{"device": "c1", "state": "fault", "start_ms": START_MS, "end_ms": START_MS + 600_000}]
    assert codes(window(runs=broken))["machine:c1"] == ("red", ["fault_share"])


def signal(power: Any, from_min: int = WIDTH_MIN) -> Any:
    made = window(power=power)
    return IMPOSSIBLE_EFFICIENCY.find(made, START_MS + 60_000 * from_min, made.to_ms)


def test_less_energy_than_the_isentropic_work_is_impossible() -> None:
    possible = signal(180.0)
    assert len(possible.value) == MINUTES - WIDTH_MIN
    assert (possible.value < 1).all()
    found = signal([180.0] * 30 + [90.0] * 30)
    work = float(isentropic_kwh_per_m3(np.array(6.5))) * 30 / 1.01325
    for row in (0, 25, 49):
        last = range(row + 1, row + 1 + WIDTH_MIN)
        used = sum((180.0 if m < 30 else 90.0) + 6.0 for m in last) / 60
        assert found.value[row] == pytest.approx(work * WIDTH_MIN / used)
    assert found.time_ms[0] == START_MS + 60_000 * (WIDTH_MIN + 1)
    evidence = msgspec.json.decode(msgspec.json.encode(found.evidence(49)))
    assert evidence["isothermal_kwh_per_m3"] < evidence["isentropic_kwh_per_m3"]
    assert evidence["kwh_per_m3_inlet"] == pytest.approx(96 / 60 / 30 * 1.01325)


def test_unknown_energy_leaves_it_unknown() -> None:
    found = signal([None] * 30 + [180.0] * 30)
    assert np.isnan(found.value[:19]).all()
    assert found.coverage[25] == pytest.approx(0.6)
