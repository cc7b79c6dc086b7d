import msgspec

from analytics.rules.evaluate import state_sample
from analytics.rules.ids import alert_id, fingerprint
from analytics.rules.lifecycle import AlertState, Sample, step
from analytics.rules.load import load_rules
from analytics.rules.transitions import transition_of
from telemetry.registry import registry_from_tables

RULES = load_rules().rules
HARBOUR = registry_from_tables({"stations": {"harbour": {
    "kind": "charging", "name": "Harbour car park", "timezone": "Asia/Shanghai",
    "ports": [{"id": "p001", "name": "Level 3, bay 17"}],
}}}, "test").station("harbour")
T = 1_732_240_000_123


def test_a_fault_and_its_end() -> None:
    rule, state, told = RULES["port_faulted"], AlertState(), []
    for time_ms, status in ((T, "Faulted"), (T + 60_000, "Available")):
        state, changes = step(state, rule.timing, state_sample(rule, time_ms, status, {"error_code": "E1"}))
        told += [transition_of(rule, c, HARBOUR, "harbour", "p001", "port") for c in changes]
    firing, resolved = (msgspec.json.decode(msgspec.json.encode(t)) for t in told)
    assert firing["id"] != resolved["id"]
    assert firing == {
        "id": firing["id"], "alert": alert_id("port_faulted", "harbour", "p001", T),
        "fingerprint": fingerprint("port_faulted", "harbour", "p001"), "type": "alert.firing", "time_ms": T,
        "rule": "port_faulted", "category": "availability", "severity": "warning", "state": "firing",
        "station": "harbour", "device": "p001", "device_kind": "port", "since_ms": T, "fired_ms": T,
        "resolved_ms": None, "value": None, "threshold": None, "unit": "",
        "summary": {
            "en": "Level 3, bay 17 at Harbour car park has been faulted since 2024-11-22 09:46:40",
            "zh": "Harbour car park 的 Level 3, bay 17 自 2024-11-22 09:46:40 起故障",
        },
        "remedy": {"en": rule.remedy.en, "zh": rule.remedy.zh}, "evidence": {"state": "Faulted", "error_code": "E1"},
        "labels": {}, "runbook": "", "inhibits": [],
    }
    assert {k: v for k, v in resolved.items() if firing[k] != v} == {
        "id": resolved["id"], "type": "alert.resolved", "time_ms": T + 60_000, "state": "resolved",
        "resolved_ms": T + 60_000, "evidence": {"state": "Available", "error_code": "E1"},
    }


def test_a_station_has_its_own_name() -> None:
    rule = RULES["station_offline"]
    _, (change,) = step(AlertState(), msgspec.structs.replace(rule.timing, for_ms=0), Sample(
        time_ms=T, holds=True, evidence={"devices": ["p001", "p002"]}))
    told = transition_of(rule, change, HARBOUR, "harbour")
    assert told.device is None
    assert told.device_kind is None
    assert told.summary["en"].startswith("All 2 devices of Harbour car park have been offline")
