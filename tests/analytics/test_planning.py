"""More or fewer ports: what is learned from a station that turned vehicles away, against playing it out."""

import random
from functools import cache

import numpy as np
import pytest
from naive.queueing import play
from naive.windows import runs_of, station_of

from analytics.planning import DAYS, WEEK_H, load_range, plan_of, traffic_of
from analytics.window import Window
from telemetry.times import HOUR_MS

MONDAY_MS = 1_732_492_800_000  # 2024-11-25T00:00:00Z
STAYS = [0.5, 1.0, 1.5, 3.0]
PORTS = 4


def rate(hour: float) -> float:
    """Busy on working days from 8 to 18, local time."""
    return 3.0 if hour % WEEK_H < 120 and 8 <= hour % 24 < 18 else 0.5


def seen(weeks: int, zone_h: int = 0, silent: tuple[float, float] = (0, 0), seed: int = 1) -> Window:
    """Return what was seen of vehicles of which those that found all ports taken went on unseen."""
    chance = random.Random(seed)  # noqa: S311 - a simulation
    until = [0.0] * PORTS
    stays: list[tuple[int, float, float]] = []
    now, end = 0.0, weeks * WEEK_H
    while (now := now + chance.expovariate(3.0)) < end:
        free = [p for p in range(PORTS) if until[p] <= now]
        if chance.random() * 3.0 < rate(now) and free:
            port = chance.choice(free)
            stay = chance.choice(STAYS)
            stays.append((port, now, now + stay))
            until[port] = now + stay
    from_ms = MONDAY_MS - zone_h * HOUR_MS

    def at(hour: float) -> int:
        return from_ms + round(hour * HOUR_MS)

    runs = []
    for port in range(PORTS):
        last = 0.0
        for _, start, stop in sorted(s for s in stays if s[0] == port):
            runs += [{"state": "Available", "device": f"p{port}", "start_ms": at(last), "end_ms": at(start)},
                     {"state": "Charging", "device": f"p{port}", "start_ms": at(start), "end_ms": at(stop)}]
            last = stop
        runs.append({"state": "Available", "device": f"p{port}", "start_ms": at(last), "end_ms": at(max(end, last))})
    if silent[1]:
        runs = [r for r in runs if not silent[0] <= (r["start_ms"] - from_ms) / HOUR_MS < silent[1]]
    zone = "Asia/Shanghai" if zone_h == 8 else "UTC"
    station = station_of("charging", timezone=zone, ports=[{"id": f"p{p}"} for p in range(PORTS)])
    return Window(
        station=station, listed=True, from_ms=from_ms, to_ms=at(end), now_ms=at(end), minutes={},
        runs={"port": runs_of([r for r in runs if r["end_ms"] > r["start_ms"]])}, first_heard_ms={},
        last_heard_ms={}, deaf_ms=np.empty((0, 2), np.int64),
    )


@cache
def year() -> Window:
    return seen(52)


def test_vehicles_that_were_turned_away_are_counted_in() -> None:
    traffic = traffic_of(year())
    assert not isinstance(traffic, str)
    true = np.array([rate(h + 0.5) for h in range(WEEK_H)])
    busy = true == 3.0
    # More than a tenth of them was not seen in busy hours.
    assert traffic.arrivals[busy].sum() / (52 * busy.sum()) < 0.9 * 3.0
    assert traffic.rate_per_h[busy].mean() == pytest.approx(3.0, rel=0.05)
    assert traffic.rate_per_h[~busy].mean() == pytest.approx(0.5, rel=0.05)
    assert traffic.stay_h.mean() == pytest.approx(1.5, rel=0.05)
    assert traffic.dispersion < 1.3


@pytest.mark.parametrize("ports", [3, 6, 8])
def test_other_numbers_of_ports_agree_with_vehicles_played_out(ports: int) -> None:
    present, found = plan_of(year(), ports)["items"]
    arrivals, full, _ = play(ports, rate, 3.0, STAYS, 52 * WEEK_H, seed=7)
    assert (present["ports"], found["ports"]) == (PORTS, ports)
    assert found["blocked"] == pytest.approx(full / arrivals, rel=0.12, abs=0.01)
    assert found["blocked_low"] < found["blocked"] < found["blocked_high"]
    assert (found["blocked"] < present["blocked"]) == (ports > PORTS)
    hours = found["hours"]
    assert [(hours[0]["day"], hours[0]["hour"]), (hours[167]["day"], hours[167]["hour"])] == [("Mon", 0), ("Sun", 23)]
    assert hours[12]["blocked"] > 5 * hours[3]["blocked"]
    assert (hours[12]["mean_wait_min"] is None) == (hours[12]["offered_ports"] >= ports)


def test_the_range_holds_the_true_load_of_most_hours() -> None:
    true = traffic_of(seen(200, seed=9))
    assert not isinstance(true, str)
    exact, _, _ = load_range(true)
    inside = []
    for seed in range(20, 26):
        some = traffic_of(seen(4, seed=seed))
        assert not isinstance(some, str)
        _, low, high = load_range(some)
        inside.append(((low <= exact) & (exact <= high)).mean())
    assert 0.85 <= np.mean(inside) <= 0.995


def test_hours_are_those_of_the_station() -> None:
    """The same station eight hours further east: the same local week."""
    here, there = traffic_of(seen(8)), traffic_of(seen(8, zone_h=8))
    assert not isinstance(here, str)
    assert not isinstance(there, str)
    assert (here.arrivals == there.arrivals).all()
    assert here.open_h == pytest.approx(there.open_h)
    assert DAYS[0] == "Mon"


def test_silence_is_no_time_without_arrivals() -> None:
    whole, part = traffic_of(seen(8)), traffic_of(seen(8, silent=(2 * WEEK_H, 4 * WEEK_H)))
    assert not isinstance(whole, str)
    assert not isinstance(part, str)
    assert part.weeks == pytest.approx(6, abs=0.2)
    assert part.rate_per_h.mean() == pytest.approx(whole.rate_per_h.mean(), rel=0.1)


def test_too_little_is_said() -> None:
    assert "2 weeks are needed" in plan_of(seen(1), None)["reasons"]["planning"]
    assert "0 finished stays" in str(traffic_of(Window(
        station=station_of("charging"), listed=True, from_ms=MONDAY_MS, to_ms=MONDAY_MS + HOUR_MS, now_ms=MONDAY_MS,
        minutes={}, runs={}, first_heard_ms={}, last_heard_ms={}, deaf_ms=np.empty((0, 2), np.int64))))
