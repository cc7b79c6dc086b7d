"""evcc: one value per topic below `evcc/{station}/loadpoints/{n}`, without a time: it counts when it is received.

Ports are load points by order of first appearance. evcc knows whether a vehicle is connected, charging and enabled, no
more.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from simulators.dialects.reading import Native
from simulators.message import Message
from telemetry.channels import OCCUPIED_STATUS

_VALUES = {
    "power_kw": ("chargePower", 1000.0),
    "soc_pct": ("vehicleSoc", 1.0),
    **{f"current_l{k}_a": (f"chargeCurrents/l{k}", 1.0) for k in (1, 2, 3)},
    **{f"voltage_l{k}_v": (f"chargeVoltages/l{k}", 1.0) for k in (1, 2, 3)},
}
"""Channel -> value, units per ours."""


@dataclass(slots=True)
class Evcc:
    """What is remembered between readings: numbers of load points, and each one's register as its session began."""

    _points: dict[tuple[str, str], int] = field(default_factory=dict)
    _begun_kwh: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)

    def speak(self, reading: Native) -> Iterator[Message]:
        """Yield a port's reading, a message per value."""
        if reading.kind != "port":
            return
        key, values = (reading.station, reading.device), reading.values
        stations = sum(station == reading.station for station, _ in self._points)
        number = self._points.setdefault(key, stations + 1)
        said: dict[str, Any] = {}
        if "status" in values:
            status = values["status"]
            said["connected"] = status in OCCUPIED_STATUS
            said["charging"] = status == "Charging"
            said["enabled"] = status != "SuspendedEVSE"
        for channel, (name, factor) in _VALUES.items():
            if channel in values:
                said[name] = round(values[channel] * factor, 6)
        if "energy_kwh" in values:
            session = values.get("session_id", "")
            if self._begun_kwh.get(key, ("-", 0.0))[0] != session:
                self._begun_kwh[key] = session, values["energy_kwh"]
            said["chargedEnergy"] = round((values["energy_kwh"] - self._begun_kwh[key][1]) * 1000, 3)
        for name, value in said.items():
            topic = f"evcc/{reading.station}/loadpoints/{number}/{name}"
            yield Message(reading.time_ms, topic, msgspec.json.encode(value))
