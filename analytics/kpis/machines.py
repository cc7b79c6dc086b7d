"""Key figures of single devices of a compressed-air station, and the running of its compressors."""

from collections.abc import Sequence

import numpy as np

from analytics.air import AIR_KINDS, AirMinutes, Bools, Float64, to_state
from analytics.counted import shown
from analytics.customers import minutes_outside
from analytics.figures import DeviceKpis, Sheet, share
from analytics.grades import grade_of
from analytics.kernels.flow import ANR, INLET
from analytics.kernels.grid import Int64, ratio
from analytics.kernels.quantile import quantile
from analytics.kernels.thermo import isentropic_kwh_per_m3
from analytics.window import Window
from telemetry.channels import MACHINE_STATE
from telemetry.times import HOUR_MS, MINUTE_MS

UNLOADED = ("unloaded", "loading", "unloading")
"""States in which a machine runs and delivers no air."""
STANDING = ("stopped", "fault")
RUNNING = ("starting", *UNLOADED, "loaded", "running")


def machine_kpis(air: AirMinutes, machines: Sequence[str], sheet: Sheet) -> None:
    """Enter how compressors ran: machine-hours, load factor, unloaded energy, cut-ins per known machine-hour."""
    none = "no state of a compressor is known in the window"
    state_ms = {s: air.sums("compressor", machines, f"{s}_ms") for s in MACHINE_STATE}
    known_each = np.sum(list(state_ms.values()), axis=0)
    known_ms = int(known_each.sum())
    loaded_ms, stopped_ms = int(state_ms["loaded"].sum()), int(state_ms["stopped"].sum())
    unloaded_ms = int(sum(state_ms[s].sum() for s in UNLOADED))
    for name, ms in {"loaded": loaded_ms, "unloaded": unloaded_ms, "stopped": stopped_ms, "known": known_ms}.items():
        sheet.put(f"{name}_h", ms / HOUR_MS if known_ms else None, none)
    ran = none if not known_ms else "no compressor was loaded or unloaded in the window"
    sheet.over("load_factor", loaded_ms, loaded_ms + unloaded_ms, ran)
    both = (known_each > 0) & (air.sums("compressor", machines, "energy_ms") > 0)
    energy_n = int(air.sums("compressor", machines, "energy_n")[both].sum())
    unloaded_n = int(air.sums("compressor", machines, "energy_unloaded_n")[both].sum())
    unknown = "no minute in the window in which state and energy of a compressor are known"
    sheet.put("unloaded_energy_kwh", unloaded_n / 1e9 if both.any() else None, unknown)
    sheet.over("unloaded_energy_share", unloaded_n, energy_n, unknown)
    sheet.over("cycles_per_h", len(cut_ins(air.window, machines)), known_ms / HOUR_MS, none)
    sheet.over("starts_per_h", len(_changes(air.window, machines, STANDING, RUNNING)), known_ms / HOUR_MS, none)


def cut_ins(window: Window, machines: Sequence[str]) -> Int64:
    """Return the times in the window at which a machine changed from another known state to loaded [ms]."""
    return _changes(window, machines, tuple(s for s in MACHINE_STATE if s != "loaded"), ("loaded",))


def _changes(window: Window, machines: Sequence[str], before: Sequence[str], after: Sequence[str]) -> Int64:
    """Return the times in the window at which a machine went from one of some states to one of others [ms]."""
    runs = window.runs.get("compressor")
    if runs is None or len(runs) < 2:
        return np.empty(0, np.int64)
    chosen = np.array([d in set(machines) for d in runs.devices], np.bool_)
    left, entered = (np.array([s in set(states) for s in runs.state], np.bool_) for states in (before, after))
    start = runs.start_ms[1:]
    changed = entered[1:] & left[:-1] & (runs.device[1:] == runs.device[:-1]) & chosen[runs.device[1:]]
    inside: Int64 = start[changed & (start >= window.from_ms) & (start < window.to_ms)]
    return inside


def air_device_kpis(air: AirMinutes, network_bar: Float64) -> tuple[DeviceKpis, ...]:
    """Return the figures of every listed or seen device.

    Parameters
    ----------
    air
        The station's minutes.
    network_bar
        (times,) pressure of the network, for machines that do not send their own [bar].
    """
    found = []
    for kind in AIR_KINDS:
        for device in shown(air.window, kind):
            sheet = Sheet()
            if kind in ("compressor", "dryer", "auxiliary"):
                _put_total(air, sheet, kind, device, "energy")
            if kind in ("compressor", "air_main", "air_meter"):
                _put_total(air, sheet, kind, device, "volume")
                flow = ratio(air.sums(kind, [device], "volume_n").sum(), air.sums(kind, [device], "volume_ms").sum(),
                             MINUTE_MS / 1e9)
                sheet.put("flow_mean_m3_min", float(flow), "the device reported neither flow nor volume")
            if kind == "compressor":
                _efficiency(air, sheet, device, network_bar)
                machine_kpis(air, [device], sheet)
            if kind in ("air_main", "air_meter"):
                _pressure(air, sheet, kind, device)
            if kind in ("air_main", "dryer"):
                dew_point_c = air.means(kind, [device], "dew_point_c")[0]
                known = dew_point_c[~np.isnan(dew_point_c)]
                sheet.put("dew_point_max_c", float(known.max()) if len(known) else None,
                          "the device reported no dew point")
            heard_ms = int(air.sums(kind, [device], "heard_ms").sum())
            coverage = share(heard_ms, air.window.to_ms - air.window.from_ms)
            found.append(DeviceKpis(device, kind, coverage, sheet.kpis, sheet.reasons))
    return tuple(found)


def _put_total(air: AirMinutes, sheet: Sheet, kind: str, device: str, what: str) -> None:
    amount_n = int(air.sums(kind, [device], f"{what}_n").sum())
    known = amount_n != 0 or bool(air.sums(kind, [device], f"{what}_ms").any())
    name, rate = ("energy_kwh", "power") if what == "energy" else ("volume_m3", "flow")
    sheet.put(name, amount_n / 1e9 if known else None, f"the device reported neither {what} nor {rate} in the window")


def _efficiency(air: AirMinutes, sheet: Sheet, machine: str, network_bar: Float64) -> None:
    one = [machine]
    energy_n, volume_n = air.sums("compressor", one, "energy_n")[0], air.sums("compressor", one, "volume_n")[0]
    known = (air.sums("compressor", one, "energy_ms")[0] > 0) & (air.sums("compressor", one, "volume_ms")[0] > 0)
    reason = "no minute in the window in which energy and volume of the machine are both known"
    energy_kwh, volume_m3 = int(energy_n[known].sum()) / 1e9, int(volume_n[known].sum()) / 1e9
    sheet.over("kwh_per_m3", energy_kwh if known.any() else None, volume_m3 if volume_m3 > 0 else None, reason)
    sheet.over("kw_per_m3_min", 60 * energy_kwh if known.any() else None, volume_m3 if volume_m3 > 0 else None, reason)
    own_bar = air.means("compressor", one, "discharge_pressure_bar")[0]
    pressure_bar = network_bar if np.isnan(own_bar).all() else own_bar
    with_pressure = known & ~np.isnan(pressure_bar)
    inlet_m3 = volume_n[with_pressure] / 1e9 * to_state(air.window.station, INLET)
    useful_kwh = float((isentropic_kwh_per_m3(pressure_bar[with_pressure]) * inlet_m3).sum())
    used_kwh = int(energy_n[with_pressure].sum()) / 1e9
    sheet.over("isentropic_efficiency", useful_kwh if with_pressure.any() else None, used_kwh,
               f"no pressure of the machine or the main, or {reason}")
    _grade(air, sheet, machine, known)


def _grade(air: AirMinutes, sheet: Sheet, machine: str, known: Bools) -> None:
    """Enter the legal grade by the minutes in which the machine was loaded throughout; all where no state is known."""
    loaded = known & (air.sums("compressor", [machine], "loaded_ms")[0] >= air.width_ms)
    if not any(air.sums("compressor", [machine], f"{s}_ms").any() for s in MACHINE_STATE):
        loaded = known
    energy_n, volume_n = (int(air.sums("compressor", [machine], c)[0][loaded].sum()) for c in ("energy_n", "volume_n"))
    if volume_n <= 0:
        sheet.put("grade", None, "no loaded minute in the window in which energy and volume of the machine are known")
        return
    kw_per_m3_min = 60 * energy_n / (volume_n * to_state(air.window.station, ANR))
    found = grade_of(air.window.station.listed("compressor").get(machine), kw_per_m3_min)
    sheet.put("grade", found.grade, found.reason)


def _pressure(air: AirMinutes, sheet: Sheet, kind: str, device: str) -> None:
    pressure_bar = air.means(kind, [device], "pressure_bar")[0]
    known = pressure_bar[~np.isnan(pressure_bar)]
    none = "the device reported no pressure in the window"
    sheet.put("pressure_mean_bar", float(known.mean()) if len(known) else None, none)
    sheet.put("pressure_p05_bar", quantile(known, 0.05), none)
    sheet.put("pressure_p95_bar", quantile(known, 0.95), none)
    if kind == "air_meter":
        band = air.window.station.contract_pressure_bar
        outside = None if band is None or not len(known) else minutes_outside(air, pressure_bar, band)
        sheet.put("min_outside_contract", outside,
                  "contract_pressure_bar is missing: set it in stations.toml" if band is None else none)
