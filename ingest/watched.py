"""stations.toml and the rule file, watched: a valid change is journalled at once, a broken file is refused.

Analytics works with what the journal says, so that every reading is judged by what was in force when it came.
"""

import tomllib
from abc import ABC, abstractmethod
from pathlib import Path

import msgspec

from telemetry.errors import ConfigError
from telemetry.registry import Registry, registry_from_json, registry_from_tables, registry_json


class WatchedFile(ABC):
    """A file and what of it is in force."""

    what: str
    """What the file is about, in the plural."""

    def __init__(self, path: Path | None, journalled: bytes | None) -> None:
        """Start with the body that the journal holds, None where it holds none; a path of None is an empty file."""
        self._path = path
        self._seen: tuple[int, int, int] | str | None = "not looked at"
        self._in_force = journalled
        self.problem: str | None = None
        """Why the file as it stands is not in force; None when it is."""

    @abstractmethod
    def read(self, text: str) -> bytes:
        """Check a text and return the body to journal; `ConfigError` where it is wrong."""

    def use(self, body: bytes) -> None:  # noqa: B027 - a file may have nobody here who needs it
        """Put a body in force in this process."""

    def poll(self) -> bytes | None:
        """Look at the file; return the body to journal where it has changed, else None.

        A missing file is an empty one, but never takes the place of one that is in force.
        """
        seen = self._stat()
        if seen == self._seen:
            return None
        self._seen = seen
        try:
            body = self.read(self._text() if seen else "")
        except ConfigError as error:
            self.problem = f"{error}; the {self.what} stay as they were"
            return None
        if self._path is not None and seen is None and self._in_force not in (None, body):
            self.problem = (
                f"{self._path} is gone; the {self.what} stay as they were, an empty file would remove them"
            )
            return None
        self.problem = None
        if body == self._in_force:
            return None
        self._in_force = body
        self.use(body)
        return body

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            stat = None if self._path is None else self._path.stat()
        except OSError:
            return None
        return stat and (stat.st_mtime_ns, stat.st_size, stat.st_ino)

    def _text(self) -> str:
        assert self._path is not None  # noqa: S101 - it was seen
        try:
            return self._path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            msg = f"{self._path} cannot be read as TOML: {error}"
            raise ConfigError(msg) from error


class StationsFile(WatchedFile):
    """The registry in force and the file that it comes from."""

    what = "stations"

    def __init__(self, path: Path, journalled: bytes | None) -> None:
        """As `WatchedFile`."""
        super().__init__(path, journalled)
        self.registry = Registry() if journalled is None else registry_from_json(journalled)

    def read(self, text: str) -> bytes:
        """Check the stations."""
        tables = _tables(text, self._path)
        registry_from_tables(tables, str(self._path))
        return registry_json(tables)

    def use(self, body: bytes) -> None:
        """Use the registry from now on."""
        self.registry = registry_from_json(body)


class RulesFile(WatchedFile):
    """The user's rule file; analytics checks the rules themselves and says what is wrong with them."""

    what = "rules"

    def read(self, text: str) -> bytes:
        """Check the form."""
        _tables(text, self._path)
        return msgspec.json.encode({"source": "" if self._path is None else str(self._path), "text": text})


def _tables(text: str, path: Path | None) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{path} cannot be read as TOML: {error}"
        raise ConfigError(msg) from error
