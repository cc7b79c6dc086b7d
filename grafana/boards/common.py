"""What all dashboards share: units, variables, links."""

from collections.abc import Callable, Sequence

from grafana.layout import alert_layer, board_link, page_link, source_variables, tag_variable, text_variable
from grafana.links import PAGE, page_path, row_to, to_page
from grafana.overrides import band
from grafana.panels import AMBER, BLUE, RED, Col, Json, Look, stat, stepped, table, target
from grafana.queries import firing, mean, only, ratio, tag_values, transitions

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

COVERAGE = Look("percentunit", 1, 0, 1)
KG = Look("masskg", 0)
LOADING = Look("percentunit", 0, 0, steps=((0.8, AMBER), (1.0, RED)))
AMP = Look("amp", 1)
VOLT = Look("volt", 0)
DURATION = Look("dthms")
TEXT = Look("string")
SINCE = Look("dateTimeAsIso")
MONEY = Look("none", 2)
PERCENT = Look("percentunit", 1)

TITLES = {
    "home": ("Home", "首页"),
    "charging": ("Charging station", "充电站"),
    "port": ("Port detail", "充电桩详情"),
    "air": ("Air station", "压缩空气站"),
    "customers": ("Customers and metering", "用户与计量"),
    "leaks": ("Leaks", "泄漏"),
    "health": ("Data health", "数据健康"),
    "month": ("Monthly report", "月报"),
}
"""Every dashboard: its name and its title."""

OCCUPIED = (
    "Occupied hours / all hours of the listed ports in the range; offline time stays in the denominator.",
    "所选时段内登记充电桩的占用时长除以其全部时长；离线时间计入分母。",
)
PER_M3 = (
    "Electricity of all machines / supplied air, over the minutes in which both are known.",
    "全部机组的用电量除以供气量，仅计两者均已知的分钟。",
)
"""Definitions that several panels give."""

Say = Callable[[str, str], str]
"""(English, Chinese) -> the text in the language of the dashboard."""


def links_of(language: str, say: Say, own: str) -> list[Json]:
    """Return the links of a dashboard: to all others of its language, and to Voltair's page."""
    others = [board_link(f"voltair-{name}-{language}", say(*title)) for name, title in TITLES.items() if name != own]
    return [*others, page_link(say("Voltair's page", "Voltair 页面"), page_path("", language))]


def variables_of(say: Say, measurement: str, more: Sequence[Json] = ()) -> list[Json]:
    """Return the variables of a dashboard: sources, stations of a measurement, what else can be chosen, the page."""
    return [
        *source_variables(say("Data", "数据源"), say("Raw data", "原始数据源")),
        tag_variable("station", say("Station", "站点"), tag_values(measurement)),
        *more,
        text_variable(PAGE, say("Voltair's page", "Voltair 页面"), "http://127.0.0.1:8080"),
    ]


def station_col(language: str, say: Say, board: str | None = None) -> Col:
    """Return the first column: a click leads to the station's page, or to a dashboard about it."""
    link = (
        to_page(say("Open in Voltair", "在 Voltair 中打开"), "s/${__data.fields[0]}", language)
        if board is None
        else row_to(say(*TITLES[board]), board, language)
    )
    return Col("station", say("Station", "站点"), link=link)


def firing_table(language: str, say: Say, condition: str = "") -> Json:
    """Return what is wrong now, where and since when; `condition` picks alerts."""
    title, text = alert_fields(say)
    page = to_page(say("Open in Voltair", "在 Voltair 中打开"), "a/${__data.fields.alert_id}", language)
    query = firing(title, text)
    severity = (
        ("critical", say("critical", "严重"), RED),
        ("warning", say("warning", "警告"), AMBER),
        ("info", say("info", "提示"), BLUE),
    )
    return table(
        say("Wrong now", "当前告警"),
        say(
            "Alerts of the last 400 days (of the range, where that is fixed) that are not resolved. Since: "
            "when the condition began.",
            "最近 400 天内（固定时段时为该时段内）尚未恢复的告警。起始：条件开始成立的时刻。",
        ),
        [target(only(query, condition) if condition else query, table=True)],
        [
            station_col(language, say),
            Col("device", say("Device", "设备")),
            Col("severity", say("Severity", "级别"), words=severity),
            Col(title, say("What is wrong", "告警"), link=page),
            Col("since_ms", say("Since", "起始"), SINCE),
            Col(text, say("What to do", "处理建议")),
            Col("alert_id", "alert_id", hidden=True),
        ],
        only=("state", "firing"),
        last="400d",
    )


def alert_table(say: Say, title: str, description: str, condition: str = "") -> Json:
    """Return the transitions of alerts in the range, those that meet a condition."""
    heading, text = alert_fields(say)
    query = transitions(heading, text)
    return table(
        title,
        description,
        [target(only(query, condition) if condition else query, table=True)],
        [
            Col("Time", say("Time", "时间")),
            Col("station", say("Station", "站点")),
            Col("device", say("Device", "设备")),
            Col("rule", say("Rule", "规则")),
            Col(heading, say("Alert", "告警")),
            Col(text, say("What to do", "处理建议")),
        ],
    )


def baseline_band(say: Say) -> tuple[list[Json], list[Json]]:
    """Return the queries and overrides of the band from the baseline to a tenth above it, as the energy code has it.

    Of several stations: from the lowest to the highest.
    """
    low, high = say("baseline", "基准"), say("baseline +10 %", "基准 +10 %")
    where = ("air_station_{step}", "baseline_kwh_per_m3")
    queries = [
        *stepped(mean(*where, how="min"), alias=low),
        *stepped(mean(*where, how="max").replace(' AS "value"', ' * 1.1 AS "value"'), alias=high),
    ]
    return queries, band(low, high)


def alert_fields(say: Say) -> tuple[str, str]:
    """Return the fields of `alert` that hold title and text in the language."""
    return say("title", "title_zh"), say("text", "text_zh")


def alerts_of(say: Say) -> Json:
    """Return the layer that marks alerts in charts."""
    return alert_layer(say("Alerts", "告警"), *alert_fields(say))


def occupied_share(say: Say) -> Json:
    """Return the panel of the occupied share of the range."""
    return stat(
        say("Occupied share", "占用率"),
        say(*OCCUPIED),
        [target(ratio("charging_station_15m", "occupied_h", "window_h"))],
        SHARE,
    )
