"""Limits of callers: wrong tokens, long bodies, foreign pages; and what is written down of who did what."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_support import T0, Client, Clock, make_services, make_state, put_ports, take, transition

from api.app import create_app
from api.limits import BODY_BYTES, FAILURES, WINDOW_S, Failures
from api.services import Services
from telemetry.config import ApiConfig, Config

STATIONS = """
[stations.harbour]
kind = "charging"
groups = ["zhoushan", "quays"]
[stations.isle]
kind = "compressed_air"
groups = ["zhoushan"]
"""


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    (tmp_path / "stations.toml").write_text(STATIONS)
    tokens = "ops=root:admin eye=look:read isle=air:admin:isle"
    config = Config(
        data_dir=str(tmp_path / "data"), stations=str(tmp_path / "stations.toml"), api=ApiConfig(tokens=tokens)
    )
    make_state(config.data)
    made = make_services(config, clock=Clock())
    yield made
    made.desk.close()


@pytest.fixture
def client(services: Services) -> Client:
    return Client(create_app(services), "http://127.0.0.1:8080")


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_tokens_cannot_be_tried_out(client: Client) -> None:
    for number in range(FAILURES):
        if number % 2:
            assert client.post("/login", json={"token": f"wrong{number}"}).status_code == 401
        else:
            assert client.get("/api/v1/stations", headers=bearer(f"wrong{number}")).status_code == 401
    for answer in (
        client.get("/api/v1/stations", headers=bearer("root")), client.post("/login", json={"token": "root"})
    ):
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= WINDOW_S + 1
    assert client.get("/livez").status_code == 200


def test_right_tokens_do_not_count(client: Client) -> None:
    for _ in range(2 * FAILURES):
        assert client.get("/api/v1/progress", headers=bearer("look")).status_code == 200
        assert client.get("/api/v1/progress").status_code == 401


def test_failures_are_counted_by_address_and_forgotten() -> None:
    now = [0.0]
    failures = Failures(lambda: now[0])
    for _ in range(FAILURES):
        failures.note("10.0.0.1")
        now[0] += 1
    assert failures.wait_s("10.0.0.1") == WINDOW_S - FAILURES
    assert failures.wait_s("10.0.0.2") == 0
    now[0] = WINDOW_S
    assert failures.wait_s("10.0.0.1") == 0


def test_long_bodies_are_refused(client: Client) -> None:
    long = b'{"by": "' + b"x" * BODY_BYTES + b'"}'
    head = {**bearer("root"), "content-type": "application/json"}
    assert client.post("/api/v1/silences", content=long, headers=head).status_code == 413

    async def pieces() -> Any:
        for at in range(0, len(long), 65_536):
            yield long[at : at + 65_536]

    answer = client.post("/api/v1/silences", content=pieces(), headers=head)
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert "1,048,576" in answer.json()["detail"]


def test_a_page_of_another_site_changes_nothing(services: Services, client: Client) -> None:
    take(services, transition())
    client.post("/login", json={"token": "root"})
    foreign = client.post("/api/v1/alerts/a1/ack", json={"by": "x"}, headers={"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403
    own = client.post("/api/v1/alerts/a1/ack", json={"by": "x"}, headers={"sec-fetch-site": "same-origin"})
    assert own.status_code == 200


def test_who_did_what_is_written_down(services: Services, client: Client) -> None:
    take(services, transition())
    client.post("/login", json={"token": "root"})
    client.post("/api/v1/alerts/a1/ack", json={"by": "Li", "note": "coming"})
    client.post("/api/v1/webhooks", json={"url": "https://example.org/", "secret": "whsec_" + "QUJD" * 8})
    found = client.get("/api/v1/audit").json()["items"]
    assert [(i["caller"], i["action"]) for i in found] == [("ops", "add webhook"), ("ops", "ack"), ("ops", "login")]
    assert found[1]["body"] == {"by": "Li", "note": "coming"}
    assert "QUJD" not in str(found)
    first = client.get("/api/v1/audit?limit=1").json()
    rest = client.get(f"/api/v1/audit?cursor={first['next_cursor']}").json()
    assert first["items"] + rest["items"] == found
    client.cookies.clear()
    for token in ("look", "air"):
        assert client.get("/api/v1/audit", headers=bearer(token)).status_code == 403


def test_health_has_its_reasons(services: Services, client: Client) -> None:
    put_ports(services.config.data, "harbour", {"p001": {"newest_ms": T0, "state": "Faulted"}})
    head = bearer("look")

    def of(path: str) -> tuple[str, list[Any]]:
        found = client.get(f"/api/v1{path}", headers=head).json()
        return found["health"], [r["summary"]["en"] for r in found["health_reasons"]]

    assert of("/stations/harbour") == ("green", [])
    assert of("/stations/isle")[0] == "grey"
    assert of("/groups/zhoushan")[0] == "grey"
    assert of("/groups/quays") == ("green", [])
    take(services, *(transition(f"w{i}", severity="warning") for i in range(8)), transition("i", severity="info"))
    assert of("/stations/harbour") == ("yellow", ["Port p001 is faulted"] * 5)
    take(services, transition("c", summary={"en": "worst", "zh": "worst"}))
    assert of("/stations/harbour") == ("red", ["worst", *["Port p001 is faulted"] * 4])
    assert of("/groups/zhoushan")[0] == "red"
    groups = client.get("/api/v1/groups", headers=head).json()["items"]
    assert [(g["group"], g["health"], g["stations"]) for g in groups] == [
        ("quays", "red", ["harbour"]), ("zhoushan", "red", ["harbour", "isle"])
    ]
    assert groups[1]["firing"] == {"critical": 1, "warning": 8, "info": 1}
    assert groups[1]["devices"]["total"] == 1
    assert client.get("/api/v1/groups", headers=bearer("air")).json()["items"] == []
    # An alert of the group as a whole counts for it, and for no station.
    take(services, transition("g1", station="_group-quays", device=None, device_kind=None))
    group = client.get("/api/v1/groups/quays", headers=head).json()
    assert (group["health"], group["firing"]["critical"]) == ("red", 2)
    assert group["health_reasons"][0]["station"] == "_group-quays"
    assert of("/stations/harbour")[1][0] == "worst"
    assert services.sources.groups_of("_group-quays") == ["quays"]
    assert client.get("/api/v1/groups/zhoushan", headers=bearer("air")).status_code == 403
    assert client.get("/api/v1/groups/nobody", headers=head).status_code == 404


def test_every_answer_has_the_headers_of_safety(client: Client) -> None:
    answers: list[httpx.Response] = [
        client.get(p) for p in ("/", "/livez", "/api/v1/stations", "/nope", "/docs", "/openapi.json")
    ]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src" in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "access-control-allow-origin" not in answer.headers
