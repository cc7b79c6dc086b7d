"""Data health: what is heard, how completely, and who is silent or unknown."""

from grafana.boards.common import (
    BAD,
    COUNT,
    COVERAGE,
    DURATION,
    HOURS,
    Say,
    alert_table,
    alerts_of,
    links_of,
    station_col,
    variables_of,
)
from grafana.layout import dashboard
from grafana.overrides import called
from grafana.panels import FINE, Col, Json, chart, stat, table, target
from grafana.queries import DEVICE, STATION, WHERE, about_devices, mean, ratio, rows
from grafana.states import KINDS
from store.schema import RAW_MEASUREMENTS

STATIONS = "/^(charging|air)_station_15m$/"


def of_kinds(width: str) -> str:
    """Return the pattern of the rows of all kinds of devices."""
    return f"/^({'|'.join(RAW_MEASUREMENTS)})_{width}$/"


def _kinds(say: Say, width: str) -> list[Json]:
    """Return the names of series that are called after the rows of a kind."""
    return [called(f"{kind}_{width}", say(*text)) for kind, text in KINDS.items()]


def health(language: str, say: Say) -> Json:
    """Return the dashboard."""
    return dashboard(
        f"voltair-health-{language}",
        say("Voltair: data health", "Voltair：数据健康"),
        [
            (4, _figures(say)),
            (
                8,
                [
                    (
                        12,
                        chart(
                            say("Devices heard", "在线设备数"),
                            say(
                                "Devices of each kind that were heard, mean number in each step.",
                                "各类设备中有数据的数量，按步长取均值。",
                            ),
                            [
                                target(
                                    'SELECT sum("known_s") * 1000 / $__interval_ms AS "value" FROM '
                                    f"{of_kinds('1h')} {WHERE} GROUP BY time($__interval) fill(none)",
                                    alias="$m",
                                )
                            ],
                            COUNT,
                            interval="1h",
                            overrides=_kinds(say, "1h"),
                        ),
                    ),
                    (
                        12,
                        chart(
                            say("Coverage by station", "各站数据覆盖率"),
                            say(
                                "Charging: known hours / all hours of the ports. Air: share of the time in "
                                "which all that the station measures is known.",
                                "充电站：充电桩已知时长 / 全部时长。压缩空气站：全部测量均已知的时间占比。",
                            ),
                            [
                                target(
                                    ratio(
                                        "charging_station_15m", "known_h", "window_h", by='time($__interval), "station"'
                                    ),
                                    alias="$tag_station",
                                ),
                                target(mean("air_station_15m", "coverage", by='"station"'), alias="$tag_station"),
                            ],
                            COVERAGE,
                            interval="15m",
                        ),
                    ),
                ],
            ),
            (
                8,
                [
                    (
                        12,
                        chart(
                            say("Silent port-hours per day", "每日静默桩时"),
                            say(
                                "Hours in which ports were silent, in each whole day of the station.",
                                "站点每个完整自然日内充电桩静默的时长。",
                            ),
                            [target(rows("charging_station_1d", "offline_h", tags='"station"'), alias="$tag_station")],
                            HOURS,
                            stacked=True,
                            bars=True,
                            interval="1d",
                        ),
                    ),
                    (
                        12,
                        chart(
                            say("Unknown port-hours per day", "每日未知桩时"),
                            say(
                                "Hours in which Voltair could not have heard the ports (no broker, not yet "
                                "begun), in each whole day of the station.",
                                "站点每个完整自然日内 Voltair 无法得知充电桩状态（无消息代理连接或尚未开始）的时长。",
                            ),
                            [target(rows("charging_station_1d", "unknown_h", tags='"station"'), alias="$tag_station")],
                            HOURS,
                            stacked=True,
                            bars=True,
                            interval="1d",
                        ),
                    ),
                ],
            ),
            (9, [(8, _heard(language, say)), (8, _silent(language, say)), (8, _devices(language, say))]),
            (
                8,
                [
                    (
                        24,
                        alert_table(
                            say,
                            say("Alerts about data", "数据告警"),
                            say(
                                "Silence, metering and Voltair's own: transitions in the range.",
                                "静默、计量与 Voltair 自身：所选时段内的变化。",
                            ),
                            '"tags" =~ /,(availability|metering|monitor),/',
                        ),
                    )
                ],
            ),
        ],
        variables=variables_of(say, STATIONS),
        alerts=alerts_of(say),
        links=links_of(language, say, "health"),
        description=say(
            "What is heard, how completely, and who is silent or not listed. Counters of the river: Voltair's "
            "page, at /data.",
            "收到了什么数据、是否完整、哪些设备静默或未登记。各环节计数见 Voltair 页面的 /data。",
        ),
    )


def _figures(say: Say) -> list[tuple[int, Json]]:
    info = f'FROM "device_info" WHERE {STATION} GROUP BY {DEVICE}'
    return [
        (
            6,
            stat(
                say("Charging coverage", "充电站覆盖率"),
                say("Known hours / all hours of the ports in the range.", "所选时段内充电桩已知时长 / 全部时长。"),
                [target(ratio("charging_station_15m", "known_h", "window_h"))],
                COVERAGE,
            ),
        ),
        (
            6,
            stat(
                say("Air coverage", "压缩空气站覆盖率"),
                say(
                    "Share of the range in which all that a station measures is known, mean of the stations.",
                    "所选时段内站点全部测量均已知的时间占比，各站均值。",
                ),
                [target(f'SELECT mean("coverage") AS "value" FROM "air_station_15m" {WHERE}')],
                COVERAGE,
            ),
        ),
        (
            6,
            stat(
                say("Silent devices", "静默设备"),
                say(
                    "Devices of each kind whose last minute in the range was silent.",
                    "各类设备中在所选时段最后一分钟静默的数量。",
                ),
                [
                    target(
                        'SELECT count("last") AS "value" FROM (SELECT last("offline_s") AS "last" FROM '
                        f'{of_kinds("1m")} {WHERE} GROUP BY {DEVICE}) WHERE "last" > 30',
                        variable=FINE,
                        alias="$m",
                    )
                ],
                BAD,
                overrides=_kinds(say, "1m"),
            ),
        ),
        (
            6,
            stat(
                say("Devices not listed", "未登记设备"),
                say(
                    "Devices that report without standing in stations.toml; Voltair's page has the lines to add.",
                    "有数据但未在 stations.toml 中登记的设备；Voltair 页面给出应添加的内容。",
                ),
                [
                    target(
                        'SELECT count("registered") AS "value" FROM (SELECT last("registered") AS '
                        f'"registered" {info}) WHERE "registered" = 0'
                    )
                ],
                BAD,
            ),
        ),
    ]


def _heard(language: str, say: Say) -> Json:
    query = f'SELECT last("known_s") AS "known" FROM {of_kinds("15m")} {WHERE} AND "known_s" > 0 GROUP BY {DEVICE}'
    return table(
        say("Last heard", "最近数据"),
        say(
            "Start of the last quarter of an hour in the range in which a device was heard.",
            "所选时段内最后收到设备数据的一刻钟的起点。",
        ),
        [target(query, table=True)],
        [
            station_col(language, say),
            Col("device", say("Device", "设备")),
            Col("Time", say("Last heard", "最近数据")),
        ],
    )


def _silent(language: str, say: Say) -> Json:
    fields = 'sum("offline_s") AS "offline", sum("known_s") AS "known"'
    query = f"SELECT {fields} FROM {of_kinds('1h')} {WHERE} GROUP BY {DEVICE}"
    return table(
        say("Silence", "静默时长"),
        say(
            "Time of each device in the whole hours of the range: silent, and with a known state or value.",
            "所选时段的整点小时内各设备的时长：静默，以及状态或数值已知。",
        ),
        [target(query, table=True)],
        [
            station_col(language, say),
            Col("device", say("Device", "设备")),
            Col("offline", say("Silent", "静默"), DURATION),
            Col("known", say("Known", "已知"), DURATION),
        ],
    )


def _devices(language: str, say: Say) -> Json:
    listed = (("0", say("no", "否"), "#d9534f"), ("1", say("yes", "是"), "#3aa675"))
    return table(
        say("Devices", "设备"),
        say(
            "What is known of each device, and whether it stands in stations.toml.",
            "各设备的信息，以及是否已在 stations.toml 中登记。",
        ),
        [target(about_devices(field), table=True) for field in ("kind", "name", "registered")],
        [
            station_col(language, say),
            Col("device", say("Device", "设备")),
            Col("kind", say("Kind", "类型")),
            Col("name", say("Name", "名称")),
            Col("registered", say("Listed", "已登记"), words=listed),
        ],
    )
