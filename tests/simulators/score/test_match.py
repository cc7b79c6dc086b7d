import msgspec
import pytest

from simulators.score.match import Alert, score
from simulators.score.show import picture, table
from simulators.truth import Truth, TruthFault, TruthStation

BEGIN, END = "2026-06-01T00:00:00.000Z", "2026-06-03T00:00:00.000Z"


def _fault(rule, **changes):
    base = {
        "station": "isle", "device": None, "device_kind": None, "fault": "leak", "text": "",
        "size": 4.0, "unit": "m3/min", "from_": "2026-06-01T10:00:00.000Z",
        "to": "2026-06-01T12:00:00.000Z", "rule": rule,
        "category": rule and {"leak": "leak", "machine_fault": "fault"}[rule],
    }  # fmt: skip
    return TruthFault(**{**base, **changes})


def _alert(rule, fired_at, **changes):
    base = {"category": "leak", "severity": "warning", "station": "isle", "device": "main", "id": rule + fired_at}
    return Alert(rule=rule, fired_at=f"2026-06-01T{fired_at}:00.000Z", **{**base, **changes})


def _score(faults, alerts, stations=(), figures=None):
    truth = Truth(scenario="test", seed=1, from_=BEGIN, to=END, faults=list(faults), stations=list(stations))
    return score(truth, list(alerts), figures or {})


def test_the_expected_rule_in_time_is_a_detection_with_its_delay_place_and_size():
    evidence = {"place": "network", "leak_m3_min": 5.0}
    found = _score([_fault("leak", place="network")], [_alert("leak", "10:30", evidence=evidence)])
    (outcome,) = found.outcomes
    assert (outcome.found_by, outcome.delay_s, outcome.place_right) == ("rule", 1800.0, True)
    assert outcome.size_error == pytest.approx(0.25)
    assert (found.expected, found.found, found.false_alarms, found.median_delay_s) == (1, 1, [], 1800.0)


@pytest.mark.parametrize("fired_at", ["09:59", "12:16"])
def test_an_alert_before_or_long_after_the_fault_is_false(fired_at):
    found = _score([_fault("leak")], [_alert("leak", fired_at)])
    assert (found.found, len(found.false_alarms), found.false_per_day) == (0, 1, 0.5)


def test_another_rule_of_the_category_is_told_apart():
    found = _score([_fault("leak")], [_alert("leak_level", "11:00")])
    assert (found.found, found.found_by_category, found.false_alarms) == (0, 1, [])


def test_the_alert_of_another_device_is_no_detection():
    fault = _fault("machine_fault", device="c1")
    other = _alert("machine_fault", "10:00", category="fault", device="c2")
    found = _score([fault], [other])
    assert (found.found, [a.device for a in found.false_alarms]) == (0, ["c2"])
    assert _score([fault], [msgspec.structs.replace(other, device="c1")]).found == 1
    assert _score([fault], [msgspec.structs.replace(other, station="other", device="c1")]).found == 0


def test_what_follows_from_a_real_fault_is_not_false_but_what_a_nuisance_provokes_is():
    alert = _alert("pressure_low", "11:00", category="pressure")
    assert _score([_fault("leak")], [alert]).consequences == 1
    provoked = _score([_fault(None, fault="demand")], [alert])
    assert (provoked.expected, provoked.consequences, len(provoked.false_alarms)) == (0, 0, 1)


def test_the_alert_that_names_the_place_is_preferred_and_a_wrong_place_is_said():
    wrong = _alert("leak", "10:10", evidence={"place": "customer:food"}, id="wrong")
    right = _alert("leak", "10:40", evidence={"place": "network"}, id="right")
    fault = _fault("leak", place="network")
    assert _score([fault], [wrong, right]).outcomes[0].alert == "right"
    assert _score([fault], [wrong]).outcomes[0].place_right is False


def test_an_alert_of_another_leak_that_lasts_as_well_finds_only_that_one():
    network, customer = _fault("leak", place="network"), _fault("leak", place="customer:food")
    alert = _alert("leak", "10:10", evidence={"place": "network", "leak_m3_min": 4.0})
    outcomes = _score([network, customer], [alert]).outcomes
    assert [o.found_by for o in outcomes] == ["rule", None]
    assert _score([customer], [alert]).outcomes[0].found_by == "rule"


def test_key_figures_are_compared_relatively_and_a_missing_one_has_no_error():
    station = TruthStation("isle", {"energy_kwh": 200.0, "leak_share": 0.0, "kwh_per_m3": 0.1, "load_factor": None})
    found = _score([], [], [station], {"isle": {"energy_kwh": 190.0, "leak_share": 0.01, "kwh_per_m3": None}})
    assert {f.name: f.error for f in found.figures} == {
        "energy_kwh": pytest.approx(-0.05), "leak_share": 0.01, "kwh_per_m3": None,
    }  # fmt: skip


def test_the_score_is_shown_as_text_and_as_a_picture():
    faults = [_fault("leak", place="network"), _fault(None, fault="demand")]
    found = _score(faults, [_alert("leak", "10:30"), _alert("<x>", "20:00")])
    text = table(found)
    assert "test: 1 of 1 faults found, median delay 30.0 min, 1 false alarms in 2.00 days (0.50 a day)" in text
    assert "nuisance" in text
    svg = picture(found, BEGIN, END)
    assert svg.count("<rect") == 3
    assert svg.count("<circle") == 1
    assert "&lt;x&gt;" in svg
    assert msgspec.json.decode(msgspec.json.encode(found))["found"] == 1
