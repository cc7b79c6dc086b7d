"""Monthly report: rows of whole days of the stations only, so that a year answers as quickly as a week."""

from grafana.boards.common import (
    COUNT,
    KW,
    KWH,
    MONEY,
    PER_M3,
    PERCENT,
    RATIO,
    SHARE,
    VOLUME,
    Say,
    alerts_of,
    links_of,
    station_col,
    variables_of,
)
from grafana.layout import dashboard
from grafana.panels import Col, Json, Look, chart, stat, table, target
from grafana.queries import WHERE, last_by, ratio, rows, total

STATIONS = "/^(charging|air)_station_1d$/"
BY_STATION = '"station"'


def month(language: str, say: Say) -> Json:
    """Return the dashboard."""
    return dashboard(
        f"voltair-month-{language}",
        say("Voltair: monthly report", "Voltair：月报"),
        [
            (4, _charging(say)),
            (4, _air(say)),
            (
                8,
                [
                    (
                        12,
                        _days(say, ("Charging energy per day", "每日充电量"), "charging_station_1d", "energy_kwh", KWH),
                    ),
                    (12, _days(say, ("Air per day", "每日供气量"), "air_station_1d", "volume_m3", VOLUME)),
                ],
            ),
            (8, [(12, _stations(language, say)), (12, _air_stations(language, say))]),
        ],
        variables=variables_of(say, STATIONS),
        alerts=alerts_of(say),
        links=links_of(language, say, "month"),
        description=say(
            "Whole days of the stations, each in its own time zone; choose a month or a year as the range.",
            "按各站所在时区的完整自然日统计；时段可选一个月或一年。",
        ),
        refresh="",
        time=("now-1M/M", "now-1M/M"),
    )


def _sum(say: Say, title: tuple[str, str], measurement: str, field: str, look: Look) -> tuple[int, Json]:
    text = say("Sum of the days in the range.", "所选时段内各日之和。")
    return 6, stat(say(*title), text, [target(total(measurement, field))], look)


def _charging(say: Say) -> list[tuple[int, Json]]:
    return [
        _sum(say, ("Charging energy", "充电量"), "charging_station_1d", "energy_kwh", KWH),
        _sum(say, ("Sessions", "充电次数"), "charging_station_1d", "sessions", COUNT),
        (
            6,
            stat(
                say("Successful sessions", "充电成功率"),
                say(
                    "Successful / judged sessions that ended in the days of the range.",
                    "所选各日内结束的充电中，成功次数 / 可判定次数。",
                ),
                [target(ratio("charging_station_1d", "sessions_successful", "sessions_judged"))],
                SHARE,
            ),
        ),
        (
            6,
            stat(
                say("Occupied share", "占用率"),
                say(
                    "Occupied hours / all hours of the listed ports in the days of the range.",
                    "所选各日内登记充电桩的占用时长 / 全部时长。",
                ),
                [target(ratio("charging_station_1d", "occupied_h", "window_h"))],
                SHARE,
            ),
        ),
    ]


def _air(say: Say) -> list[tuple[int, Json]]:
    return [
        _sum(say, ("Air supplied", "供气量"), "air_station_1d", "volume_m3", VOLUME),
        (
            6,
            stat(
                say("Energy per m³", "气电比"),
                say(*PER_M3),
                [target(ratio("air_station_1d", "paired_energy_kwh", "paired_volume_m3"))],
                RATIO,
            ),
        ),
        (
            6,
            stat(
                say("Unaccounted share", "未计量占比"),
                say(
                    "(Supplied - metered) / supplied, over the minutes in which both are known.",
                    "（供气量 − 计量气量）/ 供气量，仅计两者均已知的分钟。",
                ),
                [target(ratio("air_station_1d", "unaccounted_m3", "unaccounted_of_m3"))],
                SHARE,
            ),
        ),
        _sum(say, ("Energy saved", "节省电量"), "air_station_1d", "savings_kwh", KWH),
    ]


def _days(say: Say, title: tuple[str, str], measurement: str, field: str, look: Look) -> Json:
    return chart(
        say(*title),
        say("Each whole day of a station, at its start.", "站点的每个完整自然日，标在当日起点。"),
        [target(rows(measurement, field, tags=BY_STATION), alias="$tag_station")],
        look,
        stacked=True,
        bars=True,
        interval="1d",
    )


def _share(measurement: str, over: str, under: str, name: str) -> Json:
    query = f'SELECT sum("{over}") / sum("{under}") AS "{name}" FROM "{measurement}" {WHERE} GROUP BY {BY_STATION}'
    return target(query, table=True)


def _of(measurement: str, field: str, name: str, how: str = "sum") -> Json:
    return target(last_by(measurement, field, name, how, BY_STATION), table=True)


def _stations(language: str, say: Say) -> Json:
    name = "charging_station_1d"
    return table(
        say("Charging stations", "充电站"),
        say(
            "Sums and ratios of sums over the days of the range; peak: highest minute mean.",
            "所选各日的合计与合计之比；峰值：最大分钟均值。",
        ),
        [
            _of(name, "energy_kwh", "energy"),
            _of(name, "peak_kw", "peak", "max"),
            _of(name, "sessions", "sessions"),
            _share(name, "sessions_successful", "sessions_judged", "success"),
            _share(name, "occupied_h", "window_h", "occupied"),
            _share(name, "known_h", "window_h", "coverage"),
        ],
        [
            station_col(language, say, "charging"),
            Col("energy", say("Energy", "电量"), KWH),
            Col("peak", say("Peak", "峰值功率"), KW),
            Col("sessions", say("Sessions", "充电次数"), COUNT),
            Col("success", say("Successful", "成功率"), PERCENT),
            Col("occupied", say("Occupied", "占用率"), PERCENT),
            Col("coverage", say("Coverage", "覆盖率"), PERCENT),
        ],
    )


def _air_stations(language: str, say: Say) -> Json:
    name = "air_station_1d"
    return table(
        say("Air stations", "压缩空气站"),
        say("Sums and ratios of sums over the days of the range.", "所选各日的合计与合计之比。"),
        [
            _of(name, "volume_m3", "volume"),
            _of(name, "energy_kwh", "energy"),
            _share(name, "paired_energy_kwh", "paired_volume_m3", "ratio"),
            _share(name, "unaccounted_m3", "unaccounted_of_m3", "unaccounted"),
            _of(name, "leak_m3_min", "leak", "mean"),
            _of(name, "savings_kwh", "saved"),
            _of(name, "savings_money", "money"),
        ],
        [
            station_col(language, say, "air"),
            Col("volume", say("Air", "供气量"), VOLUME),
            Col("energy", say("Energy", "用电量"), KWH),
            Col("ratio", say("Energy per m³", "气电比"), RATIO),
            Col("unaccounted", say("Unaccounted", "未计量"), PERCENT),
            Col("leak", say("Leakage", "泄漏量"), Look("suffix:m³/min", 1)),
            Col("saved", say("Energy saved", "节省电量"), KWH),
            Col("money", say("Money saved", "节省费用"), MONEY),
        ],
    )
