"""Decoders that lean on earlier messages: what they remember outlives a restart at any message."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.decoders import DecoderConfig
from wire import remembered
from wire.foreign import ForeignDecoders, Outcome
from wire.remembered import KEPT_BYTES, Remembered

NOW = 1_795_316_400_500
OCPP = {"topic": "ocpp/{charge_point}/up", "format": "ocpp16", "station": "depot"}
PARTS = {
    "topic": "box/{n}/{value}", "assemble": "value", "format": "json", "station": "depot", "kind": "port",
    "device": "w{n}",
    "fields": {
        "power_kw": {"path": "power", "unit": "W"},
        "status": {"path": "[plugged, charging]", "map": {"[true,false]": "SuspendedEV", "[true,true]": "Charging"}},
    },
}  # fmt: skip


def decoders(*tables: dict[str, Any]) -> ForeignDecoders:
    return ForeignDecoders(msgspec.convert(list(tables), list[DecoderConfig]), "voltair/v1")


def read(of: ForeignDecoders, topic: str, value: object) -> Outcome:
    match = of.match(topic)
    assert match is not None
    return match.read(json.dumps(value).encode(), "", NOW)


class Disk:
    """What is kept, as the journal keeps it."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def take(self, of: ForeignDecoders) -> dict[str, bytes | None]:
        changes = of.changes()
        for key, body in changes.items():
            if body is None:
                del self.kept[key]
            else:
                self.kept[key] = body
        return changes

    def restarted(self, *tables: dict[str, Any]) -> ForeignDecoders:
        made = decoders(*tables)
        made.recall(self.kept)
        return made


def status_16(connector: int, status: str = "Available") -> list[Any]:
    return [2, "s", "StatusNotification", {"connectorId": connector, "status": status, "errorCode": "NoError"}]


def test_a_transaction_ends_at_its_connector_after_a_restart():
    disk, first = Disk(), decoders(OCPP)
    for frame in (status_16(1), status_16(2), [2, "a", "StartTransaction", {"connectorId": 2, "meterStart": 0}]):
        read(first, "ocpp/C/up", frame)
    disk.take(first)
    second = disk.restarted(OCPP)
    assert read(second, "ocpp/C/up", [3, "a", {"transactionId": 7}]).readings[0].device == "C-2"
    disk.take(second)
    third = disk.restarted(OCPP)
    stop = read(third, "ocpp/C/up", [2, "b", "StopTransaction", {"transactionId": 7, "meterStop": 5_000}])
    assert [(r.device, r.element["session_id"], r.element["energy_kwh"]) for r in stop.readings] == [("C-2", "7", 5.0)]
    assert disk.take(third) == {}, "nothing changed: nothing is written"


@st.composite
def frames_16(draw: st.DrawFn) -> list[Any]:
    connector, transaction = draw(st.integers(0, 3)), draw(st.integers(1, 3))
    call = draw(st.sampled_from(("a", "b")))
    return draw(
        st.sampled_from((
            status_16(connector), status_16(connector, "Unavailable"), [2, call, "Heartbeat", {}],
            [2, call, "StartTransaction", {"connectorId": connector, "timestamp": "2026-11-22T03:00:00Z"}],
            [3, call, {"transactionId": transaction}],
            [2, call, "MeterValues", {"connectorId": connector, "transactionId": transaction, "meterValue": []}],
            [2, call, "StopTransaction", {"transactionId": transaction, "meterStop": 5}],
        ))
    )  # fmt: skip


@st.composite
def frames_201(draw: st.DrawFn) -> list[Any]:
    evse = {"id": draw(st.integers(1, 2))} | draw(st.sampled_from(({}, {"connectorId": 2})))
    info = {"transactionId": draw(st.sampled_from("xy"))}
    state = draw(st.sampled_from(({}, {"chargingState": "Charging"}, {"chargingState": "EVConnected"})))
    event = {"eventType": draw(st.sampled_from(("Updated", "Ended"))), "transactionInfo": info | state}
    connector = {"evseId": evse["id"], "connectorId": draw(st.integers(1, 2))}
    status = connector | {"connectorStatus": draw(st.sampled_from(("Occupied", "Available")))}
    return draw(
        st.sampled_from((
            [2, "1", "StatusNotification", status], [2, "1", "Heartbeat", {}],
            [2, "1", "TransactionEvent", event | {"evse": evse}], [2, "1", "TransactionEvent", event],
        ))
    )  # fmt: skip


def parts() -> st.SearchStrategy[tuple[str, Any]]:
    names = st.sampled_from(("power", "plugged", "charging"))
    values = st.one_of(st.booleans(), st.integers(0, 9_000), st.sampled_from(({"a": [1]}, None, "x")))
    return st.tuples(st.builds("box/{}/{}".format, st.integers(1, 2), names), values)


PORTS = OCPP | {"ports": {"1": [1, 2], "x": [3]}}
V201 = OCPP | {"format": "ocpp201"}
CASES = {
    "ocpp16": (OCPP, st.tuples(st.sampled_from(("ocpp/C/up", "ocpp/D/up")), frames_16())),
    "ports": (PORTS, st.tuples(st.just("ocpp/C/up"), frames_16())),
    "ocpp201": (V201, st.tuples(st.just("ocpp/C/up"), frames_201())),
    "assembled": (PARTS, parts()),
}


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=60)
@given(data=st.data())
def test_a_restart_after_any_message_changes_nothing(case, data):
    table, messages = CASES[case]
    stream = data.draw(st.lists(messages, max_size=12))
    calm, disturbed, disk = decoders(table), decoders(table), Disk()
    for topic, value in stream:
        assert read(disturbed, topic, value) == read(calm, topic, value)
        disk.take(disturbed)
        if data.draw(st.booleans()):
            disturbed = disk.restarted(table)


def test_tables_come_and_go_and_what_nobody_wants_is_forgotten():
    disk, first = Disk(), decoders(OCPP, PARTS)
    read(first, "ocpp/C/up", status_16(1))
    read(first, "box/1/power", 5)
    disk.take(first)
    assert len(disk.kept) == 2
    second = disk.restarted({"topic": "new/{station}/{device}", "kind": "port", "fields": {"power_kw": "p"}}, PARTS)
    assert list(disk.take(second).values()) == [None]
    read(second, "box/1/plugged", True)
    assert read(second, "box/1/charging", True).readings[0].element == {"status": "Charging"}
    assert len(disk.kept) == 1


def test_other_ports_begin_anew():
    disk, first = Disk(), decoders(PORTS)
    assert len(read(first, "ocpp/C/up", [2, "a", "Heartbeat", {}]).readings) == 2
    disk.take(first)
    second = disk.restarted(PORTS | {"ports": {"y": [7]}})
    assert [r.device for r in read(second, "ocpp/C/up", [2, "a", "Heartbeat", {}]).readings] == ["C-y"]
    assert None in disk.take(second).values()


def test_what_may_name_a_person_is_not_written_down():
    table = PARTS | {"fields": {"session_id": "card", "power_kw": "power"}}
    first = decoders(table)
    assert read(first, "box/1/card", "04E1").readings[0].element == {"session_id": "04E1"}
    assert first.changes() == {}


@pytest.mark.parametrize("kept", [{"no JSON": b"x"}, {'["x"]': b"x"}, {"[1]": b"x"}, {"[]": b""}])
def test_what_another_release_kept_is_forgotten(kept):
    made = decoders(OCPP)
    name = made._decoders[0].memory
    assert name is not None
    kept = {**kept, msgspec.json.encode([name._name, "", "C"]).decode(): b"\xc1"}
    made.recall(kept)
    assert made.changes() == dict.fromkeys(kept)
    assert made.changes() == {}


@pytest.mark.parametrize("value", [2**70, "\ud800", "x" * KEPT_BYTES])
def test_what_cannot_be_kept_lives_as_long_as_the_process(value):
    disk, first = Disk(), decoders(PARTS)
    read(first, "box/1/power", 5)
    disk.take(first)
    read(first, "box/1/plugged", value)
    assert list(disk.take(first).values()) == [None]
    read(first, "box/1/plugged", True)
    assert list(disk.take(first).values()) != [None]


def test_a_full_memory_begins_anew_on_disk_too(monkeypatch):
    monkeypatch.setattr(remembered, "DEVICES_MAX", 3)
    memory = Remembered("m", list, list)
    for n in range(3):
        memory.of((str(n),))
    assert sorted(memory.changes()) == ['["m","0"]', '["m","1"]', '["m","2"]']
    memory.of(("3",)).append(1)
    changes = memory.changes()
    assert {key for key, body in changes.items() if body is None} == {'["m","0"]', '["m","1"]', '["m","2"]'}
    assert changes['["m","3"]'] == msgspec.msgpack.encode([1])
