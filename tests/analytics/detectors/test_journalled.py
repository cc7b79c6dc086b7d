"""Detectors over the whole way: readings in the journal, buckets and runs, rules at the watermark."""

import sys
from pathlib import Path

from naive.readings import Reading
from naive.streams import reading

sys.path.insert(0, str(Path(__file__).parents[1]))
from journalled import T0, River


def told(tmp_path: Path, stream: list[Reading]) -> list[tuple[str, str, int]]:
    river = River(tmp_path, stream)
    river.put_registry({"stations": {"s": {"kind": "charging", "ports": [{"id": "p", "rated_kw": 22}]}}})
    for r in stream:
        river.write([r])
    for _ in range(8):
        river.tick()
    river.work()
    return [(rule, state, (time_ms - T0) // 60_000) for rule, state, time_ms in river.told()]


def port(minute: float, status: str, **values: float) -> Reading:
    codes = {"status": status}
    return reading("port", "p", T0 + round(60_000 * minute), values=values, codes=codes)


def with_error(minute: float, status: str, code: str, connector: str) -> Reading:
    return reading("port", "p", T0 + round(60_000 * minute),
                   codes={"status": status, "error_code": code, "connector": connector})


def test_a_register_that_begins_anew(tmp_path: Path) -> None:
    # It falls at minute 10; the third value after that decides.
    levels = [100 + i * 0.2 for i in range(10)] + [i * 0.2 for i in range(10)]
    stream = [port(i, "Charging", energy_kwh=v, power_kw=12) for i, v in enumerate(levels)]
    assert told(tmp_path, stream) == [("port_meter_reset", "firing", 14)]


def test_a_register_that_shows_zero_once(tmp_path: Path) -> None:
    levels = [100 + i * 0.2 for i in range(20)]
    levels[10] = 0
    assert told(tmp_path, [port(i, "Charging", energy_kwh=v, power_kw=12) for i, v in enumerate(levels)]) == []


def test_a_lock_that_fails_again_and_again_beside_a_good_connector(tmp_path: Path) -> None:
    # The port is never faulted: its other connector is free.
    stream = [with_error(0, "Available", "NoError", "2")]
    for i in range(3):
        stream += [with_error(10 * i + 1, "Faulted", "ConnectorLockFailure", "1"),
                   # Said again, not failed again.
                   with_error(10 * i + 2, "Faulted", "ConnectorLockFailure", "1"),
                   with_error(10 * i + 4, "Available", "NoError", "1")]
    stream += [with_error(t, "Available", "NoError", "1") for t in (7.5, 17.5, 27.5)]
    stream.sort(key=lambda r: r["time_ms"])
    assert [t for t in told(tmp_path, stream) if t[0] != "device_offline"] == [("connector_lock", "firing", 22)]


def test_one_lock_failure_that_is_repeated(tmp_path: Path) -> None:
    stream = [with_error(i, "Faulted", "ConnectorLockFailure", "1") for i in range(9)]
    assert [t[0] for t in told(tmp_path, stream)] == ["port_faulted"]


def test_a_fault_names_the_class_of_its_code_and_a_remedy(tmp_path: Path) -> None:
    river = River(tmp_path, stream := [with_error(0, "Available", "NoError", "1"),
                                       with_error(1, "Faulted", "MREC2GroundFailure", "1")])
    for r in stream:
        river.write([r])
    river.work()
    (evidence,) = river.db().execute("SELECT json_extract(body, '$.evidence') FROM transition").fetchone()
    for part in ("MREC2GroundFailure", '"error_class":"ground_fault"', '"error_cause":"charger"', "insulation"):
        assert part in evidence
