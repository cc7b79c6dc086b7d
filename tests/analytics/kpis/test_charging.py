import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive.kpis import Tick, naive_congested, naive_hours
from naive.windows import ENERGY_N_PER_S, START_MS, buckets_of, port_window, runs_of, station_of, window_of

from analytics.kpis import station_kpis
from analytics.sessions import sessions_of
from analytics.uptime import Exclusion

STATES = ("Available", "Charging", "SuspendedEV", "Reserved", "Faulted", "Unavailable")
MINUTES = 10


def to_line(pieces: list[tuple[str | None, int]]) -> list[Tick]:
    line: list[Tick] = [None if state is None else (state, "") for state, seconds in pieces for _ in range(seconds)]
    return (line + [None] * 60 * MINUTES)[: 60 * MINUTES]


timelines = st.lists(st.tuples(st.sampled_from([None, *STATES]), st.integers(1, 200)), max_size=8).map(to_line)


def two_ports(**table: object):
    return station_of("charging", ports=[{"id": "a", "rated_kw": 7.2}, {"id": "b", "rated_kw": 3.6}], **table)


@settings(max_examples=40, deadline=None)
@given(timelines, timelines)
def test_hours_and_congestion_equal_a_count_of_seconds(a: list[Tick], b: list[Tick]) -> None:
    answer = station_kpis(port_window({"a": a, "b": b}, two_ports()))
    everything = set(range(60 * MINUTES))
    hours = {k: naive_hours(a, everything)[k] + naive_hours(b, everything)[k] for k in naive_hours(a, everything)}
    for name, seconds in hours.items():
        assert answer.kpis[f"{name}_h"] == pytest.approx(seconds / 3600, abs=1e-9), name
    known = sum(hours[k] for k in ("available", "reserved", "occupied", "faulted", "unavailable"))
    assert answer.kpis["known_h"] == pytest.approx(known / 3600)
    assert answer.kpis["window_h"] == pytest.approx(2 * MINUTES / 60)
    assert answer.kpis["unknown_h"] == pytest.approx((1200 - known - hours["offline"]) / 3600, abs=1e-9)
    assert answer.coverage == pytest.approx(known / 1200)
    if known:
        assert answer.kpis["occupied_utilisation"] == pytest.approx(hours["occupied"] / 1200)
        assert answer.kpis["charging_utilisation"] == pytest.approx(hours["charging"] / 1200)
        idle = hours["occupied"] - hours["charging"]
        assert answer.kpis["idle_utilisation_of_known"] == pytest.approx(idle / known)
        assert answer.kpis["energy_kwh"] == pytest.approx(hours["charging"] * ENERGY_N_PER_S / 1e9)
        assert answer.kpis["capacity_factor"] == pytest.approx(hours["charging"] * 0.002 / (10.8 * MINUTES / 60))
        assert answer.kpis["congestion"] == pytest.approx(naive_congested([a, b]) / 600)


def test_a_port_never_heard_counts_as_unknown() -> None:
    answer = station_kpis(port_window({"a": [("Charging", "")] * 600}, two_ports()))
    assert answer.kpis["window_h"] == pytest.approx(20 / 60)
    assert answer.kpis["unknown_h"] == pytest.approx(10 / 60)
    assert answer.kpis["offline_h"] == 0
    assert answer.kpis["occupied_utilisation"] == 0.5
    assert answer.kpis["occupied_utilisation_of_known"] == 1.0
    assert answer.coverage == 0.5
    b = next(d for d in answer.devices if d.device == "b")
    assert b.coverage == 0
    assert b.kpis["occupied_utilisation"] is None
    assert "known" in b.reasons["occupied_utilisation"]


def test_a_station_that_lists_ports_leaves_others_out_of_its_sums_but_shows_them() -> None:
    station = station_of("charging", ports=[{"id": "a", "rated_kw": 7.2}])
    answer = station_kpis(port_window({"a": [("Available", "")] * 600, "x": [("Charging", "")] * 600}, station))
    assert answer.kpis["window_h"] == pytest.approx(10 / 60)
    assert answer.kpis["energy_kwh"] == 0
    assert answer.kpis["peak_kw"] == 0
    x = next(d for d in answer.devices if d.device == "x")
    assert x.kpis["energy_kwh"] == pytest.approx(1.2)
    assert x.kpis["capacity_factor"] is None
    assert "rated_kw" in x.reasons["capacity_factor"]


def test_an_unlisted_station_counts_every_port_seen() -> None:
    line: list[Tick] = [("Charging", "")] * 300 + [("Available", "")] * 300
    window = port_window({"x": line}, station_of("charging"), listed=False)
    answer = station_kpis(window)
    assert answer.kpis["occupied_utilisation"] == 0.5
    assert answer.kpis["peak_kw"] == pytest.approx(7.2)
    assert answer.kpis["load_factor"] == pytest.approx(0.5)


def test_time_before_commissioning_and_outside_open_hours_does_not_count() -> None:
    charging: list[Tick] = [("Charging", "")] * 600
    station = station_of("charging", ports=[
        {"id": "a", "rated_kw": 7.2, "commissioned": "2024-11-22T00:04:00"},
        {"id": "b", "rated_kw": 7.2, "decommissioned": "2024-11-22T00:02:00"},
    ], open_hours="00:00-00:08")
    answer = station_kpis(port_window({"a": charging, "b": charging}, station))
    assert answer.kpis["window_h"] == pytest.approx(6 / 60)
    assert answer.kpis["occupied_h"] == pytest.approx(6 / 60)
    assert answer.kpis["energy_kwh"] == pytest.approx(6 * 0.12)
    assert answer.kpis["capacity_factor"] == pytest.approx(1.0)
    # Before 00:02 only b serves, from 00:04 only a; in between no port does.
    assert answer.kpis["congestion"] == pytest.approx(0.8)


def test_time_in_which_voltair_could_not_hear_is_unknown_not_offline() -> None:
    line: list[Tick] = [("Available", "")] * 120 + [None] * 360 + [("Available", "")] * 120
    deaf = np.array([[START_MS + 180_000, START_MS + 300_000]])
    answer = station_kpis(port_window({"a": line}, station_of("charging"), deaf_ms=deaf))
    assert answer.kpis["offline_h"] == pytest.approx(4 / 60)
    assert answer.kpis["unknown_h"] == pytest.approx(2 / 60)


def test_time_after_now_is_unknown() -> None:
    window = port_window({"a": [("Available", "")] * 300}, station_of("charging"),
                         to_ms=START_MS + 600_000, now_ms=START_MS + 300_000)
    answer = station_kpis(window)
    assert answer.kpis["window_h"] == pytest.approx(10 / 60)
    assert answer.kpis["offline_h"] == 0
    assert answer.kpis["unknown_h"] == pytest.approx(5 / 60)


def test_peak_of_the_station_is_that_of_the_sum() -> None:
    first: list[Tick] = [("Charging", "")] * 60 + [("Available", "")] * 540
    second: list[Tick] = [("Available", "")] * 300 + [("Charging", "")] * 300
    answer = station_kpis(port_window({"a": first, "b": second}, two_ports()))
    assert answer.kpis["peak_kw"] == pytest.approx(7.2)
    both = station_kpis(port_window({"a": second, "b": second}, two_ports()))
    assert both.kpis["peak_kw"] == pytest.approx(14.4)
    assert both.kpis["load_factor"] == pytest.approx(0.5)


def test_session_figures() -> None:
    line: list[Tick] = (
        [("Available", "")] * 60 + [("Charging", "1")] * 120 + [("Available", "")] * 60
        + [("Charging", "2")] * 40 + [("Available", "")] * 20 + [("Charging", "3")] * 100
        + [("Faulted", "")] * 100 + [("Charging", "4")] * 100
    )
    answer = station_kpis(port_window({"a": line}, station_of("charging")))
    assert answer.kpis["sessions"] == 3
    assert answer.kpis["sessions_successful"] == 1
    assert answer.kpis["session_success_rate"] == pytest.approx(1 / 3)
    assert answer.kpis["mean_session_kwh"] == pytest.approx((0.24 + 0.08 + 0.2) / 3)


def test_transformer_loading_by_site_meter_with_reactive_power_else_by_ports() -> None:
    rows = {("m", START_MS + 60_000 * i): {"power_kw_i": round(p * 1e6) * 60_000, "power_kw_ms": 60_000,
                                           "reactive_kvar_i": round(q * 1e6) * 60_000, "reactive_kvar_ms": 60_000}
            for i, (p, q) in enumerate([(30, 40), (60, 80), (90, 120), (0, 10)])}
    station = station_of("charging", transformer_kva=100, site_meters=[{"id": "m"}])
    kpis = station_kpis(window_of(station, 4, minutes={"site_meter": buckets_of(rows)},
                                  first_heard_ms={("site_meter", "m"): START_MS})).kpis
    assert kpis["transformer_loading_max"] == pytest.approx(1.5)
    assert kpis["transformer_h_over_80pct"] == pytest.approx(2 / 60)
    assert kpis["transformer_h_over_100pct"] == pytest.approx(1 / 60)

    by_ports = station_kpis(port_window({"a": [("Charging", "")] * 600}, station_of("charging", transformer_kva=8)))
    assert by_ports.kpis["transformer_loading_max"] == pytest.approx(0.9)
    without = station_kpis(port_window({"a": [("Charging", "")] * 600}, station_of("charging")))
    assert without.kpis["transformer_loading_max"] is None
    assert "transformer_kva" in without.reasons["transformer_loading_max"]


def test_transformer_loading_by_power_factor() -> None:
    rows = {("m", START_MS): {"power_kw_i": -40 * 1_000_000 * 60_000, "power_kw_ms": 60_000,
                              "power_factor_i": 800_000 * 60_000, "power_factor_ms": 60_000}}
    kpis = station_kpis(window_of(station_of("charging", transformer_kva=100), 1, listed=False,
                                  minutes={"site_meter": buckets_of(rows)},
                                  first_heard_ms={("site_meter", "m"): START_MS})).kpis
    assert kpis["transformer_loading_max"] == pytest.approx(0.5)


def lines(*minutes: tuple[float, float, float], volts: float = 230.0) -> dict[tuple[str, int], dict[str, int]]:
    """Return rows of site meter m with line currents."""
    gauges = [{**{f"current_l{k}_a": a for k, a in enumerate(m, 1)},
               **{f"voltage_l{k}_v": volts for k in (1, 2, 3)}} for m in minutes]
    return {("m", START_MS + 60_000 * i): {
        **{f"{g}_i": round(v * 1e6) * 60_000 for g, v in row.items()}, **{f"{g}_ms": 60_000 for g in row},
    } for i, row in enumerate(gauges)}


@pytest.mark.parametrize(
    ("minutes", "imbalance"),
    [
        ([(100, 100, 0)], 1.0),
        ([(100, 100, 100), (110, 100, 90)], 0.1),
        # 100 kVA at 230 V are 145 A in each line: 5 % of them are 7.2 A.
        ([(20, 1, 0), (100, 100, 100)], 0.0),
        ([(21, 1, 0)], 41 / 22),
    ],
)
def test_imbalance_is_nema_s_and_leaves_small_currents_out(
    minutes: list[tuple[float, float, float]], imbalance: float
) -> None:
    window = window_of(station_of("charging", transformer_kva=100), len(minutes),
                       minutes={"site_meter": buckets_of(lines(*minutes))},
                       first_heard_ms={("site_meter", "m"): START_MS})
    assert station_kpis(window).kpis["current_imbalance_nema_max"] == pytest.approx(imbalance, abs=1e-9)


@pytest.mark.parametrize("volts", [None, 0.0])
def test_imbalance_of_a_meter_without_voltages_takes_the_nominal_one(volts: float | None) -> None:
    rows = {key: {c: v for c, v in row.items() if volts is not None or not c.startswith("voltage")}
            for key, row in lines((6, 6, 0), (20, 1, 0), (100, 100, 50), volts=volts or 0.0).items()}
    window = window_of(station_of("charging", transformer_kva=100, nominal_voltage_v=231), 3,
                       minutes={"site_meter": buckets_of(rows)}, first_heard_ms={("site_meter", "m"): START_MS})
    # 5 % are 7.2 A: the means of 4 and 7 A are not above it.
    assert station_kpis(window).kpis["current_imbalance_nema_max"] == pytest.approx(0.4)


def test_imbalance_needs_a_loaded_minute() -> None:
    window = window_of(station_of("charging", transformer_kva=100), 1,
                       minutes={"site_meter": buckets_of(lines((5, 5, 0)))},
                       first_heard_ms={("site_meter", "m"): START_MS})
    answer = station_kpis(window)
    assert answer.kpis["current_imbalance_nema_max"] is None
    assert "5 %" in answer.reasons["current_imbalance_nema_max"]


def test_nothing_heard_gives_nulls_with_reasons_and_no_numbers() -> None:
    answer = station_kpis(window_of(two_ports(), 60))
    assert answer.coverage == 0
    assert answer.kpis["window_h"] == 2
    assert answer.kpis["unknown_h"] == 2
    for name in ("occupied_utilisation", "congestion", "energy_kwh", "peak_kw", "sessions", "uptime", "load_factor"):
        assert answer.kpis[name] is None, name
        assert answer.reasons[name]
    assert set(answer.reasons) == {k for k, v in answer.kpis.items() if v is None}


def test_a_port_that_sends_no_energy_has_null_energy_not_zero() -> None:
    run = {"device": "a", "start_ms": START_MS, "end_ms": START_MS + 120_000, "state": "Charging"}
    rows = {("a", START_MS + 60_000 * i): {"heard_ms": 60_000, "Charging_ms": 60_000, "in_charge_ms": 60_000}
            for i in range(2)}
    window = window_of(station_of("charging"), 2, minutes={"port": buckets_of(rows)}, runs={"port": runs_of([run])},
                       first_heard_ms={("port", "a"): START_MS}, last_heard_ms={("port", "a"): START_MS + 120_000})
    answer = station_kpis(window)
    assert answer.kpis["charging_utilisation"] == 1
    assert answer.kpis["energy_kwh"] is None


def test_overstay_is_the_idle_time_beyond_what_the_rated_power_allows() -> None:
    # 7.2 kW allows 60 min: 90 min of idling are 30 too many; 22 kW allows 30 min: 60 min are twice as much.
    line: list[Tick] = [("Charging", "1")] * 600 + [("SuspendedEV", "1")] * 5400 + [("Available", "")] * 600
    fast: list[Tick] = [("Charging", "2")] * 600 + [("Finishing", "2")] * 3600 + [("Available", "")] * 2400
    station = station_of("charging", ports=[{"id": "a", "rated_kw": 7.2}, {"id": "b", "rated_kw": 22}])
    window = port_window({"a": line, "b": fast}, station)
    answer = station_kpis(window)
    assert answer.kpis["overstay_h"] == pytest.approx(1.0)
    assert [(s.port, s.overstay) for s in sessions_of(window)] == [("a", "warning"), ("b", "error")]
    unrated = station_kpis(port_window({"a": line}, station_of("charging", ports=[{"id": "a"}])))
    assert unrated.kpis["overstay_h"] is None
    assert "rated_kw" in unrated.reasons["overstay_h"]


def test_lost_energy_is_what_ports_that_are_up_deliver_over_the_lost_time() -> None:
    # b is faulted for 30 min of the hour; a and b deliver 7.2 kWh in 1.5 up-hours at 7.2 kW each.
    a: list[Tick] = [("Charging", "1")] * 3600
    b: list[Tick] = [("Available", "")] * 1800 + [("Faulted", "")] * 1800
    table = {"ports": [{"id": "a", "rated_kw": 7.2}, {"id": "b", "rated_kw": 7.2}]}
    kpis = station_kpis(port_window({"a": a, "b": b}, station_of("charging", **table))).kpis
    assert kpis["lost_energy_kwh"] == pytest.approx(7.2 / 1.5 * 0.5)
    assert kpis["lost_money"] is None
    # The price of the lost half hour counts, not that of the first.
    prices = [{"price": 1.0}, {"price": 3.0, "hours": "00:30-12:00"}]
    kpis = station_kpis(port_window({"a": a, "b": b}, station_of("charging", tariff_per_kwh=prices, **table))).kpis
    assert kpis["lost_money"] == pytest.approx(3.0 * 2.4)
    excluded = [Exclusion(START_MS, START_MS + 3_600_000)]
    kpis = station_kpis(port_window({"a": a, "b": b}, station_of("charging", **table)), excluded).kpis
    assert kpis["lost_energy_kwh"] == 0


def test_simultaneity_is_the_peak_of_the_sum_over_the_sum_of_peaks() -> None:
    first: list[Tick] = [("Charging", "")] * 60 + [("Available", "")] * 540
    second: list[Tick] = [("Available", "")] * 300 + [("Charging", "")] * 300
    apart = station_kpis(port_window({"a": first, "b": second}, two_ports()))
    assert apart.kpis["simultaneity"] == pytest.approx(0.5)
    assert station_kpis(port_window({"a": second, "b": second}, two_ports())).kpis["simultaneity"] == 1


def energies(device: str, kwh: list[float | None], **more: list[float]) -> dict[tuple[str, int], dict[str, int]]:
    """Return rows with an energy per minute, None where it is not known."""
    rows = {}
    for i, value in enumerate(kwh):
        row = rows[device, START_MS + 60_000 * i] = {"heard_ms": 60_000, "Available_ms": 60_000}
        if value is not None:
            row |= {"energy_n": round(value * 1e9), "energy_ms": 60_000}
        for name, values in more.items():
            row |= {f"{name}_n": round(values[i] * 1e9), f"{name}_ms": 60_000}
    return rows


def supply(ports: dict[tuple[str, int], dict[str, int]], site: dict[tuple[str, int], dict[str, int]], minutes: int,
           **table: object) -> dict[str, float | None]:
    heard = {**{("port", d): START_MS for d, _ in ports}, **{("site_meter", d): START_MS for d, _ in site}}
    tables = {"port": buckets_of(ports), **({"site_meter": buckets_of(site)} if site else {})}
    return station_kpis(window_of(station_of("charging", **table), minutes, minutes=tables, first_heard_ms=heard)).kpis


def test_demand_is_the_highest_mean_of_15_minutes_in_a_row() -> None:
    kwh: list[float | None] = [1.0] * 10 + [4.0] * 10 + [1.0] * 10
    kpis = supply({}, energies("m", kwh), 30, demand_charge_per_kw=38.0)
    # 10 minutes of 240 kW and 5 of 60.
    assert kpis["demand_kw_max"] == pytest.approx(180)
    assert kpis["demand_cost"] == pytest.approx(38 * 180)
    # A minute that is not known makes all means around it unknown.
    gap = supply({}, energies("m", [*kwh[:14], None, *kwh[15:]]), 30)
    assert gap["demand_kw_max"] == pytest.approx((5 * 240 + 10 * 60) / 15)
    assert supply({}, energies("m", [*kwh[:14], None, *kwh[15:28]]), 28)["demand_kw_max"] is None


def test_energy_cost_follows_the_hours_of_the_tariff() -> None:
    table = {"tariff_per_kwh": [{"price": 0.5}, {"price": 1.5, "hours": "00:10-00:20"}]}
    assert supply({}, energies("m", [1.0] * 30), 30, **table)["energy_cost"] == pytest.approx(20 * 0.5 + 10 * 1.5)
    # Without a site meter the ports count.
    assert supply(energies("p", [2.0] * 30), {}, 30, **table)["energy_cost"] == pytest.approx(50)
    assert supply({}, energies("m", [1.0] * 30), 30)["energy_cost"] is None


def test_unmetered_is_what_the_site_meter_counts_and_no_port_in_minutes_that_all_know() -> None:
    ports = {**energies("a", [1.0, 1.0, None, 1.0]), **energies("b", [0.5, 0.5, 0.5, 0.5])}
    kpis = supply(ports, energies("m", [1.8, 1.8, 1.8, None]), 4)
    assert kpis["unmetered_kwh"] == pytest.approx(0.6)
    assert kpis["unmetered_share"] == pytest.approx(0.6 / 3.6)
    assert supply(ports, {}, 4)["unmetered_kwh"] is None


def test_efficiency_of_minutes_with_both_meters() -> None:
    kpis = supply(energies("a", [1.0, 1.0, None, 1.0], dc_energy_kwh=[0.95, 0.93, 0.9, 0.94]), {}, 4)
    assert kpis["ac_dc_efficiency"] == pytest.approx(0.94)
    assert supply(energies("a", [1.0]), {}, 1)["ac_dc_efficiency"] is None
