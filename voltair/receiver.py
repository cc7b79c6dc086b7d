"""A small receiver of webhooks for the demo: verifies each signature and prints each alert in one line.

Run as `python -m voltair.receiver PORT`, with the secret in $VOLTAIR_RECEIVER_SECRET.
"""

import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from api.signing import signature

SECRET_VARIABLE = "VOLTAIR_RECEIVER_SECRET"  # noqa: S105 - a name, not a secret
_TOLERANCE_S = 300
"""A timestamp further from now is a replayed message."""


class Receiver(ThreadingHTTPServer):
    """Listens on the loopback address and remembers which messages it has seen."""

    daemon_threads = True

    def __init__(self, port: int, secret: str) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.secret = secret
        self.seen: set[str] = set()


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer 204 to a signed message, 401 to any other."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        message_id = self.headers.get("webhook-id", "")
        timestamp = self.headers.get("webhook-timestamp", "")
        if not verify(self.server.secret, message_id, timestamp, self.headers.get("webhook-signature", ""), body):
            self._answer(401)
            return
        if message_id not in self.server.seen:  # delivery is at least once
            self.server.seen.add(message_id)
            print(describe(json.loads(body)), flush=True)  # noqa: T201 - the purpose of this program
        self._answer(204)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Say nothing per request; alerts are printed instead."""


def verify(secret: str, message_id: str, timestamp: str, signatures: str, body: bytes) -> bool:
    """Return whether one of the signatures is ours and the message is fresh."""
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > _TOLERANCE_S:
        return False
    expected = signature(secret, message_id, int(timestamp), body)
    return any(hmac.compare_digest(expected, found) for found in signatures.split())


def describe(message: dict[str, Any]) -> str:
    """Return one line about a message in the `standard` format."""
    data = message.get("data", {})
    place = "/".join(str(data[name]) for name in ("station", "device") if data.get(name))
    text = data.get("summary", {}).get("en", "")
    head = f"{message.get('timestamp', '')}  {message.get('type', '?'):<18}  {data.get('severity', ''):<8}"
    return f"{head}  {place}  {data.get('rule', '')}: {text}"


def main() -> None:
    """Serve until killed."""
    Receiver(int(sys.argv[1]), os.environ[SECRET_VARIABLE]).serve_forever()


if __name__ == "__main__":
    main()
