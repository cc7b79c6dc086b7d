"""Published rows equal the key figures of the same time, and say nothing that is not known."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from naive.rows import naive_device_row
from naive.windows import (
    LATE_S,
    START_MS,
    air_window,
    buckets_of,
    busy_ports,
    part,
    port_window,
    runs_of,
    station_of,
    window_of,
)

from analytics.kpis import station_kpis
from analytics.leaks import leaks_of
from analytics.publish import alert_row, device_rows, info_rows, session_rows, station_rows
from analytics.sessions import sessions_ending
from analytics.window import Window
from store.schema import OFFLINE_CODE, UNKNOWN_CODE
from telemetry.channels import PORT_STATUS
from telemetry.points import NO_INT, Points
from telemetry.times import DAY_MS, HOUR_MS, MINUTE_MS
from wire.points_codec import decode_points, encode_points


def columns(points: Points) -> dict[str, np.ndarray]:
    """Return the numbers of points; NaN where a field is missing."""
    return {
        name: np.where(column == NO_INT, np.nan, column) if column.dtype.kind == "i" else column
        for name, column in points.fields.items() if not isinstance(column, tuple)
    }


def assert_same(window: Window, width: str, width_ms: int, ignored: Mapping[str, str]) -> None:
    """Compare each row with `station_kpis` of its own period."""
    (points, *_) = station_rows(window, width)
    rows = columns(points)
    assert len(points) == (window.to_ms - window.from_ms) // width_ms
    compared = set()
    for i, start_ms in enumerate(points.time_ms.tolist()):
        answer = station_kpis(part(window, start_ms, start_ms + width_ms))
        for name, value in answer.kpis.items():
            if name in ignored:
                assert name not in rows
                continue
            found = rows[name][i] if name in rows else np.nan
            if value is None:
                assert np.isnan(found), (name, i, found)
            else:
                assert found == pytest.approx(value, rel=1e-9, abs=1e-9), (name, i)
                compared.add(name)
    assert len(compared) > 20, compared


NOT_OF_CHARGING = {
    "uptime": "needs maintenance windows", "up_min": "as uptime", "service_min": "as uptime",
    "lost_energy_kwh": "needs maintenance windows", "lost_money": "needs maintenance windows",
    "simultaneity": "of whole windows only",
    **dict.fromkeys(("visits", "attempts_per_visit", "first_attempt_success_rate", "troubled_visit_rate",
                     "failed_visit_rate", "demand_kw_max", "demand_cost", "energy_cost", "unmetered_kwh",
                     "unmetered_share", "ac_dc_efficiency"), "of whole windows only"),
    "current_imbalance_nema_max": "of whole windows only",
}
NOT_OF_AIR = {
    "grade": "of machines", "leak_m3_min": "of days only", "leak_share": "of days only",
    **dict.fromkeys((
        "starts_per_h", "pressure_std_bar", "pressure_spread_bar", "usable_storage_m3", "storage_min", "drain_min",
        "time_to_low_min", "worst_end_p05_bar", "worst_end_drop_bar", "customer_min_outside_contract",
        "useful_energy_kwh", "leak_energy_kwh", "over_pressure_energy_kwh", "treatment_energy_kwh",
        "degradation_energy_kwh",
    ), "beside the contract's figures, for windows only"),
}


@pytest.mark.parametrize(("width", "width_ms"), [("1m", MINUTE_MS), ("15m", 15 * MINUTE_MS), ("1h", HOUR_MS)])
def test_rows_of_a_charging_station_are_its_key_figures(width: str, width_ms: int) -> None:
    window = busy_ports(hours=5 if width != "1m" else 1)
    assert_same(window, width, width_ms, NOT_OF_CHARGING)


def test_hours_outside_opening_and_service_do_not_count() -> None:
    window = busy_ports(open_hours="Mon-Sun 01:30-03:10", ports=[
        {"id": "p1", "rated_kw": 11}, {"id": "p2", "decommissioned": "2024-11-22T02:00:00"}, {"id": "never"},
    ])
    assert_same(window, "1h", HOUR_MS, NOT_OF_CHARGING)


def test_ports_of_an_unlisted_station_count_once_heard() -> None:
    window = busy_ports(ports=[])
    late = {("port", "p3"): START_MS + 2 * HOUR_MS + 5, ("port", "p1"): START_MS, ("port", "p2"): START_MS}
    window = replace(window, first_heard_ms=late)
    rows = columns(station_rows(window, "1h")[0])
    assert rows["window_h"].tolist() == [2, 2, 3, 3, 3]


def test_time_in_which_voltair_was_deaf_is_unknown() -> None:
    deaf = np.array([[START_MS + 600_000, START_MS + 900_000], [START_MS + HOUR_MS, START_MS + 2 * HOUR_MS]])
    window = replace(busy_ports(), deaf_ms=deaf)
    assert_same(window, "15m", 15 * MINUTE_MS, NOT_OF_CHARGING)


AIR_TABLE: dict[str, Any] = {
    "compressors": [{"id": "c1"}, {"id": "c2", "decommissioned": "2024-11-22T04:00:00"}],
    "dryers": [{"id": "d1"}, {"id": "d2"}, {"id": "d3"}], "auxiliaries": [{"id": "pump"}],
    "air_mains": [{"id": "main"}, {"id": "gauge"}],
    "customers": [
        {"id": "x", "baseline_kwh_per_m3": 0.13, "meters": [{"id": "m1", "until": "2024-11-22T01:20:00"},
                                                           {"id": "m2", "from": "2024-11-22T01:20:00"}]},
        {"id": "y", "meters": ["m3"]},
    ],
    "contract_pressure_bar": [6.3, 7.0], "dew_point_max_c": 5, "co2_kg_per_kwh": 0.5,
    "tariff_per_kwh": [{"price": 0.6}, {"price": 0.9, "hours": "01:00-02:30"}],
}


def varied_air(hours: int = 6, **table: Any) -> Window:
    """Return a station of which now this, now that is missing, with whole hours without a main's flow or a meter."""
    rng, n = np.random.default_rng(11), 60 * hours

    def some(low: float, high: float, *gaps: tuple[int, int], hole: float = 0.03) -> list[float | None]:
        values: list[float | None] = [round(float(v), 3) for v in rng.uniform(low, high, n)]
        for a, b in gaps:
            values[a:b] = [None] * (b - a)
        return [None if rng.random() < hole else v for v in values]

    loaded = rng.integers(0, 60, n)
    states = {"loaded_s": loaded.tolist(), "unloaded_s": (40 - np.minimum(loaded, 40)).tolist(),
              "loading_s": [2] * n, "stopped_s": [1] * n}
    window = air_window(station_of("compressed_air", **{**AIR_TABLE, **table}), n, {
        ("compressor", "c1"): {"power_kw": some(50, 160), "flow_m3_min": some(10, 28),
                               "discharge_pressure_bar": some(6.5, 7.5), **states},
        ("compressor", "c2"): {"power_kw": some(50, 60), "flow_m3_min": some(5, 9), "loaded_s": [60] * n},
        ("dryer", "d1"): {"power_kw": some(5, 6, (120, 180)), "dew_point_c": some(3, 7)},
        ("dryer", "d2"): {"dew_point_c": some(3, 5)},
        ("auxiliary", "pump"): {"power_kw": some(1, 2)},
        ("air_main", "main"): {"flow_m3_min": some(20, 40, (60, 120)), "pressure_bar": some(6, 7.2, (60, 130)),
                               "dew_point_c": some(2, 8, (0, 60))},
        ("air_main", "gauge"): {"pressure_bar": some(6, 7.2, (60, 125))},
        ("air_meter", "m1"): {"flow_m3_min": some(5, 6)},
        ("air_meter", "m2"): {"flow_m3_min": some(5, 6, (200, 300))},
        ("air_meter", "m3"): {"flow_m3_min": some(5, 6)},
    })
    edges = np.cumsum(rng.integers(20, 900, 200)) * 1000 + START_MS
    runs = [
        {"device": "c1", "start_ms": int(a), "end_ms": int(b), "state": str(rng.choice(["loaded", "unloaded", ""]))}
        for a, b in pairwise(edges)
    ]
    compressors = window.minutes["compressor"]
    unloaded = compressors.get("energy_n") * (compressors.get("unloaded_ms") > 20_000)
    assert isinstance(compressors.columns, dict)
    compressors.columns["energy_unloaded_n"] = unloaded
    return replace(window, runs={"compressor": runs_of(runs)})


@pytest.mark.parametrize(("width", "width_ms"), [("1m", MINUTE_MS), ("15m", 15 * MINUTE_MS), ("1h", HOUR_MS)])
def test_rows_of_an_air_station_are_its_key_figures(width: str, width_ms: int) -> None:
    window = varied_air()
    assert_same(part(window, START_MS, START_MS + (6 if width != "1m" else 2) * HOUR_MS), width, width_ms, NOT_OF_AIR)


def test_air_devices_count_once_heard_where_none_is_listed() -> None:
    window = varied_air(compressors=[], dryers=[], auxiliaries=[], air_mains=[], customers=[])
    late = {("compressor", "c2"): START_MS + HOUR_MS + 5, ("air_meter", "m2"): START_MS + 2 * HOUR_MS,
            ("dryer", "d1"): START_MS + 3 * HOUR_MS}
    minutes = {}
    for kind, rows in window.minutes.items():
        since = np.array([late.get((kind, d), START_MS) for d in rows.devices])
        minutes[kind] = rows.take(rows.start_ms >= since[rows.device])
    window = replace(window, first_heard_ms={**window.first_heard_ms, **late}, minutes=minutes)
    assert_same(window, "1h", HOUR_MS, NOT_OF_AIR)


def test_days_are_local_and_know_the_leakage() -> None:
    # Berlin: 2024-10-27 has 25 hours.
    from_ms, days_min = START_MS - 26 * DAY_MS - 2 * HOUR_MS, (25 + 24) * 60
    table = {"timezone": "Europe/Berlin", "idle_hours": "Mon-Sun 00:00-05:00", "air_mains": [{"id": "main"}],
             "compressors": [{"id": "c1"}]}
    made = air_window(station_of("compressed_air", **table), days_min, {
        ("compressor", "c1"): {"power_kw": 60.0},
        ("air_main", "main"): {"flow_m3_min": [(3.0 if i < 60 * 25 else 6.0) + (i % 1500 > 400) * 7.0
                                               for i in range(days_min)]},
    })
    moved = {k: replace(b, start_ms=b.start_ms - START_MS + from_ms) for k, b in made.minutes.items()}
    window = replace(made, from_ms=from_ms, to_ms=from_ms + days_min * MINUTE_MS, now_ms=from_ms + days_min * MINUTE_MS,
                     minutes=moved, first_heard_ms=dict.fromkeys(made.first_heard_ms, from_ms))
    (points,) = station_rows(window, "1d")
    assert points.time_ms.tolist() == [from_ms, from_ms + 25 * HOUR_MS]
    rows = columns(points)
    assert rows["energy_kwh"] == pytest.approx([25 * 60, 24 * 60])
    for i, (a, b) in enumerate(((0, 25), (25, 49))):
        kpis = station_kpis(part(window, from_ms + a * HOUR_MS, from_ms + b * HOUR_MS)).kpis
        assert rows["leak_m3_min"][i] == pytest.approx(kpis["leak_m3_min"])
        assert rows["leak_share"][i] == pytest.approx(kpis["leak_share"])
        fused = leaks_of(part(window, from_ms + a * HOUR_MS, from_ms + b * HOUR_MS))["fused"]
        assert [rows[f"leak_{end}_m3_min"][i] for end in ("low", "high")] == [fused["low"], fused["high"]]
    assert rows["leak_m3_min"][1] > 1.5 * rows["leak_m3_min"][0]


def test_rows_carry_what_a_chart_compares_with() -> None:
    mains = {("air_main", "main"): {"flow_m3_min": 10.0, "pressure_bar": 6.5}}
    band = {"contract_pressure_bar": [6.3, 7.0], "baseline_kwh_per_m3": 0.12}
    (points,) = station_rows(air_window(station_of("compressed_air", **band), 60, mains), "15m")
    assert points.fields["baseline_kwh_per_m3"].tolist() == [0.12] * 4
    assert points.fields["contract_min_bar"].tolist() == [6.3] * 4
    assert points.fields["contract_max_bar"].tolist() == [7.0] * 4
    (bare,) = station_rows(air_window(station_of("compressed_air"), 60, mains), "15m")
    assert not {"baseline_kwh_per_m3", "contract_min_bar", "contract_max_bar"} & set(bare.fields)


def test_rows_of_customers_add_up_to_the_station() -> None:
    window = varied_air()
    station, *customers = station_rows(window, "1h")
    assert [p.measurement for p in customers] == ["air_customer_1h"] * 2
    assert [p.tags["customer"][0] for p in customers] == ["x", "y"]
    x, y = map(columns, customers)
    # In one hour the meter of x is silent.
    assert np.isnan(x["volume_m3"]).sum() == 1
    assert np.nan_to_num(x["volume_m3"]) + y["volume_m3"] == pytest.approx(columns(station)["metered_m3"])
    saved = columns(station)["savings_kwh"]
    assert np.nan_to_num(x["savings_kwh"]) == pytest.approx(np.nan_to_num(saved))
    assert (saved != 0).any()
    assert "savings_kwh" not in y
    assert len(station_rows(window, "15m")) == 1


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize(("width", "width_ms"), [("1m", MINUTE_MS), ("15m", 15 * MINUTE_MS), ("1h", HOUR_MS)])
def test_rows_of_ports_are_what_their_seconds_say(width: str, width_ms: int, again: bool) -> None:
    deaf = np.array([[START_MS + 1_500_000, START_MS + 2_700_000]])
    window = replace(busy_ports(hours=3), deaf_ms=deaf)
    window = replace(window, first_heard_ms={**window.first_heard_ms, ("port", "p2"): START_MS + LATE_S * 1000})
    (points,) = device_rows(window, width, again=again)
    assert points.measurement == f"port_{width}"
    assert points.derived
    rows = columns(points)
    seen = set()
    for i, (device, start_ms) in enumerate(zip(points.tags["device"], points.time_ms.tolist(), strict=True)):
        assert device is not None
        expected = naive_device_row(window, "port", device, start_ms, start_ms + width_ms)
        status = points.fields["status"][i]
        assert status == expected.pop("status"), (device, i)
        seen.add(status)
        code = {"Offline": OFFLINE_CODE, "Unknown": UNKNOWN_CODE}.get(status)
        assert points.fields["status_code"][i] == (PORT_STATUS.index(status) if code is None else code)
        for name, value in expected.items():
            found = rows[name][i] if name in rows else np.nan
            # Of a rare state a row says nothing where it lasted no time, whatever the other rows hold.
            rare = name.endswith("_s") and name not in ("Available_s", "Charging_s", "known_s", "offline_s")
            wanted = np.nan if value is None or (rare and value == 0 and not again) else value
            assert found == pytest.approx(wanted, nan_ok=True), (device, i, name)
    assert len(points) == 3 * 3 * HOUR_MS // width_ms
    assert width != "1m" or {"Offline", "Unknown", "Charging"} <= seen


def test_a_port_has_rows_from_its_first_message_on_and_while_it_is_silent() -> None:
    late = [None] * 150 + [("Available", "")] * 30 + [None] * 420
    window = port_window({"p1": late, "p2": [("Charging", "")] * 600}, station_of("charging"))
    (points,) = device_rows(window, "1m")
    rows = [(d, t) for d, t in zip(points.tags["device"], (points.time_ms - START_MS) // MINUTE_MS, strict=True)]
    assert rows == [("p1", t) for t in range(2, 10)] + [("p2", t) for t in range(10)]
    assert points.fields["status"][:3] == ("Available", "Offline", "Offline")
    assert points.tags["station"] == ("s",) * 18
    assert (points.seq == -1).all()
    # What is not known is not 0: a silent port has no energy and no time in a state.
    assert np.isnan(columns(points)["energy_kwh"][1])
    assert np.isnan(columns(points)["Available_s"][1])


def test_gauges_and_registers_of_machines_and_meters() -> None:
    start = {("compressor", d): START_MS for d in ("c1", "c2")}
    rows = {
        ("c1", START_MS): {"heard_ms": 60_000, "loaded_ms": 60_000, "power_kw_i": 150_000_000 * 60_000,
                           "power_kw_ms": 60_000, "power_kw_min": 149_000_000, "power_kw_max": 151_000_000,
                           "power_kw_last": 150_500_000, "power_kw_last_ms": START_MS + 50_000,
                           "running_h_n": 16_666_667, "running_h_ms": 60_000},
        ("c1", START_MS + MINUTE_MS): {"heard_ms": 60_000, "stopped_ms": 60_000, "power_kw_i": 0, "power_kw_ms": 20_000,
                                       "power_kw_min": 0, "power_kw_max": 0, "power_kw_last": 0,
                                       "power_kw_last_ms": START_MS + 70_000},
        ("c2", START_MS): {"heard_ms": 60_000, "loaded_ms": 60_000, "energy_n": 2_000_000_000, "energy_ms": 60_000,
                           "volume_n": 20_000_000_000, "volume_ms": 60_000,
                           "power_kw_min": np.iinfo(np.int64).max, "power_kw_max": np.iinfo(np.int64).min,
                           "power_kw_last": np.iinfo(np.int64).min, "power_kw_last_ms": np.iinfo(np.int64).min},
    }
    runs = runs_of([{"device": d, "start_ms": START_MS, "end_ms": START_MS + k * MINUTE_MS, "state": "loaded"}
                    for d, k in (("c1", 2), ("c2", 1))])
    window = window_of(station_of("compressed_air"), 15, minutes={"compressor": buckets_of(rows)},
                       runs={"compressor": runs}, first_heard_ms=start, now_ms=START_MS + 15 * MINUTE_MS)
    (points,) = device_rows(window, "15m")
    found = columns(points)
    assert points.tags["device"] == ("c1", "c2")
    assert points.fields["status"] == ("Offline", "Offline")
    assert found["offline_s"].tolist() == [780, 840]
    assert (found["loaded_s"].tolist(), found["stopped_s"].tolist()) == ([60, 60], [60, 0])
    assert found["power_kw_mean"] == pytest.approx([112.5, 120])
    assert found["power_kw_min"] == pytest.approx([0, np.nan], nan_ok=True)
    assert found["power_kw_max"] == pytest.approx([151, np.nan], nan_ok=True)
    assert found["power_kw_last"] == pytest.approx([0, np.nan], nan_ok=True)
    assert found["flow_m3_min_mean"] == pytest.approx([np.nan, 20], nan_ok=True)
    assert found["running_h"] == pytest.approx([1 / 60, np.nan], nan_ok=True)
    assert found["energy_kwh"] == pytest.approx([np.nan, 2], nan_ok=True)
    assert device_rows(window, "1m")[0].fields["status"][:3] == ("loaded", "stopped", "Offline")


def test_meters_have_no_status_and_are_known_while_heard() -> None:
    rows = {("m", START_MS): {"heard_ms": 45_000, "power_kw_i": 5 * 10**6 * 45_000, "power_kw_ms": 45_000}}
    runs = runs_of([{"device": "m", "start_ms": START_MS, "end_ms": START_MS + 45_000, "state": ""}])
    window = window_of(station_of("charging"), 2, minutes={"site_meter": buckets_of(rows)}, runs={"site_meter": runs},
                       first_heard_ms={("site_meter", "m"): START_MS})
    (points,) = device_rows(window, "1m")
    assert set(points.fields) == {"known_s", "offline_s", "power_kw_mean"}
    assert columns(points)["known_s"].tolist() == [45, 0]
    assert columns(points)["offline_s"].tolist() == [15, 60]


def test_sessions_that_ended_in_a_span_become_points_at_their_start() -> None:
    window = busy_ports()
    middle_ms = START_MS + 2 * HOUR_MS
    (early,), (late,) = session_rows(window, START_MS, middle_ms), session_rows(window, middle_ms, window.to_ms)
    ended = sessions_ending(window)
    assert len(early) + len(late) == len(ended)
    by_key = {(s.port, s.start_ms): s for s in ended}
    for points in (early, late):
        for i, key in enumerate(zip(points.tags["device"], points.time_ms.tolist(), strict=True)):
            session = by_key.pop(key)  # type: ignore[arg-type]  # a session's device is never missing
            assert points.fields["end_ms"][i] == session.end_ms
            assert points.fields["energy_kwh"][i] == session.energy_kwh
            assert points.fields["outcome"][i] == session.outcome
            assert points.fields["charging_s"][i] == session.charging_s
    assert not by_key
    assert session_rows(window, START_MS, START_MS) == []


TRANSITION: dict[str, Any] = {
    "id": "t", "alert": "a", "fingerprint": "f", "type": "alert.firing", "time_ms": START_MS, "rule": "port_faulted",
    "category": "availability", "severity": "warning", "state": "firing", "station": "harbour", "device": "p1",
    "device_kind": "port", "since_ms": START_MS, "fired_ms": START_MS, "resolved_ms": None, "value": None,
    "threshold": None, "unit": "", "summary": {"en": "p1 is faulted", "zh": "p1 故障"},
    "remedy": {"en": "Restart it.", "zh": "请重启。"}, "evidence": {},
}


def test_an_alert_is_a_point_per_transition_and_its_firing_learns_its_end() -> None:
    fired = alert_row(TRANSITION)
    assert fired.tags == {"station": ("harbour",), "device": ("p1",), "rule": ("port_faulted",)}
    assert fired.fields["title"] == ("p1 is faulted",)
    assert fired.fields["text_zh"] == ("请重启。",)
    assert fired.fields["tags"] == ("warning,availability,firing",)
    assert fired.fields["end_time"].tolist() == [START_MS]
    assert (fired.fields["alert_id"], fired.fields["severity"], fired.fields["state"]) == (
        ("a",), ("warning",), ("firing",))
    assert fired.fields["since_ms"].tolist() == [START_MS]
    end_ms = START_MS + 90_000
    resolved = alert_row({**TRANSITION, "type": "alert.resolved", "state": "resolved", "time_ms": end_ms,
                          "resolved_ms": end_ms, "device": None})
    assert resolved.time_ms.tolist() == [end_ms, START_MS]
    assert resolved.fields["title"] == ("Resolved: p1 is faulted", None)
    assert resolved.fields["state"] == ("resolved", None)  # the firing stays one
    assert resolved.fields["end_time"].tolist() == [end_ms, end_ms]
    assert resolved.tags["device"] == (None, None)


def test_names_and_ratings() -> None:
    station = station_of("charging", name="Harbour", transformer_kva=400, ports=[
        {"id": "p1", "name": "Bay 1", "rated_kw": 7}, {"id": "p2", "rated_kw": 11, "charge_point": "CP"},
    ])
    about, devices = info_rows(station, "s", [("port", "p1"), ("site_meter", "m")], START_MS)
    assert about.fields["name"] == ("Harbour",)
    assert about.fields["transformer_kva"].tolist() == [400]
    assert devices.tags["device"] == ("p1", "p2", "m")
    assert devices.fields["kind"] == ("port", "port", "site_meter")
    assert devices.fields["registered"].tolist() == [1, 1, 0]
    assert devices.fields["name"] == ("Bay 1", None, None)
    assert devices.fields["rated_kw"] == pytest.approx([7, 11, np.nan], nan_ok=True)


def test_rows_survive_the_outbox_and_nothing_seen_gives_none() -> None:
    window = busy_ports(hours=1)
    for points in (*device_rows(window, "15m"), *station_rows(window, "1h"), alert_row(TRANSITION)):
        again = decode_points(encode_points(points))
        assert again.measurement == points.measurement
        assert again.derived
        assert list(again.fields) == list(points.fields)
    assert device_rows(window_of(station_of("charging"), 60), "1h") == []
    (empty,) = station_rows(window_of(station_of("charging"), 60), "1h")
    assert "occupied_utilisation" not in empty.fields
    assert len(station_rows(window_of(station_of("compressed_air"), 60), "1m")[0]) == 60
