"""What the command line asks of the simulators, as plain functions."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from simulators.control import ORDERS, Orders, order
from simulators.message import Message
from simulators.publish import Progress, Publisher, parse_broker, parse_speed
from simulators.replay import replay_messages
from simulators.scenario import Scenario, list_scenarios, load_scenario
from simulators.score.ask import Api
from simulators.score.match import score as compare
from simulators.score.show import picture, table
from simulators.simulation import Simulation
from simulators.truth import read_truth
from telemetry.errors import ConfigError, VoltairError
from telemetry.registry import parse_when
from telemetry.times import format_time, parse_duration_ms

DEFAULT_BROKER = "mqtt://127.0.0.1:1883"


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
        File for lines of `{"topic": ..., "payload": ...}`; instead of a broker.
    truth_file
        File for what really happened: faults, places, times, true key figures, as JSON.

    control
        Folder in which `inject` leaves its orders; None: nobody can.

    Raises
    ------
    ConfigError
        If an argument is wrong.
    VoltairError
        If the broker cannot be reached or a file cannot be written.
    """
    if broker is not None and out is not None:
        msg = "give --broker or --out, not both"
        raise ConfigError(msg)
    scenario = load_scenario(name)
    pace = parse_speed(1.0 if speed is None else speed)
    seed = scenario.seed if seed is None else seed
    length_ms = _length(scenario, duration)
    if start is not None:
        start_ms = _start(start)
    else:
        start_ms = int(time.time() * 1000) if out is None and pace == 1.0 else scenario.start_ms
    if length_ms is None and out is not None:
        msg = f"scenario {name!r} runs until it is stopped; a file needs --duration, like --duration 1h"
        raise ConfigError(msg)
    simulation = Simulation(scenario, seed, start_ms, length_ms)
    messages = simulation.messages(None if control is None else Orders(control, simulation).look)
    with _truth_written(simulation, truth_file):
        if out is not None:
            return write_lines(messages, out)
        return publish(messages, broker or DEFAULT_BROKER, pace, f"simulating {name}")


def inject(
    kind: str, *, folder: Path, lasts: str, station: str = "", device: str = "", size: float | None = None
) -> str:
    """Let something go wrong in a running demo; return what the simulator says.

    Parameters
    ----------
    kind
        A key of `simulators.fault_kinds.KINDS`.
    folder
        The demo's.
    lasts
        How long, like `5m`.
    station, device
        Where; empty: the first that fits.
    size
        How large; None: as usual.

    Raises
    ------
    ConfigError
        If there is no such fault or place.
    VoltairError
        If no demo answers.
    """
    wanted = {"kind": kind, "station": station, "device": device, "lasts": lasts, "size": size}
    return order(folder / ORDERS, wanted)


def score(
    truth_file: Path, *, api: str, token: str = "", json_file: Path | None = None, picture_file: Path | None = None
) -> str:
    """Compare what a running Voltair found with what really happened; return the table.

    Parameters
    ----------
    truth_file
        Written by `simulate --truth`.
    api
        Address of the server.
    token
        Its bearer token; empty: none.
    json_file, picture_file
        Files for the score as JSON and as SVG.

    Raises
    ------
    VoltairError
        If the server does not answer or a file cannot be read or written.
    """
    truth = read_truth(truth_file)
    with Api(api, token) as connection:
        behind = connection.behind()
        found = compare(truth, connection.alerts(truth), connection.key_figures(truth))
    if json_file is not None:
        with _writing(json_file):
            json_file.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    if picture_file is not None:
        with _writing(picture_file):
            picture_file.write_text(picture(found, truth.from_, truth.to), "utf-8")
    late = f"\nnote: {behind} readings are not analysed yet; ask again when there are none" if behind else ""
    return table(found) + late


@contextlib.contextmanager
def _truth_written(simulation: Simulation, path: Path | None) -> Iterator[None]:
    """Write what really happened, also when the run was stopped early."""
    if path is not None:
        with _writing(path):
            path.touch()  # better to fail now than after the run
    yield
    if path is not None:
        with _writing(path):
            path.write_bytes(msgspec.json.format(msgspec.json.encode(simulation.truth()), indent=2) + b"\n")


def replay(
    path: Path,
    *,
    format_name: str,
    speed: float | str | None = None,
    broker: str | None = None,
    out: Path | None = None,
    station: str | None = None,
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
        File for lines of `{"topic": ..., "payload": ...}`; instead of a broker.
    station
        Station id; None: the format's own.

    Raises
    ------
    ConfigError
        If an argument is wrong.
    VoltairError
        If the recording cannot be read, the broker cannot be reached or the file cannot be written.
    """
    if broker is not None and out is not None:
        msg = "give --broker or --out, not both"
        raise ConfigError(msg)
    pace = parse_speed("max" if speed is None else speed)
    messages = replay_messages(path, format_name, station or "")
    if out is not None:
        return write_lines(messages, out)
    return publish(messages, broker or DEFAULT_BROKER, pace, f"replaying {path.name}")


def write_lines(messages: Iterable[Message], path: Path) -> int:
    """Write messages as lines of JSON, the payload as an object; return their number."""
    count = 0
    with _writing(path), path.open("wb") as file:
        for message in messages:
            topic = msgspec.json.encode(message.topic)
            payload = message.payload
            if not message.sound:  # perhaps no JSON: the line holds it as text
                payload = msgspec.json.encode(payload.decode("utf-8", "replace"))
            file.write(b'{"topic":%b,"payload":%b}\n' % (topic, payload))
            count += 1
    return count


def publish(messages: Iterable[Message], broker: str, speed: float | None, title: str) -> int:
    """Publish messages until they end or the process is asked to stop; return the number that is acknowledged."""
    address = parse_broker(broker)
    with _progress(title) as progress:
        publisher = Publisher(address, speed, progress)
        asyncio.run(_until_stopped(publisher, messages))
    return publisher.acknowledged


async def _until_stopped(publisher: Publisher, messages: Iterable[Message]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # not in the main thread
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


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror or error}"
        raise VoltairError(msg) from error


def _length(scenario: Scenario, duration: str | None) -> int | None:
    if duration is None:
        return scenario.duration_ms
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
