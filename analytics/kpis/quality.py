"""How steady the pressure is, how long the stored air lasts, and where the energy of an air station goes."""

import numpy as np

from analytics.air import AirMinutes, Float64
from analytics.customers import branch_end_bar, minutes_outside
from analytics.figures import Sheet
from analytics.kernels.intervals import Int64
from analytics.kernels.quantile import quantile
from analytics.kernels.thermo import INLET_BAR, isentropic_kwh_per_m3
from telemetry.times import MINUTE_MS

TREND_MS = 5 * MINUTE_MS
"""The fall of pressure is that of the last minutes of the window."""
_NO_CONTRACT = "contract_pressure_bar is missing: set it in stations.toml"


def quality_kpis(air: AirMinutes, network_bar: Float64, sheet: Sheet) -> None:
    """Enter stabilisation, storage, branch ends and the time left until pressure is too low.

    Parameters
    ----------
    air
        The station's minutes.
    network_bar
        (times,) pressure of the network [bar]; NaN unknown.
    """
    station, known = air.window.station, network_bar[~np.isnan(network_bar)]
    none = "no main or machine reported pressure in the window"
    sheet.put("pressure_std_bar", float(known.std()) if len(known) else None, none)
    sheet.put("pressure_spread_bar", quantile(known, 0.95) - quantile(known, 0.05) if len(known) else None, none)
    band, flow = station.contract_pressure_bar, air.flow_mean_m3_min
    missing = _NO_CONTRACT if band is None else "receiver_m3 is missing: set it in stations.toml"
    stored = drain = None
    if band is not None and station.receiver_m3 is not None:
        stored = station.receiver_m3 * (band[1] - band[0]) / INLET_BAR
        drain = station.receiver_m3 * max(0.0, known.mean() - band[0]) / INLET_BAR if len(known) else None
        missing = "no flow is known in the window"
    sheet.put("usable_storage_m3", stored, missing)
    sheet.over("storage_min", stored, flow, missing)
    sheet.over("drain_min", drain, flow, missing if len(known) else none)
    low_bar = None if band is None else band[0]
    sheet.put("time_to_low_min", *_time_to_low(air.times_ms, network_bar, low_bar))
    _branch_ends(air, known, sheet)


def _time_to_low(times_ms: Int64, network_bar: Float64, low_bar: float | None) -> tuple[float | None, str]:
    """Return (p - p_low) / (-dp/dt) at the end of the window, or why there is none."""
    if low_bar is None:
        return None, _NO_CONTRACT
    at = np.flatnonzero(~np.isnan(network_bar))
    at = at[times_ms[at] >= times_ms[-1] - TREND_MS] if len(at) else at
    if len(at) < 3:
        return None, "pressure is unknown in the last minutes of the window"
    slope = float(np.polyfit((times_ms[at] - times_ms[at[-1]]) / MINUTE_MS, network_bar[at], 1)[0])
    if slope >= -1e-6:
        return None, "pressure does not fall in the last minutes of the window"
    return max(0.0, float(network_bar[at[-1]]) - low_bar) / -slope, ""


def _branch_ends(air: AirMinutes, header_bar: Float64, sheet: Sheet) -> None:
    """Enter the worst customer's pressure and the customers' minutes below and above the contract."""
    none = "no customer's meter reported pressure in the window"
    band = air.window.station.contract_pressure_bar
    ends = [branch_end_bar(air, rows) for _, rows in air.customers]
    known = [values[~np.isnan(values)] for values in ends]
    known = [values for values in known if len(values)]
    worst = min(known, key=lambda v: quantile(v, 0.05), default=None)
    sheet.put("worst_end_p05_bar", None if worst is None else quantile(worst, 0.05), none)
    drop = None if worst is None or not len(header_bar) else float(header_bar.mean() - worst.mean())
    sheet.put("worst_end_drop_bar", drop, none if worst is None else "no pressure of the header is known")
    outside = None if band is None or not known else sum(minutes_outside(air, bar, band) for bar in ends)
    sheet.put("customer_min_outside_contract", outside, _NO_CONTRACT if band is None else none)


def energy_split(air: AirMinutes, network_bar: Float64, leak_m3_min: float | None, sheet: Sheet) -> None:
    """Enter where the station's energy goes, after `machine_kpis`; the parts add up to `energy_kwh`.

    Useful and leaks at the rated ratio of the machines; `unloaded` is measured; `over_pressure` = sum of loaded energy
    x (1 - f(p_need) / f(p)), p_need the lower contract limit; `treatment` = dryers and auxiliaries; the rest is
    `degradation`: worse machines than rated, part load, air that nobody accounts for. Null as a whole.
    """
    names = [f"{part}_energy_kwh" for part in ("useful", "leak", "over_pressure", "treatment", "degradation")]
    station, machines = air.window.station, list(air.window.station.listed("compressor").values())
    rated_kw = sum(m.rated_kw or np.nan for m in machines)
    rated_flow = sum(m.rated_flow_m3_min or np.nan for m in machines)
    rows = np.array([i for i, (kind, _) in enumerate(air.energy.devices) if kind == "compressor"], np.int64)
    reason, unloaded_kwh = "", sheet.kpis["unloaded_energy_kwh"]
    if not machines or np.isnan(rated_kw + rated_flow):
        reason = "rated_kw and rated_flow_m3_min of every compressor are needed: set them in stations.toml"
    elif station.contract_pressure_bar is None:
        reason = _NO_CONTRACT
    elif leak_m3_min is None:
        reason = "leakage is unknown in the window: see leak_m3_min"
    elif not air.energy.any_amount or not air.meters.any_amount:
        reason = "energy or the customers' air is unknown in the window"
    elif unloaded_kwh is None:
        reason = sheet.reasons["unloaded_energy_kwh"]
    unloaded_n = air.sums("compressor", [d for _, d in air.energy.only(rows).devices], "energy_unloaded_n").sum(axis=0)
    if reason or station.contract_pressure_bar is None or leak_m3_min is None or unloaded_kwh is None:
        for name in names:
            sheet.put(name, None, reason)
        return
    rated_kwh_per_m3 = rated_kw / rated_flow / 60
    machine_n = air.energy.only(rows).amount_n.sum(axis=0)
    need = float(isentropic_kwh_per_m3(np.array(station.contract_pressure_bar[0])))
    share = np.zeros(len(network_bar))
    act = isentropic_kwh_per_m3(network_bar)
    np.divide(act - need, act, out=share, where=act > need)
    parts = {
        "useful": rated_kwh_per_m3 * air.meters.total,
        "leak": rated_kwh_per_m3 * leak_m3_min * int(air.supply.shortest_ms.sum()) / MINUTE_MS,
        "over_pressure": float(((machine_n - unloaded_n) / 1e9 * share).sum()),
        "treatment": air.energy.total - int(machine_n.sum()) / 1e9,
    }
    parts["degradation"] = air.energy.total - unloaded_kwh - sum(parts.values())
    for name, value in parts.items():
        sheet.put(f"{name}_energy_kwh", value)
