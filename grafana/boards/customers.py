"""Customers and metering: what each customer takes and saves, and what no meter accounts for."""

from grafana.boards.common import (
    DURATION,
    FLOW,
    KG,
    KWH,
    MONEY,
    PERCENT,
    SHARE,
    VOLUME,
    Say,
    alert_table,
    alerts_of,
    links_of,
    station_col,
    variables_of,
)
from grafana.layout import dashboard, tag_variable
from grafana.panels import Col, Json, Look, chart, stat, table, target
from grafana.queries import (
    WHERE,
    about_devices,
    chosen,
    last_by,
    mean,
    only,
    ratio,
    rows,
    tag_values,
    total,
)

CUSTOMER = chosen("customer", "customer")
"""Condition for the chosen customers."""
TAGS = '"station", "customer"'
ALIAS = "$tag_station $tag_customer"


def customers(language: str, say: Say) -> Json:
    """Return the dashboard."""
    return dashboard(
        f"voltair-customers-{language}",
        say("Voltair: customers and metering", "Voltair：用户与计量"),
        [
            (4, _figures(say)),
            (
                8,
                [
                    (
                        12,
                        chart(
                            say("Flow to customers", "用户流量"),
                            say(
                                "Mean flow of the meters of each customer in each step.",
                                "各步长内各用户气表的平均流量。",
                            ),
                            [target(only(mean("air_customer_1h", "flow_mean_m3_min", by=TAGS), CUSTOMER), alias=ALIAS)],
                            FLOW,
                            stacked=True,
                            interval="1h",
                        ),
                    ),
                    (
                        12,
                        chart(
                            say("Air per customer and day", "各用户每日用气量"),
                            say(
                                "Metered volume of each whole day of the station, at its start.",
                                "站点每个完整自然日的计量气量，标在当日起点。",
                            ),
                            [target(only(rows("air_customer_1d", "volume_m3", tags=TAGS), CUSTOMER), alias=ALIAS)],
                            VOLUME,
                            stacked=True,
                            bars=True,
                            interval="1d",
                        ),
                    ),
                ],
            ),
            (
                8,
                [
                    (12, _balance(say)),
                    (
                        12,
                        chart(
                            say("Unaccounted share over time", "未计量占比变化"),
                            say(
                                "(Supplied - metered) / supplied, over the minutes in which both are known: "
                                "leakage in the network and errors of meters.",
                                "（供气量 − 计量气量）/ 供气量，仅计两者均已知的分钟：管网泄漏与计量误差。",
                            ),
                            [
                                target(
                                    ratio(
                                        "air_station_1h",
                                        "unaccounted_m3",
                                        "unaccounted_of_m3",
                                        by='time($__interval), "station"',
                                    ),
                                    alias="$tag_station",
                                )
                            ],
                            PERCENT,
                            interval="1h",
                        ),
                    ),
                ],
            ),
            (8, [(14, _per_customer(language, say)), (10, _meters(language, say))]),
            (
                8,
                [
                    (
                        24,
                        alert_table(
                            say,
                            say("Metering alerts", "计量告警"),
                            say(
                                "Resets, drift, reversal, frozen or silent meters: transitions in the range.",
                                "清零、漂移、反向、冻结或失联的计量：所选时段内的变化。",
                            ),
                            '"tags" =~ /,metering,/',
                        ),
                    )
                ],
            ),
        ],
        variables=variables_of(
            say,
            '"air_customer_1h"',
            [tag_variable("customer", say("Customer", "用户"), tag_values('"air_customer_1h"', "customer"))],
        ),
        alerts=alerts_of(say),
        links=links_of(language, say, "customers"),
        description=say(
            "What each customer takes and saves, and what no meter accounts for.",
            "各用户的用气与节省，以及未计量的气量。",
        ),
        time=("now-7d", "now"),
    )


def _figures(say: Say) -> list[tuple[int, Json]]:
    def figure(title: tuple[str, str], text: tuple[str, str], field: str, look: Look) -> tuple[int, Json]:
        query = only(total("air_customer_1h", field), CUSTOMER)
        return 5, stat(say(*title), say(*text), [target(query)], look)

    saved = (
        "Metered air x (baseline - the station's ratio), summed over hours and the customers with a baseline",
        "计量气量 ×（基准 − 站点气电比），按小时对有基准的用户求和",
    )
    return [
        figure(
            ("Metered air", "计量气量"),
            ("Volume of the chosen customers in the range.", "所选时段内所选用户的气量。"),
            "volume_m3",
            VOLUME,
        ),
        figure(("Energy saved", "节省电量"), (f"{saved[0]}.", f"{saved[1]}。"), "savings_kwh", KWH),
        figure(
            ("Money saved", "节省费用"),
            (f"{saved[0]}, at the tariff, in the station's currency.", f"{saved[1]}，按电价折算，以站点货币计。"),
            "savings_money",
            MONEY,
        ),
        figure(
            ("CO2 avoided", "减排 CO2"),
            (f"{saved[0]}, at the station's kg per kWh.", f"{saved[1]}，按站点排放因子折算。"),
            "savings_co2_kg",
            KG,
        ),
        (
            4,
            stat(
                say("Unaccounted share", "未计量占比"),
                say(
                    "(Supplied - metered) / supplied of the chosen stations in the range.",
                    "所选时段内所选站点（供气量 − 计量气量）/ 供气量。",
                ),
                [target(ratio("air_station_1h", "unaccounted_m3", "unaccounted_of_m3"))],
                SHARE,
            ),
        ),
    ]


def _balance(say: Say) -> Json:
    parts = (
        ("supplied_m3", say("supplied", "供气")),
        ("metered_m3", say("metered", "计量")),
        ("unaccounted_m3", say("unaccounted", "未计量")),
    )
    return chart(
        say("Balance of air", "气量平衡"),
        say("Volumes of the chosen stations in each step.", "各步长内所选站点的气量。"),
        [target(total("air_station_1h", field, by="time($__interval)"), alias=text) for field, text in parts],
        VOLUME,
        interval="1h",
    )


def _per_customer(language: str, say: Say) -> Json:
    columns = (
        ("volume_m3", say("Air", "用气量"), VOLUME),
        ("savings_kwh", say("Energy saved", "节省电量"), KWH),
        ("savings_money", say("Money saved", "节省费用"), MONEY),
        ("savings_co2_kg", say("CO2 avoided", "减排 CO2"), KG),
    )
    coverage = f'SELECT mean("coverage") AS "coverage" FROM "air_customer_1h" {WHERE} GROUP BY {TAGS}'
    return table(
        say("Customers", "用户"),
        say(
            "Sums of the range; coverage: share of the time in which all meters of a customer are known.",
            "所选时段内的合计；覆盖率：用户全部气表已知的时间占比。",
        ),
        [
            *(
                target(only(last_by("air_customer_1h", field, field, "sum", TAGS), CUSTOMER), table=True)
                for field, _, _ in columns
            ),
            target(only(coverage, CUSTOMER), table=True),
        ],
        [
            station_col(language, say),
            Col("customer", say("Customer", "用户")),
            *(Col(*column) for column in columns),
            Col("coverage", say("Coverage", "覆盖率"), PERCENT),
        ],
    )


def _meters(language: str, say: Say) -> Json:
    return table(
        say("Meters", "气表"),
        say(
            "Sums of each meter in the range; silent: heard nothing from it.",
            "所选时段内各气表的合计；静默：未收到其数据的时长。",
        ),
        [
            target(last_by("air_meter_15m", "volume_m3", "volume", "sum"), table=True),
            target(last_by("air_meter_15m", "offline_s", "offline", "sum"), table=True),
            target(about_devices("name", "air_meter"), table=True),
        ],
        [
            station_col(language, say),
            Col("device", say("Meter", "气表")),
            Col("name", say("Name", "名称")),
            Col("volume", say("Air", "气量"), VOLUME),
            Col("offline", say("Silent", "静默时长"), DURATION),
        ],
    )
