"""Who may call: hosts, kinds of bodies, tokens and the cookie."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_support import Client, client_of, config_of, make_services, make_state, problem, take, transition

from api.auth import check_listen, parse_tokens
from api.services import Services
from telemetry.config import ApiConfig
from telemetry.errors import ConfigError


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "localhost", "[::1]:8080", "volt.example"])
def test_own_hosts_are_served(tmp_path: Path, host: str) -> None:
    services = make_services(config_of(tmp_path, public_url="https://volt.example/"))
    assert client_of(services).get("/api/v1/stations", headers={"host": host}).status_code == 200
    services.desk.close()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1:8080", ""])
def test_foreign_hosts_are_refused(client: Client, host: str) -> None:
    for path in ("/api/v1/stations", "/", "/metrics"):
        assert "public_url" in problem(client.get(path, headers={"host": host}), 421)["detail"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_changing_calls_must_be_json(services: Services, client: Client, kind: str) -> None:
    take(services, transition())
    body = json.dumps({"by": "evil"}).encode()
    answer = client.post("/api/v1/alerts/a1/ack", content=body, headers={"content-type": kind} if kind else {})
    problem(answer, 415)
    assert client.get("/api/v1/alerts/a1").json()["acknowledgement"] is None


def test_without_tokens_only_the_loopback_is_served() -> None:
    for listen in ("0.0.0.0:8080", "192.168.1.5:80", "example.org:80", "[::]:8080"):
        with pytest.raises(ConfigError, match="VOLTAIR_API_TOKENS"):
            check_listen(ApiConfig(listen=listen), [])
        check_listen(ApiConfig(listen=listen), parse_tokens("a=b:read"))
    for listen in ("127.0.0.1:8080", "[::1]:8080", "localhost:8080", "127.8.8.8:1"):
        check_listen(ApiConfig(listen=listen), [])


def test_tokens_are_parsed_or_refused() -> None:
    for text in (
        "ops=s3cret:admin guest=a:b:read:harbour,isle", "guest=a:b:read:harbour,isle,ops=s3cret:admin",
        " ops=s3cret:admin,\n guest=a:b:read:harbour,isle",
    ):
        found = sorted(parse_tokens(text), key=lambda t: t.caller.name, reverse=True)
        assert [(t.token, t.caller.name, t.caller.admin, t.caller.stations) for t in found] == [
            ("s3cret", "ops", True, ()), ("a:b", "guest", False, ("harbour", "isle"))
        ]
    for text in ("ops", "ops=geheim", "ops=:admin", "=geheim:read", "ops=geheim:write"):
        with pytest.raises(ConfigError) as raised:
            parse_tokens(text)
        assert "geheim" not in str(raised.value)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Client]:
    tokens = "ops=root:admin eye=look:read isle=air:admin:isle"
    services = make_services(config_of(tmp_path, listen="0.0.0.0:8080", tokens=tokens))
    make_state(services.config.data)
    take(services, transition(), transition("b1", station="isle"))
    yield client_of(services)
    services.desk.close()


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_tokens_open_what_they_should(guarded: Client) -> None:
    challenge = guarded.get("/api/v1/stations")
    problem(challenge, 401)
    assert challenge.headers["www-authenticate"].startswith("Bearer")
    for path in ("/api/v1/stream", "/api/v1/progress", "/metrics", "/api/v1/dead-letters"):
        problem(guarded.get(path), 401)
    problem(guarded.get("/api/v1/stations", headers=bearer("wrong")), 401)
    for path in ("/livez", "/docs", "/schemas/", "/"):
        assert guarded.get(path).status_code == 200
    assert guarded.get("/readyz").status_code == 503
    assert guarded.get("/api/v1/stations", headers={**bearer("look"), "host": "any.example"}).status_code == 200
    assert "may only read" in problem(
        guarded.post("/api/v1/alerts/a1/ack", json={"by": "x"}, headers=bearer("look")), 403
    )["detail"]
    assert guarded.post("/api/v1/alerts/a1/ack", json={"by": "x"}, headers=bearer("root")).status_code == 200


def test_a_token_of_one_station_sees_no_other(guarded: Client) -> None:
    head = bearer("air")
    assert [s["station"] for s in guarded.get("/api/v1/stations", headers=head).json()["items"]] == ["isle"]
    assert [a["id"] for a in guarded.get("/api/v1/alerts", headers=head).json()["items"]] == ["b1"]
    assert [e["data"]["id"] for e in guarded.get("/api/v1/events", headers=head).json()["items"]] == ["b1"]
    for path in (
        "/api/v1/stations/harbour", "/api/v1/stations/harbour/kpis", "/api/v1/alerts/a1", "/api/v1/webhooks",
        "/api/v1/alerts?station=harbour", "/api/v1/groups/zhoushan/kpis", "/api/v1/dead-letters", "/metrics",
        "/api/v1/series?measurement=port&field=power_kw", "/api/v1/silences",
        "/api/v1/series?measurement=port&field=power_kw&station=harbour",
    ):
        problem(guarded.get(path, headers=head), 403)
    problem(guarded.post("/api/v1/alerts/a1/ack", json={"by": "x"}, headers=head), 403)
    problem(guarded.post("/api/v1/alerts/a1/repaired", json={"by": "x"}, headers=head), 403)
    assert guarded.post("/api/v1/alerts/b1/ack", json={"by": "x"}, headers=head).status_code == 200


def test_login_trades_a_token_for_a_cookie(guarded: Client) -> None:
    problem(guarded.post("/login", json={"token": "wrong"}), 401)
    answer = guarded.post("/login", json={"token": "root"})
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "root" not in cookie
    assert guarded.get("/api/v1/stations").status_code == 200
    problem(guarded.post("/api/v1/alerts/a1/ack", content=b"{}", headers={"content-type": "text/plain"}), 415)
    assert guarded.post("/api/v1/alerts/a1/ack", json={"by": "x"}).status_code == 200
    guarded.cookies.clear()
    problem(guarded.get("/api/v1/stations", headers={"cookie": "voltair=ops.0000"}), 401)
