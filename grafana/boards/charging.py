"""Charging station: use, power and faults of its ports."""

from grafana.boards.common import (
    COUNT,
    HOURS,
    KW,
    KWH,
    LOADING,
    SHARE,
    Say,
    alerts_of,
    links_of,
    occupied_share,
    station_col,
    variables_of,
)
from grafana.layout import dashboard
from grafana.links import row_to, to_device
from grafana.panels import FINE, MANY, Col, Json, chart, stat, stepped, table, target, timeline
from grafana.queries import (
    DEVICE,
    DEVICE_ALIAS,
    about_devices,
    last_by,
    mean,
    only,
    ratio,
    rows,
    states,
    sum_of_stations,
    total,
)
from grafana.states import port_states


def uses(say: Say) -> list[tuple[str, str]]:
    """Return (field without its unit, text) of what ports do with their time."""
    return [
        ("charging", say("charging", "充电")),
        ("idle", say("occupied, not charging", "占用未充电")),
        ("available", say("available", "空闲")),
        ("faulted", say("faulted", "故障")),
        ("unavailable", say("unavailable", "不可用")),
        ("offline", say("offline", "离线")),
    ]


def charging(language: str, say: Say) -> Json:
    """Return the dashboard."""
    return dashboard(
        f"voltair-charging-{language}",
        say("Voltair: charging station", "Voltair：充电站"),
        [
            (4, _figures(say)),
            (9, [(24, port_timeline(language, say))]),
            (
                8,
                [
                    (
                        8,
                        chart(
                            say("Power by port", "各桩功率"),
                            say(
                                "Mean of each step, over long ranges of each whole day, stacked.",
                                "按步长取均值，长时段按完整自然日取均值，堆叠显示。",
                            ),
                            stepped(
                                mean("port_{step}", "power_kw_mean", by=DEVICE),
                                alias=DEVICE_ALIAS,
                                days=rows("port_1d", "power_kw_mean", tags=DEVICE),
                            ),
                            KW,
                            points=MANY,
                            stacked=True,
                            interval="1m",
                        ),
                    ),
                    (
                        8,
                        chart(
                            say("Loading of the transformer", "变压器负载率"),
                            say(
                                "Highest minute mean of apparent power / rating, in each step.",
                                "各步长内视在功率分钟均值的最大值除以额定容量。",
                            ),
                            stepped(
                                mean("charging_station_{step}", "transformer_loading_max", by='"station"', how="max"),
                                alias="$tag_station",
                            ),
                            LOADING,
                            interval="1m",
                        ),
                    ),
                    (
                        8,
                        chart(
                            say("Hours by use", "时长构成"),
                            say(
                                "Hours of the ports in each step, by what they did.",
                                "每个步长内各桩的时长，按用途划分。",
                            ),
                            [
                                target(total("charging_station_1h", f"{name}_h", by="time($__interval)"), alias=text)
                                for name, text in uses(say)
                            ],
                            HOURS,
                            stacked=True,
                            bars=True,
                            interval="1h",
                        ),
                    ),
                ],
            ),
            (
                9,
                [
                    (
                        8,
                        chart(
                            say("Energy per day", "每日电量"),
                            say(
                                "Energy of the ports in each whole day of the station, at its start.",
                                "站点每个完整自然日内各充电桩的电量，标在当日起点。",
                            ),
                            [target(rows("charging_station_1d", "energy_kwh", tags='"station"'), alias="$tag_station")],
                            KWH,
                            stacked=True,
                            bars=True,
                            interval="1d",
                        ),
                    ),
                    (16, _ports(language, say)),
                ],
            ),
        ],
        variables=variables_of(say, '"charging_station_15m"'),
        alerts=alerts_of(say),
        links=links_of(language, say, "charging"),
        description=say(
            "Use, power and faults of the ports of a charging station.", "充电站各充电桩的占用、功率与故障。"
        ),
    )


def port_timeline(language: str, say: Say, more: str = "") -> Json:
    """Return the states of ports over time; `more` is a condition on them."""
    days = rows("port_1d", "status", tags=DEVICE)
    return timeline(
        say("State of each port", "各充电桩状态"),
        say(
            "State that lasted longest in the last minute (quarter, hour) of each step, over long ranges in each whole "
            "day; a click leads to the port.",
            "每个步长最后一分钟（一刻钟、一小时）内持续最久的状态，长时段为每个完整自然日内的；点击查看该桩。",
        ),
        stepped(
            only(states("port"), more) if more else states("port"),
            alias=DEVICE_ALIAS,
            days=only(days, more) if more else days,
        ),
        port_states(language),
        to_device(say("Port detail", "充电桩详情"), "port", language, "port"),
        points=None if more else MANY,
    )


def _figures(say: Say) -> list[tuple[int, Json]]:
    return [
        (
            5,
            stat(
                say("Power", "功率"),
                say("Mean power of the ports in each step.", "各步长内充电桩的平均功率。"),
                stepped(sum_of_stations("charging_station_{step}", "power_kw")),
                KW,
                interval="1m",
            ),
        ),
        (5, occupied_share(say)),
        (
            5,
            stat(
                say("Charging share", "充电占比"),
                say(
                    "Charging hours / all hours of the listed ports in the range.",
                    "所选时段内充电时长 / 登记充电桩全部时长。",
                ),
                [target(ratio("charging_station_15m", "charging_h", "window_h"))],
                SHARE,
            ),
        ),
        (
            5,
            stat(
                say("Energy", "电量"),
                say("Energy of the ports in the range.", "所选时段内各充电桩的电量。"),
                [target(total("charging_station_15m", "energy_kwh"))],
                KWH,
            ),
        ),
        (
            4,
            stat(
                say("Sessions", "充电次数"),
                say("Sessions that ended in the range.", "所选时段内结束的充电次数。"),
                [target(total("charging_station_15m", "sessions"))],
                COUNT,
            ),
        ),
    ]


def _ports(language: str, say: Say) -> Json:
    return table(
        say("Ports", "充电桩"),
        say("Last state and sums of each port in the range.", "所选时段内各充电桩的最近状态与合计。"),
        [
            target(last_by("port_1m", "status", "status"), variable=FINE, table=True),
            target(last_by("port_1m", "power_kw_mean", "power"), variable=FINE, table=True),
            target(last_by("port_15m", "energy_kwh", "energy", "sum"), table=True),
            target(about_devices("name", "port"), table=True),
        ],
        [
            station_col(language, say),
            Col(
                "device", say("Port", "充电桩"), link=row_to(say("Port detail", "充电桩详情"), "port", language, "port")
            ),
            Col("name", say("Name", "名称")),
            Col("status", say("State", "状态"), words=tuple(port_states(language))),
            Col("power", say("Power", "功率"), KW),
            Col("energy", say("Energy", "电量"), KWH),
        ],
    )
