"""TOML text of plain tables, for the files that a scenario writes."""

from typing import Any

import msgspec


def to_toml(tables: dict[str, Any], path: tuple[str, ...] = ()) -> str:
    """Return the TOML text of nested tables; lists of tables become arrays of tables.

    Parameters
    ----------
    tables
        Strings, numbers, booleans, lists and tables; keys are bare TOML keys.
    path
        Names of the tables around this one.
    """
    plain = [f"{key} = {_value(value)}" for key, value in tables.items() if not _is_table(value)]
    parts = ["\n".join([f"[{'.'.join(path)}]", *plain]) + "\n"] if path and plain else []
    for key, value in tables.items():
        if isinstance(value, dict):
            parts.append(to_toml(value, (*path, key)))
        elif _is_table(value):
            parts.extend(
                "\n".join([f"[[{'.'.join((*path, key))}]]", *(f"{k} = {_value(v)}" for k, v in row.items())]) + "\n"
                for row in value
            )
    return "\n".join(parts)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return msgspec.json.encode(value).decode()  # strings, numbers and booleans read the same in TOML
