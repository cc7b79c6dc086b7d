"""A real HTTP server that answers writes as a test tells it, and keeps the lines that it took."""

import contextlib
import http.server
import urllib.parse
from collections.abc import Callable, Iterator

from servers import serving

Answer = tuple[int, dict[str, str], bytes]


class Answers(http.server.ThreadingHTTPServer):
    """A server that answers as told and keeps the bodies of what it took."""

    def __init__(self, answer: Callable[[list[str]], tuple[int, dict[str, str], bytes]]) -> None:
        self.answer = answer
        self.taken: list[str] = []
        self.requests: list[tuple[str, dict[str, list[str]]]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Answers)
        url = urllib.parse.urlsplit(self.path)
        server.requests.append((url.path, urllib.parse.parse_qs(url.query)))
        lines = self.rfile.read(int(self.headers["Content-Length"])).decode().split("\n")
        status, headers, body = server.answer(lines)
        if status < 300:
            server.taken += lines
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def answering(answer: Callable[[list[str]], tuple[int, dict[str, str], bytes]]) -> Iterator[Answers]:
    with serving(Answers(answer)) as server:
        yield server
