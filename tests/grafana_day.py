"""Two days of four small stations by the simulators, for dashboards over a whole running Voltair with InfluxDB."""

from collections.abc import Iterator

from simulators.faults import Fault
from simulators.message import Message, telemetry_topic
from simulators.scenario import Fleet, Scenario, ScenarioStation
from simulators.simulation import simulate_messages
from telemetry.times import DAY_MS, HOUR_MS, MINUTE_MS

FROM = 1_780_243_200_000
"""2026-06-01, midnight in Shanghai."""
TO = FROM + 2 * DAY_MS + 2 * HOUR_MS
"""The end of every range: two hours of a day that is not complete, after two whole days of the stations."""
AFTER_MS = 6 * MINUTE_MS
"""Readings go on after that, so that the last rows are complete."""
CHARGING, AIR = ("pier01", "pier02"), ("isle", "works")
STATIONS = (*CHARGING, *AIR)


def _fault(kind: str, station: str, device: str, at: str, lasts: str, error_code: str = "OtherError") -> Fault:
    return Fault(kind=kind, station=station, device=device, at=at, lasts=lasts, error_code=error_code)


SCENARIO = Scenario(
    text="Dashboards",
    start="2026-05-31T16:00:00Z",
    seed=5,
    step_s=60,
    warm_up="1h",
    fleets=(Fleet("kerb", "pier", (3, 2), {"report_s": 120, "arrivals_per_h": 6}),),
    stations={
        "isle": ScenarioStation(
            model={"report_s": 120},
            registry={"idle_hours": "Mon-Sun 00:00-05:00", "rules": {"leak_level": {"threshold": 0.05}}},
        ),
        "works": ScenarioStation(model={"report_s": 120, "customers": {"plastics": {"demand_m3_min": 20}}}),
    },
    faults=(
        _fault("port_fault", "pier01", "p001", "49h", "30m", error_code="GroundFailure"),
        _fault("silence", "pier02", "p002", "49h", "2h"),
        _fault("silence", "isle", "am1", "47h", "30m"),
        _fault("leak", "isle", "", "20h", "30h"),
        _fault("register_reset", "pier01", "p002", "49h", ""),
    ),
)


def messages() -> Iterator[Message]:
    """Return every message, and those of a port that is not listed."""
    yield from simulate_messages(SCENARIO, SCENARIO.seed, FROM, TO - FROM + AFTER_MS)
    for time_ms in range(TO - HOUR_MS, TO + AFTER_MS, MINUTE_MS):
        payload = b'{"ts": %d, "status": "Available", "power_kw": 0}' % time_ms
        yield Message(time_ms, telemetry_topic("pier01", "port", "x9"), payload)
