"""Which devices of a station count in its sums, and when."""

import math
from collections.abc import Mapping

from analytics.kernels.intervals import EMPTY, Int64, intersect, length_ms, span
from analytics.window import Window
from telemetry.registry import Device
from telemetry.times import MINUTE_MS


def seen(window: Window, kind: str) -> list[str]:
    """Return the devices of a kind that were first heard before the window's end, sorted."""
    end_ms = min(window.to_ms, window.now_ms + 1)
    heard = {d for (k, d), first_ms in window.first_heard_ms.items() if k == kind and first_ms < end_ms}
    return sorted(heard)


def counted(window: Window, kind: str) -> list[str]:
    """Return the devices whose values make the station's sums: those listed of that kind, else all seen."""
    listed = list(window.station.listed(kind))
    return listed or seen(window, kind)


def shown(window: Window, kind: str) -> list[str]:
    """Return every listed device in the order of the file, then the others seen."""
    listed = list(window.station.listed(kind))
    return listed + [d for d in seen(window, kind) if d not in set(listed)]


def shared_kw(ports: Mapping[str, Device]) -> dict[str, float | None]:
    """Return what each port adds to the rated power of its station [kW]; None where its rating is missing.

    Ports that share a cabinet (`cabinet_kw`, same `charge_point`) add their parts of its power, by their ratings.
    """
    rated_kw: dict[str, float] = {}
    cabinet_kw: dict[str, float] = {}
    for port in ports.values():
        if port.charge_point is not None:
            rated_kw[port.charge_point] = rated_kw.get(port.charge_point, 0.0) + (port.rated_kw or 0.0)
            if port.cabinet_kw is not None:
                cabinet_kw[port.charge_point] = min(port.cabinet_kw, cabinet_kw.get(port.charge_point, math.inf))
    part = {name: min(1.0, kw / rated_kw[name]) for name, kw in cabinet_kw.items() if rated_kw[name]}
    return {
        name: None if port.rated_kw is None else port.rated_kw * part.get(port.charge_point or "", 1.0)
        for name, port in ports.items()
    }


def service_span(window: Window, device: Device | None) -> Int64:
    """Return the part of the window in which a device is in service: [commissioned, decommissioned), to the minute."""
    start_ms, end_ms = window.from_ms, window.to_ms
    if device is not None and (device.commissioned or device.decommissioned):
        first, last = (window.station.moment(w) for w in (device.commissioned, device.decommissioned))
        start_ms = start_ms if first is None else max(start_ms, first - first % MINUTE_MS)
        end_ms = end_ms if last is None else min(end_ms, last - last % MINUTE_MS)
    return span(start_ms, end_ms)


def counted_spans(window: Window, device: Device | None) -> Int64:
    """Return the part of the window in which a port counts: in service and within `open_hours`."""
    service = service_span(window, device)
    opening = window.station.opening
    if opening.always or not length_ms(service):
        return service
    hours = opening.intervals(window.from_ms, window.to_ms, window.station.zone)
    # Whole minutes, because energy and states are known by minutes.
    hours = hours - hours % MINUTE_MS
    return intersect(service, hours) if len(hours) else EMPTY
