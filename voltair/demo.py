"""`voltair demo`: broker, simulated stations, every role, the page and a receiver of alerts, from nothing."""

import http.client
import os
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from api.signing import new_secret
from simulators.control import ORDERS
from simulators.scenario import load_scenario
from store.roles import ROLES, RoleLock
from telemetry.config import split_listen
from telemetry.errors import ConfigError
from voltair.broker import demo_broker
from voltair.receiver import SECRET_VARIABLE
from voltair.supervise import Child, keep_running, role_child, voltair_argv

SCENARIO = "demo"


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What may differ between demos."""

    listen: str
    """Address of the page."""
    broker_port: int
    """0: any free port."""
    folder: Path
    """Emptied at each start."""
    seed: int | None
    """None: the scenario's own."""


def run_demo(settings: DemoSettings) -> int:
    """Run until Ctrl-C; print the address of the page once it answers.

    Returns
    -------
    int
        Exit code.

    Raises
    ------
    ConfigError
        If a port is taken, or the folder holds something else.
    RoleLocked
        If another demo runs in the folder.
    """
    host, port = split_listen(settings.listen)
    _check_free(host, port, "--listen", f"{host}:{port + 1}")
    if settings.broker_port:
        _check_free("127.0.0.1", settings.broker_port, "--broker-port", "0")
    folder = settings.folder.absolute()
    _check_ours(folder)
    with RoleLock(folder, "demo"):
        _empty(folder)
        return keep_running(_children(settings, folder), _announce(host, port))


def _children(settings: DemoSettings, folder: Path) -> list[Child]:
    """Write the demo's files and return its processes in the order of starting."""
    logs = folder / "logs"
    logs.mkdir()
    broker_port = settings.broker_port or _free_port()
    receiver_port = _free_port()
    secret = new_secret()
    broker = demo_broker(broker_port, folder, logs / "broker.log")
    broker_url = f"mqtt://127.0.0.1:{broker_port}"
    (folder / "stations.toml").write_text(load_scenario(SCENARIO).stations_toml(), "utf-8")
    config = folder / "voltair.toml"
    config.write_text(
        f"""demo = true
data_dir = "data"
stations = "stations.toml"
[mqtt]
url = "{broker_url}"
protocol = {broker.protocol}
client_id = "voltair-demo"
[api]
listen = "{settings.listen}"
[[webhooks]]
id = "demo"
url = "http://127.0.0.1:{receiver_port}/"
secret = "{secret}"
allow_private = ["127.0.0.0/8"]
""",
        "utf-8",
    )
    seed = ["--seed", str(settings.seed)] if settings.seed is not None else []
    control = ("--control", str(folder / ORDERS))
    simulate = voltair_argv("simulate", SCENARIO, "--broker", broker_url, "--speed", "1", *control, *seed)
    receiver = [sys.executable, "-P", "-m", "voltair.receiver", str(receiver_port)]
    # settings of a real instance in the environment must not leak into the demo
    environ = {name: value for name, value in os.environ.items() if not name.startswith("VOLTAIR__")}
    children = [
        broker.child,
        Child("receiver", receiver, environ={SECRET_VARIABLE: secret}),
        # the page first: its programs take the longest to load, and it is what people wait for
        *(role_child(role, config, logs / f"{role}.log") for role in ("api", *(r for r in ROLES if r != "api"))),
        Child("simulator", simulate, logs / "simulator.log"),
    ]
    return [replace(child, environ={**environ, **(child.environ or {})}) for child in children]


def _announce(host: str, port: int) -> Callable[[], bool]:
    """Return a poll that prints the address once the page answers."""

    def poll() -> bool:
        connection = http.client.HTTPConnection(host, port, timeout=1)
        try:
            connection.request("GET", "/livez")
            answers = connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        if answers:
            print(f"Voltair demo: http://{host}:{port}/", flush=True)  # noqa: T201 - the answer of the command
        return answers

    return poll


def _check_free(host: str, port: int, option: str, other: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            msg = (
                f"port {port} on {host} cannot be used ({error.strerror}); "
                f"stop what listens there, or choose another: voltair demo {option} {other}"
            )
            raise ConfigError(msg) from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _check_ours(folder: Path) -> None:
    """Refuse a folder that a demo has not made: it is about to be emptied."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "roles" / "demo.lock").exists():
        msg = f"{folder} holds something else than a demo and would be emptied; choose another --folder"
        raise ConfigError(msg)


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.name == "roles":
            continue  # holds our lock
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
