"""`voltair rules test`: the example of the documentation passes, wrong expectations and wrong files are named."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from telemetry.errors import ConfigError
from voltair.cli import app
from voltair.rule_scenarios import run_file

DOC = Path(__file__).parents[2] / "docs" / "rules.md"
RULES, MORE_RULES, MORE_SCENARIO, SCENARIO = re.findall(r"```toml\n(.*?)```", DOC.read_text("utf-8"), re.DOTALL)

STATE = """
[[case]]
name = "faults"
[case.station]
kind = "charging"
[[case.series]]
device = "port/p1"
status = "Available*3 Faulted*2 Available"
[[case.expect]]
at = "3m"
firing = [{firing}]
[[case.expect]]
at = "6m"
"""


def files(folder: Path, scenario: str, rules: str = RULES) -> Path:
    (folder / "rules.toml").write_text(rules, "utf-8")
    path = folder / "scenario.toml"
    path.write_text(scenario, "utf-8")
    return path


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    assert [(v.name, v.problems) for v in run_file(files(tmp_path, SCENARIO))] == [("a port that stays hot", ())]


def more(folder: Path, scenario: str = MORE_SCENARIO) -> Path:
    return files(folder, scenario.replace("more.toml", "rules.toml"), MORE_RULES)


def test_customers_and_groups_as_documented(tmp_path: Path) -> None:
    found = [(v.name, v.problems) for v in run_file(more(tmp_path))]
    assert found == [("a customer with low pressure", ()), ("a full town", ())]


def test_customers_and_groups_differ(tmp_path: Path) -> None:
    scenario = MORE_SCENARIO.replace("6.0*4", "6.4*4").replace("threshold = 0.8", "threshold = 0.7")
    assert [p for v in run_file(more(tmp_path, scenario)) for p in v.problems] == [
        "at 60m: customer_pressure plastics does not fire", "at 60m: town_full town fires",
    ]


@pytest.mark.parametrize(("change", "words"), [
    (("north/port/p1", "port/p1"), ["'port/p1'", "ID/port/p1"]),
    (("north/port/p1", "west/port/p1"), ["'west/port/p1'"]),
    (("[case.station]\n", "[case.stations.a]\n"), ["'air_meter/am1'"]),
    (("[case.stations.north]", "[case.station]"), ["[case.station]", "[case.stations.ID]"]),
    (("town_full = {threshold", "town_ful = {threshold"), ["rules.town_ful]", "town_full"]),
])
def test_a_wrong_case_of_several_stations_is_refused(
    tmp_path: Path, change: tuple[str, str], words: list[str]
) -> None:
    assert change[0] in MORE_SCENARIO
    with pytest.raises(ConfigError) as caught:
        list(run_file(more(tmp_path, MORE_SCENARIO.replace(*change, 1))))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(("change", "problem"), [
    (('"12m"', '"9m"'), "at 9m: port_hot p1 does not fire"),
    (('"30m"\nfiring = []', '"12m"\nfiring = []'), "at 12m: port_hot p1 fires"),
    (("90*8", "90*3"), "at 12m: port_hot p1 does not fire"),
])
def test_what_differs_is_named(tmp_path: Path, change: tuple[str, str], problem: str) -> None:
    assert change[0] in SCENARIO
    path = files(tmp_path, SCENARIO.replace(*change, 1))
    result = CliRunner().invoke(app, ["rules", "test", str(path)])
    assert result.exit_code == 1
    assert "FAIL  a port that stays hot" in result.output
    assert problem in result.output


def test_shipped_rules_fire_with_the_reading(tmp_path: Path) -> None:
    path = files(tmp_path, STATE.replace("{firing}", '"port_faulted p1"'))
    assert CliRunner().invoke(app, ["rules", "test", str(path)]).exit_code == 0
    path = files(tmp_path, STATE.replace("{firing}", ""))
    assert CliRunner().invoke(app, ["rules", "test", str(path)]).exit_code == 1


@pytest.mark.parametrize(("change", "words"), [
    (('"port/p1"', '"plug/p1"'), ["device 'plug/p1'", "port"]),
    (("Faulted*2", "Faulted*x"), ["'Faulted*x'", "v*3"]),
    (("Faulted*2", "Broken*2"), ["values are refused"]),
    (('"{firing}"', '"port_falted p1"'), ["there is no rule 'port_falted'", "port_faulted"]),
    (('kind = "charging"', 'kind = "loading"'), ["kind 'loading'"]),
    (("[[case.expect]]", "[[case.expects]]"), ["expects"]),
])
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, change: tuple[str, str], words: list[str]) -> None:
    text = STATE.replace("{firing}", '"{firing}"').replace(*change)
    path = files(tmp_path, text.replace("{firing}", "port_faulted p1"))
    with pytest.raises(ConfigError) as caught:
        list(run_file(path))
    for word in words:
        assert word in str(caught.value)


def test_a_site_without_power_is_told_as_that_while_its_meter_goes_on(tmp_path: Path) -> None:
    path = files(tmp_path, """
start = 2026-11-23T08:00:00Z
[[case]]
name = "power loss"
[case.station]
kind = "charging"
offline_after_s = 120
[[case.series]]
device = "port/p1"
status = "Available*3"
[[case.series]]
device = "port/p2"
status = "Charging*3"
power_kw = "7*3"
[[case.series]]
device = "site_meter/m1"
voltage_l1_v = "230*3 0*7"
[[case.expect]]
at = "3m"
[[case.expect]]
at = "8m"
firing = ["site_power_loss m1", "station_offline"]
""", "")
    assert [v.problems for v in run_file(path)] == [()]
