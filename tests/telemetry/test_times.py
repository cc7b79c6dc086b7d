import pytest

from telemetry.times import parse_duration_ms, parse_time


@pytest.mark.parametrize(
    ("value", "time_ms"),
    [
        (1_732_240_000_123, 1_732_240_000_123),
        ("1732240000123", 1_732_240_000_123),
        ("-5", -5),
        ("2024-11-22T01:46:40.123+00:00", 1_732_240_000_123),
        ("2024-11-22T09:46:40.123+08:00", 1_732_240_000_123),
        ("2024-11-22T01:46:40", None),
        ("", None),
        ("-", None),
        ("--5", None),
        ("²", None),
        ("٣", None),
        ("9" * 5_000, None),
        (True, None),
        (0.5, None),
    ],
)
def test_what_is_a_time(value, time_ms):
    assert parse_time(value) == time_ms


@pytest.mark.parametrize(
    ("text", "ms"),
    [("15m", 900_000), (" 1.5 h ", 5_400_000), ("35d", 3_024_000_000), ("5", None), ("²s", None),
     ("9" * 400 + "d", None), ("-1s", None)],
)  # fmt: skip
def test_what_is_a_duration(text, ms):
    assert parse_duration_ms(text) == ms
