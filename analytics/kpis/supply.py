"""What the site draws and what becomes of it: demand, cost, what no port counts, conversion losses."""

import numpy as np
from numpy.typing import NDArray

from analytics.counted import counted
from analytics.figures import Sheet
from analytics.kernels.electrical import rolling_demand
from analytics.kernels.intervals import Int64
from analytics.tariff import price_per_kwh
from analytics.window import Window
from store.buckets import Buckets, empty_buckets
from telemetry.times import HOUR_MS, MINUTE_MS

Bools = NDArray[np.bool_]

DEMAND_MIN = 15
"""Minutes of the demand interval."""
NO_METER = "no site meter reported energy or power in the window"


def supply_kpis(window: Window, sheet: Sheet, ports: Buckets) -> None:
    """Enter demand, cost, unmetered energy and efficiency of a charging station.

    Parameters
    ----------
    ports
        Minutes of the ports in which they count.
    """
    starts = np.arange(window.from_ms, window.to_ms, MINUTE_MS)
    port_n, port_known = _energy(ports, counted(window, "port"), starts)
    meters = window.minutes.get("site_meter", empty_buckets())
    site_n, site_known = _energy(meters, counted(window, "site_meter"), starts)
    metered = bool(site_known.any())
    _cost_kpis(window, sheet, starts, *(
        (np.where(site_known, site_n, 0), site_known) if metered else (np.where(port_known, port_n, 0), port_known)
    ))
    both = port_known & site_known
    lost_n = int((site_n - port_n)[both].sum())
    missing = NO_METER if not metered else "in no minute are the site meters and all ports known"
    sheet.put("unmetered_kwh", lost_n / 1e9 if both.any() else None, missing)
    sheet.over("unmetered_share", lost_n if both.any() else None, int(site_n[both].sum()), missing)
    measured = (ports.get("energy_ms") > 0) & (ports.get("dc_energy_kwh_ms") > 0)
    sheet.over("ac_dc_efficiency", int(ports.get("dc_energy_kwh_n")[measured].sum()) if measured.any() else None,
               int(ports.get("energy_n")[measured].sum()), "no port reported energy_kwh and dc_energy_kwh together")


def _energy(rows: Buckets, names: list[str], starts: Int64) -> tuple[Int64, Bools]:
    """Return the devices' energy in each minute [10^-9 kWh], and whether all that are ever measured are known."""
    chosen = np.array([d in set(names) for d in rows.devices], np.bool_)
    covered = rows.get("energy_ms") > 0
    slot = (rows.start_ms - starts[0]) // MINUTE_MS
    use = chosen[rows.device] if len(rows) else covered
    energy_n = np.zeros(len(starts), np.int64)
    np.add.at(energy_n, slot[use], rows.get("energy_n")[use])
    measured = len(np.unique(rows.device[use & covered]))
    known = np.bincount(slot[use & covered], minlength=len(starts)) == measured
    return energy_n, known & (measured > 0)


def _cost_kpis(
    window: Window, sheet: Sheet, starts: Int64, energy_n: Int64, known: Bools
) -> None:
    """Enter the demand and the cost of what the site drew: by its meters, else by its ports."""
    station = window.station
    if not known.any():
        for name in ("demand_kw_max", "demand_cost", "energy_cost"):
            sheet.put(name, None, "neither the site meters nor the ports are known in any minute of the window")
        return
    power_kw = np.where(known, energy_n * (HOUR_MS / MINUTE_MS) / 1e9, np.nan)
    demand = rolling_demand(power_kw, DEMAND_MIN)
    demand = demand[~np.isnan(demand)]
    sheet.put("demand_kw_max", float(demand.max()) if len(demand) else None,
              f"no {DEMAND_MIN} minutes in a row are known in the window")
    peak_kw = sheet.kpis["demand_kw_max"]
    rate = station.demand_charge_per_kw
    sheet.put("demand_cost", None if rate is None or peak_kw is None else rate * peak_kw,
              "demand_charge_per_kw is missing: set it in stations.toml" if rate is None else
              "demand_kw_max is unknown")
    if station.tariff_per_kwh is None:
        sheet.put("energy_cost", None, "tariff_per_kwh is missing: set it in stations.toml")
        return
    spent = price_per_kwh(window, starts) * energy_n / 1e9
    sheet.put("energy_cost", float(spent[known].sum()), "tariff_per_kwh has no price for a part of the window")
