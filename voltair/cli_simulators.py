"""Commands of the simulated world: scenarios, recordings, faults on demand, and how they were found."""

from pathlib import Path
from typing import Annotated

import typer

from telemetry.errors import ConfigError
from voltair.cli_options import ConfigPath, configured

app = typer.Typer()

Speed = Annotated[str | None, typer.Option(metavar="N|max", help="Event time per wall time.")]
Broker = Annotated[str | None, typer.Option(metavar="URL", help="Broker to publish to, mqtt://host:port.")]
Out = Annotated[
    Path | None, typer.Option(metavar="FILE.jsonl", help="Write to a file (.jsonl, .parquet), not to a broker.")
]
Faults = Annotated[
    list[str] | None,
    typer.Option("--fault", metavar="KIND,...", help="A fault, like loss,size=0.05; repeatable."),
]


@app.command()
def scenarios() -> None:
    """List the scenarios: a header line, then one line each with name and text."""
    from simulators.commands import scenarios as known

    rows = [("name", "text"), *known()]
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        typer.echo(f"{name:<{width}}  {text}")


@app.command()
def simulate(
    scenario: Annotated[str, typer.Argument(help="See voltair scenarios; none with --load.")] = "",
    *,
    seed: Annotated[int | None, typer.Option(help="Default: the scenario's.")] = None,
    duration: Annotated[str | None, typer.Option(metavar="7d", help="Default: the scenario's.")] = None,
    start: Annotated[
        str | None, typer.Option(metavar="TIME", help="RFC 3339 or ms; default: now in real time, else the scenario's.")
    ] = None,
    speed: Speed = None,
    broker: Broker = None,
    out: Out = None,
    truth: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write what really happened.")] = None,
    control: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where 'voltair inject' leaves its orders.")
    ] = None,
    fault: Faults = None,
    load: Annotated[int, typer.Option(metavar="N", help="No scenario: so many devices, without physics.")] = 0,
    dialect: Annotated[str, typer.Option(metavar="NAME", help="native, evcc, ocpp, senml or sparkplug.")] = "native",
    rate: Annotated[float | None, typer.Option(help="With --load: messages/s; default: one a minute each.")] = None,
) -> None:
    """Publish a simulated scenario; without --speed in real time."""
    from simulators import commands

    if bool(scenario) == bool(load):
        msg = "give a scenario ('voltair scenarios' lists them) or --load N"
        raise ConfigError(msg)
    if load:
        count = commands.load(load, rate=rate, duration=duration, speed=speed, broker=broker, out=out)
        typer.echo(f"{count} messages")
        return
    count = commands.simulate(
        scenario, duration=duration, start=start, speed=speed, broker=broker, out=out, truth_file=truth,
        control=control, dialect=dialect, faults=fault or (), seed=seed,
    )  # fmt: skip
    typer.echo(f"{count} messages")


@app.command()
def replay(
    file: Path,
    *,
    format_: Annotated[str, typer.Option("--format", metavar="NAME", help="See docs/simulators.md.")],
    speed: Speed = None,
    broker: Broker = None,
    out: Out = None,
    station: Annotated[str | None, typer.Option(metavar="ID", help="Default: the format's own.")] = None,
    columns: Annotated[Path | None, typer.Option(metavar="FILE.toml", help="Map of a table's columns.")] = None,
    stations: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="Write the stations.toml that belongs to it.")
    ] = None,
    fault: Faults = None,
    seed: Annotated[int, typer.Option(help="Of the faults' chance.")] = 1,
    sha256: Annotated[str, typer.Option(metavar="HEX", help="Refuse a file with another checksum.")] = "",
) -> None:
    """Publish recorded data; without --speed as fast as it is taken."""
    from simulators import commands

    count = commands.replay(
        file, format_name=format_, columns=columns, station=station, stations_file=stations, sha256=sha256,
        speed=speed, broker=broker, out=out, faults=fault or (), seed=seed,
    )  # fmt: skip
    typer.echo(f"{count} messages")


@app.command()
def record(
    out: Annotated[Path, typer.Argument(metavar="FILE", help=".jsonl or .parquet, for replay --format voltair.")],
    *,
    config: ConfigPath = None,
    source: Annotated[str, typer.Option(help="journal, or influx.")] = "journal",
    from_: Annotated[str | None, typer.Option("--from", metavar="TIME", help="RFC 3339 or ms.")] = None,
    to: Annotated[str | None, typer.Option(metavar="TIME", help="Up to, not with.")] = None,
    station: Annotated[str, typer.Option(metavar="ID", help="Default: all.")] = "",
) -> None:
    """Write what was received to a file, from the journal or InfluxDB."""
    from telemetry.registry import parse_when
    from voltair.record import ALWAYS_MS
    from voltair.record import record as write

    times = [0, ALWAYS_MS]
    for k, text in enumerate((from_, to)):
        if text is not None:
            found = parse_when(text)
            if found is None:
                msg = f"time {text!r} is not like 2026-06-01, 2026-06-01T08:00:00Z or a number of ms"
                raise ConfigError(msg)
            times[k] = found
    count = write(configured(config), out, source, times[0], times[1], station)
    typer.echo(f"{count} messages")


@app.command()
def inject(
    fault: Annotated[str, typer.Argument(help="Kind of fault, like leak or port_fault; a wrong one lists them all.")],
    *,
    station: Annotated[str, typer.Option(metavar="ID", help="Default: the first that can have it.")] = "",
    device: Annotated[str, typer.Option(metavar="ID", help="Default: the first that can have it.")] = "",
    lasts: Annotated[str, typer.Option(metavar="5m", help="How long.")] = "5m",
    size: Annotated[float | None, typer.Option(help="How large, in the unit of the fault.")] = None,
    folder: Annotated[Path, typer.Option(help="Folder of the running demo.")] = Path(".voltair/demo"),
) -> None:
    """Let something go wrong in the running demo."""
    from simulators.control import ORDERS, order

    wanted = {"kind": fault, "station": station, "device": device, "lasts": lasts, "size": size}
    typer.echo(order(folder / ORDERS, wanted))


@app.command()
def score(
    truth: Annotated[Path, typer.Argument(help="Written by 'voltair simulate --truth'.")],
    *,
    api: Annotated[str, typer.Option(metavar="URL", help="The running Voltair.")] = "http://127.0.0.1:8080",
    token: Annotated[str, typer.Option(envvar="VOLTAIR_TOKEN", help="Bearer token, where it needs one.")] = "",
    json: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the score as JSON.")] = None,
    picture: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw faults and alerts over time.")] = None,
) -> None:
    """Compare alerts and key figures of a running Voltair with what really happened."""
    from simulators.score.command import score_truth

    typer.echo(score_truth(truth, api=api, token=token, json_file=json, picture_file=picture))
