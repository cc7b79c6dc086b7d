"""Rules on key figures and derived rows, through the engine over a journal."""

import sys
from pathlib import Path

import numpy as np
from naive.readings import Reading
from naive.streams import reading
from naive.windows import station_of

from analytics.judge import idle_ends
from telemetry.points import NO_INT

sys.path.insert(0, str(Path(__file__).parent))
from journalled import T0, River, port

STATION = {
    "kind": "compressed_air", "timezone": "Asia/Shanghai", "baseline_kwh_per_m3": 0.12,
    "compressors": [{"id": "c1"}], "air_mains": [{"id": "main"}],
}


def air(minutes: range, kwh_per_min: float, m3_per_min: float, start: tuple[float, float] = (0, 0)) -> list[Reading]:
    """Return a minute-by-minute stream whose ratio is kwh_per_min / m3_per_min."""
    out = []
    for i, m in enumerate(minutes):
        at = T0 + 60_000 * m
        out.append(reading("compressor", "c1", at, values={"energy_kwh": start[0] + i * kwh_per_min}))
        out.append(reading("air_main", "main", at, values={"volume_m3": start[1] + i * m3_per_min}))
    return out


def finish(river: River) -> None:
    for _ in range(7):
        river.tick()
    river.work()
    river.analytics.commit()


def test_a_ratio_above_the_baseline_for_15_minutes_fires_once_and_resolves(tmp_path: Path) -> None:
    stream = air(range(61), 1.0, 10.0) + air(range(61, 121), 2.0, 10.0, (62, 610))
    stream += air(range(121, 240), 1.0, 10.0, (181, 1210))
    river = River(tmp_path, stream)
    river.put_registry({"stations": {"s": STATION}})
    river.write(stream)
    finish(river)
    ratio = [(state, (t - T0) // 60_000) for rule, state, t in river.told() if rule == "kwh_per_m3_high"]
    # From minute 60 on a minute needs 2 kWh for 10 m3: the 5 minutes up to minute 62 hold 2 of them, 7 kWh for
    # 50 m3, the first above 0.12. That has to last for 15 minutes; and so it ends 15 minutes after minute 124.
    assert ratio == [("firing", 62 + 15), ("resolved", 124 + 15)]


def test_a_peak_shorter_than_15_minutes_is_no_alert(tmp_path: Path) -> None:
    stream = air(range(61), 1.0, 10.0) + air(range(61, 71), 5.0, 10.0, (65, 610))
    stream += air(range(71, 130), 1.0, 10.0, (111, 710))
    river = River(tmp_path, stream)
    river.put_registry({"stations": {"s": STATION}})
    river.write(stream)
    finish(river)
    assert river.told() == []


def test_leakage_is_judged_while_machines_are_off_and_silent(tmp_path: Path) -> None:
    stream = []
    for m in range(0, 3 * 24 * 60, 10):
        idle = (T0 // 60_000 + m) % 1440 < 300
        at = T0 + 60_000 * m
        stream.append(reading("air_main", "main", at, values={"flow_m3_min": 3.0 if idle else 12.0}))
        if not idle:
            stream.append(reading("compressor", "c1", at, values={"power_kw": 60.0}))
    river = River(tmp_path, stream)
    station = {**STATION, "timezone": "UTC", "offline_after_s": 1_200, "idle_hours": "00:00-05:00"}
    river.put_registry({"stations": {"s": station}})
    river.write(stream)
    finish(river)
    leaks = [(state, t % 86_400_000 // 3_600_000) for rule, state, t in river.told() if rule == "leak_level"]
    assert leaks == [("firing", 5)]


def test_a_day_without_production_tells_nothing_about_the_share_of_leakage() -> None:
    # Monday, 18 November 2024: the weekend before it ends at 5:00, the next night on Tuesday at 5:00.
    monday = 1_731_888_000_000
    idle = "Mon-Fri 00:00-05:00; Sat-Sun 00:00-24:00"
    station = station_of("compressed_air", idle_hours=idle)
    hour = 3_600_000
    assert idle_ends(station, monday - 60 * hour, monday + 30 * hour) == [monday + 29 * hour]
    assert idle_ends(station, monday - 73 * hour, monday - 60 * hour) == [monday - 67 * hour]


def test_the_same_alerts_whatever_the_pieces_and_the_kills(tmp_path: Path) -> None:
    stream = air(range(60), 1.0, 10.0) + air(range(60, 120), 2.0, 10.0, (60, 600))
    told = []
    for name, step in (("calm", 10_000), ("killed", 3)):
        river = River(tmp_path / name, stream)
        river.put_registry({"stations": {"s": STATION}})
        river.live_through(stream, step, kills=name == "killed")
        told.append((river.told(), [len(p) for p in river.rows("air_station_1m")]))
    assert told[0] == told[1]
    assert [rule for rule, _, _ in told[0][0]] == ["kwh_per_m3_high"]


def test_rows_go_out_when_their_period_is_over_and_again_when_corrected(tmp_path: Path) -> None:
    day = 24 * 60
    stream = [port("p1", 60 * m, "Charging" if m % 2 else "Available") for m in range(0, 3 * day, 5)]
    late = port("p1", 60 * (3 * day - 5) - 30, "Faulted")
    river = River(tmp_path, [*stream, late])
    river.put_registry({"stations": {"s": {"kind": "charging", "ports": [{"id": "p1"}]}}})
    river.write(stream)
    finish(river)
    one_minute = np.concatenate([p.time_ms for p in river.rows("port_1m")])
    assert len(one_minute) == len(np.unique(one_minute)) == 3 * day - 5
    days = np.concatenate([p.time_ms for p in river.rows("port_1d")])
    assert len(days) == 3
    assert (days % 86_400_000 == 0).all()
    before = len(river.rows("port_1m"))
    river.write([late])
    finish(river)
    again = river.rows("port_1m")[before:]
    assert len(again) == 1
    assert np.nansum(np.asarray(again[0].fields["Faulted_s"], np.float64)) == 30


def last_rows(river: River) -> dict[tuple[object, ...], dict[str, object]]:
    """Return what a series store holds in the end: of each field what went out last; a missing one changes nothing.

    A state that a device was not in is missing at first, and 0 where it had to be taken back.
    """
    held: dict[tuple[object, ...], dict[str, object]] = {}
    for measurement in ("port_1m", "port_15m", "charging_station_1m", "charging_station_15m", "session"):
        for points in river.rows(measurement):
            for i, time_ms in enumerate(points.time_ms.tolist()):
                place = (measurement, time_ms, int(points.seq[i]), *sorted((k, v[i]) for k, v in points.tags.items()))
                found = {name: str(column[i]) for name, column in points.fields.items()}
                missing = ("nan", "None", str(NO_INT))
                held.setdefault(place, {}).update({k: v for k, v in found.items() if v not in missing})
    return {
        place: {k: v for k, v in row.items() if v != "0.0" or not k.endswith("_s")} for place, row in held.items()
    }


def test_a_backlog_read_at_once_leaves_the_rows_that_were_made_as_it_came(tmp_path: Path) -> None:
    """Live: each reading ends a segment that began in a minute whose row is out."""
    states = ("Available", "Preparing", "Charging", "Finishing")
    stream = [
        port(f"p{p}", 7 * i + p, states[(i // 11 + p) % 4], power_kw=float(i % 5), energy_kwh=10 + i / 7)
        for i in range(150) for p in range(2)
    ]
    held, out = [], []
    for name in ("as it came", "at once"):
        river = River(tmp_path / name, stream, mode="live")
        river.put_registry({"stations": {"s": {"kind": "charging", "ports": [{"id": "p0"}, {"id": "p1"}]}}})
        for row in stream:
            river.clock_ms = int(row["time_ms"])
            river.write([row])
            river.tick(step_ms=100)
            if name == "as it came":
                river.analytics.step()
        for _ in range(7):
            river.tick(step_ms=10_000)
        while river.analytics.step():
            pass
        river.analytics.commit()
        held.append(last_rows(river))
        out.append(sum(len(p) for p in river.rows("port_1m")))
    assert held[0] == held[1]
    assert {place[0] for place in held[0]} >= {"port_1m", "charging_station_1m", "session"}
    assert out[1] < out[0] / 2
