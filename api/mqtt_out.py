"""MQTT out: key figures, advice and the alerts that fire, retained on the broker (contract, section 4).

A retained message outlives the process that sent it. So desk.db knows every topic before anything is published there,
and forgets it only after the broker has acknowledged its clearing: no crash leaves an alert standing for good.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

import msgspec
from aiomqtt import Client, MqttError, ProtocolVersion, TLSParameters, Topic

from api.desk import Desk
from api.overview import Overview
from api.sources import Sources
from telemetry.config import MqttConfig
from telemetry.first_of import first_of

EVERY_S = 60.0
"""How often the key figures of a station are published."""
_LOOK_S = 1.0
"""Changes of alerts are looked for at least this often."""
_REST = 4
"""After computing figures the next station waits this many times as long, so that large sites never take over."""
_AT_ONCE = 8
"""Messages under way before their acknowledgements."""
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STEADY_S = 5.0

_log = logging.getLogger(__name__)


class MqttOut:
    """Keeps the broker's retained topics equal to what the desk knows. One per desk."""

    def __init__(
        self,
        config: MqttConfig,
        desk: Desk,
        sources: Sources,
        overview: Overview,
        *,
        every_s: float = EVERY_S,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Prepare; `run` connects.

        Parameters
        ----------
        config
            The broker, the same as for ingest.
        desk
            Holds the alerts, and the topics that were published.
        sources, overview
            The stations and their key figures of the last hour.
        every_s
            How often those of each station are published.
        jitter
            Part of a pause by which it is shortened at most by half, 0 to 1, so that many do not come back together.
        """
        self._config = config
        self._desk = desk
        self._sources = sources
        self._overview = overview
        self._every_s = every_s
        self._jitter = jitter
        self._wake = asyncio.Event()
        self._held: set[str] = set()
        """Topics that may be retained on the broker, as desk.db has them."""
        self._turn = 0
        self._lost: str | None = f"MQTT out: not connected to {config.url} yet"
        self._echo: str | None = None
        self.connected = False
        self.published = 0
        """Messages that the broker has acknowledged since the process started."""

    @property
    def problem(self) -> str | None:
        """What keeps messages back; None when nothing does."""
        return self._lost or self._echo

    def wake(self) -> None:
        """Look for changes of alerts now."""
        self._wake.set()

    async def run(self) -> None:
        """Publish until cancelled; whatever goes wrong is said in `problem` and tried again."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            since = loop.time()
            try:
                await self._connection()
            except Exception as error:  # noqa: BLE001 - whatever it is, the rest of the API goes on
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    return  # closing the connection failed as well
                if not isinstance(error, MqttError):
                    _log.exception("MQTT out failed; it is tried again")
                self._lost = (
                    f"MQTT out: alerts and key figures are not published to {self._config.url} "
                    f"({error.__cause__ or error}); see the broker, mqtt.url, mqtt.username, mqtt.password and, for "
                    "TLS, mqtt.ca_file; it is tried again and again"
                )
            finally:
                self.connected = False
            failures = 1 if loop.time() - since > _STEADY_S else failures + 1
            pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10))
            await asyncio.sleep(pause_s * (1.0 - self._jitter() / 2))

    async def _connection(self) -> None:
        """Connect and publish until the connection is lost.

        Raises
        ------
        MqttError
            Always, with the reason.
        """
        async with self._client() as client:
            await first_of(_watch(client), self._alerts(client), self._figures(client))

    def _client(self) -> Client:
        config, url = self._config, urlsplit(self._config.url)
        tls = None
        if url.scheme == "mqtts":
            tls = TLSParameters(config.ca_file or None, config.cert_file or None, config.key_file or None)
        return Client(
            url.hostname or "",
            url.port or (8883 if tls else 1883),
            username=config.username or None,
            password=config.password or None,
            # the broker would end the session of ingest for a second one of its name
            identifier=f"{config.client_id}-out",
            protocol=ProtocolVersion(config.protocol),
            keepalive=config.keepalive_s,
            tls_params=tls,
        )

    async def _alerts(self, client: Client) -> None:
        """Publish what fires now and clear what does not, then follow the changes."""
        seen, bodies = await asyncio.to_thread(self._whole)
        await self._put(client, bodies)
        self._lost, self.connected = None, True
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _LOOK_S)
            self._wake.clear()
            seen, bodies = await asyncio.to_thread(self._changed, seen)
            await self._put(client, bodies)

    async def _figures(self, client: Client) -> None:
        """Publish the key figures of one station after the other, spread over the interval."""
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            stations = await asyncio.to_thread(self._stations)
            if not stations:
                await asyncio.sleep(_LOOK_S)
                continue
            # The turn outlives the connection: where it is lost again and again, the last stations come too.
            station = stations[self._turn % len(stations)]
            bodies = await asyncio.to_thread(self._figures_of, station)
            computed = loop.time()
            await self._put(client, bodies)
            self._turn += 1
            ended = loop.time()
            rest_s = _REST * (computed - started)
            await asyncio.sleep(max(self._every_s / len(stations) - (ended - started), rest_s))

    def _topic(self, station: str, *levels: str) -> str:
        return "/".join((self._config.prefix, station, *levels))

    def _stations(self) -> list[str]:
        return self._sources.station_ids() if self._sources.ready else []

    def _figures_of(self, station: str) -> dict[str, bytes]:
        """Return topic -> message of a station: its figures where they can be computed, its advice once there is some.

        Advice that is no longer computed is never cleared here: its `at` says how old it is.
        """
        answer = self._overview.last_hour(station)
        bodies = {}
        if answer["kpis"]:
            bodies[self._topic(station, "kpi")] = msgspec.json.encode({"station": station, **answer})
        advice = self._sources.advice(station)
        if advice["at"] is not None:
            bodies[self._topic(station, "advice")] = msgspec.json.encode(advice)
        return bodies

    def _whole(self) -> tuple[int, dict[str, bytes]]:
        """Return the number of the newest event, and topic -> body of all that must change on an unknown broker."""
        db = self._desk.reader
        self._held = {row[0] for row in db.execute("SELECT topic FROM mqtt_topic")}
        seen = _newest(self._desk)
        firing = db.execute("SELECT station, alert, state, data FROM alert WHERE state = 'firing'")
        bodies = self._bodies(firing)
        figures = {self._topic(station, level) for station in self._stations() for level in ("kpi", "advice")}
        # those of alerts that are over, of stations that are gone, of another prefix
        over = dict.fromkeys(self._held - figures - bodies.keys(), b"")
        return seen, {**over, **bodies}

    def _changed(self, seen: int) -> tuple[int, dict[str, bytes]]:
        """Return the number of the newest event, and topic -> body of the alerts that have changed after `seen`."""
        newest = _newest(self._desk)
        if newest == seen:
            return seen, {}
        changed = self._desk.reader.execute(
            "SELECT station, alert, state, data FROM alert WHERE alert IN (SELECT alert FROM event WHERE n > ?)",
            (seen,),
        )
        return newest, self._bodies(changed)

    def _bodies(self, alerts: Iterable[tuple[str, str, str, bytes]]) -> dict[str, bytes]:
        """Return topic -> body of alerts, an empty one where it is over."""
        return {
            self._topic(station, "alert", alert): data if state == "firing" else b""
            for station, alert, state, data in alerts
        }

    def _is_echo(self, topic: str) -> bool:
        """Return whether our own ingest would take a message in again, and say so."""
        for wildcard in self._config.topics:
            if Topic(topic).matches(wildcard):
                self._echo = (
                    f"MQTT out: {topic!r} is not published, for {wildcard!r} of mqtt.topics would take it in again; "
                    "narrow that filter, for example to .../telemetry and .../online"
                )
                return True
        return False

    async def _put(self, client: Client, bodies: Mapping[str, bytes]) -> None:
        """Have the broker retain these bodies; an empty one clears a topic that may be there."""
        bodies = {topic: b"" if body and self._is_echo(topic) else body for topic, body in bodies.items()}
        wanted = [(topic, body) for topic, body in bodies.items() if body or topic in self._held]
        new = {topic for topic, body in wanted if body} - self._held
        if new:
            await asyncio.to_thread(self._remember, new)
            self._held |= new
        for start in range(0, len(wanted), _AT_ONCE):
            batch = wanted[start : start + _AT_ONCE]
            await asyncio.gather(*(client.publish(topic, body, qos=1, retain=True) for topic, body in batch))
            self.published += len(batch)
        over = {topic for topic, body in wanted if not body}
        if over:
            await asyncio.to_thread(self._forget, over)
            self._held -= over

    def _remember(self, topics: Iterable[str]) -> None:
        with self._desk.write() as db:
            db.executemany("INSERT OR IGNORE INTO mqtt_topic VALUES(?)", [(topic,) for topic in topics])

    def _forget(self, topics: Iterable[str]) -> None:
        with self._desk.write() as db:
            db.executemany("DELETE FROM mqtt_topic WHERE topic = ?", [(topic,) for topic in topics])


def _newest(desk: Desk) -> int:
    return int(desk.reader.execute("SELECT coalesce(max(n), 0) FROM event").fetchone()[0])


async def _watch(client: Client) -> None:
    """Raise `MqttError` when the connection is lost; nothing is subscribed, so nothing comes."""
    async for _ in client.messages:
        pass
