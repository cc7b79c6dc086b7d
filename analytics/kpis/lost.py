"""What outages and overstaying vehicles have cost: an estimate, by what the station delivers while its ports are up."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.figures import Sheet
from analytics.kernels.intervals import EMPTY, Int64, intersect, length_ms, span, union
from analytics.sessions import Session
from analytics.tariff import price_per_kwh
from analytics.uptime import Outage
from analytics.window import Window
from telemetry.times import HOUR_MS, MINUTE_MS


@dataclass(frozen=True, slots=True)
class LostPort:
    """What the estimate needs of one port."""

    rated_kw: float | None
    counts: Int64
    """When it counts: in service, while the station is open."""
    energy_kwh: float | None
    """Delivered in the window; None where it is not measured."""
    up_ms: int
    """Time known to be available, reserved or occupied."""
    outages: Sequence[Outage]
    sessions: Sequence[Session]
    """Those that end in the window."""


def lost_kpis(window: Window, sheet: Sheet, ports: Sequence[LostPort]) -> None:
    """Enter `lost_energy_kwh` and `lost_money`.

    lost energy = sum over ports of rated power x lost time x (delivered energy / sum of rated power x up time of all
    ports): a lost hour of a port is taken to have been used as an hour in which ports were up. Lost time: outages that
    are not excluded, and the time that vehicles stayed beyond `allowed_idle_s`, which is taken to lie at the end of
    their stay; of both what lies in the time in which the port counts. Money: at the mean tariff of the lost time.
    """
    capacity_kwh = sum((p.rated_kw or 0.0) * p.up_ms / HOUR_MS for p in ports)
    energy_kwh = [p.energy_kwh for p in ports if p.energy_kwh is not None]
    reason = ""
    if any(p.rated_kw is None for p in ports):
        reason = "rated_kw of a port is missing: set it in stations.toml"
    elif not energy_kwh or not capacity_kwh:
        reason = "no port was up and measured its energy in the window: there is nothing to compare with"
    if reason:
        sheet.put("lost_energy_kwh", None, reason)
        sheet.put("lost_money", None, reason)
        return
    lost = [_lost_time(p) for p in ports]
    used = sum(energy_kwh) / capacity_kwh
    lost_kwh = used * sum((p.rated_kw or 0.0) * length_ms(time) / HOUR_MS for p, time in zip(ports, lost, strict=True))
    sheet.put("lost_energy_kwh", lost_kwh)
    if window.station.tariff_per_kwh is None:
        sheet.put("lost_money", None, "tariff_per_kwh is missing: set it in stations.toml")
        return
    times = union(np.concatenate([EMPTY, *lost]))
    price = _mean_price(window, times) if length_ms(times) else 0.0
    sheet.put("lost_money", lost_kwh * price, "tariff_per_kwh has no price for the lost time: give its hours a price")


def _lost_time(port: LostPort) -> Int64:
    down = [span(o.from_ms, o.to_ms) for o in port.outages if not o.excluded]
    blocked = [
        span(s.end_ms - round(1000 * s.overstay_s), s.end_ms)
        for s in port.sessions if s.end_ms is not None and s.overstay_s
    ]
    return intersect(union(np.concatenate([EMPTY, *down, *blocked])), port.counts)


def _mean_price(window: Window, times: Int64) -> float:
    """Return the mean price over a set of time in the window; NaN where a part of it has none."""
    starts = np.arange(window.from_ms, window.to_ms, MINUTE_MS)
    paid = np.concatenate(([0.0], np.cumsum(price_per_kwh(window, starts))))
    upto = np.interp(times, np.append(starts, window.to_ms), paid)
    return float((upto[:, 1] - upto[:, 0]).sum() / (length_ms(times) / MINUTE_MS))
