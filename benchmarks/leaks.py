"""How soon, how well and how falsely rule `leak` speaks, on made stations; the table goes into docs/leaks.md."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analytics.air import air_minutes
from analytics.leak_trend import growth_of
from analytics.nights import places
from benchmarks.leak_methods import FUSED, measure_cases, table_of
from benchmarks.leak_plants import make_plant
from benchmarks.leak_stations import BEFORE_D, DAYS, Event, make

SIZES = (0.02, 0.05, 0.10, 0.20, 0.30)
NUISANCES = ("quiet", "demand", "night_shift", "holiday", "drift", "dead_meter", "mended_meter", "purge",
             "vent", "season")
PLANT_NUISANCES = ("quiet", "demand", "night_shift", "holiday", "purge", "vent", "season")
"""Of plants without a flow meter: those that need no meter."""
SIDES = ("network", "customer")
FITTED_SEED, HELD_OUT_SEED = 1_000, 800_000
"""First seed of the stations on which the numbers of the rule were chosen, and of those that had no say in it."""
NUISANCE_SEED = 4_000
"""What is added for stations without a leak."""
DOC = Path(__file__).parents[1] / "docs" / "leaks.md"
MARKS = ("<!-- bench leaks: begin -->", "<!-- bench leaks: end -->")


@dataclass(frozen=True)
class Outcome:
    """What was said about one station."""

    delay: int | None
    """Nights from the leak to its flag, 1 for the first; None: never."""
    size: float
    """Told over true size on the third night after it opened (of a ramp: on the last night)."""
    side: bool | None
    """Whether the first flag names the right place."""
    false: int
    """Flags that no leak explains: before it, or at another place."""


def judge_station(seed: int, event: Event) -> Outcome:
    """Make a station and follow its nights."""
    made = make(seed, event)
    found = places(air_minutes(made.window))
    first = 0
    delay: int | None = None
    side: bool | None = None
    false = 0
    size = float("nan")
    for nights in found:
        told = np.array([growth_of(nights, i + 1).leak_m3_min for i in range(len(nights.base))])
        flagged = told > 0
        begins = np.flatnonzero(flagged & ~np.r_[False, flagged[:-1]])
        first = int(np.searchsorted(nights.end_ms, made.start_ms, side="right"))
        own = event.what == "leak" and nights.place == made.place
        false += int(len(begins[begins < first]) if own else len(begins))
        if own and (begins >= first).any():
            at = int(begins[begins >= first][0])
            delay = at - first + 1
            at = len(told) - 1 if event.ramp else min(max(first + 2, at), len(told) - 1)
            size = float(told[at] / made.leak[at])
    if delay is not None:
        elsewhere = [n for n in found if n.place != made.place]
        side = not any(growth_of(n, i + 1).leak_m3_min > 0 for n in elsewhere for i in range(first, first + delay))
    return Outcome(delay, size, side, false)


@dataclass(frozen=True)
class _Part:
    """What stations made of one set of seeds gave."""

    totals: dict[str, str]
    rows: list[str]
    nuisances: list[str]


def measure_leaks(stations: int) -> Iterator[tuple[str, str]]:
    """Yield what was measured, and write the tables into docs/leaks.md.

    Parameters
    ----------
    stations
        Of each case, and of each set of seeds.
    """
    fitted, held_out = (_measure(seed, stations) for seed in (FITTED_SEED, HELD_OUT_SEED))
    _write(fitted, held_out, _methods(stations))
    for name, part in (("fitted", fitted), ("held out", held_out)):
        yield from ((f"{name}: {what}", value) for what, value in part.totals.items())


def _methods(stations: int) -> list[str]:
    """Return the tables of the methods by themselves, on held-out seeds."""
    def seed(event: Event) -> int:
        return HELD_OUT_SEED + (0 if event.what == "leak" else NUISANCE_SEED)

    leaks = [Event("leak", size, side, ramp) for side in SIDES for ramp in (False, True) for size in SIZES]
    shared = measure_cases([*leaks, *map(Event, NUISANCES)], seed, stations, make)
    metered = ("base_flow", "mass_balance", "night minimum", "hour_of_week", FUSED)
    plants = measure_cases([e for e in leaks if e.side == "network"] + [Event(w) for w in PLANT_NUISANCES], seed,
                           stations, make_plant)
    return [
        "### Each method by itself, shared stations", "", *table_of(list(shared), metered, SIZES), "",
        "### Each method by itself, plants without a flow meter", "",
        *table_of(list(plants), ("load_cycles", "pressure_decay", "night minimum", FUSED), SIZES),
    ]


def _measure(seed: int, stations: int) -> _Part:
    rows = []
    steps: list[Outcome] = []
    days = flags = 0
    for side in SIDES:
        for ramp in (False, True):
            for share in SIZES:
                found = [judge_station(seed + s, Event("leak", share, side, ramp)) for s in range(stations)]
                days += DAYS * stations
                flags += sum(o.false for o in found)
                if not ramp and share >= 0.05:
                    steps += found
                rows.append(_leak_row(side, share, found, ramp=ramp))
    nuisances = []
    for what in NUISANCES:
        found = [judge_station(seed + NUISANCE_SEED + s, Event(what)) for s in range(stations)]
        days += DAYS * stations
        flags += sum(o.false for o in found)
        nuisances.append(f"| {what} | {DAYS * stations} | {sum(o.false for o in found)} |")
    sides = [o.side for o in steps if o.side is not None]
    sizes = np.array([o.size for o in steps if o.delay is not None])
    totals = {
        "station-weeks": f"{days / 7:g}",
        "steps of 5 % and more found within 3 nights": f"{_share([(o.delay or 99) <= 3 for o in steps]):.1%}",
        "of these, size within 20 %": f"{_share((np.abs(sizes - 1) <= 0.2).tolist()):.1%}",
        "of these, place right": f"{_share(sides):.1%}",
        "false flags per 100 station-days": f"{100 * flags / days:.2f}",
    }
    return _Part(totals, rows, nuisances)


def _share(values: list[bool]) -> float:
    return sum(values) / len(values) if values else float("nan")


def _leak_row(side: str, share: float, found: list[Outcome], *, ramp: bool) -> str:
    seen = [o.delay for o in found if o.delay is not None]
    near = _share([d <= 3 for d in seen]) * len(seen) / len(found) if seen else 0.0
    sizes = [o.size for o in found if o.delay is not None]
    return (f"| {side} | {'ramp' if ramp else 'step'} | {share:.0%} | {len(seen) / len(found):.0%} | {near:.0%} | "
            f"{np.median(seen) if seen else float('nan'):g} | "
            f"{np.median(sizes) if sizes else float('nan'):.2f} | {sum(o.false for o in found)} |")


def _write(fitted: _Part, held_out: _Part, methods: list[str]) -> None:
    pairs = ((name, fitted.totals[name], value) for name, value in held_out.totals.items())
    lines = [
        MARKS[0], "", "| measured | fitted seeds | held-out seeds |", "| --- | --- | --- |",
        *(f"| {name} | {a} | {b} |" for name, a, b in pairs), "",
        f"Held-out seeds; leaks open on day {BEFORE_D + 1} of {DAYS}, a ramp takes five days, delays are medians.",
        "",
        "| side | form | size | found | within 3 nights | delay | told / true | false flags |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |", *held_out.rows, "",
        "| no leak, but | station-days | false flags |", "| --- | --- | --- |", *held_out.nuisances, "",
        *methods, "", MARKS[1],
    ]
    text = DOC.read_text("utf-8")
    head, rest = text.split(MARKS[0])
    DOC.write_text(head + "\n".join(lines) + rest.split(MARKS[1])[1], "utf-8")
