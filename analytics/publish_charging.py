"""Rows of a charging station by periods: the key figures with the sums that they are made of."""

from collections.abc import Sequence

import numpy as np

from analytics.counted import counted, counted_spans, shared_kw
from analytics.kernels.grid import max_per_device
from analytics.kernels.intervals import Int64, intersect, span
from analytics.kpis.charging import HOURS, STATES_OF, congested, rows_inside, station_power
from analytics.kpis.electrical import power_kw, site_kva
from analytics.publish_periods import (
    Bools,
    Float64,
    Periods,
    known_where,
    offline_ms,
    over,
    periods_of,
    pieces_of,
    rows_of,
)
from analytics.sessions import sessions_ending
from analytics.window import Window
from store.buckets import Buckets, empty_buckets
from telemetry.points import Column, Points
from telemetry.times import HOUR_MS


def charging_rows(window: Window, width: str) -> list[Points]:
    """Return `charging_station_{width}`: one row per period; `uptime` is left out, as it needs maintenance windows."""
    periods = periods_of(window, width)
    if not len(periods):
        return []
    ports = counted(window, "port")
    spans = _spans(window, ports, periods)
    minutes = window.minutes.get("port", empty_buckets())
    chosen = np.array([d in spans for d in minutes.devices], np.bool_)
    use = rows_inside(minutes, spans, window)
    if not chosen.all():
        use &= chosen[minutes.device]
    minutes = minutes if use.all() else minutes.take(use)
    at = periods.of(minutes.start_ms)

    hours = _hours(window, ports, spans, minutes, at, periods)
    known = hours["known_h"] > 0
    fields: dict[str, Column] = {**hours, "coverage": over(hours["known_h"], hours["window_h"])}
    for name in ("occupied", "charging", "idle"):
        part = known_where(known, hours[f"{name}_h"])
        fields[f"{name}_utilisation"] = over(part, hours["window_h"])
        fields[f"{name}_utilisation_of_known"] = over(part, hours["known_h"])
    _put_energy(window, ports, spans, minutes, at, periods, fields)
    _put_sessions(window, ports, known, periods, fields)
    together = pieces_of([congested(window, ports)], periods)
    congested_h = periods.sum_of(together.period, together.end_ms - together.start_ms) / HOUR_MS
    fields["congested_h"] = known_where(known, congested_h)
    fields["congestion"] = known_where(known, congested_h / (periods.length_ms / HOUR_MS))
    tags: dict[str, tuple[str | None, ...]] = {"station": (window.station.id,) * len(periods)}
    return [rows_of(f"charging_station_{width}", tags, periods.start_ms, fields)]


def _spans(window: Window, ports: Sequence[str], periods: Periods) -> dict[str, Int64]:
    """Return when each port counts; one that is not listed from the period of its first message on."""
    listed = window.station.listed("port")
    spans = {name: counted_spans(window, listed.get(name)) for name in ports}
    if not listed:
        for name in ports:
            at = int(periods.of(np.array([window.first_heard_ms["port", name]]))[0])
            if at > 0:
                since_ms = int(periods.edges_ms[min(at, len(periods))])
                spans[name] = intersect(spans[name], span(since_ms, window.to_ms))
    return spans


def _hours(
    window: Window, ports: Sequence[str], spans: dict[str, Int64], minutes: Buckets, at: Int64, periods: Periods
) -> dict[str, Float64]:
    pieces = pieces_of([spans[name] for name in ports], periods)

    def total(column: str) -> Float64:
        values = minutes.columns.get(column)
        return np.zeros(len(periods)) if values is None else periods.sum_of(at, values)

    ms = {name: sum((total(f"{s}_ms") for s in states), np.zeros(len(periods))) for name, states in STATES_OF.items()}
    ms["known"] = sum(ms.values(), np.zeros(len(periods)))
    ms["charging"] = total("in_charge_ms")
    ms["idle"] = ms["occupied"] - ms["charging"]
    ms["window"] = periods.sum_of(pieces.period, pieces.end_ms - pieces.start_ms)
    ms["offline"] = periods.sum_of(pieces.period, offline_ms(window, "port", ports, pieces))
    ms["unknown"] = ms["window"] - ms["known"] - ms["offline"]
    return {f"{name}_h": ms[name] / HOUR_MS for name in ("window", "known", "offline", "unknown", *HOURS, "idle")}


def _put_energy(
    window: Window, ports: Sequence[str], spans: dict[str, Int64], minutes: Buckets, at: Int64, periods: Periods,
    fields: dict[str, Column],
) -> None:
    n = len(periods)
    energy_n, energy_ms = minutes.get("energy_n"), minutes.get("energy_ms")
    known = periods.sum_of(at, (energy_n != 0) | (energy_ms > 0)) > 0
    energy_kwh = known_where(known, periods.sum_of(at, energy_n) / 1e9)
    time_ms, total_kw, width_ms = station_power(minutes, power_kw(minutes), ports)
    minute_at = periods.of(time_ms)
    peak_kw = max_per_device(minute_at, total_kw, n)
    fields["energy_kwh"] = energy_kwh
    fields["power_kw"] = over(periods.sum_of(minute_at, total_kw * width_ms), periods.sum_of(minute_at, width_ms))
    fields["peak_kw"] = peak_kw
    fields["load_factor"] = over(energy_kwh, peak_kw * (periods.length_ms / HOUR_MS))
    shares_kw = shared_kw(window.station.listed("port"))
    rated_kw = np.array([shares_kw.get(name) or np.nan for name in ports])
    if len(ports) and not np.isnan(rated_kw).any():
        pieces = pieces_of([spans[name] for name in ports], periods)
        part_h = (pieces.end_ms - pieces.start_ms) / HOUR_MS
        capacity_kwh = periods.sum_of(pieces.period, rated_kw[pieces.device] * part_h)
        fields["capacity_kwh"], fields["capacity_factor"] = capacity_kwh, over(energy_kwh, capacity_kwh)
    kva = window.station.transformer_kva
    if not kva:
        return
    site_ms, site, site_width_ms = site_kva(window)
    site_at = periods.of(site_ms)
    # A period without a minute that the site meters know falls back on the ports.
    ours = ~(np.bincount(site_at, minlength=n) > 0)[minute_at]
    loading_at = np.concatenate((site_at, minute_at[ours]))
    loading = np.concatenate((site, np.abs(total_kw[ours]))) / kva
    loading_ms = np.concatenate((site_width_ms, width_ms[ours]))
    fields["transformer_loading_max"] = max_per_device(loading_at, loading, n)
    any_known = np.bincount(loading_at, minlength=n) > 0
    for percent in (80, 100):
        beyond_h = periods.sum_of(loading_at, np.where(loading > percent / 100, loading_ms, 0.0)) / HOUR_MS
        fields[f"transformer_h_over_{percent}pct"] = known_where(any_known, beyond_h)


def _put_sessions(
    window: Window, ports: Sequence[str], known: Bools, periods: Periods, fields: dict[str, Column]
) -> None:
    chosen = set(ports)
    ended = [s for s in sessions_ending(window) if s.port in chosen]
    at = periods.of(np.array([s.end_ms for s in ended], np.int64))
    judged = periods.sum_of(at, np.array([s.outcome != "unknown" for s in ended], np.bool_))
    good = periods.sum_of(at, np.array([s.outcome == "success" for s in ended], np.bool_))
    energy_kwh = np.array([np.nan if s.energy_kwh is None else s.energy_kwh for s in ended])
    measured = ~np.isnan(energy_kwh)
    total_kwh = periods.sum_of(at, np.where(measured, energy_kwh, 0.0))
    count = periods.sum_of(at, measured)
    fields["sessions"] = known_where(known, np.bincount(at, minlength=len(periods)))
    fields["sessions_successful"], fields["sessions_judged"] = known_where(known, good), known_where(known, judged)
    listed = window.station.listed("port")
    if chosen and all(getattr(listed.get(name), "rated_kw", None) is not None for name in ports):
        overstay_s = np.array([s.overstay_s or 0.0 for s in ended])
        fields["overstay_h"] = known_where(known, periods.sum_of(at, overstay_s) / 3600)
    fields["session_success_rate"] = over(good, judged)
    fields["sessions_measured"] = known_where(known, count)
    fields["sessions_measured_kwh"] = known_where(known, total_kwh)
    fields["mean_session_kwh"] = over(total_kwh, count)
