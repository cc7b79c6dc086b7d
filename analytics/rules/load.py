"""Reads rules: the shipped pack, then a user's file over it, then a station's numbers over both."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from analytics.rules.problems import problems_of
from analytics.rules.types import KpiInput, Rule
from telemetry.errors import ConfigError
from telemetry.registry import Group, Registry, Station

PACK = ("charging", "air", "silence", "clocks", "monitor")
"""Files of the shipped pack: rules of charging stations, of compressed-air stations, of both, and of Voltair itself."""
STATION_FIELDS = (
    "enabled", "severity", "threshold", "clear_threshold", "for", "keep_firing_for", "min_coverage", "update_share",
)
"""What a station may override."""

Table = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RulePack:
    """All rules, before what stations override."""

    tables: Mapping[str, Table]
    """Rule name -> its table as in the file."""
    rules: Mapping[str, Rule]

    def for_station(self, station: Station, station_id: str, source: str = "stations.toml") -> dict[str, Rule]:
        """Return the enabled rules of a station by name, with the station's own numbers.

        Raises
        ------
        ConfigError
            If the station overrides a rule or a field that does not exist, or with a wrong value.
        """
        rules = self._overridden(station.rules, f"{source}: [stations.{station_id}.rules")
        return {
            name: rule
            for name, rule in rules.items()
            if rule.enabled and rule.station_kind in ("any", station.kind) and not _of_group(rule)
        }

    def for_group(self, group: Group, group_id: str, source: str = "stations.toml") -> dict[str, Rule]:
        """Return the enabled rules about a group as a whole by name, with the group's own numbers.

        Raises
        ------
        ConfigError
            As `for_station`.
        """
        rules = self._overridden(group.rules, f"{source}: [groups.{group_id}.rules")
        return {name: rule for name, rule in rules.items() if rule.enabled and _of_group(rule)}

    def _overridden(self, overrides: Mapping[str, Table], table: str) -> dict[str, Rule]:
        found: dict[str, Rule] = {}
        for name, own in overrides.items():
            place = f"{table}.{name}]"
            if name not in self.rules:
                msg = f"{place}: there is no rule {name!r}; the rules are {', '.join(self.rules)}"
                raise ConfigError(msg)
            if self.rules[name].station_kind == "voltair":
                msg = f"{place}: rule {name!r} is about Voltair, not a station; change it in the analytics.rules file"
                raise ConfigError(msg)
            for field in own:
                if field not in STATION_FIELDS:
                    msg = f"{place}: key {field!r} cannot be set at a station; it may set {', '.join(STATION_FIELDS)}"
                    raise ConfigError(msg)
            found[name] = _rule(name, {**self.tables[name], **own}, place)
        return {**self.rules, **found}


def load_rules(user_file: Path | None = None) -> RulePack:
    """Return the shipped rules with those of a user's file over them.

    Raises
    ------
    ConfigError
        If the file cannot be read, else as `rules_of`.
    """
    if user_file is None:
        return rules_of("", "")
    try:
        text = user_file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"rule file {user_file}: {error}; correct analytics.rules in voltair.toml, or leave it empty"
        raise ConfigError(msg) from error
    return rules_of(text, str(user_file))


def rules_of(text: str, source: str) -> RulePack:
    """Return the shipped rules with those of a user's text over them.

    A table of the text whose name is shipped changes the keys that it has; any other is a new rule.

    Raises
    ------
    ConfigError
        If a rule is wrong; the message names the file, the line and the key.
    """
    tables: dict[str, Table] = {}
    places: dict[str, str] = {}
    shipped = files("analytics.rules") / "pack"
    for stem in PACK:
        _add(tables, places, (shipped / f"{stem}.toml").read_text("utf-8"), f"rule pack {stem}.toml")
    _add(tables, places, text, source)
    rules = {name: _rule(name, table, places[name]) for name, table in tables.items()}
    for name, rule in rules.items():
        for other in rule.inhibits:
            if other not in rules or other == name:
                msg = f"{places[name]}: key 'inhibits': {other!r} is no other rule; the rules are {', '.join(rules)}"
                raise ConfigError(msg)
    return RulePack(tables, rules)


def check_registry(pack: RulePack, registry: Registry, source: str = "stations.toml") -> None:
    """Check what every station and group overrides.

    Raises
    ------
    ConfigError
        As `RulePack.for_station`.
    """
    for station_id, station in registry.stations.items():
        pack.for_station(station, station_id, source)
    for group_id, group in registry.groups.items():
        pack.for_group(group, group_id, source)


def _of_group(rule: Rule) -> bool:
    return isinstance(rule.input, KpiInput) and rule.input.scope == "group"


def _add(tables: dict[str, Table], places: dict[str, str], text: str, source: str) -> None:
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{source} is not valid TOML: {error}"
        raise ConfigError(msg) from error
    for name, table in found.items():
        line = f"{source}, line {_line_of(name, text)}"
        places[name] = f"{line}: [{name}]"
        if not isinstance(table, dict):
            msg = f"{line}: key {name!r} stands outside a rule; a rule is a table [NAME]"
            raise ConfigError(msg)
        tables[name] = _over(tables.get(name, {}), table)


def _line_of(name: str, text: str) -> int:
    """Return the line at which a rule begins."""
    header = re.compile(rf"""\s*\[?\s*["']?{re.escape(name)}["']?\s*[\].=]""")
    return next((i for i, line in enumerate(text.splitlines(), 1) if header.match(line)), 1)


def _over(below: Table, above: Table) -> Table:
    """Return `below` with the keys of `above` over it, table by table; another `source` replaces the whole input."""
    out = dict(below)
    for key, value in above.items():
        old = out.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            replaced = key == "input" and value.get("source", old.get("source")) != old.get("source")
            out[key] = value if replaced else _over(old, value)
        else:
            out[key] = value
    return out


def _rule(name: str, table: Table, place: str) -> Rule:
    if "name" in table:
        msg = f"{place}: key 'name' is the table's own name; remove it"
        raise ConfigError(msg)
    try:
        rule = msgspec.convert({**table, "name": name}, Rule)
    except msgspec.ValidationError as error:
        msg = f"{place}: {error}"
        raise ConfigError(msg) from error
    problem = next(problems_of(rule), None)
    if problem is not None:
        msg = f"{place}: {problem}"
        raise ConfigError(msg)
    return rule
