"""What an alert says: templates of a rule, filled with names and numbers."""

import math
import string
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from analytics.rules.types import Texts
from telemetry.times import to_datetime

PLACEHOLDERS = frozenset(
    {"station", "device", "devices", "count", "value", "value_pct", "threshold", "threshold_pct", "unit", "since"}
)
"""What a template may name: see `fill`."""


def placeholders_of(template: str) -> set[str]:
    """Return the names in a template.

    Raises
    ------
    ValueError
        If braces do not match.
    """
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def fill(
    texts: Texts, *, station: str, device: str | None, value: float | None, threshold: float | None, unit: str,
    since_ms: int, zone: ZoneInfo, evidence: Mapping[str, Any],
) -> dict[str, str]:
    """Return the texts of an alert by language.

    Parameters
    ----------
    texts
        Templates: `{station}` and `{device}` names for people; `{value}`, `{threshold}` with `{unit}`, or
        `{value_pct}`, `{threshold_pct}` of a fraction; `{since}` local time; `{devices}`, `{count}` of the evidence.
    station, device
        Names to show; device None for the whole station.
    value, threshold
        Numbers in `unit`; None is shown as a dash.
    since_ms
        When the condition began to hold.
    zone
        The station's time zone.
    evidence
        Of the alert; `devices` are listed.
    """
    devices = [str(d) for d in evidence.get("devices", ())]
    names = {
        "station": station,
        "device": device or station,
        "devices": ", ".join(devices),
        "count": str(len(devices)),
        "value": number(value),
        "value_pct": number(None if value is None else 100 * value),
        "threshold": number(threshold),
        "threshold_pct": number(None if threshold is None else 100 * threshold),
        "unit": unit,
        "since": to_datetime(since_ms).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
    }
    return {"en": texts.en.format_map(names), "zh": texts.zh.format_map(names)}


def number(value: float | None) -> str:
    """Return a number for people: whole from 1000 on, else 3 significant digits; a dash where it is missing."""
    if value is None or not math.isfinite(value):
        return "–"
    if abs(value) >= 1000:
        return f"{value:.0f}"
    # Through a rounded float, so that 100 is not written 1e+02 and 0.1200 is written 0.12.
    return f"{float(f'{value:.3g}'):.10f}".rstrip("0").rstrip(".")
