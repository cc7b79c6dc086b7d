"""The receivers of docs/webhooks.md take what Voltair signs, once, and nothing else."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from servers import Server, free_port, running

from api.signing import new_secret, signature

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"
OLD, SECRET = new_secret(), new_secret()
BODY = json.dumps({"type": "alert.firing", "data": {"summary": {"en": "Port p001 is faulted", "zh": "故障"}}}).encode()


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def interpreter(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.fixture(params=["python", "js"])
def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    port = free_port()
    environ = {"PORT": str(port), "WEBHOOK_SECRET": SECRET}
    program = sys.executable if request.param == "python" else interpreter("node")
    file = tmp_path / f"receiver.{request.param}"
    (text,) = examples(request.param)
    file.write_text(text, "utf-8")
    with running(Server([program, str(file)], port, tmp_path, environ)) as server:
        yield server


def post(server: Server, id_: str, body: bytes = BODY, *, signed: bytes | None = None, age_s: int = 0) -> int:
    now_s = int(time.time()) - age_s
    # As while a secret is changed: the one that the receiver knows comes second.
    sign = signature(f"{OLD} {SECRET}", id_, now_s, body if signed is None else signed)
    headers = {"webhook-id": id_, "webhook-timestamp": str(now_s), "webhook-signature": sign}
    return httpx.post(server.url, content=body, headers=headers, trust_env=False).status_code


def test_what_voltair_signs_is_taken_once_and_nothing_else(receiver: Server) -> None:
    assert post(receiver, "msg_1") == 204
    assert post(receiver, "msg_1") == 204  # repeated after a crash
    assert post(receiver, "msg_2", BODY + b" ", signed=BODY) == 401
    assert post(receiver, "msg_3", age_s=3_600) == 401
    assert httpx.post(receiver.url, content=BODY, trust_env=False).status_code == 401
    assert post(receiver, "msg_4") == 204
    assert receiver.log.count("alert.firing Port p001 is faulted") == 2


GO_MAIN = """package main

import (
	"io"
	"os"
)

func main() {
	key, err := keyOf(os.Getenv("WEBHOOK_SECRET"))
	body, _ := io.ReadAll(os.Stdin)
	if err != nil || !verified(key, os.Getenv, body) {
		os.Exit(1)
	}
}
"""
"""Headers come as environment: a whole receiver needs net/http, which a fresh machine compiles for half a minute."""


def test_go_takes_what_voltair_signs_and_nothing_else(tmp_path: Path) -> None:
    go = interpreter("go")
    verify, main = examples("go")
    (tmp_path / "verify.go").write_text(verify, "utf-8")
    (tmp_path / "main.go").write_text(GO_MAIN, "utf-8")
    (tmp_path / "shown.go").write_text(main, "utf-8")
    subprocess.run([go, "build", "-o", "verify", "verify.go", "main.go"], cwd=tmp_path, check=True, timeout=300)
    formatted = subprocess.run(
        [str(Path(go).parent / "gofmt"), "-l", "verify.go", "shown.go"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )
    assert formatted.stdout == formatted.stderr == ""

    def verified(body: bytes, *, signed: bytes = BODY, age_s: int = 0) -> bool:
        now_s = int(time.time()) - age_s
        environ = {
            "WEBHOOK_SECRET": SECRET, "webhook-id": "msg_1", "webhook-timestamp": str(now_s),
            "webhook-signature": signature(f"{OLD} {SECRET}", "msg_1", now_s, signed),
        }
        return subprocess.run([str(tmp_path / "verify")], input=body, env=environ, check=False).returncode == 0

    assert verified(BODY)
    assert not verified(BODY + b" ")
    assert not verified(BODY, age_s=3_600)
