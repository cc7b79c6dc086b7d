"""Detectors: what is wrong at a device, found in the minutes and runs of its station.

A detector is a pure function of a window, so it needs no memory of its own and survives every restart; a rule with
`input.source = "detector"` says from which value on it is an alert.
"""

from collections.abc import Mapping

from analytics.detectors.air_leaks import LEAKS
from analytics.detectors.air_machines import MACHINES
from analytics.detectors.air_meters import METERS
from analytics.detectors.air_pressure import PRESSURE
from analytics.detectors.air_sensors import SENSORS
from analytics.detectors.degraded import EFFICIENCY_DEGRADED
from analytics.detectors.impossible import IMPOSSIBLE_EFFICIENCY
from analytics.detectors.signal import Detector, Signal

__all__ = ["DETECTORS", "Detector", "Signal"]

DETECTORS: Mapping[str, Detector] = {
    **LEAKS,
    **MACHINES,
    **METERS,
    **PRESSURE,
    **SENSORS,
    "efficiency_degraded": EFFICIENCY_DEGRADED,
    "impossible_efficiency": IMPOSSIBLE_EFFICIENCY,
}
"""Name -> detector; rules name them."""
