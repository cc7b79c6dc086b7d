"""The formats of endpoints: how each makes a body, and what it asks of a sender."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from api.bodies.chats import dingtalk, feishu, slack, wecom
from api.bodies.machines import alertmanager, cloudevents, standard
from api.bodies.notice import Notice


@dataclass(frozen=True, slots=True)
class Format:
    """One `format` of an endpoint."""

    make: Callable[[Sequence[Notice], str], dict[str, Any]]
    """(notices, language) -> members of the body."""
    most: int = 1
    """Alerts of one rule at one station that one body may carry."""
    language: str = "en"
    """Language of its texts where the endpoint names none."""
    per_minute: int = 0
    """Messages a minute that the receiver takes; 0: as many as come."""
    codes: tuple[str, ...] = ()
    """Members of an answer's body in which the receiver refuses although it answers 200; all must be 0."""
    content_type: str = "application/json"


FORMATS: dict[str, Format] = {
    "standard": Format(standard),
    "alertmanager": Format(alertmanager, most=100),
    "cloudevents": Format(cloudevents, content_type="application/cloudevents+json"),
    "wecom": Format(wecom, most=1_000, language="zh", per_minute=20, codes=("errcode",)),
    "dingtalk": Format(dingtalk, most=1_000, language="zh", per_minute=20, codes=("errcode",)),
    "feishu": Format(feishu, most=1_000, language="zh", per_minute=100, codes=("code", "StatusCode")),
    "slack": Format(slack, most=1_000, per_minute=60),
}
"""Limits of the robots as their makers document them."""


def body_of(format_: str, notices: Sequence[Notice], language: str = "") -> bytes:
    """Return the bytes for a receiver; `language` "" is the format's own."""
    chosen = FORMATS[format_]
    return msgspec.json.encode(chosen.make(notices, language or chosen.language))


def refusal(format_: str, answer: bytes) -> str:
    """Return why a 2xx answer is a refusal all the same, "" where it is none.

    Robots answer 200 and say in the body that they took nothing. Only their number is shown: bodies of receivers
    stay unseen.
    """
    for member in FORMATS[format_].codes:
        try:
            code = msgspec.json.decode(answer).get(member, 0)
        except (msgspec.DecodeError, AttributeError):
            return ""
        if code != 0:
            return f"the robot refused it with {member} {code if isinstance(code, int) else '?'}"
    return ""
