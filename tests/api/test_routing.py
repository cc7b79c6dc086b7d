"""Who is told of what: filters, tiers, languages, headers, calendars; and what is never shown."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from api_support import (
    SECRET,
    T0,
    Client,
    Clock,
    Receiver,
    deliver_once,
    endpoint,
    make_services,
    make_state,
    take,
    transition,
)

from api.app import create_app
from api.endpoints import put_endpoint
from api.routing import Routes, wants
from api.services import Services
from api.silences import Silence, put_silence
from telemetry.config import Config, WebhookSettings
from telemetry.notifying import BusinessCalendar

OFFICE = BusinessCalendar(
    hours="Mon-Fri 08:00-18:00", timezone="Asia/Shanghai", holidays=(date(2026, 11, 19),),
    workdays=(date(2026, 11, 21),),
)


@pytest.fixture
def services(tmp_path: Path, clock: Clock) -> Iterator[Services]:
    make_state(tmp_path)
    made = make_services(Config(data_dir=str(tmp_path), calendars={"office": OFFICE}), clock=clock)
    made.desk.routes = Routes(lambda station: {"harbour": ["zhoushan"]}.get(station, []), {"office": OFFICE})
    yield made
    made.desk.close()


def put(services: Services, hook: Receiver, **changes: Any) -> None:
    with services.desk.write() as db:
        put_endpoint(db, endpoint(url=hook.url, **changes))


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, True), ({"stations": ("harbour",)}, True), ({"stations": ("isle",)}, False),
        ({"groups": ("zhoushan",)}, True), ({"groups": ("north",)}, False), ({"severities": ("critical",)}, True),
        ({"severities": ("info", "warning")}, False), ({"categories": ("fault", "leak")}, True),
        ({"categories": ("leak",)}, False), ({"rules": ("port_faulted",)}, True), ({"rules": ("leak",)}, False),
        ({"tier": 2}, False), ({"stations": ("harbour",), "rules": ("leak",)}, False),
    ],
)
def test_every_filter_must_let_an_alert_pass(filters: dict[str, Any], wanted: bool) -> None:
    data = {"station": "harbour", "severity": "critical", "category": "fault", "rule": "port_faulted", "tier": 1}
    assert wants(endpoint(**filters), data, ["zhoushan"]) is wanted


def test_only_the_wanted_get_deliveries(services: Services, hook: Receiver) -> None:
    put(services, hook, groups=("zhoushan",), severities=("critical",))
    take(services, transition("a1"), transition("a2", station="isle"), transition("a3", severity="info"))
    assert deliver_once(services) == 1
    assert [g.json["data"]["id"] for g in hook.got] == ["a1"]


def test_whoever_was_told_of_the_start_is_told_of_the_end(services: Services, hook: Receiver) -> None:
    put(services, hook, groups=("zhoushan",))
    take(services, transition("a1"), transition("b1", station="isle"))
    services.desk.routes = Routes()
    ends = [transition(a, "alert.resolved", number=2, station=s) for a, s in (("a1", "harbour"), ("b1", "isle"))]
    take(services, *ends)
    deliver_once(services)
    assert [(g.json["data"]["id"], g.json["type"]) for g in hook.got] == [
        ("a1", "alert.firing"), ("a1", "alert.resolved")
    ]


def test_headers_go_out_and_are_not_shown(services: Services, hook: Receiver) -> None:
    client = Client(create_app(services), "http://127.0.0.1:8080")
    body = {"url": hook.url, "allow_private": ["127.0.0.0/8"], "headers": {"Authorization": "Bearer geheim"}}
    made = client.post("/api/v1/webhooks", json=body)
    path = f"/api/v1/webhooks/{made.json()['id']}"
    take(services, transition())
    deliver_once(services)
    got = hook.got[0].headers
    assert got["authorization"] == "Bearer geheim"
    assert got["idempotency-key"] == got["webhook-id"]
    with services.desk.write() as db:
        row = db.execute("SELECT group_concat(CAST(body AS TEXT)) FROM audit").fetchone()[0]
    shown = [made.text, client.get(path).text, client.get("/api/v1/webhooks").text, row]
    shown.append(client.get(f"{path}/deliveries").text)
    assert all("geheim" not in text for text in shown)
    assert made.json()["headers"] == {"Authorization": "***"}
    secret = made.json()["secret"]
    assert all(secret not in text for text in shown[1:])
    changed = client.patch(path, json={"rules": ["leak"], "rate_per_minute": 5, "secret": f"{SECRET} {secret}"})
    assert (changed.json()["rules"], changed.json()["rate_per_minute"]) == (["leak"], 5)
    assert SECRET not in changed.text
    assert client.patch(path, json={"rate_per_minute": None}).json()["rate_per_minute"] is None


@pytest.mark.parametrize(
    ("name", "value"), [("Host", "x"), ("webhook-id", "x"), ("bad name", "x"), ("X-Ok", "a\r\nEvil: b"), ("X-Ok", "é")]
)
def test_headers_that_could_do_harm_are_refused(services: Services, name: str, value: str) -> None:
    client = Client(create_app(services), "http://127.0.0.1:8080")
    answer = client.post("/api/v1/webhooks", json={"url": "https://example.org/", "headers": {name: value}})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("format_", "url", "shown"),
    [
        ("wecom", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=geheim", "/send?key=***"),
        ("dingtalk", "https://oapi.dingtalk.com/robot/send?access_token=geheim", "/send?access_token=***"),
        ("feishu", "https://open.feishu.cn/open-apis/bot/v2/hook/geheim", "/hook/***"),
        ("slack", "https://hooks.slack.com/services/T0/B0/geheim", "/B0/***"),
    ],
)
def test_a_robot_s_key_is_not_shown(services: Services, format_: str, url: str, shown: str) -> None:
    client = Client(create_app(services), "http://127.0.0.1:8080")
    made = client.post("/api/v1/webhooks", json={"url": url, "format": format_})
    assert made.json()["url"].endswith(shown)
    assert "geheim" not in client.get("/api/v1/webhooks").text


def test_dingtalk_and_feishu_are_signed_when_they_are_sent(services: Services, hook: Receiver) -> None:
    with services.desk.write() as db:
        put_endpoint(db, endpoint("ep_1", hook.url + "?access_token=t", format="dingtalk", secret=f"SEC1 {SECRET}"))
        put_endpoint(db, endpoint("ep_2", hook.url, format="feishu", secret="robot"))
    take(services, transition())
    deliver_once(services)
    ding, fei = sorted(hook.got, key=lambda g: g.path, reverse=True)
    assert ding.path.startswith(f"/hook?access_token=t&timestamp={T0}&sign=")
    assert ding.headers["webhook-signature"].startswith("v1,")
    assert fei.json["timestamp"] == str(T0 // 1000)
    assert fei.json["sign"]
    assert "webhook-signature" not in fei.headers


def test_a_robot_s_refusal_is_a_failure(services: Services, hook: Receiver) -> None:
    put(services, hook, format="wecom")
    hook.answer = lambda _: (200, {"body": '{"errcode":45009,"errmsg":"geheim"}'})
    take(services, transition())
    deliver_once(services)
    row = services.desk.reader.execute("SELECT state, last_status, last_error FROM delivery").fetchone()
    assert row == ("pending", 200, "the robot refused it with errcode 45009")


def test_a_calendar_holds_messages_until_somebody_is_there(services: Services, hook: Receiver, clock: Clock) -> None:
    # T0 is Wednesday, 19:06 in Shanghai; Thursday is a holiday, so the next hours begin on Friday at 08:00.
    put(services, hook, calendar="office")
    take(services, transition())
    assert deliver_once(services) == 0
    opens = 1_795_132_800_000
    clock.ms = opens - 1
    assert deliver_once(services) == 0
    clock.ms = opens
    assert deliver_once(services) == 1


def test_what_a_silence_lets_go_also_waits_for_the_calendar(
    services: Services, hook: Receiver, clock: Clock
) -> None:
    put(services, hook, calendar="office")
    with services.desk.write() as db:
        put_silence(
            db, Silence(id="s", matchers={"rule": "port_faulted"}, from_ms=T0, to_ms=T0 + 60_000, by="Li", reason="")
        )
    take(services, transition())
    clock.forward(60)
    assert services.intake.release() == 1
    assert deliver_once(services) == 0


def test_calendars_know_holidays_and_shifted_workdays() -> None:
    friday = 1_795_132_800_000
    assert OFFICE.next_open(T0) == friday
    assert OFFICE.next_open(friday + 5_000) == friday + 5_000
    # Friday 18:00 -> Saturday the 21st, which is worked -> Monday.
    assert OFFICE.next_open(friday + 10 * 3_600_000) == friday + 24 * 3_600_000
    assert OFFICE.next_open(friday + 34 * 3_600_000) == friday + 72 * 3_600_000
    assert OFFICE.open_ms(T0, friday + 72 * 3_600_000) == 20 * 3_600_000
    assert BusinessCalendar().next_open(T0) == T0


def test_settings_of_the_file_and_of_the_api_are_the_same(services: Services) -> None:
    spec = Client(create_app(services), "http://127.0.0.1:8080").get("/openapi.json").json()
    members = set(spec["components"]["schemas"]["NewEndpoint"]["properties"])
    assert members == set(WebhookSettings.__struct_fields__)
    assert members | {"enabled"} == set(spec["components"]["schemas"]["EndpointChange"]["properties"])
