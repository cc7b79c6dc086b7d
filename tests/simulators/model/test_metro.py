"""The twin of MetroPT-3 against what is published of the data set."""

from functools import cache

import numpy as np
import pytest

from simulators.scenario import load_scenario
from simulators.simulation import Simulation
from telemetry.times import DAY_MS, SECOND_MS


@cache
def _lived(first_day: int, days: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (state, pressure, oil) every ten seconds, without faults and gaps."""
    scenario = load_scenario("air-metro")
    unit = Simulation(scenario, 4, scenario.start_ms, None).models["metro"]
    rows = []
    begin_ms = scenario.start_ms + first_day * DAY_MS
    for now_ms in range(begin_ms, begin_ms + days * DAY_MS, 10 * SECOND_MS):
        unit.advance(now_ms, 10.0)
        rows.append((unit.state, unit.pressure_bar, unit.oil_c))
    state, bar, oil = zip(*rows, strict=True)
    return np.array(state), np.array(bar), np.array(oil)


@pytest.mark.parametrize(
    ("first_day", "cycles_per_h", "loaded_s", "fall_bar_min"),
    [(0, (1.7, 2.2), (100, 118), (0.06, 0.078)), (155, (3.0, 3.9), (135, 153), (0.11, 0.16))],
    ids=["February", "July"],
)
def test_it_cycles_as_the_machine_did(first_day, cycles_per_h, loaded_s, fall_bar_min):
    state, bar, _ = _lived(first_day, 10)
    loaded = state == "loaded"
    on = np.flatnonzero(loaded[1:] & ~loaded[:-1]) + 1
    off = np.flatnonzero(~loaded[1:] & loaded[:-1]) + 1
    off = off[off > on[0]]
    on = on[: len(off)]
    assert cycles_per_h[0] < len(on) / 240 < cycles_per_h[1]
    assert loaded_s[0] <= np.median(10 * (off - on)) <= loaded_s[1]
    falls = [6 * (bar[a + 6] - bar[b - 1]) / (b - a - 7) for a, b in zip(off[:-1], on[1:], strict=True) if b - a > 12]
    assert fall_bar_min[0] < np.median(falls) < fall_bar_min[1]
    assert bar.min() > 7.4
    assert np.quantile(bar, 0.999) == pytest.approx(10.05, abs=0.08)


def test_shares_of_time_and_oil_are_near_the_published_ones():
    lived = [_lived(day, 10) for day in (0, 155)]
    state, oil = np.concatenate([s for s, _, _ in lived]), np.concatenate([o for _, _, o in lived])
    shares = {name: float((state == name).mean()) for name in ("stopped", "unloaded", "loaded")}
    # Of the whole record 54.5, 29.9 and 15.6 %, leaks of days included, in which it is always loaded.
    assert shares == pytest.approx({"stopped": 0.58, "unloaded": 0.31, "loaded": 0.11}, abs=0.05)
    assert np.median(oil) == pytest.approx(56.6, abs=4)
