"""Hand-worked cases of the naive fold, and what must hold for every stream."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from naive.fold import naive_fold
from naive.readings import Reading, Run, Settings
from naive.streams import REORDER_MS, Stream, delayed, deliveries, reading, streams

from telemetry.times import MINUTE_MS

T = 1_732_240_020_000 - 1_732_240_020_000 % MINUTE_MS
KWH = 1_000_000_000


def port(time_ms: int, *, seq: int = -1, lane: str = "", status: str = "", session: str | None = None,
         **values: float) -> Reading:
    codes = {"connector": lane, "status": status, "session_id": session}
    return reading("port", "p", T + time_ms, seq=seq, values=values,
                   codes={k: v for k, v in codes.items() if v or (k == "session_id" and v is not None)})


def presence(time_ms: int, online: int, *, retained: bool = False) -> Reading:
    return reading("port", "p", T + time_ms, online=online, retained=retained)


def fold(*readings: Reading, settings: Settings | None = None) -> tuple[dict[int, dict[str, int]], list[Run]]:
    """Fold one device; minutes and runs count from T."""
    minutes, runs = naive_fold(readings, {readings[0]["device"]: settings or Settings()})
    return (
        {start - T: columns for (_, start), columns in minutes.items()},
        [run._replace(start_ms=run.start_ms - T, end_ms=run.end_ms - T) for run in next(iter(runs.values()))],
    )


def total(minutes: dict[int, dict[str, int]], column: str) -> int:
    return sum(columns.get(column, 0) for columns in minutes.values())


def test_state_ends_after_silence_and_resumes() -> None:
    minutes, runs = fold(port(0, status="Charging", session="a"), port(200_000), settings=Settings(90_000))
    assert [m["heard_ms"] for m in minutes.values() if "heard_ms" in m] == [60_000, 30_000]
    assert minutes[0] == {
        "heard_ms": 60_000, "Charging_ms": 60_000, "in_charge_ms": 60_000, "readings": 1,
    }
    assert minutes[180_000] == {"readings": 1}
    assert runs == [Run(0, -1, 90_000, "Charging", True, "a", 0)]
    _, runs = fold(port(0, status="Charging", session="a"), port(200_000), port(210_000),
                   settings=Settings(90_000))
    assert runs[1] == Run(200_000, -1, 210_000, "Charging", True, "a", 0)


def test_death_is_offline_at_once_and_retained_presence_is_no_life() -> None:
    minutes, runs = fold(port(0, status="Available"), presence(10_000, 0), presence(20_000, 1, retained=True),
                         port(30_000), port(35_000))
    assert minutes[0]["heard_ms"] == minutes[0]["Available_ms"] == 15_000
    assert minutes[0]["readings"] == 4
    assert [(r.start_ms, r.end_ms) for r in runs] == [(0, 10_000), (30_000, 35_000)]


def test_connectors_make_one_port_state() -> None:
    minutes, _ = fold(
        port(0, lane="1", status="Faulted"), port(1_000, lane="2", status="Available"),
        port(2_000, lane="2", status="Charging"), port(5_000, lane="2", status="Faulted"), port(6_000),
    )
    state = {c: v for c, v in minutes[0].items() if c.endswith("_ms")}
    assert state == {"heard_ms": 6_000, "Faulted_ms": 2_000, "Available_ms": 1_000, "Charging_ms": 3_000,
                     "in_charge_ms": 3_000}


def test_occupied_charges_by_power_and_without_status_power_is_the_state() -> None:
    minutes, _ = fold(port(0, status="Occupied", power_kw=0.05), port(10_000, power_kw=0.06), port(20_000))
    assert (minutes[0]["Occupied_ms"], minutes[0]["in_charge_ms"]) == (20_000, 10_000)
    minutes, _ = fold(port(0), port(5_000, power_kw=3.0), port(9_000, power_kw=0.0), port(10_000))
    assert (minutes[0]["heard_ms"], minutes[0]["Charging_ms"]) == (10_000, 4_000)
    assert minutes[0]["Available_ms"] == 1_000


def test_new_session_splits_at_the_same_time() -> None:
    _, runs = fold(
        port(0, seq=1, status="Charging", session="a", energy_kwh=1.0),
        port(10_000, seq=2, session="b", energy_kwh=2.0),
        port(20_000, seq=3, status="Available", energy_kwh=4.0), port(30_000, seq=4, status="Preparing"),
        port(40_000, seq=5),
    )
    assert runs == [
        Run(0, 1, 10_000, "Charging", True, "a", KWH), Run(10_000, 2, 20_000, "Charging", True, "b", 2 * KWH),
        Run(20_000, 3, 30_000, "Available", False, "", 0), Run(30_000, 4, 40_000, "Preparing", False, "", 0),
    ]


@pytest.mark.parametrize(("integration", "parts"), [("trapezoid", [105, 480, 115]), ("hold", [60, 120, 20])])
def test_gauge_between_two_values(integration: str, parts: list[int]) -> None:
    # 2 -> 12 in 100 s, started 30 s into a minute: the line adds 10 x 30^2 / 200 = 45 to the first 60 V s.
    minutes, _ = fold(port(30_000, voltage_v=2.0), port(130_000, voltage_v=12.0),
                      settings=Settings(300_000, integration))
    assert [minutes[m]["voltage_v_i"] for m in (0, 60_000, 120_000)] == [v * 10**9 for v in parts]
    assert [minutes[m]["voltage_v_ms"] for m in (0, 60_000, 120_000)] == [30_000, 60_000, 10_000]
    assert minutes[120_000]["voltage_v_last"] == 12_000_000
    assert minutes[120_000]["voltage_v_last_ms"] == T + 130_000


def test_gauge_is_unknown_over_a_long_gap() -> None:
    minutes, _ = fold(port(0, power_kw=6.0), port(60_001, power_kw=6.0), settings=Settings(60_000))
    assert total(minutes, "power_kw_ms") == total(minutes, "energy_n") == 0


def test_register_is_spread_evenly_and_estimated_over_a_gap() -> None:
    minutes, _ = fold(port(0, energy_kwh=5.0), port(600_000, energy_kwh=6.0), settings=Settings(60_000))
    assert [minutes[m]["energy_n"] for m in range(0, 600_000, 60_000)] == [KWH // 10] * 10
    assert total(minutes, "energy_estimated_n") == KWH
    assert total(minutes, "energy_ms") == 600_000


def energies(
    *levels: float, step_ms: int = 60_000, settings: Settings | None = None, power_kw: float | None = None
) -> int:
    power = {} if power_kw is None else {"power_kw": power_kw}
    readings = [
        reading("port", "p", T + i * step_ms, values={"energy_kwh": v, **power}) for i, v in enumerate(levels)
    ]
    return total(fold(*readings, settings=settings)[0], "energy_n")


@pytest.mark.parametrize(("levels", "kwh"), [
    ((10, 11, 3, 12), 2),  # a glitch of one value
    ((10, 11, 3, 4, 5, 12), 2),  # of three
    ((10, 11, 3, 4), 1),  # still open
    ((10, 11, 3, 4, 5), 1),
    ((10, 11, 3, 4, 5, 6), 4),  # a reset without a rating: the interval itself counts nothing
    ((10, 11, 3, 4, 5, 6, 12), 10),  # back too late
    ((10, 0, 11, 0, 12), 2),  # two glitches
])
def test_falls_of_a_register(levels: tuple[float, ...], kwh: int) -> None:
    assert energies(*levels) == kwh * KWH


def test_reset_counts_the_new_value_where_the_rating_allows() -> None:
    # 1.1 x 60 kW x 1 min = 1.1 kWh
    assert energies(10, 1.1, 2, 3, 4, settings=Settings(rated_kw=60.0)) == 4 * KWH
    assert energies(10, 1.2, 2, 3, 4, settings=Settings(rated_kw=60.0)) == round(2.8 * KWH)


def test_reset_counts_measured_power_up_to_six_hours() -> None:
    assert energies(10, 1, 2, 3, 4, settings=Settings(rated_kw=600.0), power_kw=30.0) == round(3.5 * KWH)
    # The deciding value is more than 6 h after the base: the rating decides.
    late = Settings(offline_after_ms=10**9, rated_kw=6.0)
    assert energies(10, 1, 2, 3, 4, settings=late, step_ms=5_400_000, power_kw=2.0) == 6 * KWH
    assert energies(10, 1, 2, 3, 4, settings=late, step_ms=5_400_001, power_kw=2.0) == 4 * KWH


def test_energy_from_power_until_the_first_register_value() -> None:
    minutes, runs = fold(
        port(0, status="Charging", power_kw=6.0), port(60_000, power_kw=6.0), port(90_000, energy_kwh=7.0),
        port(120_000, power_kw=6.0), port(150_000, energy_kwh=7.5),
    )
    assert [minutes[m].get("energy_n") for m in (0, 60_000, 120_000)] == [
        KWH // 10, KWH // 20 + KWH // 4, KWH // 4]
    assert runs[0].energy_n == sum(m.get("energy_n", 0) for m in minutes.values())


def test_unloaded_energy_by_the_state_at_the_start() -> None:
    def machine(time_ms: int, state: str, kwh: float) -> Reading:
        return reading("compressor", "c", T + time_ms, values={"energy_kwh": kwh}, codes={"state": state})

    minutes, _ = fold(
        machine(0, "loaded", 1), machine(60_000, "unloaded", 3), machine(120_000, "unloading", 4),
        machine(180_000, "stopped", 4.5), machine(240_000, "stopped", 9),
    )
    assert [minutes[m].get("energy_unloaded_n", 0) for m in (0, 60_000, 120_000, 180_000)] == [
        0, KWH, KWH // 2, 0]


def test_same_identity_merges_and_the_last_delivered_stays() -> None:
    minutes, _ = fold(port(0, power_kw=1.0, current_a=3.0), port(0, power_kw=2.0))
    assert (minutes[0]["readings"], minutes[0]["power_kw_max"]) == (1, 2 * 10**6)
    assert minutes[0]["current_a_max"] == 3 * 10**6


@hypothesis_settings(max_examples=30, deadline=None)
@given(st.data(), streams())
def test_order_repetition_and_batches_do_not_matter(data: st.DataObject, stream: Stream) -> None:
    # Readings of one identity keep their order, so that the last delivered is the same one.
    distinct = list({
        (r["device"], r["time_ms"], r["seq"], r["codes"].get("connector", "")): r for r in stream.readings
    }.values())
    delivered = [r for batch in data.draw(deliveries(Stream(distinct, stream.devices))) for r in batch]
    assert naive_fold(delivered, stream.devices) == naive_fold(distinct, stream.devices)


@hypothesis_settings(max_examples=30, deadline=None)
@given(streams())
def test_minutes_and_runs_agree(stream: Stream) -> None:
    minutes, runs = naive_fold(stream.readings, stream.devices)
    heard: Counter[str] = Counter()
    by_state: Counter[tuple[str, str]] = Counter()
    for (device, _), columns in minutes.items():
        heard[device] += columns.get("heard_ms", 0)
        assert columns.get("heard_ms", 0) <= MINUTE_MS
        for column, value in columns.items():
            by_state[device, column] += value
    for device, own in runs.items():
        assert sum(r.end_ms - r.start_ms for r in own) == heard[device]
        assert all(a.end_ms <= b.start_ms for a, b in pairwise(own))
        for state in {r.state for r in own if r.state}:
            spent = sum(r.end_ms - r.start_ms for r in own if r.state == state)
            assert by_state[device, f"{state}_ms"] == spent
        assert sum(r.end_ms - r.start_ms for r in own if r.in_charge) == by_state[device, "in_charge_ms"]


@hypothesis_settings(max_examples=30, deadline=None)
@given(st.data(), streams())
def test_delays_stay_below_the_limit(data: st.DataObject, stream: Stream) -> None:
    newest: dict[str, int] = {}
    for r in data.draw(delayed(stream.readings)):
        newest[r["device"]] = max(newest.get(r["device"], 0), r["time_ms"])
        assert newest[r["device"]] - r["time_ms"] < REORDER_MS
