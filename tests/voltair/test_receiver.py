"""The demo's receiver: takes signed messages only, and says each once."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from servers import free_port, serving
from standardwebhooks.webhooks import Webhook

from api.signing import new_secret
from voltair.receiver import Receiver, describe

MESSAGE = {
    "type": "alert.firing",
    "timestamp": "2026-11-22T03:04:05.000Z",
    "data": {
        "rule": "port_faulted", "severity": "critical", "station": "harbour", "device": "p07",
        "summary": {"en": "Port p07 is faulted", "zh": "p07 故障"},
    },
}  # fmt: skip


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serving(Receiver(free_port(), new_secret())) as server:
        yield server


def post(server: Receiver, body: str, secret: str, when_s: int) -> int:
    signed = Webhook(secret).sign("msg_1", datetime.fromtimestamp(when_s, UTC), body)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(when_s), "webhook-signature": f"v1,AAAA {signed}"}
    port = server.server_address[1]
    return httpx.post(f"http://127.0.0.1:{port}/", content=body, headers=headers, trust_env=False).status_code


def test_a_signed_alert_is_said_once(receiver: Receiver, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert post(receiver, json.dumps(MESSAGE), receiver.secret, int(time.time())) == 204
    assert capsys.readouterr().out == describe(MESSAGE) + "\n"


def test_another_signature_or_an_old_message_is_refused(
    receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    assert post(receiver, json.dumps(MESSAGE), new_secret(), int(time.time())) == 401
    assert post(receiver, json.dumps(MESSAGE), receiver.secret, int(time.time()) - 3600) == 401
    assert capsys.readouterr().out == ""


def test_the_line_names_type_place_and_text() -> None:
    line = describe(MESSAGE)
    assert "\n" not in line
    assert all(word in line for word in ("alert.firing", "critical", "harbour/p07", "Port p07 is faulted"))
