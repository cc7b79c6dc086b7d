"""Charging station: use, power and faults of its ports."""

from grafana.boards.common import COUNT, HOURS, KW, KWH, SHARE, Say, alerts_of, links_of, variables_of
from grafana.layout import dashboard
from grafana.panels import FINE, Json, chart, stat, table, target, timeline
from grafana.queries import DEVICE, DEVICE_ALIAS, last_by_device, mean, now_sum, ratio, states, total
from grafana.states import port_states


def charging(language: str, say: Say) -> Json:
    """Return the dashboard."""
    return dashboard(
        f"voltair-charging-{language}",
        say("Voltair: charging station", "Voltair：充电站"),
        [
            (
                4,
                [
                    (
                        5,
                        stat(
                            say("Power", "功率"),
                            say("Sum of the ports, mean of each step.", "各充电桩之和，按步长取均值。"),
                            target(now_sum("port_1m", "power_kw_mean"), variable=FINE),
                            KW,
                            interval="1m",
                        ),
                    ),
                    (
                        5,
                        stat(
                            say("Occupied share", "占用率"),
                            say(
                                "Occupied hours / all hours of the listed ports in the range.",
                                "所选时段内占用时长 / 登记充电桩全部时长。",
                            ),
                            target(ratio("charging_station_15m", "occupied_h", "window_h")),
                            SHARE,
                        ),
                    ),
                    (
                        5,
                        stat(
                            say("Charging share", "充电占比"),
                            say(
                                "Charging hours / all hours of the listed ports in the range.",
                                "所选时段内充电时长 / 登记充电桩全部时长。",
                            ),
                            target(ratio("charging_station_15m", "charging_h", "window_h")),
                            SHARE,
                        ),
                    ),
                    (
                        5,
                        stat(
                            say("Energy", "电量"),
                            say("Energy of the ports in the range.", "所选时段内各充电桩的电量。"),
                            target(total("charging_station_15m", "energy_kwh")),
                            KWH,
                        ),
                    ),
                    (
                        4,
                        stat(
                            say("Sessions", "充电次数"),
                            say("Sessions that ended in the range.", "所选时段内结束的充电次数。"),
                            target(total("charging_station_15m", "sessions")),
                            COUNT,
                        ),
                    ),
                ],
            ),
            (
                9,
                [
                    (
                        24,
                        timeline(
                            say("State of each port", "各充电桩状态"),
                            say(
                                "Longest state of the last minute of each step; Offline is silence of the port.",
                                "每个步长最后一分钟内持续最久的状态；离线指充电桩静默。",
                            ),
                            target(states("port_1m"), variable=FINE, alias=DEVICE_ALIAS),
                            port_states(language),
                        ),
                    )
                ],
            ),
            (
                8,
                [
                    (
                        12,
                        chart(
                            say("Power by port", "各桩功率"),
                            say("Mean of each step, stacked.", "按步长取均值，堆叠显示。"),
                            [
                                target(
                                    mean("port_1m", "power_kw_mean", by=DEVICE),
                                    variable=FINE,
                                    alias=DEVICE_ALIAS,
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
                            say("Hours by use", "时长构成"),
                            say("Port-hours in each step.", "每个步长内的桩时。"),
                            [
                                target(
                                    total("charging_station_1h", f"{name}_h", by="time($__interval)"),
                                    alias=label,
                                )
                                for name, label in (
                                    ("charging", say("charging", "充电")),
                                    ("idle", say("occupied, not charging", "占用未充电")),
                                    ("available", say("available", "空闲")),
                                    ("faulted", say("faulted", "故障")),
                                    ("unavailable", say("unavailable", "不可用")),
                                    ("offline", say("offline", "离线")),
                                )
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
                8,
                [
                    (
                        8,
                        chart(
                            say("Energy per day (UTC)", "每日电量（UTC）"),
                            say(
                                "Energy of the ports; the first bar may be part of a day.",
                                "各充电桩电量；首柱可能不足一天。",
                            ),
                            [
                                target(
                                    total("charging_station_1h", "energy_kwh", by='time(1d), "station"'),
                                    alias="$tag_station",
                                )
                            ],
                            KWH,
                            stacked=True,
                            bars=True,
                            interval="1d",
                        ),
                    ),
                    (
                        16,
                        table(
                            say("Ports", "充电桩"),
                            say(
                                "Last state and sums of each port in the range.",
                                "所选时段内各充电桩的最近状态与合计。",
                            ),
                            [
                                target(
                                    last_by_device("port_1m", "status", "status"), variable=FINE, table=True
                                ),
                                target(
                                    last_by_device("port_1m", "power_kw_mean", "power"),
                                    variable=FINE,
                                    table=True,
                                ),
                                target(last_by_device("port_15m", "energy_kwh", "energy", "sum"), table=True),
                            ],
                            [
                                ("station", say("Station", "站点"), None),
                                ("device", say("Port", "充电桩"), None),
                                ("status", say("State", "状态"), None),
                                ("power", say("Power", "功率"), KW),
                                ("energy", say("Energy", "电量"), KWH),
                            ],
                        ),
                    ),
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
