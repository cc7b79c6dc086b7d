"""One thing to tell a receiver, before it has the shape of any format."""

from typing import Any

import msgspec

from telemetry.times import format_time


class Notice(msgspec.Struct, frozen=True):
    """One transition of one alert, or a test."""

    type: str
    """`alert.firing`, ..., `webhook.test` (contract, section 9)."""
    time_ms: int
    data: dict[str, Any]
    """The alert's `data` object, or that of a test."""

    @property
    def is_test(self) -> bool:
        """Whether no alert is behind it."""
        return self.type == "webhook.test"


def standard_members(notice: Notice) -> dict[str, Any]:
    """Return the body of Standard Webhooks 1.0: `type`, `timestamp`, `data`."""
    return {"type": notice.type, "timestamp": format_time(notice.time_ms), "data": notice.data}


def notice_of_test(endpoint: str, base_url: str, time_ms: int) -> Notice:
    """Return a `webhook.test`."""
    data = {
        "endpoint": endpoint,
        "summary": {"en": "This is a test from Voltair.", "zh": "这是 Voltair 的测试消息。"},
        "remedy": {"en": "Nothing to do.", "zh": "无需处理。"},
        "links": {"page": f"{base_url}/", "api": f"{base_url}/api/v1/webhooks/{endpoint}"},
    }
    return Notice("webhook.test", time_ms, data)
