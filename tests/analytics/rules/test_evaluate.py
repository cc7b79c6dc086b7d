from typing import Any

import msgspec
import numpy as np
import pytest

from analytics.rules.evaluate import baseline_kwh_per_m3, beyond, state_sample, threshold_of, value_sample
from analytics.rules.load import load_rules
from telemetry.registry import Station, registry_from_tables

RULES = load_rules().rules
RATIO = RULES["kwh_per_m3_high"]


def isle(**fields: Any) -> Station:
    return registry_from_tables({"stations": {"isle": {"kind": "compressed_air", **fields}}}, "test").station("isle")


def test_the_baseline_is_the_stations_else_the_mean_of_its_customers() -> None:
    customers = [
        {"id": "a", "baseline_kwh_per_m3": 0.12}, {"id": "b", "baseline_kwh_per_m3": 0.14}, {"id": "c"},
    ]
    assert baseline_kwh_per_m3(isle(customers=customers)) == pytest.approx(0.13)
    assert baseline_kwh_per_m3(isle(customers=customers, baseline_kwh_per_m3=0.11)) == 0.11
    assert threshold_of(RATIO, isle()) is None
    assert threshold_of(RATIO, isle(baseline_kwh_per_m3=0.11)) == 0.11
    assert threshold_of(RULES["leak_level"], isle()) == 0.15


@pytest.mark.parametrize(("value", "threshold", "coverage", "holds"), [
    (0.13, 0.12, 1.0, True), (0.12, 0.12, 1.0, False), (0.13, 0.12, 0.9, True), (0.13, 0.12, 0.89, None),
    (None, 0.12, 1.0, None), (0.13, None, 1.0, None),
])
def test_a_value_is_judged_only_where_it_is_known(
    value: float | None, threshold: float | None, coverage: float, holds: bool | None
) -> None:
    sample = value_sample(RATIO, 60_000, value, threshold, coverage, {"energy_kwh": 3.0})
    assert (sample.holds, sample.value, sample.threshold) == (holds, value, threshold)
    assert sample.evidence == {"coverage": coverage, "energy_kwh": 3.0}


@pytest.mark.parametrize(("comparison", "limits", "values", "expected"), [
    (">", (80.0, None), [79, 80, 81, float("nan")], [0, 0, 1, -1]),
    (">", (80.0, 70.0), [69, 70, 71, 80, 81], [0, 0, -1, -1, 1]),
    ("<=", (3.0, 4.0), [2, 3, 3.5, 4, 4.1], [1, 1, -1, -1, 0]),
    (">", (None, None), [1], [-1]),
])
def test_between_the_two_limits_nothing_changes(
    comparison: Any, limits: tuple[float | None, float | None], values: list[float], expected: list[int]
) -> None:
    rule = msgspec.structs.replace(RATIO, comparison=comparison, clear_threshold=limits[1])
    array = np.array(values, np.float64)
    assert beyond(rule, array, limits[0], np.ones(len(array))).tolist() == expected
    assert set(beyond(rule, array, limits[0], np.full(len(array), 0.5)).tolist()) == {-1}


def test_a_state_is_judged_by_its_name() -> None:
    rule = RULES["port_faulted"]
    assert [state_sample(rule, 0, s).holds for s in ("Faulted", "Available", None)] == [True, False, None]
    assert state_sample(rule, 0, "Faulted", {"error_code": "GroundFailure"}).evidence == {
        "state": "Faulted", "error_code": "GroundFailure",
    }
