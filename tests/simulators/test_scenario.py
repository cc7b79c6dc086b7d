import tomllib
from collections import defaultdict

import msgspec
import pytest
from simulators_support import decoded

from analytics.rules.load import load_rules
from simulators.fault_kinds import KINDS
from simulators.faults import Fault
from simulators.scenario import list_scenarios, load_scenario
from simulators.simulation import Simulation, simulate_messages
from telemetry.channels import KIND_BY_NAME, Role
from telemetry.errors import ConfigError
from telemetry.registry import registry_from_tables
from telemetry.times import parse_time

NAMES = [name for name, _ in list_scenarios()]
RULES = load_rules().rules
MINUTE = 60_000


def test_at_least_thirty_scenarios_are_listed_with_a_line_of_text():
    found = list_scenarios()
    assert len(found) >= 30
    assert [name for name, _ in found] == sorted(set(NAMES))
    assert all(text and "\n" not in text for _, text in found)


def test_every_kind_of_fault_happens_in_some_scenario():
    used = {fault.kind for name in NAMES for fault in load_scenario(name).faults}
    assert set(KINDS) == used


@pytest.mark.parametrize("name", NAMES)
def test_an_expected_alert_is_one_of_the_rules_that_ship_with_its_category(name):
    for fault in load_scenario(name).faults:
        assert fault.category == (RULES[fault.expect].category if fault.expect else "")


def test_the_presets_are_at_real_scale():
    def ports(name):
        return [len(t["ports"]) for t in load_scenario(name).tables()["stations"].values()]

    assert ports("carpark-week") == [340]
    assert (len(ports("depots-day")), sum(ports("depots-day"))) == (39, 319)
    assert (len(ports("city-day")), sum(ports("city-day"))) == (17, 215)


@pytest.mark.parametrize("name", NAMES)
def test_the_registry_of_a_scenario_is_a_valid_file_and_lists_what_reports(name):
    scenario = load_scenario(name)
    tables = tomllib.loads(scenario.stations_toml())
    assert tables == scenario.tables()
    registry = registry_from_tables(tables, "test")
    scenario = msgspec.structs.replace(scenario, warm_up="1m", step_s=30)
    messages = simulate_messages(scenario, 1, scenario.start_ms, MINUTE)
    seen = {(m.station, m.device): m.kind for m in decoded(messages)}
    for (station, device), kind in seen.items():
        assert registry.stations[station].kind_of(device) == kind
    listed = {
        (name, device)
        for name, station in registry.stations.items()
        for kind in KIND_BY_NAME
        for device in station.listed(kind)
    }
    assert set(seen) == listed


@pytest.mark.parametrize("name", ["charging-faults", "demo", "air-network"])
def test_the_same_seed_gives_the_same_bytes(name):
    scenario = load_scenario(name)

    def run(seed):
        return list(simulate_messages(scenario, seed, scenario.start_ms, 2 * MINUTE))

    first = run(3)
    assert first == run(3)
    assert first != run(4)


def test_messages_come_in_order_of_time_with_values_the_contract_accepts():
    scenario = load_scenario("demo")
    last_ms = 0
    for reading in decoded(simulate_messages(scenario, 1, scenario.start_ms, 6 * MINUTE)):
        kind = KIND_BY_NAME[reading.kind]
        assert reading.values["ts"] >= last_ms
        last_ms = reading.values["ts"]
        for name, value in reading.values.items():
            channel = kind.channel(name)
            if name == "ts":
                continue
            assert channel is not None, name
            if channel.role is Role.STATE:
                assert value in channel.states
            elif channel.role is Role.TEXT:
                assert isinstance(value, str)
            else:
                assert channel.low <= value <= channel.high, (reading, name)


def test_the_demo_shows_both_stations_at_once_and_a_fault_within_a_minute():
    scenario = load_scenario("demo")
    start = scenario.start_ms
    by_device = defaultdict(list)
    for reading in decoded(simulate_messages(scenario, scenario.seed, start, 4 * MINUTE)):
        by_device[reading.device].append(reading.values)
    assert len(by_device) == 50
    assert all(readings[0]["ts"] <= start + 5_000 for readings in by_device.values())
    faulted = [v["ts"] - start for v in by_device["p07"] if v["status"] == "Faulted"]
    assert faulted[0] == 40_000
    assert {v["error_code"] for v in by_device["p07"] if v["status"] == "Faulted"} == {"GroundFailure"}
    back = next(v for v in by_device["p07"] if v["ts"] > start + faulted[-1])
    assert (back["status"], back["ts"] - start) == ("Available", 130_000)
    silent = [v["ts"] - start for v in by_device["p18"] if 2 * MINUTE <= v["ts"] - start < 4 * MINUTE]
    assert silent == []


def _run(scenario, length_ms):
    """Return readings by device, and the truth."""
    simulation = Simulation(scenario, 1, scenario.start_ms, length_ms)
    by_device = defaultdict(list)
    for reading in decoded(simulation.messages()):
        by_device[reading.device].append(reading.values)
    return by_device, msgspec.to_builtins(simulation.truth())


def test_faults_do_what_the_truth_says():
    scenario = load_scenario("charging-faults")
    short = msgspec.structs.replace(
        scenario,
        faults=tuple(
            msgspec.structs.replace(fault, at=f"{k + 1}m", lasts=fault.lasts and "1m", every="")
            for k, fault in enumerate(scenario.faults)
        ),
    )
    by_device, truth = _run(short, 10 * MINUTE)
    for fault in truth["faults"]:
        begin, end = parse_time(fault["from"]), parse_time(fault["to"])
        devices = [fault["device"]] if fault["device"] else list(by_device)
        for device in devices:
            inside = [v for v in by_device[device] if begin <= v["ts"] < end]
            if fault["fault"] == "silence":
                assert inside == []
            elif fault["fault"] == "register_reset":
                before = [v for v in by_device[device] if v["ts"] < begin]
                assert inside[0]["energy_kwh"] < 1 < before[-1]["energy_kwh"]
            else:
                status = {"port_fault": "Faulted", "port_unavailable": "Unavailable"}[fault["fault"]]
                assert {v["status"] for v in inside} == {status}
                assert next(v for v in by_device[device] if v["ts"] >= end)["status"] == "Available"
    assert len(truth["faults"]) == 6


def test_repeated_faults_are_listed_each_time_and_clipped_to_the_end():
    fault = Fault(kind="port_fault", station="harbour", device="p07", at="40s", lasts="90s", every="20m")
    assert fault.spans(21 * MINUTE) == [(40_000, 130_000), (1_240_000, 1_260_000)]


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"kind": "earthquake"}, "earthquake"),
        ({"device": "p99"}, "p99"),
        ({"station": "nowhere"}, "nowhere"),
    ],
)
def test_a_fault_that_cannot_be_names_its_value(changes, part):
    scenario = load_scenario("charging-faults")
    fault = msgspec.structs.replace(scenario.faults[0], at="0s", **changes)
    with pytest.raises(ConfigError, match=part):
        list(simulate_messages(msgspec.structs.replace(scenario, faults=(fault,)), 1, scenario.start_ms, 5_000))


@pytest.mark.parametrize("name", ["nothing", "../demo", ""])
def test_an_unknown_scenario_is_refused_with_the_remedy(name):
    with pytest.raises(ConfigError, match="voltair scenarios"):
        load_scenario(name)
