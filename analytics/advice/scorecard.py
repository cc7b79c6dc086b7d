"""How the present control did in a day, against what the advice would have done with the same vehicles."""

from typing import Any

import numpy as np

from analytics.advice.network import Network, by_minute, network_of, offered_kw, other_load, ports_kw
from analytics.counted import counted
from analytics.figures import round_figure
from analytics.kernels.course import Bools, Site, Stays, follow
from analytics.kernels.grid import ratio
from analytics.kernels.ordered import TOLERANCE, Float64
from analytics.kpis.electrical import mean_of
from analytics.sessions import Session, all_sessions
from analytics.window import Window
from store.buckets import empty_buckets
from telemetry.times import MINUTE_MS, format_time

STEP_MIN = 5
MET_KWH = 0.1
"""A demand is met that misses less (ACN-Sim)."""


def scorecard(window: Window) -> dict[str, Any] | str:
    """Return the item, or why there is none.

    Stays count that begin and end in the window; what others draw is another load for both. A stay without a request
    is taken to have wanted what it got. Departures are as they came: the advice is given what drivers knew.

    Parameters
    ----------
    window
        A day, whole hours.
    """
    network = network_of(window.station, counted(window, "port"))
    if isinstance(network, str):
        return network
    drawn_kw = np.nan_to_num(ports_kw(window, network.ports))
    other = other_load(window, network, drawn_kw)
    if other is None:
        return "the site meters are silent: what else draws power is not known"
    stays, got_kwh, inside = _stays(window, network)
    if not len(got_kwh):
        return "no vehicle came, charged and left in the last day"
    # A minute that the meters do not tell of is taken to be as bad as the worst that they do.
    other = np.where(np.isnan(other), np.nanmax(other, axis=1, initial=0.0)[:, None], other)
    others = other + _used(network, np.where(inside, 0.0, drawn_kw))
    most = (network.most[:, None] - others).reshape(len(others), -1, STEP_MIN).min(axis=2)
    course = follow(network.site, most, stays, STEP_MIN / 60)
    total_kw = drawn_kw.sum(axis=0)
    rest_kw = np.where(inside, 0.0, drawn_kw).sum(axis=0)
    advised_kw = course.power_kw.sum(axis=0) + rest_kw.reshape(-1, STEP_MIN).max(axis=1)
    actual = _figures(
        stays.missing_kwh - got_kwh, stays.missing_kwh, float(total_kw.max()),
        int((other + _used(network, drawn_kw) > network.most[:, None] + TOLERANCE).any(axis=0).sum()),
        _held_min(window, network, drawn_kw, inside),
    )
    over = _used(network, course.power_kw) > np.maximum(most, 0.0) + TOLERANCE
    advice = _figures(
        course.missing_kwh, stays.missing_kwh, float(advised_kw.max()),
        int((over | (most < 0)).any(axis=0).sum()) * STEP_MIN, float(course.curtailed.sum()) * STEP_MIN,
    )
    return {
        "text": {
            "en": f"Delivered {100 * actual['delivered']:.1f} % of the demand at a peak of {actual['peak_kw']:.0f} kW; "
                  f"the advice: {100 * advice['delivered']:.1f} % at {advice['peak_kw']:.0f} kW.",
            "zh": f"实际满足需求的 {100 * actual['delivered']:.1f} %，峰值 {actual['peak_kw']:.0f} kW；按建议为 "
                  f"{100 * advice['delivered']:.1f} %，峰值 {advice['peak_kw']:.0f} kW。",
        },
        "from": format_time(window.from_ms), "to": format_time(window.to_ms),
        "stays": len(got_kwh), "requests": int(stays.known.sum()),
        "demand_kwh": round_figure(float(stays.missing_kwh.sum())), "actual": actual, "advice": advice,
    }


def _used(network: Network, power_kw: Float64) -> Float64:
    """Return (k, times) what ports add to each limit."""
    return np.asarray(np.abs(network.site.weight @ (power_kw / network.site.kw_per_a[:, None])))


def _figures(
    left_kwh: Float64, wanted_kwh: Float64, peak_kw: float, violation_min: int, curtailed_min: float
) -> dict[str, float]:
    """Return the scores; energy beyond the request is no delivery of it."""
    left_kwh = np.maximum(left_kwh, 0.0)
    return {
        "delivered": round_figure(1 - float(left_kwh.sum() / wanted_kwh.sum())),
        "met": round_figure(float((left_kwh < MET_KWH).mean())),
        "peak_kw": round_figure(peak_kw), "violation_min": violation_min, "curtailed_min": round_figure(curtailed_min),
    }


def _stays(window: Window, network: Network) -> tuple[Stays, Float64, Bools]:
    """Return the stays that count, what each got [kWh], and (n, minutes) where they lie."""
    rows = window.minutes.get("port", empty_buckets())
    energy = np.nan_to_num(by_minute(window, rows, network.ports, rows.get("energy_n") / 1e9))
    asked = by_minute(window, rows, network.ports, mean_of(rows, "requested_kwh"))
    offered = offered_kw(window, network)
    inside = np.zeros(energy.shape, np.bool_)
    free = np.zeros(len(network.ports), np.int64)
    table: list[tuple[float, ...]] = []
    for session in all_sessions(window):
        minutes = _minutes(window, session)
        if minutes is None or session.port not in network.ports:
            continue
        port = network.ports.index(session.port)
        got = float(energy[port, minutes].sum())
        said = np.flatnonzero(~np.isnan(asked[port, minutes]))
        wanted = float(asked[port, minutes][said[0]] + energy[port, minutes][: said[0]].sum()) if len(said) else got
        first = max(minutes.start // STEP_MIN, int(free[port]))
        free[port] = end = max(first + 1, -(-minutes.stop // STEP_MIN))
        if wanted > 0 and first < energy.shape[1] // STEP_MIN:
            inside[port, minutes] = True
            most_kw = _most_kw(session, offered[port, minutes], network.site, port)
            table.append((port, first, end, wanted, most_kw, len(said) > 0, got))
    columns = np.array(table, np.float64).reshape(-1, 7).T
    port_, first_, end_ = columns[:3].astype(np.int64)
    return Stays(port_, first_, end_, columns[3], columns[4], columns[5] > 0), columns[6], inside


def _most_kw(session: Session, offered: Float64, site: Site, port: int) -> float:
    """Return the most that a vehicle takes: its peak, unless it took all that it was offered."""
    offer_kw = float(np.nanmax(offered, initial=0.0))
    held = 0 < offer_kw < site.most_kw[port] and (session.peak_kw or 0.0) >= offer_kw - site.kw_per_a[port]
    return float(site.most_kw[port] if held or not session.peak_kw else session.peak_kw)


def _minutes(window: Window, session: Session) -> slice | None:
    """Return the minutes of a session that begins and ends in the window."""
    if session.end_ms is None or session.start_ms < window.from_ms or session.end_ms > window.to_ms:
        return None
    start = (session.start_ms - window.from_ms) // MINUTE_MS
    return slice(start, max(start + 1, -(-(session.end_ms - window.from_ms) // MINUTE_MS)))


def _held_min(window: Window, network: Network, drawn_kw: Float64, inside: Bools) -> float:
    """Return the time in which the control held vehicles back [min]: SuspendedEVSE, or all of a lower offer drawn."""
    rows = window.minutes.get("port", empty_buckets())
    share = ratio(rows.get("SuspendedEVSE_ms"), rows.width_ms)
    suspended = np.nan_to_num(by_minute(window, rows, network.ports, share))
    kw_per_a, most_kw = network.site.kw_per_a[:, None], network.site.most_kw[:, None]
    offered = offered_kw(window, network)
    taken = (drawn_kw > 0) & (drawn_kw >= offered - kw_per_a) & (offered < most_kw - kw_per_a)
    return float(np.where(inside, np.maximum(suspended, taken), 0.0).sum())
