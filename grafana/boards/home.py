"""Home: both kinds of station at a glance."""

from grafana.boards.common import (
    BAD,
    FLOW,
    KW,
    RATIO,
    SHARE,
    Say,
    alert_fields,
    alerts_of,
    links_of,
    variables_of,
)
from grafana.layout import dashboard
from grafana.panels import FINE, Json, bars, chart, stat, table, target
from grafana.queries import WHERE, count_now, now_sum, ratio


def home(language: str, say: Say) -> Json:
    """Return the dashboard."""
    occupied = say(
        "Occupied hours / all hours of the listed ports in the range; offline time stays in the denominator.",
        "所选时段内登记充电桩的占用时长除以其全部时长；离线时间计入分母。",
    )
    per_m3 = say(
        "Electricity of all machines / supplied air, over the minutes in which both are known.",
        "全部机组的用电量除以供气量，仅计两者均已知的分钟。",
    )
    return dashboard(
        f"voltair-home-{language}",
        say("Voltair: home", "Voltair：首页"),
        [
            (
                4,
                [
                    (
                        4,
                        stat(
                            say("Charging power", "充电功率"),
                            say("Sum of the ports, mean of each step.", "各充电桩之和，按步长取均值。"),
                            target(now_sum("port_1m", "power_kw_mean"), variable=FINE),
                            KW,
                            interval="1m",
                        ),
                    ),
                    (
                        4,
                        stat(
                            say("Occupied share", "占用率"),
                            occupied,
                            target(ratio("charging_station_15m", "occupied_h", "window_h")),
                            SHARE,
                        ),
                    ),
                    (
                        4,
                        stat(
                            say("Ports offline", "离线充电桩"),
                            say(
                                "Listed ports that were silent in the last minute.",
                                "最近一分钟内静默的登记充电桩。",
                            ),
                            target(count_now("offline_h"), variable=FINE),
                            BAD,
                            interval="1m",
                        ),
                    ),
                    (
                        4,
                        stat(
                            say("Ports faulted", "故障充电桩"),
                            say(
                                "Listed ports that were Faulted in the last minute.",
                                "最近一分钟内故障的登记充电桩。",
                            ),
                            target(count_now("faulted_h"), variable=FINE),
                            BAD,
                            interval="1m",
                        ),
                    ),
                    (
                        4,
                        stat(
                            say("Energy per m³", "气电比"),
                            per_m3,
                            target(ratio("air_station_15m", "paired_energy_kwh", "paired_volume_m3")),
                            RATIO,
                        ),
                    ),
                    (
                        4,
                        stat(
                            say("Air flow", "供气流量"),
                            say("Sum of the air mains, mean of each step.", "各供气总管之和，按步长取均值。"),
                            target(now_sum("air_main_1m", "flow_m3_min_mean"), variable=FINE),
                            FLOW,
                            interval="1m",
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
                            say("Charging power by station", "各站充电功率"),
                            say("Sum of the ports of each station.", "各站充电桩功率之和。"),
                            [
                                target(
                                    now_sum("port_1m", "power_kw_mean", by='"station"'),
                                    variable=FINE,
                                    alias="$tag_station",
                                )
                            ],
                            KW,
                            stacked=True,
                            interval="1m",
                        ),
                    ),
                    (
                        12,
                        chart(
                            say("Energy per m³ by station", "各站气电比"),
                            per_m3,
                            [
                                target(
                                    ratio(
                                        "air_station_15m",
                                        "paired_energy_kwh",
                                        "paired_volume_m3",
                                        by='time($__interval), "station"',
                                    ),
                                    alias="$tag_station",
                                )
                            ],
                            RATIO,
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
                        bars(
                            say("Occupied share by station", "各站占用率"),
                            occupied,
                            target(
                                ratio("charging_station_15m", "occupied_h", "window_h", by='"station"'),
                                alias="$tag_station",
                            ),
                            SHARE,
                        ),
                    ),
                    (12, _alert_table(say)),
                ],
            ),
        ],
        variables=variables_of(say, "/^(charging|air)_station_15m$/"),
        alerts=alerts_of(say),
        links=links_of(language, say, "home"),
        description=say("Both kinds of station at a glance.", "两类站点一览。"),
    )


def _alert_table(say: Say) -> Json:
    title, text = alert_fields(say)
    query = f'SELECT "{title}", "{text}", "station", "device", "rule" FROM "alert" {WHERE} ORDER BY time DESC LIMIT 200'  # noqa: S608 - names of our own
    columns = [
        ("Time", say("Time", "时间"), None),
        ("station", say("Station", "站点"), None),
        ("device", say("Device", "设备"), None),
        ("rule", say("Rule", "规则"), None),
        (title, say("Alert", "告警"), None),
        (text, say("What to do", "处理建议"), None),
    ]
    return table(
        say("Alerts", "告警"),
        say(
            "Every transition of an alert in the range, newest first.",
            "所选时段内告警的每次状态变化，最新在前。",
        ),
        [target(query, table=True)],
        columns,
    )
