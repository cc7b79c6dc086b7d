"""Home: what is wrong, where, since when; both kinds of station at a glance."""

from grafana.boards.common import (
    BAD,
    FLOW,
    KW,
    OCCUPIED,
    PER_M3,
    RATIO,
    SHARE,
    Say,
    alert_table,
    alerts_of,
    baseline_band,
    firing_table,
    links_of,
    occupied_share,
    variables_of,
)
from grafana.layout import dashboard
from grafana.panels import Json, bars, chart, stat, stepped, target
from grafana.queries import mean, ports_in, ratio, sum_of_stations


def home(language: str, say: Say) -> Json:
    """Return the dashboard."""
    power = say(
        "Mean power of the ports of a station in each step, summed over stations.",
        "各步长内各站充电桩的平均功率，各站相加。",
    )
    band, overrides = baseline_band(say)
    per_step = ratio("air_station_{step}", "paired_energy_kwh", "paired_volume_m3", by='time($__interval), "station"')
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
                            power,
                            stepped(sum_of_stations("charging_station_{step}", "power_kw")),
                            KW,
                            interval="1m",
                        ),
                    ),
                    (4, occupied_share(say)),
                    (
                        4,
                        stat(
                            say("Ports offline", "离线充电桩"),
                            say(
                                "Listed ports that were silent, mean number in each step.",
                                "登记充电桩中静默的数量，按步长取均值。",
                            ),
                            stepped(ports_in("offline")),
                            BAD,
                            interval="1m",
                        ),
                    ),
                    (
                        4,
                        stat(
                            say("Ports faulted", "故障充电桩"),
                            say(
                                "Listed ports in state Faulted, mean number in each step.",
                                "登记充电桩中故障的数量，按步长取均值。",
                            ),
                            stepped(ports_in("faulted")),
                            BAD,
                            interval="1m",
                        ),
                    ),
                    (
                        4,
                        stat(
                            say("Energy per m³", "气电比"),
                            say(*PER_M3),
                            [target(ratio("air_station_15m", "paired_energy_kwh", "paired_volume_m3"))],
                            RATIO,
                        ),
                    ),
                    (
                        4,
                        stat(
                            say("Air flow", "供气流量"),
                            say(
                                "Mean supplied flow of a station in each step, summed over stations.",
                                "各步长内各站的平均供气流量，各站相加。",
                            ),
                            stepped(sum_of_stations("air_station_{step}", "flow_mean_m3_min")),
                            FLOW,
                            interval="1m",
                        ),
                    ),
                ],
            ),
            (9, [(24, firing_table(language, say))]),
            (
                8,
                [
                    (
                        12,
                        chart(
                            say("Charging power by station", "各站充电功率"),
                            say(
                                "Mean power of the ports of each station in each step.",
                                "各步长内各站充电桩的平均功率。",
                            ),
                            stepped(mean("charging_station_{step}", "power_kw", by='"station"'), alias="$tag_station"),
                            KW,
                            stacked=True,
                            interval="1m",
                        ),
                    ),
                    (
                        12,
                        chart(
                            say("Energy per m³ by station", "各站气电比"),
                            say(*PER_M3),
                            [*stepped(per_step, alias="$tag_station"), *band],
                            RATIO,
                            interval="1m",
                            overrides=overrides,
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
                            say(*OCCUPIED),
                            [
                                target(
                                    ratio("charging_station_15m", "occupied_h", "window_h", by='"station"'),
                                    alias="$tag_station",
                                )
                            ],
                            SHARE,
                        ),
                    ),
                    (
                        12,
                        alert_table(
                            say,
                            say("Alerts", "告警"),
                            say(
                                "Every transition of an alert in the range, newest first.",
                                "所选时段内告警的每次状态变化，最新在前。",
                            ),
                        ),
                    ),
                ],
            ),
        ],
        variables=variables_of(say, "/^(charging|air)_station_15m$/"),
        alerts=alerts_of(say),
        links=links_of(language, say, "home"),
        description=say(
            "What is wrong, where, since when; both kinds of station at a glance.",
            "何处、何时起出了什么问题；两类站点一览。",
        ),
    )
