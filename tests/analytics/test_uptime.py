from typing import Any

import numpy as np
import pytest
from naive.windows import START_MS, runs_of, station_of, window_of

from analytics.uptime import Exclusion, PortUptime, station_uptime, uptime_of

MIN = 60_000


def run(
    port: str, start_min: float, end_min: float, state: str = "Available", *, last_min: float | None = None
) -> dict[str, Any]:
    """Return a run; `last_min`: its last message, where a silence follows."""
    end_ms = START_MS + round(end_min * MIN)
    return {"device": port, "start_ms": START_MS + round(start_min * MIN), "end_ms": end_ms, "state": state,
            "last_ms": end_ms if last_min is None else START_MS + round(last_min * MIN)}


def uptimes(runs: list[dict[str, Any]], *, ports: list[dict[str, Any]] | None = None, exclusions: Any = (),
            minutes: int = 60, table: Any = None, **parts: Any) -> dict[str, PortUptime]:
    first = {("port", r["device"]): r["start_ms"] for r in reversed(runs)}
    station = station_of("charging", ports=ports or [], **(table or {}))
    window = window_of(station, minutes, **{"runs": {"port": runs_of(runs)}, "first_heard_ms": first, **parts})
    return {u.port: u for u in uptime_of(window, exclusions)}


def spans(port: PortUptime) -> list[tuple[float, float, str, bool]]:
    return [((o.from_ms - START_MS) / MIN, (o.to_ms - START_MS) / MIN, o.cause, o.excluded) for o in port.outages]


def test_silence_counts_from_the_last_message_to_the_next() -> None:
    port = uptimes([run("a", 0, 20, last_min=15), run("a", 30, 60)])["a"]
    assert spans(port) == [(15, 30, "offline", False)]
    assert (port.minutes, port.outage_min, port.excluded_min) == (60, 15, 0)
    assert port.uptime == pytest.approx(45 / 60)


def test_a_last_will_ends_the_device_at_its_own_time() -> None:
    # It had last spoken minutes before, and comes back within the minute.
    port = uptimes([run("a", 0, 20.2), run("a", 20.7, 60)])["a"]
    assert spans(port) == [(20.2, 20.7, "offline", False)]


def test_outages_are_a_union_and_the_silence_names_the_cause() -> None:
    port = uptimes([
        run("a", 0, 10), run("a", 10, 20, "Faulted", last_min=15), run("a", 30, 40, "Faulted"), run("a", 40, 60),
    ])["a"]
    assert spans(port) == [(10, 15, "faulted", False), (15, 30, "offline", False), (30, 40, "faulted", False)]
    assert port.outage_min == 30


def test_unavailable_within_an_exclusion_is_no_outage_and_faults_in_it_are_excluded() -> None:
    runs = [run("a", 0, 10, "Unavailable"), run("a", 10, 20, "Faulted"), run("a", 20, 60)]
    exclusion = Exclusion(START_MS + 5 * MIN, START_MS + 15 * MIN, "a")
    port = uptimes(runs, exclusions=[exclusion])["a"]
    assert spans(port) == [(0, 5, "unavailable", False), (10, 15, "faulted", True), (15, 20, "faulted", False)]
    assert (port.outage_min, port.excluded_min) == (15, 5)
    assert port.uptime == pytest.approx(50 / 60)


def test_an_exclusion_of_another_port_does_not_count() -> None:
    port = uptimes([run("a", 0, 10, "Faulted"), run("a", 10, 60)],
                   exclusions=[Exclusion(START_MS, START_MS + 60 * MIN, "b")])["a"]
    assert (port.outage_min, port.excluded_min) == (10, 0)


def test_hours_outside_opening_are_excluded() -> None:
    port = uptimes([run("a", 0, 30, "Faulted"), run("a", 30, 60)], table={"open_hours": "00:10-01:00"})["a"]
    assert (port.outage_min, port.excluded_min) == (30, 10)


def test_ports_of_one_charge_point_share_its_messages() -> None:
    runs = [run("a", 0, 60), run("b", 0, 20, last_min=15), run("b", 50, 60), run("c", 0, 20, last_min=15)]
    ports = [{"id": "a", "charge_point": "cp"}, {"id": "b", "charge_point": "cp"}, {"id": "c"}]
    found = uptimes(runs, ports=ports)
    assert found["b"].outage_min == 0
    assert spans(found["c"]) == [(15, 60, "offline", False)]


def test_no_message_since_commissioning_is_an_outage() -> None:
    ports = [{"id": "a", "commissioned": "2024-11-22T00:10:00"}, {"id": "b"},
             {"id": "c", "commissioned": "2024-01-01"}]
    found = uptimes([run("c", 20, 60)], ports=ports)
    assert spans(found["a"]) == [(10, 60, "offline", False)]
    assert (found["a"].minutes, found["a"].uptime) == (50, 0)
    # Without a date nothing says that the port should be there.
    assert (found["b"].minutes, found["b"].uptime, found["b"].outages) == (0, None, ())
    assert spans(found["c"]) == [(0, 20, "offline", False)]
    assert station_uptime(list(found.values())) == pytest.approx(40 / 110)


def test_without_a_date_time_counts_from_the_first_message() -> None:
    port = uptimes([run("a", 20, 60)])["a"]
    assert (port.minutes, port.outage_min, port.uptime) == (40, 0, 1)


def test_time_in_which_voltair_could_not_hear_is_no_outage() -> None:
    runs = [run("a", 0, 20, last_min=15), run("a", 30, 60)]
    deaf = np.array([[START_MS + 16 * MIN, START_MS + 29 * MIN]])
    assert uptimes(runs, deaf_ms=deaf)["a"].outages == ()
    deaf = np.array([[START_MS + 16 * MIN, START_MS + 20 * MIN]])
    assert spans(uptimes(runs, deaf_ms=deaf)["a"]) == [(15, 16, "offline", False), (20, 30, "offline", False)]


def test_a_silence_that_began_before_the_window_and_one_that_lasts() -> None:
    first = {("port", "a"): START_MS - 1000 * MIN}
    port = uptimes([run("a", 10, 40, last_min=35)], first_heard_ms=first, now_ms=START_MS + 50 * MIN)["a"]
    assert spans(port) == [(0, 10, "offline", False), (35, 50, "offline", False)]
    assert port.minutes == 50
    silent = uptimes([], first_heard_ms=first)["a"]
    assert (silent.outage_min, silent.uptime) == (60, 0)


def test_item_has_the_shape_of_the_call() -> None:
    assert uptimes([run("a", 0, 20, last_min=15), run("a", 30, 60)])["a"].item() == {
        "port": "a", "minutes": 60.0, "outage_min": 15.0, "excluded_min": 0.0, "uptime": 0.75,
        "outages": [{"from": "2024-11-22T00:15:00.000Z", "to": "2024-11-22T00:30:00.000Z", "cause": "offline",
                     "excluded": False}],
    }
