"""OCPP 1.6 over MQTT: each port is a charge point with connector 1, on `ocpp/{station}/{charge_point}/up`.

Session ids become numbers of transactions, as OCPP has them, and the central system's answers stand among the frames.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from simulators.dialects.reading import Native
from simulators.message import Message
from telemetry.times import format_time

_SAMPLED = {
    "power_kw": ("Power.Active.Import", "", "W", 1000.0),
    "energy_kwh": ("Energy.Active.Import.Register", "", "Wh", 1000.0),
    "offered_a": ("Current.Offered", "", "A", 1.0),
    "offered_kw": ("Power.Offered", "", "W", 1000.0),
    "soc_pct": ("SoC", "", "Percent", 1.0),
    "temperature_c": ("Temperature", "", "Celsius", 1.0),
    "current_a": ("Current.Import", "", "A", 1.0),
    "voltage_v": ("Voltage", "", "V", 1.0),
    **{f"current_l{k}_a": ("Current.Import", f"L{k}", "A", 1.0) for k in (1, 2, 3)},
    **{f"voltage_l{k}_v": ("Voltage", f"L{k}", "V", 1.0) for k in (1, 2, 3)},
}
"""Channel -> measurand, phase, unit, units per ours."""


@dataclass(slots=True)
class _Port:
    status: str = ""
    error: str = ""
    session: str = ""
    transaction: int = 0
    energy_wh: int = 0


@dataclass(slots=True)
class Ocpp:
    """What is remembered of each port between its readings."""

    _ports: dict[tuple[str, str], _Port] = field(default_factory=dict)
    _calls: int = 0
    _transactions: int = 0

    def speak(self, reading: Native) -> Iterator[Message]:
        """Yield a port's reading as frames, in the order in which a charge point sends them."""
        if reading.kind != "port":
            return
        values = reading.values
        port = self._ports.setdefault((reading.station, reading.device), _Port())
        at = format_time(values["ts"])
        if "energy_kwh" in values:
            port.energy_wh = round(values["energy_kwh"] * 1000)
        frames: list[list[Any]] = []
        session = values.get("session_id", "" if "status" in values else port.session)
        if port.session and session != port.session:
            reason = values.get("stop_reason", "Local")
            stop = {"transactionId": port.transaction, "meterStop": port.energy_wh, "timestamp": at, "reason": reason}
            frames += self._asked("StopTransaction", stop, {})
        status, error = values.get("status", port.status), values.get("error_code", "NoError")
        if (status, error) != (port.status, port.error) and status:
            said = {"connectorId": 1, "status": status, "errorCode": error, "timestamp": at}
            frames += self._asked("StatusNotification", said, {})
        if session and session != port.session:
            self._transactions += 1
            port.transaction = self._transactions
            start = {"connectorId": 1, "idTag": "TAG", "meterStart": port.energy_wh, "timestamp": at}
            told = {"transactionId": port.transaction, "idTagInfo": {"status": "Accepted"}}
            frames += self._asked("StartTransaction", start, told)
        port.status, port.error, port.session = status, error, session
        sampled = [
            {"measurand": measurand, "unit": unit, "value": f"{values[name] * factor:.10g}"}
            | ({"phase": phase} if phase else {})
            for name, (measurand, phase, unit, factor) in _SAMPLED.items()
            if name in values
        ]
        if sampled:
            meter = {"connectorId": 1, "meterValue": [{"timestamp": at, "sampledValue": sampled}]}
            frames += self._asked("MeterValues", meter | ({"transactionId": port.transaction} if session else {}), {})
        for frame in frames or self._asked("Heartbeat", {}, {"currentTime": at}):
            topic = f"ocpp/{reading.station}/{reading.device}/up"
            yield Message(reading.time_ms, topic, msgspec.json.encode(frame))

    def _asked(self, action: str, payload: dict[str, Any], answer: dict[str, Any]) -> list[list[Any]]:
        self._calls += 1
        return [[2, str(self._calls), action, payload], [3, str(self._calls), answer]]
