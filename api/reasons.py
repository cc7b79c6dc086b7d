"""Reasons of missing figures in the reader's language: `?lang=`, else what `Accept-Language` likes best.

English is what analytics says; `static/i18n/reasons.json` has the Chinese of each sentence, `{a}` standing for a name
or a number, or for another reason. The page reads the same file. A sentence that is not there stays English.
"""

import functools
import re
from typing import Annotated, Any, Literal

import msgspec
from fastapi import Depends, Query, Request

from api.page import STATIC

_PLACE = re.compile(r"\{([a-z])\}")
_LIKED = re.compile(r"\b(en|zh)\b[\w-]*\s*(?:;\s*q=([\d.]+))?", re.IGNORECASE)


def _language(
    request: Request,
    lang: Annotated[
        Literal["en", "zh"] | None, Query(description="Language of reasons; by default as Accept-Language has it")
    ] = None,
) -> str:
    if lang is not None:
        return lang
    liked = [(float(q or 1), name.lower()) for name, q in _LIKED.findall(request.headers.get("accept-language", ""))]
    return max(liked, key=lambda one: one[0])[1] if liked else "en"


Language = Annotated[str, Depends(_language)]


def in_language(answer: Any, language: str) -> Any:
    """Return an answer with every `reason` and every text under `reasons` in a language; the rest as it is."""
    if language == "en":
        return answer
    if isinstance(answer, dict):
        return {name: _member(name, value, language) for name, value in answer.items()}
    return [in_language(item, language) for item in answer] if isinstance(answer, list) else answer


def _member(name: str, value: Any, language: str) -> Any:
    if name == "reason" and isinstance(value, str):
        return to_chinese(value)
    if name == "reasons" and isinstance(value, dict):
        return {key: to_chinese(text) if isinstance(text, str) else text for key, text in value.items()}
    return in_language(value, language)


def to_chinese(reason: str) -> str:
    """Return a reason in Chinese; one that nobody has translated as it is."""
    for pattern, chinese in _catalogue():
        match = pattern.fullmatch(reason)
        if match is not None:
            parts = {name: to_chinese(part) for name, part in match.groupdict().items()}
            return chinese.format(**parts)
    return reason


@functools.cache
def _catalogue() -> list[tuple[re.Pattern[str], str]]:
    """Return (pattern, Chinese), those that say most first: `{a} is unknown` fits much."""
    pairs: list[tuple[str, str]] = msgspec.json.decode((STATIC / "i18n" / "reasons.json").read_bytes())
    pairs.sort(key=lambda pair: -len(_PLACE.sub("", pair[0])))
    return [
        (re.compile(re.sub(r"\\\{([a-z])\\\}", r"(?P<\1>.+)", re.escape(english))), chinese)
        for english, chinese in pairs
    ]
