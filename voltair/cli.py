"""The command line. Each command imports what it needs when it runs, so that `voltair --help` is quick.

Exit codes: 0 done, 1 it failed and said why, 2 wrong usage or configuration.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telemetry.errors import ConfigError, VoltairError
from voltair.cli_simulators import app as simulators_app

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
rules_app = typer.Typer(help="Rules of alerts.", no_args_is_help=True)
letters_app = typer.Typer(help="Messages that could not be read.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(letters_app, name="dead-letters")
app.add_typer(rules_app, name="rules")
app.add_typer(simulators_app)

ConfigPath = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Configuration; by default voltair.toml in this folder."),
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
    from telemetry.config import check_whole
    from voltair.supervise import supervise

    settings = _role_config(config)
    check_whole(settings)
    raise typer.Exit(supervise(settings, config))


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
    from telemetry.config import check_whole

    check_whole(settings)

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
    count = write(_config(config), out, source, times[0], times[1], station)
    typer.echo(f"{count} messages")


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


@app.command()
def bench(
    scenario: Annotated[str, typer.Option(help="What is published: see 'voltair scenarios'.")] = "charging-day",
    duration: Annotated[str, typer.Option(metavar="4h", help="How much of it.")] = "4h",
) -> None:
    """Measure the whole river on this machine: a broker, every role and embedded store, in a folder of its own."""
    from voltair.bench import measure_river

    for name, value in measure_river(scenario, duration).items():
        typer.echo(f"{name:<32}{value}")


@app.command()
def recompute(config: ConfigPath = None) -> None:
    """Make minutes, sessions and key figures anew from the journal: readings that came too late enter them."""
    from voltair.recompute import recompute as work

    typer.echo(work(_role_config(config)))


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE.tar", help="The file to write.")], config: ConfigPath = None
) -> None:
    """Copy the data directory into one file, while everything runs."""
    from store import backup as work

    manifest = work.backup(_config(config).data, target)
    typer.echo(f"{target}: {len(manifest.sha256)} files of journal {manifest.journal_id}")


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE.tar", help="A file that 'voltair backup' wrote.")],
    config: ConfigPath = None,
) -> None:
    """Unpack a backup as the data directory, which must not hold anything yet."""
    from store import backup as work
    from telemetry.times import format_time

    data = _config(config).data
    manifest = work.restore(source, data)
    typer.echo(f"{data}: {len(manifest.sha256)} files as of {format_time(manifest.made_ms)}; go on with 'voltair run'")


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


LetterIds = Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Which, as in the list.")]
LetterReason = Annotated[str, typer.Option(metavar="TEXT", help="Those whose reason contains this.")]
AllLetters = Annotated[bool, typer.Option("--all", help="All.")]


@letters_app.command()
def retry(
    ids: LetterIds = None, *, reason: LetterReason = "", all_: AllLetters = False, config: ConfigPath = None
) -> None:
    """Read them again by the present configuration; exit 1 if some cannot be read now, either."""
    from voltair.letters import settle_letters

    raise typer.Exit(settle_letters(_config(config), "retry", ids or [], reason, everything=all_))


@letters_app.command()
def drop(
    ids: LetterIds = None, *, reason: LetterReason = "", all_: AllLetters = False, config: ConfigPath = None
) -> None:
    """Remove them for good."""
    from voltair.letters import settle_letters

    raise typer.Exit(settle_letters(_config(config), "drop", ids or [], reason, everything=all_))


@rules_app.command("test")
def test_rules(file: Annotated[Path, typer.Argument(metavar="FILE", help="Scenarios: docs/rules.md.")]) -> None:
    """Run text scenarios: series of devices in, expected alerts out; exit 1 where they differ."""
    from voltair.rule_scenarios import run_file

    failed = False
    for verdict in run_file(file):
        typer.echo(f"{'FAIL' if verdict.problems else 'ok  '}  {verdict.name}")
        for problem in verdict.problems:
            typer.echo(f"      {problem}")
        failed |= bool(verdict.problems)
    raise typer.Exit(int(failed))


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
