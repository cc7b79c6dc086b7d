"""Detectors: what is wrong at a device, found in the minutes and runs of its station.

A detector is a pure function of a window, so it needs no memory of its own and survives every restart; a rule with
`input.source = "detector"` says from which value on it is an alert.
"""

from collections.abc import Callable, Mapping
from functools import partial

from analytics.detectors import electrical, links, meters, port_sessions, stuck_status, thermal
from analytics.detectors.air_leaks import LEAKS
from analytics.detectors.air_machines import MACHINES
from analytics.detectors.air_meters import METERS
from analytics.detectors.air_pressure import PRESSURE
from analytics.detectors.air_sensors import SENSORS
from analytics.detectors.air_unit import UNIT
from analytics.detectors.degraded import EFFICIENCY_DEGRADED
from analytics.detectors.impossible import IMPOSSIBLE_EFFICIENCY
from analytics.detectors.signal import Detector, Signal
from analytics.window import Window
from telemetry.times import DAY_MS, HOUR_MS

__all__ = ["DETECTORS", "Detector", "Signal"]


def _charging(find: Callable[[Window, int, int], Signal]) -> Detector:
    """Return a detector of a charging station; all look at the same window, so it is loaded once a minute."""
    return Detector(find, lookback_ms=HOUR_MS, runs_ms=DAY_MS)


DETECTORS: Mapping[str, Detector] = {
    "stuck_status": _charging(stuck_status.waiting),
    "charging_without_power": _charging(stuck_status.charging_without_power),
    "power_while_available": _charging(stuck_status.power_while_available),
    "zero_energy_sessions": _charging(port_sessions.zero_energy_sessions),
    "session_over_long": _charging(port_sessions.session_over_long),
    "session_overlap": _charging(port_sessions.session_overlap),
    "impossible_power": _charging(meters.impossible_power),
    "port_meter_reset": _charging(meters.meter_reset),
    "site_meter_reset": _charging(partial(meters.meter_reset, kind="site_meter")),
    "meter_mismatch": _charging(meters.meter_mismatch),
    "derating": _charging(thermal.derating),
    "over_temperature": _charging(thermal.over_temperature),
    "phase_loss": _charging(electrical.phase_loss),
    "voltage_limits": _charging(electrical.voltage_limits),
    "voltage_spread": _charging(electrical.voltage_spread),
    "site_power_loss": _charging(electrical.site_power_loss),
    "transformer_overload": _charging(electrical.transformer_overload),
    "current_imbalance": _charging(electrical.current_imbalance),
    "connector_lock": Detector(links.connector_lock, lookback_ms=DAY_MS, columns=("lock_failures",)),
    "link_flapping": _charging(links.link_flapping),
    "low_coverage": _charging(links.low_coverage),
    **LEAKS,
    **MACHINES,
    **METERS,
    **PRESSURE,
    **SENSORS,
    **UNIT,
    "efficiency_degraded": EFFICIENCY_DEGRADED,
    "impossible_efficiency": IMPOSSIBLE_EFFICIENCY,
}
"""Name -> detector; rules name them."""
