"""Key figures of groups: sums, and ratios of sums; what one station does not know nobody makes up."""

import pytest

from analytics.figures import KpiAnswer
from api.groups import group_kpis


def charging(**kpis: float | None) -> KpiAnswer:
    base: dict[str, float | None] = {
        "window_h": 24.0, "known_h": 20.0, "occupied_h": 5.0, "charging_h": 3.0, "idle_h": 2.0, "energy_kwh": 30.0,
        "sessions": 2.0, "sessions_successful": 1.0, "occupied_utilisation": 5 / 24,
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


def test_an_unknown_part_makes_the_sum_unknown() -> None:
    _, kpis, reasons = group_kpis("charging", [charging(), charging(energy_kwh=None)])
    assert kpis["energy_kwh"] is None
    assert reasons["energy_kwh"] == "1 of 2 stations do not know it"


def test_air_stations_add_up() -> None:
    figures: dict[str, float | None] = {"energy_kwh": 10.0, "volume_m3": 100.0, "kwh_per_m3": 0.1}
    one = KpiAnswer(coverage=1.0, kpis=figures, reasons={}, devices=())
    coverage, kpis, _ = group_kpis("compressed_air", [one])
    assert (coverage, kpis["volume_m3"], kpis["kwh_per_m3"]) == (1.0, 100.0, 0.1)
    _, kpis, reasons = group_kpis("compressed_air", [one, one])
    assert (kpis["energy_kwh"], kpis["kwh_per_m3"]) == (20.0, None)
    assert "kwh_per_m3" in reasons
