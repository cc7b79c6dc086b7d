import json
from collections import Counter

import numpy as np
import pytest

from simulators.faults import Fault
from simulators.way import Way
from telemetry.times import parse_time

START = parse_time("2026-03-05T10:00:00Z")


def _sent(kind, count=200, **changes):
    """Return the messages of a device that reports each second, disturbed from second 50 to 150."""
    way = Way("isle", "compressor", "c1")
    way.add(Fault(kind=kind, station="isle", at="50s", lasts="100s", **changes), np.random.default_rng(1))
    found = [m for k in range(count) for m in way.send(START + 1000 * k, 1000 * k, {"k": k})]
    return sorted(found, key=lambda m: m.time_ms)


def _numbers(messages):
    return [json.loads(m.payload)["k"] for m in messages]


def test_silence_loses_what_it_covers():
    assert _numbers(_sent("silence")) == [*range(50), *range(150, 200)]


def test_a_backlog_comes_whole_and_first_when_the_device_is_back():
    messages = _sent("backlog")
    assert len(messages) == 101
    late = json.loads(messages[50].payload)
    assert [element["k"] for element in late] == list(range(50, 150))
    assert [element["ts"] for element in late] == [START + 1000 * k for k in range(50, 150)]
    assert messages[50].time_ms == START + 150_000


def test_a_gateway_says_good_bye_and_comes_back():
    messages = _sent("gateway_restart")
    assert [(m.topic, m.payload, m.time_ms) for m in messages if m.topic.endswith("online")] == [
        ("voltair/v1/isle/compressor/c1/online", b"0", START + 50_000),
        ("voltair/v1/isle/compressor/c1/online", b"1", START + 150_000),
    ]
    assert len(messages) == 102


def test_loss_takes_its_share():
    kept = _numbers(_sent("loss", size=0.3))
    assert 60 <= sum(50 <= k < 150 for k in kept) <= 80
    assert kept == sorted(kept)


def test_duplicates_add_their_share_and_nothing_else():
    counts = Counter(_numbers(_sent("duplicates", size=0.3)))
    assert set(counts) == set(range(200))
    assert 20 <= sum(n == 2 for n in counts.values()) <= 40


def test_reordered_messages_all_come_each_with_its_own_time():
    messages = _sent("reorder")
    assert sorted(_numbers(messages)) == list(range(200))
    assert _numbers(messages) != list(range(200))
    assert all(json.loads(m.payload)["ts"] == START + 1000 * json.loads(m.payload)["k"] for m in messages)
    assert all(m.time_ms - json.loads(m.payload)["ts"] <= 30_000 for m in messages)


def test_a_delay_keeps_the_order():
    messages = _sent("delay", count=140)
    assert _numbers(messages) == list(range(140))
    assert messages[-1].time_ms - json.loads(messages[-1].payload)["ts"] == 20_000


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [("clock_skew", -120_000), ("clock_swap", parse_time("2026-05-03T10:00:00Z") - START)],
)
def test_a_wrong_clock_changes_the_time_alone(kind, wrong):
    messages = _sent(kind)
    off = [json.loads(m.payload)["ts"] - m.time_ms for m in messages]
    assert off == [0] * 50 + [wrong] * 100 + [0] * 50


def _is_reading(message):
    try:
        return isinstance(json.loads(message.payload), dict)
    except ValueError:
        return False


def test_damage_concerns_its_share_and_leaves_the_others_whole():
    messages = _sent("malformed", size=0.5)
    assert len(messages) == 200
    damaged = [k for k, message in enumerate(messages) if not _is_reading(message)]
    assert 30 <= len(damaged) <= 70
    assert all(50 <= k < 150 for k in damaged)
