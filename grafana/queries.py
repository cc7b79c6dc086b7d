"""InfluxQL in the subset that InfluxDB 1.x, 2.x and 3.x share, by the rules of the store's names.

A ratio is a ratio of sums. Devices are averaged each by itself over a step, then summed: a sum over raw points would
count a device once per point. No inner query fills gaps, because filled points of an inner query come back repeated.
"""

# Measurements and fields come from our own code, and the queries only read.
# ruff: noqa: S608

STATION = '"station" =~ /^${station:regex}$/'
"""Condition for the chosen stations; ids hold no character that could end the pattern."""
WHERE = f"WHERE $timeFilter AND {STATION}"
DEVICE = '"station", "device"'
"""Tags of one device: its id is its own in its station only."""
DEVICE_ALIAS = "$tag_station $tag_device"


def ratio(measurement: str, over: str, under: str, *, by: str = "") -> str:
    """Return sum(over) / sum(under) of the whole range, or by step and tag where `by` is a GROUP BY clause."""
    return f'SELECT sum("{over}") / sum("{under}") AS "value" FROM "{measurement}" {WHERE}{_group(by)}'


def total(measurement: str, field: str, *, by: str = "") -> str:
    """Return sum(field), of the whole range or by step and tag."""
    return f'SELECT sum("{field}") AS "value" FROM "{measurement}" {WHERE}{_group(by)}'


def now_sum(measurement: str, field: str, *, by: str = "") -> str:
    """Return the sum over devices of their means in each step."""
    tags = f", {by}" if by else ""
    return (
        f'SELECT sum("mean") AS "value" FROM (SELECT mean("{field}") AS "mean" FROM "{measurement}" {WHERE} '
        f'GROUP BY time($__interval), {DEVICE} fill(none)) WHERE $timeFilter '
        f"GROUP BY time($__interval){tags} fill(none)"
    )


def mean(measurement: str, field: str, *, by: str = "", how: str = "mean") -> str:
    """Return the mean (or min, max, last) of a field in each step."""
    tags = f", {by}" if by else ""
    step = f"GROUP BY time($__interval){tags} fill(none)"
    return f'SELECT {how}("{field}") AS "value" FROM "{measurement}" {WHERE} {step}'


def states(measurement: str) -> str:
    """Return the last state of each device in each step; rows come every minute, so no gap has to be filled."""
    return mean(measurement, "status", by=DEVICE, how="last")


def last_by_device(measurement: str, field: str, name: str, how: str = "last") -> str:
    """Return one row per device with the last (or sum, max) value of a field in the range."""
    return f'SELECT {how}("{field}") AS "{name}" FROM "{measurement}" {WHERE} GROUP BY {DEVICE}'


def count_now(field: str) -> str:
    """Return how many ports were in a condition in each step: their hours in it, within a minute, times 60."""
    return (
        f'SELECT sum("hours") * 60 AS "value" FROM '
        f'(SELECT last("{field}") AS "hours" FROM "charging_station_1m" {WHERE} '
        f'GROUP BY time($__interval), "station" fill(none)) WHERE $timeFilter GROUP BY time($__interval) fill(none)'
    )


def stations_of(measurement: str) -> str:
    """Return the query of a variable that lists the stations of a measurement."""
    return f'SHOW TAG VALUES FROM {measurement} WITH KEY = "station"'


def _group(by: str) -> str:
    return f" GROUP BY {by} fill(none)" if by else ""
