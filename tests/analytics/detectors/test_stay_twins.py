"""Detectors of whole sessions and of a day equal plain loops over what a port did, minute after minute."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from naive import detectors as naive
from naive.readings import Run
from naive.scenes import Act, scene
from naive.windows import START_MS, station_of

from analytics.detectors import DETECTORS

MINUTE_MS = 60_000
STATES = ("Available", "Preparing", "Charging", "Charging", "SuspendedEV", "Finishing", "Faulted", None)
DAYS = (1, 1, 2, 5, 30, 600, 1439, 1440, 1441)


@st.composite
def acts(draw: st.DrawFn) -> list[Act]:
    """Draw up to a week of one port: stays of all lengths with and without energy, silences, failing locks."""
    found = []
    for _ in range(draw(st.integers(1, 9))):
        state = draw(st.sampled_from(STATES))
        charging = state == "Charging"
        found.append(Act(
            draw(st.sampled_from(DAYS)), state, draw(st.sampled_from(["", "A", "B"])) if state else "",
            draw(st.sampled_from([0.0, 0.006, 3.0, 9.0, 50.0])) if charging else 0.0,
            columns={"lock_failures": draw(st.integers(0, 2))}, run={"in_charge": charging},
        ))
    return found


def runs_from(played: list[Act]) -> list[Run]:
    """Return the runs of a port that did this; two acts alike are one run."""
    found: list[Run] = []
    at = START_MS
    for act in played:
        end = at + act.minutes * MINUTE_MS
        if act.state is not None:
            energy_n = round((act.power_kw or 0.0) / 60 * 1e9 * act.minutes)
            found.append(Run(at, -1, end, act.state, act.state == "Charging", act.session, energy_n))
        at = end
    return found


# Shrinking takes minutes; the seed that fails is printed.
@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(acts())
def test_every_minute_has_the_value_of_the_plain_loop(played: list[Act]) -> None:
    window = scene(station_of("charging", ports=[{"id": "p", "rated_kw": 22}]), {"p": played})
    runs = runs_from(played)
    if not runs:
        return
    count = (window.to_ms - START_MS) // MINUTE_MS
    ends_ms = [START_MS + MINUTE_MS * (m + 1) for m in range(count)]
    minutes: list[dict[str, int]] = [
        {"heard_ms": MINUTE_MS, **(dict(a.columns) if m == 0 else {})} if a.state is not None else {}
        for a in played for m in range(a.minutes)
    ]
    for name, expected, near in (
        ("zero_energy_sessions", naive.zero_energy_sessions(runs, ends_ms), 0),
        # A session has its energy in 10^-6 kWh.
        ("session_over_long", naive.session_over_long(runs, ends_ms), 1e-7),
        ("connector_lock", naive.connector_lock(minutes[:count]), 0),
    ):
        found = DETECTORS[name].find(window, START_MS, window.to_ms).value
        assert found == pytest.approx(np.array(expected), abs=near or 1e-9), name
