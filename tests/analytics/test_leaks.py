from typing import Any

import pytest
from naive.windows import START_MS, air_window, runs_of, station_of

from analytics.kpis import station_kpis
from analytics.leaks import leaks_of

DAY = 1440
SHANGHAI_NIGHT_UTC = range(16 * 60, 21 * 60)
"""00:00-05:00 in Shanghai, as minutes of a UTC day."""
CUSTOMERS = [{"id": "x", "meters": ["m1"]}, {"id": "y", "meters": ["m2"]}]


def day_of(by_day: float, by_night: float) -> list[float]:
    return [by_night if m in SHANGHAI_NIGHT_UTC else by_day for m in range(DAY)]


def air(m1: Any, m2: Any, leak: float, *, table: Any = None, minutes: int = DAY) -> Any:
    station = station_of("compressed_air", **{"timezone": "Asia/Shanghai", "customers": CUSTOMERS, **(table or {})})
    supply = [a + b + leak for a, b in zip(m1, m2, strict=True)]
    return air_window(station, minutes, {
        ("compressor", "c1"): {"power_kw": [6 * s for s in supply]},
        ("air_main", "main"): {"flow_m3_min": supply, "pressure_bar": 7.0},
        ("air_meter", "m1"): {"flow_m3_min": m1},
        ("air_meter", "m2"): {"flow_m3_min": m2},
    })


def methods_of(answer: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(m["method"], m["place"]): m for m in answer["methods"]}


def test_air_that_no_meter_counts_is_leakage_also_beside_night_work() -> None:
    answer = leaks_of(air(day_of(20, 5), day_of(10, 0), 2.5, table={"tariff_per_kwh": 0.65}))
    methods = methods_of(answer)
    assert methods["base_flow", "network"]["leak_m3_min"] == pytest.approx(2.5)
    assert methods["mass_balance", "network"]["leak_m3_min"] == pytest.approx(2.5)
    fused = answer["fused"]
    assert fused["leak_m3_min"] == pytest.approx(2.5)
    assert fused["low"] <= 2.5 <= fused["high"]
    assert fused["place"] == "network"
    mean = (19 * 32.5 + 5 * 7.5) / 24
    assert fused["share"] == pytest.approx(2.5 / mean)
    assert fused["kwh_per_year"] == pytest.approx(2.5 * 525_600 * 0.1)
    assert fused["money_per_year"] == pytest.approx(2.5 * 525_600 * 0.1 * 0.65)
    assert fused["since"] is None


def test_declared_idle_hours_make_all_air_in_them_leakage_and_name_the_place() -> None:
    table = {"idle_hours": "00:00-05:00"}
    answer = leaks_of(air(day_of(20, 3), day_of(10, 0.5), 1.0, table=table))
    assert answer["fused"]["leak_m3_min"] == pytest.approx(4.5)
    assert answer["fused"]["place"] == "customer:x"
    assert methods_of(answer)["base_flow", "customer:x"]["leak_m3_min"] == pytest.approx(3)
    assert leaks_of(air(day_of(20, 1), day_of(10, 0), 4.0, table=table))["fused"]["place"] == "network"


def test_a_leak_that_opens_in_the_middle_counts_from_its_night() -> None:
    table = {"idle_hours": "00:00-05:00"}
    quiet, burst = (day_of(20, by_night) for by_night in (1.0, 6.0))
    window = air([*quiet, *quiet, *burst], day_of(10, 0) * 3, 1.0, table=table, minutes=3 * DAY)
    answer = leaks_of(window)
    method = methods_of(answer)["base_flow", "network"]
    assert method["inputs"]["last_nights_m3_min"] == pytest.approx([2, 2, 7])
    assert answer["fused"]["leak_m3_min"] == pytest.approx((2 + 2 + 7) / 3)
    assert station_kpis(window).kpis["leak_m3_min"] == answer["fused"]["leak_m3_min"]
    assert methods_of(answer)["base_flow", "customer:x"]["leak_m3_min"] == pytest.approx((1 + 1 + 6) / 3)


def test_a_night_that_was_hardly_heard_has_no_say() -> None:
    cut = DAY + 16 * 60 + 30  # half an hour into the second night
    flow = [*day_of(30, 2.0), *day_of(30, 9.0)][:cut]
    station = station_of("compressed_air", timezone="Asia/Shanghai", idle_hours="00:00-05:00")
    answer = leaks_of(air_window(station, cut, {("air_main", "main"): {"flow_m3_min": flow}}))
    assert answer["fused"]["leak_m3_min"] == pytest.approx(2.0)


def test_idle_hours_without_an_end_are_cut_into_days() -> None:
    station = station_of("compressed_air", idle_hours="24/7")
    window = air_window(station, 2 * DAY, {("air_main", "main"): {"flow_m3_min": [2.0] * DAY + [4.0] * DAY}})
    assert leaks_of(window)["fused"]["leak_m3_min"] == pytest.approx(3)


def test_idle_hours_are_local() -> None:
    answer = leaks_of(air(day_of(20, 0), day_of(10, 0), 2.0, table={"idle_hours": "00:00-05:00", "timezone": "UTC"}))
    assert answer["fused"]["leak_m3_min"] == pytest.approx(32)


def test_a_window_without_a_night_has_no_base_flow_and_says_so() -> None:
    answer = leaks_of(air([20.0] * 15, [10.0] * 15, 2.0, minutes=15))
    methods = methods_of(answer)
    assert not methods["base_flow", "network"]["usable"]
    assert "window that holds a night" in methods["base_flow", "network"]["reason"]
    assert not methods["mass_balance", "network"]["usable"]
    assert answer["fused"]["leak_m3_min"] is None
    kpis = station_kpis(air([20.0] * 15, [10.0] * 15, 2.0, minutes=15))
    assert kpis.kpis["leak_share"] is None
    assert "night" in kpis.reasons["leak_share"]


def test_without_meters_the_night_minimum_is_all_there_is() -> None:
    station = station_of("compressed_air", timezone="Asia/Shanghai")
    window = air_window(station, DAY, {("air_main", "main"): {"flow_m3_min": day_of(30, 2.0)}})
    answer = leaks_of(window)
    assert answer["fused"]["leak_m3_min"] == pytest.approx(2.0)
    assert answer["fused"]["kwh_per_year"] is None
    assert not methods_of(answer)["mass_balance", "network"]["usable"]
    assert "idle_hours" in methods_of(answer)["base_flow", "network"]["reason"]


def test_a_meter_that_is_silent_makes_the_balance_unusable_and_is_named() -> None:
    window = air(day_of(20, 5), day_of(10, 0), 2.5)
    quiet = air_window(window.station, DAY, {
        ("air_main", "main"): {"flow_m3_min": day_of(32.5, 7.5)}, ("air_meter", "m1"): {"flow_m3_min": day_of(20, 5)}})
    method = methods_of(leaks_of(quiet))["mass_balance", "network"]
    assert not method["usable"]
    assert "air_meter m2" in method["reason"]


def test_air_that_fills_the_receiver_is_not_lost() -> None:
    station = station_of("compressed_air", receiver_m3=100, air_mains=[{"id": "main"}], customers=CUSTOMERS[:1])
    window = air_window(station, 120, {
        ("air_main", "main"): {"flow_m3_min": 20.0, "pressure_bar": [6.0 + m / 119 for m in range(120)]},
        ("air_meter", "m1"): {"flow_m3_min": 18.0},
    })
    method = methods_of(leaks_of(window))["mass_balance", "network"]
    assert method["inputs"]["stored_m3"] == pytest.approx(100, rel=1e-6)
    assert method["leak_m3_min"] == pytest.approx(2 - 100 / 120)


def test_the_station_s_figures_take_the_fused_estimate() -> None:
    window = air(day_of(20, 5), day_of(10, 0), 2.5)
    kpis = station_kpis(window).kpis
    fused = leaks_of(window)["fused"]
    assert kpis["leak_m3_min"] == fused["leak_m3_min"]
    assert kpis["leak_share"] == fused["share"]


@pytest.mark.parametrize(
    ("loaded_s", "idle_s", "percent"), [(109, 1942, 5.31), (99, 1903, 4.95), (99, 1923, 4.90), (99, 1912, 4.92)]
)
def test_load_cycles_of_a_fixed_machine_in_idle_hours(loaded_s: int, idle_s: int, percent: float) -> None:
    """MetroPT-3, first night; off and unloaded time both are time without air."""
    station = station_of("compressed_air", idle_hours="00:00-24:00", compressors=[
        {"id": "c1", "rated_flow_m3_min": 100, "control": "fixed"}])
    cycle_s = loaded_s + idle_s
    window = air_window(station, 120, {("compressor", "c1"): {
        "loaded_s": 60 * loaded_s / cycle_s, "unloaded_s": 30 * idle_s / cycle_s, "stopped_s": 30 * idle_s / cycle_s}})
    answer = leaks_of(window)
    assert answer["fused"]["leak_m3_min"] == pytest.approx(percent, abs=0.006)
    assert methods_of(answer)["load_cycles", "network"]["usable"]


@pytest.mark.parametrize(("unknown_min", "cycles"), [(None, 5), (45, 3)])
def test_load_cycles_are_whole_and_not_counted_across_a_gap(unknown_min: int | None, cycles: int) -> None:
    station = station_of("compressed_air", idle_hours="00:00-24:00", compressors=[
        {"id": "c1", "rated_flow_m3_min": 100, "control": "fixed"}])
    runs = []
    for i in range(6):
        at = START_MS + 20 * i * 60_000
        gap = unknown_min is not None and 20 * i <= unknown_min < 20 * (i + 1)
        runs += [{"device": "c1", "start_ms": at, "end_ms": at + 8 * 60_000, "state": "stopped"},
                 {"device": "c1", "start_ms": at + 8 * 60_000, "end_ms": at + 16 * 60_000,
                  "state": "" if gap else "loaded"},
                 {"device": "c1", "start_ms": at + 16 * 60_000, "end_ms": at + 20 * 60_000, "state": "unloaded"}]
    window = air_window(station, 120, {("compressor", "c1"): {"loaded_s": 24, "stopped_s": 36}},
                        runs={"compressor": runs_of(runs)})
    method = methods_of(leaks_of(window))["load_cycles", "network"]
    # Cut-ins at minutes 8, 28, ... 108: five whole cycles; the lost one at 48 takes its own and the one before.
    assert method["inputs"]["cycles"] == {"c1": cycles}
    assert method["leak_m3_min"] == pytest.approx(40.0)


def test_machines_that_never_load_tell_nothing_of_leaks() -> None:
    station = station_of("compressed_air", idle_hours="00:00-24:00", compressors=[
        {"id": "c1", "rated_flow_m3_min": 100, "control": "fixed"}])
    answer = leaks_of(air_window(station, 120, {("compressor", "c1"): {"unloaded_s": 60}}))
    method = methods_of(answer)["load_cycles", "network"]
    assert (method["usable"], method["leak_m3_min"]) == (False, None)
    assert "no compressor was loaded" in method["reason"]
    assert answer["fused"]["leak_m3_min"] is None


def test_load_cycles_needs_fixed_machines_and_idle_hours() -> None:
    states = {("compressor", "c1"): {"loaded_s": 60}}
    for table, word in [
        ({"compressors": [{"id": "c1", "rated_flow_m3_min": 9}]}, "idle_hours"),
        ({"idle_hours": "24/7", "compressors": [{"id": "c1", "rated_flow_m3_min": 9, "control": "vsd"}]}, "c1"),
        ({"idle_hours": "24/7", "compressors": [{"id": "c1"}]}, "rated_flow_m3_min"),
    ]:
        method = methods_of(leaks_of(air_window(station_of("compressed_air", **table), 120, states)))
        assert not method["load_cycles", "network"]["usable"]
        assert word in method["load_cycles", "network"]["reason"]


def flows(station: Any, supply: list[float]) -> Any:
    return air_window(station, len(supply), {("air_main", "main"): {"flow_m3_min": supply}})


def day_and_evening(low_from: int, low: float, by_day: float = 20.0) -> list[float]:
    """Return a day that is quiet for five hours from an hour on, and half busy around midnight UTC."""
    return [low if low_from <= m // 60 < low_from + 5 else 6.0 if m // 60 < 5 else by_day for m in range(DAY)]


def test_quiet_hours_are_learned_where_none_are_declared_and_assumed_until_then() -> None:
    station = station_of("compressed_air", timezone="UTC")
    for days, origin, leak in [(5, "learned", 2.0), (2, "assumed", 6.0)]:
        answer = leaks_of(flows(station, day_and_evening(12, 2.0) * days))
        method = methods_of(answer)["base_flow", "network"]
        assert method["leak_m3_min"] == pytest.approx(leak)
        assert (method["inputs"]["idle_hours_from"], method["inputs"]["declared"]) == (origin, False)
        assert origin in method["reason"]
        assert answer["fused"]["leak_m3_min"] == pytest.approx(leak)
    assert methods_of(leaks_of(flows(station, day_and_evening(12, 2.0) * 5)))["base_flow", "network"]["inputs"][
        "idle_hours"] == "12:00-17:00"


def test_where_the_week_works_at_night_the_weekend_tells_the_leak() -> None:
    station = station_of("compressed_air", timezone="UTC")
    week = [day_and_evening(0, 3.0 if day in (1, 2) else 9.0) for day in range(7)]  # day 0 is a Friday
    two = [minute for _ in range(2) for day in week for minute in day]
    method = methods_of(leaks_of(flows(station, two)))["base_flow", "network"]
    assert method["leak_m3_min"] == pytest.approx(3.0)
    assert method["inputs"]["nights"] == 4
    declared = station_of("compressed_air", timezone="UTC", idle_hours="00:00-05:00")
    method = methods_of(leaks_of(flows(declared, two)))["base_flow", "network"]
    assert method["leak_m3_min"] == pytest.approx((4 * 3 + 10 * 9) / 14)


def test_purged_air_is_in_no_level_but_a_purge_without_end_is() -> None:
    def answer(purge_min: int) -> Any:
        station = station_of("compressed_air", timezone="UTC", idle_hours="00:00-05:00", customers=CUSTOMERS[:1])
        purging = [m % 60 < purge_min for m in range(DAY)]
        window = air_window(station, DAY, {
            ("compressor", "c1"): {"flow_m3_min": [12.0 + 3.0 * p for p in purging]},
            ("air_meter", "m1"): {"flow_m3_min": [11.0 if m >= 300 else 0.0 for m in range(DAY)]},
            ("dryer", "d1"): {"purge_pressure_bar": [2.0 if p else 0.0 for p in purging]},
        })
        return methods_of(leaks_of(window))

    short, endless = answer(20), answer(60)
    assert short["base_flow", "network"]["leak_m3_min"] == pytest.approx(12)
    mean = 12 - 11 * 19 / 24
    assert short["mass_balance", "network"]["leak_m3_min"] == pytest.approx(mean)
    assert short["mass_balance", "network"]["inputs"]["purge_minutes"] == 480
    assert endless["base_flow", "network"]["leak_m3_min"] == pytest.approx(15)
    assert endless["mass_balance", "network"]["leak_m3_min"] == pytest.approx(mean + 3)


def test_the_smallest_leak_is_that_of_the_best_method() -> None:
    answer = leaks_of(air(day_of(20, 5), day_of(10, 0), 2.5))
    methods = methods_of(answer)
    by_night = methods["base_flow", "network"]["inputs"]["smallest_m3_min"]
    assert by_night == pytest.approx(0.04 * (7.5**2 + 5**2) ** 0.5)
    assert by_night < methods["mass_balance", "network"]["inputs"]["smallest_m3_min"]
    assert answer["fused"]["smallest_m3_min"] == by_night
    assert leaks_of(air([20.0] * 15, [10.0] * 15, 2.0, minutes=15))["fused"]["smallest_m3_min"] is None


def test_hour_of_week_stands_beside_the_other_methods() -> None:
    week = [day_of(20, 5) if day not in (1, 2) else day_of(4, 5) for day in range(7)]
    m1 = [minute for _ in range(2) for day in week for minute in day]
    m2 = [0.2 * v for v in m1]
    opened = [2.5 if i < 11 * DAY else 4.5 for i in range(14 * DAY)]
    supply = [a + b + c for a, b, c in zip(m1, m2, opened, strict=True)]
    station = station_of("compressed_air", timezone="Asia/Shanghai", customers=CUSTOMERS)
    window = air_window(station, 14 * DAY, {
        ("air_main", "main"): {"flow_m3_min": supply}, ("air_meter", "m1"): {"flow_m3_min": m1},
        ("air_meter", "m2"): {"flow_m3_min": m2}})
    methods = methods_of(leaks_of(window))
    network = methods["hour_of_week", "network"]
    assert network["leak_m3_min"] == pytest.approx(2.0)
    assert network["low"] < 2.0 < network["high"]
    assert network["usable"]
    assert methods["hour_of_week", "customer:x"]["leak_m3_min"] == 0
    short = methods_of(leaks_of(air(day_of(20, 5), day_of(10, 0), 2.5)))["hour_of_week", "network"]
    assert not short["usable"]
    assert short["reason"] == "1 days in the window, 11 needed: ask for a window of weeks"
