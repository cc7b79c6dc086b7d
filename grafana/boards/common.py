"""What all dashboards share: units, variables, links."""

from collections.abc import Callable

from grafana.layout import alert_layer, source_variables, tag_variable
from grafana.panels import AMBER, RED, Json, Look
from grafana.queries import stations_of

KW = Look("kwatt", 1)
KWH = Look("kwatth", 1)
SHARE = Look("percentunit", 1, 0, 1)
RATIO = Look("suffix:kWh/m³", 4, steps=((0.12, AMBER), (0.14, RED)))
FLOW = Look("suffix:m³/min", 1)
BAR = Look("pressurebar", 2)
VOLUME = Look("m3", 0)
COUNT = Look("none", 0)
BAD = Look("none", 0, steps=((0.5, RED),), no_value="0")
HOURS = Look("h", 1)
SECONDS = Look("s", 0)
DEW_POINT = Look("celsius", 1)

Say = Callable[[str, str], str]
"""(English, Chinese) -> the text in the language of the dashboard."""


def links_of(language: str, say: Say, own: str) -> list[tuple[str, str]]:
    """Return (uid, title) of every dashboard of a language but the own one."""
    titles = {
        "home": say("Home", "首页"),
        "charging": say("Charging station", "充电站"),
        "air": say("Air station", "压缩空气站"),
    }
    return [(f"voltair-{name}-{language}", title) for name, title in titles.items() if name != own]


def variables_of(say: Say, measurement: str) -> list[Json]:
    """Return the data sources and the stations of a measurement as variables."""
    return [
        *source_variables(say("Data", "数据源"), say("Raw data", "原始数据源")),
        tag_variable("station", say("Station", "站点"), stations_of(measurement)),
    ]


def alert_fields(say: Say) -> tuple[str, str]:
    """Return the fields of `alert` that hold title and text in the language."""
    return say("title", "title_zh"), say("text", "text_zh")


def alerts_of(say: Say) -> Json:
    """Return the layer that marks alerts in charts."""
    return alert_layer(say("Alerts", "告警"), *alert_fields(say))
