"""Uptime of charging ports as NEVI counts it (23 CFR 680.116): outages as a union of intervals, minus exclusions.

Unknown is not down: time in which Voltair itself could not hear is no outage, and neither is a silence that is not
longer than `offline_after_s` once that time is taken away. Hours outside `open_hours` are excluded like maintenance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.counted import counted, service_span
from analytics.figures import round_figure
from analytics.held import heard, held, last_message
from analytics.kernels.intervals import EMPTY, Int64, complement, intersect, length_ms, span, subtract, union
from analytics.steady import steady_ports
from analytics.window import Window
from telemetry.registry import Device
from telemetry.times import format_time

CAUSES = ("offline", "faulted", "unavailable")
"""Causes of an outage; where two hold at once, the earlier in this list is named."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Time outside the operator's control, or planned."""

    from_ms: int
    to_ms: int
    device: str | None = None
    """The port it holds for; None: all ports of the station."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One interval in which a port was down for one cause."""

    from_ms: int
    to_ms: int
    cause: str
    """One of `CAUSES`."""
    excluded: bool
    """Whether an exclusion covers it."""


@dataclass(frozen=True, slots=True)
class PortUptime:
    """Uptime of one port over the part of the window in which it was in service."""

    port: str
    minutes: float
    """Time that counts; up to `now`, from `commissioned` (without it: from the first message)."""
    outage_min: float
    """All outages, the excluded ones too."""
    excluded_min: float
    """The part of the outages that exclusions cover."""
    uptime: float | None
    """(minutes - (outage - excluded)) / minutes; None where no time counts."""
    outages: tuple[Outage, ...]
    """In order of time."""

    def item(self) -> dict[str, Any]:
        """Return the port as `GET /uptime` lists it."""
        return {
            "port": self.port,
            "minutes": self.minutes,
            "outage_min": self.outage_min,
            "excluded_min": self.excluded_min,
            "uptime": self.uptime,
            "outages": [
                {
                    "from": format_time(o.from_ms),
                    "to": format_time(o.to_ms),
                    "cause": o.cause,
                    "excluded": o.excluded,
                }
                for o in self.outages
            ],
        }


def uptime_of(window: Window, exclusions: Sequence[Exclusion] = ()) -> list[PortUptime]:
    """Return the uptime of every listed port, or of all seen where none is listed.

    Parameters
    ----------
    window
        With the runs of its ports.
    exclusions
        Maintenance windows and the like, already expanded to intervals of this station.
    """
    ports = counted(window, "port")
    listed = window.station.listed("port")
    groups: dict[str, list[str]] = {}
    for port in ports:
        device = listed.get(port)
        name = device.charge_point if device is not None and device.charge_point else f"port {port}"
        groups.setdefault(name, []).append(port)
    up = steady_ports(window, without=("Faulted", "Unavailable"))
    answers = {
        port: (port in up and _without_outage(window, listed.get(port), port, group))
        or _port_uptime(window, listed, port, group, exclusions)
        for group in groups.values() for port in group
    }
    return [answers[port] for port in ports]


def _without_outage(window: Window, device: Device | None, port: str, group: list[str]) -> PortUptime | None:
    """Return the uptime of a port that was never down since its first message; None where that is not all of it."""
    service, first_ms = service_span(window, device), window.first_heard_ms["port", port]
    young = first_ms > window.from_ms
    if young and (len(group) > 1 or (device is not None and device.commissioned is not None)):
        return None
    begin_ms, end_ms = service[0].tolist() if len(service) else (0, 0)
    minutes_ms = max(0, min(end_ms, window.now_ms) - max(begin_ms, first_ms))
    return PortUptime(port, minutes_ms / 60_000, 0.0, 0.0, 1.0 if minutes_ms else None, ())


def station_uptime(ports: Sequence[PortUptime]) -> float | None:
    """Return the uptime of a station: a ratio of sums over its ports; None where no time counts."""
    minutes = sum(p.minutes for p in ports)
    if not minutes:
        return None
    return round_figure((minutes - sum(p.outage_min - p.excluded_min for p in ports)) / minutes)


def _port_uptime(
    window: Window, listed: Mapping[str, Device], port: str, group: list[str], exclusions: Sequence[Exclusion]
) -> PortUptime:
    """Return the uptime of a port whose charge point also speaks for the ports of `group`."""
    device = listed.get(port)
    first_ms = min((window.first_heard_ms[("port", p)] for p in group if ("port", p) in window.first_heard_ms),
                   default=None)
    service = service_span(window, device)
    service = intersect(service, span(window.from_ms, min(window.to_ms, window.now_ms)))
    if device is None or device.commissioned is None:
        # Without a date of commissioning the first message is taken for it: before that the port is unknown.
        service = EMPTY if first_ms is None else subtract(service, span(window.from_ms, first_ms))
    excluded = union(np.concatenate([
        *(span(e.from_ms, e.to_ms) for e in exclusions if e.device in (None, port)), _closed(window), EMPTY,
    ]))
    runs = window.runs.get("port")
    causes = {
        "offline": _silences(window, listed, group, first_ms),
        "faulted": held(runs, port, ("Faulted",)),
        "unavailable": subtract(held(runs, port, ("Unavailable",)), excluded),
    }
    outages: list[Outage] = []
    named = EMPTY
    for cause in CAUSES:
        down = subtract(intersect(causes[cause], service), named)
        named = union(np.concatenate((named, down)))
        outages += [Outage(a, b, cause, excluded=False) for a, b in subtract(down, excluded).tolist()]
        outages += [Outage(a, b, cause, excluded=True) for a, b in intersect(down, excluded).tolist()]
    outages.sort(key=lambda o: o.from_ms)
    minutes_ms, outage_ms = length_ms(service), length_ms(named)
    excluded_ms = length_ms(intersect(named, excluded))
    return PortUptime(
        port=port,
        minutes=minutes_ms / 60_000,
        outage_min=outage_ms / 60_000,
        excluded_min=excluded_ms / 60_000,
        uptime=round_figure((minutes_ms - (outage_ms - excluded_ms)) / minutes_ms) if minutes_ms else None,
        outages=tuple(outages),
    )


def _closed(window: Window) -> Int64:
    opening = window.station.opening
    if opening.always:
        return EMPTY
    hours = opening.intervals(window.from_ms, window.to_ms, window.station.zone)
    return complement(hours, window.from_ms, window.to_ms)


def _silences(window: Window, listed: Mapping[str, Device], group: list[str], first_ms: int | None) -> Int64:
    """Return the time from a last message to the next in which the charge point of `group` was proven silent."""
    end_ms = min(window.to_ms, window.now_ms)
    if first_ms is None or first_ms >= end_ms:
        return subtract(span(window.from_ms, end_ms), window.deaf_ms)
    after_ms = max(window.station.offline_after_ms(listed.get(p)) for p in group)
    found = [subtract(span(window.from_ms, first_ms), window.deaf_ms)]
    known = heard(window.runs.get("port"), group)
    for start_ms, next_ms in complement(known, max(first_ms, window.from_ms), end_ms).tolist():
        lost = span(last_message(window.runs.get("port"), group, start_ms), next_ms)
        proven = subtract(lost, window.deaf_ms)
        if length_ms(proven) == length_ms(lost) or length_ms(proven) > after_ms:
            found.append(proven)
    return union(np.concatenate(found))
