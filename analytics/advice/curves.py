"""Part-load curves of a station's machines: by nameplate, corrected by what their minutes show."""

from dataclasses import dataclass

import numpy as np

from analytics.air import AirMinutes, Float64
from analytics.kernels.dispatch import Curves, convex_slopes
from analytics.kernels.grid import ratio
from telemetry.registry import Device
from telemetry.times import MINUTE_MS

SEGMENTS = 10
"""Of equal flow, from 0 to the machine's capacity."""
NAMEPLATE = {
    "fixed": (0.30, 1.0), "vsd": (0.15, 1.0), "centrifugal": (0.75, 1.0),
}
"""Control -> share of full power at no flow and at full flow. A centrifugal machine blows off below its turndown."""
TURNDOWN = 0.7
"""Share of capacity below which the power of a centrifugal machine does not fall."""
LEAST_MINUTES = 5
"""Minutes near a load that make it known."""


@dataclass(frozen=True, slots=True, eq=False)
class MachineCurves:
    """The machines whose curves are known."""

    machines: tuple[str, ...]
    curves: Curves
    learned: tuple[bool, ...]
    """Whether minutes count in the curve; False: nameplate alone."""
    unknown: tuple[str, ...]
    """Machines without a rating and without minutes that show one."""


def learn_curves(air: AirMinutes) -> MachineCurves:
    """Return the curves of all listed machines, by the minutes in which they ran.

    A node of the curve (0, 10, ... 100 % of capacity) is the mean power of the minutes within 5 % of it; where there
    are too few, the nameplate times the ratio of the others. Slopes that fall are pooled.
    """
    machines, idle, slopes, widths, learned, unknown = [], [], [], [], [], []
    for machine, device in air.window.station.listed("compressor").items():
        flow, power = _minutes(air, machine, device)
        capacity = device.rated_flow_m3_min or (float(np.quantile(flow, 0.99)) if len(flow) >= LEAST_MINUTES else 0.0)
        full_kw = device.rated_kw or (float(np.quantile(power, 0.99)) if len(power) >= LEAST_MINUTES else 0.0)
        if capacity <= 0 or full_kw <= 0:
            unknown.append(machine)
            continue
        nodes, known = _nodes(flow / capacity, power, nameplate_kw(device.control, full_kw))
        width = np.full(SEGMENTS, capacity / SEGMENTS)
        machines.append(machine)
        idle.append(nodes[0])
        widths.append(width)
        slopes.append(convex_slopes(np.diff(nodes) / width, width))
        learned.append(known)
    shape = (len(machines), SEGMENTS)
    made = Curves(np.array(idle, np.float64), np.array(widths).reshape(shape), np.array(slopes).reshape(shape))
    return MachineCurves(tuple(machines), made, tuple(learned), tuple(unknown))


def nameplate_kw(control: str | None, full_kw: float) -> Float64:
    """Return (SEGMENTS + 1,) power at 0 .. full flow of a machine of that control (fixed where unknown)."""
    low, high = NAMEPLATE.get(control or "fixed", NAMEPLATE["fixed"])
    share = np.linspace(0.0, 1.0, SEGMENTS + 1)
    if control == "centrifugal":
        share = np.maximum(share - TURNDOWN, 0.0) / (1.0 - TURNDOWN)
    return np.asarray(full_kw * (low + (high - low) * share))


def _minutes(air: AirMinutes, machine: str, device: Device) -> tuple[Float64, Float64]:
    """Return flow and power of the minutes in which the machine ran; where none is sent, a fixed one's by its load."""
    columns = ("energy_n", "energy_ms", "volume_n", "volume_ms", "stopped_ms", "loaded_ms", "heard_ms")
    sums = {c: air.sums("compressor", [machine], c)[0] for c in columns}
    power_kw = ratio(sums["energy_n"], sums["energy_ms"], 3.6e6 / 1e9)
    flow = ratio(sums["volume_n"], sums["volume_ms"], MINUTE_MS / 1e9)
    if np.isnan(flow).all() and device.control == "fixed" and device.rated_flow_m3_min:
        # Only loaded time delivers, and then all of it.
        flow = ratio(sums["loaded_ms"], sums["heard_ms"], device.rated_flow_m3_min)
    use = ~np.isnan(power_kw) & ~np.isnan(flow) & (power_kw > 0) & (sums["stopped_ms"] == 0) & (flow >= 0)
    return flow[use], power_kw[use]


def _nodes(load: Float64, power_kw: Float64, nameplate: Float64) -> tuple[Float64, bool]:
    node = np.clip(np.rint(load * SEGMENTS).astype(np.int64), 0, SEGMENTS)
    count = np.bincount(node, minlength=SEGMENTS + 1)
    total = np.bincount(node, power_kw, minlength=SEGMENTS + 1)
    known = count >= LEAST_MINUTES
    if not known.any():
        return nameplate, False
    scale = float(total[known].sum() / (nameplate * count)[known].sum())
    return np.where(known, total / np.maximum(count, 1), nameplate * scale), True
