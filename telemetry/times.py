"""Times as integers of milliseconds since the Unix epoch, UTC, and their two written forms."""

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

SECOND_MS = 1_000
MINUTE_MS = 60_000
QUARTER_MS = 900_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000

EARLIEST_MS = 946_684_800_000
"""2000-01-01T00:00:00Z: an earlier device time is a broken clock."""
LATEST_MS = 4_102_444_800_000
"""2100-01-01T00:00:00Z: a later device time is a broken clock."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = re.compile(r"-?[0-9]{1,18}")
_DURATION = re.compile(r"\s*([0-9]{1,12}(?:\.[0-9]{1,12})?)\s*(ms|s|m|min|h|d|w)\s*")
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "min": 60_000, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}


def parse_time(value: object) -> int | None:
    """Return a time in ms from an integer of ms, digits, or RFC 3339 with an offset; None where it is neither."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return _parse_text(value) if isinstance(value, str) else None


def _parse_text(text: str) -> int | None:
    if _DIGITS.fullmatch(text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else to_ms(moment)


def to_ms(moment: datetime) -> int:
    """Return an aware datetime as ms since the epoch, rounded down."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def to_datetime(time_ms: int) -> datetime:
    """Return ms since the epoch as an aware UTC datetime."""
    return _EPOCH + timedelta(milliseconds=time_ms)


def format_time(time_ms: int | None) -> str | None:
    """Return RFC 3339 with milliseconds and `Z`, or None for None."""
    if time_ms is None:
        return None
    return to_datetime(time_ms).strftime("%Y-%m-%dT%H:%M:%S.") + f"{time_ms % 1000:03d}Z"


def parse_duration_ms(text: str) -> int | None:
    """Return the length in ms of `500ms`, `30s`, `15m`, `24h`, `35d` or `2w`; None where it is none of these."""
    match = _DURATION.fullmatch(text)
    return None if match is None else round(float(match[1]) * _UNIT_MS[match[2]])


def local_day_start(time_ms: int, zone: ZoneInfo) -> int:
    """Return the UTC instant at which the local day of `time_ms` starts."""
    return day_start(to_datetime(time_ms).astimezone(zone).date(), zone)


def next_local_day(time_ms: int, zone: ZoneInfo) -> int:
    """Return the UTC instant at which the local day after that of `time_ms` starts (23 to 25 h later)."""
    return day_start(to_datetime(time_ms).astimezone(zone).date() + timedelta(days=1), zone)


def day_start(day: date, zone: ZoneInfo) -> int:
    """Return the UTC instant at which a local calendar day starts."""
    return to_ms(datetime(day.year, day.month, day.day, tzinfo=zone))


def local_month(text: str, zone: ZoneInfo) -> tuple[int, int] | None:
    """Return [start, end) of the local calendar month `YYYY-MM` in ms; None where the text is no month."""
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", text) or not 2000 <= int(text[:4]) < 2100:
        return None
    start, end = (date.fromisoformat(f"{month}-01") for month in (text, next_month(text)))
    return day_start(start, zone), day_start(end, zone)


def next_month(text: str, count: int = 1) -> str:
    """Return the month that is `count` months after `YYYY-MM`."""
    months = int(text[:4]) * 12 + int(text[5:7]) - 1 + count
    return f"{months // 12:04d}-{months % 12 + 1:02d}"
