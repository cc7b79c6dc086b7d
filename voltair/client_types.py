"""What `voltair.client` answers; fields that a later version adds are passed over. Times are aware datetimes."""

from datetime import datetime
from typing import Any

import msgspec


class DeviceCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Devices of a station."""

    total: int
    online: int
    offline: int
    unregistered: int


class _StationBase(msgspec.Struct, frozen=True, kw_only=True):
    station: str
    kind: str
    """`charging` or `compressed_air`."""
    name: str
    groups: list[str]
    timezone: str
    now: datetime
    health: str
    """red, yellow, grey or green."""
    health_reasons: list[Any]
    first_seen: datetime | None
    """Of the oldest reading that was heard."""
    last_seen: datetime | None
    firing: dict[str, int]
    """Severity -> alerts that fire."""


class Station(_StationBase, frozen=True, kw_only=True):
    """One of all stations."""

    devices: DeviceCounts


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device as it was heard last."""

    device: str
    kind: str
    name: str
    online: bool | None
    """None: never heard, or not known now."""
    state: str | None
    last_seen: datetime | None
    registered: bool
    values: dict[str, Any]
    """Channel -> last value."""


class StationDetail(_StationBase, frozen=True, kw_only=True):
    """A station with its devices."""

    device_counts: DeviceCounts
    devices: list[Device]
    limits: dict[str, Any]
    customers: list[dict[str, str]]


class DeviceKpis(msgspec.Struct, frozen=True, kw_only=True):
    """Key figures of one device."""

    device: str
    kind: str
    coverage: float | None
    kpis: dict[str, float | None]
    reasons: dict[str, str]


class Kpis(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """Key figures of a station over `[from_, to)`."""

    station: str
    kind: str
    from_: datetime
    to: datetime
    coverage: float | None
    kpis: dict[str, float | None]
    reasons: dict[str, str]
    """Why a figure is None."""
    devices: list[DeviceKpis]


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A charging session."""

    port: str
    session_id: str | None
    start: datetime
    charging_end: datetime | None
    end: datetime | None
    """None while it is open."""
    energy_kwh: float | None
    peak_kw: float | None
    mean_kw: float | None = None
    """Of the time of charging."""
    charging_s: float
    idle_s: float
    stop_reason: str | None
    outcome: str
    error_code: str | None
    cause: str | None
    overstay: str | None
    flags: list[str]


class Outage(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """An interval in which a port was down."""

    from_: datetime
    to: datetime
    cause: str
    excluded: bool


class PortUptime(msgspec.Struct, frozen=True, kw_only=True):
    """Uptime of a port."""

    port: str
    minutes: float
    outage_min: float
    excluded_min: float
    uptime: float | None
    outages: list[Outage]


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a series, or a step that begins at `time_ms`."""

    time_ms: int
    station: str
    device: str | None
    value: float | int | str


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One episode."""

    id: str
    fingerprint: str
    sequence: int
    rule: str
    category: str
    severity: str
    state: str
    station: str
    device: str | None
    device_kind: str | None
    since: datetime
    fired_at: datetime
    resolved_at: datetime | None
    value: float | None
    threshold: float | None
    unit: str
    summary: dict[str, str]
    remedy: dict[str, str]
    evidence: dict[str, Any]
    links: dict[str, str]
    acknowledgement: dict[str, Any] | None = None
    repair: dict[str, Any] | None = None
    """Of a leak that somebody marked repaired: who, when, and what the nights since say."""
    transitions: list[dict[str, Any]] = []


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One transition, as a receiver of format `standard` gets it."""

    n: int
    id: str
    type: str
    timestamp: datetime
    data: Alert
