"""Key figures of a compressed-air station: energy, volume and their ratio, pressure, leakage, customers."""

import numpy as np

from analytics.air import AirMinutes, Float64, air_minutes, to_state
from analytics.counted import counted
from analytics.figures import KpiAnswer, Sheet, share
from analytics.kernels.flow import INLET
from analytics.kernels.quantile import quantile
from analytics.kernels.thermo import isentropic_kwh_per_m3
from analytics.kpis.machines import air_device_kpis, machine_kpis
from analytics.kpis.quality import energy_split, quality_kpis
from analytics.leaks import fuse, leak_estimates
from analytics.savings import savings
from analytics.window import Window


def air_kpis(window: Window) -> KpiAnswer:
    """Return the key figures of section "Compressed air" for the station and each of its devices."""
    air = air_minutes(window)
    sheet = Sheet()
    _energy_and_volume(air, sheet)
    _pressure(air, sheet)
    _dew_point(air, sheet)
    machine_kpis(air, counted(window, "compressor"), sheet)
    _leakage(air, sheet)
    _customers(air, sheet)
    network_bar = station_pressure_bar(air)
    quality_kpis(air, network_bar, sheet)
    energy_split(air, network_bar, sheet.kpis["leak_m3_min"], sheet)
    coverage = share(air.coverage_ms, window.to_ms - window.from_ms)
    return KpiAnswer(coverage, sheet.kpis, sheet.reasons, air_device_kpis(air, network_bar))


def _energy_and_volume(air: AirMinutes, sheet: Sheet) -> None:
    no_energy, no_air = "no device reported energy or power", "neither a main nor a compressor reported flow or volume"
    sheet.put("energy_kwh", air.energy.total if air.energy.any_amount else None, no_energy)
    for name in ("volume_m3", "supplied_m3"):
        sheet.put(name, air.supply.total if air.supply.any_amount else None, no_air)
    ratio = air.kwh_per_m3
    sheet.put("kwh_per_m3", ratio, air.missing)
    for name, amount in zip(("paired_energy_kwh", "paired_volume_m3"), air.paired, strict=True):
        sheet.put(name, amount if air.balance_known.any() else None, air.missing)
    sheet.put("kw_per_m3_min", None if ratio is None else 60 * ratio, air.missing)
    sheet.put("flow_mean_m3_min", air.flow_mean_m3_min,
              f"no flow or volume from {', '.join(air.supply.never_known)}" if air.supply.never_known else no_air)

    known = air.balance_known
    pressure_bar = station_pressure_bar(air)
    known &= ~np.isnan(pressure_bar)
    volume_m3 = air.supply.amount_n[:, known].sum(axis=0) / 1e9 * to_state(air.window.station, INLET)
    useful_kwh = float((isentropic_kwh_per_m3(pressure_bar[known]) * volume_m3).sum())
    sheet.over("isentropic_efficiency", useful_kwh if known.any() else None, air.energy.over(known),
               f"no pressure of a main or a machine, or {air.missing}")
    sheet.put("grade", None, "GB 19153-2019 grades single machines: see devices")


def station_pressure_bar(air: AirMinutes) -> Float64:
    """Return the 1-minute means of the network's pressure [bar]: of the mains, else of the machines; NaN unknown."""
    mains = air.means("air_main", counted(air.window, "air_main"), "pressure_bar")
    if np.isnan(mains).all():
        mains = air.means("compressor", counted(air.window, "compressor"), "discharge_pressure_bar")
    return mean_known(mains)


def mean_known(values: Float64) -> Float64:
    """Return the mean over devices of (devices, times); NaN where no device is known."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    out = np.full(values.shape[1], np.nan)
    np.divide(np.where(known, values, 0.0).sum(axis=0), count, out=out, where=count > 0)
    return out


def _pressure(air: AirMinutes, sheet: Sheet) -> None:
    pressure_bar = station_pressure_bar(air)
    pressure_bar = pressure_bar[~np.isnan(pressure_bar)]
    none = "no main or machine reported pressure in the window"
    sheet.put("pressure_mean_bar", float(pressure_bar.mean()) if len(pressure_bar) else None, none)
    sheet.put("pressure_p05_bar", quantile(pressure_bar, 0.05), none)
    sheet.put("pressure_p95_bar", quantile(pressure_bar, 0.95), none)
    band = air.window.station.contract_pressure_bar
    if band is None:
        sheet.put("pressure_in_band", None, "contract_pressure_bar is missing: set it in stations.toml")
    else:
        inside = (pressure_bar >= band[0]) & (pressure_bar <= band[1])
        sheet.over("pressure_in_band", int(inside.sum()), len(pressure_bar), none)


def _dew_point(air: AirMinutes, sheet: Sheet) -> None:
    values = air.means("air_main", counted(air.window, "air_main"), "dew_point_c")
    if np.isnan(values).all():
        values = air.means("dryer", counted(air.window, "dryer"), "dew_point_c")
    known = ~np.isnan(values).all(axis=0) if len(values) else np.zeros(values.shape[1], np.bool_)
    # The wettest place of the minute is what a customer may get.
    worst_c = np.nanmax(values[:, known], axis=0) if known.any() else np.empty(0)
    none = "no main or dryer reported a dew point in the window"
    sheet.put("dew_point_max_c", float(worst_c.max()) if len(worst_c) else None, none)
    limit = air.window.station.dew_point_max_c
    if limit is None:
        sheet.put("dew_point_in_band", None, "dew_point_max_c is missing: set it in stations.toml")
    else:
        sheet.over("dew_point_in_band", int((worst_c <= limit).sum()), len(worst_c), none)


def _leakage(air: AirMinutes, sheet: Sheet) -> None:
    estimates = leak_estimates(air)
    fused = fuse(estimates, idle_declared=air.window.station.idle_hours is not None)
    leak = None if fused is None else fused.leak_m3_min
    reason = "; ".join(f"{e.method}: {e.reason}" for e in estimates[:1])
    sheet.put("leak_m3_min", leak, reason)
    sheet.over("leak_share", leak, air.flow_mean_m3_min, reason)


def _customers(air: AirMinutes, sheet: Sheet) -> None:
    meters = air.meters
    none = "no customer's meter reported flow or volume in the window"
    sheet.put("metered_m3", meters.total if meters.any_amount else None, none)
    known = air.supply.known & meters.known
    supplied_m3 = air.supply.over(known) if known.any() else None
    lost = [*air.supply.never_known, *meters.never_known]
    reason = f"no flow or volume in the window from {', '.join(lost)}" if lost else none
    unaccounted_m3 = None if supplied_m3 is None else supplied_m3 - meters.over(known)
    sheet.put("unaccounted_m3", unaccounted_m3, reason)
    sheet.over("unaccounted_share", unaccounted_m3, supplied_m3, reason)

    found = savings(air, np.arange(len(meters.devices)))
    for name in ("savings_kwh", "savings_money", "savings_co2_kg"):
        value = getattr(found, name)
        sheet.put(name, value, found.reasons.get(name, ""))
