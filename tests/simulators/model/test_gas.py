import itertools
import math

import pytest

from simulators.model.gas import compression_work, orifice_m3_min, pressure_rate_bar_min


@pytest.mark.parametrize(
    ("diameter_mm", "flow_m3_min"), [(1, 0.049), (2, 0.195), (3, 0.439), (5, 1.219), (10, 4.875)]
)
def test_holes_at_seven_bar_match_the_table(diameter_mm, flow_m3_min):
    assert orifice_m3_min(diameter_mm, 7.0) == pytest.approx(flow_m3_min, abs=0.0006)


def test_quarter_inch_at_100_psig_matches_the_textbook():
    scfm = 104.0  # ideal gas, 20 °C, 14.7 psia
    m3_min_anr = scfm * 0.0283168 * 1.01353
    assert orifice_m3_min(6.35, 100 * 0.0689476, discharge=1.0) == pytest.approx(m3_min_anr, rel=0.005)


def test_flow_is_continuous_and_falls_to_zero_with_the_pressure():
    flows = [orifice_m3_min(5, p / 100) for p in range(200)]
    assert flows[0] == 0.0
    assert all(a < b for a, b in itertools.pairwise(flows))
    assert max(b - a for a, b in itertools.pairwise(flows[10:])) < 0.01
    assert orifice_m3_min(0, 7.0) == 0.0


def test_receiver_of_ten_m3_rises_one_bar_with_ten_m3_of_air():
    assert pressure_rate_bar_min(15.0, 5.0, 10.0) == pytest.approx(1.0)


def test_isentropic_work_matches_the_floor_of_the_reference():
    # 0.0794 kWh/m3 at 7 bar and 0.0727 at 6 bar: 3.5 p1 (r^(1/3.5) - 1), p1 = 1.01325 bar
    for bar, floor in ((6.0, 0.0727), (7.0, 0.0794), (10.0, 0.0963)):
        assert 3.5 * 101.325 / 3600 * compression_work(bar) == pytest.approx(floor, abs=5e-5)
    assert compression_work(-0.5) == 0.0
    assert math.isfinite(compression_work(100.0))
