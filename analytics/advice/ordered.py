"""Ordered charging: the power that every active port should get now, and what comes of it. Nothing is switched."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.advice.network import Network, network_of, offered_kw, other_load, ports_kw
from analytics.counted import counted
from analytics.figures import round_figure
from analytics.kernels.course import Site, Stays, follow
from analytics.kernels.ordered import Demand, Float64, Limits, allot, laxity_h
from analytics.sessions import all_sessions
from analytics.window import Window
from telemetry.times import HOUR_MS, MINUTE_MS, format_time

RECENT_MS = 15 * MINUTE_MS
"""Other loads are taken to be as high as in the worst of the last minutes."""
STEP_MIN = 15
FORECAST_STEPS = 48
"""Twelve hours."""
TAKES_ALL = 0.9
"""A vehicle that draws less of what it is offered is limited by itself."""
WAITING = ("Charging", "SuspendedEVSE")
"""Occupied ports that get power or would take it."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What a vehicle has said of itself."""

    departure_ms: float
    """NaN where not known."""
    missing_kwh: float
    """Requested and not delivered yet; NaN where not known."""


NOT_SAID = Ask(np.nan, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class _Active:
    """m ports that get power or wait for it."""

    port: list[int]
    """(m,) position in the network."""
    asks: list[Ask]
    drawn_kw: Float64
    """(m,) 0 where not known."""
    able_kw: Float64
    """(m,) what port and vehicle can do."""
    served_kwh: Float64
    held: list[bool]
    """(m,) whether the present control holds the vehicle back."""


def ordered_advice(window: Window, asks: Mapping[str, Ask]) -> dict[str, Any] | str:
    """Return the item, or why there is none.

    Parameters
    ----------
    window
        The last minutes, at least `RECENT_MS`; its end is now.
    asks
        Port -> what its vehicle has said in this session.
    """
    network = network_of(window.station, counted(window, "port"))
    if isinstance(network, str):
        return network
    drawn_kw = ports_kw(window, network.ports)
    other = other_load(window, network, drawn_kw)
    if other is None:
        return "the site meters are silent: what else draws power is not known"
    active = _active(window, network, drawn_kw, asks)
    other_now = np.nan_to_num(np.nanmax(other, axis=1, initial=0.0)) + _unheard(window, network, drawn_kw)
    left = network.most - other_now
    now_ms = window.to_ms
    left_h = np.array([(a.departure_ms - now_ms) / HOUR_MS for a in active.asks])
    missing = np.array([a.missing_kwh for a in active.asks])
    site = network.site
    port = np.array(active.port, np.int64)
    laxity = laxity_h(left_h, missing, site.most_kw[port])
    demand = Demand([site.rates_a[p] for p in port], active.able_kw / site.kw_per_a[port], laxity, active.served_kwh)
    limits = Limits(site.weight[:, port], left)
    current_a = allot(limits, demand)
    power = np.minimum(current_a * site.kw_per_a[port], active.able_kw)
    expected, curtailed_min, next_kwh = _forecast(site, active, left, left_h, missing)
    used = limits.used(current_a)
    return {
        "text": _text(network, active, current_a, power, left),
        "change": _differs(active, site, current_a),
        "power_kw": round_figure(float(power.sum())), "present_power_kw": round_figure(float(active.drawn_kw.sum())),
        "expected_kwh_1h": round_figure(next_kwh),
        "limits": [
            {
                "limit": name, "unit": unit, "most": round_figure(most), "other": round_figure(float(rest)),
                "advised": round_figure(float(mine)), "headroom": round_figure(float(most - rest - mine)),
            }
            for name, unit, most, rest, mine in zip(
                network.limits, network.units, network.most.tolist(), other_now, used, strict=True)
        ],
        "ports": [
            {
                "port": network.ports[p], "line": network.lines[p],
                "current_a": round_figure(float(current_a[i])), "power_kw": round_figure(float(power[i])),
                "present_power_kw": round_figure(float(active.drawn_kw[i])),
                "by": "share" if np.isnan(laxity[i]) else "laxity" if np.isfinite(laxity[i]) else "rest",
                "laxity_h": _known(laxity[i]), "missing_kwh": _known(missing[i]),
                "departure": None if np.isnan(left_h[i]) else format_time(int(active.asks[i].departure_ms)),
                "expected_kwh": _known(expected[i]), "curtailed_min": curtailed_min[i],
            }
            for i, p in enumerate(active.port)
        ],
    }


def _known(value: float) -> float | None:
    return round_figure(float(value)) if np.isfinite(value) else None


def _active(window: Window, network: Network, drawn_kw: Float64, asks: Mapping[str, Ask]) -> _Active:
    runs = window.runs.get("port")
    offered = offered_kw(window, network)
    sessions = {s.port: s for s in all_sessions(window) if s.end_ms is None}
    site, most_kw = network.site, network.site.most_kw
    found = _Active([], [], np.empty(0), np.empty(0), np.empty(0), [])
    drawn, able, served = [], [], []
    for p, name in enumerate(network.ports):
        state, in_charge, heard = _now(window, name)
        ask = asks.get(name, NOT_SAID)
        wants = state in WAITING or (state == "Occupied" and (in_charge or ask.missing_kwh > 0))
        if runs is None or not heard or not wants:
            continue
        kw = _last(drawn_kw[p])
        offer_kw = _last(offered[p])
        limited = 0 < kw < min(TAKES_ALL * offer_kw, offer_kw - site.kw_per_a[p])
        session = sessions.get(name)
        found.port.append(p)
        found.asks.append(ask)
        found.held.append(state == "SuspendedEVSE" or (kw >= TAKES_ALL * offer_kw and offer_kw < most_kw[p]))
        drawn.append(0.0 if np.isnan(kw) else kw)
        able.append(min(most_kw[p], kw + site.kw_per_a[p]) if limited else most_kw[p])
        served.append(session.energy_kwh or 0.0 if session else 0.0)
    return _Active(found.port, found.asks, np.array(drawn), np.array(able), np.array(served), found.held)


def _now(window: Window, port: str) -> tuple[str, bool, bool]:
    """Return the last state of a port, whether it charged, and whether it is still heard."""
    runs = window.runs.get("port")
    if runs is None or port not in runs.devices:
        return "", False, False
    own = np.flatnonzero(runs.device == runs.devices.index(port))
    if not len(own):
        return "", False, False
    last = int(own[-1])
    return runs.state[last], bool(runs.in_charge[last]), bool(runs.end_ms[last] >= window.to_ms)


def _last(values: Float64, otherwise: float = np.nan) -> float:
    """Return the last value that is known."""
    known = values[~np.isnan(values)]
    return float(known[-1]) if len(known) else otherwise


def _unheard(window: Window, network: Network, drawn_kw: Float64) -> Float64:
    """Return (k,) what ports may draw that fell silent while they charged; a site meter would count them."""
    current_a = np.zeros(len(network.ports))
    if not counted(window, "site_meter"):
        for p, name in enumerate(network.ports):
            _, in_charge, heard = _now(window, name)
            if in_charge and not heard:
                kw = _last(drawn_kw[p], float(network.site.most_kw[p]))
                current_a[p] = kw / network.site.kw_per_a[p]
    return np.abs(network.site.weight @ current_a)


def _forecast(
    site: Site, active: _Active, left: Float64, left_h: Float64, missing: Float64
) -> tuple[Float64, list[int], float]:
    """Return (m,) energy until departure (NaN where not known), minutes held back, and energy of the next hour.

    The advice is followed, nobody comes, and who has not said how much takes all that it can.
    """
    step_h = STEP_MIN / 60
    known = (left_h > 0) & ~np.isnan(missing)
    steps = np.clip(np.where(known, np.ceil(np.nan_to_num(left_h) / step_h), FORECAST_STEPS), 1, FORECAST_STEPS)
    horizon = int(max(steps[known].max() if known.any() else 0, 60 / STEP_MIN))
    wanted = np.where(known, np.maximum(np.nan_to_num(missing), 0.0), active.able_kw * horizon * step_h)
    stays = Stays(
        port=np.array(active.port, np.int64), first=np.zeros(len(steps), np.int64),
        end=np.minimum(steps, horizon).astype(np.int64), missing_kwh=wanted, most_kw=active.able_kw, known=known,
    )
    course = follow(site, np.repeat(left[:, None], horizon, axis=1), stays, step_h)
    next_kwh = float(course.power_kw[:, : 60 // STEP_MIN].sum()) * step_h
    return np.where(known, wanted - course.missing_kwh, np.nan), (course.curtailed * STEP_MIN).tolist(), next_kwh


def _differs(active: _Active, site: Site, current_a: Float64) -> bool:
    """Whether a port gets more than advised, or less because the present control holds it back, by over an ampere."""
    present_a = active.drawn_kw / site.kw_per_a[active.port]
    less = np.array(active.held, np.bool_) & (present_a < current_a - 1)
    return bool(((present_a > current_a + 1) | less).any())


def _text(network: Network, active: _Active, current_a: Float64, power: Float64, left: Float64) -> dict[str, str]:
    served, waits = int((current_a > 0).sum()), int((current_a == 0).sum())
    if (left < 0).any():
        over = [name for name, rest in zip(network.limits, left, strict=True) if rest < 0]
        return {
            "en": f"Other loads alone exceed {', '.join(over)}: no vehicle should charge on it.",
            "zh": f"其他负荷已超过{'、'.join(over)}限值：相关车辆不应充电。",
        }
    if not active.port:
        return {"en": "No vehicle charges or waits for power.", "zh": "没有车辆在充电或等待充电。"}
    en = f"{power.sum():.0f} kW for {served} vehicle{'s' if served != 1 else ''}"
    zh = f"{served} 辆车共 {power.sum():.0f} kW"
    if waits:
        en, zh = f"{en}; {waits} should wait", f"{zh}；{waits} 辆应等待"
    return {"en": en + ".", "zh": zh + "。"}
