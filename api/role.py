"""The role "api": HTTP, the desk and its deliveries, in one process."""

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import sqlite3
from collections.abc import Iterator
from importlib.metadata import version

import uvicorn

from api.app import create_app
from api.auth import Token, check_listen, parse_tokens
from api.deliver import Deliverer
from api.desk import Desk
from api.endpoints import Endpoint, configured_endpoints, sync_config
from api.escalate import Escalator
from api.hub import Hub
from api.intake import Intake
from api.monitor import PERIOD_S, Monitor
from api.mqtt_out import MqttOut
from api.outbox import pending_count, troubles
from api.overview import Overview
from api.post import Poster
from api.problems import Problem
from api.repairs import Repairs
from api.routing import Routes
from api.services import Services
from api.sources import Sources
from store.roles import RoleLock, RoleStatus, wall_ms, write_status
from telemetry.config import Config, split_listen
from telemetry.errors import ConfigError, VoltairError

_STATUS_S = 1.0
_REPAIRS_S = 10.0

_log = logging.getLogger(__name__)


def run(config: Config) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises
    ------
    ConfigError
        If a token, an endpoint or `api.listen` is wrong, or its port is taken.
    RoleLocked
        If another process already serves this data directory.
    """
    tokens = parse_tokens(config.api.tokens)
    check_listen(config.api, tokens)
    endpoints = configured_endpoints(config.webhooks, config.calendars)
    with RoleLock(config.data, "api"), _bind(config.api.listen) as listener:
        asyncio.run(_serve(config, tokens, endpoints, listener))


def _bind(listen: str) -> socket.socket:
    host, port = split_listen(listen)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        msg = f"api.listen = {listen!r}: {host!r} is no address of this machine ({error})"
        raise ConfigError(msg) from error
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(256)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            msg = f"port {port} of api.listen = {listen!r} is taken by another program; stop it, or set another port"
        else:
            msg = f"api.listen = {listen!r} cannot be used ({error.strerror}); set another address or port"
        raise ConfigError(msg) from error
    return listener


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the role, which must end the streams first."""
        yield


def base_url(config: Config) -> str:
    """Return the address under which people reach the page, without a slash at the end."""
    if config.api.public_url:
        return config.api.public_url.rstrip("/")
    host, port = split_listen(config.api.listen)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _serve(config: Config, tokens: list[Token], endpoints: list[Endpoint], listener: socket.socket) -> None:
    own = RoleStatus(role="api", pid=os.getpid(), started_ms=wall_ms(), updated_ms=wall_ms())
    sources = Sources(config)
    routes = Routes(sources.groups_of, config.calendars)
    desk = Desk(config.data / "desk.db", base_url=base_url(config), routes=routes)
    with desk.write() as db:
        sync_config(db, endpoints, wall_ms())
    deliverer = Deliverer(desk, Poster())
    overview = Overview(sources, desk)
    hub = Hub(
        overview.picture, version=version("voltair"), demo=config.demo, grafana_url=config.api.grafana_url
    )
    mqtt_out = MqttOut(config.mqtt, desk, sources, overview)

    def deliver() -> None:
        deliverer.wake()
        mqtt_out.wake()

    intake = Intake(
        config.data, desk, event_clock=config.clock.mode == "event", on_change=hub.wake, on_deliveries=deliver,
    )
    services = Services(config, tokens, desk, sources, intake, deliverer, hub, own)
    server = _Server(
        uvicorn.Config(
            create_app(services), access_log=False, log_config=None, log_level="warning", lifespan="off", ws="none",
            server_header=False, timeout_graceful_shutdown=3,
        )
    )

    def stop() -> None:
        hub.close()
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        async with asyncio.TaskGroup() as group:
            parts = [intake.run(), deliverer.run(), hub.run(), mqtt_out.run(), _report(services, mqtt_out),
                     _verify(services)]
            if config.clock.mode == "live":
                parts += [_escalate(services), _watch_itself(services)]
            tasks = [group.create_task(part) for part in parts]
            await server.serve(sockets=[listener])
            for task in tasks:
                task.cancel()
    finally:
        desk.close()


async def _escalate(services: Services) -> None:
    """Look once a second after alerts that nobody takes on."""
    sources = services.sources
    escalator = Escalator(services.desk, services.config.alerts.escalation, sources.registry, sources.now_ms)
    while True:
        try:
            if await asyncio.to_thread(escalator.step):
                services.changed()
        except (sqlite3.Error, VoltairError):
            _log.exception("alerts cannot be escalated or repeated; tried again each second")
        await asyncio.sleep(_STATUS_S)


async def _verify(services: Services) -> None:
    """Look now and then after leaks that are marked repaired."""
    repairs = Repairs(services.desk, services.sources)
    while True:
        try:
            if await asyncio.to_thread(repairs.step):
                services.changed()
        except (sqlite3.Error, VoltairError, Problem):
            _log.exception("repairs of leaks cannot be verified; tried again")
        await asyncio.sleep(_REPAIRS_S)


async def _watch_itself(services: Services) -> None:
    """Judge the rules about Voltair itself."""
    config = services.config
    monitor = Monitor(
        config.data, services.desk, services.sources.rules_json, max_journal_bytes=config.journal.max_bytes
    )
    while True:
        try:
            if await asyncio.to_thread(monitor.step):
                services.changed()
        except (OSError, sqlite3.Error, VoltairError):
            _log.exception("Voltair cannot judge itself; tried again in %g s", PERIOD_S)
        await asyncio.sleep(PERIOD_S)


async def _report(services: Services, mqtt_out: MqttOut) -> None:
    """Say once a second how this role is."""
    while True:
        own = services.own
        own.updated_ms = wall_ms()
        own.ready = True
        own.problems = await asyncio.to_thread(lambda: troubles(services.desk.reader))
        own.problems += [problem for problem in (services.intake.problem, mqtt_out.problem) if problem]
        pending = await asyncio.to_thread(lambda: pending_count(services.desk.reader))
        own.gauges = {"deliveries_pending": pending, "mqtt_out_connected": int(mqtt_out.connected)}
        own.counters = {"delivery_attempts": services.deliverer.finished, "mqtt_published": mqtt_out.published}
        write_status(services.config.data, own)
        await asyncio.sleep(_STATUS_S)
