"""InfluxQL in the subset that InfluxDB 1.x, 2.x and 3.x share, by the rules of the store's names.

Many panels read rows of one minute, a quarter or an hour, as the step of the range asks: `{step}` in the name of a
measurement stands for the width (`stepped`). A ratio is a ratio of sums. Stations are averaged each by itself over a
step, then summed: a sum over points would count a station once per point. No inner query fills gaps, because filled
points of an inner query come back repeated.
"""

STATION = '"station" =~ /^${station:regex}$/'
"""Condition for the chosen stations; ids hold no character that could end the pattern."""
WHERE = f"WHERE $timeFilter AND {STATION}"
DEVICE = '"station", "device"'
"""Tags of one device: its id is its own in its station only."""
DEVICE_ALIAS = "$tag_station $tag_device"


def chosen(variable: str, tag: str) -> str:
    """Return the condition for what is chosen by a variable besides stations."""
    return f'"{tag}" =~ /^${{{variable}:regex}}$/'


def only(query: str, condition: str) -> str:
    """Return a query of one or more SELECTs on stations with a further condition."""
    return query.replace(STATION, f"{STATION} AND {condition}")


def ratio(measurement: str, over: str, under: str, *, by: str = "") -> str:
    """Return sum(over) / sum(under) of the whole range, or by step and tag where `by` is a GROUP BY clause."""
    return f'SELECT sum("{over}") / sum("{under}") AS "value" FROM "{measurement}" {WHERE}{_group(by)}'


def rows(measurement: str, field: str, *, tags: str = "") -> str:
    """Return a field as it is stored: a point per row, so that days of a station stay its own days."""
    return f'SELECT "{field}" AS "value" FROM "{measurement}" {WHERE}{f" GROUP BY {tags}" if tags else ""}'


def total(measurement: str, field: str, *, by: str = "") -> str:
    """Return sum(field), of the whole range or by step and tag."""
    return f'SELECT sum("{field}") AS "value" FROM "{measurement}" {WHERE}{_group(by)}'


def mean(measurement: str, field: str, *, by: str = "", how: str = "mean") -> str:
    """Return the mean (or min, max, last) of a field in each step."""
    tags = f", {by}" if by else ""
    step = f"GROUP BY time($__interval){tags} fill(none)"
    return f'SELECT {how}("{field}") AS "value" FROM "{measurement}" {WHERE} {step}'


def states(kind: str) -> str:
    """Return the last state of each device in each step; every row has one, so no gap has to be filled."""
    return mean(f"{kind}_{{step}}", "status", by=DEVICE, how="last")


def last_by(measurement: str, field: str, name: str, how: str = "last", by: str = DEVICE) -> str:
    """Return one row per device (or other tags) with the last (or sum, max) value of a field in the range."""
    return f'SELECT {how}("{field}") AS "{name}" FROM "{measurement}" {WHERE} GROUP BY {by}'


def about_devices(field: str, kind: str = "") -> str:
    """Return what is known of each device (of a kind); it is stored once a day, so the range does not matter."""
    of_kind = f" AND \"kind\" = '{kind}'" if kind else ""
    return f'SELECT last("{field}") AS "{field}" FROM "device_info" WHERE {STATION}{of_kind} GROUP BY {DEVICE}'


def sum_of_stations(measurement: str, field: str, times: str = "") -> str:
    """Return the sum over stations of their means in each step, times a factor (` * 60`)."""
    return (
        f'SELECT sum("mean"){times} AS "value" FROM '
        f'(SELECT mean("{field}") AS "mean" FROM "{measurement}" {WHERE} '
        f'GROUP BY time($__interval), "station" fill(none)) WHERE $timeFilter GROUP BY time($__interval) fill(none)'
    )


def ports_in(state: str) -> str:
    """Return how many ports were in a condition on average: their hours in it over the hours of a row."""
    return sum_of_stations("charging_station_{step}", f"{state}_h", " * {per_hour}")


def firing(title: str, text: str) -> str:
    """Return the last transition of each alert: what of them is firing is left to the panel."""
    return (
        f'SELECT last("state") AS "state", "severity", "{title}", "{text}", "since_ms", "alert_id" FROM '
        f'"alert" {WHERE} '
        f'GROUP BY {DEVICE}, "rule"'
    )


def transitions(title: str, text: str) -> str:
    """Return every transition of alerts in the range, newest first."""
    return (
        f'SELECT "{title}", "{text}", "station", "device", "rule", "alert_id" FROM "alert" '
        f"{WHERE} ORDER BY time DESC LIMIT 200"
    )


def tag_values(measurement: str, tag: str = "station") -> str:
    """Return the query of a variable that lists the stations of a measurement, or what else they have."""
    of = "" if tag == "station" else f" WHERE {STATION}"
    return f'SHOW TAG VALUES FROM {measurement} WITH KEY = "{tag}"{of}'


def _group(by: str) -> str:
    return f" GROUP BY {by} fill(none)" if by else ""
