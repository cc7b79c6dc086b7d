"""Port detail: everything about one port, or a few beside each other."""

from grafana.boards.charging import port_timeline
from grafana.boards.common import (
    AMP,
    COUNT,
    DURATION,
    HOURS,
    KW,
    KWH,
    SINCE,
    TEXT,
    VOLT,
    Say,
    alert_table,
    alerts_of,
    links_of,
    station_col,
    variables_of,
)
from grafana.layout import dashboard, tag_variable
from grafana.overrides import second_axis
from grafana.panels import Col, Json, chart, stat, stepped, table, target
from grafana.queries import (
    DEVICE,
    DEVICE_ALIAS,
    WHERE,
    about_devices,
    chosen,
    last_by,
    mean,
    only,
    rows,
    states,
    tag_values,
    total,
)
from grafana.states import port_states

PORT = chosen("port", "device")
"""Condition for the chosen ports."""


def port(language: str, say: Say) -> Json:
    """Return the dashboard."""
    return dashboard(
        f"voltair-port-{language}",
        say("Voltair: port detail", "Voltair：充电桩详情"),
        [
            (4, _figures(language, say)),
            (5, [(24, port_timeline(language, say, PORT))]),
            (8, [(12, _power(say)), (12, _mains(say))]),
            (
                8,
                [
                    (
                        12,
                        chart(
                            say("Energy per day", "每日电量"),
                            say(
                                "Energy of each port in each whole day of its station, at its start.",
                                "站点每个完整自然日内各桩的电量，标在当日起点。",
                            ),
                            [target(only(rows("port_1d", "energy_kwh", tags=DEVICE), PORT), alias=DEVICE_ALIAS)],
                            KWH,
                            stacked=True,
                            bars=True,
                            interval="1d",
                        ),
                    ),
                    (12, _about(language, say)),
                ],
            ),
            (
                9,
                [
                    (14, _sessions(language, say)),
                    (
                        10,
                        alert_table(
                            say,
                            say("Alerts of the ports", "充电桩告警"),
                            say("Transitions of the ports' alerts in the range.", "所选时段内充电桩告警的变化。"),
                            PORT,
                        ),
                    ),
                ],
            ),
        ],
        variables=variables_of(
            say,
            '"charging_station_15m"',
            # There may be hundreds: at first one.
            [tag_variable("port", say("Port", "充电桩"), tag_values('"port_15m"', "device"), every=False)],
        ),
        alerts=alerts_of(say),
        links=links_of(language, say, "port"),
        description=say(
            "States, power, sessions and alerts of single ports.", "单个充电桩的状态、功率、充电记录与告警。"
        ),
    )


def _figures(language: str, say: Say) -> list[tuple[int, Json]]:
    return [
        (
            5,
            stat(
                say("State", "状态"),
                say("Last state of each port in the range.", "所选时段内各桩的最近状态。"),
                stepped(only(states("port"), PORT), alias=DEVICE_ALIAS),
                TEXT,
                interval="1m",
                states=port_states(language),
            ),
        ),
        (
            5,
            stat(
                say("Power", "功率"),
                say("Mean power of each port in each step.", "各步长内各桩的平均功率。"),
                stepped(only(mean("port_{step}", "power_kw_mean", by=DEVICE), PORT), alias=DEVICE_ALIAS),
                KW,
                interval="1m",
            ),
        ),
        (
            5,
            stat(
                say("Energy", "电量"),
                say("Energy of the ports in the range.", "所选时段内充电桩的电量。"),
                [target(only(total("port_15m", "energy_kwh"), PORT))],
                KWH,
            ),
        ),
        (
            5,
            stat(
                say("Time charging", "充电时长"),
                say(
                    "Time in state Charging in the range, summed over ports.", "所选时段内处于充电中的时长，各桩相加。"
                ),
                [
                    target(
                        only(total("port_15m", "Charging_s"), PORT).replace(
                            'sum("Charging_s")', 'sum("Charging_s") / 3600'
                        )
                    )
                ],
                HOURS,
            ),
        ),
        (
            4,
            stat(
                say("Sessions", "充电次数"),
                say("Sessions that began in the range and have ended.", "所选时段内开始且已结束的充电次数。"),
                [target(only(f'SELECT count("outcome") AS "value" FROM "session" {WHERE}', PORT))],
                COUNT,
            ),
        ),
    ]


def _power(say: Say) -> Json:
    return chart(
        say("Power over time", "功率变化"),
        say("Mean and highest value of each step.", "各步长的均值与最大值。"),
        [
            *stepped(
                only(mean("port_{step}", "power_kw_mean", by=DEVICE), PORT),
                alias=f"{DEVICE_ALIAS} {say('mean', '均值')}",
            ),
            *stepped(
                only(mean("port_{step}", "power_kw_max", by=DEVICE, how="max"), PORT),
                alias=f"{DEVICE_ALIAS} {say('highest', '最大')}",
            ),
        ],
        KW,
        interval="1m",
    )


def _mains(say: Say) -> Json:
    """Return current and voltage: one phase or three, as the port measures them."""
    names = {"current": "current_a", "L1": "current_l1_a", "L2": "current_l2_a", "L3": "current_l3_a"}
    volts = {"voltage": "voltage_v", "U1": "voltage_l1_v", "U2": "voltage_l2_v", "U3": "voltage_l3_v"}

    def several(fields: dict[str, str]) -> str:
        columns = ", ".join(f'mean("{field}_mean") AS "{name}"' for name, field in fields.items())
        return only(
            f'SELECT {columns} FROM "port_{{step}}" {WHERE} GROUP BY time($__interval), {DEVICE} fill(none)', PORT
        )

    axis = second_axis("", VOLT)
    axis["matcher"] = {"id": "byRegexp", "options": "/ (voltage|U[123])$/"}
    return chart(
        say("Current and voltage", "电流与电压"),
        say("Means of each step: current left, voltage right.", "各步长的均值：左轴电流，右轴电压。"),
        [
            *stepped(several(names), alias=f"{DEVICE_ALIAS} $col"),
            *stepped(several(volts), alias=f"{DEVICE_ALIAS} $col"),
        ],
        AMP,
        interval="1m",
        overrides=[axis],
    )


def _about(language: str, say: Say) -> Json:
    return table(
        say("Ports", "充电桩"),
        say(
            "From stations.toml, with energy and silence in the range.",
            "来自 stations.toml，并附所选时段内的电量与静默时长。",
        ),
        [
            *(
                target(only(about_devices(field, "port"), PORT), table=True)
                for field in ("name", "charge_point", "rated_kw")
            ),
            target(only(last_by("port_15m", "energy_kwh", "energy", "sum"), PORT), table=True),
            target(only(last_by("port_15m", "offline_s", "offline", "sum"), PORT), table=True),
        ],
        [
            station_col(language, say),
            Col("device", say("Port", "充电桩")),
            Col("name", say("Name", "名称")),
            Col("charge_point", say("Charge point", "充电设备")),
            Col("rated_kw", say("Rated", "额定功率"), KW),
            Col("energy", say("Energy", "电量"), KWH),
            Col("offline", say("Silent", "静默时长"), DURATION),
        ],
    )


def _sessions(language: str, say: Say) -> Json:
    fields = ("session_id", "end_ms", "energy_kwh", "peak_kw", "charging_s", "idle_s", "outcome", "stop_reason")
    columns = ", ".join(f'"{name}"' for name in ("station", "device", *fields))
    query = f'SELECT {columns} FROM "session" {WHERE} ORDER BY time DESC LIMIT 500'
    return table(
        say("List of sessions", "充电记录"),
        say(
            "Sessions that began in the range and have ended, newest first.", "所选时段内开始且已结束的充电，最新在前。"
        ),
        [target(only(query, PORT), table=True)],
        [
            station_col(language, say),
            Col("device", say("Port", "充电桩")),
            Col("Time", say("Start", "开始")),
            Col("end_ms", say("End", "结束"), SINCE),
            Col("energy_kwh", say("Energy", "电量"), KWH),
            Col("peak_kw", say("Highest power", "最大功率"), KW),
            Col("charging_s", say("Charging", "充电时长"), DURATION),
            Col("idle_s", say("Idle", "占用未充电"), DURATION),
            Col("outcome", say("Outcome", "结果")),
            Col("stop_reason", say("Stopped by", "停止原因")),
        ],
    )
