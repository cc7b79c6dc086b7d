"""How much air leaks: several methods side by side, and one figure made of them.

`base_flow` (non-production flow): the low end of 5-minute mean flows in hours without production. `mass_balance`:
what the supply delivers and no meter counts. Both need a known supply flow. `load_cycles`: how long fixed-speed
machines are loaded in idle hours; it needs no flow meter. `pressure_decay`: how fast the pressure falls while no
machine delivers. `night_trend`: what has been added since the nights before; it is no level and is fused into none.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.air import AirMinutes, air_minutes
from analytics.figures import round_figure
from analytics.kernels.intervals import Int64, contains
from analytics.kernels.leakage import cycle_share, hole_mm, smallest_leak, whole_cycles
from analytics.kernels.quantile import block_means, quantile, quantile_range
from analytics.leak_decay import REFERENCE_BAR, Decay, pressure_decay
from analytics.leak_trend import Growth, growth_of
from analytics.nights import Nights, header_bar, places
from analytics.tariff import price_per_kwh
from analytics.window import Window
from telemetry.calendar import parse_hours
from telemetry.channels import MACHINE_STATE
from telemetry.times import DAY_MS, MINUTE_MS, format_time

Float64 = NDArray[np.float64]

BASE_QUANTILE = 0.10
"""The low end of idle flows that counts as leakage (5 to 10 % is usual)."""
BLOCK_MS = 5 * MINUTE_MS
BLOCKS_NEEDED = 12
"""An hour of idle flow; fewer blocks tell nothing."""
DEFAULT_IDLE = "00:00-05:00"
"""Quiet hours of a station that declares none, local time."""
METER_ERROR = 0.02
"""Error of one flow meter, as a fraction of its flow."""
RATED_FLOW_ERROR = 0.10
"""How far a machine's flow may be from its plate."""
CYCLES_NEEDED = 3
"""Whole cycles from which they tell more than the share of time: a window cuts through its first and last one."""
CYCLES_SHOWN = NIGHTS_SHOWN = 10
YEAR_MIN = 525_600


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one method says."""

    method: str
    leak_m3_min: float | None
    """None where the method is not usable."""
    low: float | None
    high: float | None
    """With `low`: about 95 %."""
    place: str
    """`network` or `customer:{id}`."""
    reason: str
    """Why it is not usable, or what it stands on."""
    inputs: dict[str, Any] = field(default_factory=dict)

    def item(self) -> dict[str, Any]:
        """Return the estimate as `GET /leaks` lists it."""
        return {
            "method": self.method,
            "leak_m3_min": self.leak_m3_min,
            "low": self.low,
            "high": self.high,
            "place": self.place,
            "usable": self.leak_m3_min is not None,
            "reason": self.reason,
            "inputs": self.inputs,
        }


def leaks_of(window: Window) -> dict[str, Any]:
    """Return the leak estimates of a compressed-air station in the shape of `GET /leaks`."""
    air = air_minutes(window)
    estimates = leak_estimates(air)
    fused = fuse(estimates, idle_declared=window.station.idle_hours is not None)
    trends = [(nights, growth_of(nights)) for nights in places(air)]
    grown = max((t for t in trends if t[1].leak_m3_min > 0), key=lambda t: t[1].leak_m3_min, default=None)
    leak = None if fused is None else fused.leak_m3_min
    flow, kwh_per_m3 = air.flow_mean_m3_min, air.kwh_per_m3
    prices = price_per_kwh(window, air.times_ms)
    price = float(np.mean(prices)) if len(prices) else np.nan
    kwh_per_year = None if leak is None or kwh_per_m3 is None else round_figure(leak * YEAR_MIN * kwh_per_m3)
    money = None if kwh_per_year is None or np.isnan(price) else round_figure(kwh_per_year * price)
    return {
        "fused": {
            "leak_m3_min": leak,
            "low": None if fused is None else fused.low,
            "high": None if fused is None else fused.high,
            "share": None if leak is None or not flow else round_figure(leak / flow),
            "hole_mm": None if leak is None else leak_hole_mm(air, leak),
            "kwh_per_year": kwh_per_year,
            "money_per_year": money,
            "place": grown[0].place if grown else None if fused is None else fused.place,
            "since": None if grown is None or grown[1].since_ms is None else format_time(grown[1].since_ms),
            "growth_per_week_m3_min": round_figure(grown[1].per_week_m3_min) if grown else None,
            "reason": "no method is usable in this window" if fused is None else fused.reason,
        },
        "methods": [e.item() for e in [*estimates, *(_trend(n, g) for n, g in trends)]]
        + ([] if trends else [_trend(None, Growth(float("nan"), "no quiet night is known in the window")).item()]),
    }


def _trend(nights: Nights | None, growth: Growth) -> Estimate:
    place = "network" if nights is None else nights.place
    usable = growth.leak_m3_min >= 0 and not np.isnan(growth.level_m3_min)
    inputs = {
        name: round_figure(value) for name in ("level_m3_min", "total_m3_min", "smallest_m3_min", "cusum")
        if not np.isnan(value := getattr(growth, name))
    }
    inputs |= {"nights_before": growth.nights_before, "nights_after": growth.nights_after}
    if not usable:
        return Estimate("night_trend", None, None, None, place, f"{growth.reason}: ask for a window of weeks", inputs)
    told = growth.leak_m3_min > 0
    low, high = (round_figure(growth.low), round_figure(growth.high)) if told else (0.0, growth.smallest_m3_min)
    return Estimate("night_trend", round_figure(growth.leak_m3_min), low, round_figure(high), place, growth.reason,
                    inputs)


def _decay(air: AirMinutes) -> Estimate:
    text, idle, _ = _idle(air)
    found = pressure_decay(air, idle)
    if not isinstance(found, Decay):
        return Estimate("pressure_decay", None, None, None, "network", found, {"idle_hours": text})
    inputs = {"idle_hours": text, "falls": found.falls, "minutes": found.minutes, "bar_per_min": found.bar_per_min,
              "fitted_bar_per_min": found.fitted_bar_per_min,
              "pressure_bar": found.pressure_bar, "bleed_test_m3_min": found.bleed_test_m3_min}
    return Estimate("pressure_decay", found.leak_m3_min, found.low, found.high, "network",
                    "fall of the pressure in the receiver while no machine delivers", inputs)


def leak_estimates(air: AirMinutes) -> list[Estimate]:
    """Return what every method for the present level says of the window, usable or not."""
    return [_base_flow(air), *_customers_base_flow(air), _mass_balance(air), _load_cycles(air), _decay(air)]


def fuse(estimates: list[Estimate], *, idle_declared: bool) -> Estimate | None:
    """Return one estimate of all present leakage; None where no method is usable.

    Where idle hours are declared the base flow is all leakage, behind the customers' meters too, and stands alone.
    Otherwise methods of the network are weighted by the inverse square of their range.
    """
    usable = [e for e in estimates if e.leak_m3_min is not None]
    network = [e for e in usable if e.place == "network"]
    if not network:
        return None
    base = next((e for e in network if e.method == "base_flow"), None)
    if base is not None and idle_declared:
        customers = [e for e in usable if e.place != "network"]
        largest = max(customers, key=lambda e: e.leak_m3_min or 0.0, default=None)
        metered = sum(e.leak_m3_min or 0.0 for e in customers)
        behind = largest is not None and metered > 0.5 * (base.leak_m3_min or 0.0)
        place = largest.place if behind and largest is not None else "network"
        return Estimate("fused", base.leak_m3_min, base.low, base.high, place, "base_flow")
    values = np.array([e.leak_m3_min for e in network], np.float64)
    lows, highs = (np.array([getattr(e, n) for e in network], np.float64) for n in ("low", "high"))
    # No range is believed to be narrower than one meter's error.
    sigma = np.maximum((highs - lows) / 4, np.maximum(METER_ERROR * values, 1e-6))
    weight = sigma**-2
    mean = float((values * weight).sum() / weight.sum())
    half = 2 * float(weight.sum() ** -0.5)
    low, high = max(0.0, mean - half), mean + half
    if len(network) == 1:
        low, high = float(lows[0]), float(highs[0])
    names = " and ".join(e.method for e in network)
    return Estimate("fused", round_figure(mean), round_figure(low), round_figure(high), "network", names)


def _idle(air: AirMinutes) -> tuple[str, NDArray[np.bool_], Int64]:
    """Return the idle hours as text, which minutes lie in them, and where each idle time (at most a day) begins."""
    window = air.window
    text = window.station.idle_hours or DEFAULT_IDLE
    hours = parse_hours(text).intervals(window.from_ms, window.to_ms, window.station.zone)
    starts = [np.arange(a, b, DAY_MS) for a, b in hours.tolist()]
    return text, contains(hours, air.times_ms), np.concatenate([np.empty(0, np.int64), *starts])


def _low_flow(air: AirMinutes, rate: Float64, cover_ms: Int64, place: str, note: str) -> Estimate:
    """Return the base flow of a rate [m3/min]: the mean of its low ends in each idle time of the window.

    One low end of a whole window would be that of its best night: a leak that opens in the middle would not show.
    """
    text, idle, starts_ms = _idle(air)
    weight = np.where(idle, cover_ms, 0).astype(np.float64)
    block_ms, means, covered_ms = block_means(air.times_ms, rate, weight, BLOCK_MS)
    enough = covered_ms >= BLOCK_MS / 2
    block_ms, means = block_ms[enough], means[enough]
    night = np.searchsorted(starts_ms, block_ms + BLOCK_MS - 1, "right")
    nights = [m for n in np.unique(night).tolist() if len(m := means[night == n]) >= BLOCKS_NEEDED] or [means]
    inputs = {"idle_hours": text, "declared": air.window.station.idle_hours is not None, "blocks": len(means)}
    if len(means) < BLOCKS_NEEDED:
        reason = (f"{len(means)} five-minute means of flow in idle hours ({text} local time), {BLOCKS_NEEDED} needed: "
                  "ask for a window that holds a night")
        return Estimate("base_flow", None, None, None, place, reason, inputs)
    levels = np.array([(quantile(m, BASE_QUANTILE), *quantile_range(m, BASE_QUANTILE)) for m in nights])
    inputs["nights"] = len(nights)
    inputs["last_nights_m3_min"] = [round_figure(max(0.0, v)) for v in levels[-NIGHTS_SHOWN:, 0].tolist()]
    leak, low, high = (round_figure(max(0.0, v)) for v in levels.mean(axis=0).tolist())
    return Estimate("base_flow", leak, low, high, place, note, inputs)


def _base_flow(air: AirMinutes) -> Estimate:
    if not air.supply.any_amount:
        return Estimate("base_flow", None, None, None, "network", _no_flow(air))
    rate, cover_ms = air.supply.rate_per_min, air.supply.shortest_ms
    if air.window.station.idle_hours is not None:
        return _low_flow(air, rate, cover_ms, "network", "all air supplied in the declared idle hours")
    if not air.meters.devices:
        return _low_flow(air, rate, cover_ms, "network",
                         "all air supplied in the assumed idle hours; list meters or idle_hours to tell use from leaks")
    return _low_flow(air, rate - air.meters.rate_per_min, np.minimum(cover_ms, air.meters.shortest_ms), "network",
                     "air that no meter counts, in the assumed idle hours")


def _customers_base_flow(air: AirMinutes) -> list[Estimate]:
    """Return the idle flow of each customer; only declared idle hours make it leakage."""
    if air.window.station.idle_hours is None:
        return []
    found = []
    for customer, rows in air.customers:
        side = air.meters.only(rows)
        if side.any_amount:
            found.append(_low_flow(air, side.rate_per_min, side.shortest_ms, f"customer:{customer.id}",
                                   "all air of this customer in the declared idle hours"))
    return found


def _mass_balance(air: AirMinutes) -> Estimate:
    def unusable(reason: str) -> Estimate:
        return Estimate("mass_balance", None, None, None, "network", reason)

    if not air.supply.any_amount:
        return unusable(_no_flow(air))
    if not air.meters.devices:
        return unusable("no customer's meter is listed or seen")
    if air.meters.never_known:
        return unusable(f"no flow or volume in the window from {', '.join(air.meters.never_known)}")
    cover_ms = np.minimum(air.supply.shortest_ms, air.meters.shortest_ms)
    known = cover_ms > 0
    minutes = int(cover_ms.sum()) / MINUTE_MS
    if minutes < 60:
        return unusable(f"{minutes:g} minutes in which supply and meters are known, 60 needed")
    stored_m3 = _stored_m3(air, known)
    supplied_m3, metered_m3 = air.supply.over(known), air.meters.over(known)
    leak = (supplied_m3 - metered_m3 - stored_m3) / minutes
    flows = np.concatenate([s.amount_n[:, known].sum(axis=1) for s in (air.supply, air.meters)]) / 1e9 / minutes
    half = smallest_leak(flows, METER_ERROR)
    inputs = {"smallest_m3_min": round_figure(half), "supplied_m3": round_figure(supplied_m3),
              "metered_m3": round_figure(metered_m3), "stored_m3": round_figure(stored_m3),
              "minutes": round_figure(minutes), "meter_error": METER_ERROR}
    low, value, high = (round_figure(max(0.0, v)) for v in (leak - half, leak, leak + half))
    return Estimate("mass_balance", value, low, high, "network", "air that no meter counts", inputs)


def _stored_m3(air: AirMinutes, known: NDArray[np.bool_]) -> float:
    """Return the air that went into the receiver in the known minutes, from the change of its pressure."""
    receiver_m3 = air.window.station.receiver_m3
    mains = [d for k, d in air.supply.devices if k == "air_main"]
    if not receiver_m3 or not mains or not len(air.times_ms):
        return 0.0
    pressure_bar = air.means("air_main", mains, "pressure_bar")[0]
    adjacent = known[1:] & known[:-1] & (air.times_ms[1:] - air.times_ms[:-1] == air.width_ms[:-1])
    # In the reference states 1 m3 holds the air of 1 bar within 1.4 %; the rest drowns in the meters' error.
    return receiver_m3 * float(np.nansum(np.diff(pressure_bar)[adjacent]))


def _load_cycles(air: AirMinutes) -> Estimate:
    """Return the air that fixed-speed machines deliver in declared idle hours: rated flow x share of time loaded."""
    def unusable(reason: str) -> Estimate:
        return Estimate("load_cycles", None, None, None, "network", reason)

    listed = air.window.station.listed("compressor")
    unfit = [d.id for d in listed.values() if d.control not in (None, "fixed") or not d.rated_flow_m3_min]
    if air.window.station.idle_hours is None:
        return unusable("idle_hours is missing: only without production do the machines run for leaks alone")
    if not listed or unfit:
        return unusable("needs listed compressors with rated_flow_m3_min and control fixed"
                        + (f": not so {', '.join(unfit)}" if unfit else ""))
    text, idle, _ = _idle(air)
    names = list(listed)
    states = np.array([air.sums("compressor", names, f"{s}_ms")[:, idle] for s in MACHINE_STATE])
    every = (states.sum(axis=0) > 0).all(axis=0)
    known_ms = states[:, :, every].sum(axis=(0, 2))
    minutes = int(air.width_ms[idle][every].sum()) // MINUTE_MS
    if minutes < 60:
        return unusable(f"{minutes} idle minutes in which the state of every compressor is known, 60 needed")
    loaded = states[MACHINE_STATE.index("loaded")][:, every].sum(axis=1) / known_ms
    if not loaded.any():
        return unusable("no compressor was loaded in the idle hours: without a single cycle they tell nothing of "
                        "leaks, neither that there are any nor that there are none")
    cycles = {n: _idle_cycles(air, n, text) for n in names}
    for i, (loaded_s, idle_s) in enumerate(cycles.values()):
        if len(loaded_s) >= CYCLES_NEEDED:
            loaded[i] = cycle_share(loaded_s.sum(), idle_s.sum())
    rated = np.array([listed[n].rated_flow_m3_min for n in names], np.float64)
    leak = float((loaded * rated).sum())
    inputs = {"idle_hours": text, "minutes": minutes,
              "loaded_share": {n: round_figure(float(v)) for n, v in zip(names, loaded, strict=True)},
              "cycles": {n: len(c[0]) for n, c in cycles.items()},
              "last_cycle_shares": {n: [round_figure(float(v)) for v in cycle_share(*c)[-CYCLES_SHOWN:]]
                                    for n, c in cycles.items()}}
    low, value, high = (round_figure(leak * f) for f in (1 - RATED_FLOW_ERROR, 1.0, 1 + RATED_FLOW_ERROR))
    return Estimate("load_cycles", value, low, high, "network", "rated flow x share of idle time loaded", inputs)


def _idle_cycles(air: AirMinutes, machine: str, idle_hours: str) -> tuple[Float64, Float64]:
    """Return the loaded and idle time of a machine's cycles that lie whole in one idle window [s]."""
    window, runs = air.window, air.window.runs.get("compressor")
    found: list[tuple[Float64, Float64]] = [(np.empty(0), np.empty(0))]
    if runs is not None and machine in runs.devices:
        mine = np.flatnonzero(runs.device == runs.devices.index(machine))
        start_s, end_s = runs.start_ms[mine] / 1000, runs.end_ms[mine] / 1000
        state = np.array([runs.state[i] for i in mine.tolist()])
        # A run that does not follow the one before at once, or is unknown, breaks the row of cycles.
        breaks = np.r_[True, start_s[1:] != end_s[:-1]] | (state == "")
        part = np.cumsum(breaks)
        for a, b in parse_hours(idle_hours).intervals(window.from_ms, window.to_ms, window.station.zone):
            inside = (state != "") & (start_s >= a / 1000) & (start_s < b / 1000)
            found += [whole_cycles(start_s[rows], state[rows] == "loaded")
                      for p in np.unique(part[inside]).tolist() if len(rows := np.flatnonzero(inside & (part == p)))]
    return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])


def leak_hole_mm(air: AirMinutes, leak_m3_min: float) -> float | None:
    """Return the one round hole through which so much air would go at the header's mean pressure [mm]."""
    pressure = header_bar(air)
    if np.isnan(pressure).all():
        return None
    size = hole_mm(leak_m3_min, float(np.nanmean(pressure)), REFERENCE_BAR[air.window.station.flow_reference])
    return round_figure(size) if size > 0 else None


def _no_flow(air: AirMinutes) -> str:
    lost = ", ".join(air.supply.never_known)
    return f"no flow or volume of mains or compressors in the window{f' (none from {lost})' if lost else ''}"
