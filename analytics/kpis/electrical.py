"""Power of ports and site meters by minutes, and the loading of the transformer."""

import numpy as np
from numpy.typing import NDArray

from analytics.counted import counted, shown
from analytics.figures import DeviceKpis, Sheet, share
from analytics.kernels.electrical import nema_imbalance
from analytics.kernels.grid import dense, max_per_device, ratio, sum_per_device
from analytics.kernels.intervals import Int64
from analytics.window import Window
from store.buckets import Buckets, empty_buckets
from telemetry.times import HOUR_MS

Float64 = NDArray[np.float64]

KW_OF_ENERGY = HOUR_MS / 1e9
"""10^-9 kWh per ms -> kW."""


def mean_of(rows: Buckets, gauge: str) -> Float64:
    """Return the mean of a gauge in each row, in its unit; NaN where it is not known."""
    if f"{gauge}_ms" not in rows.columns:
        return np.full(len(rows), np.nan)
    return ratio(rows.get(f"{gauge}_i"), rows.columns[f"{gauge}_ms"]) / 1e6


def power_kw(rows: Buckets) -> Float64:
    """Return the mean power of each row [kW]: of the gauge, else of the register; NaN where neither is known."""
    power = mean_of(rows, "power_kw")
    if "energy_ms" in rows.columns and np.isnan(power).any():
        from_energy = ratio(rows.get("energy_n"), rows.columns["energy_ms"], KW_OF_ENERGY)
        power = np.where(np.isnan(power), from_energy, power)
    return power


def site_meter_kpis(window: Window) -> tuple[DeviceKpis, ...]:
    """Return energy and peak of every site meter, listed or seen."""
    rows = window.minutes.get("site_meter", empty_buckets())
    n = len(rows.devices)
    energy_n, energy_ms, heard_ms = (
        sum_per_device(rows.device, rows.get(c), n) for c in ("energy_n", "energy_ms", "heard_ms")
    )
    peak_kw = max_per_device(rows.device, power_kw(rows), n)
    position = {name: i for i, name in enumerate(rows.devices)}
    found = []
    for name in shown(window, "site_meter"):
        i = position.get(name)
        sheet = Sheet()
        reason = "the meter reported neither energy nor power in the window"
        known = i is not None and bool(energy_ms[i] or energy_n[i])
        sheet.put("energy_kwh", int(energy_n[i]) / 1e9 if known else None, reason)
        sheet.put("peak_kw", None if i is None else float(peak_kw[i]), reason)
        coverage = share(0 if i is None else int(heard_ms[i]), window.to_ms - window.from_ms)
        found.append(DeviceKpis(name, "site_meter", coverage, sheet.kpis, sheet.reasons))
    return tuple(found)


def transformer_kpis(window: Window, sheet: Sheet, port_kw: Float64, port_width_ms: Float64) -> None:
    """Enter the loading of the transformer: 1-minute means of apparent power over `transformer_kva`.

    Parameters
    ----------
    window
        The station's data.
    sheet
        Where the figures go.
    port_kw, port_width_ms
        Summed power of the ports in each minute that knows it, and how long the minute is; taken as apparent power
        where no site meter tells more.
    """
    kva = window.station.transformer_kva
    _, apparent_kva, width_ms = site_kva(window)
    if not len(apparent_kva):
        apparent_kva, width_ms = np.abs(port_kw), port_width_ms
    if not kva or not len(apparent_kva):
        for name in ("transformer_loading_max", "transformer_h_over_80pct", "transformer_h_over_100pct"):
            sheet.put(name, None, "neither a site meter nor a port reported power in the window" if kva
                      else "transformer_kva is missing: set it in stations.toml")
        return
    loading = apparent_kva / kva
    sheet.put("transformer_loading_max", float(loading.max()))
    sheet.put("transformer_h_over_80pct", float(width_ms[loading > 0.8].sum()) / HOUR_MS)
    sheet.put("transformer_h_over_100pct", float(width_ms[loading > 1.0].sum()) / HOUR_MS)


def site_kva(window: Window) -> tuple[Int64, Float64, Float64]:
    """Return the minutes in which every site meter is known [ms], their apparent power [kVA] and length [ms]."""
    rows = window.minutes.get("site_meter", empty_buckets())
    names = counted(window, "site_meter")
    if not names or not len(rows):
        return np.empty(0, np.int64), np.empty(0), np.empty(0)
    active = power_kw(rows)
    reactive = mean_of(rows, "reactive_kvar")
    factor = mean_of(rows, "power_factor")
    by_factor = np.abs(active) * np.sqrt(np.maximum(ratio(np.ones(len(rows)), factor**2) - 1.0, 0.0))
    reactive = np.where(np.isnan(reactive), by_factor, reactive)
    at = _whole_minutes(rows, names, ~np.isnan(active) & ~np.isnan(reactive))
    apparent_kva = np.hypot(active[at].sum(axis=0), reactive[at].sum(axis=0))
    return rows.start_ms[at[0]], np.asarray(apparent_kva), rows.width_ms[at[0]].astype(np.float64)


def _whole_minutes(rows: Buckets, names: list[str], known: NDArray[np.bool_]) -> Int64:
    """Return (meters, times) positions of rows, for the minutes in which every meter is known."""
    times = np.unique(rows.start_ms)
    place = np.array([names.index(d) if d in names else -1 for d in rows.devices], np.int64)[rows.device]
    at = dense(np.where(known, place, -1), rows.start_ms, np.arange(len(rows)), times, len(names), empty=-1)
    return at[:, (at >= 0).all(axis=0)]


def imbalance_kpi(window: Window, sheet: Sheet) -> None:
    """Enter the greatest NEMA imbalance of the site's line currents: max |I - mean| / mean of 1-minute means.

    Only minutes whose mean current is above 5 % of the transformer's rated current count; small currents are never
    balanced. The rated current: `transformer_kva` at the measured voltage to neutral, else at the nominal one.
    """
    name = "current_imbalance_nema_max"
    if not window.station.transformer_kva:
        sheet.put(name, None, "transformer_kva is missing: set it in stations.toml")
        return
    time_ms, lines_a, rated_a = site_lines(window)
    if not len(time_ms):
        sheet.put(name, None, "no site meter reported the currents of three lines in the window")
        return
    loaded = lines_a.mean(axis=0) > 0.05 * rated_a
    if not loaded.any():
        sheet.put(name, None, "no minute in the window above 5 % of the transformer's rated current")
        return
    sheet.put(name, float(nema_imbalance(lines_a[:, loaded].T).max()))


def site_lines(window: Window) -> tuple[Int64, Float64, float]:
    """Return the line currents of the site and the transformer's rated current.

    Returns
    -------
    (k,) minutes in which every site meter's lines are known [ms]; (3, k) summed currents [A]; rated current [A], from
    `transformer_kva` and the measured voltage to neutral (else the nominal one), NaN without `transformer_kva`.
    """
    rows = window.minutes.get("site_meter", empty_buckets())
    names = counted(window, "site_meter")
    lines_a = np.array([mean_of(rows, f"current_l{k}_a") for k in (1, 2, 3)])
    lines_v = np.array([mean_of(rows, f"voltage_l{k}_v") for k in (1, 2, 3)])
    known = ~np.isnan(lines_a).any(axis=0)
    if not names or not known.any():
        return np.empty(0, np.int64), np.empty((3, 0)), np.nan
    at = _whole_minutes(rows, names, known)
    volts, kva = lines_v[lines_v > 0], window.station.transformer_kva
    nominal_v = float(volts.mean()) if len(volts) else window.station.nominal_voltage_v
    rated_a = kva * 1000 / (3 * nominal_v) if kva else np.nan
    return rows.start_ms[at[0]], np.asarray(lines_a[:, at].sum(axis=1)), rated_a
