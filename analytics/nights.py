"""What a compressed-air station takes in its quiet hours, night by night and place by place.

A *place* is the network (air that no customer's meter counts) or one customer. Its night value is the low end of its
flow in the quiet hours; the day before shows whether a change is there around the clock, as a leak is. A machine is a
place by whole days (analytics/machine_side.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.air import AirMinutes, Side
from analytics.kernels.grid import ratio
from analytics.kernels.intervals import Int64, contains
from analytics.kernels.quantile import block_means
from analytics.kernels.thermo import INLET_BAR
from analytics.kernels.trend import silent_flow
from analytics.machine_side import machine_side
from telemetry.calendar import parse_hours
from telemetry.channels import MACHINE_STATE
from telemetry.times import DAY_MS, HOUR_MS, MINUTE_MS, to_datetime

Float64 = NDArray[np.float64]

DEFAULT_IDLE = "00:00-05:00"
"""Quiet hours of a station that declares none, until it has shown its own; local time."""
QUIET_H = 5
"""Length of learned quiet hours."""
LEARN_MS = 4 * DAY_MS
"""History from which quiet hours are learned."""
BLOCK_MS = 15 * MINUTE_MS
BLOCKS_NEEDED = 4
"""Blocks of a night (and of a day) that must be known."""
LOW = 0.10
"""Low end of a flow that holds use besides leaks."""
PURGE_BAR = 0.5
"""Purge pressure of a dryer above which it blows air off."""


@dataclass(frozen=True, slots=True, eq=False)
class Nights:
    """One place by nights; NaN where a night is not known."""

    place: str
    """`network`, `customer:{id}` or `machine:{id}`."""
    kind: str
    device: str
    """The device that stands for the place in alerts; both "" for the whole station."""
    start_ms: Int64
    """(n,) start of each night's quiet hours."""
    end_ms: Int64
    """(n,)"""
    base: Float64
    """(n,) night value, at the mean pressure of all nights [m3/min]."""
    spread: Float64
    """(n,) twice p50 - p10 of the night's 15-minute means [m3/min]; a leak adds nothing to it.
    Of a pulsed flow one pulse over the night."""
    day: Float64
    """(n,) median of the day before the night [m3/min]."""
    station_flow: Float64
    """(n,) mean flow of the whole station in the day and night [m3/min]."""
    metered: Float64
    """(n,) root of the sum of squares of the meters' night flows behind `base` [m3/min]."""
    weekday: Int64
    """(n,) local weekday of the night's end, Monday 0."""
    balance: bool
    """Whether it is a difference of meters in the quiet hours, which holds no use at all."""
    silent: Float64
    """(n,) what usually goes at night through those of the meters behind `base` that show nothing [m3/min]."""
    refusal: Callable[[Int64, Int64, float, float], str] | None = None
    """(nights before, nights after, growth, station's flow) -> why it is no leak; of a machine, in place of the day."""


def quiet_hours(air: AirMinutes) -> tuple[str, str]:
    """Return the quiet hours as text, and where they are from: `declared`, `learned` or `assumed`.

    Undeclared ones are learned: the five whole local hours in a row of least flow, once four days are known.
    """
    declared = air.window.station.idle_hours
    if declared is not None:
        return declared, "declared"
    flow = air.meters if air.meters.any_amount else air.supply
    if not flow.any_amount or air.window.to_ms - air.window.from_ms < LEARN_MS:
        return DEFAULT_IDLE, "assumed"
    zone = air.window.station.zone
    parts = [parse_hours(f"{h:02d}:00-{h + 1:02d}:00") for h in range(24)]
    rate = flow.rate_per_min
    with np.errstate(invalid="ignore"):
        by_hour = np.array([_median(rate[contains(p.intervals(air.window.from_ms, air.window.to_ms, zone),
                                                  air.times_ms)]) for p in parts])
    if np.isnan(by_hour).any():
        return DEFAULT_IDLE, "assumed"
    sums = np.array([np.take(by_hour, range(h, h + QUIET_H), mode="wrap").sum() for h in range(24)])
    best = int(sums.argmin())
    # The usual night stands unless another time is clearly quieter: a tie must not move with the noise.
    if sums[best] > 0.8 * sums[0]:
        return DEFAULT_IDLE, "learned"
    return f"{best:02d}:00-{(best + QUIET_H) % 24 or 24:02d}:00", "learned"


def _median(values: Float64) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")


def night_spans(air: AirMinutes, hours: str) -> Int64:
    """Return (n, 2) the quiet spans of less than a day that end in the window; at least half of each lies inside."""
    window = air.window
    spans = parse_hours(hours).intervals(window.from_ms - DAY_MS, window.to_ms + DAY_MS, window.station.zone)
    length = spans[:, 1] - spans[:, 0]
    inside = (spans[:, 1] - np.maximum(spans[:, 0], window.from_ms) >= length / 2) & (spans[:, 1] <= window.to_ms)
    return np.asarray(spans[inside & (length < DAY_MS) & (length >= HOUR_MS)])


def places(air: AirMinutes) -> list[Nights]:
    """Return every place of a station that can be followed night by night; those that never are known are left out."""
    hours, _ = quiet_hours(air)
    spans = night_spans(air, hours)
    if not len(spans):
        return []
    clear = purge_free(air)
    scale = pressure_scale(air)
    station = _station_rate(air)
    weekday = morning_weekdays(air, spans)
    silent = _silent(air, spans, weekday)
    nights = [_nights(air, spans, weekday, clear, scale, station, flow, silent) for flow in place_flows(air, station)]
    return nights + _machines(air, spans)


@dataclass(frozen=True, slots=True, eq=False)
class PlaceFlow:
    """The flow of one place by minutes."""

    place: str
    kind: str
    device: str
    """As in `Nights`."""
    rate: Float64
    """(times,) [m3/min]"""
    squares: Float64
    """(times,) sum of the squares of the meters' flows behind it."""
    balance: bool
    pulsed: bool = False
    """Whether it is told by machines that switch: nothing for many minutes, then all at once."""


def place_flows(air: AirMinutes, station: Float64 | None = None) -> list[PlaceFlow]:
    """Return the flows of the network and of every customer; those that never are known are left out."""
    found = [_network(air, _station_rate(air) if station is None else station)]
    for customer, rows in air.customers:
        side = air.meters.only(rows)
        meter = next((side.devices[i][1] for i in range(len(rows))[::-1] if side.serves[i].any()), "")
        rate = side.rate_per_min
        found.append(PlaceFlow(f"customer:{customer.id}", "air_meter", meter, rate, rate**2, balance=False))
    return [f for f in found if not np.isnan(f.rate).all()]


def _silent(air: AirMinutes, spans: Int64, weekday: Int64) -> Float64:
    """Return (n,) the usual night flow of the customers' meters that show nothing for the half day up to a night."""
    flows = _rate_of(air.meters)
    late, night = np.full((2, len(flows), len(spans)), np.nan)
    for i, (from_ms, to_ms) in enumerate(spans.tolist()):
        for part, start_ms in ((late, to_ms - DAY_MS // 2), (night, from_ms)):
            part[:, i] = [_mean(f) for f in flows[:, slice(*np.searchsorted(air.times_ms, (start_ms, to_ms)))]]
    return silent_flow(late, night, weekday)


def _rate_of(side: Side) -> Float64:
    """Return (devices, times) the flow of each device [m3/min]; NaN where it is not known or does not count."""
    return np.where(side.serves, ratio(side.amount_n, side.covered_ms, MINUTE_MS / 1e9), np.nan)


def _machines(air: AirMinutes, spans: Int64) -> list[Nights]:
    side = machine_side(air, spans, ~_purging(air))
    if side is None:
        return []
    still = np.zeros(len(spans))
    weekday = morning_weekdays(air, spans)
    return [
        Nights(f"machine:{name}", "compressor", name, spans[:, 0], spans[:, 1], side.loss, still, side.loss,
               side.supplied, side.metered_root, weekday, balance=False, silent=still, refusal=partial(side.refusal, i))
        for i, name in enumerate(side.machines)
    ]


def morning_weekdays(air: AirMinutes, spans: Int64) -> Int64:
    """Return (n,) the local weekday on which each span ends, Monday 0."""
    zone = air.window.station.zone
    return np.array([to_datetime(t - 1).astimezone(zone).weekday() for t in spans[:, 1].tolist()], np.int64)


def _network(air: AirMinutes, station: Float64) -> PlaceFlow:
    mains = [d for k, d in air.supply.devices if k == "air_main"]
    kind, device = ("air_main", mains[0]) if mains else ("", "")
    if not air.meters.any_amount:
        return PlaceFlow("network", kind, device, station, station**2, balance=False, pulsed=not air.supply.any_amount)
    squares = sum(np.nansum(_rate_of(side) ** 2, axis=0) for side in (air.supply, air.meters))
    rate = station - air.meters.rate_per_min - _stored_rate(air)
    return PlaceFlow("network", kind, device, rate, np.asarray(squares), balance=True)


def _station_rate(air: AirMinutes) -> Float64:
    """Return (times,) the supplied flow; without a flow meter that of fixed-speed machines by their time loaded."""
    if air.supply.any_amount:
        return air.supply.rate_per_min
    listed = air.window.station.listed("compressor")
    rated = np.array([d.rated_flow_m3_min or np.nan for d in listed.values()], np.float64)
    if not len(listed) or np.isnan(rated).any() or any(d.control not in (None, "fixed") for d in listed.values()):
        return np.full(len(air.times_ms), np.nan)
    names = list(listed)
    states = np.array([air.sums("compressor", names, f"{s}_ms") for s in MACHINE_STATE])
    known = (states.sum(axis=0) > 0).all(axis=0)
    share = states[MACHINE_STATE.index("loaded")] / np.maximum(states.sum(axis=0), 1)
    return np.where(known, (share * rated[:, None]).sum(axis=0), np.nan)


def _stored_rate(air: AirMinutes) -> Float64:
    """Return (times,) air that goes into the receiver, by the change of the mains' pressure [m3/min]."""
    receiver_m3 = air.window.station.receiver_m3
    if not receiver_m3 or len(air.times_ms) < 3 or any(k == "air_main" for k, _ in air.supply.devices):
        # A main's flow meter stands behind the receiver.
        return np.zeros(len(air.times_ms))
    pressure = header_bar(air)
    slope = np.zeros(len(pressure))
    slope[1:-1] = (pressure[2:] - pressure[:-2]) / 2
    return np.nan_to_num(receiver_m3 * slope)


def header_bar(air: AirMinutes) -> Float64:
    """Return (times,) mean pressure of the mains [bar]; NaN where no gauge is alive."""
    rows = air.rows("air_main")
    pressure = air.means("air_main", rows.devices, "pressure_bar")
    pressure = np.where(pressure > DEAD_BAR, pressure, np.nan)
    known = ~np.isnan(pressure)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, pressure, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


DEAD_BAR = 0.1
"""A header at or below this under power is a dead gauge, not a pressure."""


def pressure_scale(air: AirMinutes) -> Float64:
    """Return (times,) factor that brings a leak to the window's mean pressure: choked flow goes with p_abs."""
    absolute = header_bar(air) + INLET_BAR
    known = ~np.isnan(absolute)
    if not known.any():
        return np.ones(len(absolute))
    return np.where(known, np.nanmedian(absolute) / np.where(known, absolute, 1.0), 1.0)


def purge_free(air: AirMinutes) -> NDArray[np.bool_]:
    """Return (times,) the minutes in which no dryer blows air off; all, where one does most of the time.

    Such air is no purge to be set aside: it is lost around the clock.
    """
    purging = _purging(air)
    return np.asarray(~purging | (2 * purging.sum() > len(purging)))


def _purging(air: AirMinutes) -> NDArray[np.bool_]:
    purge = air.means("dryer", air.rows("dryer").devices, "purge_pressure_bar")
    with np.errstate(invalid="ignore"):
        return np.asarray((purge > PURGE_BAR).any(axis=0))


def _nights(
    air: AirMinutes, spans: Int64, weekday: Int64, clear: NDArray[np.bool_], scale: Float64, station: Float64,
    flow: PlaceFlow, silent: Float64,
) -> Nights:
    weight = np.where(clear, air.width_ms, 0).astype(np.float64)
    start, mean, cover = block_means(air.times_ms, flow.rate * scale, weight, BLOCK_MS)
    keep = cover >= BLOCK_MS / 2
    start, mean = start[keep], mean[keep]
    n = len(spans)
    out: dict[str, Any] = {c: np.full(n, np.nan) for c in ("base", "spread", "day", "station_flow", "metered")}
    for i, (from_ms, to_ms) in enumerate(spans.tolist()):
        night = mean[slice(*np.searchsorted(start, (from_ms, to_ms)))]
        day = mean[slice(*np.searchsorted(start, (to_ms - DAY_MS, from_ms)))]
        if len(night) >= BLOCKS_NEEDED:
            low, middle = np.quantile(night, (LOW, 0.5))
            out["base"][i] = night.mean() if flow.pulsed else middle if flow.balance else low
            # Of the lower half, doubled: work that ends late or begins early belongs to no quiet hour.
            # Of pulses one more or less may fall into a night.
            out["spread"][i] = night.max() / len(night) if flow.pulsed else 2 * (middle - low)
            at = slice(*np.searchsorted(air.times_ms, (from_ms, to_ms)))
            out["metered"][i] = np.sqrt(_mean(flow.squares[at]))
        if len(day) >= BLOCKS_NEEDED:
            out["day"][i] = np.median(day)
        out["station_flow"][i] = _mean(station[slice(*np.searchsorted(air.times_ms, (to_ms - DAY_MS, to_ms)))])
    return Nights(flow.place, flow.kind, flow.device, spans[:, 0], spans[:, 1], **out, weekday=weekday,
                  balance=flow.balance, silent=silent if flow.balance else np.zeros(n))


def _mean(values: Float64) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
