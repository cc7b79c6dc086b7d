"""Rows of a compressed-air station and of its customers by periods, with the sums that ratios are made of."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from analytics.air import AirMinutes, Side, air_minutes, side_of, table_of, to_state
from analytics.counted import counted
from analytics.kernels.flow import INLET
from analytics.kernels.grid import max_per_device
from analytics.kernels.thermo import isentropic_kwh_per_m3
from analytics.kpis.air import mean_known
from analytics.kpis.machines import UNLOADED, cut_ins
from analytics.leaks import fuse, leak_estimates
from analytics.publish_periods import Bools, Float64, Int64, Periods, known_where, over, periods_of, rows_of
from analytics.rules.evaluate import baseline_kwh_per_m3
from analytics.tariff import price_per_kwh
from analytics.window import Window
from telemetry.channels import MACHINE_STATE
from telemetry.points import Column, Points
from telemetry.times import HOUR_MS

CUSTOMER_WIDTHS = ("1h", "1d")
"""Widths of rows of customers."""


def air_rows(window: Window, width: str) -> list[Points]:
    """Return `air_station_{width}` and, for 1h and 1d, `air_customer_{width}`: a row per period and customer.

    Which devices take part in a balance is judged in each period by itself, as `station_kpis` does for a window.
    """
    periods = periods_of(window, width)
    if not len(periods):
        return []
    minutes = _minutes(window, periods)
    fields: dict[str, Column] = {}
    _put_balance(minutes, fields)
    _put_pressure(minutes, fields)
    _put_machines(minutes, fields)
    _put_customers(minutes, fields)
    if width == "1d":
        _put_leakage(window, periods, fields)
    tags: dict[str, tuple[str | None, ...]] = {"station": (window.station.id,) * len(periods)}
    found = [rows_of(f"air_station_{width}", tags, periods.start_ms, fields)]
    if width in CUSTOMER_WIDTHS:
        found += _customer_rows(minutes, width)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Minutes:
    """The minutes of a station, each with its period."""

    air: AirMinutes
    """Sides hold what takes part in the period of each minute."""
    at: Int64
    """(times,) period of each minute."""
    periods: Periods

    def total(self, values: Float64 | Int64 | Bools) -> Float64:
        """Return the sum of each period over (times,) or (devices, times)."""
        return self.periods.sum_of(self.at, values if values.ndim == 1 else values.sum(axis=0))

    def total_known(self, side: Side) -> Float64:
        """Return all that is known of a side [kWh or m3]; NaN where nothing is."""
        known = self.total((side.covered_ms > 0) | (side.amount_n != 0)) > 0
        return known_where(known, self.total(side.amount_n) / 1e9)

    @property
    def kwh_per_m3(self) -> Float64:
        """(p,) energy per m3 over the minutes that know both."""
        known = self.air.balance_known
        volume = self.total(self.air.supply.amount_n * known)
        return over(self.total(self.air.energy.amount_n * known), np.where(volume > 0, volume, np.nan))


def _minutes(window: Window, periods: Periods) -> _Minutes:
    air = air_minutes(window)
    at = periods.of(air.times_ms)
    machines = [("compressor", d) for d in counted(window, "compressor")]
    helpers = [(k, d) for k in ("dryer", "auxiliary") for d in counted(window, k)]
    mains = [("air_main", d) for d in counted(window, "air_main")]
    energy = side_of(window, air.times_ms, machines + helpers, "energy")
    supply = side_of(window, air.times_ms, mains + machines, "volume")
    takes_part = np.array([_takes_part(air, k, d, at, periods) for k, d in energy.devices])
    delivers = np.array([_takes_part(air, k, d, at, periods) for k, d in supply.devices])
    # Where no main measures flow in a period, the compressors are the supply.
    n = len(mains)
    by_main = _only(supply, delivers, at)
    measured = ((by_main.covered_ms[:n] > 0) | (by_main.amount_n[:n] != 0)).any(axis=0)
    main_measures = periods.sum_of(at, measured) > 0
    if len(delivers):
        delivers = np.concatenate((delivers[:n] & main_measures, delivers[n:] & ~main_measures))
    meters = np.array([_takes_part(air, k, d, at, periods) for k, d in air.meters.devices])
    sold = _only(air.meters, meters, at)
    air = replace(air, energy=_only(energy, takes_part, at), supply=_only(supply, delivers, at), meters=sold)
    return _Minutes(air, at, periods)


def _takes_part(air: AirMinutes, kind: str, device: str, at: Int64, periods: Periods) -> Bools:
    """Return (p,) whether a device takes part in the balance of each period.

    A device that is not listed: once it was heard. A dryer or auxiliary without meter, and a main without flow, never:
    heard in the period, but not with that. One that is silent in the period may have a meter, so it stays.
    """
    window = air.window
    first_ms = window.first_heard_ms.get((kind, device))
    begun: Bools = periods.edges_ms[1:] > (np.iinfo(np.int64).max if first_ms is None else first_ms)
    if kind in ("compressor", "air_meter"):
        return np.ones_like(begun) if window.station.listed(kind) else begun
    what = "volume_ms" if kind == "air_main" else "energy_ms"
    covered_ms, heard_ms = (
        periods.sum_of(at, table_of(air.rows(kind), [device], c, air.times_ms)[0]) for c in (what, "heard_ms")
    )
    if kind == "air_main" and window.station.listed(kind):
        begun = np.ones_like(begun)
    return np.asarray(begun & ((covered_ms > 0) | (heard_ms == 0)))


def _only(side: Side, allowed: Bools, at: Int64) -> Side:
    """Return the side with each device only in the periods in which it is allowed: (devices, p)."""
    if not len(side.devices):
        return side
    serves = side.serves & allowed[:, at]
    return replace(
        side, amount_n=np.where(serves, side.amount_n, 0), covered_ms=np.where(serves, side.covered_ms, 0),
        serves=serves,
    )


def _put_balance(m: _Minutes, fields: dict[str, Column]) -> None:
    air, supply = m.air, m.air.supply
    known = air.balance_known
    any_known = m.total(known) > 0
    fields["energy_kwh"] = m.total_known(air.energy)
    fields["volume_m3"] = fields["supplied_m3"] = m.total_known(supply)
    fields["paired_energy_kwh"] = known_where(any_known, m.total(air.energy.amount_n * known) / 1e9)
    fields["paired_volume_m3"] = known_where(any_known, m.total(supply.amount_n * known) / 1e9)
    fields["kwh_per_m3"], fields["kw_per_m3_min"] = m.kwh_per_m3, 60 * m.kwh_per_m3
    baseline = baseline_kwh_per_m3(air.window.station)
    if baseline is not None:
        fields["baseline_kwh_per_m3"] = np.full(len(m.periods), baseline)
    weight_ms = supply.shortest_ms
    flow = np.where(weight_ms > 0, supply.rate_per_min, 0.0)
    fields["flow_mean_m3_min"] = over(m.total(flow * weight_ms), m.total(weight_ms))
    fields["flow_known_h"] = m.total(weight_ms) / HOUR_MS
    fields["coverage"] = _coverage_ms(m) / m.periods.length_ms

    pressure_bar = _pressure_bar(m)
    known = known & ~np.isnan(pressure_bar)
    any_known = m.total(known) > 0
    inlet_m3 = (supply.amount_n * known).sum(axis=0) / 1e9 * to_state(air.window.station, INLET)
    useful = np.zeros(len(known))
    useful[known] = isentropic_kwh_per_m3(pressure_bar[known]) * inlet_m3[known]
    useful_kwh = known_where(any_known, m.total(useful))
    used_kwh = known_where(any_known, m.total(air.energy.amount_n * known) / 1e9)
    fields["isentropic_kwh"], fields["isentropic_of_kwh"] = useful_kwh, used_kwh
    fields["isentropic_efficiency"] = over(useful_kwh, used_kwh)


def _coverage_ms(m: _Minutes) -> Float64:
    """Return the time of each period in which all that the station measures in it is known."""
    out = np.full(len(m.air.times_ms), np.iinfo(np.int64).max)
    measured = np.zeros(len(m.periods), np.bool_)
    for side in (m.air.energy, m.air.supply):
        any_amount = m.total((side.covered_ms > 0) | (side.amount_n != 0)) > 0
        out = np.where(any_amount[m.at], np.minimum(out, side.shortest_ms), out)
        measured |= any_amount
    return m.total(np.where(measured[m.at], out, 0))


def _either(m: _Minutes, first: Float64, second: Float64) -> Float64:
    """Return per minute the first value in periods that know it at all, else the second."""
    return np.where((m.total(~np.isnan(first)) > 0)[m.at], first, second)


def _pressure_bar(m: _Minutes) -> Float64:
    """Return the 1-minute means of the network's pressure: of the mains, else of the machines; NaN unknown."""
    air = m.air
    mains = mean_known(air.means("air_main", counted(air.window, "air_main"), "pressure_bar"))
    return _either(
        m, mains, mean_known(air.means("compressor", counted(air.window, "compressor"), "discharge_pressure_bar"))
    )


def _put_pressure(m: _Minutes, fields: dict[str, Column]) -> None:
    air, n = m.air, len(m.periods)
    pressure_bar = _pressure_bar(m)
    known = ~np.isnan(pressure_bar)
    at, values = m.at[known], pressure_bar[known]
    minutes = m.periods.sum_of(at, np.ones(len(at)))
    fields["pressure_mean_bar"] = over(m.periods.sum_of(at, values), minutes)
    order = np.lexsort((values, at))
    for name, q in (("p05", 0.05), ("p95", 0.95)):
        fields[f"pressure_{name}_bar"] = _quantiles(values[order], minutes.astype(np.int64), q)
    band = air.window.station.contract_pressure_bar
    if band is not None:
        fields["contract_min_bar"], fields["contract_max_bar"] = np.full(n, band[0]), np.full(n, band[1])
        inside = m.periods.sum_of(at, (values >= band[0]) & (values <= band[1]))
        fields["pressure_in_band_h"], fields["pressure_known_h"] = known_where(minutes > 0, inside / 60), minutes / 60
        fields["pressure_in_band"] = over(inside, minutes)

    mains, dryers = (
        _wettest(air.means(kind, counted(air.window, kind), "dew_point_c"), len(m.at)) for kind in ("air_main", "dryer")
    )
    worst_c = _either(m, mains, dryers)
    known = ~np.isnan(worst_c)
    at, values = m.at[known], worst_c[known]
    minutes = m.periods.sum_of(at, np.ones(len(at)))
    fields["dew_point_max_c"] = max_per_device(at, values, n)
    limit = air.window.station.dew_point_max_c
    if limit is not None:
        inside = m.periods.sum_of(at, values <= limit)
        fields["dew_point_in_band_h"], fields["dew_point_known_h"] = known_where(minutes > 0, inside / 60), minutes / 60
        fields["dew_point_in_band"] = over(inside, minutes)


def _wettest(dew_point_c: Float64, times: int) -> Float64:
    """Return the highest dew point of each minute; NaN where none is known."""
    if not len(dew_point_c):
        return np.full(times, np.nan)
    worst: Float64 = np.fmax.reduce(dew_point_c, axis=0)
    return worst


def _quantiles(ordered: Float64, count: Int64, q: float) -> Float64:
    """Return the q-quantile of each group of values, interpolated; groups follow each other, each sorted."""
    out = np.full(len(count), np.nan)
    some = count > 0
    first = (np.cumsum(count) - count)[some]
    place = q * (count[some] - 1)
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, count[some] - 1)
    out[some] = ordered[first + low] + (place - low) * (ordered[first + high] - ordered[first + low])
    return out


def _put_machines(m: _Minutes, fields: dict[str, Column]) -> None:
    air = m.air
    machines = counted(air.window, "compressor")
    state_ms = {s: air.sums("compressor", machines, f"{s}_ms") for s in MACHINE_STATE}
    known_each = np.sum(list(state_ms.values()), axis=0)
    known = m.total(known_each) > 0
    hours = {
        "loaded": m.total(state_ms["loaded"]), "unloaded": m.total(np.concatenate([state_ms[s] for s in UNLOADED])),
        "stopped": m.total(state_ms["stopped"]), "known": m.total(known_each),
    }
    for name, ms in hours.items():
        fields[f"{name}_h"] = known_where(known, ms / HOUR_MS)
    fields["load_factor"] = over(hours["loaded"], hours["loaded"] + hours["unloaded"])
    both = (known_each > 0) & (air.sums("compressor", machines, "energy_ms") > 0)
    any_both = m.total(both) > 0
    energy_n = m.total(np.where(both, air.sums("compressor", machines, "energy_n"), 0))
    unloaded_n = m.total(np.where(both, air.sums("compressor", machines, "energy_unloaded_n"), 0))
    fields["unloaded_energy_kwh"] = known_where(any_both, unloaded_n / 1e9)
    fields["unloaded_of_energy_kwh"] = known_where(any_both, energy_n / 1e9)
    fields["unloaded_energy_share"] = over(unloaded_n, energy_n)
    cycles = np.bincount(m.periods.of(cut_ins(air.window, machines)), minlength=len(m.periods))
    fields["cycles"] = known_where(known, cycles)
    fields["cycles_per_h"] = over(cycles, hours["known"] / HOUR_MS)


def _put_customers(m: _Minutes, fields: dict[str, Column]) -> None:
    air = m.air
    known = air.supply.known & air.meters.known
    any_known = m.total(known) > 0
    supplied_m3 = known_where(any_known, m.total(air.supply.amount_n * known) / 1e9)
    fields["metered_m3"] = m.total_known(air.meters)
    unaccounted_m3 = supplied_m3 - m.total(air.meters.amount_n * known) / 1e9
    fields["unaccounted_m3"], fields["unaccounted_of_m3"] = unaccounted_m3, supplied_m3
    fields["unaccounted_share"] = over(unaccounted_m3, supplied_m3)
    baselines = _baselines(m)
    if not np.isnan(baselines).all():
        _put_savings(m, np.arange(len(baselines)), fields)


def _put_leakage(window: Window, periods: Periods, fields: dict[str, Column]) -> None:
    """Enter the leakage of each day with its range; shorter periods hold too little idle time to tell."""
    leak, low, high, share = np.full((4, len(periods)), np.nan)
    for i, (start_ms, end_ms) in enumerate(pairwise(periods.edges_ms.tolist())):
        minutes = {k: b.take((b.start_ms >= start_ms) & (b.start_ms < end_ms)) for k, b in window.minutes.items()}
        air = air_minutes(replace(window, from_ms=start_ms, to_ms=end_ms, minutes=minutes))
        fused = fuse(leak_estimates(air), idle_declared=window.station.idle_hours is not None)
        if fused is not None and fused.leak_m3_min is not None:
            leak[i], low[i], high[i] = fused.leak_m3_min, fused.low, fused.high
            share[i] = leak[i] / (air.flow_mean_m3_min or np.nan)
    fields["leak_m3_min"], fields["leak_low_m3_min"], fields["leak_high_m3_min"] = leak, low, high
    fields["leak_share"] = share


def _baselines(m: _Minutes) -> Float64:
    """Return (meters,) the ratio that each meter's customer had before; NaN where none is given."""
    out = np.full(len(m.air.meters.devices), np.nan)
    for customer, rows in m.air.customers:
        if customer.baseline_kwh_per_m3 is not None:
            out[rows] = customer.baseline_kwh_per_m3
    return out


def _put_savings(m: _Minutes, rows: Int64, fields: dict[str, Column]) -> None:
    """Enter what the chosen meters' customers save by their baselines, where the station's ratio is known."""
    window, meters = m.air.window, m.air.meters.only(rows)
    baselines, ratio = _baselines(m)[rows], m.kwh_per_m3
    gain = np.where(np.isnan(baselines), 0.0, 1.0)[:, None] * (np.nan_to_num(baselines)[:, None] - ratio[m.at])
    saved = np.where(meters.amount_n != 0, gain * meters.amount_n, 0.0).sum(axis=0) / 1e9
    known = ~np.isnan(ratio) & ~np.isnan(m.total_known(meters))
    saved_kwh = known_where(known, m.total(saved))
    money = np.where(meters.amount_n.any(axis=0), saved * price_per_kwh(window, m.air.times_ms), 0.0)
    fields["savings_kwh"], fields["savings_money"] = saved_kwh, known_where(known, m.total(money))
    if window.station.co2_kg_per_kwh is not None:
        fields["savings_co2_kg"] = saved_kwh * window.station.co2_kg_per_kwh


def _customer_rows(m: _Minutes, width: str) -> list[Points]:
    found = []
    for customer, rows in m.air.customers:
        meters = m.air.meters.only(rows)
        weight_ms = meters.shortest_ms
        flow = np.where(weight_ms > 0, meters.rate_per_min, 0.0)
        fields: dict[str, Column] = {
            "volume_m3": m.total_known(meters),
            "flow_mean_m3_min": over(m.total(flow * weight_ms), m.total(weight_ms)),
            "flow_known_h": m.total(weight_ms) / HOUR_MS,
            "coverage": m.total(weight_ms) / m.periods.length_ms,
        }
        if customer.baseline_kwh_per_m3 is not None:
            _put_savings(m, rows, fields)
        n = len(m.periods)
        tags: dict[str, tuple[str | None, ...]] = {
            "station": (m.air.window.station.id,) * n, "customer": (customer.id,) * n
        }
        found.append(rows_of(f"air_customer_{width}", tags, m.periods.start_ms, fields))
    return found
