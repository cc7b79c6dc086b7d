"""Which alert belongs to which fault, and what is left over. Pure functions."""

from collections.abc import Sequence
from typing import Any

import msgspec

from simulators.truth import Truth, TruthFault
from telemetry.times import DAY_MS, parse_time

GRACE_MS = 15 * 60_000
"""An alert may come this long after the end of its fault."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an alert that scoring needs (contract, section 9)."""

    id: str
    rule: str
    category: str
    severity: str
    station: str
    device: str | None
    device_kind: str | None = None
    fired_at: str
    evidence: dict[str, Any] = {}


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one fault."""

    fault: TruthFault
    found_by: str | None
    """`rule`: the expected one spoke; `category`: only another one of its category; None: none did, or none should."""
    alert: str | None = None
    fired_at: str | None = None
    delay_s: float | None = None
    place_right: bool | None = None
    """Of a leak: whether the alert names its place."""
    size_error: float | None = None
    """Of a leak: found against true size, less 1."""


class FigureError(msgspec.Struct, frozen=True, kw_only=True):
    """One key figure of one station."""

    station: str
    name: str
    true: float
    found: float | None
    error: float | None
    """Relative; absolute where the true value is 0; None: not found."""


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a comparison."""

    scenario: str
    days: float
    expected: int
    """Faults about which a rule should speak."""
    found: int
    """Of these, those whose rule did."""
    found_by_category: int
    """Further ones about which another rule of the category spoke."""
    median_delay_s: float | None
    false_alarms: list[Alert]
    """Alerts that no fault explains."""
    false_per_day: float
    consequences: int
    """Alerts of other rules while a real fault lasted at the same place: neither found nor false."""
    outcomes: list[Outcome]
    figures: list[FigureError]


def score(truth: Truth, alerts: list[Alert], figures: dict[str, dict[str, float | None]]) -> Score:
    """Compare.

    Parameters
    ----------
    truth
        What really happened.
    alerts
        Those that fired in the time of the truth, from all its stations.
    figures
        Station -> key figures found.
    """
    outcomes = [_outcome(fault, alerts, truth.faults) for fault in truth.faults]
    used = {outcome.alert for outcome in outcomes}
    left = [alert for alert in alerts if alert.id not in used]
    # one fault may fire several times, or in its category too: that is explained, not false
    false = [alert for alert in left if not any(_explains(fault, alert) for fault in truth.faults)]
    delays = sorted(o.delay_s for o in outcomes if o.found_by == "rule" and o.delay_s is not None)
    days = (_ms(truth.to) - _ms(truth.from_)) / DAY_MS
    return Score(
        scenario=truth.scenario,
        days=days,
        expected=sum(fault.rule is not None for fault in truth.faults),
        found=sum(o.found_by == "rule" for o in outcomes),
        found_by_category=sum(o.found_by == "category" for o in outcomes),
        median_delay_s=delays[len(delays) // 2] if delays else None,
        false_alarms=false,
        false_per_day=len(false) / days if days else 0.0,
        consequences=len(left) - len(false),
        outcomes=outcomes,
        figures=[
            _figure(row.station, name, true, figures.get(row.station, {}).get(name))
            for row in truth.stations
            for name, true in row.kpis.items()
            if true is not None
        ],
    )


def _outcome(fault: TruthFault, alerts: list[Alert], faults: Sequence[TruthFault]) -> Outcome:
    if fault.rule is None:
        return Outcome(fault=fault, found_by=None)
    during = [a for a in alerts if _during(fault, a) and _same_device(fault, a) and not _of_another(fault, a, faults)]
    by_rule = [a for a in during if a.rule == fault.rule]
    chosen = by_rule or [a for a in during if a.category == fault.category]
    if not chosen:
        return Outcome(fault=fault, found_by=None)
    first = min(chosen, key=lambda a: (not _same_place(fault, a), a.fired_at))
    size = first.evidence.get("leak_m3_min")
    return Outcome(
        fault=fault,
        found_by="rule" if by_rule else "category",
        alert=first.id,
        fired_at=first.fired_at,
        delay_s=(_ms(first.fired_at) - _ms(fault.from_)) / 1000.0,
        place_right=_same_place(fault, first) if fault.place and "place" in first.evidence else None,
        size_error=size / fault.size - 1.0 if isinstance(size, int | float) and fault.category == "leak" else None,
    )


def _during(fault: TruthFault, alert: Alert) -> bool:
    in_time = _ms(fault.from_) <= _ms(alert.fired_at) <= _ms(fault.to) + GRACE_MS
    return in_time and alert.station == fault.station


def _same_device(fault: TruthFault, alert: Alert) -> bool:
    """Return whether an alert may speak of a fault; leaks and faults of a station are told by their place alone."""
    return fault.device is None or fault.category == "leak" or alert.device in (None, fault.device)


def _at_header(fault: TruthFault, alert: Alert) -> bool:
    """Return whether one of both is about the air main: all machines feed it, and all gauges are compared with it."""
    return "air_main" in (fault.device_kind, alert.device_kind)


def _same_place(fault: TruthFault, alert: Alert) -> bool:
    return bool(alert.evidence.get("place") == fault.place)


def _of_another(fault: TruthFault, alert: Alert, faults: Sequence[TruthFault]) -> bool:
    """Return whether an alert names the place of another leak that lasts as well: it did not find this one."""
    return "place" in alert.evidence and not _same_place(fault, alert) and any(
        other.category == "leak" and _same_place(other, alert) and _during(other, alert) for other in faults)


def _explains(fault: TruthFault, alert: Alert) -> bool:
    """Return whether an alert is a consequence of a real fault; a nuisance explains nothing."""
    return fault.rule is not None and _during(fault, alert) and (_same_device(fault, alert) or _at_header(fault, alert))


def _figure(station: str, name: str, true: float, found: float | None) -> FigureError:
    error = None
    if found is not None:
        error = (found - true) / abs(true) if true else found
    return FigureError(station=station, name=name, true=true, found=found, error=error)


def _ms(text: str) -> int:
    found = parse_time(text)
    if found is None:
        msg = f"{text!r} is no time"
        raise ValueError(msg)
    return found
