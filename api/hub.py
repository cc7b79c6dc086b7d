"""The live stream: the whole picture on connect, then what changed, at most twice a second (docs/stream.md)."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from store.roles import wall_ms
from telemetry.times import format_time

INTERVAL_S = 0.5
"""Changes are sent at most this often,"""
REFRESH_S = 1.0
"""and looked for at least this often: silence also changes the picture."""
TIME_S = 5.0
_WAITING = 64
"""Batches that wait for a slow client before it gets the whole picture anew."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Picture:
    """What a page shows."""

    stations: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Station -> `data` of its `kpi` event."""
    devices: dict[str, dict[tuple[str, str], dict[str, Any]]] = field(default_factory=dict)
    """Station -> (kind, device) -> item of its `device` event."""
    alerts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Alerts that fire, and those of the newest events: id -> `data`."""


@dataclass(frozen=True, slots=True)
class Message:
    """One event of the stream."""

    name: str
    text: str
    """JSON."""
    station: str | None = None
    """Station that a client must be allowed to see."""


def _message(name: str, data: object, station: str | None = None) -> Message:
    return Message(name, msgspec.json.encode(data).decode(), station)


@dataclass(slots=True, eq=False)
class _Client:
    sees: Callable[[str], bool]
    queue: asyncio.Queue[list[Message] | None] = field(default_factory=lambda: asyncio.Queue(_WAITING))


class Hub:
    """Makes the picture while anyone looks, and sends what changed to everyone."""

    def __init__(
        self, look: Callable[[], Picture], *, version: str, demo: bool, grafana_url: str = "",
        clock_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._look = look
        self._version = version
        self._demo = demo
        self._grafana_url = grafana_url.rstrip("/") or None
        self._clock_ms = clock_ms
        self._picture: Picture | None = None
        self._clients: set[_Client] = set()
        self._wake = asyncio.Event()
        self._looking = asyncio.Lock()
        self._closed = False

    def wake(self) -> None:
        """Look for changes now, or as soon as the interval allows."""
        self._wake.set()

    async def run(self) -> None:
        """Send changes until cancelled."""
        loop = asyncio.get_running_loop()
        next_time = loop.time() + TIME_S
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), REFRESH_S)
            self._wake.clear()
            if not self._clients:
                self._picture = None
                continue
            await self._refresh()
            if loop.time() >= next_time:
                next_time = loop.time() + TIME_S
                self._send([_message("time", {"time": format_time(self._clock_ms())})])
            await asyncio.sleep(INTERVAL_S)

    async def _refresh(self) -> None:
        async with self._looking:
            try:
                new = await asyncio.to_thread(self._look)
            except Exception:  # noqa: BLE001 - whatever it is, the next look may succeed
                # A page that shows the last picture is better than an API that is gone.
                _log.exception("the picture for the pages cannot be made; tried again each second")
                return
            old, self._picture = self._picture, new
            if old is not None:
                messages = changes(old, new)
                if messages:
                    self._send(messages)

    def _send(self, messages: list[Message]) -> None:
        for client in self._clients:
            if client.queue.full():
                while not client.queue.empty():
                    client.queue.get_nowait()
                messages_for = self._whole(client)
            else:
                messages_for = [m for m in messages if m.station is None or client.sees(m.station)]
            if messages_for:
                client.queue.put_nowait(messages_for)

    def _whole(self, client: _Client) -> list[Message]:
        picture = self._picture or Picture()
        stations = [s for s in picture.stations if client.sees(s)]
        alerts = [
            (i, d) for i, d in picture.alerts.items() if d["state"] == "firing" and client.sees(d["station"])
        ]
        hello = {
            "time": format_time(self._clock_ms()), "version": self._version, "demo": self._demo,
            "grafana_url": self._grafana_url, "stations": stations, "alerts": [i for i, _ in alerts],
        }
        messages = [_message("hello", hello)]
        for station in stations:
            messages.append(_message("kpi", picture.stations[station], station))
            devices = list(picture.devices.get(station, {}).values())
            messages.append(_message("device", {"station": station, "devices": devices}, station))
        messages += [_message("alert", data, data["station"]) for _, data in alerts]
        return messages

    async def listen(self, sees: Callable[[str], bool]) -> AsyncIterator[Message]:
        """Yield the whole picture, then changes, until the hub closes.

        Parameters
        ----------
        sees
            Whether the client may see a station.
        """
        client = _Client(sees)
        if self._picture is None:
            await self._refresh()
        # Nothing may happen between the picture and joining: no await here.
        client.queue.put_nowait(self._whole(client))
        self._clients.add(client)
        try:
            while not self._closed:
                messages = await client.queue.get()
                if messages is None:
                    return
                for message in messages:
                    yield message
        finally:
            self._clients.discard(client)

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        for client in self._clients:
            while not client.queue.empty():
                client.queue.get_nowait()
            client.queue.put_nowait(None)


def _lasting(data: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a station's data without its clock, which always moves."""
    return None if data is None else {**data, "station": {**data["station"], "now": None}}


def changes(old: Picture, new: Picture) -> list[Message]:
    """Return the events that lead from one picture to the next."""
    messages = []
    for station, data in new.stations.items():
        if _lasting(old.stations.get(station)) != _lasting(data):
            messages.append(_message("kpi", data, station))
        before = old.devices.get(station, {})
        changed = [d for key, d in new.devices.get(station, {}).items() if before.get(key) != d]
        if changed:
            messages.append(_message("device", {"station": station, "devices": changed}, station))
    messages += [
        _message("alert", data, data["station"])
        for alert, data in new.alerts.items()
        if old.alerts.get(alert) != data
    ]
    # Of very many at once the picture holds only the newest; the others have ended too.
    messages += [
        _message("alert", {**data, "state": "resolved"}, data["station"])
        for alert, data in old.alerts.items()
        if data["state"] == "firing" and alert not in new.alerts
    ]
    return messages
