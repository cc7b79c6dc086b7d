"""Key figures of generated streams through the real fold equal their twin, which adds up minute by minute."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from naive.air_kpis import AirStation, Customer, Figures, MeterTime, NaiveAir, group
from naive.air_streams import EDGES_MS, KINDS, ZONE, delivered, sent
from naive.fold import naive_fold
from naive.readings import Reading, Settings
from naive.windows import buckets_of, runs_of, station_of, window_of

from analytics.figures import KpiAnswer
from analytics.groups import group_kpis
from analytics.kpis import station_kpis
from analytics.statement import statement_of
from analytics.window import Window

sys.path.insert(0, str(Path(__file__).parent))
from folding import Folding

CASES = 48
RATED = {"rated_kw": 75, "rated_flow_m3_min": 11.5, "rated_pressure_bar": 7, "control": "fixed", "cooling": "air"}
NIGHT = (22, 3)
"""Local hours of the cheap tariff."""
TARIFF = [{"price": 0.65}, {"price": 0.35, "hours": "22:00-03:00"}]
CO2 = 0.58


def local(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(ZONE)


def tariff(time_ms: int) -> float:
    return 0.35 if local(time_ms).hour >= NIGHT[0] or local(time_ms).hour < NIGHT[1] else 0.65


class Case:
    """A station, an hour and a half of it in a random delivery, and the twin of it."""

    def __init__(self, seed: int) -> None:
        rng = Random(seed)  # noqa: S311  # a repeatable case, no secret
        edge_ms = EDGES_MS[seed % len(EDGES_MS)]
        readings, devices = sent(rng, edge_ms)
        batches = delivered(rng, readings, devices)
        self.from_ms = edge_ms - 60_000 * rng.randint(1, 50)
        self.to_ms = edge_ms + 60_000 * rng.randint(1, 50)
        reference, flow = rng.choice(["NORMAL", "ANR", "FAD"]), [r for b in batches for r in b]
        change_ms = edge_ms + 60_000 * rng.choice([-10, 0, 10])
        first = {}
        for r in flow:
            if not r["retained"]:
                first[r["kind"], r["device"]] = min(first.get((r["kind"], r["device"]), r["time_ms"]), r["time_ms"])
        moment = datetime.fromtimestamp(change_ms / 1000, UTC).isoformat()
        self.window = window_from(flow, batches, devices, (self.from_ms, self.to_ms), first, {
            "timezone": str(ZONE), "flow_reference": reference, "contract_pressure_bar": [6.3, 7.0],
            "dew_point_max_c": 3, "idle_hours": "22:00-04:00", "receiver_m3": 5, "tariff_per_kwh": TARIFF,
            "co2_kg_per_kwh": CO2,
            "compressors": [{"id": "c1", **RATED}, {"id": "c2", **RATED}], "dryers": [{"id": "d1"}],
            "auxiliaries": [{"id": "x1"}], "air_mains": [{"id": "main"}, {"id": "main2"}],
            "customers": [
                {"id": "x", "baseline_kwh_per_m3": 0.12, "price_per_m3": [
                    {"price": 0.1}, {"price": 0.105, "from": local(edge_ms).date().isoformat()}],
                 "meters": [{"id": "m1", "until": moment}, {"id": "m3", "from": moment}]},
                {"id": "y", "meters": ["m2"], "price_per_m3": 0.2}],
        })
        midnight_ms = int(local(edge_ms).replace(hour=0, minute=0).timestamp()) * 1000
        station = AirStation(
            {d: k for d, k in KINDS.items() if d != "c9" and (
                k not in ("dryer", "auxiliary") or first.get((k, d), self.to_ms) < self.to_ms)},
            {"x": Customer((MeterTime("m1", until_ms=change_ms), MeterTime("m3", from_ms=change_ms)),
                           lambda t: 0.105 if t >= midnight_ms else 0.1, 0.12),
             "y": Customer((MeterTime("m2"),), lambda _t: 0.2)},
            reference, (6.3, 7.0), 3, tariff, CO2,
        )
        self.twin = NaiveAir(station, *naive_fold(flow, devices), (self.from_ms, self.to_ms))


def window_from(
    flow: list[Reading], batches: list[list[Reading]], devices: Mapping[str, Settings], limits: tuple[int, int],
    first: Mapping[tuple[str, str], int], table: Mapping[str, Any],
) -> Window:
    """Return what analytics would answer from, made by the real fold."""
    folding = Folding(flow, devices)
    for batch in batches:
        folding.feed(batch)
    assert folding.too_late == 0
    from_ms, to_ms = limits
    rows = {k: v for k, v in folding.minute_columns().items() if from_ms <= k[1] < to_ms}
    kinds = sorted({KINDS[d] for d, _ in rows})
    runs = [{"device": d, "start_ms": r[0], "start_seq": r[1], "end_ms": r[2], "state": r[3]}
            for d, own in folding.run_list().items() if KINDS[d] == "compressor" for r in own]
    return window_of(
        station_of("compressed_air", **table), 0, from_ms=from_ms, to_ms=to_ms, now_ms=to_ms,
        minutes={k: buckets_of({key: row for key, row in rows.items() if KINDS[key[0]] == k}) for k in kinds},
        runs={"compressor": runs_of(runs)} if runs else {}, first_heard_ms=first,
    )


def check(found: Mapping[str, float | None], expected: Figures) -> None:
    for name, value in expected.items():
        if value is None:
            assert found[name] is None, name
        else:
            assert found[name] == pytest.approx(value, rel=1e-7, abs=1e-7), name


def check_case(seed: int) -> tuple[KpiAnswer, Figures]:
    """Compare the station, its devices and its customers with the twin, and return both."""
    case = Case(seed)
    answer, expected = station_kpis(case.window), case.twin.figures()
    check({**answer.kpis, "coverage": answer.coverage}, expected)
    for row in answer.devices:
        if row.kind == "compressor":
            check(row.kpis, {**case.twin.machine(row.device), **({"grade": None} if row.device == "c9" else {})})
        elif row.kind in ("air_main", "air_meter"):
            check(row.kpis, case.twin.meter(row.device))
    for line in statement_of(case.window).customers:
        check(line.figures, case.twin.customer(line.customer))
    leak, flow = answer.kpis["leak_m3_min"], expected["flow_mean_m3_min"]
    check(answer.kpis, {"leak_share": None if leak is None or not flow else leak / flow})
    parts = [answer.kpis[f"{p}_energy_kwh"] for p in (
        "useful", "leak", "unloaded", "over_pressure", "treatment", "degradation")]
    if None not in parts:
        assert sum(p or 0.0 for p in parts) == pytest.approx(expected["energy_kwh"])
    return answer, expected


@pytest.mark.parametrize("seed", range(0, CASES, 2))
def test_every_figure_is_that_of_the_twin(seed: int) -> None:
    answers, expected = zip(*(check_case(s) for s in (seed, seed + 1)), strict=True)
    coverage, kpis, _ = group_kpis("compressed_air", answers)
    check({**kpis, "coverage": coverage}, group(expected))
