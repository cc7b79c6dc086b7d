"""Air station: ratio, supply and machines."""

from grafana.boards.common import (
    BAR,
    DEW_POINT,
    FLOW,
    KW,
    KWH,
    RATIO,
    SECONDS,
    VOLUME,
    Say,
    alerts_of,
    links_of,
    variables_of,
)
from grafana.layout import dashboard
from grafana.panels import FINE, Json, chart, second_axis, stat, table, target, timeline
from grafana.queries import DEVICE, DEVICE_ALIAS, last_by_device, mean, now_sum, ratio, states, total
from grafana.states import machine_states


def air(language: str, say: Say) -> Json:
    """Return the dashboard."""
    flow, pressure = say("flow", "流量"), say("pressure", "压力")
    return dashboard(
        f"voltair-air-{language}",
        say("Voltair: air station", "Voltair：压缩空气站"),
        [
            (
                4,
                [
                    (
                        5,
                        stat(
                            say("Energy per m³", "气电比"),
                            say(
                                "Ratio of the sums over the minutes in which both sides are known.",
                                "两者均已知的分钟内电量之和 / 气量之和。",
                            ),
                            target(ratio("air_station_15m", "paired_energy_kwh", "paired_volume_m3")),
                            RATIO,
                        ),
                    ),
                    (
                        5,
                        stat(
                            say("Flow", "流量"),
                            say("Sum of the air mains, mean of each step.", "各供气总管之和，按步长取均值。"),
                            target(now_sum("air_main_1m", "flow_m3_min_mean"), variable=FINE),
                            FLOW,
                            interval="1m",
                        ),
                    ),
                    (
                        5,
                        stat(
                            say("Pressure", "压力"),
                            say("Lowest minute mean of the air mains.", "供气总管分钟均值的最低值。"),
                            target(mean("air_main_1m", "pressure_bar_mean", how="min"), variable=FINE),
                            BAR,
                            interval="1m",
                        ),
                    ),
                    (
                        5,
                        stat(
                            say("Air supplied", "供气量"),
                            say("Volume supplied in the range.", "所选时段内的供气量。"),
                            target(total("air_station_15m", "volume_m3")),
                            VOLUME,
                        ),
                    ),
                    (
                        4,
                        stat(
                            say("Energy", "用电量"),
                            say("Compressors, dryers and auxiliaries.", "空压机、干燥机和辅机。"),
                            target(total("air_station_15m", "energy_kwh")),
                            KWH,
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
                            say("Energy per m³", "气电比"),
                            say("Ratio of the sums of each step.", "每个步长内电量之和 / 气量之和。"),
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
                    (
                        12,
                        chart(
                            say("Flow and pressure", "流量与压力"),
                            say("Air mains: flow left, pressure right.", "供气总管：左轴流量，右轴压力。"),
                            [
                                target(now_sum("air_main_1m", "flow_m3_min_mean"), variable=FINE, alias=flow),
                                target(mean("air_main_1m", "pressure_bar_mean"), variable=FINE, alias=pressure),
                            ],
                            FLOW,
                            interval="1m",
                            overrides=[second_axis(pressure, BAR)],
                        ),
                    ),
                ],
            ),
            (
                6,
                [
                    (
                        24,
                        timeline(
                            say("State of each compressor", "各空压机状态"),
                            say(
                                "Longest state of the last minute of each step; only loaded delivers air.",
                                "每个步长最后一分钟内持续最久的状态；仅加载时供气。",
                            ),
                            target(states("compressor_1m"), variable=FINE, alias=DEVICE_ALIAS),
                            machine_states(language),
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
                            say("Power by compressor", "各空压机功率"),
                            say("Mean of each step, stacked.", "按步长取均值，堆叠显示。"),
                            [
                                target(
                                    mean("compressor_1m", "power_kw_mean", by=DEVICE),
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
                            say("Flow to customers", "用户流量"),
                            say("Mean of each customer's meter.", "各用户气表的均值。"),
                            [
                                target(
                                    mean("air_meter_1m", "flow_m3_min_mean", by=DEVICE),
                                    variable=FINE,
                                    alias=DEVICE_ALIAS,
                                )
                            ],
                            FLOW,
                            stacked=True,
                            interval="1m",
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
                            say("Dew point", "压力露点"),
                            say("Mean of each dryer.", "各干燥机的均值。"),
                            [
                                target(
                                    mean("dryer_1m", "dew_point_c_mean", by=DEVICE),
                                    variable=FINE,
                                    alias=DEVICE_ALIAS,
                                )
                            ],
                            DEW_POINT,
                            interval="1m",
                        ),
                    ),
                    (
                        16,
                        table(
                            say("Compressors", "空压机"),
                            say(
                                "Last state and sums of each machine in the range.",
                                "所选时段内各机的最近状态与合计。",
                            ),
                            [
                                target(
                                    last_by_device("compressor_1m", "status", "status"),
                                    variable=FINE,
                                    table=True,
                                ),
                                target(
                                    last_by_device("compressor_15m", "loaded_s", "loaded", "sum"), table=True
                                ),
                                target(
                                    last_by_device("compressor_15m", "unloaded_s", "unloaded", "sum"),
                                    table=True,
                                ),
                                target(
                                    last_by_device("compressor_15m", "energy_kwh", "energy", "sum"), table=True
                                ),
                            ],
                            [
                                ("station", say("Station", "站点"), None),
                                ("device", say("Compressor", "空压机"), None),
                                ("status", say("State", "状态"), None),
                                ("loaded", say("Loaded", "加载时长"), SECONDS),
                                ("unloaded", say("Unloaded", "卸载时长"), SECONDS),
                                ("energy", say("Energy", "电量"), KWH),
                            ],
                        ),
                    ),
                ],
            ),
        ],
        variables=variables_of(say, '"air_station_15m"'),
        alerts=alerts_of(say),
        links=links_of(language, say, "air"),
        description=say("Ratio, supply and machines of an air station.", "压缩空气站的气电比、供气与机组。"),
    )
