"""What single series of a chart are shown by: their names, axes and bands."""

from grafana.panels import GREEN, Json, Look


def called(series: str, name: str) -> Json:
    """Return the override that shows a series by another name."""
    return {"matcher": {"id": "byName", "options": series}, "properties": [{"id": "displayName", "value": name}]}


def second_axis(name: str, look: Look) -> Json:
    """Return the override that puts the series of that name on the right axis with its own unit."""
    properties: list[Json] = [
        {"id": "unit", "value": look.unit},
        {"id": "custom.axisPlacement", "value": "right"},
    ]
    if look.decimals is not None:
        properties.append({"id": "decimals", "value": look.decimals})
    return {"matcher": {"id": "byName", "options": name}, "properties": properties}


def band(low: str, high: str, color: str = GREEN) -> list[Json]:
    """Return the overrides that draw two series of those names as the ends of a shaded band."""
    line = [
        {"id": "color", "value": {"fixedColor": color, "mode": "fixed"}},
        {"id": "custom.lineWidth", "value": 1},
        {"id": "custom.lineStyle", "value": {"dash": [6, 6], "fill": "dash"}},
        {"id": "custom.showPoints", "value": "never"},
        {"id": "custom.spanNulls", "value": True},
    ]
    return [
        {"matcher": {"id": "byName", "options": low}, "properties": [*line, {"id": "custom.fillOpacity", "value": 0}]},
        {
            "matcher": {"id": "byName", "options": high},
            "properties": [
                *line,
                {"id": "custom.fillOpacity", "value": 12},
                {"id": "custom.fillBelowTo", "value": low},
            ],
        },
    ]
