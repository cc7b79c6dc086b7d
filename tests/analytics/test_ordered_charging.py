"""Ordered charging of a station: its limits, who gets what, what vehicles have asked for, how the control did."""

import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from naive.readings import Reading
from naive.streams import reading
from naive.windows import START_MS, air_window, runs_of, station_of

from analytics.advice.network import network_of
from analytics.advice.ordered import Ask, ordered_advice
from analytics.advice.scorecard import scorecard
from analytics.window import Window
from store.state import StateReader
from telemetry.errors import ConfigError

sys.path.insert(0, str(Path(__file__).parent))
from journalled import T0, River

MINUTES = 15
END_MS = START_MS + MINUTES * 60_000
PORTS = [{"id": f"p{k}", "rated_kw": 7.36, "line": f"L{k}"} for k in (1, 2, 3)]


def window(ports: dict[str, dict[str, Any]], meter: dict[str, Any] | None = None, **table: Any) -> Window:
    """Return a quarter of an hour in which ports have charged; `state`, `until_min` and gauges of each."""
    keys = {"ports": PORTS, "contract_kw": 14.72, **table}
    if meter is not None:
        keys["site_meters"] = [{"id": "m"}]
    runs, amounts = [], {}
    for name, own in ports.items():
        until_min = own.get("until_min", MINUTES)
        runs.append({
            "device": name, "state": own.get("state", "Charging"), "start_ms": START_MS,
            "end_ms": START_MS + 60_000 * until_min, "energy_n": own.get("energy_n", 0),
        })
        gauges = {k: v for k, v in own.items() if k.endswith(("_kw", "_a"))}
        amounts["port", name] = {k: [v] * until_min + [None] * (MINUTES - until_min) for k, v in gauges.items()}
    if meter:
        amounts["site_meter", "m"] = meter
    return air_window(station_of("charging", **keys), MINUTES, amounts, runs={"port": runs_of(runs)})


def asked(hours: float, kwh: float) -> Ask:
    return Ask(END_MS + hours * 3_600_000, kwh)


def advice(made: Window, **asks: Ask) -> dict[str, Any]:
    found = ordered_advice(made, asks)
    assert not isinstance(found, str), found
    return found


def amps(found: dict[str, Any]) -> dict[str, float]:
    return {p["port"]: p["current_a"] for p in found["ports"]}


def limit(found: dict[str, Any], name: str) -> dict[str, Any]:
    (one,) = (x for x in found["limits"] if x["limit"] == name)
    return dict(one)


def test_the_contract_is_shared_where_nobody_said_anything() -> None:
    found = advice(window({p: {"power_kw": 7.36} for p in ("p1", "p2", "p3")}))
    # 14.72 kW are 64 A of one phase; 3 x 21 A, and the ampere that is left to the first.
    assert amps(found) == {"p1": 22, "p2": 21, "p3": 21}
    assert {p["by"] for p in found["ports"]} == {"share"}
    assert limit(found, "contract") == {
        "limit": "contract", "unit": "kW", "most": 14.72, "other": 0, "advised": pytest.approx(14.72),
        "headroom": pytest.approx(0, abs=1e-9),
    }
    assert found["change"]
    assert found["expected_kwh_1h"] == pytest.approx(14.72)


def test_the_urgent_come_first_and_get_what_they_miss() -> None:
    made = window({p: {"power_kw": 7.36} for p in ("p1", "p2", "p3")})
    found = advice(made, p1=asked(8, 10), p2=asked(2, 14), p3=asked(3, 14.72))
    assert amps(found) == {"p1": 0, "p2": 32, "p3": 32}
    ports = {p["port"]: p for p in found["ports"]}
    assert ports["p2"]["laxity_h"] == pytest.approx(2 - 14 / 7.36)
    # Nobody misses anything in the end: 38.72 kWh in 8 h below 14.72 kW.
    assert [ports[p]["expected_kwh"] for p in ("p1", "p2", "p3")] == pytest.approx([10, 14, 14.72])
    assert ports["p1"]["curtailed_min"] >= 105
    assert "1 should wait" in found["text"]["en"]


def test_who_has_what_he_asked_for_gets_what_is_left() -> None:
    made = window({p: {"power_kw": 7.36} for p in ("p1", "p2", "p3")})
    found = advice(made, p1=asked(1, -0.5), p2=asked(2, 14), p3=asked(3, 14.72))
    assert amps(found) == {"p1": 0, "p2": 32, "p3": 32}
    assert found["ports"][0]["by"] == "rest"


def test_a_departure_that_has_passed_is_not_known() -> None:
    found = advice(window({"p1": {"power_kw": 7.36}}), p1=asked(-1, 5))
    assert (found["ports"][0]["by"], found["ports"][0]["expected_kwh"]) == ("share", None)


def test_lines_and_what_else_draws_from_them() -> None:
    """A transformer of 22.08 kVA has 32 A in each line; the meter says that 20 A of L2 are not the ports'."""
    meter = {
        "power_kw": 7.36 + 4.6, "reactive_kvar": 0.0,
        **{f"current_l{k}_a": a for k, a in ((1, 32.0), (2, 20.0), (3, 0.0))},
        **{f"voltage_l{k}_v": 230.0 for k in (1, 2, 3)},
    }
    made = window({"p1": {"power_kw": 7.36}, "p2": {"power_kw": 0.0}}, meter, contract_kw=100, transformer_kva=22.08)
    found = advice(made)
    assert amps(found) == {"p1": 32, "p2": 12}
    assert (limit(found, "L2")["other"], limit(found, "L2")["headroom"]) == (pytest.approx(20), pytest.approx(0))
    assert limit(found, "transformer")["other"] == pytest.approx(4.6)
    # Without currents the rest is spread over the lines.
    made = window({"p1": {"power_kw": 7.36}}, {"power_kw": 7.36 + 6.9}, transformer_kva=22.08)
    assert limit(advice(made), "L3")["other"] == pytest.approx(10)


def test_other_loads_alone_may_be_too_much() -> None:
    found = advice(window({"p1": {"power_kw": 1.0}}, {"power_kw": 21.0}))
    assert amps(found) == {"p1": 0}
    assert limit(found, "contract")["headroom"] == pytest.approx(14.72 - 20)
    assert "contract" in found["text"]["en"]
    assert found["change"]


def test_a_vehicle_that_takes_less_than_offered_leaves_the_rest_to_others() -> None:
    three = {p: {"power_kw": 7.36, "offered_a": 32.0} for p in ("p1", "p2", "p3")}
    three["p1"]["power_kw"] = 2.3  # 10 A of 32
    assert amps(advice(window(three))) == {"p1": 11, "p2": 27, "p3": 26}
    held = {**three, "p1": {"power_kw": 2.3, "offered_a": 10.0}}
    assert amps(advice(window(held))) == {"p1": 22, "p2": 21, "p3": 21}


def test_who_waits_counts_and_who_does_not_want_or_is_gone_does_not() -> None:
    found = advice(window({
        "p1": {"state": "SuspendedEVSE", "power_kw": 0.0}, "p2": {"state": "SuspendedEV", "power_kw": 0.0},
        "p3": {"power_kw": 7.36, "until_min": 5},
    }))
    # p3 fell silent while it charged: its 32 A are set aside.
    assert amps(found) == {"p1": 32}
    assert limit(found, "contract")["other"] == pytest.approx(7.36)
    none = advice(window({"p2": {"state": "Available", "power_kw": 0.0}}))
    assert (none["ports"], none["power_kw"], none["change"]) == ([], 0, False)


def test_rates_that_a_port_can_be_set_to() -> None:
    ports = [
        {"id": "p1", "rated_kw": 7.36, "rates_a": [8, 16, 24, 32]}, {"id": "p2", "rated_kw": 22},
        {"id": "p3", "rated_kw": 1.0}, {"id": "p4", "rated_kw": 11, "phases": 2, "min_current_a": 8.5},
    ]
    made = network_of(station_of("charging", ports=ports, line_limit_a=50), ["p1", "p2", "p3", "p4"])
    assert not isinstance(made, str)
    rates = [r.tolist() for r in made.site.rates_a]
    assert rates[0] == [0, 8, 16, 24, 32]
    assert rates[1][:2] == [0, 6]
    assert rates[1][-2:] == pytest.approx([31, 22_000 / 690])
    assert rates[2] == [0]
    assert rates[3][1] == 9
    assert made.lines == (None, "L1-L3", None, None)
    assert made.limits == ("L1", "L2", "L3")
    assert np.abs(made.site.weight[0]) == pytest.approx([1 / 3, 1, 1 / 3, 1 / 3])


def test_what_is_missing_is_said() -> None:
    unrated = air_window(station_of("charging", ports=[{"id": "p9"}], contract_kw=9), MINUTES, {})
    assert "rated_kw of p9" in str(ordered_advice(unrated, {}))
    bare = air_window(station_of("charging", ports=PORTS), MINUTES, {})
    assert "transformer_kva, contract_kw or line_limit_a" in str(ordered_advice(bare, {}))
    silent = air_window(station_of("charging", ports=PORTS, contract_kw=9, site_meters=[{"id": "m"}]), MINUTES, {})
    assert "silent" in str(ordered_advice(silent, {}))
    with pytest.raises(ConfigError, match="line"):
        station_of("charging", ports=[{"id": "p1", "line": "L4"}])


def day(ports: dict[str, list[tuple[int, int, float, dict[str, Any]]]], **table: Any) -> Window:
    """Return a day; port -> stays (first and end minute, power, more gauges)."""
    runs, amounts = [], {}
    for name, stays in ports.items():
        gauges: dict[str, list[float | None]] = {"power_kw": [0.0] * 1440}
        for first, end, kw, more in stays:
            runs.append({"device": name, "state": more.get("state", "Charging"), "start_ms": START_MS + first * 60_000,
                         "end_ms": START_MS + end * 60_000, "energy_n": 1, "peak_kw": kw})
            if end < 1440:
                runs.append({"device": name, "state": "Available", "start_ms": START_MS + end * 60_000,
                             "end_ms": START_MS + (end + 1) * 60_000})
            for gauge, value in {"power_kw": kw, **more}.items():
                if gauge != "state":
                    gauges.setdefault(gauge, [None] * 1440)[first:end] = [value] * (end - first)
        amounts["port", name] = gauges
    keys = {"ports": PORTS, "contract_kw": 7.36, **table}
    return air_window(station_of("charging", **keys), 1440, amounts, runs={"port": runs_of(runs)})


def score(made: Window) -> dict[str, Any]:
    found = scorecard(made)
    assert not isinstance(found, str), found
    return found


def test_the_score_of_a_control_that_shared_evenly() -> None:
    """Two want 7.36 kWh, one within the hour, one within two; the control gave each half of 7.36 kW for an hour."""
    found = score(day({
        "p1": [(60, 120, 3.68, {"requested_kwh": 7.36, "offered_a": 16.0})],
        "p2": [(60, 180, 3.68, {"requested_kwh": 7.36, "offered_a": 16.0})],
    }))
    assert (found["stays"], found["requests"], found["demand_kwh"]) == (2, 2, pytest.approx(14.72))
    assert found["actual"] == {
        "delivered": pytest.approx(0.75), "met": 0.5, "peak_kw": 7.36, "violation_min": 0, "curtailed_min": 180,
    }
    # The offer was lower than the port can do and they took all of it: they are taken to be as strong as the port.
    assert found["advice"] == {
        "delivered": 1, "met": 1, "peak_kw": pytest.approx(7.36), "violation_min": 0, "curtailed_min": 60,
    }
    weak = score(day({"p1": [(60, 120, 3.68, {"requested_kwh": 7.36})]}))
    assert weak["advice"]["delivered"] == pytest.approx(0.5)


def test_violations_are_the_controls_and_not_the_advices() -> None:
    strong = {"requested_kwh": 7.36}
    found = score(day({
        "p1": [(60, 119, 3.68, strong), (300, 301, 7.36, {"requested_kwh": 0.05})],
        "p2": [(60, 180, 3.68, strong), (300, 301, 7.36, {"requested_kwh": 0.05})],
    }, contract_kw=3.68))
    assert found["actual"]["violation_min"] == 60
    assert found["actual"]["peak_kw"] == pytest.approx(14.72)
    assert found["advice"]["peak_kw"] <= 3.68
    assert found["advice"]["violation_min"] == 0


def test_stays_across_the_edges_are_other_loads() -> None:
    made = day({"p1": [(60, 120, 3.68, {})], "p2": [(100, 1440, 7.36, {})]})
    found = score(made)
    assert (found["stays"], found["requests"]) == (1, 0)
    # From minute 100 on nothing is left for p1.
    assert found["advice"]["delivered"] == pytest.approx(2 / 3)
    assert found["advice"]["peak_kw"] == pytest.approx(7.36)
    assert found["actual"]["violation_min"] == 20
    assert "no vehicle" in str(scorecard(day({"p1": []})))


def plugged(minutes: range, **more: float) -> list[Reading]:
    found = []
    for m in minutes:
        at = T0 + 60_000 * m
        for port, hours in (("p1", 8), ("p2", 1)):
            values = {"power_kw": 6.0, "energy_kwh": m / 10, "departure": float(T0 + hours * 3_600_000), **more}
            found.append(reading("port", port, at, values=values, codes={"status": "Charging", "session_id": "x"}))
    return found


def record(tmp_path: Path, readings: list[Reading]) -> dict[str, Any]:
    river = River(tmp_path, readings)
    river.put_registry({"stations": {"s": {"kind": "charging", "contract_kw": 7.36, "ports": PORTS[:2]}}})
    river.write(readings)
    for _ in range(7):
        river.tick()
    river.work()
    return dict(msgspec.json.decode(StateReader.open(tmp_path / "state.db").advice("s") or b"{}"))


@pytest.mark.parametrize(("requested", "missing"), [
    (lambda _: {"requested_kwh": 5.0}, 5 - 2.0),  # said again and again
    (lambda m: {"requested_kwh": 5.0} if m == 0 else {}, 5 - 2.0),  # said once
    (lambda m: {"requested_kwh": 5.0 - m / 10}, 3.0),  # counted down
    (lambda m: {"requested_kwh": 5.0 if m < 10 else 8.0}, 8 - 0.9),  # raised by the driver, to be had from then on
])
def test_a_request_counts_from_when_it_was_first_said(tmp_path: Path, requested: Any, missing: float) -> None:
    readings = [r for m in range(21) for r in plugged(range(m, m + 1), **requested(m))]
    found = record(tmp_path, readings)
    (item,) = (i for i in found["items"] if i["type"] == "ordered_charging")
    assert amps(item) == {"p1": 0, "p2": 32}
    for port in item["ports"]:
        assert port["missing_kwh"] == pytest.approx(missing, abs=0.11)
        assert port["by"] == "laxity"
    assert "no vehicle came" in found["reasons"]["scorecard"]


def test_what_an_earlier_vehicle_asked_for_is_forgotten(tmp_path: Path) -> None:
    readings = plugged(range(5), requested_kwh=5.0)
    readings += [reading("port", p, T0 + 300_000, codes={"status": "Available"}) for p in ("p1", "p2")]
    readings += [
        reading("port", p, T0 + 60_000 * m, values={"power_kw": 6.0}, codes={"status": "Charging", "session_id": "y"})
        for m in range(6, 12) for p in ("p1", "p2")
    ]
    (item,) = (i for i in record(tmp_path, readings)["items"] if i["type"] == "ordered_charging")
    assert amps(item) == {"p1": 16, "p2": 16}
    assert [(p["by"], p["departure"], p["missing_kwh"]) for p in item["ports"]] == [("share", None, None)] * 2
