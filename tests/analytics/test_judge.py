"""Rules on detectors, fields of minutes and figures of devices: samples where the condition turns."""

import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from journalled import T0, River, port

from analytics import judge as module
from analytics.alerts import Alerts
from analytics.detectors import Detector, Signal
from analytics.judge import judge
from analytics.rules.load import RulePack
from analytics.rules.types import DetectorInput, Rule, Texts
from analytics.window import Window
from telemetry.registry import registry_from_tables
from telemetry.times import MINUTE_MS

REGISTRY = registry_from_tables({"stations": {"s": {"kind": "charging", "rules": {}}}}, "test")
TEXTS = Texts(en="{device}", zh="{device}")
NAN = float("nan")


def rule(**fields: Any) -> Rule:
    return Rule(**{
        "name": "hot", "category": "fault", "severity": "warning", "station_kind": "charging", "comparison": ">",
        "threshold": 80.0, "input": DetectorInput(detector="heat"), "summary": TEXTS, "remedy": TEXTS, **fields,
    })


def alerts_of(found: Rule) -> Alerts:
    return Alerts(RulePack({}, {"hot": found}), REGISTRY)


@pytest.fixture
def values(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[float]]:
    """Values of each device, one per minute from T0 on; tests fill them."""
    values: dict[str, list[float]] = {}

    def find(_window: Window, from_ms: int, to_ms: int) -> Signal:
        rows = [
            (i, T0 + MINUTE_MS * (m + 1), v)
            for i, series in enumerate(values.values())
            for m, v in enumerate(series) if from_ms < T0 + MINUTE_MS * (m + 1) <= to_ms
        ]
        columns = np.array(rows, np.float64).reshape(-1, 3).T

        def explain(row: int) -> Mapping[str, Any]:
            return {"temperature_c": columns[2][row]}

        return Signal("port", tuple(values), columns[0].astype(np.int64), columns[1].astype(np.int64), columns[2],
                      np.ones(len(rows)), explain)

    monkeypatch.setattr(module, "DETECTORS", {"heat": Detector(find, lookback_ms=10 * MINUTE_MS)})
    return values


def run(alerts: Alerts, minutes: int, step: int) -> list[tuple[str, str | None, int, float | None]]:
    asked = []

    def load(from_ms: int, to_ms: int, *, extremes: bool = False, runs_from_ms: int | None = None,
             columns: tuple[str, ...] = ()) -> Any:
        assert runs_from_ms == from_ms
        assert columns == ()
        asked.append((from_ms, to_ms, extremes))

    for m in range(0, minutes, step):
        judge(alerts, REGISTRY.station("s"), "s", load, T0 + m * MINUTE_MS, T0 + (m + step) * MINUTE_MS)
    assert asked[0] == (T0 - 10 * MINUTE_MS, T0 + step * MINUTE_MS, False)
    return [(t.type, t.device, (t.time_ms - T0) // MINUTE_MS, t.value) for t in alerts.take_transitions()]


@pytest.mark.parametrize("step", [1, 2, 4, 12])
def test_pieces_of_any_length_tell_the_same(values: dict[str, list[float]], step: int) -> None:
    values["a"] = [70, 90, 91, 92, 60, 60, 60, 95, 70, 70, 70, 70]
    values["b"] = [90] * 12
    told = run(alerts_of(rule(for_="2m")), 12, step)
    assert sorted(told, key=lambda t: (t[2], t[1])) == [
        ("alert.firing", "b", 3, 90.0), ("alert.firing", "a", 4, 90.0), ("alert.resolved", "a", 5, 60.0),
    ]


def test_what_is_unknown_neither_fires_nor_resolves(values: dict[str, list[float]]) -> None:
    values["a"] = [90, NAN, NAN, 90, NAN, 70]
    assert run(alerts_of(rule()), 6, 6) == [("alert.firing", "a", 1, 90.0), ("alert.resolved", "a", 6, 70.0)]


def test_evidence_is_that_of_the_turn_and_updates_follow_the_value(values: dict[str, list[float]]) -> None:
    values["a"] = [81, 85, 110, 110, 70]
    alerts = alerts_of(rule(update_share=0.25))
    assert run(alerts, 5, 5) == [
        ("alert.firing", "a", 1, 81.0), ("alert.updated", "a", 3, 110.0), ("alert.resolved", "a", 5, 70.0),
    ]


def test_a_field_of_the_minutes_and_a_figure_of_each_device_are_judged(tmp_path: Path) -> None:
    rules = """
[hot]
category = "fault"
severity = "warning"
station_kind = "charging"
comparison = ">"
threshold = 80
clear_threshold = 70
labels = {team = "thermal"}
summary = {en = "{device}", zh = "{device}"}
remedy = {en = "cool", zh = "降温"}
[hot.input]
source = "bucket"
device_kinds = ["port"]
field = "temperature_c_max"
[busy]
category = "availability"
severity = "info"
station_kind = "charging"
comparison = ">="
threshold = 1
summary = {en = "{device}", zh = "{device}"}
remedy = {en = "wait", zh = "等待"}
[busy.input]
source = "kpi"
kpi = "occupied_utilisation"
window = "5m"
scope = "device"
"""
    stream = [
        port("p1", 60 * m, "Charging" if 10 <= m < 20 else "Available", temperature_c=t)
        for m, t in enumerate([60, 60, 81, 75, 75, 60, 60, *[60] * 23])
    ] + [port("p2", 60 * m, "Available", temperature_c=85 if m == 40 else 20) for m in range(30)]
    river = River(tmp_path, stream)
    river.put_rules(rules)
    river.write(stream)
    for _ in range(7):
        river.tick()
    river.work()
    told = [(rule, state, (t - T0) // MINUTE_MS) for rule, state, t in river.told()]
    assert told == [
        # Of minute 2, whose end is 3; 75 is between the limits; minute 5 is below both.
        ("hot", "firing", 3), ("hot", "resolved", 6), ("busy", "firing", 15), ("busy", "resolved", 21),
    ]
    (body,) = river.db().execute("SELECT body FROM transition ORDER BY n LIMIT 1").fetchone()
    first = msgspec.json.decode(body)
    assert (first["device"], first["labels"], first["evidence"]["temperature_c_max"]) == ("p1", {"team": "thermal"}, 81)


@pytest.mark.parametrize("cuts", [range(1, 90), (), (9,), (9, 40, 56), (5, 35)])
def test_readings_at_any_speed_tell_the_same(tmp_path: Path, cuts: Sequence[int]) -> None:
    """However far the readings of one tick reach, a rule on minutes waits for them."""
    rules = """
[hot]
category = "fault"
severity = "warning"
station_kind = "charging"
comparison = ">"
threshold = 40
for = "2m"
keep_firing_for = "15m"
summary = {en = "{device}", zh = "{device}"}
remedy = {en = "cool", zh = "降温"}
[hot.input]
source = "bucket"
device_kinds = ["port"]
field = "temperature_c_max"
"""
    hot = {3, 4, 5, 6, 12, 30, 50, 51, 52, 53}
    stream = [port("p1", 60 * m, "Available", temperature_c=50 if m in hot else 20) for m in range(90)]
    river = River(tmp_path, stream)
    river.put_rules(rules)
    for since, until in pairwise([0, *cuts, len(stream)]):
        river.write(stream[since:until])
        for _ in range(7):  # then time comes up to the newest reading
            river.tick()
        river.work()
    told = [(rule, state, (t - T0) // MINUTE_MS) for rule, state, t in river.told()]
    # Minute 12 keeps the first alert; minute 30 alone is too short for another.
    assert told == [("hot", "firing", 6), ("hot", "resolved", 29), ("hot", "firing", 53), ("hot", "resolved", 70)]
