import csv
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import air as naive_air
from naive import leakage as naive

from analytics.kernels.leakage import (
    bleed_flow,
    cycle_share,
    decay_flow,
    decay_rate,
    hole_mm,
    idle_falls,
    orifice_m3_min,
    smallest_leak,
    whole_cycles,
)
from analytics.kernels.thermo import INLET_BAR

CFM = 0.0283168466
PSI = 0.0689475729


def test_bleed_test_of_the_textbook() -> None:
    assert bleed_flow(100, 150, 75, 120, 14.7) == pytest.approx(5.315, abs=5e-4)


def test_orifice_of_the_textbook_table() -> None:
    scfm = orifice_m3_min(6.35, 100 * PSI, 1.0, atmosphere_bar=14.7 * PSI, reference_bar=14.7 * PSI) / CFM
    assert scfm == pytest.approx(104.3, rel=5e-3)


@pytest.mark.parametrize(("mm", "flow"), [(1, 0.049), (2, 0.195), (3, 0.439), (5, 1.219), (10, 4.875)])
def test_holes_at_7_bar(mm: float, flow: float) -> None:
    assert orifice_m3_min(mm, 7.0) == pytest.approx(flow, abs=6e-4)


def test_cycles_and_decay_of_the_metropt_excerpt(data_dir: Path) -> None:
    with (data_dir / "metropt3" / "excerpt_2020-02-01.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    time_s = np.array([datetime.fromisoformat(r["timestamp"]).timestamp() for r in rows])
    loaded = np.array([float(r["COMP"]) == 0 and float(r["DV_eletric"]) == 1 for r in rows])
    pressure_bar = np.array([float(r["TP3"]) for r in rows])
    loaded_s, idle_s = whole_cycles(time_s, loaded)
    assert list(zip(loaded_s.tolist(), idle_s.tolist(), strict=True)) == [
        (109, 1942), (99, 1903), (99, 1923), (99, 1912)]
    assert (100 * cycle_share(loaded_s, idle_s)).round(2).tolist() == [5.31, 4.95, 4.90, 4.92]
    cut_out = np.flatnonzero(loaded[:-1] & ~loaded[1:]) + 1
    cut_in = np.flatnonzero(~loaded[:-1] & loaded[1:]) + 1
    falls = [(a, cut_in[cut_in > a][0]) for a in cut_out if (cut_in > a).any()]
    slopes = [float((pressure_bar[a] - pressure_bar[b - 1]) / (time_s[b - 1] - time_s[a]) * 60) for a, b in falls]
    assert np.mean(slopes) == pytest.approx(0.063, abs=0.0015)
    a, b = falls[0]
    rate, error = decay_rate((time_s[a:b] - time_s[a]) / 60, pressure_bar[a:b])
    # The air cools down after the cut-out, so the first minutes fall faster than a hole alone explains.
    assert rate * (9.06 + INLET_BAR) == pytest.approx(0.063, rel=0.1)
    assert 0 < error < 0.05 * rate


def test_decay_of_a_choked_hole_gives_its_flow_back() -> None:
    hole, volume_m3 = orifice_m3_min(5, 7.0), 20.0
    rate = hole / (volume_m3 * (7.0 + INLET_BAR))
    t = np.arange(0.0, 30.0)
    p = (7.0 + INLET_BAR) * np.exp(-rate * t) - INLET_BAR
    p[3] = np.nan
    found, error = decay_rate(t, p)
    assert decay_flow(volume_m3, 7.0, found) == pytest.approx(hole, rel=1e-9)
    assert error < 1e-12
    assert np.isnan(decay_rate(t[:2], p[:2])[0])


@given(st.lists(st.tuples(st.floats(1, 100), st.booleans()), max_size=60))
def test_whole_cycles_are_those_of_the_twin(steps: list[tuple[float, bool]]) -> None:
    time_s = np.cumsum([s for s, _ in steps]) if steps else np.empty(0)
    loaded = np.array([b for _, b in steps], np.bool_)
    found = whole_cycles(time_s, loaded)
    assert list(zip(found[0].tolist(), found[1].tolist(), strict=True)) == naive.whole_cycles(
        time_s.tolist(), loaded.tolist())


@given(st.lists(st.floats(0.1, 12), min_size=3, max_size=40))
def test_decay_is_that_of_the_twin(pressure_bar: list[float]) -> None:
    t = np.arange(float(len(pressure_bar)))
    assert decay_rate(t, np.array(pressure_bar))[0] == pytest.approx(
        naive.decay_rate(t.tolist(), pressure_bar), abs=1e-12)


def test_smallest_leak_of_five_meters() -> None:
    assert smallest_leak(np.array([30.0, 10, 10, 6, 4]), 0.02) == pytest.approx(0.04 * np.sqrt(900 + 200 + 36 + 16))


AMOUNT = st.floats(0.1, 50)


@given(AMOUNT, AMOUNT, AMOUNT, AMOUNT)
def test_textbook_formulas_are_those_of_their_twins(a: float, b: float, c: float, d: float) -> None:
    assert cycle_share(np.array([a]), np.array([b]))[0] == pytest.approx(naive.cycle_share(a, b))
    assert decay_flow(a, b, c) == pytest.approx(naive.decay_flow(a, b, c))
    assert bleed_flow(a, b + c, c, d, 1.0) == pytest.approx(naive.bleed_flow(a, b + c, c, d, 1.0))
    assert orifice_m3_min(a, b) == pytest.approx(naive.orifice_m3_min(a, b))
    assert smallest_leak(np.array([a, b, c]), 0.02) == pytest.approx(naive.smallest_leak([a, b, c], 0.02))


@given(AMOUNT, st.floats(1, 15))
def test_the_hole_of_a_leak_loses_it(leak_m3_min: float, gauge_bar: float) -> None:
    assert orifice_m3_min(hole_mm(leak_m3_min, gauge_bar), gauge_bar) == pytest.approx(leak_m3_min)
    assert np.isnan(hole_mm(leak_m3_min, 0.5))


MINUTE = st.tuples(st.booleans(), st.sampled_from([True, True, True, False]),
                   st.floats(5, 10) | st.just(float("nan")))


@given(st.lists(MINUTE, max_size=60))
def test_idle_falls_are_those_of_the_twin(minutes: list[tuple[bool, bool, float]]) -> None:
    delivers, known, bar = ([m[i] for m in minutes] for i in range(3))
    end, fall = idle_falls(np.array(delivers, np.bool_), np.array(known, np.bool_), np.array(bar, np.float64))
    expected = naive_air.idle_falls(delivers, known, bar)
    assert end.tolist() == [e for e, _ in expected]
    assert fall.tolist() == pytest.approx([f for _, f in expected])


def test_a_fall_between_two_loads_leaves_its_first_minute_out() -> None:
    bar = np.array([9.0, 10.0, 9.5, 9.4, 9.3, 9.2, 9.3])
    delivers = np.array([True, False, False, False, False, False, True])
    end, fall = idle_falls(delivers, np.ones(7, np.bool_), bar)
    assert end.tolist() == [6]
    assert fall == pytest.approx([0.1])
