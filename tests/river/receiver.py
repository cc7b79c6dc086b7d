"""A receiver of webhooks on the loopback address: verifies every signature by an independent library and keeps all."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
from river.stack import Json
from servers import serving
from standardwebhooks.webhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass(frozen=True)
class Post:
    """One POST whose signature was right."""

    webhook_id: str
    body: Json
    received_s: float
    """`time.monotonic()`."""

    @property
    def transition(self) -> tuple[str, int, str]:
        """Episode, number within it and type."""
        data = self.body["data"]
        return data["id"], data["sequence"], self.body["type"]


@dataclass
class Receiver:
    """What has arrived."""

    url: str
    posts: list[Post] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Why signatures were wrong."""

    @property
    def section(self) -> str:
        """The endpoint in voltair.toml."""
        return (
            f'[[webhooks]]\nid = "test"\nurl = "{self.url}"\nsecret = "{SECRET}"\n'
            'format = "standard"\nallow_private = ["127.0.0.0/8"]\n'
        )

    def find(self, type_: str, rule: str, device: str | None) -> list[Post]:
        return [
            p for p in list(self.posts)
            if p.body["type"] == type_ and (p.body["data"]["rule"], p.body["data"]["device"]) == (rule, device)
        ]  # fmt: skip


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Yield a receiver that listens until the end."""
    webhook = Webhook(SECRET)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            received_s = time.monotonic()
            raw = self.rfile.read(int(self.headers["content-length"]))
            try:
                webhook.verify(raw, {name.lower(): value for name, value in self.headers.items()})
            except Exception as error:  # noqa: BLE001 - whatever it is, the test shall see it
                receiver.refused.append(repr(error))
                self._answer(401)
                return
            body = msgspec.json.decode(raw)
            receiver.posts.append(Post(self.headers["webhook-id"], body, received_s))
            self._answer(204)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}/hook")
    with serving(server):
        yield receiver
