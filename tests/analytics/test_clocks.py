"""Clocks of devices: what must be told, with its delay, and what looks like a wrong clock and is none."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analytics.clocks import Clocks
from analytics.shelf import LONG_AGO
from telemetry.frame import FLAG_FUTURE, FLAG_RECEIPT_TIME, FLAG_RETAINED

sys.path.insert(0, str(Path(__file__).parent))
from journalled import T0, River, port

Course = Callable[[int], list[int]]
"""Second -> the times [s] that the device's readings of this second carry."""


def off_by(seconds: float, per_minute: float = 0.0) -> Course:
    return lambda s: [round(s + seconds + per_minute * s / 60)]


def backlog(s: int) -> list[int]:
    """Silent for half an hour before, then five minutes of catching up while it goes on."""
    return [s, *range(-1800 + 60 * (s // 10), -1740 + 60 * (s // 10), 20)] if s < 300 else [s]


def catching_up(s: int) -> list[int]:
    """Everything comes late, at twice the speed, before the present is reached."""
    return [min(2 * s - 600, s)]


def jittery(s: int) -> list[int]:
    """The way takes up to 50 s."""
    return [s - s * 7 % 51]


def values(course: Course, minutes: int = 20) -> list[float]:
    """Return how far the clock is off at the end of each minute [s]; NaN: unknown."""
    clocks, found, none = Clocks(), [], np.zeros(1, np.uint16)
    clocks.grow(1)
    for second in range(0, 60 * minutes, 10):
        times = np.array(course(second), np.int64) * 1000
        clocks.put(np.zeros(len(times), np.int64), times, np.repeat(none, len(times)), second * 1000)
        if second % 60 == 50:
            signal = clocks.signal("port", ["p"], np.array([0]), np.array([300_000]), second * 1000 + 9_999, {"p"})
            found.append(float(signal.value[0]))
    return found


@pytest.mark.parametrize("course", [
    off_by(-120), off_by(240), off_by(-61), off_by(8 * 3600),
    # A month off, as after day and month were swapped.
    off_by(-30 * 86_400),
    # Two seconds a minute slow, and 70 s so far.
    off_by(-70, -2),
])  # fmt: skip
def test_a_wrong_clock_is_known_after_a_minute(course: Course) -> None:
    first, *others = values(course)
    assert np.isnan(first)
    assert min(others) > 60


@pytest.mark.parametrize("course", [off_by(0), off_by(-55), off_by(55), backlog, catching_up, jittery])
def test_a_way_that_takes_time_is_no_wrong_clock(course: Course) -> None:
    assert not any(value > 60 for value in values(course))


def test_a_clock_that_is_wrong_and_a_way_that_takes_time() -> None:
    assert min(values(lambda s: [s - 300 - s * 7 % 11])[1:]) > 60


def test_readings_without_a_time_of_their_own_and_retained_ones_say_nothing() -> None:
    clocks = Clocks()
    clocks.grow(1)
    for second in range(0, 120, 10):
        for flag in (FLAG_RECEIPT_TIME, FLAG_RETAINED):
            clocks.put(np.array([0]), np.array([0]), np.array([flag], np.uint16), 9_000_000 + second * 1000)
    assert clocks.since_ms[0] == LONG_AGO


def test_a_clock_far_ahead_is_known_though_nothing_of_it_is_analysed() -> None:
    # Ingest marks what is more than five minutes ahead; here the first message already.
    clocks = Clocks()
    clocks.grow(3)
    for second in range(0, 120, 10):
        device, flags = np.array([2, 1, 2]), np.array([FLAG_FUTURE, 0, FLAG_FUTURE], np.uint16)
        clocks.put(device, np.array([28_790, 0, 28_800]) * 1000 + second * 1000, flags, second * 1000)
    mine, limits = np.array([1, 2]), np.full(2, 300_000)
    signal = clocks.signal("port", ["b", "c"], mine, limits, 130_000, set())
    assert (signal.devices, signal.value.tolist(), signal.evidence(0)) == (("c",), [28_800], {"clock_off_s": 28_800})
    # One that was told of stands in it while it is right; silent ones are unknown.
    assert clocks.signal("port", ["b", "c"], mine, limits, 130_000, {"b"}).value.tolist() == [0, 28_800]
    assert np.isnan(clocks.signal("port", ["b", "c"], mine, limits, 500_000, {"b"}).value).all()


def test_it_is_told_ends_when_the_clock_is_set_and_survives_a_kill(tmp_path: Path) -> None:
    river = River(tmp_path, [port("p", 0, "Available")], "live")
    river.put_registry({"stations": {"s": {"kind": "charging", "ports": [{"id": "p"}]}}})
    for second in range(0, 780, 10):
        river.write([port("p", second - 120 if second < 600 else second, "Available")])
        river.tick(step_ms=4_900)
        river.tick(step_ms=5_000)
        if second in (240, 300):
            river.work()
            river.analytics.commit()
            river.kill()
    river.work()
    river.analytics.commit()
    told = [(state, (at - T0) / 60_000) for rule, state, at in river.told() if rule == "clock_skew"]
    assert told == [("firing", 6), ("resolved", 11)]


def test_a_replay_has_no_time_of_receipt(tmp_path: Path) -> None:
    river = River(tmp_path, stream := [port("p", 20 * i, "Available") for i in range(60)])
    river.live_through(stream, 40, kills=False)
    assert river.told() == []
