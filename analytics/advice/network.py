"""What the ports of a charging station share: transformer, contract and lines, and what else draws from them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.counted import counted
from analytics.kernels.course import Site
from analytics.kernels.ordered import Float64
from analytics.kpis.electrical import mean_of, power_kw, site_kva, site_lines
from analytics.window import Window
from store.buckets import Buckets, empty_buckets
from telemetry.registry import Device, Station
from telemetry.times import MINUTE_MS

LINES = ("L1", "L2", "L3")
SINGLE_PHASE_A = 32.0
"""A port whose rating is more than this current of one phase has three, unless `phases` says otherwise."""


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """The ports that count, and k limits over them."""

    ports: tuple[str, ...]
    site: Site
    limits: tuple[str, ...]
    """(k,) `transformer`, `contract`, `L1`, `L2`, `L3`."""
    units: tuple[str, ...]
    """(k,)"""
    most: Float64
    """(k,) of everything at the station."""
    lines: tuple[str | None, ...]
    """(n,) `L1`, `L2`, `L3`, `L1-L3`; None: one phase, not known which: a third of it counts in each line."""


def network_of(station: Station, ports: Sequence[str]) -> Network | str:
    """Return what the ports share, or what is missing in stations.toml."""
    listed = station.listed("port")
    unrated = [p for p in ports if p not in listed or not listed[p].rated_kw]
    if unrated:
        return f"rated_kw of {', '.join(unrated)} is missing: set it in stations.toml"
    limits = _limits(station)
    if not limits:
        return "no limit is known: set transformer_kva, contract_kw or line_limit_a in stations.toml"
    devices = [listed[p] for p in ports]
    phases = np.array([phases_of(station, d) for d in devices])
    volts = np.array([station.nominal_voltage_of(d) for d in devices])
    kw_per_a = phases * volts / 1000
    lines = tuple("L1-L3" if p == len(LINES) else d.line for p, d in zip(phases.tolist(), devices, strict=True))
    weight = np.array([_weights(name, kw_per_a, lines) for name in limits], np.complex128).reshape(-1, len(ports))
    rates = [_rates(d, v) for d, v in zip(devices, kw_per_a.tolist(), strict=True)]
    return Network(
        tuple(ports), Site(rates, kw_per_a, weight), tuple(limits), tuple(unit for unit, _ in limits.values()),
        np.array([most for _, most in limits.values()]), lines,
    )


def _limits(station: Station) -> dict[str, tuple[str, float]]:
    """Return name -> (unit, most) of the limits that stations.toml declares."""
    found: dict[str, tuple[str, float]] = {}
    line_a = []
    if station.transformer_kva:
        found["transformer"] = ("kVA", station.transformer_kva)
        line_a.append(station.transformer_kva * 1000 / (len(LINES) * station.nominal_voltage_v))
    if station.contract_kw:
        found["contract"] = ("kW", station.contract_kw)
    if station.line_limit_a:
        line_a.append(station.line_limit_a)
    if line_a:
        found |= {line: ("A", min(line_a)) for line in LINES}
    return found


def phases_of(station: Station, device: Device) -> int:
    """Return how many lines a port is connected to."""
    if device.phases is not None:
        return min(max(device.phases, 1), len(LINES))
    single_kw = SINGLE_PHASE_A * station.nominal_voltage_of(device) / 1000
    return len(LINES) if (device.rated_kw or 0.0) > single_kw + 0.05 else 1


def _rates(device: Device, kw_per_a: float) -> Float64:
    if device.rates_a:
        return np.unique([0.0, *device.rates_a])
    most_a = (device.rated_kw or 0.0) / kw_per_a
    whole = np.arange(np.ceil(device.min_current_a), np.floor(most_a) + 1)
    return np.unique(np.concatenate(([0.0], whole, [most_a] if most_a >= device.min_current_a else [])))


def _weights(limit: str, kw_per_a: Float64, lines: Sequence[str | None]) -> Float64:
    """Return (n,) what an ampere of each port adds; ports are taken to have power factor 1."""
    if limit not in LINES:
        return kw_per_a
    return np.array([1.0 if line in (limit, "L1-L3") else 1 / len(LINES) if line is None else 0.0 for line in lines])


def ports_kw(window: Window, ports: Sequence[str]) -> Float64:
    """Return (n, minutes) mean power of the ports; NaN where it is not known."""
    rows = window.minutes.get("port", empty_buckets())
    return by_minute(window, rows, ports, power_kw(rows))


def by_minute(window: Window, rows: Buckets, devices: Sequence[str], values: Float64) -> Float64:
    """Return (devices, minutes of the window) of one value per row; NaN where there is none."""
    out = np.full((len(devices), (window.to_ms - window.from_ms) // MINUTE_MS), np.nan)
    place = {d: i for i, d in enumerate(devices)}
    row = np.array([place.get(d, -1) for d in rows.devices], np.int64)[rows.device] if len(rows) else rows.device
    use = row >= 0
    out[row[use], (rows.start_ms[use] - window.from_ms) // MINUTE_MS] = values[use]
    return out


def other_load(window: Window, network: Network, drawn_kw: Float64) -> Float64 | None:
    """Return (k, minutes) what is drawn beside the ports, in the unit of each limit; NaN where not known.

    None: there is a site meter and it was never heard in the window. Without site meters there is nothing else.

    Parameters
    ----------
    drawn_kw
        (n, minutes) of the ports; where it is not known, what a port draws counts as another load.
    """
    meters = counted(window, "site_meter")
    if not meters:
        return np.zeros((len(network.limits), drawn_kw.shape[1]))
    rows = window.minutes.get("site_meter", empty_buckets())
    total_kw = by_minute(window, rows, meters, power_kw(rows)).sum(axis=0)
    if np.isnan(total_kw).all():
        return None
    drawn_kw = np.nan_to_num(drawn_kw)
    drawn = np.abs(network.site.weight @ (drawn_kw / network.site.kw_per_a[:, None]))
    # Where a meter tells no more than its power, the rest is taken to load the lines evenly at power factor 1.
    rest_kw = total_kw - drawn_kw.sum(axis=0)
    a_per_kw = 1000 / (len(LINES) * window.station.nominal_voltage_v)
    other = np.array([rest_kw * (a_per_kw if name in LINES else 1.0) for name in network.limits])
    kva_ms, kva, _ = site_kva(window)
    line_ms, line_a, _ = site_lines(window)
    for k, name in enumerate(network.limits):
        at, measured = (line_ms, line_a[LINES.index(name)]) if name in LINES else (kva_ms, kva)
        if name != "contract":
            minute = (at - window.from_ms) // MINUTE_MS
            other[k, minute] = measured - drawn[k, minute]
    return np.asarray(np.maximum(other, 0.0))


def offered_kw(window: Window, network: Network) -> Float64:
    """Return (n, minutes) mean power that the ports offered their vehicles; NaN where they did not say."""
    rows = window.minutes.get("port", empty_buckets())
    power, current = (
        by_minute(window, rows, network.ports, mean_of(rows, f"offered_{unit}")) for unit in ("kw", "a")
    )
    return np.where(np.isnan(power), current * network.site.kw_per_a[:, None], power)
