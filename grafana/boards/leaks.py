"""Leaks: how much air is lost, since when, and what it costs."""

from grafana.boards.common import (
    FLOW,
    KWH,
    PERCENT,
    VOLUME,
    Say,
    alert_table,
    alerts_of,
    firing_table,
    links_of,
    station_col,
    variables_of,
)
from grafana.layout import dashboard
from grafana.overrides import band
from grafana.panels import Col, Json, chart, stat, stepped, table, target
from grafana.queries import DEVICE, DEVICE_ALIAS, WHERE, last_by, mean, rows

LEAK = '"tags" =~ /,leak,/'
"""Condition for alerts about leaks."""
YEAR_MIN = 525_600


def leaks(language: str, say: Say) -> Json:
    """Return the dashboard."""
    return dashboard(
        f"voltair-leaks-{language}",
        say("Voltair: leaks", "Voltair：泄漏"),
        [
            (4, _figures(say)),
            (
                9,
                [
                    (12, _per_day(say)),
                    (
                        12,
                        chart(
                            say("Leak share per day", "每日泄漏占比"),
                            say(
                                "Estimated leakage / mean flow of each whole day of the station, at its start.",
                                "站点每个完整自然日的泄漏估计值 / 平均流量，标在当日起点。",
                            ),
                            [target(rows("air_station_1d", "leak_share", tags='"station"'), alias="$tag_station")],
                            PERCENT,
                            interval="1d",
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
                            say("Lowest flow per day", "每日最低流量"),
                            say(
                                "Lowest reading of each main in each whole day: without production it is leakage.",
                                "各总管每个完整自然日的最低读数：无生产时即为泄漏。",
                            ),
                            [target(rows("air_main_1d", "flow_m3_min_min", tags=DEVICE), alias=DEVICE_ALIAS)],
                            FLOW,
                            bars=True,
                            interval="1d",
                        ),
                    ),
                    (
                        12,
                        chart(
                            say("Flow of the mains", "总管流量"),
                            say(
                                "Mean of each step; what stays at night is the base flow.",
                                "按步长取均值；夜间仍存在的即基础流量。",
                            ),
                            stepped(mean("air_main_{step}", "flow_m3_min_mean", by=DEVICE), alias=DEVICE_ALIAS),
                            FLOW,
                            interval="1m",
                        ),
                    ),
                ],
            ),
            (8, [(24, firing_table(language, say, LEAK))]),
            (
                8,
                [
                    (10, _stations(language, say)),
                    (
                        14,
                        alert_table(
                            say,
                            say("Leaks told in the range", "所选时段内的泄漏告警"),
                            say(
                                "Transitions of rules leak and leak_level, newest first.",
                                "规则 leak 与 leak_level 的变化，最新在前。",
                            ),
                            LEAK,
                        ),
                    ),
                ],
            ),
        ],
        variables=variables_of(say, '"air_station_15m"'),
        alerts=alerts_of(say),
        links=links_of(language, say, "leaks"),
        description=say(
            "How much air is lost, since when, and what it costs. Estimates by method: Voltair's page of the station.",
            "漏了多少气、从何时起、代价多大。各方法的估计值见 Voltair 的站点页面。",
        ),
        time=("now-30d", "now"),
    )


def _figures(say: Say) -> list[tuple[int, Json]]:
    def last(expression: str) -> list[Json]:
        query = f'SELECT {expression} AS "value" FROM "air_station_1d" {WHERE} GROUP BY "station"'
        return [target(query, alias="$tag_station")]

    whole = say("of the last whole day in the range", "所选时段内最后一个完整自然日")
    return [
        (
            6,
            stat(
                say("Leakage", "泄漏量"),
                say(f"Fused estimate of all present leakage, {whole}.", f"全部现有泄漏的综合估计值，{whole}。"),
                last('last("leak_m3_min")'),
                FLOW,
            ),
        ),
        (
            6,
            stat(
                say("Leak share", "泄漏占比"),
                say(f"Leakage / mean flow, {whole}.", f"泄漏量 / 平均流量，{whole}。"),
                last('last("leak_share")'),
                PERCENT,
            ),
        ),
        (
            6,
            stat(
                say("Energy per year", "每年电量"),
                say(
                    f"Leakage x 525,600 min x energy per m³, each {whole}: what the leakage would cost in a year.",
                    f"泄漏量 × 525 600 分钟 × 气电比（均为{whole}）：泄漏一年的电量代价。",
                ),
                last(f'last("leak_m3_min") * last("kwh_per_m3") * {YEAR_MIN}'),
                KWH,
            ),
        ),
        (
            6,
            stat(
                say("Unaccounted air", "未计量气量"),
                say(f"Supplied - metered, {whole}.", f"供气量 − 计量气量，{whole}。"),
                last('last("unaccounted_m3")'),
                VOLUME,
            ),
        ),
    ]


def _per_day(say: Say) -> Json:
    low, high = say("lowest likely", "可能下限"), say("highest likely", "可能上限")
    by_day = "GROUP BY time(15m) fill(none)"  # days begin at a quarter of an hour everywhere
    ends = [
        target(f'SELECT {how}("leak_{end}_m3_min") AS "value" FROM "air_station_1d" {WHERE} {by_day}', alias=name)
        for how, end, name in (("min", "low", low), ("max", "high", high))
    ]
    return chart(
        say("Leakage per day", "每日泄漏量"),
        say(
            "Fused estimate of each whole day of the station; the band holds the truth in 19 of 20 cases (of "
            "several stations: from the lowest to the highest).",
            "站点每个完整自然日的综合估计值；色带以 95 % 的把握包含真值（多站时从最低到最高）。",
        ),
        [target(rows("air_station_1d", "leak_m3_min", tags='"station"'), alias="$tag_station"), *ends],
        FLOW,
        interval="1d",
        overrides=band(low, high),
    )


def _stations(language: str, say: Say) -> Json:
    columns = (
        ("leak_m3_min", say("Leakage", "泄漏量"), FLOW),
        ("leak_share", say("Share", "占比"), PERCENT),
        ("flow_mean_m3_min", say("Mean flow", "平均流量"), FLOW),
    )
    return table(
        say("Stations", "站点"),
        say("Last whole day in the range.", "所选时段内最后一个完整自然日。"),
        [target(last_by("air_station_1d", field, field, by='"station"'), table=True) for field, _, _ in columns],
        [station_col(language, say), *(Col(*column) for column in columns)],
    )
