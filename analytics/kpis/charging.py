"""Key figures of a charging station and of its ports (hours, utilisation, energy, sessions, uptime)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.counted import counted, counted_spans, service_span, shared_kw, shown
from analytics.figures import DeviceKpis, KpiAnswer, Sheet, share
from analytics.held import heard
from analytics.kernels.grid import max_per_device, sum_per_device
from analytics.kernels.intervals import (
    EMPTY,
    Int64,
    contains,
    intersect,
    length_ms,
    span,
    subtract,
    union,
)
from analytics.kpis.electrical import imbalance_kpi, power_kw, site_meter_kpis, transformer_kpis
from analytics.kpis.lost import LostPort, lost_kpis
from analytics.kpis.supply import supply_kpis
from analytics.sessions import Session, sessions_ending
from analytics.steady import steady_ports
from analytics.uptime import Exclusion, PortUptime, station_uptime, uptime_of
from analytics.visits import visit_kpis
from analytics.window import Window
from store.buckets import Buckets, empty_buckets
from telemetry.channels import OCCUPIED_STATUS
from telemetry.times import HOUR_MS, MINUTE_MS

RATING = "rated_kw of a port is missing: set it in stations.toml"
NOT_KNOWN = "no state of a port is known in the window"
HOURS = ("available", "reserved", "occupied", "charging", "faulted", "unavailable")
"""Kinds of hours; `charging` is a part of `occupied`, the others make up the known time."""
STATES_OF = {
    "available": ("Available",),
    "reserved": ("Reserved",),
    "occupied": OCCUPIED_STATUS,
    "faulted": ("Faulted",),
    "unavailable": ("Unavailable",),
}
"""Kind of hours -> states of a port that count in it."""


@dataclass(frozen=True, slots=True)
class _Sums:
    """What figures are made of: of one port, or of several."""

    window_ms: int
    offline_ms: int
    state_ms: Mapping[str, int]
    """Of `HOURS`; `charging` is a part of `occupied`."""
    known_ms: int
    energy_n: int
    """[10^-9 kWh]"""
    energy_known: bool
    capacity_kwh: float | None
    """What could be delivered in the window at rated power; None where a rating is missing."""


@dataclass(frozen=True, slots=True)
class _Port:
    """One port."""

    sums: _Sums
    rated_kw: float | None
    shared_kw: float | None
    """What it adds to the rated power of its station."""
    peak_kw: float
    """NaN where no power is known."""

    @property
    def up_ms(self) -> int:
        return sum(self.sums.state_ms[name] for name in ("available", "reserved", "occupied"))


def _together(ports: Sequence[_Port]) -> _Sums:
    parts = [port.sums for port in ports]
    rated_kwh = [p.shared_kw * p.sums.window_ms / HOUR_MS for p in ports if p.shared_kw is not None]
    return _Sums(
        window_ms=sum(p.window_ms for p in parts),
        offline_ms=sum(p.offline_ms for p in parts),
        state_ms={name: sum(p.state_ms[name] for p in parts) for name in HOURS},
        known_ms=sum(p.known_ms for p in parts),
        energy_n=sum(p.energy_n for p in parts),
        energy_known=any(p.energy_known for p in parts),
        capacity_kwh=sum(rated_kwh) if len(rated_kwh) == len(parts) else None,
    )


def charging_kpis(window: Window, exclusions: Sequence[Exclusion] = ()) -> KpiAnswer:
    """Return the key figures of section "Charging" for the station, each port and each site meter.

    Parameters
    ----------
    window
        The station's data.
    exclusions
        Maintenance windows for `uptime`.
    """
    minutes = window.minutes.get("port", empty_buckets())
    names = shown(window, "port")
    listed = window.station.listed("port")
    spans = {name: counted_spans(window, listed.get(name)) for name in names}
    inside = rows_inside(minutes, spans, window)
    power = np.where(inside, power_kw(minutes), np.nan)
    ports = _ports(window, minutes, inside, spans, power)
    summed = counted(window, "port")
    sessions: dict[str, list[Session]] = {name: [] for name in names}
    for session in sessions_ending(window):
        sessions.setdefault(session.port, []).append(session)
    uptimes = {u.port: u for u in uptime_of(window, exclusions)}

    devices = []
    for name in names:
        port = ports[name]
        sheet = _sheet(window, port.sums, port.peak_kw, sessions[name])
        _put_uptime(sheet, [uptimes[name]] if name in uptimes else [])
        coverage = share(port.sums.known_ms, port.sums.window_ms)
        devices.append(DeviceKpis(name, "port", coverage, sheet.kpis, sheet.reasons))

    chosen = [ports[name] for name in summed]
    _, total_kw, width_ms = station_power(minutes, power, summed)
    total = _together(chosen)
    sheet = _sheet(window, total, float(total_kw.max()) if len(total_kw) else np.nan,
                   [s for name in summed for s in sessions[name]])
    _put_uptime(sheet, [uptimes[name] for name in summed])
    congestion = share(length_ms(congested(window, summed)), window.to_ms - window.from_ms)
    sheet.put("congestion", congestion if total.known_ms else None, NOT_KNOWN)
    transformer_kpis(window, sheet, total_kw, width_ms)
    supply_kpis(window, sheet, minutes if inside.all() else minutes.take(inside))
    imbalance_kpi(window, sheet)
    sheet.over("simultaneity", sheet.kpis["peak_kw"], sum(p.peak_kw for p in chosen if not np.isnan(p.peak_kw)),
               "no port drew power in the window")
    lost_kpis(window, sheet, [
        LostPort(
            rated_kw=ports[name].rated_kw, counts=spans[name],
            energy_kwh=ports[name].sums.energy_n / 1e9 if ports[name].sums.energy_known else None,
            up_ms=ports[name].up_ms, outages=uptimes[name].outages if name in uptimes else (),
            sessions=sessions[name],
        )
        for name in summed
    ])
    coverage = share(total.known_ms, total.window_ms)
    return KpiAnswer(coverage, sheet.kpis, sheet.reasons, (*devices, *site_meter_kpis(window)))


def rows_inside(minutes: Buckets, spans: Mapping[str, Int64], window: Window) -> NDArray[np.bool_]:
    """Return which rows lie in the time in which their port counts; a port without a span always does."""
    whole = span(window.from_ms, window.to_ms)
    inside = np.zeros(len(minutes), np.bool_)
    edges = np.searchsorted(minutes.device, np.arange(len(minutes.devices) + 1)).tolist()
    for i, name in enumerate(minutes.devices):
        rows = slice(edges[i], edges[i + 1])
        counts = spans.get(name, whole)
        inside[rows] = True if np.array_equal(counts, whole) else contains(counts, minutes.start_ms[rows])
    return inside


def _ports(
    window: Window, minutes: Buckets, inside: NDArray[np.bool_], spans: Mapping[str, Int64],
    power: NDArray[np.float64],
) -> dict[str, _Port]:
    n = len(minutes.devices)
    everywhere = bool(inside.all())

    def total(column: str) -> Int64:
        values = minutes.columns.get(column)
        if values is None:
            return np.zeros(n, np.int64)
        return sum_per_device(minutes.device, values if everywhere else np.where(inside, values, 0), n)

    none = np.zeros(n, np.int64)
    state_ms = {name: sum((total(f"{s}_ms") for s in states), none).tolist() for name, states in STATES_OF.items()}
    state_ms["charging"] = total("in_charge_ms").tolist()
    energy_n, energy_ms = total("energy_n").tolist(), total("energy_ms").tolist()
    peak_kw = max_per_device(minutes.device, power, n).tolist()
    position = {name: i for i, name in enumerate(minutes.devices)}
    listed = window.station.listed("port")
    shares_kw = shared_kw(listed)
    heard_throughout = steady_ports(window)
    found = {}
    for name, counts in spans.items():
        i = position.get(name)
        device = listed.get(name)
        rated_kw = None if device is None else device.rated_kw
        window_ms = length_ms(counts)
        own_ms = {h: 0 if i is None else state_ms[h][i] for h in HOURS}
        found[name] = _Port(_Sums(
            window_ms=window_ms,
            offline_ms=0 if name in heard_throughout else _offline_ms(window, name, counts),
            state_ms=own_ms,
            known_ms=sum(own_ms[h] for h in STATES_OF),
            energy_n=0 if i is None else energy_n[i],
            energy_known=i is not None and bool(energy_ms[i] or energy_n[i]),
            capacity_kwh=None if rated_kw is None else rated_kw * window_ms / HOUR_MS,
        ), rated_kw, shares_kw.get(name), np.nan if i is None else peak_kw[i])
    return found


def _offline_ms(window: Window, port: str, counts: Int64) -> int:
    """Return the silence of a port since its first message in which Voltair could have heard it."""
    first_ms = window.first_heard_ms.get(("port", port))
    if first_ms is None:
        return 0
    since = intersect(counts, span(first_ms, window.now_ms))
    silent = subtract(since, heard(window.runs.get("port"), (port,)))
    return length_ms(subtract(silent, window.deaf_ms))


def station_power(
    minutes: Buckets, power: NDArray[np.float64], ports: Sequence[str]
) -> tuple[Int64, NDArray[np.float64], NDArray[np.float64]]:
    """Return the start of each minute that knows any power [ms], the ports' summed mean power [kW], its length [ms]."""
    chosen = np.array([name in set(ports) for name in minutes.devices], np.bool_)
    use = ~np.isnan(power) & (True if chosen.all() else chosen[minutes.device])
    if not use.any():
        return np.empty(0, np.int64), np.empty(0), np.empty(0)
    first_ms = minutes.start_ms[use].min()
    slot = (minutes.start_ms[use] - first_ms) // MINUTE_MS
    rows = np.bincount(slot)
    present = rows > 0
    total_kw = np.bincount(slot, weights=power[use])[present].astype(np.float64)
    width_ms = np.bincount(slot, weights=minutes.width_ms[use])[present] / rows[present]
    return first_ms + MINUTE_MS * np.flatnonzero(present), total_kw, width_ms


def _sheet(window: Window, sums: _Sums, peak_kw: float, sessions: Sequence[Session]) -> Sheet:
    """Return the figures that a port and a station have in common."""
    sheet = Sheet()
    window_ms, known_ms = sums.window_ms, sums.known_ms
    state_ms = {**sums.state_ms, "idle": sums.state_ms["occupied"] - sums.state_ms["charging"]}
    for name, ms in {
        "window": window_ms,
        "known": known_ms,
        "offline": sums.offline_ms,
        "unknown": window_ms - known_ms - sums.offline_ms,
        **state_ms,
    }.items():
        sheet.put(f"{name}_h", ms / HOUR_MS)
    for name in ("occupied", "charging", "idle"):
        # Where nothing is known a share of 0 would be a claim.
        part_ms = state_ms[name] if known_ms else None
        sheet.over(f"{name}_utilisation", part_ms, window_ms, NOT_KNOWN)
        sheet.over(f"{name}_utilisation_of_known", part_ms, known_ms, NOT_KNOWN)

    no_energy = "no port reported energy or power in the window"
    energy_kwh = sums.energy_n / 1e9 if sums.energy_known else None
    sheet.put("energy_kwh", energy_kwh, no_energy)
    sheet.put("peak_kw", peak_kw, no_energy)
    hours = (window.to_ms - window.from_ms) / HOUR_MS
    sheet.over("load_factor", energy_kwh, peak_kw * hours, no_energy)
    sheet.put("capacity_kwh", sums.capacity_kwh, RATING)
    sheet.over("capacity_factor", energy_kwh, sums.capacity_kwh, RATING if sums.capacity_kwh is None else no_energy)

    known = [s for s in sessions if s.outcome != "unknown"]
    good = sum(s.outcome == "success" for s in known)
    sheet.put("sessions", len(sessions) if known_ms else None, NOT_KNOWN)
    sheet.put("sessions_successful", good if known_ms else None, NOT_KNOWN)
    sheet.put("sessions_judged", len(known) if known_ms else None, NOT_KNOWN)
    sheet.over("session_success_rate", good, len(known), "no session with a known outcome ended in the window")
    energies = [s.energy_kwh for s in sessions if s.energy_kwh is not None]
    visit_kpis(sheet, sessions)
    sheet.put("sessions_measured", len(energies) if known_ms else None, NOT_KNOWN)
    sheet.put("sessions_measured_kwh", sum(energies) if known_ms else None, NOT_KNOWN)
    sheet.over("mean_session_kwh", sum(energies), len(energies), "no session with measured energy ended in the window")
    overstay_s = [s.overstay_s for s in sessions]
    if sums.capacity_kwh is None or None in overstay_s:
        sheet.put("overstay_h", None, RATING)
    else:
        sheet.put("overstay_h", sum(s or 0.0 for s in overstay_s) / 3600 if known_ms else None, NOT_KNOWN)
    return sheet


def _put_uptime(sheet: Sheet, ports: Sequence[PortUptime]) -> None:
    sheet.put("uptime", station_uptime(ports), "no port was in service: never heard and without `commissioned`, "
              "or not listed at a station that lists its ports")
    # The parts of the ratio, for sums over stations.
    minutes = sum(p.minutes for p in ports)
    sheet.put("service_min", minutes)
    sheet.put("up_min", minutes - sum(p.outage_min - p.excluded_min for p in ports))


def congested(window: Window, ports: Sequence[str]) -> Int64:
    """Return the time of the window in which a port is in service and every such port is occupied."""
    listed, runs = window.station.listed("port"), window.runs.get("port")
    if runs is None or not len(ports):
        return EMPTY
    # A port that is never in service here has a span without length.
    service = np.array([(*service_span(window, listed.get(port)).ravel(), 0, 0)[:2] for port in ports], np.int64)
    place = np.array([ports.index(d) if d in ports else -1 for d in runs.devices], np.int64)[runs.device]
    occupied = np.flatnonzero(np.array([s in OCCUPIED_STATUS for s in runs.state], np.bool_) & (place >= 0))
    place = place[occupied]
    start = np.maximum(runs.start_ms[occupied], service[place, 0])
    end = np.maximum(np.minimum(runs.end_ms[occupied], service[place, 1]), start)
    times, at = np.unique(np.concatenate((service.T.ravel(), start, end)), return_inverse=True)
    # Runs of one port never overlap, so counts tell whether all are occupied.
    serving, busy = np.zeros(len(times), np.int64), np.zeros(len(times), np.int64)
    n, m = len(ports), len(start)
    np.add.at(serving, at[: 2 * n], np.repeat((1, -1), n))
    np.add.at(busy, at[2 * n :], np.repeat((1, -1), m))
    serving, busy = np.cumsum(serving), np.cumsum(busy)
    full = ((busy == serving) & (serving > 0))[:-1]
    return union(np.column_stack((times[:-1][full], times[1:][full])))
