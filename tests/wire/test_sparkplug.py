"""Sparkplug B: what births, aliases, gaps and deaths mean, from payloads made by hand."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sparkplug_payloads import BOOLEAN, DOUBLE, INT32, INT64, STRING, T0, chunk, metric, payload

from telemetry.decoders import DecoderConfig
from telemetry.errors import ConfigError
from wire import sparkplug
from wire.foreign import ForeignDecoders
from wire.sparkplug_pb import Metric, rebirth_command, write_sparkplug

TABLE = {
    "format": "sparkplug", "station": "isle", "kind": "compressor",
    "fields": {
        "power_kw": {"path": '"Motor/Power"', "unit": "W"},
        "oil_temperature_c": "Oil",
        "state": {"path": "[Run, Load]", "map": {"[true,true]": "loaded", "[true,false]": "unloaded"}},
    },
}  # fmt: skip


class Edge:
    """Decoders, and what one edge node sends to them."""

    def __init__(self, *tables, event=False):
        self.decoders = ForeignDecoders(msgspec.convert(tables or (TABLE,), list[DecoderConfig]), "voltair/v1")
        self.receipt_ms = None if event else T0
        self.counters = self.decoders.host.counters

    def send(self, kind, data, device="c1", node="edge"):
        topic = f"spBv1.0/plant/{kind}/{node}" + (f"/{device}" if kind[0] == "D" else "")
        found = self.decoders.match(topic).read(data, "", self.receipt_ms)
        return [(r.device, r.presence, r.element) for r in found.readings], [why for _, why in found.refused]

    def born(self, bd=1):
        self.send("NBIRTH", payload(0, metric("bdSeq", bd, INT64)))
        return self.send(
            "DBIRTH",
            payload(
                1, metric("Motor/Power", 75_000.0, DOUBLE, 1, T0 - 9_000), metric("Oil", -5, INT32, 2, T0),
                metric("Run", True, BOOLEAN, 3), metric("Load", True, BOOLEAN, 4), metric("Model", "X", STRING, 5),
            ),
        )  # fmt: skip

    def asked(self, now_s):
        return [topic for topic, _ in self.decoders.host.rebirths(now_s, T0)]


def test_a_birth_says_what_holds_now_and_that_the_device_is_there():
    readings, refused = Edge().born()
    whole = {"power_kw": 75.0, "oil_temperature_c": -5, "state": "loaded", "ts": T0}
    assert (readings, refused) == ([("c1", False, whole), ("c1", True, {"online": 1, "ts": T0})], [])


def test_data_come_by_alias_and_say_only_what_changed():
    edge = Edge()
    edge.born()
    found, refused = edge.send(
        "DDATA", payload(2, metric(value=70_000.0, alias=1, ms=T0 + 1), metric(value=-7, alias=2, ms=T0 + 2))
    )
    assert found == [
        ("c1", False, {"power_kw": 70.0, "ts": T0 + 1}),
        ("c1", False, {"oil_temperature_c": -7, "ts": T0 + 2}),
    ]
    assert refused == []
    # A field of several metrics reads those that stayed as they were, too.
    assert edge.send("DDATA", payload(3, metric(value=False, alias=4))) == (
        [("c1", False, {"state": "unloaded", "ts": T0})],
        [],
    )
    assert edge.send("DDATA", payload(4, metric(value="Y", alias=5))) == ([("c1", False, {"ts": T0})], [])
    assert edge.send("DDATA", payload(5, metric(alias=1))) == ([("c1", False, {"ts": T0})], [])  # null
    assert edge.asked(0) == []
    assert not edge.counters.total()


def test_what_is_historical_does_not_touch_the_present():
    edge = Edge()
    edge.born()
    old = payload(2, metric(value=False, alias=4, ms=T0 - 60_000, historical=True),
                  metric(value=60_000.0, alias=1, ms=T0 - 60_000, historical=True))  # fmt: skip
    assert edge.send("DDATA", old) == ([("c1", False, {"power_kw": 60.0, "ts": T0 - 60_000})], [])
    found, _ = edge.send("DDATA", payload(3, metric(value=True, alias=3)))
    assert found == [("c1", False, {"state": "loaded", "ts": T0})]


def test_an_unknown_alias_is_refused_counted_and_asked_for():
    edge = Edge()
    found, refused = edge.send("DDATA", payload(7, metric(value=1.0, alias=1), metric("Oil", 60.0, DOUBLE)))
    assert found == [("c1", False, {"oil_temperature_c": 60.0, "ts": T0})]
    assert "1 of 2 metrics" in refused[0]
    assert edge.counters["sparkplug_unknown_metrics"] == 1
    assert edge.asked(0) == ["spBv1.0/plant/NCMD/edge"]
    # An integer without a data type may be negative: it waits for the birth, too.
    assert edge.send("DDATA", payload(8, metric("Oil", 5)))[0] == [("c1", False, {"ts": T0})]
    edge.born()
    assert edge.asked(1e6) == []
    assert edge.send("DDATA", payload(2, metric(value=1_000.0, alias=1)))[0] == [
        ("c1", False, {"power_kw": 1.0, "ts": T0})
    ]


def test_gaps_are_counted_and_repetitions_are_none():
    edge = Edge()
    edge.born()
    for seq in (2, 2, 3, 6, 7):
        edge.send("DDATA", payload(seq, metric(value=1.0, alias=1)))
    assert edge.counters["sparkplug_sequence_gaps"] == 1
    assert edge.asked(0) == ["spBv1.0/plant/NCMD/edge"]
    edge.born()
    for seq in [*range(2, 256), 0, 1]:
        edge.send("DDATA", payload(seq, metric(value=1.0, alias=1)))
    assert edge.counters["sparkplug_sequence_gaps"] == 1


def test_rebirths_are_asked_for_ever_more_seldom_and_not_all_at_once():
    edge = Edge()
    for i in range(sparkplug.REBIRTHS_AT_ONCE + 1):
        edge.send("NDATA", payload(3), node=f"n{i}")
    assert len(edge.asked(0)) == sparkplug.REBIRTHS_AT_ONCE
    assert len(edge.asked(0)) == 1
    times = [t for t in range(1, 3_000) if "spBv1.0/plant/NCMD/n0" in edge.asked(t)]
    assert times == [5, 15, 35, 75, 155, 315, 635, 1_235, 1_835, 2_435]
    edge.send("NDEATH", payload(None), node="n0")
    assert "spBv1.0/plant/NCMD/n0" not in edge.asked(9_999)


def test_a_death_takes_the_nodes_devices_with_it_unless_it_is_an_old_one():
    edge = Edge()
    edge.born(bd=2)
    assert edge.send("NDEATH", payload(None, metric("bdSeq", 1, INT64), ms=T0 - 10**9)) == ([], [])
    assert edge.counters["sparkplug_stale_deaths"] == 1
    assert edge.send("DDEATH", payload(2, ms=T0 + 5), device="c2")[0] == [("c2", True, {"online": 0, "ts": T0 + 5})]
    assert edge.send("NDEATH", payload(None, metric("bdSeq", 2, INT64), ms=T0 - 10**9))[0] == [
        ("c1", True, {"online": 0})
    ]
    assert edge.send("DDATA", payload(3, metric(value=1.0, alias=1)))[1] != []


def test_in_event_mode_a_death_counts_when_its_node_was_last_heard():
    edge = Edge(event=True)
    edge.born()
    edge.send("DDATA", payload(2, metric(value=1.0, alias=1), ms=T0 + 77))
    assert edge.send("NDEATH", payload(None, metric("bdSeq", 1, INT64)))[0] == [
        ("c1", True, {"online": 0, "ts": T0 + 77})
    ]


def test_after_a_lost_connection_aliases_count_no_longer():
    edge = Edge()
    edge.born()
    edge.decoders.host.reconnected()
    assert edge.asked(0) == ["spBv1.0/plant/NCMD/edge"]
    _, refused = edge.send("DDATA", payload(9, metric(value=1.0, alias=1)))
    assert "rebirth" in refused[0]
    assert edge.counters["sparkplug_sequence_gaps"] == 0


def test_a_node_can_be_the_device_and_several_tables_read_one_message_once():
    node = {
        "format": "sparkplug", "topic": "spBv1.0/plant/{message}/{node}", "station": "isle", "kind": "air_main",
        "fields": {"pressure_bar": "P"},
    }  # fmt: skip
    edge = Edge(node, TABLE)
    found, _ = edge.send("NBIRTH", payload(0, metric("bdSeq", 1, INT64), metric("P", 7.0, DOUBLE, 1)), node="main 1")
    assert found == [("main-1", False, {"pressure_bar": 7.0, "ts": T0}), ("main-1", True, {"online": 1, "ts": T0})]
    found, refused = edge.send("DDATA", payload(1, metric(value=1, alias=1)), node="main 1")
    assert len(refused) == 1
    assert edge.counters == {"sparkplug_unknown_metrics": 1}
    found, _ = edge.send("NDATA", payload(2, metric(value=7.5, alias=1)), node="main 1")
    assert found == [("main-1", False, {"pressure_bar": 7.5, "ts": T0})]
    assert edge.counters["sparkplug_sequence_gaps"] == 0


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(sparkplug, "METRICS_MAX", 3)
    monkeypatch.setattr(sparkplug, "NODES_MAX", 2)
    edge = Edge()
    two = [metric("Oil", 1.0, DOUBLE), metric("x", 1.0, DOUBLE)]
    assert edge.send("DBIRTH", payload(1, *two))[1] == []
    assert edge.send("DBIRTH", payload(2, *two))[1] == []  # again: it takes the place of the first
    assert "metrics" in edge.send("DBIRTH", payload(3, *two), device="c2")[1][0]
    edge.send("DDEATH", payload(4))
    assert edge.send("DBIRTH", payload(5, *two), device="c2")[1] == []
    assert edge.send("NDATA", payload(1), node="b")[1] == []
    assert "edge nodes" in edge.send("NDATA", payload(1), node="c")[1][0]


def test_what_is_no_payload_is_refused_with_its_reason():
    assert "no Sparkplug B payload" in Edge().send("NDATA", b"\x0a\xff")[1][0]
    assert "compression" in Edge().send("NDATA", payload(1) + chunk(4, b"SPBV1.0_COMPRESSED"))[1][0]


@given(st.sampled_from(("NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH")), st.binary(max_size=60))
def test_no_bytes_do_more_harm_than_a_refusal(kind, data):
    edge = Edge()
    edge.born()
    edge.send(kind, data)


def test_what_is_written_are_the_bytes_of_the_format():
    rows = [
        ("Power", 7.5, DOUBLE, 1, T0, False), ("Oil", -5, INT32, 2, T0, False), (None, 3, None, 3, T0 - 1, True),
        ("bdSeq", 255, INT64, None, T0, False), ("Run", True, BOOLEAN, None, None, False),
        ("Model", "Übergröße", STRING, 5, T0, False), ("Gone", None, DOUBLE, 6, T0, False),
    ]  # fmt: skip
    metrics = [Metric(name or "", alias, ms, type_ or 0, past, raw) for name, raw, type_, alias, ms, past in rows]
    for seq in (None, 0, 255):
        assert write_sparkplug(T0, seq, metrics) == payload(seq, *(metric(*row) for row in rows))


def test_the_request_for_a_rebirth():
    assert rebirth_command(T0) == payload(None, metric("Node Control/Rebirth", True, BOOLEAN, ms=T0))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"topic": "spBv1.0/{group}/NDATA/{node}"}, "is not like spBv1.0"),
        ({"assemble": "x"}, "without time"),
        ({"topic": "spBv1.0/{group}/{message}/{node}", "device": "{device}"}, "no level {device}"),
    ],
)
def test_a_wrong_table_is_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        Edge(TABLE | change)
