"""Rules about customers and about groups of stations, through the engine over a journal."""

import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive.readings import Reading
from naive.streams import reading

from analytics.air import air_minutes
from analytics.customers import NANO, customer_minutes
from analytics.judge import _sums
from analytics.loading import load_window
from analytics.statement import statement_of
from store.state import StateReader
from telemetry.registry import registry_from_tables

sys.path.insert(0, str(Path(__file__).parent))
from journalled import T0, River, port

MINUTE = 60_000
ISLE: dict[str, Any] = {
    "kind": "compressed_air", "contract_pressure_bar": [6.3, 7.0],
    "customers": [{"id": "plastics", "meters": ["am1", "am2"]}, {"id": "dairy", "name": "Dairy", "meters": ["am3"]}],
}
CUSTOMER_RULE = """
[{name}]
category = "pressure"
severity = "info"
station_kind = "compressed_air"
comparison = "{comparison}"
threshold = {threshold}
min_coverage = {coverage}
summary = {{en = "{{device}} {{value}}", zh = "{{device}} {{value}}"}}
remedy = {{en = "-", zh = "-"}}
input = {{source = "kpi", kpi = "{kpi}", window = "10m", scope = "customer"}}
"""


def meter(device: str, minutes: range, m3_min: float, bar: float) -> list[Reading]:
    """Return a meter that counts evenly, at one pressure, twice a minute."""
    return [
        reading(
            "air_meter", device, T0 + half * MINUTE // 2, values={"volume_m3": half * m3_min / 2, "pressure_bar": bar}
        )
        for half in range(2 * minutes.start, 2 * minutes.stop + 1)
    ]


def river_of(folder: Path, stream: Sequence[Reading], tables: dict[str, Any], rules: str, **how: Any) -> River:
    river = River(folder, stream, **how)
    river.put_registry(tables)
    river.put_rules(rules)
    river.write(sorted(stream, key=lambda r: r["time_ms"]))
    for _ in range(7):
        river.tick()
    river.work()
    river.analytics.commit()
    return river


def transitions(river: River) -> list[tuple[str, str, str | None, str | None, int]]:
    """Return (state, station, device, its kind, minute) of every transition."""
    with sqlite3.connect(river.config.data / "state.db") as db:
        bodies = [msgspec.json.decode(body) for (body,) in db.execute("SELECT body FROM transition ORDER BY n")]
    return [
        (b["state"], b["station"], b["device"], b["device_kind"], (b["time_ms"] - T0) // MINUTE) for b in bodies
    ]


def test_each_customer_is_judged_alone_by_its_volume(tmp_path: Path) -> None:
    """10 m3 in 10 minutes are 1 m3/min: plastics draws 0.6 + 0.6, the dairy 0.9 and from minute 20 on 1.1."""
    stream = meter("am1", range(40), 0.6, 6.5) + meter("am2", range(40), 0.6, 6.5)
    counted = 0.0
    for half in range(81):
        stream.append(reading("air_meter", "am3", T0 + half * MINUTE // 2, values={"volume_m3": counted}))
        counted += 0.45 if half < 40 else 0.55
    rule = CUSTOMER_RULE.format(name="much", comparison=">", threshold=10, coverage=1, kpi="volume_m3")
    river = river_of(tmp_path, stream, {"stations": {"s": ISLE}}, rule)
    # The dairy's ten minutes up to minute 26 hold 4 of 0.9 and 6 of 1.1: the first above 10.
    assert sorted(transitions(river), key=lambda t: t[4]) == [
        ("firing", "s", "plastics", "customer", 10), ("firing", "s", "dairy", "customer", 26),
    ]
    with sqlite3.connect(river.config.data / "state.db") as db:
        texts = {msgspec.json.decode(body)["summary"]["en"] for (body,) in db.execute("SELECT body FROM transition")}
    assert texts == {"plastics 12", "Dairy 10.2"}


@pytest.mark.parametrize(
    ("kpi", "contract", "fired"),
    [
        ("min_below_contract", [6.3, 7.0], ["plastics"]),
        ("min_outside_contract", [6.3, 7.0], ["dairy", "plastics"]),
        ("min_outside_contract", None, []),
    ],
)
def test_pressure_counts_at_the_lowest_of_a_customer_s_meters(
    tmp_path: Path, kpi: str, contract: list[float] | None, fired: list[str]
) -> None:
    stream = meter("am1", range(30), 1, 6.6) + meter("am2", range(30), 1, 6.1) + meter("am3", range(30), 1, 7.2)
    rule = CUSTOMER_RULE.format(name="bad", comparison=">=", threshold=10, coverage=1, kpi=kpi)
    station = {k: v for k, v in {**ISLE, "contract_pressure_bar": contract}.items() if v is not None}
    river = river_of(tmp_path, stream, {"stations": {"s": station}}, rule)
    assert sorted(t[2] or "" for t in transitions(river)) == fired


def test_a_silent_meter_makes_its_customer_unknown_not_small(tmp_path: Path) -> None:
    """A rule on too little air: the dairy's meter falls silent, which is no want of air; plastics has none."""
    stream = meter("am1", range(40), 0.0, 6.5) + meter("am2", range(40), 0.0, 6.5) + meter("am3", range(10), 2, 6.5)
    rule = CUSTOMER_RULE.format(name="little", comparison="<", threshold=1, coverage=0.9, kpi="volume_m3")
    river = river_of(tmp_path, stream, {"stations": {"s": ISLE}}, rule)
    assert [t[2] for t in transitions(river) if t[3] == "customer"] == ["plastics"]


def test_volumes_of_minutes_add_up_to_the_statement(tmp_path: Path) -> None:
    stream = meter("am1", range(40), 0.6, 6.5) + meter("am2", range(5, 35), 0.7, 6.5) + meter("am3", range(40), 2, 6.1)
    river = river_of(tmp_path, stream, {"stations": {"s": ISLE}}, "")
    registry = registry_from_tables({"stations": {"s": ISLE}}, "test")
    reader = StateReader.open(river.config.data / "state.db")
    window = load_window(reader, registry, "s", T0, T0 + 40 * MINUTE, now_ms=T0 + 40 * MINUTE)
    air = air_minutes(window)
    found = {
        customer.id: customer_minutes(air, rows, "volume_m3")[0].sum() / NANO
        for customer, rows in air.customers
    }
    lines = {line.customer: line.figures["volume_m3"] for line in statement_of(window).customers}
    assert found["dairy"] == pytest.approx(lines["dairy"])
    # A minute in which one of two meters is unknown counts as unknown: 30 of 40 minutes.
    assert found["plastics"] == pytest.approx(30 * (0.6 + 0.7))


@given(
    st.lists(st.tuples(st.integers(0, 29), st.integers(-50, 50)), unique_by=lambda r: r[0], max_size=30),
    st.integers(1, 12),
)
def test_sums_over_a_moving_window_are_those_of_a_loop(rows: list[tuple[int, int]], width: int) -> None:
    window = type("W", (), {"from_ms": T0, "to_ms": T0 + 30 * MINUTE})
    rows = sorted(rows)
    times = np.array([T0 + m * MINUTE for m, _ in rows], np.int64)
    found = list(_sums(window, times, width * MINUTE, np.array([v for _, v in rows], np.int64)))  # type: ignore[arg-type]
    assert found == [
        (T0 + end * MINUTE, sum(v for m, v in rows if end - width <= m < end)) for end in range(width + 1, 31)
    ]


GROUP_RULE = """
[full]
category = "availability"
severity = "info"
station_kind = "charging"
comparison = ">"
threshold = 0.5
min_coverage = 0.9
summary = {en = "{station} {value_pct}", zh = "{station} {value_pct}"}
remedy = {en = "-", zh = "-"}
input = {source = "kpi", kpi = "occupied_utilisation", window = "30m", scope = "group"}
"""
TOWN: dict[str, Any] = {
    "stations": {
        "north": {"kind": "charging", "groups": ["town"], "ports": [{"id": "n1"}]},
        "south": {"kind": "charging", "groups": ["town"], "ports": [{"id": "s1"}, {"id": "s2"}]},
        "isle": {"kind": "compressed_air", "groups": ["town"]},
    },
    "groups": {"town": {"name": "Old town"}},
}
AT = {"n1": "north", "s1": "south", "s2": "south"}
QUARTER = -(-T0 // 900_000) * 900_000
"""The first quarter of an hour."""


def busy(device: str, changes: dict[int, str], minutes: int = 120) -> list[Reading]:
    """Return a port that says its state each minute; `changes`: minute after `QUARTER` -> state from there on."""
    out, state = [], "Available"
    for m in range(minutes + 1):
        state = changes.get(m, state)
        out.append(port(device, (QUARTER - T0) / 1000 + 60 * m, state))
    return out


def day() -> list[Reading]:
    """Return three ports, of which two are occupied from minute 40 to minute 80: never more than 2/3."""
    busy_ports = [busy(d, {40: "Charging", 80: "Available"}) for d in ("n1", "s1")]
    return [r for one in [*busy_ports, busy("s2", {})] for r in one]


def test_a_group_is_judged_by_sums_over_its_stations(tmp_path: Path) -> None:
    river = river_of(tmp_path, day(), TOWN, GROUP_RULE, stations=AT)
    offset = (QUARTER - T0) // MINUTE
    # Occupied in the half hour before minute 60: 20 of 30 minutes at two of three ports, 0.44; before 75: all, 0.67.
    assert transitions(river) == [
        ("firing", "_group-town", None, None, offset + 75), ("resolved", "_group-town", None, None, offset + 90),
    ]
    with sqlite3.connect(river.config.data / "state.db") as db:
        body = msgspec.json.decode(db.execute("SELECT body FROM transition ORDER BY n").fetchone()[0])
    assert body["summary"]["en"] == "Old town 66.7"
    assert body["evidence"]["stations"] == ["north", "south"]
    assert len(river.rows("alert")) == 2


def test_the_same_alerts_whatever_the_pieces_the_order_and_the_kills(tmp_path: Path) -> None:
    told = []
    stream = sorted(day(), key=lambda r: r["time_ms"])
    for name, order, step in (
        ("calm", stream, 10_000), ("killed", stream, 3), ("apart", sorted(stream, key=lambda r: r["device"]), 5),
    ):
        river = River(tmp_path / name, stream, stations=AT)
        river.put_registry(TOWN)
        river.put_rules(GROUP_RULE)
        river.live_through(order, step, kills=name == "killed")
        told.append(transitions(river))
    assert told[0] == told[1] == told[2]
    assert [t[0] for t in told[0]] == ["firing", "resolved"]


def test_a_station_never_heard_leaves_its_group_unknown(tmp_path: Path) -> None:
    stations = {**TOWN["stations"], "west": {"kind": "charging", "groups": ["town"], "ports": [{"id": "w1"}]}}
    river = river_of(tmp_path, day(), {**TOWN, "stations": stations}, GROUP_RULE, stations=AT)
    assert transitions(river) == []


def test_a_group_that_is_gone_ends_its_alerts_and_a_new_one_looks_forward_only(tmp_path: Path) -> None:
    stream = [r for one in (busy("n1", {0: "Charging"}), busy("s1", {0: "Charging"}), busy("s2", {})) for r in one]
    river = river_of(tmp_path, stream, TOWN, GROUP_RULE, stations=AT)
    assert [t[0] for t in transitions(river)] == ["firing"]
    plain = {name: {**table, "groups": []} for name, table in TOWN["stations"].items()}
    river.put_registry({"stations": plain})
    river.tick()
    river.work()
    assert [t[0] for t in transitions(river)] == ["firing", "resolved"]
    river.put_registry({"stations": {n: {**t, "groups": ["village"]} for n, t in TOWN["stations"].items()}})
    for _ in range(7):
        river.tick()
    river.work()
    assert len(transitions(river)) == 2, "what was before it was made is not judged"


def test_a_group_has_numbers_of_its_own(tmp_path: Path) -> None:
    tables = {**TOWN, "groups": {"town": {"rules": {"full": {"threshold": 0.7}}}}}
    assert transitions(river_of(tmp_path / "a", day(), tables, GROUP_RULE, stations=AT)) == []
    tables["groups"] = {"town": {"rules": {"full": {"threshold": "much"}}}}
    river = river_of(tmp_path / "b", day(), tables, GROUP_RULE, stations=AT)
    assert len(transitions(river)) == 2, "a wrong number is told, and the rule's own holds"
    assert "[groups.town.rules.full]" in river.analytics.engine.alerts.problems["_group-town"]
