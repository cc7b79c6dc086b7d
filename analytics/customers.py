"""What a customer of a compressed-air station got, minute by minute: what rules of scope `customer` add up."""

from collections.abc import Mapping

import numpy as np

from analytics.air import AirMinutes, Float64
from analytics.kernels.intervals import Int64
from telemetry.times import MINUTE_MS

CUSTOMER_FIGURES: Mapping[str, str] = {
    "volume_m3": "air that the customer's meters counted",
    "min_below_contract": "minutes with less pressure at the branch end than `contract_pressure_bar` allows",
    "min_outside_contract": "minutes with less or more than that",
}
"""Key figures of a customer, each a sum over minutes."""
NANO = 10**9
"""Amounts are integers of this part, so that sums do not depend on how minutes were put together."""


def customer_minutes(air: AirMinutes, rows: Int64, figure: str) -> tuple[Int64, Int64]:
    """Return what each minute adds to a figure, and how much of it is known.

    Parameters
    ----------
    air
        The station's minutes.
    rows
        Rows of a customer in `air.meters`.
    figure
        One of `CUSTOMER_FIGURES`.

    Returns
    -------
    tuple
        (times,) amount [10^-9 of the figure's unit], 0 where unknown, and (times,) known time [ms]. Where the station
        has no contract about pressure, the minutes outside it are unknown.
    """
    if figure == "volume_m3":
        meters = air.meters.only(rows)
        known_ms = meters.shortest_ms
        return np.where(known_ms > 0, meters.amount_n.sum(axis=0), 0), known_ms
    bar, band = branch_end_bar(air, rows), air.window.station.contract_pressure_bar
    known = ~np.isnan(bar) if band is not None else np.zeros(len(bar), np.bool_)
    low, high = band or (0.0, 0.0)
    outside = (bar < low) | ((bar > high) & (figure == "min_outside_contract"))
    return np.where(known & outside, NANO, 0), np.where(known, air.width_ms, 0)


def branch_end_bar(air: AirMinutes, rows: Int64) -> Float64:
    """Return (times,) the lowest mean pressure at a customer's meters, each in its time [bar]; NaN where unknown.

    Parameters
    ----------
    air
        The station's minutes.
    rows
        Rows of `air.meters`.
    """
    means = air.means("air_meter", [air.meters.devices[i][1] for i in rows.tolist()], "pressure_bar")
    means = np.where(air.meters.serves[rows], means, np.nan)
    return np.asarray(np.fmin.reduce(means, axis=0)) if len(means) else np.full(len(air.times_ms), np.nan)


def minutes_outside(air: AirMinutes, pressure_bar: Float64, band: tuple[float, float]) -> float:
    """Return the minutes in which (times,) mean pressures lie below or above a contract; unknown ones do not."""
    outside = (pressure_bar < band[0]) | (pressure_bar > band[1])
    return int(air.width_ms[outside].sum()) / MINUTE_MS
