"""Published rows by the plainest reading of their words."""

from typing import Any

from analytics.window import Window
from telemetry.channels import PORT_STATUS


def naive_device_row(window: Window, kind: str, device: str, start_ms: int, end_ms: int) -> dict[str, Any]:
    """Return a row of a port by the plainest reading of its words."""
    rows = window.minutes[kind]
    mine = [i for i in range(len(rows)) if rows.devices[rows.device[i]] == device
            and start_ms <= rows.start_ms[i] < end_ms]
    state_s = {s: sum(int(rows.get(f"{s}_ms")[i]) for i in mine) / 1000 for s in PORT_STATUS}
    runs = window.runs[kind]
    deaf = [t for a, b in window.deaf_ms.tolist() for t in range(a, b, 1000)]
    heard = set(deaf)
    for k in range(len(runs)):
        if runs.devices[runs.device[k]] == device:
            heard |= set(range(int(runs.start_ms[k]), int(runs.end_ms[k]), 1000))
    first_ms = window.first_heard_ms[kind, device]
    offline_s = len([t for t in range(max(start_ms, first_ms), end_ms, 1000) if t not in heard])
    known_s = sum(state_s.values())
    times = {**state_s, "Offline": offline_s, "Unknown": (end_ms - start_ms) / 1000 - known_s - offline_s}
    energy_kwh = sum(int(rows.get("energy_n")[i]) for i in mine) / 1e9 if mine else None
    return {"known_s": known_s, "offline_s": offline_s, "status": max(times, key=lambda s: times[s]),
            "energy_kwh": energy_kwh, **({f"{s}_s": v for s, v in state_s.items()} if known_s else {})}
