"""OCPP frames over MQTT: what charge points of both versions say, as readings of ports."""

import csv
import json
from collections import defaultdict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.channels import KIND_BY_NAME
from telemetry.decoders import DecoderConfig
from telemetry.errors import ConfigError
from wire.foreign import ForeignDecoders
from wire.ocpp import meter_element

NOW = 1_795_316_400_500
T0, T1, T2 = "2026-11-22T03:00:00Z", "2026-11-22T03:15:00.250Z", "2026-11-22T04:00:00"
MS0, MS1, MS2 = 1_795_316_400_000, 1_795_317_300_250, 1_795_320_000_000


class Bench:
    """One decoder and the frames that it is given."""

    def __init__(self, version: str, topic: str = "ocpp/{charge_point}/up", **table: object) -> None:
        table = {"topic": topic, "format": version, "station": "depot"} | table
        self.decoders = ForeignDecoders([msgspec.convert(table, DecoderConfig)], "voltair/v1")

    def outcome(self, value, topic="ocpp/CP-03/up", receipt_ms=NOW):
        return self.decoders.match(topic).read(json.dumps(value).encode(), "", receipt_ms)

    def frame(self, value, **more):
        outcome = self.outcome(value, **more)
        assert outcome.refused == []
        assert all((r.station, r.kind.name, r.presence) == ("depot", "port", False) for r in outcome.readings)
        return [(r.device, r.element) for r in outcome.readings]

    def call(self, action, payload, call="1", **more):
        return self.frame([2, call, action, payload], **more)


def sampled(value, measurand=None, **more):
    return {"value": value} | ({"measurand": measurand} if measurand else {}) | more


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([sampled("1234500")], {"energy_kwh": 1234.5}),
        ([sampled("12.5", "Energy.Active.Import.Register", unit="kWh")], {"energy_kwh": 12.5}),
        ([sampled("6900", "Power.Active.Import")], {"power_kw": 6.9}),
        ([sampled("6.9", "Power.Active.Import", unit="kW")], {"power_kw": 6.9}),
        ([sampled("3000", "Power.Active.Export")], {"power_kw": -3.0}),
        ([sampled("1000", "Power.Active.Import", phase=p) for p in ("L1", "L2", "L3")], {"power_kw": 3.0}),
        ([sampled("9", "Power.Active.Import", unit="kW"), sampled("3000", "Power.Active.Import", phase="L1-N")],
         {"power_kw": 9.0}),
        ([sampled("16", "Current.Import", phase="L1"), sampled("15", "Current.Import", phase="L2")],
         {"current_l1_a": 16.0, "current_l2_a": 15.0}),
        ([sampled("0.2", "Current.Import", phase="N")], {"Current.Import": "0.2"}),
        ([sampled("229.8", "Voltage", phase="L1-N"), sampled("398", "Voltage", phase="L1-L2")],
         {"voltage_l1_v": 229.8, "Voltage": "398"}),
        ([sampled("400", "Voltage"), sampled("120", "Current.Import")], {"voltage_v": 400.0, "current_a": 120.0}),
        ([sampled("32", "Current.Offered"), sampled("22000", "Power.Offered")],
         {"offered_a": 32.0, "offered_kw": 22.0}),
        ([sampled("64", "SoC", unit="Percent", location="EV")], {"soc_pct": 64.0}),
        ([sampled("40", "Temperature", unit="Celcius")], {"temperature_c": 40.0}),
        ([sampled("104", "Temperature", unit="Fahrenheit", location="Body")], {"temperature_c": pytest.approx(40.0)}),
        ([sampled("50", "Frequency"), sampled("7", "Energy.Active.Import.Interval")],
         {"Frequency": "50", "Energy.Active.Import.Interval": "7"}),
        ([sampled("5", "Power.Active.Import", location="Inlet")], {"Power.Active.Import": "5"}),
        ([sampled("5", "Power.Active.Import"), sampled("9", "Power.Active.Import", location="Inlet")],
         {"power_kw": 0.005, "Power.Active.Import": "9"}),
        ([sampled("9", location="Inlet"), sampled("5000"), sampled("7", location="Cable")],
         {"energy_kwh": 5.0, "Energy.Active.Import.Register": "7"}),
        ([sampled("1000"), sampled("OBIS...", format="SignedData")],
         {"energy_kwh": 1.0, "Energy.Active.Import.Register": "OBIS..."}),
        ([sampled("5", "Power.Active.Import", unit="horse")], {"power_kw": "5 horse"}),
        ([sampled("1000", context="Transaction.Begin"), sampled("2000", context="Transaction.End")],
         {"energy_kwh": 2.0}),
        ([sampled("2000", context="Sample.Clock"), sampled("1000", context="Transaction.Begin")], {"energy_kwh": 2.0}),
        ([sampled(7, "Power.Active.Import", unitOfMeasure={"unit": "W", "multiplier": 3})], {"power_kw": 7.0}),
        ([sampled(10**400, "Power.Active.Import")], {"power_kw": float("inf")}),
    ],
)  # fmt: skip
def test_measurands_units_phases_and_contexts(values, expected):
    assert meter_element({"timestamp": T0, "sampledValue": values}) == expected | {"ts": MS0}


CHANNELS = {
    "Energy.Active.Import.Register": "energy_kwh", "Power.Active.Import": "power_kw", "Power.Offered": "offered_kw",
    "Current.Import": "current_{}a", "Voltage": "voltage_{}v", "Current.Offered": "offered_a", "SoC": "soc_pct",
    "Temperature": "temperature_c",
}  # fmt: skip
"""Measurand to the channel of a port; `{}` is the phase."""
OTHERS = (
    "Energy.Active.Export.Register", "Energy.Active.Export.Interval", "Energy.Active.Import.Interval",
    "Energy.Active.Net", "Energy.Reactive.Import.Register", "Energy.Reactive.Export.Register",
    "Energy.Reactive.Import.Interval", "Energy.Reactive.Export.Interval", "Energy.Reactive.Net",
    "Energy.Apparent.Net", "Energy.Apparent.Import", "Energy.Apparent.Export", "Power.Reactive.Import",
    "Power.Reactive.Export", "Power.Factor", "Current.Export", "Frequency", "RPM",
)  # fmt: skip
UNITS = {
    "kwh": {"Wh": 1e-3, "kWh": 1.0}, "kw": {"W": 1e-3, "kW": 1.0}, "a": {"A": 1.0}, "v": {"V": 1.0},
    "pct": {"Percent": 1.0}, "c": {"Celcius": 1.0, "Celsius": 1.0},
}  # fmt: skip
PHASES = {"": "", **{f"L{n}{to}": f"l{n}_" for n in "123" for to in ("", "-N")}}
STRANGE = ("N", "L1-L2", "L2-L3", "L3-L1")
CONTEXTS = (
    None, "Sample.Periodic", "Sample.Clock", "Transaction.Begin", "Transaction.End", "Interruption.Begin",
    "Interruption.End", "Trigger", "Other",
)  # fmt: skip


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_measurand_in_every_phase_unit_and_context(context):
    def read(measurand, phase, unit):
        more = {"context": context, "phase": phase, "unit": unit}
        item = sampled("12.5", measurand, **{k: v for k, v in more.items() if v})
        return meter_element({"sampledValue": [item]})

    for measurand, channel in CHANNELS.items():
        for phase, part in PHASES.items():
            for unit, factor in UNITS[channel.rpartition("_")[2].removeprefix("{}")].items():
                # Of energy and power one phase alone is all there is.
                assert read(measurand, phase, unit) == {channel.format(part): pytest.approx(12.5 * factor)}
    for measurand in ("Energy.Active.Import.Register", "Power.Active.Import", "Current.Import", "Voltage"):
        for phase in STRANGE:
            assert read(measurand, phase, "") == {measurand: "12.5"}, "counted as unknown"
    for measurand in OTHERS:
        assert read(measurand, "L1", "") == {measurand: "12.5"}


def test_a_transaction_of_version_16_from_plug_to_plug():
    bench = Bench("ocpp16")
    status = {"connectorId": 2, "errorCode": "NoError", "status": "Preparing", "timestamp": T0}
    assert bench.call("StatusNotification", status) == [
        ("CP-03-2", {"ts": MS0, "status": "Preparing", "error_code": "NoError"})
    ]
    start = {"connectorId": 2, "idTag": "044943121F1D80", "meterStart": 10_000, "timestamp": T0}
    assert bench.call("StartTransaction", start, call="77") == [("CP-03-2", {"ts": MS0, "energy_kwh": 10.0})]
    assert bench.frame([3, "76", {"transactionId": 4, "idTagInfo": {"status": "Accepted"}}]) == []
    assert bench.frame([3, "77", {"transactionId": 5, "idTagInfo": {"status": "Accepted"}}]) == [
        ("CP-03-2", {"ts": MS0, "session_id": "5"})
    ]
    sample = {"timestamp": T1, "sampledValue": [sampled("12500")]}
    values = {"connectorId": 2, "transactionId": 5, "meterValue": [sample]}
    assert bench.call("MeterValues", values) == [("CP-03-2", {"ts": MS1, "energy_kwh": 12.5, "session_id": "5"})]
    assert bench.call("Heartbeat", {}) == [("CP-03-2", {})]
    stop = {
        "transactionId": 5, "idTag": "044943121F1D80", "meterStop": 20_000, "timestamp": T2, "reason": "EVDisconnected",
        "transactionData": [{"timestamp": T1, "sampledValue": [sampled("12.5", unit="kWh")]}],
    }  # fmt: skip
    assert bench.call("StopTransaction", stop) == [
        ("CP-03-2", {"ts": MS1, "energy_kwh": 12.5, "session_id": "5"}),
        ("CP-03-2", {"ts": MS2, "energy_kwh": 20.0, "session_id": "5", "stop_reason": "EVDisconnected"}),
    ]
    del stop["reason"], stop["transactionData"]
    assert bench.call("StopTransaction", stop)[0][1]["stop_reason"] == "Local", "sent again, and without a reason"


def test_the_vendors_code_stands_for_other_errors():
    status = {"connectorId": 1, "errorCode": "OtherError", "status": "Faulted", "vendorErrorCode": "A001,F000"}
    assert Bench("ocpp16").call("StatusNotification", status) == [
        ("CP-03-1", {"status": "Faulted", "error_code": "A001,F000"})
    ]


def test_connector_0_speaks_for_all_connectors():
    bench = Bench("ocpp16")
    for connector, status in ((1, "Charging"), (2, "Available")):
        bench.call("StatusNotification", {"connectorId": connector, "status": status})
    whole = {"connectorId": 0, "timestamp": T0}
    assert bench.call("StatusNotification", whole | {"status": "Unavailable"}) == [
        ("CP-03-1", {"ts": MS0, "status": "Unavailable"}), ("CP-03-2", {"ts": MS0, "status": "Unavailable"}),
    ]
    assert bench.call("StatusNotification", whole | {"status": "Available"}) == [
        ("CP-03-1", {"ts": MS0, "status": "Charging"}), ("CP-03-2", {"ts": MS0, "status": "Available"}),
    ]
    assert bench.call("MeterValues", {"connectorId": 0, "meterValue": []}) == [("CP-03-1", {}), ("CP-03-2", {})]


def test_charge_points_do_not_mix_and_an_unknown_transaction_is_refused():
    bench = Bench("ocpp16")
    for connector in (1, 2):
        bench.call("StatusNotification", {"connectorId": connector, "status": "Available"})
    stop = [2, "1", "StopTransaction", {"transactionId": 9, "meterStop": 1, "timestamp": T0}]
    assert "transaction 9" in bench.outcome(stop).refused[0][1]
    bench.call("StatusNotification", {"connectorId": 1, "status": "Available"}, topic="ocpp/CP-04/up")
    assert bench.frame(stop, topic="ocpp/CP-04/up")[0][0] == "CP-04-1", "there is only one connector"
    assert bench.call("Heartbeat", {}, receipt_ms=None) == [], "event mode: no time, no sign of life"


def test_a_gateway_that_writes_the_action_into_the_topic():
    bench = Bench("ocpp16", "ocpp/{charge_point}/{direction}/{type}/{action}/{id}", device="{charge_point}_{connector}")
    start = {"connectorId": 1, "idTag": "x", "meterStart": 0, "timestamp": T0}
    assert bench.frame(start, topic="ocpp/A/up/request/StartTransaction/9") == [("A_1", {"ts": MS0, "energy_kwh": 0.0})]
    result = {"transactionId": 3, "idTagInfo": {"status": "Accepted"}}
    told = bench.frame(result, topic="ocpp/A/dn/response/StartTransaction/9")
    assert told == [("A_1", {"ts": MS0, "session_id": "3"})]
    assert bench.frame({}, topic="ocpp/A/dn/error/StartTransaction/9") == []
    assert "type 'ask'" in bench.outcome({}, topic="ocpp/A/dn/ask/StartTransaction/9").refused[0][1]


def test_connectors_that_share_a_port_are_known_before_they_speak():
    bench = Bench("ocpp16", ports={"a": [1, 2], "b": [3]})
    assert bench.call("Heartbeat", {}) == [("CP-03-a", {}), ("CP-03-b", {})]
    status = {"connectorId": 2, "status": "Faulted", "timestamp": T0}
    faulted = {"ts": MS0, "status": "Faulted", "connector": "2"}
    assert bench.call("StatusNotification", status) == [("CP-03-a", faulted)]
    whole = bench.call("StatusNotification", status | {"connectorId": 0, "status": "Unavailable"})
    assert [(device, e["connector"], e["status"]) for device, e in whole] == [
        ("CP-03-a", "1", "Unavailable"), ("CP-03-a", "2", "Unavailable"), ("CP-03-b", "3", "Unavailable"),
    ]  # fmt: skip
    outcome = bench.outcome([2, "1", "StatusNotification", status | {"connectorId": 4}])
    assert (outcome.readings, outcome.refused[0][1]) == ([], "connector 4 is in none of the decoder's ports")


def test_an_envelope_gives_frames_the_time_that_they_do_not_say():
    bench = Bench("ocpp16", readings="frame", time={"path": "at", "format": "iso"}, ports={"1": [1]})

    def said(action, payload, at=T1):
        return bench.frame({"at": at, "frame": [2, "1", action, payload]}, receipt_ms=None)

    assert said("Heartbeat", {}) == [("CP-03-1", {"ts": MS1})]
    status = {"connectorId": 1, "status": "Available"}
    assert said("StatusNotification", status)[0][1]["ts"] == MS1
    assert said("StatusNotification", status | {"timestamp": T0})[0][1]["ts"] == MS0, "the frame's own time counts"
    assert "time 'soon'" in bench.outcome({"at": "soon", "frame": [2, "1", "Heartbeat", {}]}).refused[0][1]
    assert "OCPP frame is" in bench.outcome([2, "1", "Heartbeat", {}]).refused[0][1], "there is no envelope"


def test_a_transaction_of_version_201_from_plug_to_plug():
    bench = Bench("ocpp201")

    def status(connector_status, time):
        payload = {"timestamp": time, "connectorStatus": connector_status, "evseId": 1, "connectorId": 2}
        ((device, element),) = bench.call("StatusNotification", payload)
        assert (device, element["connector"]) == ("CP-03-1", "2")
        return element["status"]

    def event(kind, time, state=None, **more):
        info = {"transactionId": "T-1"} | ({"chargingState": state} if state else {}) | more.pop("info", {})
        payload = {"eventType": kind, "timestamp": time, "triggerReason": "X", "seqNo": 0, "transactionInfo": info}
        return bench.call("TransactionEvent", payload | more)

    assert status("Occupied", T0) == "Occupied"
    assert event("Started", T0, "EVConnected", evse={"id": 1, "connectorId": 2}) == [
        ("CP-03-1", {"ts": MS0, "status": "Preparing", "connector": "2", "session_id": "T-1"})
    ]
    values = [{"timestamp": T1, "sampledValue": [sampled(5000.0, unitOfMeasure={"unit": "Wh"})]}]
    assert event("Updated", T1, "Charging", meterValue=values) == [
        ("CP-03-1", {"ts": MS1, "energy_kwh": 5.0, "session_id": "T-1"}),
        ("CP-03-1", {"ts": MS1, "status": "Charging", "connector": "2", "session_id": "T-1"}),
    ]
    assert status("Occupied", T1) == "Charging", "the transaction knows better"
    for state in ("SuspendedEV", "SuspendedEVSE"):
        assert event("Updated", T1, state)[0][1]["status"] == state
    assert event("Updated", T2, "EVConnected")[0][1]["status"] == "Finishing"
    assert event("Updated", T2) == [("CP-03-1", {"ts": MS2, "session_id": "T-1"})]
    assert event("Ended", T2, "Idle", info={"stoppedReason": "EVDisconnected"})[0][1] == {
        "ts": MS2, "status": "Finishing", "connector": "2", "session_id": "T-1", "stop_reason": "EVDisconnected",
    }  # fmt: skip
    assert status("Available", T2) == "Available"
    assert event("Ended", T2)[0][1] == {"ts": MS2, "session_id": "T-1", "stop_reason": "Local"}, "the car has gone"
    assert bench.call("Heartbeat", {}) == [("CP-03-1", {})]
    found = bench.call("MeterValues", {"evseId": 1, "meterValue": values})
    assert found == [("CP-03-1", {"ts": MS1, "energy_kwh": 5.0})]
    payload = {"eventType": "Updated", "timestamp": T0, "transactionInfo": {"transactionId": "T-2"}}
    assert "T-2" in bench.outcome([2, "1", "TransactionEvent", payload]).refused[0][1]


@pytest.mark.parametrize("version", ["ocpp16", "ocpp201"])
@pytest.mark.parametrize(
    "value",
    [
        {}, [], [2, "1"], [2, 1, "Heartbeat", {}], [2, "1", "Heartbeat"], [2, "1", "Heartbeat", []], [5, "1", {}],
        [2, "1", "StatusNotification", {}], [2, "1", "MeterValues", {}], [3, "1", []],
        [2, "1", "MeterValues", {"connectorId": 1, "evseId": 1, "meterValue": [{}]}],
        [2, "1", "MeterValues", {"connectorId": 1, "evseId": 1, "meterValue": [{"sampledValue": [5]}]}],
    ],
)  # fmt: skip
def test_a_wrong_frame_is_refused(version, value):
    outcome = Bench(version).outcome(value)
    assert outcome.readings == []
    assert len(outcome.refused) == 1


def test_a_recorded_log_of_two_charge_points(data_dir):
    bench = Bench("ocpp16")
    energy, statuses = defaultdict(list), defaultdict(int)
    with (data_dir / "ocpp-log" / "ocpp_1_6_synthetic_logs_14d.csv").open(newline="") as rows:
        for row in csv.DictReader(rows):
            for device, element in bench.frame(json.loads(row["msg"]), topic=f"ocpp/{row['id']}/up"):
                assert not [k for k in element if k not in ("ts", "seq") and KIND_BY_NAME["port"].channel(k) is None]
                statuses[device, element.get("error_code")] += "status" in element
                if "session_id" in element and "energy_kwh" in element:
                    energy[device, element["session_id"]].append(element["energy_kwh"])
    assert len(energy) == 39
    assert sum(values[-1] - values[0] for values in energy.values()) == pytest.approx(62.4, abs=0.5)
    assert statuses["CH-002-1", "ConnectorLockFailure"] == 101


KEYS = [
    "connectorId", "evseId", "status", "connectorStatus", "timestamp", "transactionId", "meterValue", "sampledValue",
    "value", "measurand", "phase", "unitOfMeasure", "multiplier", "transactionInfo", "evse", "id", "meterStart",
    "meterStop", "transactionData", "chargingState", "errorCode", "reason",
]  # fmt: skip
WORDS = st.sampled_from(["Power.Active.Import", "Voltage", "L1", "Charging", "1e400", "5", T0, ""])
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=20,
)
ACTIONS = st.sampled_from(
    ["StatusNotification", "MeterValues", "StartTransaction", "StopTransaction", "TransactionEvent", "Heartbeat"]
)
FRAMES = st.lists(st.tuples(st.sampled_from([2, 3, 4]), st.just("1"), ACTIONS, ANY), max_size=4)


@pytest.mark.parametrize("state", [[], {}, 5, None, "Busy"])
def test_an_unknown_charging_state_leaves_the_status_alone(state):
    info = {"transactionId": "T", "chargingState": state}
    payload = {"eventType": "Updated", "timestamp": T0, "transactionInfo": info, "evse": {"id": 1}}
    assert Bench("ocpp201").call("TransactionEvent", payload) == [("CP-03-1", {"ts": MS0, "session_id": "T"})]


@pytest.mark.parametrize("version", ["ocpp16", "ocpp201"])
@given(frames=FRAMES)
def test_any_frames_are_read_or_refused(version, frames):
    bench = Bench(version)
    for kind, call, action, payload in frames:
        bench.outcome([kind, call, action, payload] if kind == 2 else [kind, call, payload])


def test_a_charge_point_that_never_ends_its_transactions_is_forgotten_by_and_by():
    bench = Bench("ocpp16")
    for connector in (1, 2):
        bench.call("StatusNotification", {"connectorId": connector, "status": "Available"})
    for transaction in range(1_001):
        bench.call("MeterValues", {"connectorId": 1, "transactionId": transaction, "meterValue": []})
    stop = {"meterStop": 1, "timestamp": T0}
    assert bench.outcome([2, "1", "StopTransaction", stop | {"transactionId": 0}]).readings == []
    assert bench.call("StopTransaction", stop | {"transactionId": 1_000})[0][0] == "CP-03-1"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"topic": "ocpp/{device}"}, "no level {charge_point}"),
        ({"topic": "ocpp/{charge_point}", "kind": "dryer"}, "goes without kind"),
        ({"topic": "ocpp/{charge_point}", "fields": {"power_kw": "p"}}, "goes without kind, fields"),
        ({"topic": "ocpp/{charge_point}", "device": "{evse}"}, "no level {evse}"),
        ({"topic": "ocpp/{charge_point}", "ports": {"1": [1, 2], "2": [2]}}, "in two of them"),
        ({"topic": "ocpp/{charge_point}", "ports": {"1": [1]}, "format": "ocpp201"}, "goes without ports"),
    ],
)
def test_a_wrong_decoder_is_refused(table, words):
    with pytest.raises(ConfigError, match=words):
        Bench("ocpp16", **table)
