"""Alerts that nobody takes on reach a higher tier and are told again; silences, calendars, stations have their say."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from api_support import (
    T0,
    Clock,
    Receiver,
    deliver_once,
    endpoint,
    make_services,
    make_state,
    receiver,
    take,
    transition,
)

from api.endpoints import put_endpoint
from api.escalate import Escalator, due_tier
from api.services import Services
from api.silences import Silence, put_silence
from telemetry.config import Config, load_config
from telemetry.errors import ConfigError
from telemetry.notifying import BusinessCalendar, EscalationStep
from telemetry.registry import load_registry

STEPS = (EscalationStep(tier=2, after="15m"), EscalationStep(tier=3, after="1h", severities=("critical",)))
STATIONS = """
[stations.harbour]
kind = "charging"
[stations.isle]
kind = "compressed_air"
escalation = [{tier = 2, after = "2h"}]
[stations.quiet]
kind = "charging"
escalation = []
"""


@pytest.fixture
def hooks() -> Iterator[list[Receiver]]:
    with receiver() as first, receiver() as second:
        yield [first, second]


@pytest.fixture
def services(tmp_path: Path, clock: Clock, hooks: list[Receiver]) -> Iterator[Services]:
    make_state(tmp_path)
    (tmp_path / "stations.toml").write_text(STATIONS)
    made = make_services(Config(data_dir=str(tmp_path), stations=str(tmp_path / "stations.toml")), clock=clock)
    with made.desk.write() as db:
        put_endpoint(db, endpoint("ep_1", hooks[0].url))
        put_endpoint(db, endpoint("ep_2", hooks[1].url, tier=2))
    yield made
    made.desk.close()


def step(services: Services, clock: Clock, minutes: float) -> int:
    clock.forward(60 * minutes)
    escalator = Escalator(
        services.desk, STEPS, services.sources.registry, services.sources.now_ms, clock_ms=services.clock_ms
    )
    told = escalator.step()
    deliver_once(services)
    return told


def types(hook: Receiver) -> list[str]:
    return [g.json["type"].removeprefix("alert.") for g in hook.got]


def test_the_manager_is_told_when_nobody_takes_it_on(
    services: Services, clock: Clock, hooks: list[Receiver]
) -> None:
    take(services, transition(severity="warning"))
    assert step(services, clock, 14.9) == 0
    assert step(services, clock, 0.1) == 1
    assert step(services, clock, 500) == 0, "tier 3 is for critical alerts"
    take(services, transition(type_="alert.resolved", number=2, severity="warning"))
    deliver_once(services)
    assert types(hooks[0]) == ["firing", "escalated", "resolved"]
    assert types(hooks[1]) == ["escalated", "resolved"]
    data = hooks[1].got[0].json["data"]
    assert (data["tier"], data["sequence"], data["state"]) == (2, 2, "firing")
    assert hooks[1].got[1].json["data"]["sequence"] == 3
    events = services.desk.events(0, 10)
    assert [e.type for e in events] == ["alert.firing", "alert.escalated", "alert.resolved"]


def test_taking_it_on_ends_it(services: Services, clock: Clock, hooks: list[Receiver]) -> None:
    take(services, transition())
    services.desk.acknowledge("a1", "Li", "", time_ms=T0, now_ms=clock())
    assert step(services, clock, 90) == 0
    assert types(hooks[1]) == []


def test_each_station_has_its_own_steps(services: Services, clock: Clock, hooks: list[Receiver]) -> None:
    take(services, transition("a", station="isle"), transition("b", station="quiet"), transition("c"))
    assert step(services, clock, 60) == 1
    assert step(services, clock, 60) == 1
    assert [g.json["data"]["station"] for g in hooks[1].got] == ["harbour", "isle"]
    assert hooks[1].got[0].json["data"]["tier"] == 3, "a critical one that was late goes all the way at once"


def test_what_is_silenced_was_not_told(services: Services, clock: Clock, hooks: list[Receiver]) -> None:
    until = T0 + 3_600_000
    with services.desk.write() as db:
        put_silence(db, Silence(id="s", matchers={"rule": "port_faulted"}, from_ms=T0, to_ms=until, by="Li", reason=""))
    take(services, transition())
    assert step(services, clock, 30) == 0
    clock.ms = until
    assert services.intake.release() == 1
    assert step(services, clock, 14) == 0
    assert step(services, clock, 1) == 1
    assert types(hooks[0]) == ["firing", "escalated"]


def test_it_is_told_again_until_somebody_takes_it_on(
    services: Services, clock: Clock, hooks: list[Receiver]
) -> None:
    with services.desk.write() as db:
        put_endpoint(db, endpoint("ep_1", hooks[0].url, repeat="10m"))
        put_endpoint(db, endpoint("ep_2", hooks[1].url, tier=9))
    take(services, transition(station="quiet"))
    deliver_once(services)
    assert step(services, clock, 9) == 0
    assert step(services, clock, 1) == 1
    assert step(services, clock, 1) == 0
    assert step(services, clock, 9) == 1
    services.desk.acknowledge("a1", "Li", "", time_ms=T0, now_ms=clock())
    assert step(services, clock, 30) == 0
    assert types(hooks[0]) == ["firing", "firing", "firing", "acknowledged"]
    assert len({g.headers["webhook-id"] for g in hooks[0].got}) == 4
    assert [g.json["data"]["sequence"] for g in hooks[0].got] == [1, 1, 1, 2]
    assert len(services.desk.events(0, 10)) == 2, "a repeat is no transition"


def test_what_was_not_delivered_is_not_repeated(services: Services, clock: Clock, hooks: list[Receiver]) -> None:
    with services.desk.write() as db:
        put_endpoint(db, endpoint("ep_1", hooks[0].url, repeat="10m"))
    hooks[0].answer = lambda _: (404, {})
    take(services, transition(station="quiet"))
    deliver_once(services)
    assert step(services, clock, 20) == 0


def test_only_the_hours_of_its_calendar_count() -> None:
    office = BusinessCalendar(hours="Mon-Fri 08:00-18:00", timezone="Asia/Shanghai", holidays=(date(2026, 11, 19),))
    steps = [EscalationStep(tier=2, after="30m", calendar="office")]
    # T0 is Wednesday, 19:06 in Shanghai; Thursday is a holiday.
    friday = 1_795_132_800_000
    for now_ms, tier in ((T0 + 7_200_000, 1), (friday, 1), (friday + 1_799_999, 1), (friday + 1_800_000, 2)):
        assert due_tier(steps, "critical", T0, now_ms, {"office": office}) == tier


def test_wrong_settings_are_named(tmp_path: Path) -> None:
    for text, message in (
        ('[[alerts.escalation]]\ntier = 2\nafter = "soon"\n', "'soon' is no duration"),
        ('[[alerts.escalation]]\ntier = 1\nafter = "5m"\n', "tier"),
        ('[[alerts.escalation]]\ntier = 2\nafter = "5m"\ncalendar = "office"\n', "calendar 'office' is not there"),
        ('[calendars.office]\nhours = "sometimes"\n', "sometimes"),
        ('[calendars.office]\ntimezone = "Mars/Olympus"\n', "Mars/Olympus"),
    ):
        path = tmp_path / "voltair.toml"
        path.write_text(text)
        with pytest.raises(ConfigError, match=message):
            load_config(path, {})
    stations = tmp_path / "stations.toml"
    stations.write_text('[stations.x]\nkind = "charging"\nescalation = [{tier = 2, after = "soon"}]\n')
    with pytest.raises(ConfigError, match=r"stations\.x.*soon"):
        load_registry(stations)
