"""Pressure advice: the lowest header pressure that keeps the worst customer in contract."""

from typing import Any

import numpy as np

from analytics.air import AirMinutes
from analytics.counted import counted
from analytics.customers import branch_end_bar
from analytics.figures import round_figure
from analytics.kernels.quantile import quantile
from analytics.kernels.thermo import isentropic_kwh_per_m3
from analytics.kpis.air import mean_known
from analytics.tariff import price_per_kwh

MARGIN_BAR = 0.1
"""Kept above the contract's lower limit."""
LEAST_MINUTES = 60
SMALLEST_BAR = 0.05
"""Changes below this are not worth a hand on the setting."""


def pressure_advice(air: AirMinutes) -> dict[str, Any] | str:
    """Return the item, or why there is none.

    The 5 % quantile of a customer's pressure over the window follows the header one to one. The saving is that of the
    work of compression, f(p')/f(p) with f = r^(1/3.5) - 1; artificial demand comes on top and is not counted.
    """
    station = air.window.station
    if station.contract_pressure_bar is None:
        return "contract_pressure_bar is missing: set it in stations.toml"
    header = mean_known(air.means("air_main", counted(air.window, "air_main"), "pressure_bar"))
    ends: dict[str, float] = {}
    for customer, rows in air.customers:
        lowest = branch_end_bar(air, rows)
        if (~np.isnan(lowest)).sum() >= LEAST_MINUTES:
            ends[customer.id] = quantile(lowest, 0.05)
    if (~np.isnan(header)).sum() < LEAST_MINUTES:
        return "less than an hour of the header's pressure is known in the last day"
    worst = min(ends, key=lambda c: ends[c]) if ends else None
    worst_bar = quantile(header, 0.05) if worst is None else ends[worst]
    header_bar = float(np.nanmean(header))
    lower_bar = worst_bar - (station.contract_pressure_bar[0] + MARGIN_BAR)
    if abs(lower_bar) < SMALLEST_BAR:
        lower_bar = 0.0
    wanted_bar = header_bar - lower_bar
    now, then = (float(isentropic_kwh_per_m3(np.array(p))) for p in (header_bar, wanted_bar))
    share = 1.0 - then / now if now > 0 else 0.0
    machines = [i for i, (kind, _) in enumerate(air.energy.devices) if kind == "compressor"]
    used = air.energy.only(np.array(machines, np.int64))
    hours = int(used.shortest_ms.sum()) / 3.6e6
    saving_kw = used.over(used.known) / hours * share if hours else None
    price = price_per_kwh(air.window, np.array([air.window.to_ms - 1]))[0]
    money = None if saving_kw is None or np.isnan(price) else round_figure(saving_kw * float(price))
    verb = ("lower", "降低") if lower_bar > 0 else ("raise", "提高")
    en, zh = "Header pressure is right as it is.", "供气总管压力合适，无需调整。"
    if lower_bar:
        en = f"{verb[0].capitalize()} the header from {header_bar:.2f} to {wanted_bar:.2f} bar."
        zh = f"将供气总管压力从 {header_bar:.2f} bar {verb[1]}至 {wanted_bar:.2f} bar。"
    return {
        "text": {"en": en, "zh": zh},
        "header_bar": round_figure(header_bar), "advised_bar": round_figure(wanted_bar), "worst_customer": worst,
        "worst_p05_bar": round_figure(worst_bar), "contract_bar": station.contract_pressure_bar[0],
        "margin_bar": MARGIN_BAR, "saving_share": round_figure(share),
        "saving_kw": None if saving_kw is None else round_figure(saving_kw), "saving_money_per_h": money,
    }
