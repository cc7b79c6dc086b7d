"""The scorer of MetroPT-3: on a day of its twin, on the excerpt, and on alerts made by hand."""

import hashlib
from pathlib import Path

import msgspec
import pytest

from analytics.rules.transitions import Transition
from benchmarks.metro import Heard, judge_messages, measure_metro, score
from simulators.faults import Fault
from simulators.message import telemetry
from simulators.scenario import load_scenario
from simulators.simulation import Simulation
from telemetry.errors import ConfigError
from telemetry.times import DAY_MS, HOUR_MS, MINUTE_MS, parse_time


def at(text: str) -> int:
    found = parse_time(f"2020-{text}Z")
    assert found is not None
    return found


def fired(text: str, rule: str, category: str = "leak") -> Transition:
    time_ms = at(text)
    return msgspec.convert({
        "id": "1", "alert": "1", "fingerprint": "1", "type": "alert.firing", "time_ms": time_ms, "rule": rule,
        "category": category, "severity": "warning", "state": "firing", "station": "metro", "device": "apu",
        "device_kind": "compressor", "since_ms": time_ms, "fired_ms": time_ms, "resolved_ms": None, "value": 1.0,
        "threshold": 1.0, "unit": "", "summary": {}, "remedy": {}, "evidence": {}, "labels": {}, "runbook": "",
    }, Transition)


def test_a_day_of_the_twin_is_scored_by_what_the_shipped_rules_say() -> None:
    """A dryer that leaks from noon on, on 18 April: of the first failure's window."""
    made = load_scenario("air-metro")
    leak = Fault(kind="purge_leak", station="metro", at="12h", size=4.0)
    scenario = msgspec.structs.replace(made, faults=(leak,))
    run = Simulation(scenario, 5, at("04-18T00:24:00") - 12 * HOUR_MS, 14 * HOUR_MS)
    found = judge_messages(run.messages(), scenario.tables())
    assert found["failures found"] == "1 of 4"
    assert float(found["median delay"].split()[0]) <= 30
    assert found["false alerts of all rules"].startswith("0 ")


def test_the_excerpt_has_no_leak_and_only_the_file_that_was_named_is_read(data_dir: Path) -> None:
    file = data_dir / "metropt3" / "excerpt_2020-02-01.csv"
    found = dict(measure_metro(1, 1, file, hashlib.sha256(file.read_bytes()).hexdigest()))
    assert found["the data set: failures found"] == "0 of 4"
    assert found["the data set: negative machine-days"] == "0.1"
    assert found["the data set: false alerts of all rules"] == "0 (0.000 a day)"
    with pytest.raises(ConfigError, match="has SHA-256"):
        dict(measure_metro(1, 1, file, "00"))


def test_windows_decide_what_is_found_and_what_is_false() -> None:
    told = [fired("04-18T00:34:00", "purge_leak"), fired("05-29T23:24:56", "loaded_no_gain"),
            fired("07-15T14:00:00", "cycle_leak"), fired("03-06T22:00:00", "purge_leak"),
            fired("02-10T12:00:00", "purge_leak"), fired("02-11T12:00:00", "motor_current", "fault"),
            fired("02-12T12:00:00", "device_offline", "availability")]
    heard = Heard(known_ms={t // MINUTE_MS: MINUTE_MS for t in range(at("02-10T00:00:00"), at("02-14T00:00:00"),
                                                                      MINUTE_MS)})
    found = score(told, heard)
    assert found["failures found"] == "2 of 4"
    assert found["delays"] == "F1 10.0 min, F2 10.0 min, F3 missed, F4 missed"
    assert found["false leak alerts"] == "1 (0.250 a day)"
    assert found["false alerts of all rules"] == "2 (0.500 a day): 1 motor_current, 1 purge_leak"
    assert found["unlabelled leaks told"] == "1 of 12"


def test_rows_that_repeat_are_a_frozen_logger_and_gaps_are_not_known() -> None:
    heard = Heard()
    begin = at("02-10T00:00:00")
    for i in range(200):
        amps = 3.8 if 50 <= i < 150 else 3.8 + i / 1e4
        heard.take(telemetry("t", begin + 10_000 * i, {"state": "loaded", "discharge_pressure_bar": 9.0,
                                                       "motor_current_a": amps}))
    heard.take(telemetry("t", begin + DAY_MS, {"state": "loaded", "discharge_pressure_bar": 9.0}))
    assert heard.frozen == [(begin + 500_000, begin + 1_490_000)]
    assert sum(heard.known_ms.values()) == 1_990_000
