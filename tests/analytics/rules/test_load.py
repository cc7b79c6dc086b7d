from pathlib import Path
from typing import Any

import pytest

from analytics.rules.load import STATION_FIELDS, check_registry, load_rules
from analytics.rules.types import DetectorInput, KpiInput, MonitorInput
from telemetry.errors import ConfigError
from telemetry.registry import registry_from_tables

PACK = load_rules()
NEW_RULE = """
[hot]
category = "fault"
severity = "info"
station_kind = "compressed_air"
comparison = ">"
threshold = 90
input = {source = "kpi", kpi = "discharge", window = "5m"}
summary = {en = "{device} {value}", zh = "{device}"}
remedy = {en = "-", zh = "-"}
"""


def user(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(text, "utf-8")
    return path


def registry(kind: str, rules: dict[str, Any]) -> Any:
    return registry_from_tables({"stations": {"s": {"kind": kind, "rules": rules}}}, "test")


def test_the_shipped_pack() -> None:
    found = {n for n, rule in PACK.rules.items() if not isinstance(rule.input, DetectorInput | MonitorInput)}
    assert found == {
        "device_offline", "station_offline", "port_faulted", "port_unavailable", "machine_fault", "kwh_per_m3_high",
        "leak_level", "unloaded_share", "clock_skew",
    }
    charging = PACK.for_station(registry("charging", {}).station("s"), "s")
    assert found & set(charging) == {
        "device_offline", "station_offline", "port_faulted", "port_unavailable", "clock_skew",
    }
    assert {"stuck_status", "port_meter_reset", "phase_loss"} <= set(charging)
    assert PACK.rules["port_faulted"].timing.for_ms == PACK.rules["port_faulted"].timing.keep_firing_ms == 0
    assert PACK.rules["device_offline"].timing.for_ms == 5_000


def test_a_user_changes_some_keys_and_adds_rules(tmp_path: Path) -> None:
    pack = load_rules(user(tmp_path, NEW_RULE + '[leak_level]\nthreshold = 0.2\nsummary.en = "{value}"\n'))
    assert pack.rules["leak_level"].threshold == 0.2
    assert pack.rules["leak_level"].summary.en == "{value}"
    assert pack.rules["leak_level"].summary.zh == PACK.rules["leak_level"].summary.zh
    assert pack.rules["leak_level"].input == PACK.rules["leak_level"].input
    assert pack.rules["hot"].threshold == 90


def test_another_source_replaces_the_whole_input(tmp_path: Path) -> None:
    source = 'input = {source = "kpi", kpi = "load_factor", window = "1h"}'
    text = f'[machine_fault]\ncomparison = ">"\nthreshold = 1\n{source}\n'
    pack = load_rules(user(tmp_path, text))
    assert pack.rules["machine_fault"].input == KpiInput(kpi="load_factor", window="1h")


def test_a_detector_that_does_not_exist_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no detector 'night_flow'"):
        load_rules(user(tmp_path, '[leak_level.input]\nsource = "detector"\ndetector = "night_flow"\n'))


@pytest.mark.parametrize("other", ["port_broken", "site_power_loss"])
def test_a_rule_inhibits_other_rules_only(tmp_path: Path, other: str) -> None:
    path = user(tmp_path, f'[site_power_loss]\ninhibits = ["{other}"]')
    with pytest.raises(ConfigError, match=f"line 1.*'inhibits': '{other}' is no other rule; the rules are"):
        load_rules(path)


def test_a_station_overrides_numbers_and_may_switch_off() -> None:
    station = registry("compressed_air", {
        "leak_level": {"threshold": 0.1, "for": "2d"}, "machine_fault": {"enabled": False},
    }).station("s")
    rules = PACK.for_station(station, "s")
    assert (rules["leak_level"].threshold, rules["leak_level"].timing.for_ms) == (0.1, 172_800_000)
    assert "machine_fault" not in rules
    assert PACK.rules["leak_level"].threshold == 0.15


def test_groups_override_numbers_and_their_stations_override_them() -> None:
    tables = {
        "groups": {"islands": {"rules": {"leak_level": {"threshold": 0.3, "for": "2d"}}},
                   "old": {"rules": {"leak_level": {"threshold": 0.4}}}},
        "stations": {
            "a": {"kind": "compressed_air", "groups": ["islands", "old"]},
            "b": {"kind": "compressed_air", "groups": ["islands"], "rules": {"leak_level": {"threshold": 0.1}}},
            "c": {"kind": "compressed_air"},
        },
    }
    known = registry_from_tables(tables, "test")
    found = {s: PACK.for_station(known.station(s), s)["leak_level"] for s in "abc"}
    assert [(r.threshold, r.for_) for r in found.values()] == [(0.4, "2d"), (0.1, "2d"), (0.15, "0s")]
    with pytest.raises(ConfigError, match=r"\[groups\.x\]: Object contains unknown field `rule`"):
        registry_from_tables({"groups": {"x": {"rule": {}}}}, "test")


@pytest.mark.parametrize(("rules", "words"), [
    ({"leek_level": {"threshold": 1}}, ["[stations.s.rules.leek_level]", "'leek_level'", "leak_level"]),
    ({"leak_level": {"summary": {}}}, ["'summary'", *STATION_FIELDS]),
    ({"leak_level": {"threshold": "high"}}, ["$.threshold", "str"]),
    ({"leak_level": {"for": "soon"}}, ["'for'", "'soon'"]),
    ({"device_offline": {"threshold": 10}}, ["'threshold'", "offline_after_s"]),
    ({"store_lag": {"threshold": 10}}, ["'store_lag'", "about Voltair", "analytics.rules"]),
])
def test_a_wrong_override_is_named(rules: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        check_registry(PACK, registry("compressed_air", rules), "stations.toml")
    assert str(caught.value).startswith("stations.toml: [stations.s.rules.")
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(("text", "words"), [
    ("\nx = 1", ["line 2: key 'x'"]),
    ("[a", ["not valid TOML"]),
    ("[a]\ncategory = 'fault'", ["[a]", "missing required field"]),
    ("[leak_level]\ntreshold = 1", ["[leak_level]", "treshold"]),
    ("[leak_level]\nname = 'x'", ["'name'"]),
    ("[leak_level]\ncategory = 'leaks'", ["$.category", "leaks"]),
    ("[leak_level]\nkeep_firing_for = '3'", ["'keep_firing_for'", "'3'"]),
    ("[leak_level]\nmin_coverage = 90", ["'min_coverage'", "90"]),
    ("[leak_level]\nupdate_share = 0", ["'update_share'"]),
    ("[leak_level]\nsummary.zh = '{name}'", ["'summary.zh'", "{name}", "device"]),
    ("[leak_level]\nremedy.en = '{value'", ["'remedy.en'", "{value"]),
    ("[leak_level.input]\nwindow = 'night'", ["'input.window'", "'night'"]),
    ("[leak_level.input]\nsource = 'guess'", ["$.input.source", "guess"]),
    ("[port_faulted.input]\nstates = ['fault']", ["'input.states'", "'fault'", "Faulted"]),
    ("[port_faulted.input]\ndevice_kinds = ['plug']", ["'input.device_kinds'", "'plug'"]),
    ("[port_faulted.input]\ndevice_kinds = ['dryer']", ["'input.device_kinds'", "dryer", "charging"]),
    ("[port_faulted]\nthreshold = 3", ["'threshold'"]),
    ("[leak_level]\nclear_threshold = 0.2", ["'clear_threshold'", "0.2", "0.15"]),
    (("[port_faulted]\ncomparison = '>'\nthreshold = 1\n[port_faulted.input]\nsource = 'bucket'\n"
     "device_kinds = ['port']\nfield = 'heat_max'"), ["'input.field'", "'heat_max'", "temperature_c_max"]),
    (NEW_RULE.replace('comparison = ">"\n', ""), ["'comparison'"]),
    (NEW_RULE.replace("threshold = 90\n", ""), ["'threshold'"]),
    ("[store_lag]\nstation_kind = 'any'", ["'station_kind'", "'voltair'"]),
    ("[leak_level]\nstation_kind = 'voltair'", ["'station_kind'", "'monitor'"]),
    (NEW_RULE.replace('"5m"}', '"5m", scope = "group"}'), ["'input.kpi'", "'discharge'", "kwh_per_m3"]),
    (NEW_RULE.replace('"5m"}', '"5m", scope = "customer"}'), ["'input.kpi'", "'discharge'", "min_below_contract"]),
    (NEW_RULE.replace('"discharge", window = "5m"}', '"volume_m3", window = "idle", scope = "customer"}'),
     ["'input.window'", "24h"]),
    (NEW_RULE.replace("compressed_air", "any").replace('"5m"}', '"5m", scope = "group"}'), ["'station_kind'"]),
    (NEW_RULE.replace("compressed_air", "charging").replace('"5m"}', '"5m", scope = "customer"}'), ["'station_kind'"]),
    ("[store_lag.input]\nfigure = 'mood'", ["$.input.figure", "mood"]),
])
def test_a_wrong_rule_is_named_with_file_and_key(tmp_path: Path, text: str, words: list[str]) -> None:
    path = user(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_rules(path)
    assert str(caught.value).startswith(str(path))
    for word in words:
        assert word in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml"):
        load_rules(tmp_path / "none.toml")
