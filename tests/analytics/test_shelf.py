"""The fast fold against its naive twin: any batches, any order within 15 minutes, anything twice."""

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from naive.fold import naive_fold
from naive.readings import Reading
from naive.streams import Stream, deliveries, reading, streams

from analytics import heads, kept, shelf

sys.path.insert(0, str(Path(__file__).parent))
from folding import Folding

T0 = 1_732_240_020_000
Runs = dict[str, list[tuple[object, ...]]]
# Shrinking a stream takes minutes; the seed that fails is printed and can be shrunk by hand.
SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


def wanted(batches: list[list[Reading]], stream: Stream) -> tuple[dict[tuple[str, int], dict[str, int]], Runs]:
    minutes, runs = naive_fold([r for batch in batches for r in batch], stream.devices)
    return minutes, {device: [tuple(r) for r in found] for device, found in runs.items()}


def differences(
    found: dict[tuple[str, int], dict[str, int]], wanted: dict[tuple[str, int], dict[str, int]]
) -> list[tuple[object, ...]]:
    """Return (device, minute, column, found, wanted) of every column that differs."""
    return [
        (*key, column, found.get(key, {}).get(column), wanted.get(key, {}).get(column))
        for key in sorted(found.keys() | wanted.keys())
        for column in sorted(found.get(key, {}).keys() | wanted.get(key, {}).keys())
        if found.get(key, {}).get(column) != wanted.get(key, {}).get(column)
    ]


@SETTINGS
@given(streams())
def test_one_batch_equals_the_naive_twin(stream: Stream) -> None:
    folding = Folding(stream.readings, stream.devices)
    folding.feed(stream.readings)
    minutes, runs = wanted([stream.readings], stream)
    assert not differences(folding.minute_columns(), minutes)
    assert folding.run_list() == runs


@SETTINGS
@given(st.data(), streams())
def test_any_delivery_equals_the_naive_twin(data: st.DataObject, stream: Stream) -> None:
    folding = Folding(stream.readings, stream.devices)
    batches = data.draw(deliveries(stream))
    for batch in batches:
        folding.feed(batch)
        if data.draw(st.booleans()):
            folding.compact()
    minutes, runs = wanted(batches, stream)
    assert folding.too_late == 0
    assert not differences(folding.minute_columns(), minutes)
    assert folding.run_list() == runs


@SETTINGS
@given(st.data(), streams())
def test_any_order_of_joining_and_forgetting_layers_equals_the_naive_twin(data: st.DataObject, stream: Stream) -> None:
    folding = Folding(stream.readings, stream.devices)
    batches = data.draw(deliveries(stream))
    times = [r["time_ms"] for r in stream.readings]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept, "SMALL_LAYERS", 2)
        patch.setattr(kept, "LAYER_ROWS", 8)
        patch.setattr(shelf, "LAYER_ROWS", 4)
        patch.setattr(heads, "PARTS", data.draw(st.integers(1, 3)))
        patch.setattr(heads, "ROWS", data.draw(st.integers(0, 6)))
        for batch in batches:
            folding.feed(batch)
            match data.draw(st.sampled_from(["nothing", "tidy", "save", "forget"])):
                case "tidy" | "save" as what:
                    folding.tidy(saved=what == "save")
                case "forget":
                    folding.compact(data.draw(st.sampled_from(times)) - data.draw(st.integers(0, 900_000)))
    minutes, runs = wanted(batches, stream)
    assert folding.too_late == 0
    assert not differences(folding.minute_columns(), minutes)
    assert folding.run_list() == runs


def test_connectors_that_speak_in_the_same_millisecond_fold_alike_in_either_order() -> None:
    def one(time_ms: int, connector: str, status: str, energy_kwh: float) -> Reading:
        return reading("port", "p", T0 + time_ms, seq=5, values={"energy_kwh": energy_kwh},
                       codes={"connector": connector, "status": status})

    there = [one(0, "2", "Available", 10.0), one(0, "1", "Charging", 4.0)]
    # The vehicle of one leaves as the other's begins: free in between, by name of the connector.
    swap = [one(30_000, "2", "Charging", 10.0), one(30_000, "1", "Available", 4.5)]
    back = [one(50_000, "2", "Available", 10.7), one(50_000, "1", "Available", 4.5)]
    naive_minutes, naive_runs = naive_fold([*there, *swap, *back], {})
    for readings in ([*there, *swap, *back], [*there[::-1], *swap[::-1], *back[::-1]]):
        for batches in ([readings], [[r] for r in readings]):
            folding = Folding(readings, {})
            for batch in batches:
                folding.feed(batch)
            assert folding.minute_columns() == naive_minutes
            assert folding.run_list() == {"p": [tuple(r) for r in naive_runs["p"]]}


def test_a_backlog_that_comes_again_after_days_counts_once() -> None:
    hour_ms, minute_ms = 3_600_000, 60_000

    def port(time_ms: int, status: str) -> Reading:
        return reading("port", "p", T0 + time_ms, values={}, codes={"status": status})

    live = [port(0, "Available"), *(port(5 * hour_ms + i * minute_ms, "Available") for i in range(48 * 60))]
    backlog = [port(i * minute_ms, "Charging") for i in range(1, 300) if not 100 < i < 130]
    rest = [port(i * minute_ms, "Charging") for i in range(101, 130)]
    folding = Folding([*live, *backlog, *rest], {})
    for batch in (live, backlog, backlog, rest):
        folding.feed(batch)
        folding.compact()
    assert folding.too_late == 0
    assert folding.minute_columns() == naive_fold([*live, *backlog, *rest], {})[0]
