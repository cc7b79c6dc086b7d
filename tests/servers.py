"""Real servers for tests, each on free ports in its own folder.

mosquitto, InfluxDB 1.x, nginx, VictoriaMetrics, Prometheus, Alertmanager and a public receiver of its webhooks: each
is started from its Debian package's own program, waited for until *that process* listens, and stopped at the end.
`kill9()` and `restart()` keep ports and data, so that a test can take a server away and bring it back. Where a program
is missing the test is skipped with the name of its package; with CI=true it fails.
"""

import os
import random
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn, TypeVar

import httpx
import pytest

_START_S = 30.0
_given: set[int] = set()

AnyServer = TypeVar("AnyServer", bound="Server")
Ours = TypeVar("Ours", bound=socketserver.BaseServer)


def missing(what: str) -> NoReturn:
    """Skip the test for want of `what`; fail where CI promises that everything is there."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI=true")
    pytest.skip(f"{what} is missing")


def find_program(name: str, package: str) -> str:
    """Return the path of a program, also where only root's PATH has it."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    return found or missing(f"{name} (Debian package {package})")


@contextmanager
def serving(server: Ours) -> Iterator[Ours]:
    """Let a server of the test's own answer, in a thread, until the end."""
    with server:
        # The interval only decides how long `shutdown` takes.
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def free_port() -> int:
    """Return a free TCP port below the ephemeral range, so that no outgoing connection takes it meanwhile."""
    while True:
        port = random.randrange(20_000, 32_000)  # noqa: S311 - spreads parallel test runs, no secret
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port


def listening_ports(pid: int) -> set[int]:
    """Return the TCP ports on which exactly this process listens."""
    sockets = set()
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            target = str(entry.readlink())
            if target.startswith("socket:["):
                sockets.add(target[8:-1])
    except FileNotFoundError:
        return set()
    ports = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except FileNotFoundError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports


class Server:
    """One process that listens; host, port and folder stay the same over kills and restarts."""

    host = "127.0.0.1"

    def __init__(
        self, argv: Sequence[str], port: int | None, folder: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        self.argv = list(argv)
        self.port = port or 0
        """The port that is waited for; 0: the process does not listen."""
        self.folder = folder
        self.log_path = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self._environ = {**os.environ, **(environ or {})}

    @property
    def pid(self) -> int:
        assert self.process is not None, "the server is not running"
        return self.process.pid

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def log(self) -> str:
        """Everything the process said on both channels, over all its lives."""
        return self.log_path.read_text("utf-8", "replace") if self.log_path.exists() else ""

    def wait_until(self, condition: Callable[[], bool], what: str, seconds: float = 120.0) -> None:
        """Wait while the process lives; a refused connection is no progress."""
        deadline = time.monotonic() + seconds
        while True:
            with suppress(httpx.TransportError):
                if condition():
                    return
            assert self.process is not None
            assert self.process.poll() is None, self.log[-6000:]
            assert time.monotonic() < deadline, f"not in {seconds:g} s: {what}\n{self.log[-6000:]}"
            time.sleep(0.25)  # asking costs the processes that are waited for

    def start(self) -> None:
        assert self.process is None, "the server already runs"
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environ,
                cwd=self.folder,
            )
        deadline = time.monotonic() + _START_S
        while self.port and self.port not in listening_ports(self.process.pid):
            code = self.process.poll()
            if code is not None or time.monotonic() > deadline:
                self.kill9()
                said = self.log[-4000:]
                pytest.fail(f"{self.argv[0]} does not listen on {self.port} (exit code {code}):\n{said}")
            time.sleep(0.02)  # the only signal of a foreign process is its socket

    def stop(self) -> int | None:
        """End it in peace (SIGTERM, after 10 s SIGKILL) and return its exit code."""
        if self.process is None:
            return None
        self.process.terminate()
        try:
            code = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.process = None
        return code

    def kill9(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def restart(self) -> None:
        """Start it again on the same port and data, ending it in peace first where it still runs."""
        self.stop()
        self.start()


class Broker(Server):
    """A mosquitto."""

    @property
    def url(self) -> str:
        return f"mqtt://{self.host}:{self.port}"


class Nginx(Server):
    """An nginx with one `server` block."""

    def __init__(self, program: str, port: int, folder: Path) -> None:
        super().__init__([program, "-p", str(folder), "-c", str(folder / "nginx.conf")], port, folder)

    def set_http(self, http: str) -> None:
        """Write the configuration; it counts from the next start."""
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        scratch = "".join(f"{kind}_temp_path {self.folder}/{kind};" for kind in kinds)
        user = "user root;" if os.geteuid() == 0 else ""
        (self.folder / "nginx.conf").write_text(
            f"daemon off; worker_processes 1; pid {self.folder}/nginx.pid; error_log stderr; {user}\n"
            f"events {{}}\nhttp {{ access_log off; client_max_body_size 64m; {scratch}\n"
            f"server {{ listen 127.0.0.1:{self.port};\n{http}\n}} }}\n"
        )


@contextmanager
def running(server: AnyServer) -> Iterator[AnyServer]:
    """Start a server and stop it at the end, whatever happens."""
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def _folder(folder: Path | None) -> Iterator[Path]:
    """Yield the given folder, or a temporary one; relative names in a server's folder stay short."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="voltair-test-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextmanager
def mosquitto(extra: str = "", *, port: int | None = None, folder: Path | None = None) -> Iterator[Broker]:
    """Run a broker that keeps sessions on disk and queues without limit.

    `extra` are further lines of mosquitto.conf, e.g. `autosave_interval 1` or `allow_anonymous false`.
    """
    program = find_program("mosquitto", "mosquitto")
    with _folder(folder) as home:
        port = port or free_port()
        lines = [
            f"listener {port} 127.0.0.1",
            "persistence true",
            f"persistence_location {home}/",
            "max_queued_messages 0",
            "max_inflight_messages 1000",
            "log_type error", "log_type warning", "log_type notice",
            *(["user root"] if os.geteuid() == 0 else []),
            *([] if "allow_anonymous" in extra else ["allow_anonymous true"]),
            *(line.strip() for line in extra.splitlines()),
        ]
        (home / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        with running(Broker([program, "-c", str(home / "mosquitto.conf")], port, home)) as server:
            yield server


@contextmanager
def influxd(extra: str = "", *, port: int | None = None, folder: Path | None = None) -> Iterator[Server]:
    """Run an InfluxDB 1.x without databases; `extra` is TOML that is appended to its configuration."""
    program = find_program("influxd", "influxdb")
    with _folder(folder) as home:
        port = port or free_port()
        (home / "influxdb.conf").write_text(
            f"""
reporting-disabled = true
bind-address = "127.0.0.1:{free_port()}"
[meta]
  dir = "{home}/meta"
  logging-enabled = false
[data]
  dir = "{home}/data"
  wal-dir = "{home}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
{extra}
"""
        )
        with running(Server([program, "-config", str(home / "influxdb.conf")], port, home)) as server:
            yield server


@contextmanager
def nginx(http: str, *, port: int | None = None, folder: Path | None = None) -> Iterator[Nginx]:
    """Run nginx with `http` as the body of its one `server` block, e.g. `location / { return 503; }`.

    Rewrite `server.set_http(...)` and call `restart()` to change its mind.
    """
    program = find_program("nginx", "nginx-light")
    with _folder(folder) as home:
        server = Nginx(program, port or free_port(), home)
        server.set_http(http)
        with running(server):
            yield server


@contextmanager
def victoria_metrics(*flags: str, port: int | None = None, folder: Path | None = None) -> Iterator[Server]:
    """Run a VictoriaMetrics, which takes line protocol at `/write`; `flags` are further options."""
    program = find_program("victoria-metrics", "victoria-metrics")
    with _folder(folder) as home:
        port = port or free_port()
        argv = [program, f"-httpListenAddr=127.0.0.1:{port}", f"-storageDataPath={home}/data", *flags]
        with running(Server(argv, port, home)) as server:
            yield server


@contextmanager
def prometheus(config: Path, *, folder: Path | None = None) -> Iterator[Server]:
    """Run a Prometheus with a configuration file."""
    program = find_program("prometheus", "prometheus")
    with _folder(folder) as home:
        port = free_port()
        argv = [
            program, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}",
            f"--storage.tsdb.path={home}/data",
        ]
        with running(Server(argv, port, home)) as server:
            yield server


@contextmanager
def alertmanager(hook: str) -> Iterator[Server]:
    """Run an Alertmanager that posts every group to one webhook at once."""
    program = find_program("prometheus-alertmanager", "prometheus-alertmanager")
    with _folder(None) as home:
        port = free_port()
        (home / "config.yml").write_text(
            f"route: {{receiver: hook, group_by: [alertname, station], group_wait: 0s, group_interval: 1s}}\n"
            f"receivers: [{{name: hook, webhook_configs: [{{url: '{hook}'}}]}}]\n"
        )
        argv = [
            program, f"--config.file={home}/config.yml", f"--web.listen-address=127.0.0.1:{port}",
            f"--storage.path={home}/data", "--cluster.listen-address=",
        ]
        with running(Server(argv, port, home)) as server:
            yield server


@contextmanager
def irc_relay(irc_port: int) -> Iterator[Server]:
    """Run a public receiver of Alertmanager's webhooks, which says them in IRC."""
    program = find_program("alertmanager-irc-relay", "alertmanager-irc-relay")
    with _folder(None) as home:
        port = free_port()
        (home / "config.yml").write_text(
            f"http_host: 127.0.0.1\nhttp_port: {port}\nirc_host: 127.0.0.1\nirc_port: {irc_port}\n"
            "irc_use_ssl: no\nirc_nickname: bot\nirc_realname: bot\nmsg_once_per_alert_group: no\n"
            'irc_channels: [{name: "#alerts"}]\n'
            'msg_template: "{{ .Labels.alertname }} {{ .Labels.device }} {{ .Status }}: {{ .Annotations.summary }}"\n'
        )
        argv = [program, "--config", str(home / "config.yml")]
        with running(Server(argv, port, home)) as server:
            yield server


@contextmanager
def voltair(
    *arguments: str, folder: Path, port: int | None = None, environ: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run a command of Voltair in `folder` (where its voltair.toml is found), waiting for `port` where it listens."""
    with running(Server([sys.executable, "-P", "-m", "voltair", *arguments], port, folder, environ)) as server:
        yield server
