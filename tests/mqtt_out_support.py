"""A desk with an MQTT out, and a listener that sees what an outsider does."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from aiomqtt import Client
from api_support import T0
from servers import Broker

from api.desk import Desk
from api.mqtt_out import MqttOut
from api.overview import Overview
from api.sources import Sources
from telemetry.config import Config, MqttConfig


class Site:
    """A desk, its stations and an MQTT out for them."""

    def __init__(self, folder: Path, url: str, **mqtt: Any) -> None:
        self.config = Config(
            data_dir=str(folder / "data"),
            stations=str(folder / "stations.toml"),
            mqtt=MqttConfig(url=url, **{"prefix": f"t/{folder.name}", **mqtt}),
        )
        self.prefix = self.config.mqtt.prefix
        (folder / "stations.toml").write_text('[stations.harbour]\nkind = "charging"\n')
        self.desk = Desk(self.config.data / "desk.db")
        self.sources = Sources(self.config, clock_ms=lambda: T0)

    def make_out(self, every_s: float = 60.0) -> MqttOut:
        overview = Overview(self.sources, self.desk)
        return MqttOut(self.config.mqtt, self.desk, self.sources, overview, every_s=every_s, jitter=lambda: 1.0)

    def topic(self, *levels: str) -> str:
        return "/".join((self.prefix, *levels))

    def take(self, *transitions: dict[str, Any]) -> None:
        n = self.desk.cursor()[0]
        self.desk.take([(n + 1 + i, json.dumps(t).encode()) for i, t in enumerate(transitions)], now_ms=T0)

    def known(self) -> set[str]:
        return {row[0] for row in self.desk.reader.execute("SELECT topic FROM mqtt_topic")}


class Listener:
    """Sees every message as an outsider does; an empty body takes the topic away."""

    def __init__(self) -> None:
        self.held: dict[str, Any] = {}
        self.got: list[str] = []
        self._news = asyncio.Event()

    async def listen(self, client: Client) -> None:
        async for message in client.messages:
            topic = str(message.topic)
            self.got.append(topic)
            if message.payload:
                assert isinstance(message.payload, bytes)
                self.held[topic] = json.loads(message.payload)
            else:
                self.held.pop(topic, None)
            self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self._news.clear()
                await self._news.wait()


@contextlib.asynccontextmanager
async def listening(url_port: int, topics: str, **options: Any) -> AsyncIterator[Listener]:
    listener = Listener()
    async with Client("127.0.0.1", url_port, **options) as client:
        await client.subscribe(topics, qos=1)
        task = asyncio.create_task(listener.listen(client))
        try:
            yield listener
        finally:
            await cancel(task)


@contextlib.asynccontextmanager
async def working(out: MqttOut) -> AsyncIterator[None]:
    task = asyncio.create_task(out.run())
    try:
        yield
        assert not task.done()
    finally:
        await cancel(task)


async def cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def until(condition: Callable[[], object]) -> None:
    """Wait for a state of ours that nobody announces."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - desk.db and the broker have no event to wait for
            await asyncio.sleep(0.01)


async def retained(broker: Broker, site: Site) -> dict[str, Any]:
    """Return what a newcomer gets: the broker sends all of it before a message that comes after the subscription."""
    async with listening(broker.port, f"{site.prefix}/#") as listener, Client("127.0.0.1", broker.port) as mark:
        await mark.publish(site.topic("mark"), b"1", qos=1)
        await listener.until(lambda: site.topic("mark") in listener.held)
        return {t: v for t, v in listener.held.items() if t != site.topic("mark")}
