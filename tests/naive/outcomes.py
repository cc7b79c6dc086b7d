"""What drivers met, how long they overstayed and what was lost: second by second, one port at a time."""

from collections.abc import Mapping, Sequence
from typing import Any

from naive.kpis import OCCUPIED, Tick, naive_sessions

Timelines = Mapping[str, Sequence[Tick]]


def naive_allowed_idle_s(rated_kw: float) -> int:
    """Return how long a vehicle may stay without charging [s] (sap-labs-france/ev-server)."""
    if rated_kw <= 3.68:
        return 7200
    if rated_kw <= 7.36:
        return 3600
    return 1800 if rated_kw < 50 else 900


def naive_overstay_s(timeline: Sequence[Tick], rated_kw: float) -> int:
    """Return the idle seconds beyond what is allowed, of stays that have ended."""
    total = 0
    for stay in naive_sessions(timeline):
        idle = int(stay["idle"])  # type: ignore[call-overload]
        if stay["end"] is not None and idle > naive_allowed_idle_s(rated_kw):
            total += idle - naive_allowed_idle_s(rated_kw)
    return total


def naive_success(stay: Mapping[str, Any], kwh_per_s: float) -> bool:
    """Whether a stay that has ended delivered more than 0.1 kWh and was not cut off."""
    return stay["charging"] * kwh_per_s > 0.1 and stay["after"] not in ("Faulted", "Unavailable")


def naive_visits(timelines: Timelines, kwh_per_s: float) -> list[list[bool]]:
    """Return of each visit whether its attempts succeeded: stays of one port with pauses below two minutes."""
    visits = []
    for timeline in timelines.values():
        before = None
        for stay in naive_sessions(timeline):
            if stay["end"] is None:
                continue
            good = naive_success(stay, kwh_per_s)
            if before is not None and int(stay["start"]) - before < 120:  # type: ignore[call-overload]
                visits[-1].append(good)
            else:
                visits.append([good])
            before = int(stay["end"])  # type: ignore[call-overload]
    return visits


def naive_lost_kwh(timelines: Timelines, rated_kw: Mapping[str, float], kwh_per_s: float) -> float | None:
    """Return what ports that are heard throughout lost: by Faulted or Unavailable, and by vehicles that overstayed."""
    delivered, able, lost = 0.0, 0.0, 0.0
    for port, timeline in timelines.items():
        gone = [False] * len(timeline)
        for second, tick in enumerate(timeline):
            assert tick is not None
            delivered += kwh_per_s * (tick[0] == "Charging")
            able += rated_kw[port] / 3600 * (tick[0] in ("Available", "Reserved", *OCCUPIED))
            gone[second] = tick[0] in ("Faulted", "Unavailable")
        for stay in naive_sessions(timeline):
            if stay["end"] is None:
                continue
            end = int(stay["end"])  # type: ignore[call-overload]
            beyond = int(stay["idle"]) - naive_allowed_idle_s(rated_kw[port])  # type: ignore[call-overload]
            for second in range(end - max(beyond, 0), end):
                gone[second] = True
        lost += rated_kw[port] / 3600 * sum(gone)
    return lost * delivered / able if able else None
