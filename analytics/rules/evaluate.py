"""From a value to a sample: the limit of a rule at a station, and whether the value is beyond it."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.rules.lifecycle import Sample
from analytics.rules.types import Rule, StateInput
from telemetry.registry import Station

Float64 = NDArray[np.float64]

GAUGE_ERROR_BAR = 0.085
"""0.5 % of the span -1..16 bar: no pressure is too low by less."""
LEAST_BAND_BAR = 0.5
"""Width of the header's band that is always allowed."""
DEW_POINT_SPARE_K = 3.0
"""Above the contract's dew point: error of the probe and the moment of a dryer's change."""

_COMPARE: Mapping[str, Callable[[Any, float], Any]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}


def threshold_of(rule: Rule, station: Station) -> float | None:
    """Return the limit of a rule in its unit, None where neither the rule nor the station gives one."""
    if rule.threshold is not None:
        return rule.threshold
    if rule.threshold_from == "baseline_kwh_per_m3":
        return baseline_kwh_per_m3(station)
    contract = station.contract_pressure_bar
    if rule.threshold_from == "contract_pressure" and contract is not None:
        return contract[0] - GAUGE_ERROR_BAR
    if rule.threshold_from == "contract_band" and contract is not None:
        return max(LEAST_BAND_BAR, contract[1] - contract[0])
    if rule.threshold_from == "dew_point_max" and station.dew_point_max_c is not None:
        return station.dew_point_max_c + DEW_POINT_SPARE_K
    return None


def beyond(rule: Rule, value: Float64, threshold: float | None, coverage: Float64) -> NDArray[np.int8]:
    """Return for each value 1 where the rule's condition holds, 0 where not, -1 where that is not known.

    Between `threshold` and `clear_threshold` it is not known either: an alert that fires goes on, a pending one ends.
    """
    if rule.comparison is None or threshold is None:
        return np.full(len(value), -1, np.int8)
    compare = _COMPARE[rule.comparison]
    holds = np.asarray(compare(value, threshold)).astype(np.int8)
    if rule.clear_threshold is not None:
        holds[(holds == 0) & compare(value, rule.clear_threshold)] = -1
    holds[np.isnan(value) | (coverage < rule.min_coverage)] = -1
    return holds


def baseline_kwh_per_m3(station: Station) -> float | None:
    """Return the ratio that a station is judged by: its own, else the mean of its customers'; None where neither."""
    if station.baseline_kwh_per_m3 is not None:
        return station.baseline_kwh_per_m3
    known = [c.baseline_kwh_per_m3 for c in station.customers if c.baseline_kwh_per_m3 is not None]
    return sum(known) / len(known) if known else None


def value_sample(
    rule: Rule, time_ms: int, value: float | None, threshold: float | None, coverage: float = 1.0,
    evidence: Mapping[str, Any] | None = None,
) -> Sample:
    """Judge a key figure or a detector's value.

    Parameters
    ----------
    rule
        A rule with a comparison.
    time_ms
        End of the window that the value describes.
    value, threshold
        In the rule's unit; without either the condition is unknown.
    coverage
        Known share of the window; below `rule.min_coverage` the condition is unknown.
    evidence
        Numbers that explain the value.
    """
    judged = np.array([np.nan if value is None else value])
    holds = int(beyond(rule, judged, threshold, np.array([coverage]))[0])
    return Sample(
        time_ms=time_ms, holds=None if holds < 0 else bool(holds), value=value, threshold=threshold,
        evidence={"coverage": coverage, **(evidence or {})},
    )


def state_sample(
    rule: Rule, time_ms: int, state: str | None, evidence: Mapping[str, Any] | None = None
) -> Sample:
    """Judge a device's own state (of a port: over all its connectors), with the time of the reading that set it.

    `state` None: unknown. `evidence`: the `error_code` or `fault_code`, where the reading had one.
    """
    holds = None if state is None or not isinstance(rule.input, StateInput) else state in rule.input.states
    return Sample(time_ms=time_ms, holds=holds, evidence={"state": state, **(evidence or {})})
