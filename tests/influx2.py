"""A small InfluxDB 2: the calls of its documented HTTP API that `voltair init` and `doctor` use, in memory."""

import http.server
import json
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from servers import serving

ADMIN, ORG, ORG_ID = "all-access", "harbours", "0000000000000001"


class Influx2(http.server.ThreadingHTTPServer):
    """Buckets, mappings and tokens, as `/api/v2` shows them."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = {"buckets": [], "dbrps": [], "authorizations": []}
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def tokens(self) -> set[str]:
        return {ADMIN, *(one["token"] for one in self.tables["authorizations"])}


class _Handler(http.server.BaseHTTPRequestHandler):
    def _answer(self, status: int, body: Any = None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Influxdb-Version", "v2.7.0")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _route(self) -> tuple[list[str], dict[str, str], Any] | None:
        """Return path, arguments and body, or answer 401."""
        url = urllib.parse.urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"null")
        token = self.headers.get("Authorization", "").removeprefix("Token ")
        if url.path != "/ping" and token not in self._owner.tokens():
            self._answer(401, {"code": "unauthorized", "message": "unauthorized access"})
            return None
        return url.path.strip("/").split("/"), dict(urllib.parse.parse_qsl(url.query)), body

    @property
    def _owner(self) -> Influx2:
        assert isinstance(self.server, Influx2)
        return self.server

    def do_GET(self) -> None:
        found = self._route()
        if found is None:
            return
        tables = self._owner.tables
        match found:
            case ["ping"], _, _:
                self._answer(204)
            case ["query"], args, _:
                self._query(args["db"])
            case ["api", "v2", "orgs"], args, _:
                self._answer(200, {"orgs": [{"id": ORG_ID, "name": ORG}] if args.get("org") == ORG else []})
            case ["api", "v2", "buckets"], args, _:
                named = [b for b in tables["buckets"] if b["name"] == args.get("name", b["name"])]
                self._answer(200, {"buckets": named})
            case ["api", "v2", "dbrps"], _, _:
                self._answer(200, {"content": tables["dbrps"]})
            case ["api", "v2", "authorizations"], _, _:
                self._answer(200, {"authorizations": [one | {"token": ""} for one in tables["authorizations"]]})
            case _:
                self._answer(404, {"code": "not found", "message": self.path})

    def do_POST(self) -> None:
        found = self._route()
        match found:
            case None:
                return
            case ["query"], args, _:
                self._query(args["db"])
            case ["api", "v2", ("buckets" | "dbrps" | "authorizations") as name], _, body:
                table = self._owner.tables[name]
                body |= {"id": f"{len(table) + 16:016x}"}
                if name == "authorizations":
                    body |= {"token": f"token-{len(table)}", "status": "active"}
                table.append(body)
                self._answer(201, body)
            case _:
                self._answer(404, {"code": "not found", "message": self.path})

    def do_PATCH(self) -> None:
        match self._route():
            case ["api", "v2", "buckets", id_], _, body:
                (bucket,) = (b for b in self._owner.tables["buckets"] if b["id"] == id_)
                bucket |= body
                self._answer(200, bucket)
            case None:
                return
            case _:
                self._answer(404, {"code": "not found", "message": self.path})

    def _query(self, database: str) -> None:
        mapped = {one["database"] for one in self._owner.tables["dbrps"]}
        error = {} if database in mapped else {"error": f"database not found: {database}"}
        self._answer(200, {"results": [{"statement_id": 0, **error}]})

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def influx2() -> Iterator[Influx2]:
    with serving(Influx2()) as server:
        yield server
