"""An alert's transition as analytics tells it to the API: one row of `transition` in state.db."""

from typing import Any

import msgspec

from analytics.rules.ids import alert_id, fingerprint, transition_id
from analytics.rules.lifecycle import Change, ChangeType
from analytics.rules.texts import fill
from analytics.rules.types import Category, Rule, Severity
from telemetry.registry import Station


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """One change of one alert, complete; times are event times [ms]."""

    id: str
    alert: str
    """One episode."""
    fingerprint: str
    """The same rule at the same device, for ever."""
    type: ChangeType
    time_ms: int
    rule: str
    category: Category
    severity: Severity
    state: str
    """firing or resolved."""
    station: str
    device: str | None
    """None: the whole station."""
    device_kind: str | None
    """`customer` where `device` is one."""
    since_ms: int
    fired_ms: int
    resolved_ms: int | None
    value: float | None
    threshold: float | None
    unit: str
    summary: dict[str, str]
    """Language -> text; so is `remedy`."""
    remedy: dict[str, str]
    evidence: dict[str, Any]
    labels: dict[str, str] = {}
    runbook: str = ""
    inhibits: tuple[str, ...] = ()
    """Rules whose alerts at the station are held back while this one fires."""


def transition_of(
    rule: Rule, change: Change, station: Station, station_id: str, device: str | None = None,
    device_kind: str | None = None,
) -> Transition:
    """Return what to tell about a change.

    Parameters
    ----------
    rule
        As it holds at the station.
    change
        What the lifecycle returned.
    station
        From the registry, for names and the time zone.
    station_id
        Id of the station.
    device, device_kind
        None for a rule about the whole station.
    """
    alert = alert_id(rule.name, station_id, device, change.since_ms, change.repeat)

    def text(of: Any) -> dict[str, str]:
        return fill(
            of, station=station.name or station_id, device=_name_of(station, device, device_kind),
            value=change.value, threshold=change.threshold, unit=rule.unit, since_ms=change.since_ms,
            zone=station.zone, evidence=change.evidence,
        )

    return Transition(
        id=transition_id(alert, change.number), alert=alert, fingerprint=fingerprint(rule.name, station_id, device),
        type=change.type, time_ms=change.time_ms, rule=rule.name, category=rule.category, severity=rule.severity,
        state="resolved" if change.type == "alert.resolved" else "firing", station=station_id, device=device,
        device_kind=device_kind, since_ms=change.since_ms, fired_ms=change.fired_ms,
        resolved_ms=change.resolved_ms, value=change.value, threshold=change.threshold, unit=rule.unit,
        summary=text(rule.summary), remedy=text(rule.remedy), evidence=change.evidence,
        labels=rule.labels, runbook=rule.runbook, inhibits=rule.inhibits,
    )


def _name_of(station: Station, device: str | None, device_kind: str | None) -> str | None:
    """Return the name for people of a device or a customer; its id where it has none."""
    if device is None or device_kind is None:
        return device
    if device_kind == "customer":
        return next((c.name for c in station.customers if c.id == device and c.name), device)
    listed = station.listed(device_kind).get(device)
    return (listed.name if listed else "") or device
