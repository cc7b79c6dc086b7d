"""Sparkplug's edge nodes: what they say of native messages, and how they behave towards a broker and a host."""

import subprocess
import sys
from collections import Counter

import msgspec
import pytest
from dialects_support import DECODERS, native, read
from ingest_role import Ingest, started
from servers import mosquitto

from simulators.dialects.sparkplug import EdgeNode, asks_for_births, speak_sparkplug
from simulators.message import Message, online_topic, telemetry, telemetry_topic
from store.deadletters import read_dead_letters
from store.journal import EntryType
from telemetry.channels import KINDS
from telemetry.errors import VoltairError
from wire.sparkplug_pb import BD_SEQ, REBIRTH, read_sparkplug, rebirth_command

TOPIC = telemetry_topic("isle", "compressor", "c1")


def reading(ts, **values):
    return telemetry(TOPIC, ts, values)


def names(messages):
    return [message.topic.split("/")[2] for message in messages]


def numbers(messages):
    return [read_sparkplug(message.payload).seq for message in messages if "NDEATH" not in message.topic]


def test_every_device_says_the_same_at_the_same_time_and_is_born_and_dies():
    sent = native(20)
    expected = [(*m.topic.split("/")[2:5], msgspec.json.decode(m.payload)) for m in sent]
    for *_, values in expected:
        values.pop("seq", None)
    spoken = list(speak_sparkplug(sent))
    found = list(read(spoken, "sparkplug"))
    assert [row for row in found if "online" not in row[3]] == expected
    assert len(expected) > 500
    first = {row[:3]: row[3]["ts"] for row in reversed(expected)}
    births = [(*row[:3], row[3]["ts"]) for row in found if row[3].get("online") == 1]
    assert sorted(births) == sorted((*device, ts) for device, ts in first.items())
    assert {row[:3] for row in found if row[3].get("online") == 0} == set(first)
    for node in {(m.topic.split("/")[1], m.topic.split("/")[3]) for m in spoken}:
        own = [m for m in spoken if (m.topic.split("/")[1], m.topic.split("/")[3]) == node]
        assert numbers(own) == [k % 256 for k in range(len(own) - 1)]
        assert (names(own)[0], names(own)[-1]) == ("NBIRTH", "NDEATH")


def test_a_birth_names_every_channel_with_alias_and_type_and_data_come_by_alias():
    spoken = list(speak_sparkplug([reading(1_000, power_kw=75.0, state="loaded"), reading(2_000, power_kw=70)]))
    assert names(spoken) == ["NBIRTH", "DBIRTH", "DDATA", "NDEATH"]
    node, birth, data, death = (read_sparkplug(m.payload) for m in spoken)
    assert [(m.name, m.raw) for m in node.metrics] == [(BD_SEQ, 0), (REBIRTH, False)]
    assert [(m.name, m.raw) for m in death.metrics] == [(BD_SEQ, 0)]
    (compressor,) = (kind for kind in KINDS if kind.name == "compressor")
    channels = {c.name for c in (*compressor.values, *compressor.codes)} - {"online"}
    assert {m.name for m in birth.metrics} == channels
    assert len({m.alias for m in birth.metrics}) == len(channels)
    assert {m.name: m.raw for m in birth.metrics if m.raw is not None} == {"power_kw": 75.0, "state": "loaded"}
    (metric,) = data.metrics
    assert (metric.name, metric.datatype, metric.raw, metric.time_ms) == ("", 0, 70.0, 2_000)
    assert [metric.alias] == [m.alias for m in birth.metrics if m.name == "power_kw"]


def test_presence_a_backlog_and_damage():
    sent = [
        reading(1_000, power_kw=1.0),
        Message(2_000, online_topic("isle", "compressor", "c1"), b"0"),
        Message(3_000, online_topic("isle", "compressor", "c1"), b"1"),
        reading(3_000, power_kw=2.0),
        Message(9_000, TOPIC, msgspec.json.encode([{"ts": t, "power_kw": t / 1e3} for t in (5_000, 6_000, 7_000)])),
        Message(9_500, TOPIC, b'{"ts": 9'),
    ]
    spoken = list(speak_sparkplug(sent))
    assert names(spoken) == ["NBIRTH", "DBIRTH", "DDEATH", "DBIRTH", "DDATA", "DDATA", "DDATA", "NDEATH"]
    assert numbers(spoken[:-2]) == list(range(6))  # what is damaged has no number
    found = [element for *_, element in read([*spoken[:-2], spoken[-1]], "sparkplug")]
    assert found == [
        {"power_kw": 1.0, "ts": 1_000}, {"online": 1, "ts": 1_000}, {"online": 0, "ts": 2_000},
        {"power_kw": 2.0, "ts": 3_000}, {"online": 1, "ts": 3_000},
        {"power_kw": 5.0, "ts": 5_000}, {"power_kw": 6.0, "ts": 6_000}, {"power_kw": 7.0, "ts": 7_000},
        {"online": 0, "ts": 9_000},
    ]  # fmt: skip


def test_births_again_repeat_the_last_reading_and_a_new_connection_has_a_new_number():
    node = EdgeNode("isle", "compressor", 255)
    node.connect(0)
    list(node.births())
    said = list(node.speak(reading(5_000, power_kw=1.0)))
    again = list(node.births())
    assert numbers(again) == [0, 1]
    assert read_sparkplug(again[1].payload).metrics == read_sparkplug(said[0].payload).metrics
    assert [m.raw for m in read_sparkplug(node.connect(0).payload).metrics] == [0]


def test_only_a_request_for_births_is_one():
    assert asks_for_births(rebirth_command(1))
    assert not asks_for_births(b"\xff")
    node = EdgeNode("isle", "compressor")
    node.connect(0)
    assert not asks_for_births(next(node.births()).payload)  # it names the metric, and asks for nothing
    with pytest.raises(VoltairError, match="is no native one"):
        list(speak_sparkplug([Message(0, "a/b", b"")]))


@pytest.mark.server
def test_edge_nodes_are_asked_for_births_and_the_broker_speaks_for_those_that_are_gone(tmp_path):
    with mosquitto() as broker, started(Ingest(tmp_path / "v", broker.url, DECODERS["sparkplug"])) as ingest:
        ingest.ready()
        devices = len({m.topic for m in native(5)})
        argv = [sys.executable, "-P", "-m", "voltair", "simulate", "charging-day", "--dialect", "sparkplug"]
        with subprocess.Popen([*argv, "--speed", "60", "--broker", broker.url]) as simulator:
            try:
                ingest.until(lambda _: online(ingest)[1] >= devices, "births")
                ingest.restart()
                ingest.until(lambda s: s.counters.get("sparkplug_rebirths"), "requests")
                ingest.until(lambda _: online(ingest)[1] >= 2 * devices, "births again")
            finally:
                simulator.kill()
        ingest.until(lambda _: online(ingest)[0] >= devices, "deaths")
        assert all("rebirth is requested" in letter.reason for letter in read_dead_letters(ingest.data / "journal"))


def online(ingest):
    """Return how many readings say that a device is away, and that it is there."""
    found = Counter()
    for entry in ingest.entries()[0]:
        if entry.type is EntryType.FRAME:
            frame = entry.frame()
            found.update(frame.codes[:, frame.kind.code_index["online"]].tolist())
    return found
