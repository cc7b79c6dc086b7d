import numpy as np
import pytest
from naive.air import isothermal_kwh_per_m3 as naive_isothermal_kwh_per_m3
from naive.kpis import naive_isentropic_kwh_per_m3

from analytics.kernels.thermo import isentropic_kwh_per_m3, isothermal_kwh_per_m3


@pytest.mark.parametrize(
    ("gauge_bar", "isothermal", "isentropic"),
    [(5, 0.0501, 0.0653), (6, 0.0545, 0.0727), (7, 0.0582, 0.0794), (8, 0.0615, 0.0854), (10, 0.0672, 0.0963)],
)
def test_floors_of_the_reference(gauge_bar: float, isothermal: float, isentropic: float) -> None:
    assert isothermal_kwh_per_m3(np.array([gauge_bar]))[0] == pytest.approx(isothermal, abs=5.1e-5)
    assert isentropic_kwh_per_m3(np.array([gauge_bar]))[0] == pytest.approx(isentropic, abs=5.1e-5)


@pytest.mark.parametrize("gauge_bar", [0.0, 0.4, 7.0, 12.5])
def test_isentropic_work_is_the_integral_of_v_dp(gauge_bar: float) -> None:
    found = isentropic_kwh_per_m3(np.array([gauge_bar]))[0]
    assert found == pytest.approx(naive_isentropic_kwh_per_m3(gauge_bar), rel=1e-6, abs=1e-12)


def test_missing_pressure_stays_missing_and_suction_is_no_work() -> None:
    found = isentropic_kwh_per_m3(np.array([np.nan, -0.5]))
    assert np.isnan(found[0])
    assert found[1] == 0.0


@pytest.mark.parametrize("gauge_bar", [0.0, 0.4, 7.0, 12.5])
def test_isothermal_work_is_the_integral_of_v_dp(gauge_bar: float) -> None:
    found = isothermal_kwh_per_m3(np.array([gauge_bar]))[0]
    assert found == pytest.approx(naive_isothermal_kwh_per_m3(gauge_bar), rel=1e-6, abs=1e-12)
