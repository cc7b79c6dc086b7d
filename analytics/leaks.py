"""How much air leaks: several methods side by side, and one figure made of them.

`base_flow` (non-production flow): the low end of 5-minute mean flows in hours without production. `mass_balance`:
what the supply delivers and no meter counts. Both need a known supply flow. `load_cycles`: how long fixed-speed
machines are loaded in idle hours; it needs no flow meter. `pressure_decay`: how fast the pressure falls while no
machine delivers. `night_trend` and `hour_of_week`: what has been added since the nights before, and since earlier
weeks; they are no level and are fused into none.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.air import AirMinutes, Side, air_minutes
from analytics.figures import round_figure
from analytics.kernels.grid import ratio
from analytics.kernels.intervals import Int64, contains
from analytics.kernels.leakage import cycle_share, hole_mm, smallest_leak, whole_cycles
from analytics.kernels.quantile import block_means, quantile, quantile_range
from analytics.kernels.trend import free_nights
from analytics.leak_decay import REFERENCE_BAR, Decay, pressure_decay
from analytics.leak_estimate import Estimate
from analytics.leak_trend import Growth, growth_of
from analytics.leak_weekly import hour_of_week
from analytics.nights import Nights, header_bar, morning_weekdays, places, purge_free, quiet_hours
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
TYPE_SHARE = 0.2
"""Nights of the weekend count as another type where they differ by more than this share of a usual night."""
METER_ERROR = 0.02
"""Error of one flow meter, as a fraction of its flow."""
RATED_FLOW_ERROR = 0.10
"""How far a machine's flow may be from its plate."""
CYCLES_NEEDED = 3
"""Whole cycles from which they tell more than the share of time: a window cuts through its first and last one."""
CYCLES_SHOWN = NIGHTS_SHOWN = 10
YEAR_MIN = 525_600


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
            "smallest_m3_min": None if fused is None else fused.inputs["smallest_m3_min"],
            "hole_mm": None if leak is None else leak_hole_mm(air, leak),
            "kwh_per_year": kwh_per_year,
            "money_per_year": money,
            "place": grown[0].place if grown else None if fused is None else fused.place,
            "since": None if grown is None or grown[1].since_ms is None else format_time(grown[1].since_ms),
            "growth_per_week_m3_min": round_figure(grown[1].per_week_m3_min) if grown else None,
            "reason": "no method is usable in this window" if fused is None else fused.reason,
        },
        "methods": [e.item() for e in [*estimates, *(_trend(n, g) for n, g in trends)]]
        + ([] if trends else [_trend(None, Growth(float("nan"), "no quiet night is known in the window")).item()])
        + [e.item() for e in hour_of_week(air)],
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


def _decay(air: AirMinutes, idle: "_Idle") -> Estimate:
    text = idle.text
    found = pressure_decay(air, idle.inside)
    if not isinstance(found, Decay):
        return Estimate("pressure_decay", None, None, None, "network", found, {"idle_hours": text})
    inputs = {"idle_hours": text, "falls": found.falls, "minutes": found.minutes, "bar_per_min": found.bar_per_min,
              "fitted_bar_per_min": found.fitted_bar_per_min,
              "pressure_bar": found.pressure_bar, "bleed_test_m3_min": found.bleed_test_m3_min}
    return Estimate("pressure_decay", found.leak_m3_min, found.low, found.high, "network",
                    "fall of the pressure in the receiver while no machine delivers", inputs)


def leak_estimates(air: AirMinutes, quiet: tuple[str, str] | None = None) -> list[Estimate]:
    """Return what every method for the present level says of the window, usable or not.

    Parameters
    ----------
    air
        The window.
    quiet
        `quiet_hours` of a longer window, which learns more; None: its own.
    """
    idle = _idle(air, *(quiet or quiet_hours(air)))
    return [_base_flow(air, idle), *_customers_base_flow(air, idle), _mass_balance(air), _load_cycles(air, idle),
            _decay(air, idle)]


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
        return Estimate("fused", base.leak_m3_min, base.low, base.high, place, "base_flow", _smallest([base]))
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
    return Estimate("fused", round_figure(mean), round_figure(low), round_figure(high), "network", names,
                    _smallest(network))


def _smallest(estimates: list[Estimate]) -> dict[str, Any]:
    """Return the smallest leak that the best of the methods' meters could show; a method without meters has none."""
    found = [e.inputs["smallest_m3_min"] for e in estimates if "smallest_m3_min" in e.inputs]
    return {"smallest_m3_min": min(found, default=None)}


@dataclass(frozen=True, slots=True, eq=False)
class _Idle:
    """When a station is idle."""

    text: str
    origin: str
    """As of `quiet_hours`."""
    inside: NDArray[np.bool_]
    """(times,) which minutes lie in idle hours."""
    spans: Int64
    """(n, 2) each idle time, cut into days."""


def _idle(air: AirMinutes, text: str, origin: str) -> _Idle:
    window = air.window
    hours = parse_hours(text).intervals(window.from_ms, window.to_ms, window.station.zone)
    spans = [(t, min(t + DAY_MS, b)) for a, b in hours.tolist() for t in range(a, b, DAY_MS)]
    return _Idle(text, origin, contains(hours, air.times_ms), np.array(spans, np.int64).reshape(-1, 2))


def _low_flow(air: AirMinutes, idle: _Idle, sides: list[Side], place: str, note: str) -> Estimate:
    """Return the base flow of a side, or of the first less the second: the mean of its low ends in each idle time.

    One low end of a whole window would be that of its best night: a leak that opens in the middle would not show.
    """
    rates, covers = [s.rate_per_min for s in sides], [s.shortest_ms for s in sides]
    weight = np.where(idle.inside & purge_free(air), np.minimum.reduce(covers), 0).astype(np.float64)
    block_ms, means, covered_ms = block_means(air.times_ms, rates[0] - sum(rates[1:]), weight, BLOCK_MS)
    enough = covered_ms >= BLOCK_MS / 2
    block_ms, means = block_ms[enough], means[enough]
    night = np.searchsorted(idle.spans[:, 0], block_ms + BLOCK_MS - 1, "right") - 1
    whole = [n for n in np.unique(night).tolist() if (night == n).sum() >= BLOCKS_NEEDED]
    nights = [means[night == n] for n in whole] or [means]
    inputs = {"idle_hours": idle.text, "idle_hours_from": idle.origin, "declared": idle.origin == "declared",
              "blocks": len(means)}
    if len(means) < BLOCKS_NEEDED:
        reason = (f"{len(means)} five-minute means of flow in idle hours ({idle.text} local time), {BLOCKS_NEEDED} "
                  "needed: ask for a window that holds a night")
        return Estimate("base_flow", None, None, None, place, reason, inputs)
    levels = np.array([(quantile(m, BASE_QUANTILE), *quantile_range(m, BASE_QUANTILE)) for m in nights])
    if whole and not inputs["declared"] and len(sides) == 1:
        levels = levels[_quieter(levels[:, 0], morning_weekdays(air, idle.spans[whole]))]
    inputs["nights"] = len(levels)
    inputs["last_nights_m3_min"] = [round_figure(max(0.0, v)) for v in levels[-NIGHTS_SHOWN:, 0].tolist()]
    inputs["smallest_m3_min"] = round_figure(_seen_by(sides, weight > 0))
    leak, low, high = (round_figure(max(0.0, v)) for v in levels.mean(axis=0).tolist())
    return Estimate("base_flow", leak, low, high, place, note, inputs)


def _quieter(values: Float64, weekday: Int64) -> NDArray[np.bool_]:
    """Return which nights are of the quieter type, where the week and the weekend differ; else all."""
    free, less = free_nights(values, weekday)
    if abs(less) <= TYPE_SHARE * float(np.median(values)):
        return np.ones(len(values), np.bool_)
    return free if less > 0 else ~free


def _seen_by(sides: list[Side], minutes: NDArray[np.bool_]) -> float:
    """Return the smallest leak that the meters of these sides could show in the chosen times [m3/min]."""
    flows = [ratio(s.amount_n[:, minutes].sum(axis=1), s.covered_ms[:, minutes].sum(axis=1), MINUTE_MS / 1e9)
             for s in sides]
    return smallest_leak(np.nan_to_num(np.concatenate(flows)), METER_ERROR)


def _base_flow(air: AirMinutes, idle: _Idle) -> Estimate:
    if not air.supply.any_amount:
        return Estimate("base_flow", None, None, None, "network", _no_flow(air))
    if idle.origin == "declared":
        return _low_flow(air, idle, [air.supply], "network", "all air supplied in the declared idle hours")
    if not air.meters.devices:
        return _low_flow(air, idle, [air.supply], "network", f"all air supplied in the {idle.origin} idle hours; "
                         "list meters or idle_hours to tell use from leaks")
    return _low_flow(air, idle, [air.supply, air.meters], "network",
                     f"air that no meter counts, in the {idle.origin} idle hours")


def _customers_base_flow(air: AirMinutes, idle: _Idle) -> list[Estimate]:
    """Return the idle flow of each customer; only declared idle hours make it leakage."""
    if idle.origin != "declared":
        return []
    sides = [(customer, air.meters.only(rows)) for customer, rows in air.customers]
    return [_low_flow(air, idle, [side], f"customer:{customer.id}",
                      "all air of this customer in the declared idle hours")
            for customer, side in sides if side.any_amount]


def _mass_balance(air: AirMinutes) -> Estimate:
    def unusable(reason: str) -> Estimate:
        return Estimate("mass_balance", None, None, None, "network", reason)

    if not air.supply.any_amount:
        return unusable(_no_flow(air))
    if not air.meters.devices:
        return unusable("no customer's meter is listed or seen")
    if air.meters.never_known:
        return unusable(f"no flow or volume in the window from {', '.join(air.meters.never_known)}")
    both_ms = np.minimum(air.supply.shortest_ms, air.meters.shortest_ms)
    cover_ms = np.where(purge_free(air), both_ms, 0)
    known = cover_ms > 0
    minutes = int(cover_ms.sum()) / MINUTE_MS
    if minutes < 60:
        return unusable(f"{minutes:g} minutes in which supply and meters are known, 60 needed")
    stored_m3 = _stored_m3(air, known)
    supplied_m3, metered_m3 = air.supply.over(known), air.meters.over(known)
    leak = (supplied_m3 - metered_m3 - stored_m3) / minutes
    half = _seen_by([air.supply, air.meters], known)
    inputs = {"smallest_m3_min": round_figure(half), "supplied_m3": round_figure(supplied_m3),
              "metered_m3": round_figure(metered_m3), "stored_m3": round_figure(stored_m3),
              "minutes": round_figure(minutes),
              "purge_minutes": round_figure(int((both_ms - cover_ms).sum()) / MINUTE_MS), "meter_error": METER_ERROR}
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


def _load_cycles(air: AirMinutes, idle: _Idle) -> Estimate:
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
    text, names = idle.text, list(listed)
    states = np.array([air.sums("compressor", names, f"{s}_ms")[:, idle.inside] for s in MACHINE_STATE])
    every = (states.sum(axis=0) > 0).all(axis=0)
    known_ms = states[:, :, every].sum(axis=(0, 2))
    minutes = int(air.width_ms[idle.inside][every].sum()) // MINUTE_MS
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
