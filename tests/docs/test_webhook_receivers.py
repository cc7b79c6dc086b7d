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


def example(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return str(found)


def program(language: str, folder: Path) -> list[str]:
    """Return how the example of a language is run."""
    if language == "python":
        (folder / "receiver.py").write_text(example(language), "utf-8")
        return [sys.executable, "receiver.py"]
    name = {"js": "node", "go": "go"}[language]
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    (folder / f"receiver.{language}").write_text(example(language), "utf-8")
    if language == "js":
        return [found, "receiver.js"]
    subprocess.run([found, "build", "-o", "receiver", "receiver.go"], cwd=folder, check=True, timeout=300)
    return [str(folder / "receiver")]


@pytest.fixture(params=["python", "js", "go"])
def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    port = free_port()
    environ = {"PORT": str(port), "WEBHOOK_SECRET": SECRET}
    with running(Server(program(request.param, tmp_path), port, tmp_path, environ)) as server:
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
