"""stations.toml, watched: a valid change counts at once, a broken file is refused and the old one stays."""

import tomllib
from pathlib import Path
from typing import Any

from telemetry.errors import ConfigError
from telemetry.registry import Registry, registry_from_json, registry_from_tables, registry_json


class StationsFile:
    """The registry in force and the file that it comes from."""

    def __init__(self, path: Path, journalled: bytes | None) -> None:
        """Start with the registry that the journal holds, None where it holds none."""
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._in_force = journalled
        self.registry = Registry() if journalled is None else registry_from_json(journalled)
        self.problem: str | None = None
        """Why the file as it stands is not in force; None when it is."""

    def poll(self) -> bytes | None:
        """Look at the file; return the registry to journal where it has changed, else None.

        A missing file is an empty registry, but never takes the place of one that is in force.
        """
        seen = self._stat()
        if seen == self._seen and self._in_force is not None:
            return None
        self._seen = seen
        try:
            tables = self._read() if seen else {}
            registry = registry_from_tables(tables, str(self._path))
        except ConfigError as error:
            self.problem = f"{error}; the stations stay as they were"
            return None
        body = registry_json(tables)
        if seen is None and self._in_force not in (None, body):
            self.problem = f"{self._path} is gone; the stations stay as they were, an empty file would remove them"
            return None
        self.problem = None
        if body == self._in_force:
            return None
        self.registry, self._in_force = registry, body
        return body

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    def _read(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self._path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            msg = f"{self._path} cannot be read as TOML: {error}"
            raise ConfigError(msg) from error
