"""Which devices of a station count in its sums, and when."""

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
