"""Small files in roles/ that hold a set of names over a restart; one that is lost or damaged is an empty set."""

from pathlib import Path

import msgspec


def remembered(memory: Path) -> set[str]:
    """Return the names that a file holds."""
    try:
        return set(msgspec.json.decode(memory.read_bytes(), type=list[str]))
    except (FileNotFoundError, msgspec.DecodeError):
        return set()


def remember(memory: Path, names: set[str]) -> None:
    """Write the names in one step, unless the file holds them already."""
    if names == remembered(memory):
        return
    memory.parent.mkdir(parents=True, exist_ok=True)
    new = memory.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(sorted(names)))
    new.replace(memory)
