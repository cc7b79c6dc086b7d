"""Makes docs/settings.md from the types of the configuration: `.venv/bin/python docs/generate.py`; a test compares."""

import ast
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from telemetry import config, decoders, notifying

PAGE = Path(__file__).parent / "settings.md"

_HEAD = """\
<!-- Made by docs/generate.py from the types in telemetry/; do not edit. -->
# Settings

Every key of `voltair.toml`; each has a default unless it says *to give*. The environment overrides:
`VOLTAIR__MQTT__URL` is `mqtt.url`. Secrets (`password`, `token`, `secret`, `session_key`) may stand in a file that
only its owner reads, named by the key with `_file`. `voltair config check` says what is wrong,
`voltair config schema` prints the same as a JSON Schema for an editor. What stations own stands in
[stations.toml](stations.md).
"""
_TABLES: tuple[tuple[str, type[msgspec.Struct]], ...] = (
    ("Top level", config.Config),
    ("[mqtt]", config.MqttConfig),
    ("[ingest]", config.IngestConfig),
    ("[journal]", config.JournalConfig),
    ("[store]", config.StoreConfig),
    ("[store.influx]", config.InfluxConfig),
    ("[analytics]", config.AnalyticsConfig),
    ("[clock]", config.ClockConfig),
    ("[api]", config.ApiConfig),
    ("[[webhooks]]", config.WebhookConfig),
    ("[[alerts.escalation]]", notifying.EscalationStep),
    ("[calendars.NAME]", notifying.BusinessCalendar),
    ("[[decoders]]", decoders.DecoderConfig),
    ("[decoders.time]", decoders.TimeConfig),
    ("[decoders.fields.CHANNEL]", decoders.FieldConfig),
)
"""In the order of the page."""
_WORDS = {
    "str": "text", "int": "integer", "float": "number", "bool": "true or false", "Names": "list of texts",
    "dict[str, str]": "table of texts", "tuple[str, ...]": "list of texts", "tuple[date, ...]": "list of dates",
}


def page() -> str:
    """Return the text of the page."""
    parts = [_HEAD]
    for title, struct in _TABLES:
        rows = list(_rows(struct))
        if rows:
            parts.append(f"## {title}\n\n{_first(struct)}\n\n| key | type | default | |\n| --- | --- | --- | --- |")
            parts += rows
            parts.append("")
    return "\n".join(parts)


def _rows(struct: type[msgspec.Struct]) -> Iterator[str]:
    texts = {name: found for base in reversed(struct.__mro__) for name, found in _fields(base).items()}
    for field in msgspec.structs.fields(struct):
        type_, text = texts[field.name]
        default = field.default
        if default is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        if isinstance(default, msgspec.Struct):
            continue  # a table of its own
        shown = "*to give*" if default is msgspec.NODEFAULT else f"`{_toml(default)}`"
        cells = [f"`{field.encode_name}`", type_, "*none*" if default is None else shown, text]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _fields(struct: type) -> dict[str, tuple[str, str]]:
    """Return field -> (type in words, the text under it), as the source says."""
    if not issubclass(struct, msgspec.Struct) or struct is msgspec.Struct:
        return {}
    (body,) = ast.parse(inspect.getsource(struct)).body
    assert isinstance(body, ast.ClassDef)  # noqa: S101 - it is the source of a class
    found: dict[str, tuple[str, str]] = {}
    for node, after in zip(body.body, [*body.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            text = ""
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                text = " ".join(str(after.value.value).split())
            found[node.target.id] = _type(ast.unparse(node.annotation)), text
    return found


def _type(annotation: str) -> str:
    """Return an annotation in words."""
    bare = re.sub(r"^Annotated\[(.+?), .*\]$", r"\1", annotation.removesuffix(" | None"))
    limits = re.findall(r"\b(ge|le)=(\d+)", annotation)
    bounds = [f"{'from' if sign == 'ge' else 'to'} {number}" for sign, number in limits]
    choice = re.match(r"Literal\[(.*)\]", bare) or re.match(r"Literal\[(.*)\]", _NAMED.get(bare, ""))
    if choice:
        return ", ".join(f"`{part}`" for part in choice[1].replace("'", '"').split(", "))
    word = "list" if bare.startswith("tuple") else "table" if bare.startswith("dict") else bare
    return " ".join([_WORDS.get(bare, word), *bounds])


_NAMED = {
    name: str(type_).removeprefix("typing.")
    for name, type_ in (("Format", decoders.Format), ("TimeFormat", decoders.TimeFormat))
}


def _first(struct: type) -> str:
    return (struct.__doc__ or "").partition("\n\n")[0].strip()


def _toml(value: object) -> str:
    return json.dumps(value)  # of our defaults the same as TOML


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
