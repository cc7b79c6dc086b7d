"""JSON Schema of each webhook type, as `/schemas/` serves it."""

from typing import Any

ALERT_TYPES = ("alert.firing", "alert.updated", "alert.escalated", "alert.acknowledged", "alert.resolved")
TYPES = (*ALERT_TYPES, "webhook.test")

_TEXT = {"type": "string"}
_TIME = {"type": "string", "format": "date-time"}
_BOTH = {
    "type": "object", "properties": {"en": _TEXT, "zh": _TEXT}, "required": ["en", "zh"],
    "description": "the same in English and Chinese",
}
_LINKS = {"type": "object", "properties": {"page": _TEXT, "api": _TEXT}, "required": ["page", "api"]}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


_ALERT: dict[str, dict[str, Any]] = {
    "id": {**_TEXT, "description": "one episode"},
    "fingerprint": {**_TEXT, "description": "the same rule and device for ever"},
    "sequence": {"type": "integer", "minimum": 1, "description": "counts the transitions of the alert"},
    "rule": _TEXT,
    "category": {
        "enum": [
            "availability", "fault", "electrical", "efficiency", "leak", "pressure", "air_quality", "metering",
            "monitor",
        ]
    },
    "severity": {"enum": ["info", "warning", "critical"]},
    "state": {"enum": ["firing", "resolved"]},
    "station": _TEXT,
    "device": {**_or_null(_TEXT), "description": "null for an alert of a whole station"},
    "device_kind": _or_null(_TEXT),
    "since": {**_TIME, "description": "event time at which the condition began to hold"},
    "fired_at": _TIME,
    "resolved_at": _or_null(_TIME),
    "value": {"type": ["number", "string", "boolean", "null"]},
    "threshold": {"type": ["number", "string", "boolean", "null"]},
    "unit": _or_null(_TEXT),
    "summary": _BOTH,
    "remedy": _BOTH,
    "evidence": {"type": "object"},
    "links": _LINKS,
}
_ACKNOWLEDGEMENT = _or_null(
    {"type": "object", "properties": {"by": _TEXT, "note": _TEXT, "at": _TIME}, "required": ["by", "note", "at"]}
)
_TEST: dict[str, dict[str, Any]] = {"endpoint": _TEXT, "summary": _BOTH, "remedy": _BOTH, "links": _LINKS}


def webhook_schema(type_: str) -> dict[str, Any]:
    """Return the schema of a `standard` body of one of `TYPES`; consumers must accept further members."""
    members = _ALERT if type_ in ALERT_TYPES else _TEST
    optional = {"acknowledgement": _ACKNOWLEDGEMENT} if type_ in ALERT_TYPES else {}
    data = {"type": "object", "properties": {**members, **optional}, "required": list(members)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": type_,
        "type": "object",
        "properties": {"type": {"const": type_}, "timestamp": _TIME, "data": data},
        "required": ["type", "timestamp", "data"],
    }
