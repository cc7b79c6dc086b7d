import json
from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.faults import Fault, parse_fault
from simulators.message import Message, online_topic, telemetry, telemetry_topic
from simulators.network import Network, disturb
from telemetry.errors import ConfigError

START = 1_700_000_000_000
TOPICS = [telemetry_topic(s, "port", d) for s in ("harbour", "depot") for d in ("p1", "p2")]
FOREIGN = "ocpp/CP-01/log"


def stream(count=1000, step_ms=1000):
    return [telemetry(TOPICS[k % 4], START + k * step_ms, {"power_kw": 1.5, "seq": k}) for k in range(count)]


def seqs(messages, topic=None):
    """Return the numbers of all readings, those of a backlog too."""
    found = [json.loads(m.payload) for m in messages if topic in (None, m.topic)]
    return [e["seq"] for value in found for e in (value if isinstance(value, list) else [value])]


def apply(messages, *texts, seed=1):
    return list(disturb(messages, [parse_fault(t) for t in texts], seed))


ANY = st.builds(
    Fault,
    kind=st.sampled_from(["duplicates", "delay", "reorder", "backlog", "clock_skew", "sensor_offset"]),
    station=st.sampled_from(["", "depot"]), size=st.floats(0, 1), device=st.sampled_from(["", "p1"]),
    at=st.just("30s"), lasts=st.sampled_from(["", "60s"]), every=st.sampled_from(["", "100s"]),
)  # fmt: skip


@given(st.lists(ANY, max_size=3), st.integers(0, 9))
def test_nothing_is_lost_that_is_only_disturbed_and_what_leaves_is_in_order_of_time(faults, seed):
    sent = stream(200)
    left = list(disturb(sent, faults, seed))
    assert set(seqs(left)) == set(range(200))
    assert [m.time_ms for m in left] == sorted(m.time_ms for m in left)
    times = {k: m.time_ms for k, m in enumerate(sent)}
    assert all(m.time_ms >= times[seq] for m in left for seq in seqs([m]))
    assert left == list(disturb(iter(sent), faults, seed))


def test_without_faults_nothing_changes_not_even_a_byte():
    odd = [
        Message(START, TOPICS[0], b'{ "ts": 1.0 }'), Message(START, FOREIGN, b"[2]"), Message(START, TOPICS[1], b""),
        *stream(10),
    ]  # fmt: skip
    assert apply(odd) == odd
    assert apply(odd, "loss,size=0", "clock_skew,size=9,device=p9", "sensor_offset,size=1,channels=soc_pct") == odd
    assert apply([], "loss") == []


def test_loss_takes_its_share_and_another_seed_takes_others():
    one, two = apply(stream(10_000), "loss,size=0.1"), apply(stream(10_000), "loss,size=0.1", seed=2)
    assert 8_900 < len(one) < 9_100
    assert set(one) < set(stream(10_000))
    assert one != two


def test_adding_a_fault_leaves_the_chance_of_the_others():
    assert apply(stream(), "loss,size=0.2", "reorder,size=0") == apply(stream(), "loss,size=0.2")


def test_offline_hours_come_later_as_a_backlog_in_order():
    left = apply(stream(7200), "backlog,station=harbour,at=10m,lasts=20m,every=1h")
    for topic in TOPICS:
        assert seqs(left, topic) == sorted(seqs(left, topic))
        assert len(seqs(left, topic)) == 1800
    minutes = Counter((m.time_ms - START) // 60_000 for m in left if "/harbour/" in m.topic)
    assert not any(minutes[m] for k in (0, 60) for m in range(k + 10, k + 30))
    backlog = [json.loads(m.payload) for m in left if m.payload.startswith(b"[")]
    assert sum(map(len, backlog)) == 1200
    assert all(e["ts"] == START + 1000 * e["seq"] for readings in backlog for e in readings)


def test_what_is_held_at_the_end_comes_at_the_end():
    left = apply(stream(100), "backlog,device=p1,at=50s", "silence,device=p2,at=50s")
    assert set(seqs(left)) == {k for k in range(100) if k < 50 or k % 4 in (0, 2)}


def test_a_wrong_clock_moves_what_the_device_says_not_when_it_says_it():
    left = apply(stream(100), "clock_skew,device=p1,size=-90,at=50s")
    for message, before in zip(left, stream(100), strict=True):
        assert (message.time_ms, message.topic) == (before.time_ms, before.topic)
        wrong = before.time_ms >= START + 50_000 and "/p1/" in before.topic
        assert json.loads(message.payload)["ts"] == before.time_ms - 90_000 * wrong


def test_firmware_that_changes_units():
    left = apply(stream(100), "unit_change,channels=power_kw,station=depot,at=20s")
    changed = [m for m in left if "/depot/" in m.topic and m.time_ms >= START + 20_000]
    assert {json.loads(m.payload)["power_kw"] for m in changed} == {1500.0}
    assert Counter(json.loads(m.payload)["power_kw"] for m in left) == {1.5: 60, 1500.0: 40}


def test_arrays_stay_arrays_and_each_reading_is_changed():
    readings = [{"ts": START + k, "power_kw": 2.0} for k in range(3)]
    array = Message(START, TOPICS[0], msgspec.json.encode(readings))
    (left,) = apply([array], "clock_skew,size=1", "sensor_offset,size=1,channels=power_kw")
    assert json.loads(left.payload) == [{"ts": START + 1000 + k, "power_kw": 3.0} for k in range(3)]


def test_foreign_topics_and_presence():
    frames = [Message(START + 1000 * k, FOREIGN, b'{"frame":%d}' % k) for k in range(100)]
    gone = Message(START + 50_000, online_topic("harbour", "port", "p1"), b"0")
    left = apply([*frames[:50], gone, *frames[50:]], "backlog,at=20s,lasts=40s", "clock_skew,at=0s")
    assert [m for m in left if m.topic == FOREIGN] == [
        *frames[:20], *(m._replace(time_ms=START + 60_000) for m in frames[20:60]), *frames[60:],
    ]  # fmt: skip
    assert gone in left
    assert len(apply(frames, "loss,size=0.5,station=harbour")) == 100
    assert 20 < len(apply(frames, "loss,size=0.5")) < 80


def test_a_fault_that_comes_later_concerns_devices_that_are_known():
    network = Network(1)
    way = network.way("isle", "compressor", "c1")
    assert way.clear
    network.add(0, parse_fault("silence,station=isle"))
    assert not way.clear
    assert list(way.send(START, 0, {})) == []


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("los", "loss"),
        ("loss,size=2", "0 to 1"),
        ("loss,size=many", "size"),
        ("loss,colour=red", "colour"),
        ("backlog,lasts=soon", r"lasts.*write it like"),
        ("backlog,lasts=2h,every=1h", "longer than every 1h"),
        ("backlog,every=0s", "longer than nothing"),
    ],
)
def test_a_fault_that_cannot_be_says_why(text, match):
    with pytest.raises(ConfigError, match=match):
        parse_fault(text)
