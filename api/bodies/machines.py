"""Bodies that programs read: Standard Webhooks, CloudEvents, Alertmanager."""

from collections.abc import Sequence
from typing import Any

from api.bodies.notice import Notice, standard_members
from telemetry.times import format_time

_NEVER = "0001-01-01T00:00:00Z"
"""Go's zero time: what Alertmanager sends as `endsAt` of an alert that still fires."""


def standard(notices: Sequence[Notice], _language: str) -> dict[str, Any]:
    """Return the body of Standard Webhooks 1.0, always of one alert."""
    return standard_members(notices[0])


def cloudevents(notices: Sequence[Notice], _language: str) -> dict[str, Any]:
    """Return a CloudEvents 1.0 event in structured mode, always of one alert.

    `source` and `id` together name the transition: a repeat of it is the same event.
    """
    (notice,) = notices
    data = notice.data
    base_url = data["links"]["api"].partition("/api/v1/")[0]
    if notice.is_test:
        source, subject, id_ = f"{base_url}/api/v1/webhooks", data["endpoint"], f"test-{notice.time_ms}"
    else:
        source = f"{base_url}/api/v1/stations/{data['station']}"
        subject = data["device"] or data["station"]
        id_ = f"{data['id']}-{data['sequence']}"
    return {
        "specversion": "1.0", "id": id_, "source": source, "type": notice.type, "subject": subject,
        "time": format_time(notice.time_ms), "datacontenttype": "application/json", "data": data,
    }


def alertmanager(notices: Sequence[Notice], language: str) -> dict[str, Any]:
    """Return a webhook of Alertmanager, version 4, of alerts of one rule at one station."""
    alerts = [_alert(n, language) for n in notices]
    first = alerts[0]
    group = {k: first["labels"][k] for k in ("alertname", "station") if k in first["labels"]}
    return {
        "version": "4",
        "groupKey": "{}:{" + ", ".join(f'{k}="{v}"' for k, v in group.items()) + "}",
        "truncatedAlerts": 0,
        "status": "firing" if any(a["status"] == "firing" for a in alerts) else "resolved",
        "receiver": "voltair",
        "groupLabels": group,
        "commonLabels": _common([a["labels"] for a in alerts]),
        "commonAnnotations": _common([a["annotations"] for a in alerts]),
        "externalURL": notices[0].data["links"]["page"].partition("/?")[0],
        "alerts": alerts,
    }


def _alert(notice: Notice, language: str) -> dict[str, Any]:
    data = notice.data
    annotations = {
        "summary": data["summary"][language], "summary_zh": data["summary"]["zh"],
        "remedy": data["remedy"][language], "remedy_zh": data["remedy"]["zh"],
    }
    if notice.is_test:
        time = format_time(notice.time_ms)
        labels = {"alertname": "webhook_test", "severity": "info", "category": "monitor"}
        status, since, until, fingerprint = "resolved", time, time, "test"
    else:
        labels = {
            **data["labels"], "alertname": data["rule"], "severity": data["severity"], "category": data["category"],
            "station": data["station"],
        }
        if data["device"]:
            labels |= {"device": data["device"], "device_kind": data["device_kind"] or ""}
        status, since, until = data["state"], data["since"], data["resolved_at"] or _NEVER
        fingerprint = data["fingerprint"]
        if "runbook" in data["links"]:
            annotations["runbook_url"] = data["links"]["runbook"]
    return {
        "status": status, "labels": labels, "annotations": annotations, "startsAt": since, "endsAt": until,
        "generatorURL": data["links"]["page"], "fingerprint": fingerprint,
    }


def _common(tables: Sequence[dict[str, str]]) -> dict[str, str]:
    """Return what all tables say alike."""
    return {k: v for k, v in tables[0].items() if all(t.get(k) == v for t in tables)}
