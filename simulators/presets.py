"""Entries of `stations.toml` for simulated stations, from the files in `simulators/stations`.

Beside the keys of `stations.toml` a station may hold `blocks`, ports that are alike, and a file a table `model`, the
usual settings of the station's model.
"""

import tomllib
from importlib.resources import files
from typing import Any

from telemetry.errors import ConfigError

Table = dict[str, Any]


def station_table(name: str) -> Table:
    """Return the entry of one simulated station.

    Raises
    ------
    ConfigError
        If there is no such station.
    """
    table = _read(name)
    blocks = table.pop("blocks", None)
    if blocks is not None:
        table["ports"] = [port for block in blocks for port in _ports(block, block["count"])]
    return table


def fleet_tables(name: str, prefix: str, counts: tuple[int, ...]) -> dict[str, Table]:
    """Return the entries of stations that are alike but for their size.

    Parameters
    ----------
    name
        Station whose first block says what a port is.
    prefix
        Of the stations' ids, which end in their number.
    counts
        Ports of each station; the transformer grows with them.
    """
    found = {}
    for k, count in enumerate(counts, 1):
        table = _read(name)
        (block, *_) = table.pop("blocks")
        scale = count / block["count"]
        table["name"] = f"{table['name']} {k}"
        table["transformer_kva"] = round(max(100.0, table["transformer_kva"] * scale))
        table["ports"] = list(_ports(block, count))
        found[f"{prefix}{k:02}"] = table
    return found


def station_model(name: str) -> Table:
    """Return the usual settings of a simulated station's model; those of a scenario stand above them."""
    model: Table = _file(name).get("model", {})
    return model


def _ports(block: Table, count: int) -> list[Table]:
    """Return the ports of a block: `p001` and so on, two to a charge point unless it says otherwise."""
    first, per_point = block.get("first", 1), block.get("per_charge_point", 2)
    return [
        {
            "id": f"p{n:03}",
            "name": f"{block.get('name', 'Bay')} {n}",
            "charge_point": f"CP-{(n - 1) // per_point + 1:03}",
            "rated_kw": block["rated_kw"],
            "phases": block["phases"],
        }
        for n in range(first, first + count)
    ]


def _read(name: str) -> Table:
    table: Table = _file(name)["stations"][name]
    return table


def _file(name: str) -> Table:
    source = files("simulators").joinpath("stations", f"{name}.toml")
    if not source.is_file():
        msg = f"scenario: no station {name!r} in simulators/stations"
        raise ConfigError(msg)
    return tomllib.loads(source.read_text("utf-8"))
