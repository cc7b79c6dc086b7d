"""Hours of the week by the clock on the wall."""

from dataclasses import replace

import numpy as np
import pytest
from naive.windows import START_MS, air_window, station_of

from analytics.air import air_minutes
from analytics.leak_weekly import weeks_of
from telemetry.times import DAY_MS, HOUR_MS, MINUTE_MS, to_datetime


@pytest.mark.parametrize(("zone", "days_back"), [("Europe/Berlin", 34), ("Asia/Kolkata", 34), ("UTC", 0)])
def test_a_plant_that_works_by_local_time_has_not_grown_when_the_clock_changes(zone: str, days_back: int) -> None:
    """Clocks in Berlin went back on 2024-10-27, eight days into the window."""
    days, moved_ms = 16, days_back * DAY_MS
    station = station_of("compressed_air", timezone=zone)
    minutes = range(days * 1440)
    local = [to_datetime(START_MS - moved_ms + m * MINUTE_MS).astimezone(station.zone) for m in minutes]
    at_work = [20.0 if 6 <= t.hour < 22 and t.weekday() < 5 else 3.0 for t in local]
    made = air_window(station, days * 1440, {("air_main", "main"): {"flow_m3_min": at_work}})
    window = replace(
        made, from_ms=made.from_ms - moved_ms, to_ms=made.to_ms - moved_ms, now_ms=made.now_ms - moved_ms,
        minutes={k: replace(b, start_ms=b.start_ms - moved_ms) for k, b in made.minutes.items()},
        first_heard_ms=dict.fromkeys(made.first_heard_ms, made.from_ms - moved_ms))
    (weeks,) = weeks_of(air_minutes(window))
    assert weeks.hours.shape == (days, 24)
    assert np.nanmax(np.abs(weeks.hours[7:] - weeks.hours[:-7])) < (1e-6 if zone != "Asia/Kolkata" else 9)
    assert not weeks.growth().told.any()


def test_hours_that_are_hardly_known_and_a_broken_last_hour_are_left_out() -> None:
    length = 11 * 1440 + 20
    flow: list[float | None] = [5.0] * length
    for minute in range(40):
        flow[length - 20 - 60 + minute] = None
    window = air_window(station_of("compressed_air"), length, {("air_main", "main"): {"flow_m3_min": flow}})
    (weeks,) = weeks_of(air_minutes(window))
    assert (window.to_ms - 20 * MINUTE_MS) % HOUR_MS == 0
    assert np.isnan(weeks.hours[-1, -1])
    assert np.isfinite(weeks.hours).sum() == 11 * 24 - 1
