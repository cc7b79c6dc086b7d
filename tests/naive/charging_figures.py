"""Key figures of a charging station straight from what ports and meters have sent: the contract's words in loops."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from naive.charging import Port, Stay, Uptime, blocked, uptime
from naive.charging_site import Figures, Site, imbalance, supply, transformer
from naive.kpis import OCCUPIED
from naive.outcomes import naive_allowed_idle_s
from naive.sent import (
    HOUR_MS,
    MINUTE_MS,
    Device,
    Interval,
    Rules,
    accepted,
    clip,
    common,
    joined,
    length,
    minus,
    minute_means,
)

STATES = ("Available", "Reserved", "Faulted", "Unavailable")


@dataclass(frozen=True)
class Part:
    """What sums over ports are made of."""

    rules: Rules
    keep: list[Interval]
    """When it counts."""
    hours: dict[str, float]
    energy_kwh: float | None
    means_kw: dict[int, float]
    """Start of the minute -> mean power in the time in which it counts."""
    stays: list[Stay]
    up: Uptime


def charging_figures(site: Site) -> tuple[Figures, dict[str, Figures]]:
    """Return the figures of a station that lists all that have sent, and of each port."""
    everything = {**site.ports, **site.meters}
    now_ms = max(r["time_ms"] for sent, rules in everything.values() for r in accepted(sent, rules.offline_after_ms))
    ports = {name: Port(sent, rules, now_ms) for name, (sent, rules) in site.ports.items() if sent}
    rules = {name: rules for name, (_, rules) in site.ports.items()}
    away = joined([*site.excluded, *minus([site.window], site.opened)])
    parts = {
        name: _part(site, rules[name], ports.get(name), uptime(name, ports, rules, site.window, now_ms, away))
        for name in site.ports
    }
    total_kw: dict[int, float] = {}
    for part in parts.values():
        for minute, kw in part.means_kw.items():
            total_kw[minute] = total_kw.get(minute, 0.0) + kw
    station = _figures(site, list(parts.values()), max(total_kw.values(), default=None))
    station |= _lost(site, list(parts.values()))
    peaks = sum(max(p.means_kw.values()) for p in parts.values() if p.means_kw)
    station["simultaneity"] = _over(station["peak_kw"], peaks)
    known = any(p.hours["known"] for p in parts.values())
    station["congestion"] = _congested_ms(site, ports, rules) / (site.to_ms - site.from_ms) if known else None
    meters = [Device(sent, rules, now_ms) for sent, rules in site.meters.values() if sent]
    station |= transformer(site, meters, total_kw) | imbalance(site, meters)
    station |= supply(site, [(port, parts[name].keep) for name, port in ports.items()], meters)
    return station, {name: _figures(site, [p], max(p.means_kw.values(), default=None)) for name, p in parts.items()}


def _part(site: Site, rules: Rules, port: Port | None, up: Uptime) -> Part:
    start_ms, end_ms = rules.commissioned_ms or site.from_ms, rules.decommissioned_ms or site.to_ms
    keep = common(site.opened, [(start_ms, end_ms)])
    window = clip(keep, [site.window])
    hours = dict.fromkeys(("offline", "occupied", "charging", *STATES), 0)
    if port is None:
        return Part(rules, keep, _in_h(window, hours), None, {}, [], up)
    hours["offline"] = clip(minus([(port.rows[0].time_ms, port.now_ms)], [(a, b) for a, b, _ in port.spans()]), keep)
    for a, b, row in port.spans():
        if row.state:
            part = clip([(a, b)], keep)
            hours["occupied" if row.state in OCCUPIED else row.state] += part
            hours["charging"] += part * row.in_charge
    means = minute_means(port.booked, *site.window) | minute_means(port.power, *site.window)
    means = {m: kw for m, kw in means.items() if clip([(m, m + 1)], keep)}
    return Part(rules, keep, _in_h(window, hours), port.energy_kwh(keep), means, port.stays(site.window), up)


def _in_h(window: int, hours: Mapping[str, int]) -> dict[str, float]:
    found = {name.lower(): ms / HOUR_MS for name, ms in hours.items()}
    known = found["occupied"] + sum(found[s.lower()] for s in STATES)
    return {**found, "window": window / HOUR_MS, "known": known, "idle": found["occupied"] - found["charging"],
            "unknown": window / HOUR_MS - known - found["offline"]}


def _over(a: float | None, b: float | None) -> float | None:
    return None if a is None or not b else a / b


def _figures(site: Site, parts: Sequence[Part], peak_kw: float | None) -> Figures:
    """Return what a station and a port have in common."""
    hours = {name: sum(p.hours[name] for p in parts) for name in parts[0].hours}
    known = hours["known"]
    found: Figures = {f"{name}_h": h for name, h in hours.items()}
    found["coverage"] = _over(known, hours["window"])
    for name in ("occupied", "charging", "idle"):
        found[f"{name}_utilisation"] = _over(hours[name] if known else None, hours["window"])
        found[f"{name}_utilisation_of_known"] = _over(hours[name], known)
    measured = [p.energy_kwh for p in parts if p.energy_kwh is not None]
    energy = sum(measured) if measured else None
    found["energy_kwh"], found["peak_kw"] = energy, peak_kw
    found["capacity_kwh"] = sum((p.rules.rated_kw or 0) * p.hours["window"] for p in parts)
    found["capacity_factor"] = _over(energy, found["capacity_kwh"])
    found["load_factor"] = _over(energy, (peak_kw or 0.0) * (site.to_ms - site.from_ms) / HOUR_MS)
    stays = [s for p in parts for s in p.stays]
    judged = [s for s in stays if s.known]
    good = sum(s.good for s in judged)
    found["sessions"] = len(stays) if known else None
    found["sessions_successful"] = good if known else None
    found["sessions_judged"] = len(judged) if known else None
    found["session_success_rate"] = _over(good, len(judged))
    energies = [s.energy_kwh for s in stays if s.measured]
    found["sessions_measured"] = len(energies) if known else None
    found["sessions_measured_kwh"] = sum(energies) if known else None
    found["mean_session_kwh"] = _over(sum(energies), len(energies))
    over_s = sum(
        max(0.0, s.idle_s - naive_allowed_idle_s(p.rules.rated_kw or 0)) for p in parts for s in p.stays
    )
    found["overstay_h"] = over_s / 3600 if known else None
    found |= _visits([v for p in parts for v in _visits_of(p.stays)])
    service = sum(length(p.up.service) for p in parts)
    up = sum(p.up.up_ms for p in parts)
    found["uptime"] = _over(up, service)
    found["service_min"], found["up_min"] = service / MINUTE_MS, up / MINUTE_MS
    return found


def _visits_of(stays: Sequence[Stay]) -> list[list[bool]]:
    """Return of each visit whether its attempts succeeded: stays with pauses below two minutes."""
    visits: list[list[bool]] = []
    before_ms: int | None = None
    for stay in stays:
        if not stay.known:
            continue
        if before_ms is not None and stay.start_ms - before_ms < 120_000:
            visits[-1].append(stay.good)
        else:
            visits.append([stay.good])
        before_ms = stay.end_ms
    return visits


def _visits(visits: Sequence[Sequence[bool]]) -> Figures:
    n = len(visits)
    return {
        "visits": n, "attempts_per_visit": _over(sum(map(len, visits)), n),
        "first_attempt_success_rate": _over(sum(v[0] for v in visits), n),
        "troubled_visit_rate": _over(sum(v[-1] and not v[0] for v in visits), n),
        "failed_visit_rate": _over(sum(not v[-1] for v in visits), n),
    }


def _lost(site: Site, parts: Sequence[Part]) -> Figures:
    """Return what outages and blocked time cost: lost hours at the use of the hours in which ports were up."""
    able = sum(
        (p.rules.rated_kw or 0) * (p.hours["available"] + p.hours["reserved"] + p.hours["occupied"]) for p in parts
    )
    measured = [p.energy_kwh for p in parts if p.energy_kwh is not None]
    used = _over(sum(measured) if measured else None, able)
    if used is None:
        return {"lost_energy_kwh": None, "lost_money": None}
    gone = [
        joined([*p.up.down, *common((blocked(s, p.rules.rated_kw or 0) for s in p.stays), p.keep)]) for p in parts
    ]
    lost = used * sum(
        (p.rules.rated_kw or 0) * clip(times, [site.window]) / HOUR_MS for p, times in zip(parts, gone, strict=True)
    )
    paid = ms = 0.0
    any_gone = joined(t for times in gone for t in times)
    for minute in site.minutes:
        part = clip([(minute, minute + MINUTE_MS)], any_gone)
        paid, ms = paid + part * site.price_at(minute), ms + part
    return {"lost_energy_kwh": lost, "lost_money": lost * paid / ms if ms else 0.0}


def _congested_ms(site: Site, ports: Mapping[str, Port], rules: Mapping[str, Rules]) -> int:
    """Return the time in which a port is in service and every such port is occupied."""
    busy = {name: port.time_in(*OCCUPIED) for name, port in ports.items()}
    edges = {*site.window, *(t for spans in busy.values() for s in spans for t in s)}
    edges |= {t for r in rules.values() for t in (r.commissioned_ms, r.decommissioned_ms) if t is not None}
    total = 0
    for a, b in pairwise(sorted(t for t in edges if site.from_ms <= t <= site.to_ms)):
        serving = [
            name for name, r in rules.items()
            if (r.commissioned_ms or a) <= a and b <= (r.decommissioned_ms or b)
        ]
        if serving and all(clip([(a, b)], busy.get(name, ())) == b - a for name in serving):
            total += b - a
    return total
