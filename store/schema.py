"""What is stored where: measurements, their database, and how a field is summed up over a step.

| measurement | content |
| --- | --- |
| `port site_meter compressor dryer auxiliary air_main air_meter` | raw readings, one field per channel, `seq` |
| `{kind}_1m _15m _1h _1d` | buckets of a device and their sums |
| `charging_station_*`, `air_station_*`, `air_customer_1h _1d` | key figures with numerators and denominators |
| `session`, `alert`, `station_info`, `device_info` | one point per session, transition, station, device |
"""

import re
from enum import StrEnum

from telemetry.channels import KIND_BY_NAME, KINDS, Role

WIDTHS = ("1m", "15m", "1h", "1d")
"""Widths of rolled-up rows, as they end measurement names."""

RAW_MEASUREMENTS = tuple(kind.name for kind in KINDS)
"""Raw readings: one measurement per kind of device."""

MEASUREMENTS = (
    *RAW_MEASUREMENTS,
    *(f"{name}_{width}" for name in (*RAW_MEASUREMENTS, "charging_station", "air_station") for width in WIDTHS),
    "air_customer_1h", "air_customer_1d", "session", "alert", "station_info", "device_info",
)
"""Every measurement that Voltair writes."""


OFFLINE, OFFLINE_CODE = "Offline", 100
"""`status` and `status_code` of a period in which a device was silent most of the time."""
UNKNOWN, UNKNOWN_CODE = "Unknown", 101
"""The same where Voltair could not have heard it, or it never told its state. Other codes are the positions of
`PORT_STATUS` and `MACHINE_STATE`."""


class Aggregation(StrEnum):
    """How the values of one step become one."""

    MEAN = "mean"
    LAST = "last"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    DIFFERENCE = "difference"
    COUNT = "count"


def is_fine(measurement: str) -> bool:
    """Return whether a measurement is raw or of one minute: kept for `store.keep_raw`, in the `_raw` database."""
    return measurement in KIND_BY_NAME or measurement.endswith("_1m")


_TEXTS = frozenset(
    (
        "status", "state", "error_code", "fault_code", "stop_reason", "session_id", "outcome", "grade", "place",
        "title", "text", "tags", "name", "kind", "unit", "title_zh", "text_zh", "overstay", "cause", "flags",
        "alert_id", "severity", "timezone", "currency", "flow_reference", "charge_point", "control", "cooling",
    )
)
_AMOUNT = re.compile(r"(_s|_h|_kwh|_m3|_money|_co2_kg|_h_over_\d+pct)$|^sessions|^cycles$")
_NO_AMOUNT = re.compile(r"_per_|^mean_|^rated_")
_EXTREME = re.compile(r"_(max|min|last)(_|$)")


def is_text(field: str) -> bool:
    """Return whether the values of a field are words."""
    return field in _TEXTS


def default_aggregation(measurement: str, field: str) -> Aggregation:
    """Return the natural aggregation of a field.

    Of raw readings: mean of gauges, last of states and texts, difference of registers. Of rolled-up rows, which
    hold amounts of their own time: sum of amounts (`_s _h _kwh _m3`), max and min of extremes, last of states, mean
    of the rest.
    """
    kind = KIND_BY_NAME.get(measurement)
    channel = kind.channel(field) if kind else None
    if channel is not None:
        roles = {Role.GAUGE: Aggregation.MEAN, Role.REGISTER: Aggregation.DIFFERENCE}
        return roles.get(channel.role, Aggregation.LAST)
    if kind or is_text(field) or field == "status_code" or measurement in ("alert", "station_info", "device_info"):
        return Aggregation.LAST
    plain = field.replace("m3_min", "")
    extreme = _EXTREME.search(plain)
    if extreme:
        return Aggregation(extreme[1])
    if _AMOUNT.search(plain) and not _NO_AMOUNT.search(plain):
        return Aggregation.SUM
    return Aggregation.MAX if field.startswith("peak_") else Aggregation.MEAN


def checked_aggregation(measurement: str, field: str, wanted: str | None) -> Aggregation:
    """Return the wanted aggregation, or the natural one for None.

    Raises
    ------
    ValueError
        If there is no such aggregation, or words cannot be summed up by it.
    """
    if not wanted:
        return default_aggregation(measurement, field)
    if wanted not in set(Aggregation):
        msg = f"aggregation {wanted!r} does not exist; use one of {', '.join(Aggregation)}"
        raise ValueError(msg)
    if is_text(field) and wanted not in (Aggregation.LAST, Aggregation.COUNT):
        msg = f"{field!r} holds words, which have no {wanted}; use last or count"
        raise ValueError(msg)
    return Aggregation(wanted)
