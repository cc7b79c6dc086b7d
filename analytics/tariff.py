"""The energy price of a station and the air price of a customer, minute by minute."""

import numpy as np
from numpy.typing import NDArray

from analytics.kernels.intervals import Int64, contains, intersect, span
from analytics.window import Window
from telemetry.calendar import parse_hours
from telemetry.registry import Customer
from telemetry.times import MINUTE_MS


def price_per_kwh(window: Window, times_ms: Int64) -> NDArray[np.float64]:
    """Return the energy price at each time in the station's currency; NaN where none holds.

    Of several periods the one that began last holds; of those that began together the one with hours.

    Parameters
    ----------
    window
        The station and its window.
    times_ms
        (n,) times in the window.
    """
    tariff = window.station.tariff_per_kwh
    out = np.full(len(times_ms), np.nan)
    if tariff is None:
        return out
    if not isinstance(tariff, list):
        return np.full(len(times_ms), float(tariff))
    starts = [window.station.moment(p.from_) for p in tariff]
    ranked = sorted(
        zip(tariff, starts, strict=True),
        key=lambda item: (item[1] if item[1] is not None else window.from_ms - 10**15, item[0].hours is not None),
    )
    for period, start_ms in ranked:
        holds = span(window.from_ms if start_ms is None else max(start_ms, window.from_ms), window.to_ms)
        if period.hours is not None and len(holds):
            hours = parse_hours(period.hours).intervals(window.from_ms, window.to_ms, window.station.zone)
            holds = intersect(holds, hours)
        out[contains(holds, times_ms)] = period.price
    return out


def price_per_m3(window: Window, customer: Customer, times_ms: Int64) -> NDArray[np.float64]:
    """Return what a customer pays per m3 at each time, in the station's currency; NaN where no price holds.

    Of dated prices the one that began last holds; one without `from` has always held.

    Parameters
    ----------
    window
        The station, for local midnight.
    customer
        Whose price.
    times_ms
        (n,) times.
    """
    price = customer.price_per_m3
    if not isinstance(price, list):
        return np.full(len(times_ms), np.nan if price is None else float(price))
    out = np.full(len(times_ms), np.nan)
    dated = [(window.station.moment(p.from_), p.price) for p in price]
    for start_ms, value in sorted(dated, key=lambda d: -(10**15) if d[0] is None else d[0]):
        out[times_ms >= (-(10**15) if start_ms is None else start_ms - start_ms % MINUTE_MS)] = value
    return out
