"""`voltair dead-letters retry|drop`: done by ingest where it runs, else here."""

from collections.abc import Sequence
from typing import Literal

import typer

from ingest.letters import Answer, Request, mailbox
from ingest.role import settle
from store.deadletters import newest_letter, read_dead_letters
from store.journal_reader import check_clock_mode
from telemetry.config import Config
from telemetry.errors import ConfigError

_PATIENCE_S = 600.0


def settle_letters(
    config: Config, action: Literal["retry", "drop"], ids: Sequence[int], reason: str, *, everything: bool
) -> int:
    """Do it, say what became of it, and return the exit code.

    Raises
    ------
    ConfigError
        If no letters are named.
    """
    if not (ids or reason or everything):
        msg = f"which letters? voltair dead-letters {action} ID..., or --reason TEXT, or --all"
        raise ConfigError(msg)
    check_clock_mode(config.data / "journal", config.clock.mode)
    folder = config.data / "journal"
    missing = [i for i in ids if not any(x.id == i for x in read_dead_letters(folder, after=i - 1, limit=1))]
    if missing:
        typer.echo(f"no dead letter {missing[0]}; see voltair dead-letters list", err=True)
        return 1
    last = newest_letter(folder)
    if not last:
        typer.echo("there are no dead letters")
        return 0
    request = Request(action=action, ids=tuple(ids), reason=reason, everything=everything, last=last)
    answer = mailbox(config.data).ask(request, lambda: settle(config, request), _PATIENCE_S)
    if answer is None:
        answer = Answer(problem=f"ingest has not done it within {_PATIENCE_S:.0f} s; see its log and try again")
    typer.echo(f"{'read' if action == 'retry' else 'dropped'}: {answer.done}")
    if answer.still:
        typer.echo(f"still cannot be read: {answer.still}; voltair dead-letters list says why", err=True)
    if answer.problem:
        typer.echo(answer.problem, err=True)
    return int(bool(answer.still or answer.problem))
