"""Files of the outside: whatever is wrong with one becomes an error that names it."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from telemetry.errors import VoltairError


@contextmanager
def reading_file(path: Path, what: str = "", *wrong: type[Exception]) -> Iterator[None]:
    """Read a file inside.

    Parameters
    ----------
    path
        The file.
    what
        What it is meant to be, like `CSV`.
    wrong
        Exceptions that say it is not.

    Raises
    ------
    VoltairError
        If it cannot be read, or is not what it is meant to be.
    """
    try:
        yield
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or error}"
        raise VoltairError(msg) from error
    except wrong as error:
        msg = f"{path} is no {what}: {error if isinstance(error, ValueError) else repr(error)}"
        raise VoltairError(msg) from error


@contextmanager
def writing_file(path: Path) -> Iterator[None]:
    """Write a file inside.

    Raises
    ------
    VoltairError
        If it cannot be written.
    """
    try:
        yield
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror or error}"
        raise VoltairError(msg) from error


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole.

    Raises
    ------
    VoltairError
        If it cannot be written.
    """
    with writing_file(path):
        path.write_bytes(content)


def read_unpacked(path: Path) -> bytes:
    """Return the content of a file, plain or gzip."""
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
