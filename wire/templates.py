"""Topic templates: `plant/{station}/comp/{device}/state` matches topics and names their levels."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from telemetry.errors import ConfigError

_NAME = re.compile(r"\{([a-z_]+)\}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled topic template."""

    text: str
    filter: str
    """The subscription that brings its topics."""
    pattern: re.Pattern[str]
    names: frozenset[str]

    def match(self, topic: str) -> dict[str, str] | None:
        """Return the names of a topic's levels, None where the topic does not match."""
        found = self.pattern.fullmatch(topic)
        return None if found is None else found.groupdict()


def compile_template(text: str, given: Mapping[str, str] | None = None) -> Template:
    """Return a compiled template; names that are `given` match their value only, which may span levels.

    Raises
    ------
    ConfigError
        If a level is a wildcard, or mixes a name with other characters, or a name occurs twice.
    """
    levels, parts = [], []
    names: list[str] = []
    for level in text.split("/"):
        name = _NAME.fullmatch(level)
        if name and given and name[1] in given:
            names.append(name[1])
            levels.append(given[name[1]])
            parts.append(f"(?P<{name[1]}>{re.escape(given[name[1]])})")
        elif name:
            names.append(name[1])
            levels.append("+")
            parts.append(f"(?P<{name[1]}>[^/]+)")
        elif re.search(r"[{}+#]", level) or not text:
            msg = f"topic {text!r}: level {level!r} is neither plain text nor one name like {{device}}"
            raise ConfigError(msg)
        else:
            levels.append(level)
            parts.append(re.escape(level))
    if len(set(names)) < len(names):
        msg = f"topic {text!r} uses a name twice; every level needs its own"
        raise ConfigError(msg)
    return Template(text, "/".join(levels), re.compile("/".join(parts)), frozenset(names))


def names_in(text: str) -> frozenset[str]:
    """Return the names that a text like `lp{n}` refers to."""
    return frozenset(_NAME.findall(text))


def fill(text: str, names: Mapping[str, str]) -> str:
    """Return the text with its names replaced."""
    return _NAME.sub(lambda m: names[m[1]], text)


def is_id(text: str) -> bool:
    """Return whether a text can be the id of a station or device."""
    return _ID.fullmatch(text) is not None


def as_id(text: str) -> str:
    """Return the id that is nearest to a text: `urn:dev:ow:10e2073a01080063:` is `urn-dev-ow-10e2073a01080063`."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:64]
