"""Rule `leak` on made stations: found, sized, placed, explained, repaired; and what looks like a leak and is none."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_nights import LEVEL, nights_of
from naive.windows import NO_DEAF, START_MS, buckets_of, station_of

from analytics.air import air_minutes
from analytics.alerts import Alerts
from analytics.judge import judge
from analytics.leak_trend import Growth, growth_of
from analytics.leaks import leaks_of
from analytics.nights import Nights, places
from analytics.rules.load import RulePack, load_rules
from analytics.window import Window
from benchmarks.leak_methods import FUSED, measure_cases, table_of
from benchmarks.leak_plants import make_plant
from benchmarks.leak_stations import DAYS, Event, make
from benchmarks.leak_stations import START_MS as MADE_MS
from benchmarks.leaks import judge_station
from telemetry.registry import Registry
from telemetry.times import DAY_MS, MINUTE_MS

PACK = load_rules()


def last(nights: Nights) -> Growth:
    return growth_of(nights)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("side", ["network", "customer"])
def test_steps_of_5_percent_are_found_within_3_nights_sized_and_placed(seed: int, side: str) -> None:
    found = judge_station(seed, Event("leak", 0.05, side))
    assert found.delay is not None
    assert found.delay <= 3
    assert found.size == pytest.approx(1, abs=0.2)
    assert found.side
    assert found.false == 0


@pytest.mark.parametrize("what", ["quiet", "demand", "night_shift", "holiday", "drift", "dead_meter", "purge", "vent"])
def test_what_is_no_leak_is_not_told(what: str) -> None:
    assert judge_station(11, Event(what)).false == 0


def test_a_repair_ends_the_growth_and_a_single_bad_night_is_none() -> None:
    assert last(nights_of([*LEVEL, 4, 4, 4])).leak_m3_min == pytest.approx(2, abs=0.1)
    assert last(nights_of([*LEVEL, 4, 4, 4, 2])).leak_m3_min == 0
    vented = nights_of([*LEVEL, 4], day=[*LEVEL, 2])
    assert last(vented).leak_m3_min == 0
    assert "blow-off" in last(vented).reason


def test_a_grown_leak_is_told_with_its_present_size() -> None:
    assert last(nights_of([*LEVEL, 4, 4, 5, 5, 5])).leak_m3_min == pytest.approx(3, abs=0.1)


def test_a_drifting_meter_shows_most_by_day() -> None:
    found = last(nights_of([*LEVEL, 2.9, 2.9], day=[*LEVEL, 6, 6]))
    assert found.leak_m3_min == 0
    assert "meter" in found.reason


def test_what_a_silent_meter_no_longer_counts_is_no_leak_but_another_amount_is() -> None:
    silent = [0.0] * len(LEVEL)
    mute = nights_of([*LEVEL, 4, 4], silent=np.array([*silent, 1.6, 1.6]))
    assert last(mute).leak_m3_min == 0
    assert "meter" in last(mute).reason
    more = nights_of([*LEVEL, 7, 7], silent=np.array([*silent, 1.6, 1.6]))
    assert last(more).leak_m3_min == pytest.approx(5, abs=0.1)
    closed = nights_of([*LEVEL, 4, 4], silent=np.array([*silent, 6.0, 6.0]))
    assert last(closed).leak_m3_min == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("seed", [5_007, 5_017])
def test_a_customer_s_meter_that_dies_or_comes_back_is_no_leak(seed: int) -> None:
    assert judge_station(seed, Event("dead_meter")).false == 0
    assert judge_station(seed, Event("mended_meter")).false == 0


def test_few_nights_need_a_larger_growth() -> None:
    assert last(nights_of([2, 2.02, 3, 3])).leak_m3_min == 0
    assert last(nights_of([2, 2.02, 6, 6])).leak_m3_min == pytest.approx(4, abs=0.1)
    assert "needed" in last(nights_of([2, 6])).reason


def test_a_night_that_is_not_known_says_nothing() -> None:
    assert np.isnan(last(nights_of([*LEVEL, 4, float("nan")])).leak_m3_min)


def test_the_level_is_learned_anew_where_the_window_begins_with_the_leak() -> None:
    assert last(nights_of([4.0] * 20)).leak_m3_min == 0


def load_of(whole: Window) -> Any:
    def load(from_ms: int, to_ms: int, *, extremes: bool = False, **_: object) -> Window:
        minutes = {k: b.take((b.start_ms >= from_ms) & (b.start_ms < to_ms)) for k, b in whole.minutes.items()}
        return replace(whole, from_ms=from_ms, to_ms=to_ms, now_ms=to_ms, minutes=minutes)

    return load


def test_one_episode_with_its_evidence_through_the_rule() -> None:
    made = make(4, Event("leak", 0.1, "customer"))
    station = made.window.station
    alerts = Alerts(RulePack({"leak": PACK.tables["leak"]}, {"leak": PACK.rules["leak"]}), Registry({"s": station}))
    for day in range(DAYS):
        judge(alerts, station, "s", load_of(made.window), MADE_MS + day * DAY_MS, MADE_MS + (day + 1) * DAY_MS)
    told = alerts.take_transitions()
    assert [t.type for t in told] == ["alert.firing"]
    first = told[0]
    assert (first.device_kind, first.device) == ("air_meter", made.place.replace("customer:k", "m"))
    evidence = first.evidence
    assert evidence["place"] == made.place
    assert first.value == pytest.approx(0.1 * made.mean_flow, rel=0.2)
    assert evidence["leak_m3_min"] == pytest.approx(first.value)
    assert evidence["total_m3_min"] >= evidence["leak_m3_min"]
    assert evidence["leak_share"] == pytest.approx(0.1, rel=0.25)
    named = {"night_trend", "base_flow network", "mass_balance network", "hour_of_week network"}
    assert named <= set(evidence["methods"])
    answer = leaks_of(made.window)
    assert answer["fused"]["place"] == made.place
    assert answer["fused"]["since"] is not None
    assert (first.time_ms - made.start_ms) < 3 * DAY_MS


def test_without_a_flow_meter_fixed_machines_tell_by_their_time_loaded() -> None:
    station = station_of("compressed_air", idle_hours="00:00-05:00", compressors=[
        {"id": "c1", "rated_flow_m3_min": 10, "control": "fixed"}])
    n = 9
    rows = {}
    for minute in range(0, n * 1440, 5):
        share = 0.2 if minute < 6 * 1440 else 0.4
        share += 0.3 if minute % 1440 >= 360 else 0.0
        rows["c1", START_MS + minute * MINUTE_MS] = {"loaded_ms": round(60_000 * share),
                                                     "stopped_ms": 60_000 - round(60_000 * share)}
    rows = {(d, t + k * MINUTE_MS): r for (d, t), r in rows.items() for k in range(5)}
    end_ms = START_MS + n * DAY_MS
    window = Window(station, True, START_MS, end_ms, end_ms, {"compressor": buckets_of(rows)}, {},
                    {("compressor", "c1"): START_MS}, {}, NO_DEAF)
    (one,) = places(air_minutes(window))
    assert growth_of(one).leak_m3_min == pytest.approx(2, rel=0.02)


@pytest.mark.parametrize(("event", "share"), [(Event("leak", 0.1), 0.1), (Event("quiet"), 0), (Event("vent"), 0)])
def test_a_machine_that_switches_tells_the_leak_by_its_whole_nights(event: Event, share: float) -> None:
    made = make_plant(2_001, event)
    (one,) = places(air_minutes(made.window))
    told = [growth_of(one, i + 1).leak_m3_min for i in range(DAYS)]
    assert told[:10] == [0] * 10
    assert told[13:] == pytest.approx([share * made.mean_flow] * (DAYS - 13), rel=0.2)


def test_the_bench_counts_when_each_method_speaks() -> None:
    (leak, quiet) = measure_cases([Event("leak", 0.1), Event("quiet")], lambda _: 2_004, 1, make_plant)
    for method in ("load_cycles", "pressure_decay", FUSED):
        assert leak.delays(method)[0] in (1, 2, 3)
        assert quiet.false(method) == 0
    assert leak.delays("mass_balance") == []
    rows = table_of([leak, quiet], ["load_cycles", "mass_balance"], [0.1])
    assert "| network, step | load_cycles | 100%, 1 |" in rows
    assert not any("step | mass_balance" in row for row in rows)
