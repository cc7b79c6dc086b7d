"""A year of registers through the whole river: what sharing a station saves, customer by customer, month by month.

Two stations of their own used 2,246,400 kWh for 18 million m3 and 3,088,800 kWh for 22 million; the one that they
share uses 3,693,600 kWh for all 40 million.
"""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import accumulate
from pathlib import Path

import pytest
from river.stack import Json, Stack, stack

from simulators.message import Message, telemetry_topic
from telemetry.times import to_ms

pytestmark = [pytest.mark.server, pytest.mark.slow]

STEP = timedelta(hours=12)
FIRST = datetime(2024, 12, 31, 16, tzinfo=UTC)
"""Midnight of 2025-01-01 in Shanghai."""
STEPS = 365 * 2
ALONE = {"a": (18e6, 2_246_400.0), "b": (22e6, 3_088_800.0)}
"""Station -> m3 and kWh of the year."""
SHARED_KWH = 3_693_600.0
MONTHS = [f"2025-{m:02d}" for m in range(1, 13)]

STATIONS = """
offline_after_s = 50000
[stations.a]
kind = "compressed_air"
timezone = "Asia/Shanghai"
groups = ["alone"]
compressors = [{ id = "c1" }]
air_mains = [{ id = "main" }]
[stations.b]
kind = "compressed_air"
timezone = "Asia/Shanghai"
groups = ["alone"]
compressors = [{ id = "c1" }]
air_mains = [{ id = "main" }]
[stations.shared]
kind = "compressed_air"
timezone = "Asia/Shanghai"
currency = "CNY"
tariff_per_kwh = 0.65
co2_kg_per_kwh = 0.58
compressors = [{ id = "c1" }]
air_mains = [{ id = "main" }]
[[stations.shared.customers]]
id = "a"
price_per_m3 = [{ price = 0.1 }, { price = 0.105, from = 2025-07-01 }]
baseline_kwh_per_m3 = 0.1248
meters = [{ id = "am1", until = 2025-04-01 }, { id = "am3", from = 2025-04-01 }]
[[stations.shared.customers]]
id = "b"
price_per_m3 = 0.105
baseline_kwh_per_m3 = 0.1404
meters = ["am2"]
"""


_WEIGHT = [(3 if i % 2 else 1) * (0.3 if i // 2 % 7 == 4 else 1) for i in range(STEPS)]
"""Days of more work than nights, and Sundays of less."""
STEP_PART = [w / sum(_WEIGHT) for w in _WEIGHT]
"""Part of the year's air that flows in each half day, midnight and noon."""
PART = [0.0, *accumulate(STEP_PART)]
LATE = 334 * 2
"""The step at midnight of 1 December, which the meter of `b` sends when November has been issued."""


def register(i: int, channel: str, amount: float) -> dict[str, float]:
    return {"ts": to_ms(FIRST + i * STEP), channel: round(1000 + amount * PART[i], 6)}


def backlog() -> Message:
    row = register(LATE, "volume_m3", 22e6)
    return Message(int(row["ts"]), telemetry_topic("shared", "air_meter", "am2"), json.dumps([row]).encode())


def messages(begin: int = 0) -> Iterator[Message]:
    """Yield the registers of a year: kWh, and m3 of mains and customers' meters, one array per device and month.

    From a later step on: those of the shared station alone, but not what `backlog` brings.
    """
    amounts: list[tuple[str, str, str, str, float]] = []
    for station, (volume_m3, energy_kwh) in ALONE.items():
        amounts += [(station, "compressor", "c1", "energy_kwh", energy_kwh),
                    (station, "air_main", "main", "volume_m3", volume_m3)]
    amounts += [("shared", "compressor", "c1", "energy_kwh", SHARED_KWH),
                ("shared", "air_main", "main", "volume_m3", 40e6),
                ("shared", "air_meter", "am1", "volume_m3", 18e6), ("shared", "air_meter", "am2", "volume_m3", 22e6),
                ("shared", "air_meter", "am3", "volume_m3", 18e6)]
    for first in range(begin, STEPS + 1, 60):
        for station, kind, device, channel, amount in amounts:
            if begin and station != "shared":
                continue
            steps = range(first, min(first + 60, STEPS + 1))
            rows = [register(i, channel, amount) for i in steps if not begin or device != "am2" or i != LATE]
            yield Message(int(rows[-1]["ts"]), telemetry_topic(station, kind, device), json.dumps(rows).encode())


@pytest.fixture(scope="module")
def river(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    yield from _running(tmp_path_factory.mktemp("year"), 0)


@pytest.fixture(scope="module")
def two_months(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    yield from _running(tmp_path_factory.mktemp("months"), 304 * 2)


def _running(folder: Path, begin: int) -> Iterator[Stack]:
    with stack(folder, stations=STATIONS) as made:
        made.publish(messages(begin))
        made.wait_drained()
        yield made
        made.report()


def year(river: Stack, path: str) -> Json:
    found: Json = river.get(path, from_=to_ms(FIRST), to=to_ms(FIRST + STEPS * STEP))
    return found


def of(statement: Json, customer: str) -> Json:
    (found,) = (c for c in statement["customers"] if c["customer"] == customer)
    return dict(found)


def test_the_ratio_before_and_after_sharing(river: Stack) -> None:
    ratios = {name: year(river, f"stations/{name}/kpis")["kpis"]["kwh_per_m3"] for name in ("a", "b", "shared")}
    assert ratios == pytest.approx({"a": 0.1248, "b": 0.1404, "shared": 0.09234}, rel=1e-9)
    together = year(river, "groups/alone/kpis")["kpis"]
    assert together["kwh_per_m3"] == pytest.approx(5_335_200 / 40e6, rel=1e-9)
    saved = year(river, "stations/shared/kpis")["kpis"]
    assert saved["savings_kwh"] == pytest.approx(1_641_600, rel=1e-9)
    assert saved["savings_kwh"] / 5_335_200 == pytest.approx(0.308, abs=5e-4)


def test_the_statements_of_the_year_add_up(river: Stack) -> None:
    found = [river.get("stations/shared/statement", month=month) for month in MONTHS]
    for customer, volume_m3, savings_kwh in (("a", 18e6, 584_280), ("b", 22e6, 1_057_320)):
        lines = [of(s, customer) for s in found]
        assert sum(line["volume_m3"] for line in lines) == pytest.approx(volume_m3, rel=1e-9)
        assert sum(line["savings_kwh"] for line in lines) == pytest.approx(savings_kwh, rel=1e-9)
        assert sum(line["savings_money"] for line in lines) == pytest.approx(0.65 * savings_kwh, rel=1e-9)
    assert sum(s["totals"]["energy_kwh"] for s in found) == pytest.approx(SHARED_KWH, rel=1e-9)
    assert [of(s, "a")["price_per_m3"] for s in found] == [0.1] * 6 + [0.105] * 6
    assert {of(s, "a")["coverage"] for s in found} == {1.0}
    assert {of(s, "a")["flow_reference"] for s in found} == {"ANR"}
    assert [[m["id"] for m in of(s, "a")["meters"] if m["volume_m3"]] for s in found] == [["am1"]] * 3 + [["am3"]] * 9


def test_a_backlog_after_issuing_is_corrected_in_the_next_month(two_months: Stack) -> None:
    river = two_months
    draft = river.get("stations/shared/statement", month="2025-11")
    issue = partial(river.client.post, "/api/v1/stations/shared/statement", json={})
    first = issue(params={"month": "2025-11"})
    assert (first.status_code, first.json()["version"]) == (201, 1)
    november = first.json()
    assert {**november, "issued": None, "version": 0} == draft
    assert issue(params={"month": "2025-11"}).json() == november

    river.publish([backlog()])
    river.wait_drained()
    assert river.get("stations/shared/statement", month="2025-11") == november
    december = river.get("stations/shared/statement", month="2025-12")
    (line,) = of(december, "b")["corrections"]
    # The afternoon of 30 November and the morning of 1 December had been spread evenly.
    assert line["month"] == "2025-11"
    assert line["volume_m3"] == pytest.approx(22e6 * (STEP_PART[LATE - 1] - STEP_PART[LATE]) / 2, rel=1e-6)
    assert line["amount"] == pytest.approx(line["volume_m3"] * 0.105)
    assert of(december, "b")["amount_due"] == pytest.approx(of(december, "b")["amount"] + line["amount"])
    rows = list(csv.DictReader(io.StringIO(river.client.get(
        "/api/v1/stations/shared/statement", params={"month": "2025-12", "format": "csv"}).text)))
    assert [(r["line"], r["month"], r["customer"]) for r in rows if r["customer"] == "b"] == [
        ("air", "2025-12", "b"), ("correction", "2025-11", "b")
    ]
