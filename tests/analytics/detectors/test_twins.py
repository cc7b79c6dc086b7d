"""Detectors over raw readings equal plain loops over the naive fold, however the readings were delivered."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from naive import detectors as naive
from naive.fold import naive_fold
from naive.readings import Reading, Settings
from naive.streams import Stream, deliveries, reading
from naive.windows import buckets_of, runs_of, window_of

sys.path.insert(0, str(Path(__file__).parents[1]))
from folding import Folding

from analytics.detectors import DETECTORS
from analytics.window import Window

START_MS = 1_732_240_020_000
RATED_KW = 22.0
LEVELS = {
    "power_kw": (0.0, 0.0499, 0.0501, 7.0, 11.0, 24.1, 24.3),
    "temperature_c": (40.0, 44.9, 45.1, 50.0, 52.9, 53.1, 60.0, 79.9, 80.1, 100.0, 149.0, 151.0),
    "soc_pct": (50.0, 79.0, 81.0),
    **{f"current_l{k}_a": (0.5, 1.5, 5.9, 6.1, 16.0) for k in (1, 2, 3)},
    **{f"voltage_l{k}_v": (1.0, 206.0, 208.0, 230.0, 245.0, 247.0, 400.0) for k in (1, 2, 3)},
}
CALM = {"power_kw": 11.0, "temperature_c": 50.0, **{f"current_l{k}_a": 16.0 for k in (1, 2, 3)}}
STATES = ("Available", "Preparing", "Charging", "Charging", "Charging", "SuspendedEV", "Finishing", "Reserved")


@st.composite
def port_streams(draw: st.DrawFn) -> Stream:
    """Draw an hour or so of a port: stretches of one state with values near the thresholds, gaps, resets, glitches."""
    at, kwh = START_MS + draw(st.integers(0, 59)) * 1000, 1_000.0
    found: list[Reading] = []
    channels = draw(st.sampled_from([list(CALM), list(LEVELS), [*CALM, "soc_pct"]]))
    with_register = draw(st.booleans())
    status, session = "Charging", "A"
    for _ in range(draw(st.integers(1, 7))):
        if draw(st.booleans()):
            status, session = draw(st.sampled_from(STATES)), draw(st.sampled_from(["", "A", "B"]))
        chosen = {c: draw(st.sampled_from(LEVELS[c])) for c in channels if draw(st.booleans())}
        step_s = draw(st.sampled_from([20, 60, 60, 240]))
        for _ in range(draw(st.integers(1, 18))):
            values = {c: chosen.get(c, CALM.get(c, 230.0)) for c in channels}
            if with_register:
                kwh += values.get("power_kw", 0.0) * step_s / 3600 * draw(st.sampled_from([1, 1, 1, 1, 2]))
                values["energy_kwh"] = round(kwh, 3)
            found.append(reading("port", "p", at, values=values, codes={"status": status, "session_id": session}))
            at += step_s * 1000
        kwh = draw(st.sampled_from([kwh, kwh, kwh, 0.0]))
        at += draw(st.sampled_from([0, 0, 0, 299_000, 301_000, 900_000]))
    if with_register and len(found) > 8 and draw(st.booleans()):
        found[draw(st.integers(1, len(found) - 2))]["values"]["energy_kwh"] = 0.0
    return Stream(found, {"p": Settings(offline_after_ms=300_000, rated_kw=RATED_KW)})


def window_from(folding: Folding, phases: int | None, minutes: int) -> Window:
    """Return the window of what the fold holds; what it holds after the last reading is left out on both sides."""
    station = folding.registry.stations["s"]
    station.ports[0] = type(station.ports[0])(id="p", rated_kw=RATED_KW, phases=phases)
    names = ("start_ms", "start_seq", "end_ms", "state", "in_charge", "session_id", "energy_n")
    runs = [{"device": "p", **dict(zip(names, r, strict=True))} for r in folding.run_list()["p"]]
    made = window_of(
        station, minutes, minutes={"port": buckets_of(folding.minute_columns())},
        runs={"port": runs_of(runs)} if runs else {}, first_heard_ms={("port", "p"): START_MS},
    )
    end_ms = START_MS + 60_000 * minutes
    return type(made)(**{**{f: getattr(made, f) for f in made.__dataclass_fields__},
                         "from_ms": START_MS, "to_ms": end_ms, "now_ms": end_ms})


# Shrinking a stream takes minutes; the seed that fails is printed and can be shrunk by hand.
@settings(max_examples=25, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.data(), port_streams(), st.sampled_from([None, 1, 3]))
def test_every_threshold_is_met_in_the_same_minute(data: st.DataObject, stream: Stream, phases: int | None) -> None:
    batches = data.draw(deliveries(stream))
    # A clock that jumps back by days, before everything: nothing of it counts.
    jumped = [reading("port", "p", START_MS - 300_000_000, values={"power_kw": 99.0}, codes={"status": "Faulted"})]
    folding = Folding(stream.readings, stream.devices)
    for batch in [*batches, jumped]:
        folding.feed(batch)
    assert folding.too_late == 1
    table, runs_by_device = naive_fold(stream.readings, stream.devices)
    runs = runs_by_device["p"]
    count = (stream.readings[-1]["time_ms"] - START_MS) // 60_000 + 1
    minutes = [table.get(("p", START_MS + 60_000 * m), {}) for m in range(count)]
    ends_ms = [START_MS + 60_000 * (m + 1) for m in range(count)]
    window = window_from(folding, phases, count)
    expected = {
        "charging_without_power": naive.charging_without_power(minutes),
        "power_while_available": naive.power_while_available(minutes),
        "impossible_power": naive.impossible_power(minutes, RATED_KW),
        "port_meter_reset": naive.meter_reset(minutes),
        "meter_mismatch": naive.meter_mismatch(minutes),
        "over_temperature": naive.over_temperature(minutes),
        "derating": naive.derating(minutes),
        "phase_loss": naive.phase_loss(minutes, phases),
        "voltage_limits": naive.voltage_limits(minutes),
        "voltage_spread": naive.voltage_spread(minutes),
        "low_coverage": naive.low_coverage(minutes),
        "link_flapping": naive.link_flapping(runs, ends_ms),
        "session_overlap": naive.session_overlap(runs, ends_ms),
    }
    waiting = naive.waiting(runs, ends_ms)
    expected["stuck_status"] = [None if naive.silent(m) else w for m, w in zip(minutes, waiting, strict=True)]
    for name, values in expected.items():
        found = DETECTORS[name].find(window, START_MS, window.to_ms).value
        known = np.array([np.nan if v is None else v for v in values], np.float64)
        assert found == pytest.approx(known, nan_ok=True, rel=1e-9, abs=1e-9), name
