"""One line for each thing that a role has to say, on stderr: time, level, role, text."""

import logging
import os
from enum import StrEnum

from telemetry.times import format_time

VARIABLE = "VOLTAIR_LOG"
OURS = ("analytics", "api", "ingest", "simulators", "store", "telemetry", "voltair", "wire")
"""Packages whose loggers follow the level; of others only warnings and errors are shown."""


class Level(StrEnum):
    """What is shown, and all that is worse."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


class _Line(logging.Formatter):
    def __init__(self, role: str) -> None:
        super().__init__(f"%(asctime)s %(levelname)s {role}: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - logging's
        return format_time(round(1000 * record.created)) or ""


def set_up_logging(level: Level, role: str) -> None:
    """Show log lines on stderr from here on, also in the roles that this process starts.

    Parameters
    ----------
    level
        What is shown.
    role
        Name of the command, for the lines.
    """
    os.environ[VARIABLE] = level.value
    handler = logging.StreamHandler()
    handler.setFormatter(_Line(role))
    number = logging.getLevelNamesMapping()[level.value.upper()]
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING))
    for package in OURS:
        logging.getLogger(package).setLevel(number)
