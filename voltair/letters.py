"""`voltair dead-letters retry|drop`: done by ingest where it runs, else here."""

import time
from collections.abc import Sequence
from typing import Literal

import typer

from ingest.letters import Answer, Mailbox, Request
from ingest.role import settle
from store.deadletters import read_dead_letters
from store.journal_reader import check_clock_mode
from telemetry.config import Config
from telemetry.errors import ConfigError, RoleLocked

_PATIENCE_S = 600.0
_POLL_S = 0.1


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
    if not read_dead_letters(folder, limit=1):
        typer.echo("there are no dead letters")
        return 0
    answer = _ask(config, Request(action=action, ids=tuple(ids), reason=reason, everything=everything))
    typer.echo(f"{'read' if action == 'retry' else 'dropped'}: {answer.done}")
    if answer.still:
        typer.echo(f"still cannot be read: {answer.still}; voltair dead-letters list says why", err=True)
    if answer.problem:
        typer.echo(answer.problem, err=True)
    return int(bool(answer.still or answer.problem))


def _ask(config: Config, request: Request) -> Answer:
    """Have it done by ingest, or do it where ingest does not run, also where it ends before it answers."""
    mailbox = Mailbox(config.data)
    name = ""
    deadline_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline_s:
        found = mailbox.answered(name) if name else None
        if found is not None:
            return found
        try:
            answer = settle(config, request)
        except RoleLocked:
            name = name or mailbox.put(request)
            time.sleep(_POLL_S)
        else:
            mailbox.withdraw(name)
            return answer
    mailbox.withdraw(name)
    return Answer(problem=f"ingest has not done it within {_PATIENCE_S:.0f} s; see its log and try again")
