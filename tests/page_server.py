"""A small server that stands in for the API in tests of the page: its files, and a stream of chosen events."""

import json
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from servers import serving

from api.page import STATIC, page_at, page_worker

POLICY = "default-src 'self'; base-uri 'none'; frame-ancestors 'none'"
NOW = "2026-11-22T03:04:05.000Z"
_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
_CLOSE = object()

Event = tuple[str, dict[str, Any]]


class PageServer(ThreadingHTTPServer):
    """Serves the page on a free port; `snapshot` is sent on every connect, `send` to all who listen."""

    daemon_threads = True

    def __init__(self, snapshot: list[Event]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.snapshot = snapshot
        self.token = ""
        self.refuse = False
        self.readiness: dict[str, Any] = {"status": "ready", "reasons": []}
        self.alerts: dict[str, dict[str, Any]] = {}
        self.posted: list[tuple[str, Any]] = []
        """Paths and bodies of calls that change something."""
        self.bytes_sent: dict[str, int] = {}
        self.listeners: list[queue.Queue[Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def send(self, name: str, data: dict[str, Any]) -> None:
        for listener in list(self.listeners):
            listener.put((name, data))

    def drop(self) -> None:
        """Close every open stream."""
        for listener in list(self.listeners):
            listener.put(_CLOSE)


class _Handler(BaseHTTPRequestHandler):
    server: PageServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - name of the base class
        pass

    def _answer(self, status: int, kind: str, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {
            "content-type": kind,
            "content-length": str(len(body)),
            "content-security-policy": POLICY,
            **headers,
        }.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _allowed(self) -> bool:
        return not self.server.token or f"voltair={self.server.token}" in self.headers.get("cookie", "")

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/login" and sent == {"token": self.server.token}:
            self._answer(200, "application/json", b"{}", set_cookie=f"voltair={self.server.token}; HttpOnly")
        elif not self.server.token and self.path.startswith("/api/"):
            self.server.posted.append((self.path, sent))
            self._answer(200, "application/json", b"{}")
        else:
            self._answer(401, "application/problem+json", b"{}")

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/api/") and not self._allowed():
            self._answer(401, "application/problem+json", b"{}")
        elif path == "/api/v1/stream" and not self.server.refuse:
            self._stream()
        elif path.startswith("/api/v1/alerts/") and path.rpartition("/")[2] in self.server.alerts:
            body = json.dumps(self.server.alerts[path.rpartition("/")[2]]).encode()
            self._answer(200, "application/json", body)
        elif path == "/readyz" and not self.server.refuse:
            status = 503 if self.server.readiness["status"] == "not ready" else 200
            self._answer(status, "application/json", json.dumps(self.server.readiness).encode())
        elif path == "/api/v1/stations":
            self._answer(200, "application/json", b'{"items": [], "next_cursor": null}')
        elif path.startswith(("/s/", "/a/")) or path in ("/compare", "/data"):
            self._answer(200, "text/html", page_at(path).encode())
        elif path == "/worker.js" and not self.server.refuse:
            self._answer(200, "text/javascript", page_worker().encode())
        else:
            file = STATIC / (path.strip("/") or "index.html")
            if self.server.refuse or not file.is_file():
                self._answer(503 if self.server.refuse else 404, "application/problem+json", b"{}")
                return
            body = file.read_bytes()
            self.server.bytes_sent[path] = len(body)
            self._answer(200, _TYPES[file.suffix], body)

    def _stream(self) -> None:
        listener: queue.Queue[Any] = queue.Queue()
        for event in self.server.snapshot:
            listener.put(event)
        self.server.listeners.append(listener)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("cache-control", "no-cache")
        self.end_headers()
        try:
            self.wfile.write(b"retry: 300\n\n")
            while (event := listener.get()) is not _CLOSE:
                name, data = event
                self.wfile.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())
        except OSError:
            pass  # the browser went away
        finally:
            self.server.listeners.remove(listener)


@contextmanager
def page_server(snapshot: list[Event]) -> Iterator[PageServer]:
    """Run a server for one test."""
    with serving(PageServer(snapshot)) as server:
        try:
            yield server
        finally:
            server.drop()
