"""A leak is marked repaired over HTTP, and the next nights of made stations verify it."""

from dataclasses import replace
from typing import Any

import pytest
from api_support import T0, Client, client_of, problem, take, transition

from analytics.air import air_minutes
from analytics.leak_trend import growth_of
from analytics.nights import places
from analytics.window import Window
from api.bodies.notice import Notice
from api.bodies.words import message
from api.desk import list_audit
from api.repairs import Repairs
from api.schemas import webhook_schema
from api.services import Services
from api.sources import Sources
from benchmarks.leak_stations import START_MS, Event, make
from store.buckets import join_buckets
from telemetry.config import Config
from telemetry.times import DAY_MS, HOUR_MS, format_time

BODY = {"by": "Li", "note": "gasket changed"}
EVIDENCE = {"leak_m3_min": 1.5, "level_m3_min": 2.0, "place": "network"}
LEAK: dict[str, Any] = {
    "station": "isle", "rule": "leak", "category": "leak", "severity": "warning", "device": "main",
    "device_kind": "air_main", "evidence": EVIDENCE,
}
SEED, SHARE = 5, 0.1
FIRED_DAY, MARKED_DAY = 13, 14


def mark(client: Client, body: dict[str, str] = BODY) -> dict[str, Any]:
    answer = client.post("/api/v1/alerts/a1/repaired", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_mark_is_an_event_a_taking_on_and_shown_everywhere(services: Services, client: Client) -> None:
    take(services, transition(**LEAK))
    done = mark(client)
    repair = done["repair"]
    assert {k: repair[k] for k in ("by", "note", "state", "nights", "leak_m3_min")} == {
        **BODY, "state": "verifying", "nights": [], "leak_m3_min": None}
    assert done["acknowledgement"] == {**BODY, "at": repair["at"]}
    assert mark(client)["sequence"] == done["sequence"] == 2, "the same twice is one"
    events = client.get("/api/v1/events").json()["items"]
    assert [e["type"] for e in events] == ["alert.firing", "alert.acknowledged"]
    assert events[1]["data"]["repair"] == repair
    assert set(webhook_schema("alert.updated")["properties"]["data"]["properties"]["repair"]["required"]) <= set(repair)
    noted = list_audit(services.desk.reader, None, 10)
    assert [(a["action"], a["subject"]) for a in noted] == [("repaired", "a1")]
    take(services, transition(type_="alert.resolved", number=2, **LEAK))
    assert client.get("/api/v1/alerts/a1").json()["repair"] == repair, "the desk keeps it"
    problem(client.post("/api/v1/alerts/a1/repaired", json=BODY), 409)


def test_who_took_it_on_stays_who_did(services: Services, client: Client) -> None:
    take(services, transition(**LEAK))
    client.post("/api/v1/alerts/a1/ack", json={"by": "Wang"})
    assert mark(client)["acknowledgement"]["by"] == "Wang"


@pytest.mark.parametrize("changes", [{"rule": "leak_level"}, {"evidence": {}}])
def test_only_what_nights_can_verify_is_marked(services: Services, client: Client, changes: dict[str, Any]) -> None:
    take(services, transition(**LEAK | changes))
    problem(client.post("/api/v1/alerts/a1/repaired", json=BODY), 409)
    assert "repair" not in client.get("/api/v1/alerts/a1").json()


def test_wrong_calls_are_named(services: Services, client: Client) -> None:
    take(services, transition(**LEAK))
    assert "a9" in problem(client.post("/api/v1/alerts/a9/repaired", json=BODY), 404)["detail"]
    problem(client.post("/api/v1/alerts/a1/repaired", json={}), 422)


class Nights(Sources):
    """A made station whose leak of 10 % begins on its eleventh day, as far as it has been analysed."""

    def __init__(self, config: Config, *, gone_ms: int | None) -> None:
        super().__init__(config)
        self.complete_ms = 0
        self.looks = 0
        leaking, sound = (make(SEED, Event("leak", share)).window for share in (SHARE, 0.0))
        self.made = leaking if gone_ms is None else replace(leaking, minutes={
            kind: join_buckets([rows.take(rows.start_ms < gone_ms), after.take(after.start_ms >= gone_ms)])
            for (kind, rows), after in zip(leaking.minutes.items(), sound.minutes.values(), strict=True)})

    def watermark_ms(self, station: str) -> int:
        return self.complete_ms

    def window(self, station: str, from_ms: int, to_ms: int, *, extremes: bool = False) -> Window:
        self.looks += 1
        kept = {k: rows.take((rows.start_ms >= from_ms) & (rows.start_ms < to_ms)) for k, rows in
                self.made.minutes.items()}
        return replace(self.made, from_ms=max(from_ms, START_MS), to_ms=to_ms, now_ms=to_ms, minutes=kept)


def follow(services: Services, client: Client, *, gone: bool) -> tuple[Nights, list[tuple[int, dict[str, Any]]]]:
    """Mark a leak at noon of a day, let a look be taken each hour, and return each change as (day, alert)."""
    marked_ms = START_MS + MARKED_DAY * DAY_MS + 12 * HOUR_MS
    nights = Nights(services.config, gone_ms=marked_ms if gone else None)
    before = nights.window("isle", START_MS, START_MS + FIRED_DAY * DAY_MS + 6 * HOUR_MS)
    found = next(n for n in places(air_minutes(before)) if n.place == "network")
    growth = growth_of(found)
    assert growth.leak_m3_min > 0
    evidence = {"leak_m3_min": growth.leak_m3_min, "level_m3_min": growth.level_m3_min, "place": "network"}
    take(services, transition(**LEAK | {"evidence": evidence}))
    alert = client.get("/api/v1/alerts/a1").json()
    assert alert["device"] == found.device
    services.sources = nights
    services.sources.now_ms = lambda _station: marked_ms  # type: ignore[method-assign]
    mark(client)
    repairs = Repairs(services.desk, nights)
    told = []
    for hour in range(48):
        nights.complete_ms = marked_ms + hour * HOUR_MS
        if hour == 30:
            repairs = Repairs(services.desk, nights)  # a restart
        changed = repairs.step()
        assert repairs.step() == 0, "nothing new within the hour"
        if changed:
            told.append(((nights.complete_ms - START_MS) // DAY_MS, client.get("/api/v1/alerts/a1").json()))
    return nights, told


def test_a_repair_is_verified_by_the_second_quiet_night(services: Services, client: Client) -> None:
    nights, told = follow(services, client, gone=True)
    assert [day for day, _ in told] == [MARKED_DAY + 2]
    alert = told[0][1]
    repair = alert["repair"]
    assert repair["state"] == "verified"
    ends_ms = [START_MS + day * DAY_MS + 5 * HOUR_MS for day in (MARKED_DAY + 1, MARKED_DAY + 2)]
    assert repair["nights"] == [format_time(end) for end in ends_ms]
    assert repair["leak_m3_min"] < 0.2 * repair["size_m3_min"]
    assert alert["acknowledgement"]["by"] == "Li"
    assert [t["type"] for t in alert["transitions"]] == ["alert.firing", "alert.acknowledged", "alert.updated"]
    looks = nights.looks
    nights.complete_ms += DAY_MS
    assert Repairs(services.desk, nights).step() == 0
    assert nights.looks == looks, "what is verified is not looked at any more"


def test_a_leak_that_is_still_there_is_reopened_after_one_night(services: Services, client: Client) -> None:
    _, told = follow(services, client, gone=False)
    assert [day for day, _ in told] == [MARKED_DAY + 1]
    alert = told[0][1]
    repair = alert["repair"]
    assert (repair["state"], len(repair["nights"])) == ("leaking", 1)
    assert repair["leak_m3_min"] == pytest.approx(repair["size_m3_min"], rel=0.2)
    assert alert["acknowledgement"] is None, "nobody's again"
    words = message([Notice("alert.updated", T0, alert)], "en")
    assert any("still leaking" in text and "reopened" in text for _, text in words.lines)
    again = mark(client, BODY)
    assert (again["repair"]["state"], again["acknowledgement"]["by"]) == ("verifying", "Li")


def test_the_marks_of_a_station_stand_in_its_leaks(services: Services) -> None:
    client = client_of(services)
    take(services, transition(**LEAK))
    repair = mark(client)["repair"]
    asked = f"from={T0 - HOUR_MS}&to={T0 + HOUR_MS}"
    found = client.get(f"/api/v1/stations/isle/leaks?{asked}").json()["repairs"]
    assert found == [{"alert": "a1", "device": "main", "place": "network", **repair}]
    assert client.get(f"/api/v1/stations/isle/leaks?from={T0 - 2 * HOUR_MS}&to={T0 - HOUR_MS}").json()["repairs"] == []
