"""Advice in force at a station: what to change now, with its expected effect.

A record has the same shape for every kind of station, and each item names its `type`:
`{"station", "kind", "at", "items": [{"type", ...}], "reasons": {type: why there is none}}`.
"""

from collections.abc import Mapping
from typing import Any

from analytics.advice.curves import MachineCurves, learn_curves
from analytics.advice.dispatch import dispatch_advice
from analytics.advice.ordered import Ask, ordered_advice
from analytics.advice.pressure import pressure_advice
from analytics.advice.scorecard import scorecard
from analytics.air import air_minutes
from analytics.window import Window
from telemetry.times import format_time

__all__ = ["ADVICE_TYPES", "MachineCurves", "advice_of", "charging_advice", "learn_curves", "scorecard"]

ADVICE_TYPES = {"charging": ("ordered_charging", "scorecard"), "compressed_air": ("dispatch", "pressure")}
"""Kind of station -> types of its items."""


def advice_of(window: Window, curves: MachineCurves, last_week: Window) -> dict[str, Any]:
    """Return the advice record of a compressed-air station at the end of a window.

    Parameters
    ----------
    window
        The last day.
    curves
        How the station's machines run, as learned.
    last_week
        The half hour after the same time a week before, from which demand is forecast.
    """
    air = air_minutes(window)
    return _record(window, {
        "dispatch": dispatch_advice(air, curves, air_minutes(last_week)),
        "pressure": pressure_advice(air),
    })


def charging_advice(window: Window, asks: Mapping[str, Ask], score: dict[str, Any] | str) -> dict[str, Any]:
    """Return the advice record of a charging station at the end of a window.

    Parameters
    ----------
    window
        The last minutes.
    asks
        Port -> what its vehicle has asked for.
    score
        Of the day before the last full hour.
    """
    return _record(window, {"ordered_charging": ordered_advice(window, asks), "scorecard": score})


def _record(window: Window, found: Mapping[str, dict[str, Any] | str]) -> dict[str, Any]:
    return {
        "station": window.station.id,
        "kind": window.station.kind,
        "at": format_time(window.to_ms),
        "items": [{"type": name, **item} for name, item in found.items() if not isinstance(item, str)],
        "reasons": {name: item for name, item in found.items() if isinstance(item, str)},
    }
