"""Fields of one-minute rows as signals: what rules with `input.source = "bucket"` compare."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from analytics.detectors.signal import Signal
from analytics.kpis.electrical import mean_of, power_kw
from analytics.window import Window
from store.buckets import Buckets, empty_buckets, empty_of
from telemetry.channels import KIND_BY_NAME, Role
from telemetry.times import MINUTE_MS

ENDS = ("mean", "min", "max", "last")


def fields_of(kind: str) -> list[str]:
    """Return the names of the fields that a rule may compare for a kind of device."""
    gauges = [c.name for c in KIND_BY_NAME[kind].values if c.role is Role.GAUGE]
    return [f"{gauge}_{end}" for gauge in gauges for end in ENDS]


def field_signal(window: Window, kind: str, field: str) -> Signal:
    """Return a field of the minutes of every device of a kind; minutes without a value are unknown."""
    minutes = window.minutes.get(kind, empty_buckets())
    value = _values(minutes, field)

    def explain(row: int) -> Mapping[str, Any]:
        return {field: float(value[row])}

    return Signal(
        kind, minutes.devices, minutes.device, minutes.start_ms + MINUTE_MS, value, np.ones(len(minutes)), explain
    )


def _values(minutes: Buckets, field: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    gauge, _, end = field.rpartition("_")
    if end == "mean":
        return power_kw(minutes) if gauge == "power_kw" else mean_of(minutes, gauge)
    found = minutes.get(field)
    return np.where(found == empty_of(field), np.nan, found / 1e6)
