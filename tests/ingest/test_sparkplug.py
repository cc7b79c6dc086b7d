"""Sparkplug B through a real broker: an edge node that is born, speaks by alias, is asked, and dies."""

import math
import time

import pytest
from ingest_role import Ingest, publisher, started
from servers import mosquitto
from sparkplug_payloads import BOOLEAN, DOUBLE, INT64, metric, payload

from store.deadletters import read_dead_letters
from store.journal import EntryType
from telemetry.channels import COMPRESSOR
from wire.sparkplug_pb import read_sparkplug

pytestmark = pytest.mark.server

DECODER = """
[[decoders]]
format = "sparkplug"
station = "isle"
kind = "compressor"
[decoders.fields]
power_kw = { path = '"Motor/Power"', unit = "W" }
"""
TOPIC = "spBv1.0/plant/{}/edge"
POWER, ONLINE = COMPRESSOR.value_index["power_kw"], COMPRESSOR.code_index["online"]


class Edge:
    """An edge node with one device; it answers each request with its births."""

    def __init__(self, client) -> None:
        self.client = client
        self.seq = 0
        self.asked = 0
        client.on_message = self._command
        client.subscribe(TOPIC.format("NCMD"))

    def _command(self, client, userdata, message) -> None:
        (found,) = read_sparkplug(message.payload).metrics
        assert (found.name, found.raw) == ("Node Control/Rebirth", True)
        self.asked += 1
        self.birth()

    def birth(self) -> None:
        self.seq = -1
        self.say("NBIRTH", metric("bdSeq", 7, INT64), metric("Node Control/Rebirth", False, BOOLEAN))
        self.say("DBIRTH", metric("Motor/Power", 75_000.0, DOUBLE, 1))

    def say(self, kind, *metrics, qos=0) -> None:
        self.seq = (self.seq + 1) % 256
        topic = TOPIC.format(kind) + ("/c1" if kind[0] == "D" else "")
        self.client.publish(topic, payload(self.seq, *metrics, ms=time.time_ns() // 1_000_000), qos=qos)


def rows(ingest):
    """Return power and presence of every journalled reading."""
    return [
        (f.values[i, POWER], int(f.codes[i, ONLINE]))
        for e in ingest.entries()[0] if e.type is EntryType.FRAME
        for f in (e.frame(),) for i in range(len(f))
    ]  # fmt: skip


def test_births_are_asked_for_after_a_restart_and_an_unknown_alias_and_deaths_mark_offline(tmp_path):
    with (
        mosquitto() as broker,
        publisher(broker) as client,
        started(Ingest(tmp_path / "v", broker.url, DECODER)) as ingest,
    ):
        ingest.ready()
        edge = Edge(client)
        edge.say("DDATA", metric(value=70_000.0, alias=1))
        ingest.journalled(3)  # a sign of life, then the birth that was asked for: its values, and presence
        assert edge.asked == 1
        (letter,) = read_dead_letters(ingest.data / "journal")
        assert "rebirth" in letter.reason
        edge.say("DDATA", metric(value=72_000.0, alias=1))
        ingest.journalled(4)
        found = rows(ingest)
        assert [(p, o) for p, o in found[1:] if not math.isnan(p)] == [(75.0, -1), (72.0, -1)]
        assert 1 in [o for _, o in found]
        ingest.restart()
        ingest.journalled(6)  # asked for at once, before the node speaks
        assert edge.asked == 2
        edge.seq += 4
        edge.say("DDATA", metric(value=73_000.0, alias=1))
        status = ingest.until(lambda s: s.counters.get("sparkplug_sequence_gaps") == 1, "the gap")
        assert status.counters["sparkplug_rebirths"] == 1
        ingest.journalled(7)
        client.publish(TOPIC.format("NDEATH"), payload(None, metric("bdSeq", 6, INT64)), qos=1).wait_for_publish(30)
        client.publish(TOPIC.format("NDEATH"), payload(None, metric("bdSeq", 7, INT64)), qos=1).wait_for_publish(30)
        status = ingest.until(lambda s: s.counters.get("sparkplug_stale_deaths") == 1, "the old death")
        ingest.journalled(8)
        assert rows(ingest)[-1][1] == 0
