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
) -> Json:
    """Return a panel without its place; `interval` is the shortest step of its queries."""
    found: Json = {
        "datasource": targets[0]["datasource"],
        "description": description,
        "fieldConfig": {"defaults": field, "overrides": list(overrides)},
        "options": options,
        "pluginVersion": "11.6.0",
        "targets": [{**t, "refId": chr(ord("A") + i)} for i, t in enumerate(targets)],
        "title": title,
        "transformations": list(changes),
        "type": kind,
    }
    return found | ({"interval": interval} if interval else {})


def stat(title: str, description: str, query: Json, look: Look, *, interval: str | None = None) -> Json:
    """Return one big number: the last value of the query."""
    options = {
        "colorMode": "value" if look.steps else "none",
        "graphMode": "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showPercentChange": False,
        "textMode": "value",
        "wideLayout": True,
    }
    return panel("stat", title, description, [query], look.defaults(), options, interval=interval)


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
        "timeseries", title, description, queries, field, options, overrides=overrides, interval=interval
    )


def timeline(title: str, description: str, query: Json, states: Sequence[tuple[str, str, str]]) -> Json:
    """Return a row per device that shows its state over time.

    Parameters
    ----------
    states
        (value, text, colour) of each state.
    """
    mapping = {
        "type": "value",
        "options": {v: {"color": color, "index": i, "text": text} for i, (v, text, color) in enumerate(states)},
    }
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
    field = look.defaults([mapping], custom) | {"color": {"mode": "thresholds"}}
    return panel("state-timeline", title, description, [query], field, options, interval="1m")


def table(
    title: str, description: str, queries: Sequence[Json], columns: Sequence[tuple[str, str, Look | None]]
) -> Json:
    """Return a table that joins its queries on station and device and shows the given columns in this order.

    Parameters
    ----------
    columns
        (name in the answer, heading, look or None for words); other columns are hidden.
    """
    overrides = [
        {
            "matcher": {"id": "byName", "options": heading},
            "properties": [{"id": "unit", "value": look.unit}]
            + ([{"id": "decimals", "value": look.decimals}] if look.decimals is not None else []),
        }
        for _, heading, look in columns
        if look is not None
    ]
    changes: list[Json] = [
        {"id": "filterFieldsByName", "options": {"include": {"names": [name for name, _, _ in columns]}}}
    ]
    if len(queries) > 1:
        # Rows of the same station and device become one; times, which differ, are gone by now.
        changes.append({"id": "merge", "options": {}})
    changes.append(
        {
            "id": "organize",
            "options": {
                "excludeByName": {},
                "includeByName": {},
                "indexByName": {name: i for i, (name, _, _) in enumerate(columns)},
                "renameByName": {name: heading for name, heading, _ in columns},
            },
        }
    )
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True, "inspect": False}
    options = {
        "cellHeight": "sm",
        "frameIndex": 0,
        "showHeader": True,
        "sortBy": [],
    }
    return panel(
        "table",
        title,
        description,
        queries,
        Look().defaults(custom=custom),
        options,
        overrides=overrides,
        changes=changes,
    )


def bars(title: str, description: str, query: Json, look: Look) -> Json:
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
    return panel("bargauge", title, description, [query], look.defaults(), options)


def second_axis(name: str, look: Look) -> Json:
    """Return the override that puts the series of that name on the right axis with its own unit."""
    properties: list[Json] = [
        {"id": "unit", "value": look.unit},
        {"id": "custom.axisPlacement", "value": "right"},
    ]
    if look.decimals is not None:
        properties.append({"id": "decimals", "value": look.decimals})
    return {"matcher": {"id": "byName", "options": name}, "properties": properties}
