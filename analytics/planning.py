"""What more or fewer ports would mean: blocking and waiting by hour of the week, estimated from what was observed."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.counted import counted, service_span
from analytics.figures import round_figure
from analytics.held import heard
from analytics.kernels.intervals import Int64, intersect, span, subtract
from analytics.kernels.queueing import Float64, erlang_b, erlang_c, load_weights, mean_wait_h, offered_load
from analytics.kpis.charging import congested
from analytics.sessions import Session, all_sessions
from analytics.window import Window
from telemetry.times import HOUR_MS, to_datetime

WEEK_H = 168
SLOT_H = 0.25
SLOT_MS = round(SLOT_H * HOUR_MS)
SLOTS_PER_H = round(1 / SLOT_H)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LEAST_STAYS = 30
LEAST_WEEKS = 2
Z_95 = 1.96


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """How vehicles come and stay."""

    arrivals: Int64
    """(168,) by local hour of the week, Monday 00:00 first."""
    open_h: Float64
    """(168,) time in which an arrival could be seen: the station was heard and a port was free."""
    stay_h: Float64
    """(n,) stays that have ended."""
    dispersion: float
    """Variance over mean of the arrivals of days; 1 for a Poisson process, never taken to be less."""
    weeks: float

    @property
    def rate_per_h(self) -> Float64:
        """(168,) arrivals per hour in which a port was free; 0 where none was ever."""
        return np.divide(self.arrivals, self.open_h, out=np.zeros(WEEK_H), where=self.open_h > 0)


def traffic_of(window: Window) -> Traffic | str:
    """Return arrivals and stays of the ports that count, or why they do not suffice.

    Parameters
    ----------
    window
        Weeks; only its runs are needed.
    """
    ports = counted(window, "port")
    sessions = [s for s in all_sessions(window) if s.port in set(ports)]
    came = [s for s in sessions if window.from_ms <= s.start_ms < window.to_ms]
    stay_h = np.array([(s.end_ms - s.start_ms) / HOUR_MS for s in came if s.end_ms is not None])
    known = intersect(heard(window.runs.get("port"), tuple(ports)), span(window.from_ms, window.to_ms))
    free = subtract(known, congested(window, ports))
    first_ms = window.from_ms - window.from_ms % SLOT_MS
    slots_ms = np.arange(first_ms, window.to_ms, SLOT_MS)
    hours = _hours_of_week(window, slots_ms)
    open_h = np.bincount(hours, _inside_ms(free, slots_ms, window.to_ms), minlength=WEEK_H) / HOUR_MS
    at = [(s.start_ms - first_ms) // SLOT_MS for s in came]
    arrivals = np.bincount(hours[at], minlength=WEEK_H) if at else np.zeros(WEEK_H, np.int64)
    weeks = float((known[:, 1] - known[:, 0]).sum()) / HOUR_MS / WEEK_H
    if len(stay_h) < LEAST_STAYS or weeks < LEAST_WEEKS:
        return (
            f"{len(stay_h)} finished stays in {weeks:.1f} weeks: at least {LEAST_STAYS} in {LEAST_WEEKS} weeks are "
            "needed; ask for a longer window"
        )
    return Traffic(arrivals.astype(np.int64), open_h, stay_h, _dispersion(window, came, known), weeks)


def _hours_of_week(window: Window, slots_ms: Int64) -> Int64:
    """Return the local hour of the week of each slot; days of 23 and 25 hours included."""
    zone = window.station.zone
    local = [to_datetime(int(t)).astimezone(zone) for t in slots_ms]
    return np.array([24 * t.weekday() + t.hour for t in local], np.int64)


def _inside_ms(free: Int64, slots_ms: Int64, end_ms: int) -> Int64:
    """Return how much of each slot lies in the set [ms]."""
    edges = np.append(slots_ms, end_ms)
    if not len(free):
        return np.zeros(len(slots_ms), np.int64)
    done = np.concatenate(([0], np.cumsum(free[:, 1] - free[:, 0])))
    points = free.ravel()
    inside: Int64 = np.diff(np.interp(edges, points, np.repeat(done, 2)[1:-1])).round().astype(np.int64)
    return inside


def _dispersion(window: Window, came: list[Session], known: Int64) -> float:
    """Return variance over mean of the arrivals of days against what their weekday expects."""
    day_ms = 24 * HOUR_MS
    days = np.arange(window.from_ms, window.to_ms - day_ms + 1, day_ms)
    full = np.array([_inside_ms(known, np.array([d]), int(d) + day_ms)[0] == day_ms for d in days], np.bool_)
    count = np.bincount([(s.start_ms - window.from_ms) // day_ms for s in came], minlength=len(days))[: len(days)]
    weekday = np.arange(len(days)) % len(DAYS)
    chi, free_days = 0.0, 0
    for day in range(len(DAYS)):
        own = count[full & (weekday == day)]
        if len(own) > 1 and own.mean() > 0:
            chi += float(((own - own.mean()) ** 2).sum() / own.mean())
            free_days += len(own) - 1
    return max(1.0, chi / free_days) if free_days else 1.0


def plan_of(window: Window, ports: int | None) -> dict[str, Any]:
    """Return the estimate for the ports there are and for another number of them.

    Parameters
    ----------
    window
        Weeks; only its runs are needed.
    ports
        None: only the ports there are.
    """
    traffic = traffic_of(window)
    if isinstance(traffic, str):
        return {"estimated": True, "basis": None, "items": [], "reasons": {"planning": traffic}}
    listed = window.station.listed("port")
    present = sum(bool(len(s) and s[-1, 1] == window.to_ms) for s in (
        service_span(window, listed.get(p)) for p in counted(window, "port")))
    stays = traffic.stay_h
    numbers = [present] if ports is None or ports == present else [present, ports]
    return {
        "estimated": True,
        "basis": {
            "arrivals": int(traffic.arrivals.sum()), "weeks": round_figure(traffic.weeks),
            "stays": len(stays), "mean_stay_h": round_figure(float(stays.mean())),
            "stay_cv": round_figure(float(stays.std() / stays.mean())), "dispersion": round_figure(traffic.dispersion),
            "present_ports": present,
        },
        "items": [_estimate(traffic, n) for n in numbers],
        "reasons": {},
    }


def load_range(traffic: Traffic) -> tuple[Float64, Float64, Float64]:
    """Return (slots,) offered load, and the low and high end of about 95 % by the number of arrivals and stays."""
    rate = np.repeat(traffic.rate_per_h, SLOTS_PER_H)
    load = offered_load(rate, traffic.stay_h, SLOT_H)
    # An hour's rate has the variance arrivals / time^2; its slots err together.
    variance = np.divide(traffic.arrivals, traffic.open_h**2, out=np.zeros(WEEK_H), where=traffic.open_h > 0)
    weight = load_weights(traffic.stay_h, len(rate), SLOT_H)
    spread = np.empty(len(rate))
    for slot in range(SLOTS_PER_H):
        of_hours = np.roll(weight, SLOTS_PER_H - 1 - slot).reshape(WEEK_H, SLOTS_PER_H).sum(axis=1)
        hours = np.fft.irfft(np.fft.rfft(variance) * np.fft.rfft(of_hours**2), WEEK_H)
        spread[slot::SLOTS_PER_H] = np.maximum(hours, 0.0)
    stays = (traffic.stay_h.std() / traffic.stay_h.mean()) ** 2 / len(traffic.stay_h)
    half = Z_95 * np.sqrt(traffic.dispersion * spread + stays * load**2)
    return load, np.maximum(load - half, 0.0), load + half


def _estimate(traffic: Traffic, ports: int) -> dict[str, Any]:
    rate = np.repeat(traffic.rate_per_h, SLOTS_PER_H)
    load, low, high = load_range(traffic)
    blocked, at_least, at_most = (erlang_b(ports, x) for x in (load, low, high))
    waits, wait_h = erlang_c(ports, load), mean_wait_h(ports, load, traffic.stay_h)
    hours = [
        {
            "day": DAYS[h // 24], "hour": h % 24, "arrivals_per_h": round_figure(float(traffic.rate_per_h[h])),
            "offered_ports": _mean(load, h), "blocked": _mean(blocked, h), "blocked_low": _mean(at_least, h),
            "blocked_high": _mean(at_most, h), "waiting": _mean(waits, h),
            "mean_wait_min": None if (wait := _mean(wait_h, h)) is None else round_figure(60 * wait),
        }
        for h in range(WEEK_H)
    ]
    all_ = float(rate.sum())
    return {
        "ports": ports,
        **{
            name: round_figure(float((rate * share).sum()) / all_)
            for name, share in (("blocked", blocked), ("blocked_low", at_least), ("blocked_high", at_most))
        },
        "blocked_per_week": round_figure(float((rate * blocked).sum()) * SLOT_H),
        "offered_ports_max": round_figure(float(load.max())),
        "hours": hours,
    }


def _mean(values: Float64, hour: int) -> float | None:
    found = float(values[hour * SLOTS_PER_H : (hour + 1) * SLOTS_PER_H].mean())
    return round_figure(found) if math.isfinite(found) else None
