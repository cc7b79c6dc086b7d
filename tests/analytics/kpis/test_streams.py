"""Key figures of a station from what it sent, through journal and analytics, against loops over the raw readings.

Streams have silence, last wills, resets, glitches, duplicates, reordering, and clocks that jump ahead and back.
"""

import sys
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from naive.charging_figures import charging_figures
from naive.charging_site import Figures, Site
from naive.readings import Reading
from naive.sent import Rules
from naive.streams import reading

from analytics.figures import KpiAnswer
from analytics.kpis import station_kpis
from analytics.loading import load_window
from analytics.uptime import Exclusion
from store.state import StateReader
from telemetry.calendar import parse_hours
from telemetry.times import format_time, parse_time

sys.path.insert(0, str(Path(__file__).parents[1]))
from journalled import River

STATES = ("Available", "Available", "Charging", "Charging", "Charging", "SuspendedEV", "Finishing", "Occupied",
          "Preparing", "Reserved", "Faulted", "Unavailable")
# The second night has 23 hours in Berlin, the third 25.
STARTS = [parse_time(t) for t in ("2024-11-22T20:10:07Z", "2024-03-30T21:33:00Z", "2024-10-26T22:00:00Z")]
HOURS = ("24/7", "24/7", "07:00-22:00", "22:00-02:30")
PEAK_HOURS = "18:00-23:30"
OFFLINE_AFTER_MS = 300_000
KVA, DEMAND_CHARGE = 20.0, 38.0


def port_stream(rng: Random, port: str, start_ms: int) -> list[Reading]:
    """Return some hours of one port, in order of true time."""
    out: list[Reading] = []
    at, kwh, seq = start_ms + 1000 * rng.randrange(3_600), 1_000.0, 0
    with_status, with_seq = rng.random() < 0.8, rng.random() < 0.5
    channels = rng.choice([
        ("power_kw",), ("energy_kwh",), ("power_kw", "energy_kwh"), ("power_kw", "energy_kwh", "dc_energy_kwh"), (),
    ])
    ids, reasons = rng.choice([("",), ("", "A", "B"), ("A", "B")]), ("", "", "Local", "EVDisconnected", "PowerLoss")
    for _ in range(rng.randint(1, 14)):
        status, session, reason = rng.choice(STATES), rng.choice(ids), rng.choice(reasons)
        power = rng.choice([7.0, 6.3, 0.0, 0.04]) if status in ("Charging", "Occupied") else 0.0
        step_ms = rng.choice([20_000, 59_000, 240_000, 300_000])
        for k in range(rng.randint(1, 20)):
            seq += 1
            kwh = round(kwh + power * step_ms / 3_600_000, 6)
            said = {"power_kw": power, "energy_kwh": kwh, "dc_energy_kwh": round(0.94 * kwh, 6)}
            values = {c: said[c] for c in channels}
            codes = {"status": status} if with_status and (k == 0 or rng.random() < 0.5) else {}
            codes |= {"session_id": session} if with_status and session else {}
            codes |= {"stop_reason": reason} if with_status and reason and k == 0 else {}
            out.append(reading("port", port, at, seq=seq if with_seq else -1, values=values, codes=codes))
            at += step_ms
        if rng.random() < 0.1:
            out.append(reading("port", port, at, online=0))
        at += rng.choice([1_000, 1_000, 1_000, 1_000, 60_000, 299_000, 301_000, 2_700_000, 20_000_000])
        kwh = rng.choice([kwh] * 6 + [0.0, 500.0])
    if "energy_kwh" in channels and rng.random() < 0.5:
        rng.choice([r for r in out if r["values"]])["values"]["energy_kwh"] = 0.0
    return out


def meter_stream(rng: Random, start_ms: int) -> list[Reading]:
    """Return some hours of the site's meter."""
    out: list[Reading] = []
    at, kwh = start_ms + 1000 * rng.randrange(3_600), 50_000.0
    told_by = rng.choice(["reactive_kvar", "power_factor", ""])
    for _ in range(rng.randint(0, 6)):
        power = rng.choice([-3.0, 0.5, 11.0, 15.0, 19.0, 24.0])
        values = {"power_kw": power, **{f"current_l{k}_a": rng.choice([0.2, 1.4, 1.5, 20.0, 31.0]) for k in (1, 2, 3)}}
        values |= {f"voltage_l{k}_v": 230.0 for k in (1, 2, 3)}
        values |= {"reactive_kvar": 5.0} if told_by == "reactive_kvar" else {}
        values |= {"power_factor": rng.choice([1.0, -0.8])} if told_by == "power_factor" else {}
        step_ms = rng.choice([20_000, 60_000, 300_000])
        for _ in range(rng.randint(1, 20)):
            kwh = round(kwh + max(power, 0.0) * step_ms / 3_600_000, 6)
            out.append(reading("site_meter", "m", at, values={**values, "energy_kwh": kwh}))
            at += step_ms
        at += rng.choice([0, 1_000, 301_000, 2_700_000])
    return out


def jump(rng: Random, readings: list[Reading]) -> None:
    """Set the clock of a device wrong for a while: its readings keep their place, not their time."""
    for _ in range(rng.choice([0, 0, 1, 2])):
        first = rng.randrange(len(readings))
        jump_ms = rng.choice([-600_000, -180_000, 240_000, 840_000, 7_200_000, -90_000_000])
        for one in readings[first : first + rng.randint(1, 5)]:
            one["time_ms"] += jump_ms


def arrival(rng: Random, streams: list[list[Reading]]) -> list[list[Reading]]:
    """Return batches of what devices sent: each in its own order, or late; some of it twice."""
    if rng.random() < 0.5:
        every = [(r["time_ms"] + rng.choice([0, 0, rng.randrange(900_000)]), r) for own in streams for r in own]
        mixed = [r for _, r in sorted(every, key=lambda pair: pair[0])]
    else:
        mixed = [own[i] for i in range(max(map(len, streams))) for own in streams if i < len(own)]
    mixed = [r for r in mixed for _ in range(rng.choice([1, 1, 1, 1, 2, 3]))]
    edges = [0, *sorted(rng.sample(range(1, len(mixed)), min(5, len(mixed) - 1))), len(mixed)]
    return [mixed[a:b] for a, b in pairwise(edges)]


def site(rng: Random) -> tuple[dict[str, Any], dict[str, Rules], tuple[int, int], int]:
    """Return a station as in stations.toml, the rules of its ports, a window, and when its ports begin to send."""
    start_ms = rng.choice(STARTS)
    whole_ms = start_ms // 60_000 * 60_000
    since, until = rng.choice([None, None, -3_600_000, 5_400_000]), rng.choice([None, None, 16_200_000])
    hold, shared = rng.random() < 0.3, rng.choice([None, None, "CP"])
    rules = {
        name: Rules(
            OFFLINE_AFTER_MS, rated, hold, None if since is None else whole_ms + since,
            None if until is None or name == "a" else whole_ms + until, shared,
        )
        for name, rated in (("a", 7.0), ("b", 22.0))
    }
    from_ms = whole_ms + rng.choice([-3_600_000, 0, 3_600_000, 9_000_000])
    return {
        "kind": "charging", "timezone": "Europe/Berlin", "open_hours": rng.choice(HOURS),
        "integration": "hold" if hold else "trapezoid", "transformer_kva": KVA,
        "demand_charge_per_kw": DEMAND_CHARGE, "tariff_per_kwh": [{"price": 0.5}, {"price": 1.5, "hours": PEAK_HOURS}],
        "ports": [
            {"id": name, "rated_kw": r.rated_kw, **({"charge_point": r.charge_point} if r.charge_point else {}),
             **{word: format_time(t) for word, t in
                (("commissioned", r.commissioned_ms), ("decommissioned", r.decommissioned_ms)) if t is not None}}
            for name, r in rules.items()
        ],
        "site_meters": [{"id": "m"}],
    }, rules, (from_ms, from_ms + 60_000 * rng.choice([60, 347, 1_500, 2_880])), start_ms


def answered(
    station: dict[str, Any], arriving: list[list[Reading]], window: tuple[int, int], excluded: list[tuple[int, int]]
) -> KpiAnswer:
    """Return what analytics answers after the readings have gone through a journal, batch by batch."""
    with TemporaryDirectory() as folder:
        river = River(Path(folder), [r for batch in arriving for r in batch])
        river.put_registry({"stations": {"s": station}})
        for batch in arriving:
            river.write(batch)
        river.work()
        river.analytics.commit()
        reader = StateReader.open(Path(folder) / "state.db")
        loaded = load_window(reader, river.analytics.engine.registry, "s", *window)
        answer = station_kpis(loaded, [Exclusion(a, b) for a, b in excluded])
        reader.close()
        river.analytics.state.close()
    return answer


def hours_of(hours: str, window: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the local hours that lie in a window."""
    return [(int(a), int(b)) for a, b in parse_hours(hours).intervals(*window, ZoneInfo("Europe/Berlin"))]


RATIOS_OF_PEAKS = ("load_factor", "simultaneity")
RESOLVED_KW = 0.03
"""Amounts are whole 10^-9 kWh, within a second up to 4e-6 kW: below this a peak says nothing of its ratios."""


def differences(found: Figures, expected: Figures) -> dict[str, Any]:
    """Return the figures that differ, and those that only one side has."""
    tiny = RATIOS_OF_PEAKS if (expected["peak_kw"] or 0.0) < RESOLVED_KW else ()
    return {
        name: (found.get(name, "none"), expected.get(name, "none")) for name in found.keys() | expected.keys()
        if name not in found or name not in expected
        or (name not in tiny and not _same(name, found[name], expected[name]))
    }


def _same(name: str, found: float | None, expected: float | None) -> bool:
    if found is None or expected is None:
        return found is expected
    return found == pytest.approx(expected, rel=2e-4 if name in RATIOS_OF_PEAKS else 1e-5, abs=5e-6)


def both_sides(rng: Random) -> tuple[KpiAnswer, Figures, dict[str, Figures]]:
    """Return what the product answers about a drawn station, and what loops say of the station and of each port."""
    station, rules, window, start_ms = site(rng)
    streams = {name: port_stream(rng, name, start_ms) for name in rules}
    for own in streams.values():
        jump(rng, own)
    arriving = arrival(rng, [*streams.values(), meter_stream(rng, start_ms)])
    sent = {name: [r for batch in arriving for r in batch if r["device"] == name] for name in (*rules, "m")}
    excluded = [(window[0] + 600_000, window[0] + 4_200_000)] if rng.random() < 0.5 else []
    opened, dear = (None if h == "24/7" else hours_of(h, window) for h in (station["open_hours"], PEAK_HOURS))
    expected = charging_figures(Site(
        *window, {name: (sent[name], own) for name, own in rules.items()},
        {"m": (sent["m"], Rules(OFFLINE_AFTER_MS, None, rules["a"].hold))}, opened, excluded, KVA,
        lambda t: 1.5 if any(a <= t < b for a, b in dear or ()) else 0.5, DEMAND_CHARGE,
    ))
    return answered(station, arriving, window, excluded), *expected


# A seed, because Hypothesis draws few readings where it draws them one by one.
@settings(max_examples=40, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.integers(0, 2**40))
def test_every_figure_equals_loops_over_what_was_sent(seed: int) -> None:
    answer, expected, by_port = both_sides(Random(seed))  # noqa: S311 draws a case, not a secret
    assert differences({"coverage": answer.coverage, **answer.kpis}, expected) == {}
    for device in answer.devices:
        if device.kind == "port":
            own = {"coverage": device.coverage, **device.kpis}
            assert differences(own, by_port[device.device]) == {}, device.device
