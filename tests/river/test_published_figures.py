"""Further recordings through the whole river: the numbers that are published for them come out of the API."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from statistics import mean

import pytest
from river.stack import stack

from simulators.replay import replay_messages, replay_tables
from simulators.replay.acn_sessions import acn_sessions_messages, read_acn_sessions
from simulators.toml_text import to_toml
from telemetry.times import DAY_MS, HOUR_MS, parse_time

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]

DECODER = """
[[decoders]]
topic = "ocpp/{charge_point}/log"
format = "ocpp16"
station = "kwwhat"
readings = "frame"
time = { path = "at", format = "iso" }
ports = { "1" = [1, 2], "2" = [3, 4] }
"""
FAULTED_S = 89.0
"""Of a port with two connectors: from when both have said so."""
NO_ROWS = '[analytics]\nlateness = "400d"\n'
"""Derived rows wait: nobody asks for them here."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "ports", "sessions", "energy_kwh", "occupied", "capacity_factor"),
    [
        ("caltech_2019-05-01_2019-08-31", 52, 3527, 29_532.8, 0.1422, 0.0289),
        ("caltech_2021-05-01_2021-08-31", 40, 1829, 22_783.6, 0.0476, 0.0290),
    ],
)
def test_sessions_of_a_real_garage(
    data_dir: Path, tmp_path: Path, name: str, ports: int, sessions: int, energy_kwh: float, occupied: float,
    capacity_factor: float,
) -> None:  # fmt: skip
    file = data_dir / "acn-sessions" / f"{name}.csv.gz"
    window = read_acn_sessions(file)
    tables = replay_tables(file, "acn-sessions")
    tables["stations"]["caltech"]["offline_after_s"] = 86_400
    with stack(tmp_path, stations=to_toml(tables), sections=NO_ROWS) as river:
        # Fewer signs of life than a replay sends, so that this test is quick; their pause is tested by itself.
        river.publish(acn_sessions_messages(file, "caltech", life_ms=DAY_MS))
        river.wait_drained()
        answer = river.kpis("caltech", window.from_ms, window.to_ms)
        # The last vehicle of 2019 leaves after the window.
        span = {"from_": window.from_ms, "to": window.to_ms + DAY_MS}
        listed = river.items("stations/caltech/sessions", **span, limit=1000)
        river.report()
    kpis = answer["kpis"]
    assert answer["coverage"] == 1.0
    assert len(answer["devices"]) == ports
    assert len(listed) == len({s["session_id"] for s in listed}) == sessions
    assert sum(s["energy_kwh"] for s in listed) == pytest.approx(energy_kwh, abs=0.05)
    assert kpis["occupied_utilisation"] == pytest.approx(occupied, abs=0.00005)
    assert kpis["capacity_factor"] == pytest.approx(capacity_factor, abs=0.00005)


def test_a_log_of_ocpp_frames(data_dir: Path, tmp_path: Path) -> None:
    file = data_dir / "ocpp-log" / "ocpp_1_6_synthetic_logs_14d.csv"
    from_ms, to_ms = parse_time("2025-10-01T08:00:00Z"), parse_time("2025-10-15T07:55:00Z")
    assert from_ms is not None
    stations = to_toml(replay_tables(file, "ocpp-log"))
    with stack(tmp_path, stations=stations, sections=NO_ROWS + DECODER) as river:
        count = river.publish(replay_messages(file, "ocpp-log"))
        progress = river.wait_drained()
        uptime = {p["port"]: p for p in river.items("stations/kwwhat/uptime", from_=from_ms, to=to_ms)}
        whole_day = river.items("stations/kwwhat/uptime", from_=from_ms - 8 * HOUR_MS, to=to_ms)
        day = {p["port"]: p for p in whole_day}
        errors = river.items("series", measurement="port", field="error_code", station="kwwhat", device="CH-002-1",
                             from_=from_ms, to=to_ms)
        sessions = river.sessions("kwwhat", from_ms, to_ms)
        answer = river.kpis("kwwhat", from_ms, to_ms)
        river.report()
    assert (progress["received"], progress["dead_lettered"]) == (count, 0)
    assert {port: (u["minutes"], u["outage_min"]) for port, u in uptime.items()} == {
        "CH-001-1": (20_155.0, 40.0),
        "CH-001-2": (20_155.0, 40.0),
        "CH-002-1": (20_155.0, 20.0 + FAULTED_S / 60.0),
        "CH-002-2": (20_155.0, 20.0),
    }
    assert [len(u["outages"]) for u in uptime.values()] == [4, 4, 3, 2]
    lead = {port: u["outage_min"] - uptime[port]["outage_min"] for port, u in day.items()}
    assert lead == {"CH-001-1": 0.0, "CH-001-2": 0.0, "CH-002-1": 480.0, "CH-002-2": 480.0}
    assert answer["kpis"]["energy_kwh"] == pytest.approx(62.4, abs=0.001)
    assert len({s["session_id"] for s in sessions if s["session_id"]}) == 39
    # One of two transactions that overlap is booked while its connector says Available: no session has its energy.
    good = [s for s in sessions if s["outcome"] == "success"]
    assert len(good) == 38
    assert all(s["energy_kwh"] == pytest.approx(1.6, abs=0.001) for s in good)
    assert {s["port"] for s in good} == {"CH-001-1"}
    assert sum(item["value"] == "ConnectorLockFailure" for item in errors) == 101 + 1


def test_a_night_of_a_metro_train(data_dir: Path, tmp_path: Path) -> None:
    file = data_dir / "metropt3" / "excerpt_2020-02-01.csv"
    from_ms, to_ms = parse_time("2020-02-01T00:00:00Z"), parse_time("2020-02-01T02:45:01Z")
    tables = replay_tables(file, "metropt3")
    # A rated flow and a receiver of one: the figures are the share of capacity and the fall itself.
    metro = tables["stations"]["metro"]
    metro |= {"idle_hours": "Mon-Sun 00:00-05:00", "receiver_m3": 1.0}
    metro["compressors"][0]["rated_flow_m3_min"] = 1.0
    with stack(tmp_path, stations=to_toml(tables)) as river:
        river.publish(replay_messages(file, "metropt3"))
        river.wait_drained()
        answer = river.kpis("metro", from_ms, to_ms)
        leaks = river.get("stations/metro/leaks", from_=from_ms, to=to_ms)
        states = river.items("series", measurement="compressor", field="state", station="metro", device="apu",
                             from_=from_ms, to=to_ms + 1)
        pressures = river.items("series", measurement="air_main", field="pressure_bar", station="metro",
                                device="main", from_=from_ms, to=to_ms + 1)
        river.report()
    assert Counter(item["value"] for item in states) == {"stopped": 748, "unloaded": 201, "loaded": 51}
    changes = [(a["time_ms"], b["time_ms"], b["value"]) for a, b in pairwise(states) if a["value"] != b["value"]]
    starts = [time_ms for _, time_ms, state in changes if state == "loaded"]
    ends = [next(t for _, t, _ in changes if t > start) for start in starts]
    loads = [(end - start) // 1000 for start, end in zip(starts, ends, strict=True)]
    idles = [(start - end) // 1000 for end, start in zip(ends, starts[1:], strict=False)]
    assert loads[:4] == [109, 99, 99, 99]
    assert idles == [1942, 1903, 1923, 1912]
    bar = {item["time_ms"]: item["value"] for item in pressures}
    assert mean(bar[start] for start in starts) == pytest.approx(8.07, abs=0.005)
    assert max(bar.values()) == pytest.approx(10.10, abs=0.005)
    kpis = answer["kpis"]
    assert (kpis["known_h"], kpis["loaded_h"]) == (pytest.approx(2.75, abs=0.001), pytest.approx(sum(loads) / 3600))
    methods = {m["method"]: m for m in leaks["methods"]}
    cycles, decay = methods["load_cycles"], methods["pressure_decay"]
    shares = cycles["inputs"]["last_cycle_shares"]["apu"]
    assert [round(100 * s, 2) for s in shares[:4]] == [5.31, 4.95, 4.90, 4.92]
    assert cycles["leak_m3_min"] == pytest.approx((109 + 3 * 99) / (109 + 3 * 99 + 1942 + 1903 + 1923 + 1912), rel=1e-4)
    falls = [60_000 * (bar[a] - bar[b]) / (b - a) for a, b in zip(ends, starts[1:], strict=False)]
    assert mean(falls[:4]) == pytest.approx(0.063, abs=0.0015)
    # From cut-out to cut-in, cooling and all; the estimate leaves out the minute of the cut-out.
    assert decay["inputs"]["bar_per_min"] == pytest.approx(0.0632, abs=0.0003)
    assert decay["inputs"]["fitted_bar_per_min"] == pytest.approx(0.0598, abs=0.0005)
