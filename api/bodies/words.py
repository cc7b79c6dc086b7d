"""What a person reads in a chat: one title and some lines, in one language."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api.bodies.notice import Notice

LISTED = 10
"""Alerts of a group that are named; the others are counted."""

_WORDS = {
    "en": {
        "alert.firing": "Alert", "alert.updated": "Changed", "alert.escalated": "Escalated",
        "alert.acknowledged": "Acknowledged", "alert.resolved": "Resolved", "webhook.test": "Test",
        "critical": "critical", "warning": "warning", "info": "info", "alerts": "{} alerts of {}",
        "more": "and {} more", "station": "Station", "since": "Since", "until": "Until", "remedy": "What to do",
        "by": "Taken on by", "repair": "Repair",
        "verifying": "marked by {by}, being verified by the next nights",
        "verified": "verified by the nights up to {nights}; {left} m3/min left",
        "leaking": "still leaking: {left} m3/min in the night up to {nights}; reopened",
        "open": "Open in Voltair", "colon": ": ",
    },
    "zh": {
        "alert.firing": "告警", "alert.updated": "变化", "alert.escalated": "升级", "alert.acknowledged": "已确认",
        "alert.resolved": "已恢复", "webhook.test": "测试", "critical": "严重", "warning": "警告", "info": "提示",
        "alerts": "{} 条告警：{}", "more": "另有 {} 条", "station": "站点", "since": "开始", "until": "结束",
        "repair": "修复", "verifying": "{by} 已标记修复，待随后夜间验证",
        "verified": "已由截至 {nights} 的夜间验证；剩余 {left} m3/min",
        "leaking": "仍在泄漏：截至 {nights} 的夜间为 {left} m3/min；已重新打开",
        "remedy": "处理建议", "by": "处理人", "open": "在 Voltair 中打开", "colon": "：",
    },
}


@dataclass(frozen=True, slots=True)
class Message:
    """What to say about one notice, or about several of one rule at one station."""

    title: str
    lines: tuple[tuple[str, str], ...]
    """(label, text); a label may be empty."""
    link: str
    link_text: str
    colon: str
    tone: str
    """`red`, `orange`, `blue` or `green`."""


def message(notices: Sequence[Notice], language: str) -> Message:
    """Return the words for notices; all are of one type, one rule and one station.

    Parameters
    ----------
    notices
        At least one.
    language
        `en` or `zh`.
    """
    words, first = _WORDS[language], notices[0]
    data = first.data
    head = f"[{words[first.type]}] "
    lines = []
    if first.is_test:
        title, tone = head + data["summary"][language], "green"
    else:
        severity = words[data["severity"]]
        tone = _tone(first)
        if len(notices) == 1:
            title = f"{head}{severity}{words['colon']}{data['summary'][language]}"
        else:
            title = f"{head}{severity}{words['colon']}{words['alerts'].format(len(notices), data['rule'])}"
            lines += [("", n.data["summary"][language]) for n in notices[:LISTED]]
            if len(notices) > LISTED:
                lines.append(("", words["more"].format(len(notices) - LISTED)))
        lines += [(words["station"], data["station"]), (words["since"], _time(data["since"]))]
        if first.type == "alert.resolved":
            lines.append((words["until"], _time(data["resolved_at"])))
        taken = data.get("acknowledgement")
        if taken:
            note = f" ({taken['note']})" if taken["note"] else ""
            lines.append((words["by"], taken["by"] + note))
        repair = data.get("repair")
        if repair and len(notices) == 1:
            lines.append((words["repair"], _repair(words[repair["state"]], repair)))
    if first.type != "alert.resolved":
        lines.append((words["remedy"], data["remedy"][language]))
    return Message(title, tuple(lines), data["links"]["page"], words["open"], words["colon"], tone)


def _repair(text: str, repair: dict[str, Any]) -> str:
    nights = ", ".join(_time(night) for night in repair["nights"])
    return text.format(by=repair["by"], nights=nights, left=f"{repair['leak_m3_min'] or 0:.2g}")


def _tone(notice: Notice) -> str:
    if notice.type == "alert.resolved":
        return "green"
    return {"critical": "red", "warning": "orange"}.get(notice.data["severity"], "blue")


def _time(text: str) -> str:
    return text[:19].replace("T", " ") + " UTC"


def cut(text: str, limit: int) -> str:
    """Return a text of at most `limit` bytes of UTF-8, with a mark where something is missing."""
    raw = text.encode()
    return text if len(raw) <= limit else raw[: limit - 3].decode(errors="ignore") + "…"
