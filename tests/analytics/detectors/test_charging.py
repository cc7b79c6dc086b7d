"""Each detector: a scene that must fire it, with its delay, and one that looks like it and must not."""

from collections.abc import Sequence
from typing import Any

import pytest
from naive.scenes import Act, fired, ramp, scene, told
from naive.windows import START_MS, buckets_of, station_of, window_of

PORT = {"id": "p", "rated_kw": 22, "phases": 3}


def fire(*acts: Act, **table: Any) -> dict[str, int]:
    station = station_of("charging", **{"ports": [PORT], **table})
    return fired(scene(station, {"p": acts}))


def charging(minutes: int, power_kw: float = 11.0, session: str = "S", **more: Any) -> Act:
    return Act(minutes, "Charging", session, power_kw, **more)


def lines(a: float, b: float, c: float) -> dict[str, float]:
    return {"current_l1_a": a, "current_l2_a": b, "current_l3_a": c}


def volts(a: float, b: float, c: float) -> dict[str, float]:
    return {"voltage_l1_v": a, "voltage_l2_v": b, "voltage_l3_v": c}


free, good = Act(5), Act(10, "Charging", "G", 11.0)
failed = [Act(3, "Preparing", "", 0.0), Act(2)]
lost = [Act(2), Act(8, None)]

FIRES: list[tuple[str, int, list[Act], dict[str, Any]]] = [
    # The minute in which it is told; what needs an event sees it at the end of the event's minute.
    # Waiting since minute 5; more than 15 min of it are over at the end of the 16th.
    ("stuck_status", 21, [free, Act(30, "Preparing")], {}),
    ("stuck_status", 21, [free, Act(30, "Reserved")], {}),
    ("stuck_status", 21, [free, Act(3, "Preparing"), Act(30, "Finishing")], {}),
    ("charging_without_power", 15, [free, charging(30, 0.03)], {}),
    ("power_while_available", 7, [free, Act(10, "Available", power_kw=3.0)], {}),
    ("zero_energy_sessions", 14, [*failed * 3, free], {}),
    ("session_over_long", 48 * 60 + 6, [free, charging(600, 0.5), Act(48 * 60 - 500, "SuspendedEV", "S")], {}),
    ("session_over_long", 24 * 60 + 6, [free, charging(25 * 60, 0.5)], {}),
    # 15.1 kW of 22: 250 kWh are over in the 994th minute.
    ("session_over_long", 5 + 994, [free, charging(1100, 15.1)], {}),
    ("session_overlap", 31, [charging(10, session="A"), charging(20, session="B"), charging(5, session="A")], {}),
    ("impossible_power", 6, [free, charging(5, 25.0)], {}),
    # The gauge is right, the register books 1.6 kWh in a minute.
    ("impossible_power", 6, [free, charging(5, 0.1, register_kw=96.0)], {}),
    ("port_meter_reset", 16, [free, good, charging(10, columns={"energy_resets": 1})], {}),
    ("meter_mismatch", 25, [free, charging(60, 11.0, register_kw=12.0)], {}),
    ("derating", 25, [charging(20, gauges={"temperature_c": ramp(30, 55, 20)}),
                      charging(30, 7.0, gauges={"temperature_c": ramp(56, 60, 30)})], {}),
    ("over_temperature", 7, [free, charging(9, gauges={"temperature_c": 85.0})], {}),
    ("phase_loss", 16, [free, charging(10, gauges=lines(16, 16, 16)), charging(5, gauges=lines(16, 0.2, 16))], {}),
    ("phase_loss", 11, [charging(10, gauges=lines(16, 16, 16)), charging(5, gauges=lines(16, 0.2, 16))],
     {"ports": [{"id": "p", "rated_kw": 22}]}),
    ("voltage_limits", 8, [free, Act(9, gauges=volts(250, 231, 230))], {}),
    ("voltage_limits", 8, [free, Act(9, gauges={"voltage_v": 250})], {}),
    ("voltage_limits", 8, [free, Act(9, gauges=volts(232, 231, 1))], {}),
    ("voltage_spread", 8, [free, Act(9, gauges=volts(236, 231, 220))], {}),
    ("transformer_overload", 11, [free, charging(10, 11.0)], {"transformer_kva": 10}),
    ("connector_lock", 11, [Act(5, columns={"lock_failures": 2}), Act(5), Act(2, columns={"lock_failures": 1}), free],
     {}),
    ("link_flapping", 61, [*lost * 6, free], {}),
    ("low_coverage", 74, [Act(90, "", power_kw=None)], {}),
]


@pytest.mark.parametrize(("rule", "minute", "acts", "table"), FIRES)
def test_it_fires_in_that_minute(rule: str, minute: int, acts: Sequence[Act], table: dict[str, Any]) -> None:
    assert fire(*acts, **table).get(rule) == minute


LOOKS_LIKE: list[tuple[str, list[Act], dict[str, Any]]] = [
    ("stuck_status", [free, Act(14, "Preparing"), charging(30)], {}),
    # A car that waits for its turn has a transaction.
    ("stuck_status", [free, Act(40, "Preparing", "S")], {}),
    # A car that stays after charging blocks the port, but the state is right.
    ("stuck_status", [free, charging(30), Act(60, "Finishing")], {}),
    ("charging_without_power", [free, charging(9, 0.0), charging(2, 2.0), charging(9, 0.0)], {}),
    ("charging_without_power", [free, charging(20, 11), Act(30, "SuspendedEV", "S")], {}),
    ("power_while_available", [free, charging(5), Act(1, "Available", power_kw=3.0), free], {}),
    # A register that is read after a silence, or seldom, spreads energy over minutes in which the port was free.
    ("power_while_available", [free, Act(10, power_kw=None, register_kw=3.0)], {}),
    ("impossible_power", [free, Act(1, power_kw=None, register_kw=90.0, columns={"energy_estimated_n": 1})], {}),
    ("zero_energy_sessions", [*failed * 2, good, *failed * 2, free], {}),
    ("session_over_long", [free, charging(600, 0.5), Act(30, "SuspendedEV", "S"), Act(30), charging(600, 0.5)], {}),
    ("session_overlap", [charging(10, session="A"), charging(20, session="B"), charging(5, session="C")], {}),
    ("impossible_power", [free, charging(5, 23.5)], {}),
    ("impossible_power", [free, charging(5, 50.0)], {"ports": [{"id": "p"}]}),
    ("port_meter_reset", [free, charging(10, columns={"energy_glitches": 1})], {}),
    ("meter_mismatch", [free, charging(60, 11.0, register_kw=11.4)], {}),
    # Little energy: the steps of the register decide.
    ("meter_mismatch", [free, charging(10, 2.0, register_kw=3.0), Act(60)], {}),
    # A car tapers by itself: by its charge, or while the port cools down.
    ("derating", [charging(20, gauges={"temperature_c": ramp(30, 55, 20), "soc_pct": 70}),
                  charging(30, 7.0, gauges={"temperature_c": ramp(56, 60, 30), "soc_pct": 85})], {}),
    ("derating", [charging(20, gauges={"temperature_c": ramp(30, 55, 20)}),
                  charging(30, 7.0, gauges={"temperature_c": ramp(54, 40, 30)})], {}),
    # Or while a cool port still warms up.
    ("derating", [charging(5, gauges={"temperature_c": ramp(22, 34, 5)}),
                  charging(30, 7.0, gauges={"temperature_c": ramp(35, 44, 30)})], {}),
    ("over_temperature", [free, charging(9, gauges={"temperature_c": 70.0})], {}),
    # A broken sensor is no heat.
    ("over_temperature", [free, charging(9, gauges={"temperature_c": 250.0})], {}),
    ("phase_loss", [free, charging(30, gauges=lines(16, 0, 0))], {}),
    ("phase_loss", [free, charging(30, gauges=lines(16, 16, 0))], {"ports": [{"id": "p", "rated_kw": 22}]}),
    ("phase_loss", [charging(10, gauges=lines(16, 16, 16)), Act(9, "SuspendedEV", gauges=lines(7, 0, 7))], {}),
    ("voltage_limits", [free, Act(9, gauges=volts(245, 231, 208))], {}),
    # The battery of a DC port, and voltages between lines.
    ("voltage_limits", [free, Act(9, gauges={"voltage_v": 750})], {}),
    ("voltage_limits", [free, Act(9, gauges=volts(400, 401, 399))], {}),
    ("voltage_limits", [free, Act(9, gauges=volts(130, 130, 130))], {"nominal_voltage_v": 127}),
    ("voltage_spread", [free, Act(9, gauges=volts(236, 231, 227))], {}),
    ("transformer_overload", [free, charging(4, 11.0), Act(20)], {"transformer_kva": 10}),
    ("connector_lock", [Act(5, columns={"lock_failures": 2}), Act(24 * 60 - 5),
                        Act(5, columns={"lock_failures": 1})], {}),
    ("link_flapping", [*lost * 5, free], {}),
    ("low_coverage", [Act(90), Act(60, None), Act(30)], {}),
]


@pytest.mark.parametrize(("rule", "acts", "table"), LOOKS_LIKE)
def test_what_looks_like_it_does_not_fire(rule: str, acts: Sequence[Act], table: dict[str, Any]) -> None:
    assert rule not in fire(*acts, **table)


def dark(volts: Sequence[float | None], power_kw: float) -> list[tuple[str, str | None, str, int]]:
    """Return what is told of a site meter with such a highest voltage in each minute; None: silent."""

    def rows(values: Sequence[float]) -> dict[str, int]:
        names = ("voltage_l1_v", "voltage_l2_v", "voltage_l3_v", "power_kw")
        gauges = dict(zip(names, (*values, power_kw), strict=True))
        return {"heard_ms": 60_000} | {
            k: v for name, value in gauges.items()
            for k, v in ((f"{name}_i", round(value * 1e6) * 60_000), (f"{name}_ms", 60_000))
        }

    minutes = {("m1", START_MS + 60_000 * i): rows((0.0, v, 1.0)) for i, v in enumerate(volts) if v is not None}
    window = window_of(
        station_of("charging", site_meters=[{"id": "m1"}]), len(volts), minutes={"site_meter": buckets_of(minutes)}
    )
    return [t for t in told(window) if t[0] == "site_power_loss"]


def test_a_site_without_voltage_is_dark_until_it_is_back() -> None:
    assert dark([231, 231, 2, 2, None, 60, 231], 0.0) == [
        ("site_power_loss", "m1", "firing", 3), ("site_power_loss", "m1", "resolved", 7)]


def test_a_dead_voltage_sensor_and_a_low_voltage_are_no_dark_site() -> None:
    assert dark([231, 0, 0, 0], 12.0) == []
    assert dark([231, 100, 100, 24], 0.0) == []


def test_a_good_day_fires_nothing() -> None:
    day = [free, Act(2, "Preparing", "S"), charging(120, gauges={**lines(16, 16, 16), **volts(231, 230, 229)}),
           Act(40, "SuspendedEV", "S"), Act(1, "Finishing", "S"), Act(30)]
    assert fire(*day, transformer_kva=100) == {}


def test_alerts_end_with_what_they_tell_of() -> None:
    window = scene(station_of("charging", ports=[PORT]), {"p": [free, Act(30, "Preparing"), charging(20)]})
    assert told(window) == [("stuck_status", "p", "firing", 21), ("stuck_status", "p", "resolved", 36)]


def test_silence_neither_fires_nor_resolves() -> None:
    hot = {"temperature_c": 85.0}
    acts = [charging(9, gauges=hot), Act(20, None), charging(5, gauges={"temperature_c": 60.0})]
    window = scene(station_of("charging", ports=[PORT]), {"p": acts})
    assert [t for t in told(window) if t[0] == "over_temperature"] == [
        ("over_temperature", "p", "firing", 2), ("over_temperature", "p", "resolved", 30),
    ]


def test_imbalance_of_the_site_in_share_of_its_rating() -> None:
    # 100 kVA at 230 V are 145 A a line: 40 A from the mean are 28 %, 10 A are 7 %.
    def site(amps: dict[str, float]) -> dict[str, int]:
        station = station_of("charging", transformer_kva=100, site_meters=[{"id": "m"}])
        acts = {"m": [Act(30, "", gauges={**amps, **volts(230, 230, 230)})]}
        return fired(scene(station, acts, "site_meter"))

    assert site(lines(80, 20, 20)) == {"current_imbalance": 16}
    # By the share of the mean this is 100 %.
    assert site(lines(20, 5, 5)) == {}
