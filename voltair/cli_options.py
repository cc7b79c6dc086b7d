"""Options that several commands share, and how a command reads its configuration."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from telemetry.config import Config

ConfigPath = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Configuration; by default voltair.toml in this folder."),
]


def configured(path: Path | None) -> "Config":
    """Return the settings."""
    from telemetry.config import load_config

    return load_config(path)


def role_config(path: Path | None) -> "Config":
    """Return the settings for a role; another clock mode than that of the data directory is refused at once."""
    from store.journal_reader import check_clock_mode

    settings = configured(path)
    check_clock_mode(settings.data / "journal", settings.clock.mode)
    return settings
