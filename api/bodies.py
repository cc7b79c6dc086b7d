"""The bytes that a receiver gets, one function per `format` of an endpoint."""

from collections.abc import Callable
from typing import Any

import msgspec

from telemetry.times import format_time


def standard(type_: str, time_ms: int, data: dict[str, Any]) -> bytes:
    """Return the body of Standard Webhooks 1.0: `type`, `timestamp`, `data`."""
    return msgspec.json.encode({"type": type_, "timestamp": format_time(time_ms), "data": data})


def alertmanager(type_: str, time_ms: int, data: dict[str, Any]) -> bytes:
    """Return a webhook of Alertmanager, version 4, with one alert."""
    if type_ == "webhook.test":
        data = {
            "id": "test", "fingerprint": "test", "rule": "webhook_test", "severity": "info", "category": "monitor",
            "station": "", "device": None, "state": "resolved", "since": format_time(time_ms),
            "fired_at": format_time(time_ms), "resolved_at": format_time(time_ms),
            "summary": data["summary"], "remedy": data["remedy"], "links": data["links"],
        }
    labels = {
        "alertname": data["rule"], "severity": data["severity"], "category": data["category"],
        "station": data["station"], **({"device": data["device"]} if data["device"] else {}),
    }
    annotations = {
        "summary": data["summary"].get("en", ""), "summary_zh": data["summary"].get("zh", ""),
        "remedy": data["remedy"].get("en", ""), "remedy_zh": data["remedy"].get("zh", ""),
    }
    status = data["state"]
    return msgspec.json.encode(
        {
            "version": "4",
            "groupKey": f"{{}}:{{alertname={data['rule']!r}, fingerprint={data['fingerprint']!r}}}",
            "truncatedAlerts": 0,
            "status": status,
            "receiver": "voltair",
            "groupLabels": {"alertname": data["rule"]},
            "commonLabels": labels,
            "commonAnnotations": annotations,
            "externalURL": data["links"]["page"].partition("/?")[0],
            "alerts": [
                {
                    "status": status,
                    "labels": labels,
                    "annotations": annotations,
                    "startsAt": data["since"],
                    "endsAt": data["resolved_at"] or "0001-01-01T00:00:00Z",
                    "generatorURL": data["links"]["page"],
                    "fingerprint": data["fingerprint"],
                }
            ],
        }
    )


FORMATS: dict[str, Callable[[str, int, dict[str, Any]], bytes]] = {
    "standard": standard,
    "alertmanager": alertmanager,
}
"""Format of an endpoint -> the maker of its bodies."""


def test_data(endpoint: str, base_url: str) -> dict[str, Any]:
    """Return the `data` object of a `webhook.test`."""
    return {
        "endpoint": endpoint,
        "summary": {"en": "This is a test from Voltair.", "zh": "这是 Voltair 的测试消息。"},
        "remedy": {"en": "Nothing to do.", "zh": "无需处理。"},
        "links": {"page": f"{base_url}/", "api": f"{base_url}/api/v1/webhooks/{endpoint}"},
    }
