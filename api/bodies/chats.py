"""Bodies for chat robots: WeCom, DingTalk, Feishu, Slack.

Names and codes in a text come from devices, so what would be markup is made harmless: nobody may put a link or a call
of everybody into the chat of those who repair.
"""

from collections.abc import Sequence
from typing import Any

from api.bodies.notice import Notice
from api.bodies.words import cut, message

_HARMLESS = str.maketrans({"<": "＜", ">": "＞", "[": "［", "]": "］", "\n": " ", "\r": " "})
_SLACK = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\n": " ", "\r": " "})
_WECOM_COLOURS = {"red": "warning", "orange": "warning", "blue": "comment", "green": "info"}
_SLACK_COLOURS = {"red": "#c62828", "orange": "#ef6c00", "blue": "#1565c0", "green": "#2e7d32"}


def wecom(notices: Sequence[Notice], language: str) -> dict[str, Any]:
    """Return a markdown message of a WeCom group robot; its content holds at most 4,096 bytes."""
    said = message(notices, language)
    lines = [f'**<font color="{_WECOM_COLOURS[said.tone]}">{cut(said.title.translate(_HARMLESS), 600)}</font>**']
    lines += [f"> {line}" for line in _labelled(notices, language, 2_400)]
    lines.append(f"[{said.link_text}]({said.link})")
    return {"msgtype": "markdown", "markdown": {"content": "\n".join(lines)}}


def dingtalk(notices: Sequence[Notice], language: str) -> dict[str, Any]:
    """Return a markdown message of a DingTalk robot; its body holds at most 20,000 bytes."""
    said = message(notices, language)
    title = cut(said.title.translate(_HARMLESS), 1_000)
    parts = [f"#### {title}", *_labelled(notices, language, 12_000), f"[{said.link_text}]({said.link})"]
    return {
        "msgtype": "markdown", "markdown": {"title": title, "text": "\n\n".join(parts)}, "at": {"isAtAll": False},
    }


def feishu(notices: Sequence[Notice], language: str) -> dict[str, Any]:
    """Return a card of a Feishu robot; its body holds at most 20 kB. A signature is added when it is sent."""
    said = message(notices, language)
    return {
        "msg_type": "interactive",
        "card": {
            "config": {"wide_screen_mode": True},
            "header": {
                "title": {"tag": "plain_text", "content": cut(said.title, 1_000)}, "template": said.tone,
            },
            "elements": [
                {
                    "tag": "div",
                    "text": {"tag": "lark_md", "content": "\n".join(_labelled(notices, language, 12_000))},
                },
                {
                    "tag": "action",
                    "actions": [
                        {
                            "tag": "button", "type": "default", "url": said.link,
                            "text": {"tag": "plain_text", "content": said.link_text},
                        }
                    ],
                },
            ],
        },
    }


def slack(notices: Sequence[Notice], language: str) -> dict[str, Any]:
    """Return a message of a Slack incoming webhook; a section holds at most 3,000 characters."""
    said = message(notices, language)
    title = cut(said.title.translate(_SLACK), 600)
    lines = [f"*{label}{said.colon}*{text}" if label else text for label, text in _cut_lines(said.lines, _SLACK, 1_800)]
    text = "\n".join([f"*{title}*", *lines, f"<{said.link}|{said.link_text}>"])
    return {
        "text": title,
        "attachments": [
            {
                "color": _SLACK_COLOURS[said.tone], "fallback": title,
                "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}],
            }
        ],
    }


def _labelled(notices: Sequence[Notice], language: str, limit: int) -> list[str]:
    said = message(notices, language)
    return [
        f"**{label}**{said.colon}{text}" if label else f"- {text}"
        for label, text in _cut_lines(said.lines, _HARMLESS, limit)
    ]


def _cut_lines(
    lines: Sequence[tuple[str, str]], table: dict[int, Any], limit: int
) -> list[tuple[str, str]]:
    """Return lines without markup that together hold at most about `limit` bytes, each its fair part."""
    return [(label, cut(text.translate(table), limit // len(lines))) for label, text in lines]
