from typing import Any

import numpy as np
import pytest
from naive.windows import START_MS, air_window, runs_of, station_of, window_of

from analytics.kpis import KpiAnswer, station_kpis

HOUR = 60
LISTED: dict[str, Any] = {
    "compressors": [{"id": "c1"}, {"id": "c2"}], "dryers": [{"id": "d1"}], "air_mains": [{"id": "main"}],
    "customers": [{"id": "x", "meters": ["m1"], "price_per_m3": 0.1, "baseline_kwh_per_m3": 0.12},
                  {"id": "y", "meters": ["m2"]}],
}
FULL: dict[tuple[str, str], dict[str, Any]] = {
    ("compressor", "c1"): {"power_kw": 120.0},
    ("compressor", "c2"): {"power_kw": 54.0},
    ("dryer", "d1"): {"power_kw": 6.0, "dew_point_c": 4.0},
    ("air_main", "main"): {"flow_m3_min": 30.0, "pressure_bar": 7.0},
    ("air_meter", "m1"): {"flow_m3_min": 20.0},
    ("air_meter", "m2"): {"flow_m3_min": 7.0},
}


def kpis_of(amounts: dict[tuple[str, str], dict[str, Any]], minutes: int = HOUR, table: Any = None,
            **parts: Any) -> KpiAnswer:
    station = station_of("compressed_air", **{**LISTED, **(table or {})})
    return station_kpis(air_window(station, minutes, amounts, **parts))


def changed(**devices: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return `FULL` with the channels of some devices replaced."""
    return {(kind, d): devices.get(d, channels) for (kind, d), channels in FULL.items()}


def test_energy_volume_and_their_ratio() -> None:
    answer = kpis_of(FULL)
    assert answer.coverage == 1
    assert answer.kpis["energy_kwh"] == pytest.approx(180)
    assert answer.kpis["volume_m3"] == answer.kpis["supplied_m3"] == pytest.approx(1800)
    assert answer.kpis["kwh_per_m3"] == pytest.approx(0.1)
    assert answer.kpis["kw_per_m3_min"] == pytest.approx(6.0)
    assert answer.kpis["flow_mean_m3_min"] == pytest.approx(30)
    # 1 m3 ANR is 1/1.01325 m3 of inlet air, and 7 bar need 0.07935 kWh for each.
    assert answer.kpis["isentropic_efficiency"] == pytest.approx(0.0793503 / 1.01325 / 0.1, rel=1e-5)


@pytest.mark.parametrize(("reference", "factor"), [("NORMAL", 293.15 / 273.15), ("ANR", 1 / 1.01325), ("FAD", 1.0)])
def test_isentropic_efficiency_knows_the_flow_reference(reference: str, factor: float) -> None:
    answer = kpis_of(FULL, table={"flow_reference": reference})
    assert answer.kpis["isentropic_efficiency"] == pytest.approx(0.793503 * factor, rel=1e-5)


def test_the_ratio_is_one_of_sums_over_minutes_that_know_both_sides() -> None:
    half = [120.0] * 30 + [None] * 30
    flow = [None] * 15 + [40.0] * 15 + [20.0] * 30
    answer = kpis_of(changed(c1={"power_kw": half}, main={"flow_m3_min": flow}))
    assert answer.kpis["kwh_per_m3"] == pytest.approx(180 / 60 / 40)
    assert answer.coverage == pytest.approx(15 / 60)
    assert answer.kpis["paired_energy_kwh"] == pytest.approx(180 / 60 * 15)
    assert answer.kpis["paired_volume_m3"] == pytest.approx(40 * 15)
    # Sums of what is known are not stretched.
    assert answer.kpis["energy_kwh"] == pytest.approx(60 + 54 + 6)
    assert answer.kpis["volume_m3"] == pytest.approx(15 * 40 + 30 * 20)


def test_a_listed_compressor_never_heard_makes_the_ratio_null_and_is_named() -> None:
    answer = kpis_of({k: v for k, v in FULL.items() if k[1] != "c2"})
    assert answer.kpis["kwh_per_m3"] is None
    assert "compressor c2" in answer.reasons["kwh_per_m3"]
    assert answer.kpis["energy_kwh"] == pytest.approx(126)
    assert answer.coverage == 0


def test_a_decommissioned_compressor_is_not_waited_for() -> None:
    table = {"compressors": [{"id": "c1"}, {"id": "c2", "decommissioned": "2024-11-22"}]}
    answer = kpis_of({k: v for k, v in FULL.items() if k[1] != "c2"}, table=table)
    assert answer.kpis["kwh_per_m3"] == pytest.approx(126 / 1800)


def test_a_dryer_without_meter_is_left_out_and_a_silent_one_is_not() -> None:
    unmetered = kpis_of(changed(d1={"dew_point_c": 4.0}))
    assert unmetered.kpis["kwh_per_m3"] == pytest.approx(174 / 1800)
    never = kpis_of({k: v for k, v in FULL.items() if k[1] != "d1"})
    assert never.kpis["kwh_per_m3"] == pytest.approx(174 / 1800)
    silent = kpis_of({k: v for k, v in FULL.items() if k[1] != "d1"},
                     first_heard_ms={**dict.fromkeys(FULL, START_MS), ("dryer", "d1"): START_MS - 1})
    assert silent.kpis["kwh_per_m3"] is None
    assert "dryer d1" in silent.reasons["kwh_per_m3"]


def test_without_flow_in_the_main_the_compressors_are_the_supply() -> None:
    answer = kpis_of(changed(c1={"power_kw": 120.0, "flow_m3_min": 18.0}, c2={"power_kw": 54.0, "flow_m3_min": 9.0},
                             main={"pressure_bar": 7.0}))
    assert answer.kpis["volume_m3"] == pytest.approx(27 * 60)
    assert answer.kpis["kwh_per_m3"] == pytest.approx(180 / (27 * 60))


def test_pressure_over_one_minute_means() -> None:
    pressure = [6.0] * 6 + [6.5] * 48 + [7.2] * 6
    answer = kpis_of(changed(main={"flow_m3_min": 30.0, "pressure_bar": pressure}),
                     table={"contract_pressure_bar": [6.3, 7.0], "dew_point_max_c": 3})
    assert answer.kpis["pressure_mean_bar"] == pytest.approx(np.mean(pressure))
    assert answer.kpis["pressure_p05_bar"] == pytest.approx(6.0)
    assert answer.kpis["pressure_p95_bar"] == pytest.approx(7.2)
    assert answer.kpis["pressure_in_band"] == pytest.approx(0.8)
    assert answer.kpis["dew_point_max_c"] == 4
    assert answer.kpis["dew_point_in_band"] == 0
    assert "contract_pressure_bar" in kpis_of(FULL).reasons["pressure_in_band"]


@pytest.mark.parametrize("known_ms", [60_000, 59_999, 31_234])
def test_what_stands_at_the_limit_is_in_the_band(known_ms: int) -> None:
    table = {"contract_pressure_bar": [6.4, 6.9], "dew_point_max_c": 1.1}
    station = station_of("compressed_air", **{**LISTED, **table})
    window = air_window(station, HOUR, changed(
        main={"flow_m3_min": 30.0, "pressure_bar": [6.4] * 30 + [6.9] * 30, "dew_point_c": 1.1}))
    columns = window.minutes["air_main"].columns
    for gauge in ("pressure_bar", "dew_point_c"):
        columns[f"{gauge}_i"] = columns[f"{gauge}_i"] // 60_000 * known_ms  # type: ignore[index]
        columns[f"{gauge}_ms"] = np.full(HOUR, known_ms)  # type: ignore[index]
    kpis = station_kpis(window).kpis
    assert (kpis["pressure_in_band"], kpis["dew_point_in_band"]) == (1, 1)


def test_running_of_machines() -> None:
    states = {"loaded_s": [60] * 30 + [0] * 30, "unloaded_s": [0] * 30 + [45] * 30, "loading_s": [0] * 30 + [15] * 30,
              "power_kw": [60.0] * 30 + [20.0] * 30}
    rows = [("loaded", 0, 10), ("unloaded", 10, 20), ("loaded", 20, 25), ("", 25, 30), ("loaded", 30, 35),
            ("stopped", 35, 40), ("loaded", 50, 70)]
    runs = [{"device": "c1", "state": s, "start_ms": START_MS + a * 60_000, "end_ms": START_MS + b * 60_000}
            for s, a, b in rows]
    station = station_of("compressed_air", compressors=[{"id": "c1"}])
    window = air_window(station, HOUR, {("compressor", "c1"): states}, runs={"compressor": runs_of(runs)})
    columns = window.minutes["compressor"].columns
    columns["energy_unloaded_n"] = np.where(columns["unloaded_ms"] > 0, columns["energy_n"], 0)  # type: ignore[index]
    kpis = station_kpis(window).kpis
    assert (kpis["loaded_h"], kpis["unloaded_h"], kpis["stopped_h"], kpis["known_h"]) == (0.5, 0.5, 0, 1)
    assert kpis["load_factor"] == 0.5
    assert kpis["unloaded_energy_share"] == pytest.approx(0.25)
    # At 20 and, seen after a silence, at 50; what was before the unknown state is not known.
    assert kpis["cycles_per_h"] == 2


def test_customers_and_what_is_not_accounted_for() -> None:
    answer = kpis_of(FULL, table={"tariff_per_kwh": 0.65, "co2_kg_per_kwh": 0.5})
    assert answer.kpis["metered_m3"] == pytest.approx(27 * 60)
    assert answer.kpis["unaccounted_m3"] == pytest.approx(3 * 60)
    assert answer.kpis["unaccounted_share"] == pytest.approx(0.1)
    assert answer.kpis["savings_kwh"] == pytest.approx(1200 * 0.02)
    assert answer.kpis["savings_money"] == pytest.approx(24 * 0.65)
    assert answer.kpis["savings_co2_kg"] == pytest.approx(12)


def test_a_meter_counts_in_its_own_time_only() -> None:
    table = {"customers": [{"id": "x", "meters": [
        {"id": "m1", "until": "2024-11-22T00:20:00"}, {"id": "m2", "from": "2024-11-22T00:20:00"}]}]}
    answer = kpis_of(changed(m1={"flow_m3_min": [20.0] * 20 + [None] * 40}), table=table)
    assert answer.kpis["metered_m3"] == pytest.approx(20 * 20 + 40 * 7)
    assert answer.kpis["unaccounted_m3"] == pytest.approx(1800 - 680)


def test_a_silent_meter_is_left_out_of_both_sides() -> None:
    answer = kpis_of(changed(m2={"flow_m3_min": [7.0] * 15 + [None] * 45}))
    assert answer.kpis["unaccounted_m3"] == pytest.approx(3 * 15)
    never = kpis_of({k: v for k, v in FULL.items() if k[1] != "m2"})
    assert never.kpis["unaccounted_m3"] is None
    assert "air_meter m2" in never.reasons["unaccounted_m3"]


def test_tariff_by_hours() -> None:
    table = {"tariff_per_kwh": [{"price": 1.0}, {"price": 0.5, "hours": "00:00-00:30"}]}
    assert kpis_of(FULL, table=table).kpis["savings_money"] == pytest.approx(12 * 0.5 + 12 * 1.0)
    later = {"tariff_per_kwh": [{"price": 1.0, "from": "2024-11-22T00:30:00"}]}
    answer = kpis_of(FULL, table=later)
    assert answer.kpis["savings_money"] is None
    assert "tariff_per_kwh" in answer.reasons["savings_money"]


def test_devices_have_their_own_figures() -> None:
    answer = kpis_of({**changed(c1={"power_kw": 120.0, "flow_m3_min": 20.0, "discharge_pressure_bar": 7.0}),
                      ("compressor", "c9"): {"power_kw": 10.0}})
    rows = {d.device: d for d in answer.devices}
    assert set(rows) == {"c1", "c2", "c9", "d1", "main", "m1", "m2"}
    assert rows["c1"].kpis["kwh_per_m3"] == pytest.approx(0.1)
    assert rows["c1"].kpis["isentropic_efficiency"] == pytest.approx(0.793503 / 1.01325, rel=1e-5)
    assert rows["c2"].kpis["kwh_per_m3"] is None
    # c9 is not listed where compressors are: shown, not summed.
    assert rows["c9"].kpis["energy_kwh"] == pytest.approx(10)
    assert answer.kpis["energy_kwh"] == pytest.approx(180)
    assert rows["main"].kpis["volume_m3"] == pytest.approx(1800)
    assert rows["m1"].coverage == 1


def test_nothing_heard_gives_nulls_with_reasons() -> None:
    answer = station_kpis(window_of(station_of("compressed_air", **LISTED), HOUR))
    assert answer.coverage == 0
    assert all(v is None for v in answer.kpis.values())
    assert set(answer.reasons) == set(answer.kpis)
    for name in ("kwh_per_m3", "unaccounted_m3", "leak_m3_min", "pressure_mean_bar", "savings_kwh", "cycles_per_h"):
        assert answer.reasons[name]


def test_a_machine_is_graded_by_the_minutes_in_which_it_is_loaded() -> None:
    rated = {"id": "c1", "rated_kw": 250, "rated_pressure_bar": 7, "control": "fixed", "cooling": "liquid"}
    amounts = {("compressor", "c1"): {"power_kw": [220.0] * 40 + [70.0] * 20, "flow_m3_min": [40.0] * 40 + [0.0] * 20,
                                      "loaded_s": [60] * 40 + [0] * 20, "unloaded_s": [0] * 40 + [60] * 20}}
    for reference, grade in (("ANR", 2), ("NORMAL", 1)):
        answer = kpis_of(amounts, table={"compressors": [rated], "flow_reference": reference})
        # 5.5 kW/(m3/min) as it is counted; 5.06 per m3 of air at 20 C where it is counted at 0 C.
        assert answer.devices[0].kpis["grade"] == grade
    unrated = kpis_of(amounts, table={"compressors": [{"id": "c1"}]})
    assert "rated_kw" in unrated.devices[0].reasons["grade"]
    idle = {("compressor", "c1"): {"power_kw": 70.0, "flow_m3_min": 0.0, "unloaded_s": 60}}
    assert "no loaded minute" in kpis_of(idle, table={"compressors": [rated]}).devices[0].reasons["grade"]


def test_free_air_delivery_is_converted_from_the_declared_inlet() -> None:
    inlet = {"temperature_c": 35, "pressure_bar": 1.005, "humidity": 0.8}
    declared = kpis_of(FULL, table={"flow_reference": "FAD", "inlet": inlet}).kpis["isentropic_efficiency"]
    assert declared == pytest.approx(0.793503 * 0.9133 / 1.01325, rel=1e-4)
