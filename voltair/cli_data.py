"""Commands on a data directory: copies, recomputation, messages that could not be read."""

from pathlib import Path
from typing import Annotated

import typer

from voltair.cli_options import ConfigPath, configured, role_config

app = typer.Typer()
letters_app = typer.Typer(help="Messages that could not be read.", no_args_is_help=True)
app.add_typer(letters_app, name="dead-letters")
journal_app = typer.Typer(help="The journal's files: look for damage, and go on after it.", no_args_is_help=True)
app.add_typer(journal_app, name="journal")


@app.command()
def recompute(config: ConfigPath = None) -> None:
    """Make minutes, sessions and key figures anew from the journal: readings that came too late enter them."""
    from voltair.recompute import recompute as work

    work(role_config(config))
    typer.echo("recomputed")


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE.tar", help="The file to write.")], config: ConfigPath = None
) -> None:
    """Copy the data directory into one file, while everything runs."""
    from store import backup as work

    manifest = work.backup(configured(config).data, target)
    typer.echo(f"{target}: {len(manifest.sha256)} files of journal {manifest.journal_id}")


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE.tar", help="A file that 'voltair backup' wrote.")],
    config: ConfigPath = None,
) -> None:
    """Unpack a backup as the data directory, which must not hold anything yet."""
    from store import backup as work
    from telemetry.times import format_time

    data = configured(config).data
    manifest = work.restore(source, data)
    typer.echo(f"{data}: {len(manifest.sha256)} files as of {format_time(manifest.made_ms)}; go on with 'voltair run'")


LetterIds = Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Which, as in the list.")]
LetterReason = Annotated[str, typer.Option(metavar="TEXT", help="Those whose reason contains this.")]
AllLetters = Annotated[bool, typer.Option("--all", help="All.")]


@letters_app.command()
def retry(
    ids: LetterIds = None, *, reason: LetterReason = "", all_: AllLetters = False, config: ConfigPath = None
) -> None:
    """Read them again by the present configuration; exit 1 if some cannot be read now, either."""
    from voltair.letters import settle_letters

    raise typer.Exit(settle_letters(configured(config), "retry", ids or [], reason, everything=all_))


@letters_app.command()
def drop(
    ids: LetterIds = None, *, reason: LetterReason = "", all_: AllLetters = False, config: ConfigPath = None
) -> None:
    """Remove them for good."""
    from voltair.letters import settle_letters

    raise typer.Exit(settle_letters(configured(config), "drop", ids or [], reason, everything=all_))


@letters_app.command("list")
def list_letters(
    config: ConfigPath = None,
    after: Annotated[int, typer.Option(metavar="ID", help="Only those after this one.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="How many, oldest first.")] = 100,
) -> None:
    """List messages that could not be read: id, time, topic, reason, first bytes."""
    settings = configured(config)
    from store.deadletters import read_dead_letters
    from telemetry.times import format_time

    for letter in read_dead_letters(settings.data / "journal", after=after, limit=limit):
        typer.echo(
            f"{letter.id}  {format_time(letter.time_ms)}  {letter.topic}  {letter.reason}  {letter.payload[:80]!r}"
        )


@journal_app.command("check")
def check_journal(config: ConfigPath = None) -> None:
    """Read the whole journal and compare it with its checksums; exit 1 if a segment is damaged."""
    settings = configured(config)
    from store.journal_repair import check_journal as work

    damaged = list(work(settings.data))
    for path, problem in damaged:
        typer.echo(f"{path}: {problem}")
    typer.echo("run 'voltair journal repair' while Voltair is stopped" if damaged else "ok")
    raise typer.Exit(int(bool(damaged)))


@journal_app.command("repair")
def repair_journal(config: ConfigPath = None) -> None:
    """Keep all that can be read of damaged segments, and the damaged files beside; Voltair must be stopped."""
    settings = configured(config)
    from store.journal_repair import repair_journal as work

    for done in work(settings.data):
        typer.echo(
            f"{done.file.name}: {done.problem}. Of {done.entries} entries {done.lost_entries} are lost, with "
            f"{done.lost_readings} readings; the damaged file is {done.file}"
        )
    typer.echo("the journal is whole; go on with 'voltair run'")
