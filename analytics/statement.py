"""What each customer of a compressed-air station owes for a window, usually a local month, and what it saved."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analytics.air import AirMinutes, air_minutes
from analytics.figures import Sheet, round_figure, share
from analytics.kernels.grid import Int64
from analytics.savings import savings
from analytics.tariff import price_per_kwh, price_per_m3
from analytics.window import Window
from telemetry.registry import Customer
from telemetry.times import MINUTE_MS


@dataclass(frozen=True, slots=True)
class CustomerLine:
    """The air of one customer; sums are of what is known, `coverage` says how much that is."""

    customer: str
    name: str
    figures: dict[str, float | None]
    """`volume_m3`, `price_per_m3` (over the volume, where several held), `amount`, `loss_share` (the station's),
    `savings_*`, `coverage`."""
    reasons: dict[str, str]
    """Name of each null -> what is missing and what to do."""
    meters: tuple[dict[str, Any], ...]
    """`{id, volume_m3}` of each meter in its time."""
    prices: tuple[dict[str, float], ...]
    """`{price_per_m3, volume_m3, amount}` of each price that held, in the order in which they did."""


@dataclass(frozen=True, slots=True)
class Statement:
    """All customers of a station over one window."""

    customers: tuple[CustomerLine, ...]
    totals: dict[str, float | None]
    """Sums over the customers, and the station's balance and margin."""
    reasons: dict[str, str] = field(default_factory=dict)


def statement_of(window: Window) -> Statement:
    """Return the statement of a window; it is computed anew from the minutes each time."""
    air = air_minutes(window)
    lines = tuple(_line(air, customer, rows) for customer, rows in air.customers)
    totals, reasons = _totals(air, lines)
    return Statement(lines, totals, reasons)


def _line(air: AirMinutes, customer: Customer, rows: Int64) -> CustomerLine:
    window, meters, sheet = air.window, air.meters.only(rows), Sheet()
    none = f"no meter of {customer.id!r} reported flow or volume in the window"
    sheet.put("volume_m3", meters.total if meters.any_amount else None, none)
    volume_n = meters.amount_n.sum(axis=0)
    price = price_per_m3(window, customer, air.times_ms)
    amount = float((volume_n / 1e9 * price)[volume_n != 0].sum())
    unpriced = f"price_per_m3 of {customer.id!r} is missing for a part of the window: set it in stations.toml"
    sheet.put("amount", amount if meters.any_amount else None, none if np.isfinite(amount) else unpriced)
    values = list(dict.fromkeys(price[~np.isnan(price)].tolist()))
    prices = []
    for value in values:
        sold_m3 = int(volume_n[price == value].sum()) / 1e9
        prices.append({"price_per_m3": value, "volume_m3": sold_m3, "amount": round_figure(sold_m3 * value)})
    if len(values) <= 1:
        sheet.put("price_per_m3", values[0] if values else None, unpriced)
    else:
        sheet.over("price_per_m3", amount, meters.total, none)
    known = air.supply.known & air.meters.known
    sheet.over("loss_share", air.supply.over(known) - air.meters.over(known), air.supply.over(known),
               "no minute in the window in which supply and every customer's meter are known")
    saved = savings(air, rows)
    for name in ("savings_kwh", "savings_co2_kg", "savings_money"):
        sheet.put(name, getattr(saved, name), saved.reasons.get(name, ""))
    sheet.put("coverage", customer_coverage(air, customer, rows),
              f"no meter of {customer.id!r} is in service in the window")
    return CustomerLine(
        customer.id, customer.name or customer.id, sheet.kpis, sheet.reasons,
        tuple({"id": device, "volume_m3": int(meters.amount_n[i].sum()) / 1e9}
              for i, (_, device) in enumerate(meters.devices)),
        tuple(prices),
    )


def customer_coverage(air: AirMinutes, customer: Customer, rows: Int64) -> float | None:
    """Return the known share of the time from a customer's first meter to its last: a gap between them is unknown.

    None where no meter is in service in the window.
    """
    window, station = air.window, air.window.station
    starts = [station.moment(m.from_) for m in customer.spans()]
    ends = [station.moment(m.until) for m in customer.spans()]
    first = min((window.from_ms if s is None else s - s % MINUTE_MS for s in starts), default=window.to_ms)
    last = max((window.to_ms if e is None else e - e % MINUTE_MS for e in ends), default=window.from_ms)
    length_ms = max(0, min(last, window.to_ms) - max(first, window.from_ms))
    return share(int(air.meters.only(rows).shortest_ms.sum()), length_ms)


def _totals(air: AirMinutes, lines: tuple[CustomerLine, ...]) -> tuple[dict[str, float | None], dict[str, str]]:
    sheet = Sheet()
    for name in ("volume_m3", "amount", "savings_kwh", "savings_co2_kg", "savings_money"):
        # A customer without a baseline saves nothing; a volume or an amount that is missing leaves the sum unknown.
        optional = name.startswith("savings_")
        given = [line.figures[name] for line in lines if line.figures[name] is not None or not optional]
        lost = [line.customer for line in lines if line.figures[name] is None]
        known = [value for value in given if value is not None]
        complete = bool(known) and len(known) == len(given)
        sheet.put(name, sum(known) if complete else None, f"unknown for {', '.join(lost) or 'want of customers'}")
    sheet.put("supplied_m3", air.supply.total if air.supply.any_amount else None, "no supplied air is known")
    sheet.put("energy_kwh", air.energy.total if air.energy.any_amount else None, "no energy is known")
    sheet.put("kwh_per_m3", air.kwh_per_m3, air.missing)
    used_n = air.energy.amount_n.sum(axis=0)
    cost = float((used_n / 1e9 * price_per_kwh(air.window, air.times_ms))[used_n != 0].sum())
    sheet.put("energy_cost", cost if air.energy.any_amount else None,
              "tariff_per_kwh is missing for a part of the window: set it in stations.toml")
    amount, spent = sheet.kpis["amount"], sheet.kpis["energy_cost"]
    margin = None if amount is None or spent is None else amount - spent
    sheet.put("margin", margin, "amount or energy_cost is unknown")
    sheet.over("margin_per_m3", margin, sheet.kpis["volume_m3"], "amount, energy_cost or volume_m3 is unknown")
    return sheet.kpis, sheet.reasons
