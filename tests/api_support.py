"""What the tests of the API share: hand-made state.db files, transitions, and receivers that keep what they got."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from servers import serving
from starlette.types import ASGIApp

from api.app import create_app
from api.auth import parse_tokens
from api.deliver import Deliverer
from api.desk import Desk
from api.endpoints import Endpoint
from api.hub import Hub
from api.intake import Intake
from api.overview import Overview
from api.post import Poster
from api.services import Services
from api.sources import Sources
from store.arrays import encode_arrays
from store.roles import RoleStatus, wall_ms
from store.sqlite import connect
from store.state import SCHEMA
from telemetry.channels import PORT, PORT_STATUS
from telemetry.config import ApiConfig, Config

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
T0 = 1_795_000_000_000


def transition(
    alert: str = "a1", type_: str = "alert.firing", *, number: int = 1, station: str = "harbour", **changes: Any
) -> dict[str, Any]:
    resolved = type_ == "alert.resolved"
    return {
        "id": f"{alert}-{number}", "alert": alert, "fingerprint": f"f-{alert}", "type": type_,
        "time_ms": T0 + 1000 * number, "rule": "port_faulted", "category": "fault", "severity": "critical",
        "state": "resolved" if resolved else "firing", "station": station, "device": "p001", "device_kind": "port",
        "since_ms": T0, "fired_ms": T0, "resolved_ms": T0 + 1000 * number if resolved else None, "value": 1.0,
        "threshold": None, "unit": "", "summary": {"en": "Port p001 is faulted", "zh": "p001 故障"},
        "remedy": {"en": "Look at it", "zh": "检查"}, "evidence": {"error_code": "GroundFailure"}, **changes,
    }


def make_state(data: Path) -> Path:
    data.mkdir(parents=True, exist_ok=True)
    path = data / "state.db"
    db = connect(path)
    for statement in SCHEMA.split(";"):
        db.execute(statement)
    db.close()
    return path


def add_transitions(data: Path, *rows: dict[str, Any]) -> None:
    db = connect(data / "state.db")
    db.execute("BEGIN IMMEDIATE")
    for row in rows:
        db.execute(
            "INSERT INTO transition(id, alert, station, time_ms, body) VALUES(?, ?, ?, ?, ?)",
            (row["id"], row["alert"], row["station"], row["time_ms"], json.dumps(row)),
        )
    db.execute("COMMIT")
    db.close()


def put_ports(data: Path, station: str, ports: dict[str, dict[str, Any]]) -> None:
    """Write the last word of ports: `newest_ms`, `state`, `hold_ms`, `power_kw`, `session`, `first_ms` each."""
    names = tuple(ports)
    n, channels = len(names), [c.name for c in PORT.values]
    last = np.full((n, len(channels)), np.nan)
    for i, port in enumerate(ports.values()):
        last[i, channels.index("power_kw")] = port.get("power_kw", np.nan)
    arrays = {
        "first_ms": np.array([p.get("first_ms", T0) for p in ports.values()]),
        "newest_ms": np.array([p["newest_ms"] for p in ports.values()]),
        "hold_ms": np.array([p.get("hold_ms", 300_000) for p in ports.values()]),
        "state": np.array([PORT_STATUS.index(p["state"]) for p in ports.values()], np.int8),
        "charging": np.zeros(n, np.bool_), "session": np.arange(n), "run_ms": np.zeros(n, np.int64),
        "run_seq": np.zeros(n, np.int64), "last": last, "last_ms": np.full((n, len(channels)), T0),
    }
    sessions = [p.get("session", "") for p in ports.values()]
    body = msgspec.msgpack.encode([names, channels, PORT_STATUS, sessions, encode_arrays(arrays)])
    db = connect(data / "state.db")
    db.execute("INSERT OR REPLACE INTO device VALUES(?, 'port', ?)", (station, body))
    newest = max(p["newest_ms"] for p in ports.values())
    db.execute("INSERT OR REPLACE INTO station VALUES(?, 'charging', ?, ?)", (station, newest, newest))
    db.close()


def endpoint(id_: str = "ep_1", url: str = "http://127.0.0.1:9/hook", **changes: Any) -> Endpoint:
    return Endpoint(**{"id": id_, "url": url, "secret": SECRET, "allow_private": ("127.0.0.0/8",), **changes})


@dataclass
class Received:
    headers: dict[str, str]
    body: bytes
    path: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    url: str
    port: int
    got: list[Received] = field(default_factory=list)
    answer: Callable[[Received], tuple[int, dict[str, str]]] = lambda _: (204, {})
    """Status and headers; a header `body` is the answer's body."""


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Serve a local receiver of webhooks on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            item = Received({k.lower(): v for k, v in self.headers.items()}, body, self.path)
            found.got.append(item)
            status, headers = found.answer(item)
            text = headers.pop("body", "").encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Receiver(f"http://127.0.0.1:{server.server_port}/hook", server.server_port)
    with serving(server):
        yield found


@dataclass
class Clock:
    ms: int = T0

    def __call__(self) -> int:
        return self.ms

    def forward(self, seconds: float) -> None:
        self.ms += round(1000 * seconds)


def make_services(config: Config, *, clock: Callable[[], int] = wall_ms) -> Services:
    """Return services whose tasks do not run: tests call what they need."""
    desk = Desk(config.data / "desk.db", base_url="http://127.0.0.1:8080")
    sources = Sources(config, clock_ms=clock)
    deliverer = Deliverer(desk, Poster(wall_s=lambda: clock() / 1000), clock_ms=clock, jitter=lambda: 0.0)
    return Services(
        config=config,
        tokens=parse_tokens(config.api.tokens),
        desk=desk,
        sources=sources,
        intake=Intake(config.data, desk, event_clock=config.clock.mode == "event", clock_ms=clock),
        deliverer=deliverer,
        hub=Hub(Overview(sources, desk).picture, version="0", demo=False, clock_ms=clock),
        own=RoleStatus(role="api", pid=1, started_ms=clock(), updated_ms=wall_ms(), ready=True),
        clock_ms=clock,
    )


class Client:
    """Calls an application without a server, as a browser or a program would."""

    def __init__(self, app: ASGIApp, base_url: str) -> None:
        self._app, self._base_url = app, base_url
        self.cookies: dict[str, str] = {}

    def request(self, method: str, path: str, **how: Any) -> httpx.Response:
        async def work() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=self._base_url, cookies=self.cookies) as client:
                answer = await client.request(method, path, **how)
                self.cookies.update(client.cookies)
                return answer

        return asyncio.run(work())

    def get(self, path: str, **how: Any) -> httpx.Response:
        return self.request("GET", path, **how)

    def post(self, path: str, **how: Any) -> httpx.Response:
        return self.request("POST", path, **how)

    def put(self, path: str, **how: Any) -> httpx.Response:
        return self.request("PUT", path, **how)

    def patch(self, path: str, **how: Any) -> httpx.Response:
        return self.request("PATCH", path, **how)

    def delete(self, path: str, **how: Any) -> httpx.Response:
        return self.request("DELETE", path, **how)


def deliver_once(services: Services) -> int:
    """Make one attempt at everything that is due, and close the connections."""

    async def work() -> int:
        poster = Poster(wall_s=lambda: services.clock_ms() / 1000)
        deliverer = Deliverer(services.desk, poster, clock_ms=services.clock_ms, jitter=lambda: 0.0)
        try:
            return await deliverer.round()
        finally:
            await poster.close()

    return asyncio.run(work())


def die_after_post(services: Services) -> None:
    """Post what is due, and die before what came of it is written."""

    class DiesBeforeWriting(Deliverer):
        async def _record(self, *_args: object) -> str:
            raise KeyboardInterrupt

    async def die() -> None:
        poster = Poster()
        try:
            await DiesBeforeWriting(services.desk, poster, clock_ms=services.clock_ms).round()
        finally:
            await poster.close()

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(die())


def take(services: Services, *rows: dict[str, Any]) -> None:
    """Let transitions happen, and let the desk take them."""
    add_transitions(services.config.data, *rows)
    while services.intake.take():
        pass


STATIONS = """
[stations.harbour]
kind = "charging"
name = "Harbour"
groups = ["zhoushan"]
[[stations.harbour.ports]]
id = "p001"
name = "Bay 1"
[[stations.harbour.ports]]
id = "p002"
[stations.isle]
kind = "compressed_air"
"""


def config_of(tmp_path: Path, **api: Any) -> Config:
    (tmp_path / "stations.toml").write_text(STATIONS)
    return Config(data_dir=str(tmp_path / "data"), stations=str(tmp_path / "stations.toml"), api=ApiConfig(**api))


def client_of(services: Services) -> Client:
    return Client(create_app(services), "http://127.0.0.1:8080")


def problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert set(body) >= {"type", "title", "status", "detail"}
    assert body["status"] == status
    return body
