"""Dashboards with the names of stations.toml: series are shown by them, for InfluxQL cannot join a name to a series."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from grafana.boards import LANGUAGES, boards
from grafana.links import PAGE
from grafana.overrides import called
from grafana.panels import Json
from telemetry.channels import KIND_BY_NAME
from telemetry.registry import Registry

MOST = 3_000
"""Names in one panel; with more it keeps ids, for Grafana goes through all of them for each series."""
_DEVICE, _CUSTOMER, _STATION = "$tag_station $tag_device", "$tag_station $tag_customer", "$tag_station"


def named_files(registry: Registry, page: str = "") -> dict[str, str]:
    """Return path below a folder -> text of every dashboard; parameters as of `with_names`."""
    return {
        f"{language}/{name}": json.dumps(with_names(board, registry, page), ensure_ascii=False, sort_keys=True)
        for language in LANGUAGES
        for name, board in boards(language).items()
    }


def with_names(board: Json, registry: Registry, page: str = "") -> Json:
    """Return a dashboard whose series have the names of the registry.

    Parameters
    ----------
    board
        Of `boards`.
    registry
        Devices without a name keep their ids, and so do those that it does not list.
    page
        Address of Voltair's page; empty: as it is.
    """
    names = _names(registry)
    found = {**board, "panels": [_named(panel, names) for panel in board["panels"]]}
    if page:
        value = {"text": page, "value": page}
        given = {"current": value, "options": [{**value, "selected": True}], "query": page}
        variables = [v | given if v["name"] == PAGE else v for v in board["templating"]["list"]]
        found["templating"] = {"list": variables}
    return found


def _named(panel: Json, names: Mapping[tuple[str, str], Mapping[str, str]]) -> Json:
    """Return a panel with an override for each series that may come and has a name."""
    given: dict[str, str] = {}
    for target in panel["targets"]:
        alias = target["alias"]
        pattern = next((p for p in (_DEVICE, _CUSTOMER, _STATION) if alias.startswith(p)), None)
        if pattern is None:
            continue
        kind = "" if pattern == _STATION else _kind_of(target["query"])
        for series, name in names.get((pattern, kind), {}).items():
            for more in _suffixes(alias.removeprefix(pattern), target["query"]):
                given[series + more] = name + more
    if not given or len(given) > MOST:
        return panel
    field = panel["fieldConfig"]
    overrides = [*field["overrides"], *(called(series, name) for series, name in given.items())]
    return {**panel, "fieldConfig": {**field, "overrides": overrides}}


def _kind_of(query: str) -> str:
    """Return the kind of the devices whose rows a query reads, empty where it reads none of a kind."""
    measurement = re.findall(r'FROM "(\w+)_\w+"', query)
    return measurement[0] if measurement and measurement[0] in KIND_BY_NAME else ""


def _suffixes(rest: str, query: str) -> Iterator[str]:
    """Return what may follow the name in an alias: its own text, or each column of the query for `$col`."""
    for column in re.findall(r'AS "(\w+)"', query) if "$col" in rest else [""]:
        yield rest.replace("$col", column)


def _names(registry: Registry) -> dict[tuple[str, str], dict[str, str]]:
    """Return (alias, kind of device) -> series -> its name, those that have one."""
    stations = registry.stations
    found: dict[tuple[str, str], dict[str, list[str]]] = {(_STATION, ""): {}}

    def add(alias: str, kind: str, station: str, thing: Any) -> None:
        if thing.name:
            series, where = f"{station} {thing.id}", stations[station].name or station
            options = [thing.name, f"{thing.name} ({where})", f"{thing.name} ({series})"]
            found.setdefault((alias, kind), {})[series] = options

    for name, station in stations.items():
        if station.name:
            found[_STATION, ""][name] = [station.name, f"{station.name} ({name})"]
        for kind in KIND_BY_NAME:
            for device in station.listed(kind).values():
                add(_DEVICE, kind, name, device)
        for customer in station.customers:
            add(_CUSTOMER, "", name, customer)
    return {key: distinct(options) for key, options in found.items()}


def distinct(options: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return for each key the first of its names that is no other's; the last ones are distinct."""
    found: dict[str, str] = {}
    for rank in range(max(map(len, options.values()), default=0)):
        same = Counter(names[rank] for names in options.values())
        taken = {*options, *found.values()}
        for key, names in options.items():
            if key not in found and names[rank] not in taken and same[names[rank]] == 1:
                found[key] = names[rank]
    return found
