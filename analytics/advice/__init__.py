"""Advice in force at a station: what to change now, with its expected effect.

A record has the same shape for every kind of station, and each item names its `type`:
`{"station", "kind", "at", "items": [{"type", ...}], "reasons": {type: why there is none}}`.
"""

from typing import Any

from analytics.advice.curves import MachineCurves, learn_curves
from analytics.advice.dispatch import dispatch_advice
from analytics.advice.pressure import pressure_advice
from analytics.air import air_minutes
from analytics.window import Window
from telemetry.times import format_time

__all__ = ["MachineCurves", "advice_of", "learn_curves"]


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
    found = {
        "dispatch": dispatch_advice(air, curves, air_minutes(last_week)),
        "pressure": pressure_advice(air),
    }
    return {
        "station": window.station.id,
        "kind": window.station.kind,
        "at": format_time(window.to_ms),
        "items": [{"type": name, **item} for name, item in found.items() if not isinstance(item, str)],
        "reasons": {name: item for name, item in found.items() if isinstance(item, str)},
    }
