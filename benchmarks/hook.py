"""A receiver of webhooks that verifies every body by an independent library and keeps what it got."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - of a receiver that lives for seconds


@dataclass
class Hook:
    """What has arrived, in order."""

    url: str
    posts: list[tuple[str, float, Any]] = field(default_factory=list)
    """(`webhook-id`, time of arrival, body)."""
    status: Callable[[], int] = lambda: 204
    """What it answers."""

    def table(self, format_: str) -> str:
        """Return the endpoint for voltair.toml."""
        return (
            f'[[webhooks]]\nid = "{format_}"\nurl = "{self.url}"\nsecret = "{SECRET}"\nformat = "{format_}"\n'
            'allow_private = ["127.0.0.0/8"]\n'
        )


@contextlib.contextmanager
def listening() -> Iterator[Hook]:
    """Yield a receiver that listens until the end."""
    oracle = Webhook(SECRET)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            oracle.verify(body, {k.lower(): v for k, v in self.headers.items()})
            status = hook.status()
            hook.posts.append((self.headers["webhook-id"], time.monotonic(), json.loads(body)))
            self.wfile.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args: object) -> None:
            """Connections of a sender that was killed break off."""

    server = Server(("127.0.0.1", 0), Handler)
    hook = Hook(f"http://127.0.0.1:{server.server_port}/hook")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
