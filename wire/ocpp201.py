"""OCPP 2.0.1: what one charging station says, as readings of its EVSEs (each is one port)."""

from typing import Any

import msgspec

from wire.ocpp import CALL, Frame, PortReading, meter_elements, put_time

_MEMORY = 1_000
_OWN = (
    "Authorize", "BootNotification", "ClearedChargingLimit", "DataTransfer", "FirmwareStatusNotification",
    "Get15118EVCertificate", "GetCertificateStatus", "Heartbeat", "LogStatusNotification", "NotifyChargingLimit",
    "NotifyCustomerInformation", "NotifyDisplayMessages", "NotifyEVChargingNeeds", "NotifyEVChargingSchedule",
    "NotifyEvent", "NotifyMonitoringReport", "NotifyReport", "PublishFirmwareStatusNotification",
    "ReportChargingProfiles", "ReservationStatusUpdate", "SecurityEventNotification", "SignCertificate",
)  # fmt: skip
"""Further calls that come from the charging station: a sign of life of all its ports."""
_STATES = {"Charging": "Charging", "SuspendedEV": "SuspendedEV", "SuspendedEVSE": "SuspendedEVSE"}


class ChargePoint201(msgspec.Struct):
    """One charging station: what is known of its EVSEs and transactions."""

    connector: dict[tuple[str, str], str] = {}
    """(EVSE, connector) -> its last connector status."""
    detail: dict[str, str] = {}
    """EVSE -> status by the running transaction, finer than Occupied."""
    place: dict[str, tuple[str, str]] = {}
    """Transaction -> EVSE and connector."""
    charged: dict[str, None] = {}
    """Transactions that have charged."""

    def read(self, frame: Frame) -> list[PortReading] | str:
        """Return the readings of a frame, in order of time, or why it is wrong."""
        read = _CALLS.get(frame.action) if frame.type == CALL else None
        if read is not None:
            return read(self, frame.payload)
        return self._alive() if frame.action in _OWN else []

    def _meter_values(self, payload: Any) -> list[PortReading] | str:
        evse = _number(payload.get("evseId"))
        if evse is None:
            return "MeterValues without evseId"
        if evse == "0":  # the meter of the whole station
            return self._alive()
        elements = meter_elements(payload.get("meterValue"))
        return elements if isinstance(elements, str) else [PortReading(evse, e) for e in elements]

    def _alive(self) -> list[PortReading]:
        return [PortReading(evse, {}) for evse in dict.fromkeys(evse for evse, _ in self.connector)]

    def _status(self, payload: Any) -> list[PortReading] | str:
        evse, connector = _number(payload.get("evseId")), _number(payload.get("connectorId"))
        status = payload.get("connectorStatus")
        if evse is None or connector is None or type(status) is not str:
            return "StatusNotification without evseId, connectorId or connectorStatus"
        if len(self.connector) >= _MEMORY:
            self.connector.clear()
        self.connector[evse, connector] = status
        element: dict[Any, Any] = {}
        put_time(element, payload.get("timestamp"))
        finer = self.detail.get(evse) if status == "Occupied" else None
        return [PortReading(evse, element | {"status": finer or status, "connector": connector})]

    def _event(self, payload: Any) -> list[PortReading] | str:
        info = payload.get("transactionInfo")
        if type(info) is not dict or type(info.get("transactionId")) is not str:
            return "TransactionEvent without transactionInfo.transactionId"
        transaction = info["transactionId"]
        place = self._placed(transaction, payload.get("evse"))
        if place is None:
            return f"TransactionEvent of transaction {transaction[:80]}, whose EVSE no earlier message told"
        evse, connector = place
        elements = meter_elements(payload.get("meterValue") or [])
        if isinstance(elements, str):
            return elements
        event: dict[Any, Any] = {}
        put_time(event, payload.get("timestamp"))
        ended = payload.get("eventType") == "Ended"
        status = self._charging_state(transaction, info.get("chargingState"), ended=ended)
        if ended:
            self.detail.pop(evse, None)
            # An absent reason means Local (OCPP 2.0.1, TransactionType).
            event["stop_reason"] = info.get("stoppedReason") or "Local"
            # The car may be gone already: then the connector's own status stands.
            status = "Finishing" if self.connector.get(place) == "Occupied" else None
        elif status is not None:
            if len(self.detail) >= _MEMORY:
                self.detail.clear()
            self.detail[evse] = status
        if status is not None:
            event |= {"status": status, "connector": connector}
        return [PortReading(evse, e | {"session_id": transaction}) for e in (*elements, event)]

    def _charging_state(self, transaction: str, state: Any, *, ended: bool) -> str | None:
        if type(state) is not str:
            return None
        if state == "Charging":
            if len(self.charged) >= _MEMORY:
                del self.charged[next(iter(self.charged))]
            self.charged[transaction] = None
        if state in _STATES:
            return _STATES[state]
        if state in ("EVConnected", "Idle") and not ended:
            return "Finishing" if transaction in self.charged else "Preparing"
        return None

    def _placed(self, transaction: str, evse: Any) -> tuple[str, str] | None:
        """Return EVSE and connector of a transaction; events after the first may leave them out."""
        found = self.place.get(transaction)
        if type(evse) is dict and (number := _number(evse.get("id"))) is not None:
            before = found[1] if found and found[0] == number else None
            found = number, _number(evse.get("connectorId")) or before or self._occupied(number)
            if transaction not in self.place and len(self.place) >= _MEMORY:
                del self.place[next(iter(self.place))]
            self.place[transaction] = found
        return found

    def _occupied(self, evse: str) -> str:
        """Return the connector of an EVSE that holds a car, "1" where none is known."""
        return next((c for (e, c), s in self.connector.items() if e == evse and s == "Occupied"), "1")


_CALLS = {
    "StatusNotification": ChargePoint201._status,
    "MeterValues": ChargePoint201._meter_values,
    "TransactionEvent": ChargePoint201._event,
}


def _number(value: Any) -> str | None:
    return str(value) if type(value) is int and value >= 0 else None
