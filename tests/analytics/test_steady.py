"""Ports without any outage take a short way to their uptime and offline time: it must lead to the same place."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive.windows import START_MS, runs_of, station_of, window_of

from analytics import uptime
from analytics.kpis.charging import charging_kpis
from analytics.steady import steady_ports

MIN = 60_000
STATES = ("Available", "Charging", "Faulted", "Unavailable")


@st.composite
def runs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Runs of three ports from before the window to after it, mostly without gaps, in quarter minutes."""
    found = []
    for port in ("a", "b", "c"):
        at = draw(st.integers(-40, 20))
        while at < 260 and draw(st.integers(0, 9)):
            end = at + draw(st.sampled_from((1, 7, 40, 300)))
            found.append({"device": port, "start_ms": START_MS + at * MIN // 4, "end_ms": START_MS + end * MIN // 4,
                          "state": draw(st.sampled_from(STATES[:2] * 4 + STATES[2:]))})
            at = end + draw(st.sampled_from((0, 0, 0, 0, 1, 90)))
    return found


def first_of(rows: list[dict[str, Any]]) -> dict[tuple[str, str], int]:
    return {("port", r["device"]): r["start_ms"] for r in reversed(rows)}


def naive_steady(rows: list[dict[str, Any]], without: tuple[str, ...]) -> set[str]:
    found = set()
    for port in {r["device"] for r in rows}:
        quarters = range(max(START_MS, first_of(rows)["port", port]), START_MS + 60 * MIN, MIN // 4)
        at = [next((r["state"] for r in rows if r["device"] == port and r["start_ms"] <= q < r["end_ms"]), None)
              for q in quarters]
        if at and None not in at and not set(at) & set(without):
            found.add(port)
    return found


@pytest.mark.parametrize("without", [(), ("Faulted", "Unavailable")])
@given(rows=runs())
def test_steady_is_heard_at_every_moment(rows, without):
    window = window_of(station_of("charging"), 60, runs={"port": runs_of(rows)}, first_heard_ms=first_of(rows))
    assert steady_ports(window, without) == naive_steady(rows, without)


@settings(deadline=None)
@given(rows=runs(), listed=st.booleans(), commissioned=st.booleans(), shared=st.booleans(),
       now=st.sampled_from((0, 30, 60, 90)))
def test_the_short_way_gives_the_same_uptime_and_hours(rows, listed, commissioned, shared, now):
    ports = [{"id": p, "rated_kw": 7, **({"commissioned": "2024-11-20"} if commissioned else {}),
              **({"charge_point": "CP"} if shared and p != "c" else {})} for p in ("a", "b", "c")]
    window = window_of(station_of("charging", ports=ports if listed else []), 60, runs={"port": runs_of(rows)},
                       first_heard_ms=first_of(rows), now_ms=START_MS + now * MIN)
    short = uptime.uptime_of(window), charging_kpis(window)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uptime, "steady_ports", lambda *_, **_k: frozenset())
        patch.setattr("analytics.kpis.charging.steady_ports", lambda *_: frozenset())
        assert (uptime.uptime_of(window), charging_kpis(window)) == short
