"""Key figures of groups: sums, and ratios of sums; what one station does not know nobody makes up."""

import pytest

from analytics.figures import KpiAnswer
from analytics.groups import group_kpis


def charging(**kpis: float | None) -> KpiAnswer:
    base: dict[str, float | None] = {
        "window_h": 24.0, "known_h": 20.0, "occupied_h": 5.0, "charging_h": 3.0, "idle_h": 2.0, "energy_kwh": 30.0,
        "sessions": 2.0, "sessions_successful": 1.0, "sessions_judged": 2.0, "occupied_utilisation": 5 / 24,
    }
    return KpiAnswer(coverage=20 / 24, kpis={**base, **kpis}, reasons={}, devices=())


def test_ratios_are_of_sums() -> None:
    coverage, kpis, reasons = group_kpis(
        "charging", [charging(), charging(window_h=240.0, known_h=240.0, occupied_h=120.0)]
    )
    assert kpis["occupied_h"] == 125.0
    assert kpis["occupied_utilisation"] == pytest.approx(125 / 264)
    assert kpis["occupied_utilisation_of_known"] == pytest.approx(125 / 260)
    assert kpis["session_success_rate"] == 0.5
    assert coverage == pytest.approx(260 / 264)
    assert kpis["available_h"] is None
    assert reasons["available_h"] == "2 of 2 stations do not know it"


def test_rates_of_sessions_and_capacity_leave_out_what_no_station_could_judge() -> None:
    one = charging(sessions=9.0, sessions_judged=4.0, sessions_successful=3.0, sessions_measured=2.0,
                   sessions_measured_kwh=20.0, capacity_kwh=100.0)
    other = charging(sessions=1.0, sessions_judged=1.0, sessions_successful=1.0, sessions_measured=3.0,
                     sessions_measured_kwh=5.0, capacity_kwh=50.0)
    kpis = group_kpis("charging", [one, other])[1]
    assert (kpis["sessions"], kpis["session_success_rate"], kpis["mean_session_kwh"]) == (10.0, 0.8, 5.0)
    assert kpis["capacity_factor"] == pytest.approx(60 / 150)


def test_an_unknown_part_makes_the_sum_unknown() -> None:
    _, kpis, reasons = group_kpis("charging", [charging(), charging(energy_kwh=None)])
    assert kpis["energy_kwh"] is None
    assert reasons["energy_kwh"] == "1 of 2 stations do not know it"


def air(energy_kwh: float | None, volume_m3: float | None) -> KpiAnswer:
    figures = {"energy_kwh": energy_kwh, "volume_m3": volume_m3, "paired_energy_kwh": energy_kwh,
               "paired_volume_m3": volume_m3}
    return KpiAnswer(coverage=1.0, kpis=figures, reasons={}, devices=())


def test_air_stations_add_up_and_their_ratio_is_one_of_sums() -> None:
    coverage, kpis, _ = group_kpis("compressed_air", [air(10.0, 100.0)])
    assert (coverage, kpis["volume_m3"], kpis["kwh_per_m3"]) == (1.0, 100.0, 0.1)
    _, kpis, _ = group_kpis("compressed_air", [air(2_246_400, 18e6), air(3_088_800, 22e6)])
    assert (kpis["energy_kwh"], kpis["kwh_per_m3"]) == (5_335_200, 0.13338)
    _, kpis, reasons = group_kpis("compressed_air", [air(10.0, 100.0), air(None, None)])
    assert kpis["kwh_per_m3"] is None
    assert "kwh_per_m3" in reasons
