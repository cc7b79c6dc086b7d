"""Clients that fetch n waiting messages from a broker, each in a process of its own.

`python -m benchmarks.contenders NAME PORT N` prints a line of JSON: seconds from the first message to the last
acknowledgement, and the CPU seconds that the process used meanwhile. Only ours decodes and stores what it receives.
"""

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

HOST = "127.0.0.1"
FILTER = "voltair/v1/+/+/+/telemetry"
GROUP = 500
"""By hand: acknowledgements are sent in groups of this size."""


class Clock:
    """Times from the first message to the last."""

    def __init__(self, n: int) -> None:
        self.missing = n
        """Messages that are not acknowledged yet."""
        self._start: tuple[float, float] | None = None
        self._end = (0.0, 0.0)

    @property
    def done(self) -> bool:
        return self.missing <= 0

    def start(self) -> None:
        if self._start is None:
            self._start = time.perf_counter(), time.process_time()

    def take(self, n: int = 1) -> None:
        self.missing -= n
        if self.missing <= 0:
            self._end = time.perf_counter(), time.process_time()

    def result(self) -> dict[str, float]:
        assert self._start is not None
        return {"wall_s": self._end[0] - self._start[0], "cpu_s": self._end[1] - self._start[1]}


def ours(port: int, clock: Clock) -> None:
    """The role `ingest` as it is: decode, journal, acknowledge."""
    from ingest import role
    from ingest.batch import Intake
    from ingest.session import Session
    from store.journal_reader import JournalReader
    from telemetry.config import load_config

    offer, acknowledge = Intake.offer, Session.acknowledge
    expected = clock.missing

    def timed_offer(self: Intake, generation: int, messages: list[Any]) -> None:
        clock.start()
        offer(self, generation, messages)

    def timed_acknowledge(self: Session, generation: int, packet_ids: Sequence[int]) -> None:
        acknowledge(self, generation, packet_ids)
        clock.take(len(packet_ids))
        if clock.done:
            os.kill(os.getpid(), signal.SIGTERM)

    Intake.offer = timed_offer  # type: ignore[method-assign]
    Session.acknowledge = timed_acknowledge  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory(prefix="voltair-bench-") as folder:
        config = load_config(None, {})
        mqtt = msgspec.structs.replace(config.mqtt, url=f"mqtt://{HOST}:{port}", client_id="ours", topics=(FILTER,))
        config = msgspec.structs.replace(config, data_dir=f"{folder}/data", stations=f"{folder}/none", mqtt=mqtt)
        role.run(config)
        assert JournalReader(config.data / "journal").head()[3].journalled == expected


def _paho(name: str, port: int, clock: Clock, *, by_hand: bool) -> None:
    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion

    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False, manual_ack=by_hand)
    pending: list[tuple[int, int]] = []

    def on_message(_client: object, _data: object, message: paho.MQTTMessage) -> None:
        clock.start()
        if by_hand:
            pending.append((message.mid, message.qos))
            if len(pending) < min(GROUP, clock.missing):
                return
            for mid, qos in pending:
                client.ack(mid, qos)
            clock.take(len(pending))
            pending.clear()
        else:
            clock.take()
        if clock.done:
            client.disconnect()

    client.on_message = on_message
    client.connect(HOST, port)
    client.loop_forever()


def paho_auto(port: int, clock: Clock) -> None:
    """paho-mqtt, MQTT 3.1.1 (with 5 it is slower), acknowledged on receipt."""
    _paho("paho", port, clock, by_hand=False)


def paho_by_hand(port: int, clock: Clock) -> None:
    """paho-mqtt, MQTT 3.1.1, acknowledged by hand."""
    _paho("paho-by-hand", port, clock, by_hand=True)


def aiomqtt_auto(port: int, clock: Clock) -> None:
    """aiomqtt 2, which can only acknowledge on receipt."""
    import aiomqtt

    async def run() -> None:
        async with aiomqtt.Client(HOST, port, identifier="aiomqtt", clean_session=False) as client:
            async for _ in client.messages:
                clock.start()
                clock.take()
                if clock.done:
                    return

    asyncio.run(run())


def _gmqtt(name: str, port: int, clock: Clock, *, by_hand: bool) -> None:
    import gmqtt

    async def run() -> None:
        client = gmqtt.Client(
            name, clean_session=False, optimistic_acknowledgement=not by_hand, session_expiry_interval=3_600,
            receive_maximum=65_535,
        )  # fmt: skip
        finished = asyncio.Event()

        def count() -> int:
            clock.start()
            clock.take()
            if clock.done:
                finished.set()
            return 0

        async def later(*_: object) -> int:
            return count()

        client.on_message = later if by_hand else lambda *_: count()
        await client.connect(HOST, port)
        await finished.wait()
        await client.disconnect()

    asyncio.run(run())


def gmqtt_auto(port: int, clock: Clock) -> None:
    """gmqtt, acknowledged on receipt."""
    _gmqtt("gmqtt", port, clock, by_hand=False)


def gmqtt_by_hand(port: int, clock: Clock) -> None:
    """gmqtt, acknowledged when the coroutine of the message has returned."""
    _gmqtt("gmqtt-by-hand", port, clock, by_hand=True)


CONTENDERS: dict[str, Callable[[int, Clock], None]] = {
    "ours": ours,
    "paho": paho_auto,
    "paho-by-hand": paho_by_hand,
    "gmqtt": gmqtt_auto,
    "gmqtt-by-hand": gmqtt_by_hand,
    "aiomqtt": aiomqtt_auto,
}
"""By client id."""
MQTT_5 = {"ours", "gmqtt", "gmqtt-by-hand"}


if __name__ == "__main__":
    chosen, port_text, n_text = sys.argv[1:]
    watch = Clock(int(n_text))
    CONTENDERS[chosen](int(port_text), watch)
    print(json.dumps(watch.result()))
