"""`/docs`: every call on one page, made from the OpenAPI document; needs no network, unlike Swagger's."""

from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
section { border-top: 1px solid #8885; padding: .6rem 0 }
h2 { font: 600 1rem ui-monospace, monospace; margin: .3rem 0 }
b { display: inline-block; min-width: 4.2rem }
td, th { text-align: left; padding: .1rem 1rem .1rem 0; vertical-align: top }
code { font-family: ui-monospace, monospace }
"""


def docs_page(document: dict[str, Any]) -> str:
    """Return the page.

    Parameters
    ----------
    document
        The OpenAPI document of the app.
    """
    calls = [
        _call(path, method, call, document)
        for path, methods in document["paths"].items()
        for method, call in methods.items()
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(document["info"]["title"])}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{escape(document['info']['title'])} {escape(document['info']['version'])}</h1>"
        '<p>The same for programs: <a href="openapi.json">openapi.json</a>; bodies of webhooks: '
        '<a href="schemas/">schemas/</a>. Times are RFC 3339 with an offset, or integer ms; errors are '
        "problem details (RFC 9457).</p>" + "".join(calls)
    )


def _call(path: str, method: str, call: dict[str, Any], document: dict[str, Any]) -> str:
    rows = [
        (p["name"], p["in"] + (", required" if p.get("required") else ""), _kind(p["schema"]), p.get("description", ""))
        for p in call.get("parameters", ())
    ]
    body = call.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    schema = document.get("components", {}).get("schemas", {}).get(body.get("$ref", "").rpartition("/")[2], {})
    rows += [
        (name, "body" + (", required" if name in schema.get("required", ()) else ""), _kind(member),
         member.get("description", ""))
        for name, member in schema.get("properties", {}).items()
    ]
    table = "".join(
        f"<tr><td><code>{escape(name)}</code><td>{escape(place)}<td>{escape(kind)}<td>{escape(text)}"
        for name, place, kind, text in rows
    )
    return (
        f"<section><h2><b>{method.upper()}</b> {escape(path)}</h2>"
        f"<p>{escape(call.get('summary', ''))}. {escape(call.get('description', ''))}</p>"
        + (f"<table>{table}</table>" if rows else "")
        + "</section>"
    )


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(str(v) for v in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(_kind(s) for s in schema["anyOf"] if s.get("type") != "null")
    return str(schema.get("type", "object"))
