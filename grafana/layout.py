"""A whole dashboard: places of panels, variables, annotations, links."""

from collections.abc import Sequence

from grafana.panels import FINE, ROLLED, Json, source
from grafana.queries import WHERE

WIDTH = 24
"""Columns of Grafana's grid."""


def dashboard(
    uid: str,
    title: str,
    rows: Sequence[tuple[int, Sequence[tuple[int, Json]]]],
    *,
    variables: Sequence[Json],
    alerts: Json,
    links: Sequence[Json],
    description: str,
    refresh: str = "30s",
    time: tuple[str, str] = ("now-24h", "now"),
) -> Json:
    """Return a dashboard.

    Parameters
    ----------
    uid
        Fixed id, so that links and bookmarks hold.
    rows
        (height, [(width, panel), ...]) from top to bottom.
    alerts
        The layer that marks alerts in charts (`alert_layer`).
    links
        At the top of the dashboard (`board_link`, `page_link`).
    time
        The range at first.
    """
    panels: list[Json] = []
    y = 0
    for height, row in rows:
        x = 0
        for width, panel in row:
            panels.append({**panel, "gridPos": {"h": height, "w": width, "x": x, "y": y}, "id": len(panels) + 1})
            x += width
        y += height
    return {
        "annotations": {"list": [alerts]},
        "description": description,
        "editable": True,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "id": None,
        "links": list(links),
        "panels": panels,
        "preload": False,
        "refresh": refresh,
        "schemaVersion": 41,
        "tags": ["voltair"],
        "templating": {"list": list(variables)},
        "time": {"from": time[0], "to": time[1]},
        "timepicker": {},
        "timezone": "browser",
        "title": title,
        "uid": uid,
        "version": 1,
        "weekStart": "",
    }


def board_link(uid: str, title: str) -> Json:
    """Return the link to another dashboard: the same range, the same stations."""
    return _link(title, f"/d/{uid}", "dashboard", within=True)


def page_link(title: str, url: str) -> Json:
    """Return the link to a page outside Grafana; what it needs stands in the address."""
    return _link(title, url, "external link", within=False)


def _link(title: str, url: str, icon: str, *, within: bool) -> Json:
    return {
        "asDropdown": False,
        "icon": icon,
        "includeVars": within,
        "keepTime": within,
        "tags": [],
        "targetBlank": not within,
        "title": title,
        "tooltip": "",
        "type": "link",
        "url": url,
    }


def alert_layer(name: str, title: str, text: str) -> Json:
    """Return the layer that marks alerts in charts; `title` and `text` are fields of the language.

    Grafana looks for a column of exactly that name for title and end, and its source has put the measurement before it.
    """
    return {
        "datasource": source(ROLLED),
        "enable": True,
        "hide": False,
        "iconColor": "#d9534f",
        "name": name,
        "target": {
            "fromAnnotations": True,
            "limit": 100,
            "matchAny": False,
            "name": name,
            "query": f'SELECT "{title}", "{text}", "tags", "end_time" FROM "alert" {WHERE}',
            "queryType": "tags",
            "tags": [],
            "tagsColumn": "tags",
            "textColumn": text,
            "timeEndColumn": "alert.end_time",
            "titleColumn": f"alert.{title}",
            "type": "tags",
        },
    }


def source_variables(rolled: str, fine: str) -> list[Json]:
    """Return the variables that choose the two data sources; `rolled` and `fine` are their labels."""
    return [
        {
            "allowCustomValue": False,
            "current": {"text": name, "value": uid},
            "hide": 0,
            "includeAll": False,
            "label": label,
            "multi": False,
            "name": variable,
            "options": [],
            "query": "influxdb",
            "refresh": 1,
            "regex": "",
            "type": "datasource",
        }
        for variable, label, name, uid in (
            (ROLLED, rolled, "Voltair", "voltair"),
            (FINE, fine, "Voltair raw", "voltair-raw"),
        )
    ]


def tag_variable(name: str, label: str, query: str, *, every: bool = True) -> Json:
    """Return a variable whose values are tag values; several may be chosen, at first all or, without `every`, one."""
    return {
        "allowCustomValue": False,
        "current": {"text": "All", "value": "$__all"} if every else {"text": "", "value": ""},
        "datasource": source(ROLLED),
        "hide": 0,
        "includeAll": every,
        "label": label,
        "multi": True,
        "name": name,
        "options": [],
        "query": query,
        "refresh": 2,
        "regex": "",
        "sort": 7,
        "type": "query",
    }


def text_variable(name: str, label: str, value: str) -> Json:
    """Return a variable that the reader types in."""
    return {
        "current": {"text": value, "value": value},
        "hide": 0,
        "label": label,
        "name": name,
        "options": [{"selected": True, "text": value, "value": value}],
        "query": value,
        "skipUrlSync": False,
        "type": "textbox",
    }
