"""What the command line asks of the simulators, as plain functions."""

import asyncio
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from simulators.control import Orders, placed
from simulators.dialects import NATIVE, SPARKPLUG, check_dialect, speak
from simulators.fault_kinds import Layer, kinds_of
from simulators.faults import Fault, parse_fault
from simulators.files import write_file
from simulators.load import DEVICES_MAX, load_messages
from simulators.message import Message
from simulators.network import disturb
from simulators.publish import BulkPublisher, EdgePublisher, Progress, Publisher, SteadyPublisher
from simulators.publish.broker import parse_broker
from simulators.publish.pace import parse_speed
from simulators.recorded import write_messages
from simulators.replay import check_sha256, replay_messages, replay_tables
from simulators.scenario import Scenario, list_scenarios, load_scenario
from simulators.simulation import Simulation
from simulators.toml_text import to_toml
from simulators.truth import written_truth
from telemetry.errors import ConfigError
from telemetry.registry import parse_when
from telemetry.times import format_time, parse_duration_ms

DEFAULT_BROKER = "mqtt://127.0.0.1:1883"
STEADY_SPEED = 1_000.0
"""Up to this many times real time messages are published one by one; above they would not keep the pace."""


def scenarios() -> list[tuple[str, str]]:
    """Return name and text of every scenario."""
    return list_scenarios()


def simulate(
    name: str,
    *,
    seed: int | None = None,
    duration: str | None = None,
    start: str | None = None,
    speed: float | str | None = None,
    broker: str | None = None,
    out: Path | None = None,
    truth_file: Path | None = None,
    control: Path | None = None,
    faults: Sequence[str] = (),
    dialect: str = NATIVE,
) -> int:
    """Run a scenario to a broker or into a file; return the number of messages.

    Parameters
    ----------
    name
        A name of `scenarios`.
    seed
        Seed of all chance; None: the scenario's.
    duration
        Length, like `7d`; None: the scenario's.
    start
        Start of the simulated time, RFC 3339, ms or a date; None: now when it is published in real time, else the
        scenario's (so that the same call gives the same bytes).
    speed
        Simulated time per wall time, or `max`; None: 1. A file is always written at full speed.
    broker
        URL to publish to; None: `mqtt://127.0.0.1:1883`.
    out
        File for messages, lines of `{"topic": ..., "payload": ...}` or `.parquet`; instead of a broker.
    truth_file
        File for what really happened: faults, places, times, true key figures, as JSON.
    control
        Folder in which `voltair inject` leaves its orders; None: nobody can.
    faults
        Further faults, as `simulators.faults.parse_fault` reads them.
    dialect
        A key of `simulators.dialects.DIALECTS`, or `native`.

    Raises
    ------
    ConfigError
        If an argument is wrong.
    VoltairError
        If the broker cannot be reached or a file cannot be written.
    """
    target = _Target(broker, out, 1.0 if speed is None else speed)
    check_dialect(dialect)
    scenario = load_scenario(name)
    seed = scenario.seed if seed is None else seed
    length_ms = _length(scenario, duration)
    if start is not None:
        start_ms = _start(start)
    else:
        start_ms = int(time.time() * 1000) if out is None and target.pace == 1.0 else scenario.start_ms
    if length_ms is None and out is not None:
        msg = f"scenario {name!r} runs until it is stopped; a file needs --duration, like --duration 1h"
        raise ConfigError(msg)
    simulation = Simulation(scenario, seed, start_ms, length_ms)
    for fault in map(parse_fault, faults):
        for one in placed(fault, simulation):
            simulation.inject(one)
    messages = simulation.messages(None if control is None else Orders(control, simulation).look)
    with written_truth(simulation, truth_file):
        return target.take(messages, f"simulating {name}", dialect=dialect)


def load(
    devices: int,
    *,
    rate: float | None = None,
    duration: str | None = None,
    speed: float | str | None = None,
    broker: str | None = None,
    out: Path | None = None,
) -> int:
    """Publish the readings of many devices, without physics; return the number of messages.

    Parameters
    ----------
    devices
        1 to 1,000,000.
    rate
        Messages per second of all together; None: each device once a minute.
    duration
        Length, like `1m`; None: until it is stopped.
    speed
        As in `simulate`.
    broker, out
        As in `simulate`.

    Raises
    ------
    ConfigError
        If an argument is wrong.
    VoltairError
        If the broker cannot be reached or the file cannot be written.
    """
    target = _Target(broker, out, 1.0 if speed is None else speed)
    if not 1 <= devices <= DEVICES_MAX:
        msg = f"--load {devices} is not 1 to {DEVICES_MAX:,} devices"
        raise ConfigError(msg)
    rate = devices / 60.0 if rate is None else rate
    if not 0.0 < rate < float("inf"):
        msg = f"--rate {rate} is no number of messages per second above 0"
        raise ConfigError(msg)
    if duration is None and out is not None:
        msg = "load runs until it is stopped; a file needs --duration, like --duration 1m"
        raise ConfigError(msg)
    length_ms = None if duration is None else _duration(duration)
    count = None if length_ms is None else int(rate * length_ms / 1000)
    messages = load_messages(devices, rate, int(time.time() * 1000), count)
    return target.take(messages, f"load of {devices:,} devices", bulk=True)


def replay(
    path: Path,
    *,
    format_name: str,
    speed: float | str | None = None,
    broker: str | None = None,
    out: Path | None = None,
    station: str | None = None,
    columns: Path | None = None,
    stations_file: Path | None = None,
    faults: Sequence[str] = (),
    seed: int = 1,
    sha256: str = "",
) -> int:
    """Replay a recording to a broker or into a file; return the number of messages.

    Parameters
    ----------
    path
        The recording.
    format_name
        A key of `simulators.replay.FORMATS`.
    speed
        Recorded time per wall time, or `max`; None: `max`.
    broker
        URL to publish to; None: `mqtt://127.0.0.1:1883`.
    out
        File for messages, lines of `{"topic": ..., "payload": ...}` or `.parquet`; instead of a broker.
    station
        Station id; None: the format's own.
    columns
        Map of the columns of a table.
    stations_file
        File for the `stations.toml` that belongs to the recording.
    faults
        Faults of what is measured and of the way, as `simulators.faults.parse_fault` reads them.
    seed
        Seed of their chance.
    sha256
        Checksum that the file must have; empty: any.

    Raises
    ------
    ConfigError
        If an argument is wrong.
    VoltairError
        If the recording cannot be read, the broker cannot be reached or the file cannot be written.
    """
    target = _Target(broker, out, "max" if speed is None else speed)
    if sha256:
        check_sha256(path, sha256)
    messages = replay_messages(path, format_name, station or "", columns)
    if faults:
        messages = disturb(messages, [_of_recording(parse_fault(text)) for text in faults], seed)
    if stations_file is not None:
        write_file(stations_file, to_toml(replay_tables(path, format_name, station or "")).encode())
    return target.take(messages, f"replaying {path.name}")


class _Target:
    """Where messages go, and how fast."""

    def __init__(self, broker: str | None, out: Path | None, speed: float | str) -> None:
        if broker is not None and out is not None:
            msg = "give --broker or --out, not both"
            raise ConfigError(msg)
        self.pace = parse_speed(speed)
        self._broker, self._out = broker or DEFAULT_BROKER, out

    def take(self, messages: Iterable[Message], title: str, *, dialect: str = NATIVE, bulk: bool = False) -> int:
        """Publish native messages or write them to a file; return their number."""
        if self._out is not None:
            return write_messages(speak(messages, dialect), self._out)
        return publish(messages, self._broker, self.pace, title, dialect=dialect, bulk=bulk)


def publish(
    messages: Iterable[Message],
    broker: str,
    speed: float | None,
    title: str,
    *,
    dialect: str = NATIVE,
    bulk: bool = False,
) -> int:
    """Publish until the messages end or the process is asked to stop; return the number that is acknowledged.

    Parameters
    ----------
    messages
        Native ones where another dialect is asked for.
    speed
        Event time per wall time; None: as fast as they are taken. Above `STEADY_SPEED` they go in bulk.
    bulk
        In bulk at any speed.
    """
    address = parse_broker(broker)
    kind: type[Publisher] = SteadyPublisher
    if dialect == SPARKPLUG:
        kind = EdgePublisher
    else:
        messages = speak(messages, dialect)
        if bulk or speed is None or speed > STEADY_SPEED:
            kind = BulkPublisher
    with _progress(title) as progress:
        publisher = kind(address, speed, progress)
        asyncio.run(_until_stopped(publisher, messages))
    return publisher.acknowledged


async def _until_stopped(publisher: Publisher, messages: Iterable[Message]) -> None:
    loop = asyncio.get_running_loop()
    if threading.current_thread() is threading.main_thread():  # the only one that may handle signals
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, publisher.stop)
    await publisher.publish(messages)


@contextlib.contextmanager
def _progress(title: str) -> Iterator[Progress | None]:
    """Give a reporter that draws on a terminal; None where nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=False) as bar:
        task = bar.add_task(title)

        def report(count: int, time_ms: int) -> None:
            bar.update(task, description=f"{title}: {count:,} messages, at {format_time(time_ms)}")

        yield report


def _of_recording(fault: Fault) -> Fault:
    known = kinds_of(Layer.READING, Layer.WAY)
    if fault.kind not in known:
        msg = f"fault {fault.kind!r} needs a model, which a recording has not; it can have {', '.join(known)}"
        raise ConfigError(msg)
    return fault


def _length(scenario: Scenario, duration: str | None) -> int | None:
    return scenario.duration_ms if duration is None else _duration(duration)


def _duration(duration: str) -> int:
    length_ms = parse_duration_ms(duration)
    if not length_ms:
        msg = f"duration {duration!r} is not like 90s, 30m, 24h or 7d"
        raise ConfigError(msg)
    return length_ms


def _start(text: str) -> int:
    start_ms = parse_when(text)
    if start_ms is None:
        msg = f"start {text!r} is not like 2026-06-01, 2026-06-01T08:00:00Z or a number of ms"
        raise ConfigError(msg)
    return start_ms
