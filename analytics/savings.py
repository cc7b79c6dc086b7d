"""What customers save against the ratio that they had before they shared the station."""

from dataclasses import dataclass, field

import numpy as np

from analytics.air import AirMinutes
from analytics.kernels.grid import Int64
from analytics.tariff import price_per_kwh


@dataclass(frozen=True, slots=True)
class Savings:
    """Metered air x (baseline - the station's ratio over the window); None where an input is missing."""

    savings_kwh: float | None = None
    savings_money: float | None = None
    """At the tariff of the minute in which the air flowed, in the station's currency."""
    savings_co2_kg: float | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    """Name of each None -> what is missing and what to do."""


def savings(air: AirMinutes, rows: Int64) -> Savings:
    """Return what the customers of some meters save together; those without a baseline save nothing.

    Parameters
    ----------
    air
        The station's minutes.
    rows
        Rows of `air.meters`.
    """
    meters, ratio = air.meters.only(rows), air.kwh_per_m3
    baselines = np.full(len(air.meters.devices), np.nan)
    for customer, own in air.customers:
        if customer.baseline_kwh_per_m3 is not None:
            baselines[own] = customer.baseline_kwh_per_m3
    baselines = baselines[rows]
    if np.isnan(baselines).all():
        return _none("no customer has baseline_kwh_per_m3: set it in stations.toml")
    if ratio is None:
        return _none(air.missing)
    if not meters.any_amount:
        return _none("no customer's meter reported flow or volume in the window")
    gain = np.where(np.isnan(baselines), 0.0, baselines - ratio)
    saved_kwh = (gain[:, None] * meters.amount_n).sum(axis=0) / 1e9
    total_kwh = float(saved_kwh.sum())
    metered = meters.amount_n.any(axis=0)
    money = float((saved_kwh[metered] * price_per_kwh(air.window, air.times_ms)[metered]).sum())
    co2_kg_per_kwh = air.window.station.co2_kg_per_kwh
    reasons = {}
    if np.isnan(money):
        reasons["savings_money"] = "tariff_per_kwh is missing for a part of the window: set it in stations.toml"
    if co2_kg_per_kwh is None:
        reasons["savings_co2_kg"] = "co2_kg_per_kwh is missing: set it in stations.toml"
    return Savings(
        savings_kwh=total_kwh,
        savings_money=None if np.isnan(money) else money,
        savings_co2_kg=None if co2_kg_per_kwh is None else total_kwh * co2_kg_per_kwh,
        reasons=reasons,
    )


def _none(reason: str) -> Savings:
    return Savings(reasons=dict.fromkeys(("savings_kwh", "savings_money", "savings_co2_kg"), reason))
