"""Air station: ratio, supply and machines."""

from grafana.boards.common import (
    BAR,
    DEW_POINT,
    DURATION,
    FLOW,
    KW,
    KWH,
    PER_M3,
    RATIO,
    VOLUME,
    Say,
    alerts_of,
    baseline_band,
    links_of,
    station_col,
    variables_of,
)
from grafana.layout import dashboard
from grafana.links import to_page
from grafana.overrides import band, second_axis
from grafana.panels import FINE, Col, Json, chart, stat, stepped, table, target, timeline
from grafana.queries import (
    DEVICE,
    DEVICE_ALIAS,
    about_devices,
    last_by,
    mean,
    ratio,
    rows,
    states,
    sum_of_stations,
    total,
)
from grafana.states import machine_states


def air(language: str, say: Say) -> Json:
    """Return the dashboard."""
    per_step = ratio("air_station_{step}", "paired_energy_kwh", "paired_volume_m3", by='time($__interval), "station"')
    baseline, shaded = baseline_band(say)
    return dashboard(
        f"voltair-air-{language}",
        say("Voltair: air station", "Voltair：压缩空气站"),
        [
            (4, _figures(say)),
            (
                8,
                [
                    (
                        12,
                        chart(
                            say("Energy per m³ over time", "气电比变化"),
                            say(
                                "Ratio of the sums of each step; the band goes from the baseline to a tenth above it.",
                                "每个步长内电量之和 / 气量之和；色带为基准至基准之上十分之一。",
                            ),
                            [*stepped(per_step, alias="$tag_station"), *baseline],
                            RATIO,
                            interval="1m",
                            overrides=shaded,
                        ),
                    ),
                    (12, _supply(say)),
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
                                "State that lasted longest in the last minute (quarter, hour) of each step; "
                                "only loaded delivers air.",
                                "每个步长最后一分钟（一刻钟、一小时）内持续最久的状态；仅加载时供气。",
                            ),
                            stepped(states("compressor"), alias=DEVICE_ALIAS),
                            machine_states(language),
                            to_page(
                                say("Open in Voltair", "在 Voltair 中打开"), "s/${__field.labels.station}", language
                            ),
                        ),
                    )
                ],
            ),
            (
                8,
                [
                    (
                        8,
                        chart(
                            say("Power by compressor", "各空压机功率"),
                            say("Mean of each step, stacked.", "按步长取均值，堆叠显示。"),
                            stepped(mean("compressor_{step}", "power_kw_mean", by=DEVICE), alias=DEVICE_ALIAS),
                            KW,
                            stacked=True,
                            interval="1m",
                        ),
                    ),
                    (
                        8,
                        chart(
                            say("Dew point", "压力露点"),
                            say(
                                "Pressure dew point after each dryer, mean of each step.",
                                "各干燥机出口的压力露点，按步长取均值。",
                            ),
                            stepped(mean("dryer_{step}", "dew_point_c_mean", by=DEVICE), alias=DEVICE_ALIAS),
                            DEW_POINT,
                            interval="1m",
                        ),
                    ),
                    (
                        8,
                        chart(
                            say("Air per day", "每日供气量"),
                            say(
                                "Volume supplied in each whole day of the station, at its start.",
                                "站点每个完整自然日的供气量，标在当日起点。",
                            ),
                            [target(rows("air_station_1d", "volume_m3", tags='"station"'), alias="$tag_station")],
                            VOLUME,
                            stacked=True,
                            bars=True,
                            interval="1d",
                        ),
                    ),
                ],
            ),
            (8, [(24, _machines(language, say))]),
        ],
        variables=variables_of(say, '"air_station_15m"'),
        alerts=alerts_of(say),
        links=links_of(language, say, "air"),
        description=say("Ratio, supply and machines of an air station.", "压缩空气站的气电比、供气与机组。"),
    )


def _figures(say: Say) -> list[tuple[int, Json]]:
    return [
        (
            5,
            stat(
                say("Energy per m³", "气电比"),
                say(*PER_M3),
                [target(ratio("air_station_15m", "paired_energy_kwh", "paired_volume_m3"))],
                RATIO,
            ),
        ),
        (
            5,
            stat(
                say("Flow", "流量"),
                say(
                    "Mean supplied flow of a station in each step, summed over stations.",
                    "各步长内各站的平均供气流量，各站相加。",
                ),
                stepped(sum_of_stations("air_station_{step}", "flow_mean_m3_min")),
                FLOW,
                interval="1m",
            ),
        ),
        (
            5,
            stat(
                say("Pressure", "压力"),
                say(
                    "Mean of the air mains in each step, of several stations the lowest.",
                    "各步长内供气总管的均值；多站时取最低者。",
                ),
                stepped(mean("air_station_{step}", "pressure_mean_bar", how="min")),
                BAR,
                interval="1m",
            ),
        ),
        (
            5,
            stat(
                say("Air supplied", "供气量"),
                say("Volume supplied in the range.", "所选时段内的供气量。"),
                [target(total("air_station_15m", "volume_m3"))],
                VOLUME,
            ),
        ),
        (
            4,
            stat(
                say("Energy", "用电量"),
                say("Compressors, dryers and auxiliaries in the range.", "所选时段内空压机、干燥机和辅机的电量。"),
                [target(total("air_station_15m", "energy_kwh"))],
                KWH,
            ),
        ),
    ]


def _supply(say: Say) -> Json:
    flow, pressure = say("flow", "流量"), say("pressure", "压力")
    low, high = say("contract, lowest", "合同下限"), say("contract, highest", "合同上限")
    return chart(
        say("Flow and pressure", "流量与压力"),
        say(
            "Supplied flow left; pressure of the mains right, with the band of the contract. Of several "
            "stations: the sum of flows, the mean pressure.",
            "左轴供气流量；右轴总管压力及合同压力带。多站时：流量之和、平均压力。",
        ),
        [
            *stepped(sum_of_stations("air_station_{step}", "flow_mean_m3_min"), alias=flow),
            *stepped(mean("air_station_{step}", "pressure_mean_bar"), alias=pressure),
            *stepped(mean("air_station_{step}", "contract_min_bar", how="min"), alias=low),
            *stepped(mean("air_station_{step}", "contract_max_bar", how="max"), alias=high),
        ],
        FLOW,
        interval="1m",
        overrides=[second_axis(pressure, BAR), second_axis(low, BAR), second_axis(high, BAR), *band(low, high)],
    )


def _machines(language: str, say: Say) -> Json:
    return table(
        say("Compressors", "空压机"),
        say("Last state and sums of each machine in the range.", "所选时段内各机的最近状态与合计。"),
        [
            target(last_by("compressor_1m", "status", "status"), variable=FINE, table=True),
            target(last_by("compressor_15m", "loaded_s", "loaded", "sum"), table=True),
            target(last_by("compressor_15m", "unloaded_s", "unloaded", "sum"), table=True),
            target(last_by("compressor_15m", "energy_kwh", "energy", "sum"), table=True),
            target(about_devices("name", "compressor"), table=True),
        ],
        [
            station_col(language, say),
            Col("device", say("Compressor", "空压机")),
            Col("name", say("Name", "名称")),
            Col("status", say("State", "状态"), words=tuple(machine_states(language))),
            Col("loaded", say("Loaded", "加载时长"), DURATION),
            Col("unloaded", say("Unloaded", "卸载时长"), DURATION),
            Col("energy", say("Energy", "电量"), KWH),
        ],
    )
