"""What a charging site draws, straight from what its meters and ports have sent: plain loops over minutes."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from naive.electrical import naive_demand, naive_imbalance
from naive.readings import Reading
from naive.sent import MINUTE_MS, Device, Interval, Line, Rules, clip, common, minute_means, minute_sums

Figures = dict[str, float | None]
Sent = Mapping[str, tuple[Sequence[Reading], Rules]]
"""Device -> what it sent, in order of arrival, and its rules."""


@dataclass(frozen=True)
class Site:
    """A station, and the window that is asked for."""

    from_ms: int
    to_ms: int
    ports: Sent
    meters: Sent
    open_hours: Sequence[Interval] | None
    """None: always open."""
    excluded: Sequence[Interval]
    """Maintenance."""
    transformer_kva: float
    price_at: Callable[[int], float]
    """Time -> price of a kWh."""
    demand_charge: float
    """Price of a kW of the highest demand."""

    @property
    def window(self) -> Interval:
        """What is asked for."""
        return self.from_ms, self.to_ms

    @property
    def minutes(self) -> range:
        """The start of each of its minutes."""
        return range(self.from_ms, self.to_ms, MINUTE_MS)

    @property
    def opened(self) -> list[Interval]:
        """The part of the window in which it is open."""
        return [self.window] if self.open_hours is None else common(self.open_hours, [self.window])


def _means(meters: Sequence[Device], channel: str, site: Site) -> list[dict[int, float]]:
    return [minute_means(m.gauge(channel), *site.window) for m in meters]


def transformer(site: Site, meters: Sequence[Device], port_kw: Mapping[int, float]) -> Figures:
    """Return the loading: by site meters with reactive power or power factor, else by the ports."""
    kva: dict[int, float] = {}
    powers = [
        minute_means(m.register("energy_kwh", "power_kw"), *site.window) | own
        for m, own in zip(meters, _means(meters, "power_kw", site), strict=True)
    ]
    reactive, factor = _means(meters, "reactive_kvar", site), _means(meters, "power_factor", site)
    for minute in site.minutes if meters else ():
        kw = kvar = 0.0
        for p, q, pf in zip(powers, reactive, factor, strict=True):
            own, by = p.get(minute, math.nan), pf.get(minute)
            kw += own
            if minute in q:
                kvar += q[minute]
            else:
                kvar += abs(own) * math.sqrt(max(0.0, 1 / by**2 - 1)) if by else math.nan
        if not math.isnan(kw) and not math.isnan(kvar):
            kva[minute] = math.hypot(kw, kvar)
    loads = [s / site.transformer_kva for s in (kva or {m: abs(kw) for m, kw in port_kw.items()}).values()]
    return {
        "transformer_loading_max": max(loads, default=None),
        "transformer_h_over_80pct": sum(x > 0.8 for x in loads) / 60 if loads else None,
        "transformer_h_over_100pct": sum(x > 1 for x in loads) / 60 if loads else None,
    }


def imbalance(site: Site, meters: Sequence[Device]) -> Figures:
    """Return the greatest imbalance of the lines in minutes above 5 % of the rated current at 230 V."""
    lines = [_means(meters, f"current_l{k}_a", site) for k in (1, 2, 3)]
    worst = []
    for minute in site.minutes if meters else ():
        amps = [sum(own.get(minute, math.nan) for own in line) for line in lines]
        if sum(amps) / 3 > 0.05 * site.transformer_kva * 1000 / (3 * 230):
            worst.append(naive_imbalance(amps))
    return {"current_imbalance_nema_max": max(worst, default=None)}


def supply(site: Site, ports: Sequence[tuple[Device, Sequence[Interval]]], meters: Sequence[Device]) -> Figures:
    """Return demand, cost, what no port counts, and efficiency.

    Parameters
    ----------
    ports
        Ports that were heard, and when they count.
    """
    by_port = [_energies(p.register("energy_kwh", "power_kw"), site, keep) for p, keep in ports]
    by_meter = [_energies(m.register("energy_kwh", "power_kw"), site, [site.window]) for m in meters]
    of_ports, of_meters = _summed(site, by_port), _summed(site, by_meter)
    drawn = of_meters or of_ports
    kw = [drawn.get(minute, math.nan) * 60 for minute in site.minutes]
    demand = max((d for d in naive_demand(kw, 15) if not math.isnan(d)), default=None)
    both = of_ports.keys() & of_meters.keys()
    lost = sum(of_meters[m] - of_ports[m] for m in both)
    metered = sum(of_meters[m] for m in both)
    pairs = [
        (dc[m], ac[m])
        for (p, keep), ac in zip(ports, by_port, strict=True)
        for dc in [_energies(p.register("dc_energy_kwh"), site, keep)] for m in dc.keys() & ac.keys()
    ]
    ac_kwh = sum(ac for _, ac in pairs)
    return {
        "demand_kw_max": demand, "demand_cost": None if demand is None else demand * site.demand_charge,
        "energy_cost": sum(kwh * site.price_at(m) for m, kwh in drawn.items()) if drawn else None,
        "unmetered_kwh": lost if both else None, "unmetered_share": lost / metered if metered else None,
        "ac_dc_efficiency": sum(dc for dc, _ in pairs) / ac_kwh if ac_kwh else None,
    }


def _energies(lines: Sequence[Line], site: Site, keep: Sequence[Interval]) -> dict[int, float]:
    """Return the energy of each minute of some time in which any is known."""
    sums = minute_sums(lines, *site.window)
    return {minute: kwh for minute, (kwh, _) in sums.items() if clip([(minute, minute + 1)], keep)}


def _summed(site: Site, devices: Sequence[Mapping[int, float]]) -> dict[int, float]:
    """Return the sum of the minutes in which all are known that are ever known."""
    measured = [own for own in devices if own]
    return {m: sum(own[m] for own in measured) for m in site.minutes if measured and all(m in own for own in measured)}
