"""From an alert's transition in state.db to the `data` object that consumers get (contract, section 9)."""

from typing import Any

import msgspec

from analytics.rules.transitions import Transition
from telemetry.times import format_time


def decode_transition(body: bytes | str) -> Transition:
    """Return the transition of a row of state.db.

    Raises
    ------
    msgspec.DecodeError
        If the body is no transition.
    """
    return msgspec.json.decode(body, type=Transition)


def alert_data(transition: Transition, sequence: int, base_url: str) -> dict[str, Any]:
    """Return the `data` object of a transition.

    Parameters
    ----------
    transition
        What happened.
    sequence
        Number of this transition among those of its alert; firing is 1.
    base_url
        Address of the page, without a slash at the end.
    """
    return {
        "id": transition.alert,
        "fingerprint": transition.fingerprint,
        "sequence": sequence,
        "rule": transition.rule,
        "category": transition.category,
        "severity": transition.severity,
        "state": transition.state,
        "station": transition.station,
        "device": transition.device,
        "device_kind": transition.device_kind,
        "since": format_time(transition.since_ms),
        "fired_at": format_time(transition.fired_ms),
        "resolved_at": format_time(transition.resolved_ms),
        "value": transition.value,
        "threshold": transition.threshold,
        "unit": transition.unit,
        "summary": transition.summary,
        "remedy": transition.remedy,
        "evidence": transition.evidence,
        "labels": transition.labels,
        "links": {
            "page": f"{base_url}/?alert={transition.alert}",
            "api": f"{base_url}/api/v1/alerts/{transition.alert}",
            **({"runbook": transition.runbook} if transition.runbook else {}),
        },
    }
