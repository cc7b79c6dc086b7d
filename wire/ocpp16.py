"""OCPP 1.6: what one charge point says, as readings of its ports (each connector is one)."""

from typing import Any

import msgspec

from wire.mapping import read_number
from wire.ocpp import CALL, RESULT, Frame, PortReading, meter_elements, put_time

_MEMORY = 1_000
_OUT = ("Unavailable", "Faulted")
_OWN = (
    "Authorize", "BootNotification", "DataTransfer", "DiagnosticsStatusNotification", "FirmwareStatusNotification",
    "Heartbeat", "LogStatusNotification", "SecurityEventNotification", "SignCertificate",
    "SignedFirmwareStatusNotification",
)  # fmt: skip
"""Further calls that come from the charge point: a sign of life of all its ports."""


class ChargePoint16(msgspec.Struct):
    """One charge point: which ports it has, and to which of them a transaction belongs."""

    status: dict[str, str | None] = {}
    """Port -> its own last status; those that it is known to have are there before they speak."""
    started: dict[str, tuple[str, str | None]] = {}
    """Id of a StartTransaction -> port and time, until the result tells the transaction's id."""
    port_of: dict[str, str] = {}
    """Transaction -> port."""

    def read(self, frame: Frame) -> list[PortReading] | str:
        """Return the readings of a frame, in order of time, or why it is wrong."""
        if frame.type == RESULT:
            return self._result(frame)
        read = _CALLS.get(frame.action) if frame.type == CALL else None
        if read is not None:
            return read(self, frame)
        return self._alive() if frame.action in _OWN else []

    def _alive(self) -> list[PortReading]:
        return [PortReading(port, {}) for port in self.status]

    def _port(self, payload: Any) -> str | None:
        """Return the port of `connectorId` and remember it; "0" is the charge point as a whole, None is none."""
        connector = payload.get("connectorId")
        if type(connector) is not int or connector < 0:
            return None
        if connector and len(self.status) < _MEMORY:
            self.status.setdefault(str(connector), None)
        return str(connector)

    def _status_notification(self, frame: Frame) -> list[PortReading] | str:
        payload = frame.payload
        port, status, error = self._port(payload), payload.get("status"), payload.get("errorCode")
        if port is None or type(status) is not str:
            return "StatusNotification without connectorId or status"
        element: dict[Any, Any] = {}
        put_time(element, payload.get("timestamp"))
        if error == "OtherError" and payload.get("vendorErrorCode"):
            error = payload["vendorErrorCode"]
        if error is not None:
            element["error_code"] = error
        if port != "0":
            self.status[port] = status
            return [PortReading(port, element | {"status": status})]
        # The charge point as a whole goes out of order and comes back; its ports then are what they were.
        return [
            PortReading(p, element | ({"status": now} if now else {}))
            for p, own in self.status.items()
            for now in (status if status in _OUT else own,)
        ]

    def _meter_values(self, frame: Frame) -> list[PortReading] | str:
        payload = frame.payload
        port = self._port(payload)
        if port is None:
            return "MeterValues without connectorId"
        if port == "0":  # the meter of the whole charge point
            return self._alive()
        more = {}
        transaction = payload.get("transactionId")
        if type(transaction) is int and transaction >= 0:
            self._remember(str(transaction), port)
            more = {"session_id": str(transaction)}
        elements = meter_elements(payload.get("meterValue"))
        return elements if isinstance(elements, str) else [PortReading(port, e | more) for e in elements]

    def _start(self, frame: Frame) -> list[PortReading] | str:
        payload = frame.payload
        port = self._port(payload)
        if port is None or port == "0":
            return "StartTransaction without connectorId"
        element: dict[Any, Any] = {}
        put_time(element, payload.get("timestamp"))
        if len(self.started) >= _MEMORY:
            self.started.clear()
        time = payload.get("timestamp")
        self.started[frame.id] = port, time if type(time) is str else None
        return [PortReading(port, element | _register(payload.get("meterStart")))]

    def _result(self, frame: Frame) -> list[PortReading]:
        transaction = frame.payload.get("transactionId")
        port, started = self.started.pop(frame.id, (None, None))
        if port is None or type(transaction) is not int:
            return []
        self._remember(str(transaction), port)
        element: dict[Any, Any] = {}
        put_time(element, started)
        return [PortReading(port, element | {"session_id": str(transaction)})]

    def _stop(self, frame: Frame) -> list[PortReading] | str:
        payload = frame.payload
        transaction = str(payload.get("transactionId"))
        port = self.port_of.get(transaction)
        if port is None and len(self.status) == 1:
            (port,) = self.status
        if port is None:
            return f"StopTransaction of transaction {transaction[:80]}, whose connector no earlier message told"
        elements = meter_elements(payload.get("transactionData") or [])
        if isinstance(elements, str):
            return elements
        end: dict[Any, Any] = {}
        put_time(end, payload.get("timestamp"))
        # An absent reason means Local (OCPP 1.6, 6.49).
        end |= _register(payload.get("meterStop")) | {"stop_reason": payload.get("reason") or "Local"}
        return [PortReading(port, e | {"session_id": transaction}) for e in (*elements, end)]

    def _remember(self, transaction: str, port: str) -> None:
        if transaction not in self.port_of and len(self.port_of) >= _MEMORY:
            del self.port_of[next(iter(self.port_of))]
        self.port_of[transaction] = port


_CALLS = {
    "StatusNotification": ChargePoint16._status_notification,
    "MeterValues": ChargePoint16._meter_values,
    "StartTransaction": ChargePoint16._start,
    "StopTransaction": ChargePoint16._stop,
}


def _register(value_wh: Any) -> dict[str, Any]:
    value = read_number(value_wh)
    if value is None:
        return {}
    return {"energy_kwh": value / 1e3 if type(value) in (int, float) else value}
