"""JSON Schema of each webhook type, as `/schemas/` serves it."""

from collections.abc import Sequence
from typing import Any

ALERT_TYPES = ("alert.firing", "alert.updated", "alert.escalated", "alert.acknowledged", "alert.resolved")
TYPES = (*ALERT_TYPES, "webhook.test")

_TEXT = {"type": "string"}
_TIME = {"type": "string", "format": "date-time"}
_BOTH = {
    "type": "object", "properties": {"en": _TEXT, "zh": _TEXT}, "required": ["en", "zh"],
    "description": "the same in English and Chinese",
}
_LINKS = {
    "type": "object", "properties": {"page": _TEXT, "api": _TEXT, "runbook": _TEXT}, "required": ["page", "api"]
}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(properties: dict[str, Any], optional: Sequence[str] = ()) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


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
_REPAIR = _object(
    {
        "by": _TEXT, "note": _TEXT, "at": _TIME,
        "state": {"enum": ["verifying", "verified", "leaking"], "description": "what the nights since say"},
        "nights": {"type": "array", "items": _TIME, "description": "ends of the nights that the state stands on"},
        "leak_m3_min": {"type": ["number", "null"], "description": "what is left, as of the last of them"},
        "level_m3_min": {"type": "number"}, "size_m3_min": {"type": "number"},
    }
)
_LABELS = {"type": "object", "additionalProperties": _TEXT}
_TIER = {"type": "integer", "minimum": 1, "description": "whom it has reached: 1 at first, more when escalated"}
_TEST: dict[str, dict[str, Any]] = {"endpoint": _TEXT, "summary": _BOTH, "remedy": _BOTH, "links": _LINKS}


def webhook_schema(type_: str) -> dict[str, Any]:
    """Return the schema of a `standard` body of one of `TYPES`; consumers must accept further members."""
    members = _ALERT if type_ in ALERT_TYPES else _TEST
    optional = {}
    if type_ in ALERT_TYPES:
        optional = {"acknowledgement": _ACKNOWLEDGEMENT, "repair": _REPAIR, "tier": _TIER, "labels": _LABELS}
    data = {"type": "object", "properties": {**members, **optional}, "required": list(members)}
    return _document(type_, {"type": {"const": type_}, "timestamp": _TIME, "data": data})


def _document(title: str, properties: dict[str, Any], optional: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **_object(properties, optional)
    }


_STATUS = {"enum": ["firing", "resolved"]}
_SIGNED = {"timestamp": {"type": "string", "pattern": "^[0-9]+$"}, "sign": _TEXT}


def _const(value: Any) -> dict[str, Any]:
    return {"const": value}


def format_schema(format_: str) -> dict[str, Any]:
    """Return the schema of every body of a format other than `standard`, as its receivers document it."""
    return _document(format_, _BODIES[format_], ("timestamp", "sign", "at"))


_BODIES: dict[str, dict[str, Any]] = {
    "alertmanager": {
        "version": _const("4"), "groupKey": _TEXT, "truncatedAlerts": {"type": "integer", "minimum": 0},
        "status": _STATUS, "receiver": _TEXT, "groupLabels": _LABELS, "commonLabels": _LABELS,
        "commonAnnotations": _LABELS, "externalURL": _TEXT,
        "alerts": {
            "type": "array", "minItems": 1,
            "items": _object(
                {
                    "status": _STATUS, "labels": _LABELS, "annotations": _LABELS, "startsAt": _TIME, "endsAt": _TIME,
                    "generatorURL": _TEXT, "fingerprint": _TEXT,
                }
            ),
        },
    },
    "cloudevents": {
        "specversion": _const("1.0"), "id": {**_TEXT, "minLength": 1},
        "source": {**_TEXT, "minLength": 1, "format": "uri-reference"}, "type": {"enum": list(TYPES)},
        "subject": _TEXT, "time": _TIME, "datacontenttype": _const("application/json"), "data": {"type": "object"},
    },
    "wecom": {
        "msgtype": _const("markdown"), "markdown": _object({"content": {**_TEXT, "maxLength": 4_096}}),
    },
    "dingtalk": {
        "msgtype": _const("markdown"), "markdown": _object({"title": _TEXT, "text": {**_TEXT, "maxLength": 20_000}}),
        "at": _object({"isAtAll": {"type": "boolean"}}),
    },
    "feishu": {
        **_SIGNED, "msg_type": _const("interactive"),
        "card": _object(
            {
                "config": {"type": "object"},
                "header": _object(
                    {
                        "title": _object({"tag": _const("plain_text"), "content": _TEXT}),
                        "template": {"enum": ["red", "orange", "blue", "green"]},
                    }
                ),
                "elements": {"type": "array", "minItems": 1, "items": {"type": "object"}},
            }
        ),
    },
    "slack": {
        "text": _TEXT,
        "attachments": {
            "type": "array",
            "items": _object(
                {
                    "color": _TEXT, "fallback": _TEXT,
                    "blocks": {
                        "type": "array",
                        "items": _object(
                            {
                                "type": _const("section"),
                                "text": _object({"type": _const("mrkdwn"), "text": {**_TEXT, "maxLength": 3_000}}),
                            }
                        ),
                    },
                }
            ),
        },
    },
}
