"""Bodies of every format: pure, valid against their schemas, harmless, and short enough for their receivers."""

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from api_support import SECRET, T0, transition
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from api.bodies import FORMATS, Notice, body_of, notice_of_test, refusal
from api.schemas import format_schema, webhook_schema
from api.signing import dingtalk_query, feishu_signed, robot_secret, webhook_secrets
from api.transitions import alert_data, decode_transition

LIMITS = {"wecom": 4_096, "dingtalk": 20_000, "feishu": 20_000}
"""Bytes that the robots take, as their makers document them."""


def notice(alert: str = "a1", type_: str = "alert.firing", **changes: Any) -> Notice:
    found = decode_transition(json.dumps(transition(alert, type_, **changes)))
    data = alert_data(found, 1, "http://127.0.0.1:8080")
    return Notice(type_, T0, {**data, "acknowledgement": None, "tier": 1})


def made(format_: str, *notices: Notice, language: str = "") -> Any:
    return json.loads(body_of(format_, notices, language))


NOTICES = [
    notice(),
    notice(type_="alert.resolved", number=2),
    notice(device=None, device_kind=None, severity="warning"),
    notice_of_test("ep_1", "http://127.0.0.1:8080", T0),
]


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("of", NOTICES, ids=lambda n: f"{n.type}-{n.data.get('device')}")
@pytest.mark.parametrize("language", ["", "en", "zh"])
def test_every_body_fits_its_schema(format_: str, of: Notice, language: str) -> None:
    schema = webhook_schema(of.type) if format_ == "standard" else format_schema(format_)
    validator = Draft202012Validator(schema)
    body = made(format_, of, language=language)
    validator.validate(body)
    for member in schema["required"]:
        assert list(validator.iter_errors({k: v for k, v in body.items() if k != member})), member


def test_cloudevents() -> None:
    body = made("cloudevents", NOTICES[0])
    assert body["type"] == "alert.firing"
    assert body["source"] == "http://127.0.0.1:8080/api/v1/stations/harbour"
    assert (body["id"], body["subject"], body["time"]) == ("a1-1", "p001", "2026-11-18T11:06:40.000Z")
    assert body["data"] == NOTICES[0].data


def test_alertmanager_groups_what_changes_alike() -> None:
    body = made("alertmanager", notice("a1"), notice("a2", device="p002", summary={"en": "Port p002", "zh": "p002"}))
    assert [a["labels"]["device"] for a in body["alerts"]] == ["p001", "p002"]
    assert body["groupLabels"] == {"alertname": "port_faulted", "station": "harbour"}
    assert body["groupKey"] == '{}:{alertname="port_faulted", station="harbour"}'
    assert "device" not in body["commonLabels"]
    assert body["commonLabels"]["severity"] == "critical"
    assert "summary" not in body["commonAnnotations"]
    assert body["commonAnnotations"]["remedy"] == "Look at it"
    assert made("alertmanager", notice(), language="zh")["alerts"][0]["annotations"]["summary"] == "p001 故障"


def test_labels_and_runbook_of_a_rule_reach_the_receiver() -> None:
    of = notice(labels={"team": "repair", "severity": "mine"}, runbook="https://wiki.example/faulted")
    assert of.data["links"]["runbook"] == "https://wiki.example/faulted"
    alert = made("alertmanager", of)["alerts"][0]
    assert (alert["labels"]["team"], alert["labels"]["severity"]) == ("repair", "critical")
    assert alert["annotations"]["runbook_url"] == "https://wiki.example/faulted"


def text_of(format_: str, body: Any) -> str:
    """Return all that a person reads of a robot's body."""
    match format_:
        case "wecom":
            return str(body["markdown"]["content"])
        case "dingtalk":
            return str(body["markdown"]["title"] + body["markdown"]["text"])
        case "feishu":
            card = body["card"]
            return str(card["header"]["title"]["content"] + card["elements"][0]["text"]["content"])
        case _:
            return str(body["text"] + body["attachments"][0]["blocks"][0]["text"]["text"])


CHATS = ("wecom", "dingtalk", "feishu", "slack")


@pytest.mark.parametrize("format_", CHATS)
def test_chats_speak_the_endpoint_s_language(format_: str) -> None:
    zh, en = (text_of(format_, made(format_, NOTICES[0], language=x)) for x in ("zh", "en"))
    assert "p001 故障" in zh
    assert "严重" in zh
    assert "检查" in zh
    assert "Port p001 is faulted" in en
    assert "critical" in en
    assert "Look at it" in en
    own = text_of(format_, made(format_, NOTICES[0]))
    assert own == (en if format_ == "slack" else zh)


@pytest.mark.parametrize("format_", CHATS)
def test_one_message_for_many_ports(format_: str) -> None:
    notices = [notice(f"a{i}", device=f"p{i:03}", summary={"en": f"Port p{i:03}", "zh": f"p{i:03}"}) for i in range(40)]
    text = text_of(format_, made(format_, *notices, language="en"))
    assert "40 alerts of port_faulted" in text
    assert "Port p000" in text
    assert "Port p009" in text
    assert "Port p010" not in text
    assert "and 30 more" in text


@pytest.mark.parametrize("format_", CHATS)
def test_names_cannot_become_links_or_calls(format_: str) -> None:
    evil = "<!channel> <at id=all></at> [pay](https://evil.example)\n# <https://evil.example|here>"
    body = made(format_, notice(summary={"en": evil, "zh": evil}, remedy={"en": evil, "zh": evil}))
    # The title of a card is plain text, and nothing in it means anything.
    text = body["card"]["elements"][0]["text"]["content"] if format_ == "feishu" else text_of(format_, body)
    for harm in ("<!", "<at ", "<https://evil", "\n# "):
        assert harm not in text, harm
    assert "](https://evil" not in text or format_ == "slack", "Slack's links are not written so"


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(CHATS), st.text(max_size=3_000), st.text(max_size=3_000), st.integers(1, 60),
    st.sampled_from(["en", "zh"]),
)
def test_no_text_is_too_long_for_its_robot(format_: str, summary: str, remedy: str, many: int, language: str) -> None:
    texts = {"summary": {"en": summary, "zh": summary}, "remedy": {"en": remedy, "zh": remedy}}
    raw = body_of(format_, [notice(f"a{i}", **texts) for i in range(many)], language)
    body = json.loads(raw)
    Draft202012Validator(format_schema(format_)).validate(body)
    if format_ == "wecom":
        assert len(body["markdown"]["content"].encode()) <= LIMITS["wecom"]
    elif format_ != "slack":
        assert len(raw) <= LIMITS[format_]


def test_robots_that_answer_200_and_refuse() -> None:
    assert refusal("wecom", b'{"errcode":0,"errmsg":"ok"}') == ""
    assert refusal("wecom", b'{"errcode":45009,"errmsg":"freq out of limit"}').endswith("errcode 45009")
    assert refusal("dingtalk", b'{"errcode":310000,"errmsg":"sign not match"}').endswith("errcode 310000")
    assert refusal("feishu", b'{"StatusCode":0,"StatusMessage":"success","code":0}') == ""
    assert refusal("feishu", b'{"code":19021,"msg":"sign match fail"}').endswith("code 19021")
    assert refusal("slack", b"ok") == refusal("wecom", b"<html>") == refusal("wecom", b"[]") == ""
    # What a receiver says stays with it.
    assert "secret" not in refusal("wecom", b'{"errcode":"secret"}')


def test_dingtalk_signs_its_url_as_documented() -> None:
    secret = "SEC0123456789abcdef"
    query = parse_qs(dingtalk_query(secret, 1_795_000_000_000))
    wanted = hmac.new(secret.encode(), b"1795000000000\n" + secret.encode(), hashlib.sha256).digest()
    assert query == {"timestamp": ["1795000000000"], "sign": [base64.b64encode(wanted).decode()]}


def test_feishu_signs_its_body_as_documented() -> None:
    body = json.loads(feishu_signed("key", 1_795_000_000, body_of("feishu", [NOTICES[0]])))
    wanted = hmac.new(b"1795000000\nkey", b"", hashlib.sha256).digest()
    assert (body["timestamp"], body["sign"]) == ("1795000000", base64.b64encode(wanted).decode())
    Draft202012Validator(format_schema("feishu")).validate(body)


def test_whose_secret_is_whose() -> None:
    assert webhook_secrets("standard", f"{SECRET} abcd") == f"{SECRET} abcd"
    assert webhook_secrets("dingtalk", f"SEC1 {SECRET}") == SECRET
    assert robot_secret(f"{SECRET} SEC1") == "SEC1"
    assert robot_secret(SECRET) == SECRET
    assert robot_secret("") == ""
