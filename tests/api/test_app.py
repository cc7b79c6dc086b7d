"""Every call over HTTP: shapes and problems."""

import base64
import json
import sqlite3
from typing import Any

import pytest
from api_support import (
    T0,
    Client,
    Clock,
    client_of,
    problem,
    put_ports,
    receiver,
    take,
    transition,
)

from analytics.shelf import LONG_AGO
from api.deliver import Deliverer
from api.post import Poster
from api.services import Services
from store.deadletters import DeadLetter, DeadLetterWriter
from store.journal import JournalWriter, Totals
from store.roles import ROLES, RoleStatus, wall_ms, write_status
from store.sqlite import connect


@pytest.mark.parametrize(
    ("path", "status", "named"),
    [
        ("/api/v1/nope", 404, "/api/v1/nope"),
        ("/nope.html", 404, "/nope.html"),
        ("/api/v1/stations/atlantis", 404, "atlantis"),
        ("/api/v1/stations/atlantis/kpis", 404, "atlantis"),
        ("/api/v1/groups/nobody/kpis", 404, "nobody"),
        ("/api/v1/alerts/a99", 404, "a99"),
        ("/api/v1/alerts?limit=0", 422, "'limit' = '0'"),
        ("/api/v1/alerts?limit=ten", 422, "'limit' = 'ten'"),
        ("/api/v1/alerts?state=on", 422, "'state' = 'on'"),
        ("/api/v1/alerts?from=yesterday", 422, "'yesterday'"),
        ("/api/v1/alerts?cursor=x", 422, "'x'"),
        ("/api/v1/stations/harbour/kpis?from=2026-01-01T00:00:00", 422, "2026-01-01T00:00:00"),
        ("/api/v1/stations/harbour/kpis?from=2000&to=1000", 422, "1000"),
        ("/api/v1/stations/atlantis/advice", 404, "atlantis"),
        ("/api/v1/stations/harbour/statement?month=2026-11", 422, "harbour"),
        ("/api/v1/stations/isle/statement?month=2026-13", 422, "2026-13"),
        ("/api/v1/stations/isle/statement", 422, "month"),
        ("/api/v1/series?measurement=nope&field=x", 422, "'nope'"),
        ("/api/v1/series?measurement=port", 422, "'field'"),
        ("/api/v1/series?measurement=port&field=power_kw&step=fast", 422, "'fast'"),
        ("/api/v1/series?measurement=port&field=power_kw&step=%C2%B2", 422, "is no duration"),
        ("/api/v1/series?measurement=port&field=power_kw&step=" + "9" * 5_000, 422, "is no duration"),
        ("/api/v1/series?measurement=port&field=power_kw&cursor=" + "9" * 5_000, 422, "is none of ours"),
        ("/api/v1/series?measurement=port&field=power_kw&agg=median", 422, "median"),
        ("/api/v1/webhooks/ep_9", 404, "ep_9"),
        ("/schemas/alert.nope.json", 404, "alert.nope"),
    ],
)
def test_problems_name_the_value(client: Client, path: str, status: int, named: str) -> None:
    assert named in problem(client.get(path), status)["detail"]


def test_wrong_methods_and_bodies_are_problems_too(client: Client) -> None:
    problem(client.put("/api/v1/alerts", json={}), 405)
    problem(client.post("/api/v1/silences", json={"by": "Li"}), 422)
    bad = client.post("/api/v1/silences", content=b"{", headers={"content-type": "application/json"})
    problem(bad, 422)


def test_an_unforeseen_error_is_a_problem(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_station: str) -> Any:
        raise RuntimeError

    monkeypatch.setattr(type(services.sources), "devices", lambda _self, _station: broken(_station))
    assert "RuntimeError" in problem(client_of(services).get("/api/v1/stations"), 500)["detail"]


def test_stations(services: Services, client: Client) -> None:
    take(services, transition(severity="warning"))
    items = client.get("/api/v1/stations").json()["items"]
    assert [(i["station"], i["kind"], i["name"], i["health"]) for i in items] == [
        ("harbour", "charging", "Harbour", "yellow"), ("isle", "compressed_air", "isle", "grey")
    ]
    assert items[0]["firing"] == {"critical": 0, "warning": 1, "info": 0}
    assert items[0]["devices"] == {"total": 2, "online": 0, "offline": 0, "unregistered": 0}
    assert items[0]["groups"] == ["zhoushan"]
    one = client.get("/api/v1/stations/harbour").json()
    assert [(d["device"], d["name"], d["online"]) for d in one["devices"]] == [
        ("p001", "Bay 1", None), ("p002", "p002", None)
    ]
    first = client.get("/api/v1/stations?limit=1").json()
    assert (len(first["items"]), first["next_cursor"]) == (1, "1")
    rest = client.get("/api/v1/stations?limit=1&cursor=1").json()
    assert (rest["items"][0]["station"], rest["next_cursor"]) == ("isle", None)


def test_devices_as_they_were_heard_last(services: Services, client: Client, clock: Clock) -> None:
    ports = {
        "p001": {"newest_ms": T0 - 1000, "state": "Charging", "power_kw": 6.9, "session": "s1"},
        "p002": {"first_ms": T0 - 400_000, "newest_ms": T0 - 400_000, "state": "Available"},
        "px": {"newest_ms": T0, "state": "Faulted", "hold_ms": 0},
    }
    put_ports(services.config.data, "harbour", ports)
    put_ports(services.config.data, "wild", {"q": {"newest_ms": T0, "state": "Available"}})
    one = client.get("/api/v1/stations/harbour").json()
    shown = [(d["device"], d["online"], d["state"], d["registered"], d["values"]) for d in one["devices"]]
    assert shown == [
        ("p001", True, "Charging", True, {"power_kw": 6.9, "session_id": "s1"}),
        ("p002", False, "Available", True, {}), ("px", False, "Faulted", False, {}),
    ]
    assert one["last_seen"] == "2026-11-18T11:06:40.000Z"
    assert one["first_seen"] == "2026-11-18T11:00:00.000Z"
    assert one["health"] == "green"
    items = client.get("/api/v1/stations").json()["items"]
    assert [i["station"] for i in items] == ["harbour", "isle", "wild"]
    assert items[0]["devices"] == {"total": 3, "online": 1, "offline": 2, "unregistered": 1}


def online(client: Client) -> list[bool | None]:
    return [d["online"] for d in client.get("/api/v1/stations/harbour").json()["devices"]]


def test_what_voltair_did_not_hear_is_no_silence(services: Services, client: Client, clock: Clock) -> None:
    ports = {
        "p001": {"newest_ms": T0, "state": "Charging"}, "p002": {"newest_ms": T0 - 400_000, "state": "Available"}
    }
    put_ports(services.config.data, "harbour", ports)
    assert online(client) == [True, False]
    clock.forward(16)
    assert online(client) == [None, False]
    db = connect(services.config.data / "state.db")
    db.execute("UPDATE station SET now_ms = ?", (T0 + 16_000,))
    assert online(client) == [True, False]
    db.execute("INSERT INTO deaf VALUES(?, ?)", (T0 - 350_000, T0 - 100_000))
    assert online(client) == [True, None]
    db.close()


def test_alerts_and_events(services: Services, client: Client) -> None:
    take(services, transition(), transition("a2", severity="info"), transition(type_="alert.resolved", number=2))
    alerts = client.get("/api/v1/alerts").json()
    assert [a["id"] for a in alerts["items"]] == ["a1", "a2"]
    assert alerts["next_cursor"] is None
    assert [t["sequence"] for t in alerts["items"][0]["transitions"]] == [1, 2]
    assert client.get("/api/v1/alerts?state=firing").json()["items"][0]["id"] == "a2"
    assert client.get("/api/v1/alerts?severity=warning").json()["items"] == []
    first = client.get("/api/v1/alerts?limit=1").json()
    rest = client.get("/api/v1/alerts", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert (rest["items"][0]["id"], rest["next_cursor"]) == ("a2", None)
    events = client.get("/api/v1/events").json()["items"]
    assert [(e["n"], e["type"], e["data"]["sequence"]) for e in events] == [
        (1, "alert.firing", 1), (2, "alert.firing", 1), (3, "alert.resolved", 2)
    ]
    assert [e["n"] for e in client.get("/api/v1/events?after=2").json()["items"]] == [3]
    page = client.get("/api/v1/events?limit=2").json()
    assert page["next_cursor"] == "2"
    assert client.get("/api/v1/alerts/a1").json()["state"] == "resolved"


def test_acknowledging(services: Services, client: Client) -> None:
    take(services, transition())
    done = client.post("/api/v1/alerts/a1/ack", json={"by": "Li", "note": "coming"}).json()
    assert done["acknowledgement"]["by"] == "Li"
    again = client.post("/api/v1/alerts/a1/ack", json={"by": "Li", "note": "coming"}).json()
    assert again["sequence"] == done["sequence"] == 2
    events = client.get("/api/v1/events").json()["items"]
    assert [e["type"] for e in events] == ["alert.firing", "alert.acknowledged"]
    assert problem(client.post("/api/v1/alerts/a9/ack", json={"by": "Li"}), 404)
    problem(client.post("/api/v1/alerts/a1/ack", json={}), 422)


def test_silences_and_exclusions(client: Client) -> None:
    made = client.post("/api/v1/silences", json={"matchers": {"station": "isle"}, "to": T0 + 60_000, "by": "Li"})
    assert made.status_code == 201
    assert made.json()["from"] == "2026-11-18T11:06:40.000Z"
    assert client.get("/api/v1/silences").json()["items"] == [made.json()]
    assert "colour" in problem(
        client.post("/api/v1/silences", json={"matchers": {"colour": "red"}, "to": T0 + 1, "by": "Li"}), 422
    )["detail"]
    problem(client.post("/api/v1/silences", json={"matchers": {"rule": "x"}, "to": T0 - 1, "by": "Li"}), 422)
    path = f"/api/v1/silences/{made.json()['id']}"
    assert client.delete(path).status_code == 204
    problem(client.delete(path), 404)
    window = {"station": "harbour", "devices": ["p001"], "hours": "Sun 02:00-04:00", "by": "Li"}
    made = client.post("/api/v1/exclusions", json=window)
    assert made.status_code == 201
    assert client.get("/api/v1/exclusions?station=harbour").json()["items"] == [made.json()]
    assert client.get("/api/v1/exclusions?station=isle").json()["items"] == []
    problem(client.post("/api/v1/exclusions", json={**window, "hours": "Someday"}), 422)
    problem(client.post("/api/v1/exclusions", json={**window, "station": "atlantis"}), 404)
    problem(client.post("/api/v1/exclusions", json={**window, "hours": None}), 422)
    assert client.delete(f"/api/v1/exclusions/{made.json()['id']}").status_code == 204


def test_webhooks(services: Services, client: Client) -> None:
    url = "https://hooks.example.org/x"
    made = client.post("/api/v1/webhooks", json={"url": url})
    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    path = f"/api/v1/webhooks/{made.json()['id']}"
    assert "secret" not in client.get(path).json()
    assert client.patch(path, json={"format": "alertmanager"}).json()["format"] == "alertmanager"
    assert "telegram" in problem(client.patch(path, json={"format": "telegram"}), 422)["detail"]
    assert "10.0.0.1" in problem(client.post("/api/v1/webhooks", json={"url": "https://10.0.0.1/"}), 422)["detail"]
    problem(client.post("/api/v1/webhooks", json={"url": "http://example.org/"}), 422)
    take(services, transition())
    log = client.get(f"{path}/deliveries").json()["items"]
    assert [(d["type"], d["state"], d["attempts"]) for d in log] == [("alert.firing", "pending", 0)]
    assert client.get("/api/v1/progress").json()["deliveries_pending"] == 1
    problem(client.post(f"/api/v1/deliveries/{log[0]['id']}/replay", json={}), 409)
    assert client.patch(path, json={"enabled": False}).json()["enabled"] is False
    assert client.get(f"{path}/deliveries?state=dead").json()["items"][0]["last_error"].startswith("endpoint disabled")
    assert "PATCH" in problem(client.post(f"/api/v1/deliveries/{log[0]['id']}/replay", json={}), 409)["detail"]
    problem(client.post(f"{path}/test", json={}), 409)
    client.patch(path, json={"enabled": True})
    replayed = client.post(f"/api/v1/deliveries/{log[0]['id']}/replay", json={})
    assert (replayed.status_code, replayed.json()["state"]) == (202, "pending")
    assert client.delete(path).status_code == 204
    assert client.get("/api/v1/webhooks").json()["items"] == []
    audit = services.desk.reader.execute("SELECT action FROM audit ORDER BY n").fetchall()
    assert [a[0] for a in audit] == [
        "add webhook", "change webhook", "change webhook", "change webhook", "replay", "delete webhook"
    ]


def test_a_test_delivery_answers_what_came_of_it(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(parts: Services, message_id: str) -> Any:
        poster = Poster()
        await Deliverer(parts.desk, poster, clock_ms=parts.clock_ms).round()
        await poster.close()
        return find(parts.desk.reader, message_id)

    from api.outbox import find_delivery as find  # noqa: PLC0415

    monkeypatch.setattr("api.routes.webhooks._wait_for", at_once)
    client = client_of(services)
    with receiver() as hook:
        body = {"url": hook.url, "allow_private": ["127.0.0.0/8"]}
        endpoint = client.post("/api/v1/webhooks", json=body).json()["id"]
        done = client.post(f"/api/v1/webhooks/{endpoint}/test", json={}).json()
        assert (done["state"], done["last_status"], done["type"]) == ("delivered", 204, "webhook.test")
        assert hook.got[0].json["type"] == "webhook.test"
        hook.answer = lambda _: (500, {})
        done = client.post(f"/api/v1/webhooks/{endpoint}/test", json={}).json()
        assert (done["state"], done["last_status"]) == ("dead", 500)


def test_progress_counts_what_is_on_disk(services: Services, client: Client) -> None:
    data = services.config.data
    journal = JournalWriter.open(data / "journal", clock_mode="live")
    journal.tick(connected=True, now_ms=T0, totals=Totals(10, 9, 1, 2, 20))
    journal.close()
    db = connect(data / "state.db")
    for key, value in {"analysed": 18, "too_late": 1, "future": 2, "kind_mismatch": 3}.items():
        db.execute("INSERT INTO meta VALUES(?, ?)", (key, value))
    db.execute("INSERT INTO outbox(points, body) VALUES(5, x'00'), (5, x'00'), (5, x'00')")
    db.execute("INSERT INTO station VALUES('harbour', 'charging', ?, ?)", (T0, T0 - 1000))
    db.execute("INSERT INTO station VALUES('new', 'charging', ?, ?)", (T0, LONG_AGO))
    db.close()
    db = connect(data / "series.db")
    db.execute("CREATE TABLE meta(key TEXT PRIMARY KEY, value)")
    db.execute("INSERT INTO meta VALUES('written', 17), ('derived_cursor', 1)")
    db.close()
    found = client.get("/api/v1/progress").json()
    assert found == {
        "received": 10, "acknowledged": 9, "dead_lettered": 1, "rejected": 2, "journalled": 20, "written": 17,
        "analysed": 18, "too_late": 1, "future": 2, "kind_mismatch": 3, "lost": 0,
        "connected": False, "derived_pending": 2,
        "deliveries_pending": 0, "watermark": {"harbour": "2026-11-18T11:06:39.000Z", "new": None},
    }
    status = RoleStatus(
        role="ingest", pid=1, started_ms=0, updated_ms=wall_ms(), ready=True, gauges={"connected": 1.0}
    )
    write_status(data, status)
    assert client.get("/api/v1/progress").json()["connected"] is True
    status.updated_ms -= 3_001
    write_status(data, status)
    assert client.get("/api/v1/progress").json()["connected"] is False


def test_readiness(services: Services, client: Client) -> None:
    data = services.config.data
    found = client.get("/readyz")
    assert found.status_code == 503
    assert any("ingest has never run" in r for r in found.json()["reasons"])
    for role in ROLES:
        write_status(data, RoleStatus(role=role, pid=1, started_ms=0, updated_ms=wall_ms(), ready=True))
    assert (client.get("/readyz").status_code, client.get("/readyz").json()["status"]) == (200, "ready")
    down = RoleStatus(role="writer", pid=1, started_ms=0, updated_ms=wall_ms(), problems=["InfluxDB is away"])
    write_status(data, down)
    found = client.get("/readyz")
    assert (found.status_code, found.json()["status"]) == (200, "degraded")
    assert found.json()["reasons"] == ["writer: InfluxDB is away"]
    full = RoleStatus(role="ingest", pid=1, started_ms=0, updated_ms=wall_ms(), problems=["the journal is full"])
    write_status(data, full)
    assert "ingest: the journal is full" in client.get("/readyz").json()["reasons"]
    assert client.get("/readyz").status_code == 503
    full.ready, full.updated_ms = True, wall_ms() - 10_000
    write_status(data, full)
    assert client.get("/readyz").status_code == 503
    assert client.get("/livez").status_code == 200


def test_metrics(services: Services, client: Client) -> None:
    take(services, transition())
    status = RoleStatus(
        role="ingest", pid=1, started_ms=0, updated_ms=wall_ms(), gauges={"lag_s": 0.5}, counters={"unknown-keys": 3}
    )
    write_status(services.config.data, status)
    text = client.get("/metrics").text
    for line in (
        'voltair_alerts_firing{rule="port_faulted",severity="critical"} 1.0',
        "voltair_readings_journalled_total 0.0", 'voltair_role_up{role="ingest"} 1.0', "voltair_ingest_lag_seconds 0.5",
        "voltair_ingest_unknown_keys_total 3.0", 'voltair_deliveries{state="pending"} 0.0',
    ):
        assert line in text, line


def test_dead_letters(services: Services, client: Client) -> None:
    writer = DeadLetterWriter(services.config.data / "journal", 0)
    letters = [
        DeadLetter(time_ms=T0, topic="t/1", reason="no JSON", payload=b"{oops"),
        DeadLetter(time_ms=T0, topic="t/2", reason="no JSON", payload=b"\xff\x00", element=1),
    ]
    writer.add(letters, 1)
    writer.close()
    items = client.get("/api/v1/dead-letters").json()["items"]
    assert [(i["topic"], i["reason"], i["payload"]) for i in items] == [
        ("t/1", "no JSON", "{oops"), ("t/2", "no JSON", None)
    ]
    assert base64.b64decode(items[1]["payload_base64"]) == b"\xff\x00"
    page = client.get("/api/v1/dead-letters?limit=1").json()
    assert page["next_cursor"] == "1"


def test_documents_and_page(client: Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/api/v1/stations", "/api/v1/stream", "/api/v1/progress", "/readyz"} <= set(paths)
    docs = client.get("/docs")
    assert "/api/v1/stations/{station}/kpis" in docs.text
    assert "http://" not in docs.text.replace("http://127.0.0.1", "")
    schemas = client.get("/schemas/").json()["items"]
    assert {s["type"] for s in schemas} >= {"alert.firing", "alert.resolved", "webhook.test"}
    for item in schemas:
        assert client.get(item["url"]).json()["title"] == (item["type"] or item["format"])
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]


def test_nan_is_null(services: Services, client: Client) -> None:
    take(services, transition(value=None))
    db = sqlite3.connect(services.config.data / "state.db")
    body = json.dumps({**transition("a2"), "value": 1.5, "threshold": None})
    db.execute("INSERT INTO transition(id, alert, station, time_ms, body) VALUES('x', 'a2', 'harbour', 1, ?)", (body,))
    db.commit()
    db.close()
    while services.intake.take():
        pass
    items = client.get("/api/v1/alerts").json()["items"]
    assert [i["value"] for i in items] == [None, 1.5]
