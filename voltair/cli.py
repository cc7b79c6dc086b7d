"""The command line. Each command imports what it needs when it runs, so that `voltair --help` is quick.

Exit codes: 0 done, 1 it failed and said why, 2 wrong usage or configuration.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telemetry.errors import ConfigError, VoltairError

if TYPE_CHECKING:
    from telemetry.config import Config

app = typer.Typer(
    help="One monitor for EV charging stations and compressed-air stations.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
config_app = typer.Typer(help="Check the configuration, or print its schema.", no_args_is_help=True)
letters_app = typer.Typer(help="Messages that could not be read.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(letters_app, name="dead-letters")

ConfigPath = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Configuration; by default voltair.toml in this folder."),
]
Speed = Annotated[str | None, typer.Option(metavar="N|max", help="Event time per wall time.")]
Broker = Annotated[str | None, typer.Option(metavar="URL", help="Broker to publish to, mqtt://host:port.")]
Out = Annotated[
    Path | None, typer.Option(metavar="FILE.jsonl", help="Write messages to a file instead of a broker.")
]


def main() -> None:
    """Run one command and end the process with its exit code."""
    try:
        app()
    except VoltairError as error:
        print(f"voltair: {error}", file=sys.stderr)  # noqa: T201 - the command line speaks to people
        sys.exit(2 if isinstance(error, ConfigError) else 1)


def _config(path: Path | None) -> "Config":
    from telemetry.config import load_config

    return load_config(path)


def _role_config(path: Path | None) -> "Config":
    """Return the settings for a role; another clock mode than that of the data directory is refused at once."""
    from store.journal_reader import check_clock_mode

    settings = _config(path)
    check_clock_mode(settings.data / "journal", settings.clock.mode)
    return settings


@app.command()
def run(config: ConfigPath = None) -> None:
    """Start every role and restart one that dies; SIGTERM stops all."""
    from voltair.supervise import supervise

    raise typer.Exit(supervise(_role_config(config), config))


@app.command()
def ingest(config: ConfigPath = None) -> None:
    """Receive from the broker and journal."""
    settings = _role_config(config)
    from ingest.role import run as run_role

    run_role(settings)


@app.command()
def analytics(config: ConfigPath = None) -> None:
    """Turn the journal into minutes, key figures, sessions and alerts."""
    settings = _role_config(config)
    from analytics.role import run as run_role

    run_role(settings)


@app.command()
def writer(config: ConfigPath = None) -> None:
    """Ship readings and key figures to the series store."""
    settings = _role_config(config)
    from store.writer import run as run_role

    run_role(settings)


@app.command()
def api(config: ConfigPath = None) -> None:
    """Serve the HTTP API and the page, and deliver alerts."""
    settings = _role_config(config)
    from api.role import run as run_role

    run_role(settings)


@app.command()
def demo(
    listen: Annotated[str, typer.Option(help="Address of the page.")] = "127.0.0.1:8080",
    broker_port: Annotated[int, typer.Option(help="Port of the demo's broker; 0: any free one.")] = 0,
    folder: Annotated[Path, typer.Option(help="Folder of the demo, emptied at each start.")] = Path(
        ".voltair/demo"
    ),
    seed: Annotated[int | None, typer.Option(help="Another seed gives another day.")] = None,
) -> None:
    """Show everything at once: broker, simulated stations, every role, the page, and a receiver of alerts."""
    from voltair.demo import DemoSettings, run_demo

    raise typer.Exit(run_demo(DemoSettings(listen=listen, broker_port=broker_port, folder=folder, seed=seed)))


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
    scenario: str,
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
) -> None:
    """Publish a simulated scenario; without --speed in real time."""
    from simulators import commands

    count = commands.simulate(
        scenario,
        seed=seed,
        duration=duration,
        start=start,
        speed=speed,
        broker=broker,
        out=out,
        truth_file=truth,
        control=control,
    )
    typer.echo(f"{count} messages")


@app.command()
def replay(
    file: Path,
    *,
    format_: Annotated[str, typer.Option("--format", metavar="NAME", help="acn-sim or measur-log.")],
    speed: Speed = None,
    broker: Broker = None,
    out: Out = None,
    station: Annotated[str | None, typer.Option(metavar="ID", help="Default: the format's own.")] = None,
) -> None:
    """Publish recorded data; without --speed as fast as it is taken."""
    from simulators import commands

    count = commands.replay(file, format_name=format_, speed=speed, broker=broker, out=out, station=station)
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
    from simulators import commands

    typer.echo(commands.inject(fault, folder=folder, lasts=lasts, station=station, device=device, size=size))


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
    from simulators import commands

    typer.echo(commands.score(truth, api=api, token=token, json_file=json, picture_file=picture))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder for voltair.toml and stations.toml.")] = Path(),
) -> None:
    """Write a first voltair.toml and stations.toml; existing files are left alone."""
    from voltair.starter import write_starter

    for path in write_starter(folder):
        typer.echo(f"wrote {path}")


@app.command()
def doctor(config: ConfigPath = None) -> None:
    """Check configuration, data directory, broker, series store and roles; exit 1 if something is wrong."""
    from voltair.doctor import examine

    failed = False
    for finding in examine(config):
        typer.echo(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.subject}: {finding.text}")
        failed |= not finding.ok
    raise typer.Exit(int(failed))


@config_app.command()
def check(config: ConfigPath = None) -> None:
    """Read voltair.toml, its tokens, webhooks and decoders, stations.toml and the rules, and say what is wrong."""
    settings = _role_config(config)
    from analytics.rules.load import check_registry, load_rules
    from api.auth import check_listen, parse_tokens
    from api.endpoints import configured_endpoints
    from telemetry.registry import load_registry
    from wire.foreign import ForeignDecoders

    ForeignDecoders(settings.decoders, settings.mqtt.prefix)
    registry = load_registry(settings.stations_file)
    rules = load_rules(Path(settings.analytics.rules) if settings.analytics.rules else None)
    check_registry(rules, registry, str(settings.stations_file))
    check_listen(settings.api, parse_tokens(settings.api.tokens))
    configured_endpoints(settings.webhooks)
    typer.echo(
        f"ok: {len(registry.stations)} stations in {settings.stations_file}, {len(rules.rules)} rules, "
        f"data in {settings.data}"
    )


@config_app.command()
def schema() -> None:
    """Print the JSON Schema of voltair.toml."""
    import json

    import msgspec

    from telemetry.config import Config

    typer.echo(json.dumps(msgspec.json.schema(Config), indent=2, ensure_ascii=False))


@letters_app.command("list")
def list_letters(
    config: ConfigPath = None,
    after: Annotated[int, typer.Option(metavar="ID", help="Only those after this one.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="How many, oldest first.")] = 100,
) -> None:
    """List messages that could not be read: id, time, topic, reason, first bytes."""
    settings = _config(config)
    from store.deadletters import read_dead_letters
    from telemetry.times import format_time

    for letter in read_dead_letters(settings.data / "journal", after=after, limit=limit):
        typer.echo(
            f"{letter.id}  {format_time(letter.time_ms)}  {letter.topic}  {letter.reason}  {letter.payload[:80]!r}"
        )
