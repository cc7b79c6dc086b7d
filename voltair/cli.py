"""The command line. Each command imports what it needs when it runs, so that `voltair --help` is quick.

Exit codes: 0 done, 1 it failed and said why, 2 wrong usage or configuration.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from telemetry.errors import ConfigError, VoltairError
from voltair import cli_data, cli_simulators
from voltair.cli_options import ConfigPath, configured, role_config
from voltair.log import VARIABLE, Level, set_up_logging

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
config_app = typer.Typer(help="Check the configuration, or print its schema.", no_args_is_help=True)
rules_app = typer.Typer(help="Rules of alerts.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(rules_app, name="rules")
app.add_typer(cli_data.app)
app.add_typer(cli_simulators.app)


@app.callback()
def options(
    context: typer.Context,
    log: Annotated[Level, typer.Option(envvar=VARIABLE, help="What is said on stderr.")] = Level.info,
) -> None:
    """One monitor for EV charging stations and compressed-air stations."""
    set_up_logging(log, context.invoked_subcommand or "voltair")


def main() -> None:
    """Run one command and end the process with its exit code."""
    try:
        app()
    except VoltairError as error:
        print(f"voltair: {error}", file=sys.stderr)  # noqa: T201 - the command line speaks to people
        sys.exit(2 if isinstance(error, ConfigError) else 1)


@app.command()
def run(config: ConfigPath = None) -> None:
    """Start every role and restart one that dies; SIGTERM stops all."""
    from telemetry.config import check_whole
    from voltair.supervise import supervise

    settings = role_config(config)
    check_whole(settings)
    raise typer.Exit(supervise(settings, config))


@app.command()
def ingest(config: ConfigPath = None) -> None:
    """Receive from the broker and journal."""
    settings = role_config(config)
    from ingest.role import run as run_role

    run_role(settings)


@app.command()
def analytics(config: ConfigPath = None) -> None:
    """Turn the journal into minutes, key figures, sessions and alerts."""
    settings = role_config(config)
    from analytics.role import run as run_role
    from telemetry.config import check_whole

    check_whole(settings)

    run_role(settings)


@app.command()
def writer(config: ConfigPath = None) -> None:
    """Ship readings and key figures to the series store."""
    settings = role_config(config)
    from store.writer import run as run_role

    run_role(settings)


@app.command()
def api(config: ConfigPath = None) -> None:
    """Serve the HTTP API and the page, and deliver alerts."""
    settings = role_config(config)
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
def init(
    folder: Annotated[Path, typer.Argument(help="Folder for voltair.toml and stations.toml.")] = Path(),
) -> None:
    """Write a first voltair.toml and stations.toml, or set up the InfluxDB that they name; what is there is kept."""
    from voltair.starter import write_starter

    for path in write_starter(folder):
        typer.echo(f"wrote {path}")
    settings = configured(folder / "voltair.toml")
    if settings.store.kind == "influx":
        from voltair.setup_influx import set_up

        for done in set_up(settings, folder):
            typer.echo(done)


@app.command()
def dashboards(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where Grafana reads its dashboards.")],
    config: ConfigPath = None,
) -> None:
    """Write Grafana's dashboards with the names of stations.toml and the page's address; again after a change."""
    from grafana.names import named_files
    from telemetry.registry import load_registry

    settings = configured(config)
    for name, text in named_files(load_registry(settings.stations_file), settings.api.public_url).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
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


@config_app.command()
def check(config: ConfigPath = None) -> None:
    """Read voltair.toml, its tokens, webhooks and decoders, stations.toml and the rules, and say what is wrong."""
    settings = role_config(config)
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
