"""The parts of a classic Grafana dashboard (schemaVersion 41, Grafana 11.6 and later) as plain JSON objects.

Every option is written in full, because Grafana fills gaps differently from version to version.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

ROLLED = "datasource"
"""Variable of the data source with rolled-up rows."""
FINE = "datasource_raw"
"""Variable of the data source with raw readings and `_1m` rows."""

MIXED: Json = {"type": "datasource", "uid": "-- Mixed --"}
"""Source of a panel whose queries go to several: with any other, Grafana sends all of them to that one."""

STEPS = (
    ("1m", FINE, 60, "$__interval_ms < 300000"),
    ("15m", ROLLED, 4, "$__interval_ms >= 300000 AND $__interval_ms < 1800000"),
    ("1h", ROLLED, 1, "$__interval_ms >= 1800000"),
)
"""(width, source, rows per hour, when it is read). Grafana puts numbers in; InfluxDB sees which conditions are false
before it opens a file, so of three queries one costs anything."""

DAYS_FROM = 21_600_000
"""Step [ms] from which charts of many devices read rows of days."""

MANY = 250
"""Steps of a chart with a series for each device of a station, of which there may be hundreds."""

GREEN, BLUE, AMBER, RED, GREY, PURPLE = "#3aa675", "#3f87d9", "#d9a13b", "#d9534f", "#8c99a5", "#9573c4"


@dataclass(frozen=True, slots=True)
class Look:
    """How the values of a panel are shown."""

    unit: str = "short"
    """Grafana's id of the unit, or `suffix:` and a text."""
    decimals: int | None = None
    low: float | None = None
    """Lower end of the scale."""
    high: float | None = None
    """Upper end of the scale."""
    steps: tuple[tuple[float, str], ...] = ()
    """(from, colour) above the base colour."""
    base: str = GREEN
    """Colour below the first step."""
    no_value: str = "–"
    """What stands where a query has no rows."""

    def defaults(self, mappings: Sequence[Json] = (), custom: Json | None = None) -> Json:
        """Return the `fieldConfig.defaults` of a panel."""
        found: Json = {
            "color": {"mode": "thresholds" if self.steps else "palette-classic"},
            "custom": custom or {},
            "mappings": list(mappings),
            "noValue": self.no_value,
            "thresholds": {
                "mode": "absolute",
                "steps": [
                    {"color": self.base, "value": None},
                    *({"color": color, "value": value} for value, color in self.steps),
                ],
            },
            "unit": self.unit,
        }
        optional = {"decimals": self.decimals, "min": self.low, "max": self.high}
        return found | {name: value for name, value in optional.items() if value is not None}


def source(variable: str) -> Json:
    """Return the reference to a data source variable."""
    return {"type": "influxdb", "uid": f"${{{variable}}}"}


def target(query: str, *, variable: str = ROLLED, alias: str = "", table: bool = False) -> Json:
    """Return one InfluxQL query of a panel; `panel` names it.

    Parameters
    ----------
    query
        One statement: Grafana reads only the first result.
    variable
        `ROLLED` or `FINE`.
    alias
        Name of the series, with `$tag_device` and `$col`.
    table
        Rows instead of series.
    """
    return {
        "alias": alias,
        "datasource": source(variable),
        "query": query,
        "rawQuery": True,
        "resultFormat": "table" if table else "time_series",
    }


def stepped(query: str, *, alias: str = "", days: str = "") -> list[Json]:
    """Return the query for rows of a minute, a quarter and an hour, of which the step of the range picks one.

    Parameters
    ----------
    query
        With `{step}` in the name of the measurement and, where amounts become rates, `{per_hour}`.
    days
        The query for rows of days as they are, which takes over from a step of `DAYS_FROM` on.
    """
    steps = [
        (query.replace("{step}", width).replace("{per_hour}", str(per_hour)), variable, condition)
        for width, variable, per_hour, condition in STEPS
    ]
    if days:
        text, variable, condition = steps.pop()
        steps += [
            (text, variable, f"{condition} AND $__interval_ms < {DAYS_FROM}"),
            (days, ROLLED, f"$__interval_ms >= {DAYS_FROM}"),
        ]
    return [
        target(text.replace("WHERE ", f"WHERE {condition} AND "), variable=variable, alias=alias)
        for text, variable, condition in steps
    ]


def panel(
    kind: str,
    title: str,
    description: str,
    targets: Sequence[Json],
    field: Json,
    options: Json,
    *,
    overrides: Sequence[Json] = (),
    interval: str | None = None,
    changes: Sequence[Json] = (),
    last: str | None = None,
    points: int | None = None,
) -> Json:
    """Return a panel without its place.

    Parameters
    ----------
    interval
        Shortest step of its queries.
    last
        Time before the end of the range that it shows, whatever the range (`400d`).
    points
        Most steps of the range; None: as many as it is pixels wide.
    """
    sources = [t["datasource"] for t in targets]
    found: Json = {
        "datasource": sources[0] if all(s == sources[0] for s in sources) else MIXED,
        "description": description,
        "fieldConfig": {"defaults": field, "overrides": list(overrides)},
        "options": options,
        "pluginVersion": "11.6.0",
        "targets": [{**t, "refId": chr(ord("A") + i)} for i, t in enumerate(targets)],
        "title": title,
        "transformations": list(changes),
        "type": kind,
    }
    return (
        found
        | ({"interval": interval} if interval else {})
        | ({"timeFrom": last} if last else {})
        | ({"maxDataPoints": points} if points else {})
    )


def stat(
    title: str,
    description: str,
    queries: Sequence[Json],
    look: Look,
    *,
    interval: str | None = None,
    states: Sequence[tuple[str, str, str]] = (),
    overrides: Sequence[Json] = (),
) -> Json:
    """Return one big number: the last value of the queries, or one with its name for each series.

    Parameters
    ----------
    states
        (value, text, colour) of values that are words.
    """
    options = {
        "colorMode": "value" if look.steps or states else "none",
        "graphMode": "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        # Without a pattern only numbers are shown, with one that is too wide the time as well.
        "reduceOptions": {
            "calcs": ["lastNotNull"],
            "fields": "/^(?!Time$)/" if states else "",
            "values": False,
        },
        "showPercentChange": False,
        "textMode": "auto",
        "wideLayout": True,
    }
    field = look.defaults([words(states)]) | {"color": {"mode": "thresholds"}} if states else look.defaults()
    return panel("stat", title, description, queries, field, options, interval=interval, overrides=overrides)


def chart(
    title: str,
    description: str,
    queries: Sequence[Json],
    look: Look,
    *,
    stacked: bool = False,
    bars: bool = False,
    interval: str,
    overrides: Sequence[Json] = (),
    points: int | None = None,
) -> Json:
    """Return curves (or bars) over time, with a legend that lists last and greatest values."""
    custom = {
        "axisPlacement": "auto",
        "barAlignment": 1,
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 70 if bars else 25 if stacked else 8,
        "lineInterpolation": "linear",
        "lineWidth": 1 if bars else 2,
        "showPoints": "auto",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
        "thresholdsStyle": {"mode": "dashed" if look.steps else "off"},
    }
    options = {
        "legend": {
            "calcs": ["lastNotNull", "max"],
            "displayMode": "table",
            "placement": "bottom",
            "showLegend": True,
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    field = look.defaults(custom=custom) | {"color": {"mode": "palette-classic"}}
    return panel(
        "timeseries", title, description, queries, field, options, overrides=overrides, interval=interval, points=points
    )


def timeline(
    title: str,
    description: str,
    queries: Sequence[Json],
    states: Sequence[tuple[str, str, str]],
    link: Json,
    points: int | None = None,
) -> Json:
    """Return a row per device that shows its state over time.

    Parameters
    ----------
    link
        Where a click on a state leads (`links.device`).
    states
        (value, text, colour) of each state.
    """
    custom = {"fillOpacity": 85, "lineWidth": 0}
    options = {
        "alignValue": "left",
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
        "mergeValues": True,
        "rowHeight": 0.85,
        "showValue": "never",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    look = Look(unit="string", base=GREY)
    field = look.defaults([words(states)], custom) | {"color": {"mode": "thresholds"}, "links": [link]}
    return panel("state-timeline", title, description, queries, field, options, interval="1m", points=points)


@dataclass(frozen=True, slots=True)
class Col:
    """A column of a table."""

    name: str
    """In the answer."""
    heading: str
    look: Look | None = None
    """None: words."""
    link: Json | None = None
    """Where a click on a cell leads."""
    words: tuple[tuple[str, str, str], ...] = ()
    """(value, text, colour) of values that are shown as words."""
    hidden: bool = False
    """Only there for links."""


def table(
    title: str,
    description: str,
    queries: Sequence[Json],
    columns: Sequence[Col],
    *,
    only: tuple[str, str] | None = None,
    last: str | None = None,
) -> Json:
    """Return a table that joins its queries on what they share and shows the given columns in this order.

    Parameters
    ----------
    columns
        Others are hidden.
    only
        (column, value): rows with another value are left out; the column itself is hidden.
    last
        As of `panel`.
    """
    changes: list[Json] = []
    if only is not None:
        rule = {"fieldName": only[0], "config": {"id": "equal", "options": {"value": only[1]}}}
        changes.append({"id": "filterByValue", "options": {"filters": [rule], "match": "all", "type": "include"}})
    changes.append({"id": "filterFieldsByName", "options": {"include": {"names": [c.name for c in columns]}}})
    if len(queries) > 1:
        # Rows of the same station and device become one; times, which differ, are gone by now.
        changes.append({"id": "merge", "options": {}})
    changes.append(
        {
            "id": "organize",
            "options": {
                "excludeByName": {},
                "includeByName": {},
                "indexByName": {c.name: i for i, c in enumerate(columns)},
                "renameByName": {c.name: c.heading for c in columns},
            },
        }
    )
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True, "inspect": False}
    options = {"cellHeight": "sm", "frameIndex": 0, "showHeader": True, "sortBy": []}
    overrides = [o for o in map(_column, columns) if o["properties"]]
    look = Look(unit="string", no_value=Look().no_value)
    return panel(
        "table",
        title,
        description,
        queries,
        look.defaults(custom=custom),
        options,
        overrides=overrides,
        changes=changes,
        last=last,
    )


def _column(column: Col) -> Json:
    """Return the override of a column."""
    properties: list[Json] = []
    if column.look is not None:
        properties.append({"id": "unit", "value": column.look.unit})
        if column.look.decimals is not None:
            properties.append({"id": "decimals", "value": column.look.decimals})
    if column.link is not None:
        properties.append({"id": "links", "value": [column.link]})
    if column.hidden:
        properties.append({"id": "custom.hidden", "value": True})
    if column.words:
        properties.append({"id": "mappings", "value": [words(column.words)]})
        properties.append({"id": "custom.cellOptions", "value": {"type": "color-text"}})
    return {"matcher": {"id": "byName", "options": column.heading}, "properties": properties}


def words(states: Sequence[tuple[str, str, str]]) -> Json:
    """Return the mapping of values to (text, colour)."""
    return {
        "type": "value",
        "options": {v: {"color": color, "index": i, "text": text} for i, (v, text, color) in enumerate(states)},
    }


def bars(title: str, description: str, queries: Sequence[Json], look: Look) -> Json:
    """Return a bar per series with its last value."""
    options = {
        "displayMode": "basic",
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
        "maxVizHeight": 300,
        "minVizHeight": 16,
        "minVizWidth": 8,
        "namePlacement": "auto",
        "orientation": "horizontal",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showUnfilled": True,
        "sizing": "auto",
        "valueMode": "color",
    }
    return panel("bargauge", title, description, queries, look.defaults(), options)
