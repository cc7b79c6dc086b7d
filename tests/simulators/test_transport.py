import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.message import telemetry, telemetry_topic
from simulators.transport import Disturbance, disturb, parse_disturbance
from telemetry.errors import ConfigError

START = 1_700_000_000_000
TOPICS = [telemetry_topic(s, "port", d) for s in ("harbour", "depot") for d in ("p1", "p2")]


def stream(count=1000, step_ms=1000):
    return [telemetry(TOPICS[k % 4], START + k * step_ms, {"power_kw": 1.5, "seq": k}) for k in range(count)]


def seqs(messages, topic=None):
    return [json.loads(m.payload)["seq"] for m in messages if topic in (None, m.topic)]


def apply(messages, *texts, seed=1):
    return list(disturb(messages, [parse_disturbance(t) for t in texts], seed))


ANY = st.builds(
    Disturbance,
    kind=st.sampled_from(["duplicate", "delay", "reorder", "offline", "skew"]),
    share=st.floats(0, 1), seconds=st.floats(0, 600),
    device=st.sampled_from(["", "p1"]), at=st.just("30s"), lasts=st.just("60s"), every=st.sampled_from(["", "100s"]),
)  # fmt: skip


@given(st.lists(ANY, max_size=3), st.integers(0, 9))
def test_nothing_is_lost_that_is_only_disturbed_and_what_leaves_is_in_order_of_time(disturbances, seed):
    sent = stream(200)
    left = list(disturb(sent, disturbances, seed))
    assert set(seqs(left)) == set(range(200))
    assert [m.time_ms for m in left] == sorted(m.time_ms for m in left)
    times = {k: m.time_ms for k, m in enumerate(sent)}
    assert all(m.time_ms >= times[json.loads(m.payload)["seq"]] for m in left)
    assert left == list(disturb(iter(sent), disturbances, seed))


def test_without_disturbances_nothing_changes():
    assert apply(stream()) == stream()
    assert list(disturb([], [Disturbance(kind="loss")], 1)) == []


def test_loss_takes_its_share_and_another_seed_takes_others():
    one, two = apply(stream(10_000), "loss,share=0.1"), apply(stream(10_000), "loss,share=0.1", seed=2)
    assert 8_900 < len(one) < 9_100
    assert set(one) < set(stream(10_000))
    assert one != two


def test_adding_a_disturbance_leaves_the_chance_of_the_others():
    alone = apply(stream(), "loss,share=0.2")
    assert apply(stream(), "loss,share=0.2", "skew,seconds=0") == alone


def test_duplicates_are_the_same_bytes_later():
    left = apply(stream(100), "duplicate,share=0.5,seconds=7")
    twice = [p for p, n in Counter(m.payload for m in left).items() if n == 2]
    assert 30 < len(twice) < 70
    assert len(left) == 100 + len(twice)
    for payload in twice:
        first, second = [m.time_ms for m in left if m.payload == payload]
        assert second - first == 7000


def test_delay_keeps_the_order_of_a_device_and_reordering_does_not():
    late = apply(stream(), "delay,share=0.3,seconds=60")
    mixed = apply(stream(), "reorder,share=0.3,seconds=60")
    for topic in TOPICS:
        assert seqs(late, topic) == sorted(seqs(late, topic))
        assert seqs(mixed, topic) != sorted(seqs(mixed, topic))
    assert seqs(late) != sorted(seqs(late))
    assert max(m.time_ms - json.loads(m.payload)["ts"] for m in mixed) in range(50_000, 60_001)


def test_offline_hours_come_later_as_a_backlog_in_order():
    left = apply(stream(7200), "offline,station=harbour,at=10m,lasts=20m,every=1h")
    for topic in TOPICS:
        assert seqs(left, topic) == sorted(seqs(left, topic))
        assert len(seqs(left, topic)) == 1800
    harbour = [m for m in left if "/harbour/" in m.topic]
    minutes = Counter((m.time_ms - START) // 60_000 for m in harbour)
    assert not any(minutes[m] for k in (0, 60) for m in range(k + 10, k + 30))
    assert minutes[30] == minutes[90] == 600 + 30
    assert [m for m in left if "/depot/" in m.topic] == [m for m in stream(7200) if "/depot/" in m.topic]
    assert all(json.loads(m.payload)["ts"] == START + 1000 * json.loads(m.payload)["seq"] for m in left)


def test_a_wrong_clock_moves_what_the_device_says_not_when_it_says_it():
    left = apply(stream(100), "skew,device=p1,seconds=-90,at=50s")
    for message, before in zip(left, stream(100), strict=True):
        assert (message.time_ms, message.topic) == (before.time_ms, before.topic)
        wrong = before.time_ms >= START + 50_000 and "/p1/" in before.topic
        assert json.loads(message.payload)["ts"] == before.time_ms - 90_000 * wrong


def test_firmware_that_changes_units():
    left = apply(stream(100), "units,channel=power_kw,station=depot,at=20s")
    assert {json.loads(m.payload)["power_kw"] for m in left if "/depot/" in m.topic and m.time_ms >= START + 20_000} == {1500.0}  # noqa: E501
    assert Counter(json.loads(m.payload)["power_kw"] for m in left) == {1.5: 60, 1500.0: 40}


def test_malformed_payloads_cannot_be_read():
    left = apply(stream(), "malformed,share=0.1")
    changed = [a for a, b in zip(left, stream(), strict=True) if a != b]
    assert 60 < len(changed) < 140
    for message in changed:
        with pytest.raises(ValueError):  # noqa: PT011 - of UTF-8 or of JSON
            json.loads(message.payload)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("los", "loss,share"),
        ("loss,share=2", "0 to 1"),
        ("loss,share=many", "share"),
        ("loss,colour=red", "colour"),
        ("offline,at=1h", "needs lasts"),
        ("offline,lasts=soon", "'soon' is not like"),
        ("offline,lasts=2h,every=1h", "comes again every 1h"),
        ("units", "needs channel"),
        ("delay,seconds=-1", "not negative"),
    ],
)
def test_a_disturbance_that_cannot_be_says_why(text, match):
    with pytest.raises(ConfigError, match=match):
        parse_disturbance(text)
