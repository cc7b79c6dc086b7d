"""Dispatch advice: which machines should run now, and at which flow, for the least power."""

from typing import Any

import numpy as np

from analytics.advice.curves import MachineCurves
from analytics.air import AirMinutes, Bools, Float64
from analytics.figures import round_figure, share
from analytics.kernels.dispatch import MOST_MACHINES, Choice, best_choice, choice_of
from analytics.kernels.grid import ratio
from analytics.kernels.thermo import INLET_BAR
from analytics.kpis.air import station_pressure_bar
from analytics.tariff import price_per_kwh
from telemetry.times import HOUR_MS, MINUTE_MS

RECENT_MS = 15 * MINUTE_MS
"""Demand and power now: the mean of the last minutes."""
MIN_RUN_MS = 15 * MINUTE_MS
MIN_STOP_MS = 5 * MINUTE_MS
START_MIN = 2.0
"""Minutes of full power that a start costs; and until a standby machine delivers."""
PAYS_IN_MIN = 60.0
"""Minutes within which what is saved has to pay for the starts: so a change that is soon undone is not advised."""
_AWAY = ("fault", "starting", "stopping")
_VALID = np.arange(0.5, 1.5001, 0.05)


def dispatch_advice(air: AirMinutes, known: MachineCurves, last_week: AirMinutes) -> dict[str, Any] | str:
    """Return the item, or why there is none.

    Parameters
    ----------
    air
        The last day; its end is now.
    known
        How the machines run.
    last_week
        The half hour that followed the same time a week ago: the forecast, where it was higher.
    """
    if known.unknown:
        return f"rated_kw and rated_flow_m3_min of {', '.join(known.unknown)} are missing: set them in stations.toml"
    if not known.machines:
        return "no compressor is listed in stations.toml"
    if len(known.machines) > MOST_MACHINES:
        return f"more than {MOST_MACHINES} machines: dispatch is computed for up to {MOST_MACHINES}"
    demand = _mean_flow(air, air.window.to_ms - RECENT_MS)
    if demand is None:
        return f"supplied flow is unknown in the last {RECENT_MS // MINUTE_MS} minutes"
    forecast = max(demand, _mean_flow(last_week, last_week.window.from_ms) or 0.0)
    running, must_run, must_stop = _constraints(air, known.machines)
    curves = known.curves
    full_kw = curves.idle_kw + (curves.width_m3_min * curves.slope_kw).sum(axis=1)
    limits: dict[str, Any] = {
        "must_run": must_run, "must_stop": must_stop,
        "start_kw": np.where(running, 0.0, full_kw * START_MIN / PAYS_IN_MIN),
    }
    storage = _storage_m3_min(air)
    limits |= {"cover_m3_min": forecast, "storage_m3_min": storage}
    best = best_choice(curves, demand, **limits)
    reserved = best is not None and storage is not None
    if best is None:
        limits |= {"cover_m3_min": 0.0, "storage_m3_min": None}
        best = best_choice(curves, demand, **limits)
    if best is None:
        able = curves.capacity_m3_min[~must_stop].sum()
        return f"all available machines deliver {able:.1f} m3/min, less than the {demand:.1f} that are used"
    now = choice_of(curves, running, demand)
    valid = _valid(lambda d: best_choice(curves, d, **limits), best, demand)
    return _item(air, known, demand, forecast, running, now, best, valid, reserved=reserved)


def _mean_flow(air: AirMinutes, from_ms: int) -> float | None:
    recent = (air.times_ms >= from_ms) & ~np.isnan(air.supply.rate_per_min)
    return float(air.supply.rate_per_min[recent].mean()) if recent.any() else None


def _constraints(air: AirMinutes, machines: tuple[str, ...]) -> tuple[Bools, Bools, Bools]:
    """Return (n,) which machines run now, which have to go on, and which cannot be started."""
    runs, now = air.window.runs.get("compressor"), air.window.to_ms
    n = len(machines)
    running, must_run, must_stop = np.zeros(n, np.bool_), np.zeros(n, np.bool_), np.ones(n, np.bool_)
    if runs is None:
        return running, must_run, must_stop
    for i, machine in enumerate(machines):
        own = [
            (int(runs.start_ms[r]), int(runs.end_ms[r]), runs.state[r])
            for r in np.flatnonzero(runs.device == runs.devices.index(machine))
        ] if machine in runs.devices else []
        if not own or own[-1][1] < now or own[-1][2] in ("", *_AWAY):
            continue
        running[i] = own[-1][2] != "stopped"
        since = now
        for start, end, state in reversed(own):
            if (state not in ("stopped", "")) != running[i] or end < since:
                break
            since = start
        must_run[i] = running[i] and since > now - MIN_RUN_MS
        must_stop[i] = not running[i] and since > now - MIN_STOP_MS
    return running, must_run, must_stop


def _storage_m3_min(air: AirMinutes) -> float | None:
    """Return the flow that the receivers can give until a standby machine delivers; None where it cannot be known."""
    station = air.window.station
    if station.receiver_m3 is None or station.contract_pressure_bar is None:
        return None
    recent = station_pressure_bar(air)[air.times_ms >= air.window.to_ms - RECENT_MS]
    if np.isnan(recent).all():
        return None
    above_bar = max(0.0, float(np.nanmean(recent)) - station.contract_pressure_bar[0])
    return station.receiver_m3 * above_bar / INLET_BAR / START_MIN


def _valid(choose: Any, best: Choice, demand: float) -> tuple[float, float]:
    """Return the demands around the present one, in steps of 5 %, for which the same set stays best."""
    same = [bool(c is not None and (c.run == best.run).all()) for c in (choose(demand * f) for f in _VALID)]
    low = high = len(_VALID) // 2
    while low > 0 and same[low - 1]:
        low -= 1
    while high + 1 < len(_VALID) and same[high + 1]:
        high += 1
    return demand * float(_VALID[low]), demand * float(_VALID[high])


def _item(
    air: AirMinutes, known: MachineCurves, demand: float, forecast: float, running: Bools, now: Choice, best: Choice,
    valid: tuple[float, float], *, reserved: bool,
) -> dict[str, Any]:
    measured_kw = _measured_kw(air, known.machines)
    enough = float(now.flow_m3_min.sum()) + 1e-6 >= demand
    # A set that does not reach the demand saves power only because it delivers less.
    saving_kw = now.total_kw - best.total_kw if enough else None
    price = float(price_per_kwh(air.window, np.array([air.window.to_ms - 1]))[0])
    names = [m for m, on in zip(known.machines, best.run, strict=True) if on]
    change = bool((best.run != running).any())
    en = f"Run {' + '.join(names) or 'no machine'}: {best.total_kw:.0f} kW for {demand:.1f} m3/min"
    zh = f"运行 {' + '.join(names) or '无'}：{demand:.1f} m3/min 需 {best.total_kw:.0f} kW"
    if change and saving_kw is not None and saving_kw >= 0:
        en += f", {saving_kw:.0f} kW less than now"
        zh += f"，比现在少 {saving_kw:.0f} kW"
    elif change and saving_kw is not None:
        en += (f", {-saving_kw:.0f} kW more than now: what runs does not cover the forecast of {forecast:.1f} m3/min"
               + (" and the loss of its largest machine" if reserved else ""))
        zh += (f"，比现在多 {-saving_kw:.0f} kW：当前机组不能覆盖预测用气 {forecast:.1f} m3/min"
               + ("及最大一台停机" if reserved else ""))
    return {
        "text": {"en": en + ".", "zh": zh + "。"},
        "change": change,
        "demand_m3_min": round_figure(demand), "forecast_m3_min": round_figure(forecast),
        "valid_m3_min": [round_figure(v) for v in valid], "reserve": reserved,
        "machines": [
            {
                "device": m, "run": bool(best.run[i]), "running": bool(running[i]),
                "flow_m3_min": round_figure(float(best.flow_m3_min[i])),
                "power_kw": round_figure(float(best.power_kw[i])),
                "curve": "learned" if known.learned[i] else "nameplate",
            }
            for i, m in enumerate(known.machines)
        ],
        "power_kw": round_figure(best.total_kw),
        "kw_per_m3_min": share(best.total_kw, demand),
        "present_power_kw": round_figure(now.total_kw) if enough else None,
        "present_kw_per_m3_min": share(now.total_kw, demand) if enough else None,
        "measured_power_kw": None if measured_kw is None else round_figure(measured_kw),
        "regret_kw": None if measured_kw is None else round_figure(measured_kw - best.total_kw),
        "saving_kw": None if saving_kw is None else round_figure(saving_kw),
        "saving_money_per_h": None if saving_kw is None or np.isnan(price) else round_figure(saving_kw * price),
    }


def _measured_kw(air: AirMinutes, machines: tuple[str, ...]) -> float | None:
    """Return the mean power of the machines together over the last minutes; None where one is unknown."""
    recent = air.times_ms >= air.window.to_ms - RECENT_MS
    sums: list[Float64] = [
        air.sums("compressor", machines, c)[:, recent].sum(axis=1) for c in ("energy_n", "energy_ms")
    ]
    each_kw = ratio(sums[0], sums[1], HOUR_MS / 1e9)
    return None if np.isnan(each_kw).any() else float(each_kw.sum())
