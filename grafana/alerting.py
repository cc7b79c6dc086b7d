"""A small pack of Grafana alert rules, about stale data only: what is wrong at stations Voltair says itself."""

from grafana.panels import Json

RANGE_S = 21_600
"""Time that a rule looks back: a station that fell silent longer ago has been told of."""
LATE_S = 300
"""Rows may come so late; the end of the range lies so far back."""
SOURCE = "voltair-raw"
"""Uid of the data source; rules know no variables."""
EXPRESSIONS = "__expr__"
"""Uid of Grafana's own expressions."""
RUN = "See whether Voltair's roles and InfluxDB run (/readyz)."
CHECK = "请检查 Voltair 各进程与 InfluxDB 是否运行（/readyz）。"
BOARD = "voltair-health-en"


def alert_pack(panel: int) -> Json:
    """Return the rules as a provisioning file; `panel` is the one of the board Data health that they lead to."""
    kinds = (("charging_station_1m", "charging stations", "充电站"), ("air_station_1m", "air stations", "压缩空气站"))
    rules = [
        _rule(
            f"voltair-stale-{name.split('_')[0]}",
            f"Voltair: no rows of {en}",
            f'SELECT count("coverage") AS "rows" FROM "{name}" WHERE $timeFilter GROUP BY time(5m), "station" fill(0)',
            panel,
            no_data="OK",  # there may be no station of the kind
            summary="No key figures of {{ $labels.station }} for 10 minutes",
            remedy=f"{RUN} {zh} {{{{ $labels.station }}}} 已有 10 分钟没有数据，{CHECK}",
        )
        for name, en, zh in kinds
    ]
    nothing = _rule(
        "voltair-stale-all",
        "Voltair: no rows at all",
        'SELECT count("coverage") AS "rows" FROM /^(charging|air)_station_1m$/ WHERE $timeFilter '
        "GROUP BY time(5m) fill(0)",
        panel,
        no_data="Alerting",
        summary="No key figures of any station for 10 minutes",
        remedy=f"{RUN} 所有站点已有 10 分钟没有数据，{CHECK}",
    )
    group = {"folder": "Voltair", "interval": "1m", "name": "voltair-data", "orgId": 1, "rules": [*rules, nothing]}
    return {"apiVersion": 1, "groups": [group]}


def _rule(uid: str, title: str, query: str, panel: int, *, no_data: str, summary: str, remedy: str) -> Json:
    """Return a rule that fires where the last step of the query counts nothing."""
    return {
        "annotations": {"summary": summary, "description": remedy},
        "condition": "C",
        "dashboardUid": BOARD,
        "data": [
            {
                "refId": "A",
                "datasourceUid": SOURCE,
                "relativeTimeRange": {"from": RANGE_S, "to": LATE_S},
                "model": {
                    "alias": "",
                    "datasource": {"type": "influxdb", "uid": SOURCE},
                    "intervalMs": 60_000,
                    "maxDataPoints": 1_000,
                    "query": query,
                    "rawQuery": True,
                    "refId": "A",
                    "resultFormat": "time_series",
                },
            },
            _expression("B", "reduce", "A", reducer="last", settings={"mode": "dropNN"}),
            _expression("C", "threshold", "B", conditions=[{"evaluator": {"params": [1], "type": "lt"}}]),
        ],
        "execErrState": "KeepLast",
        "for": "5m",
        "isPaused": False,
        "labels": {"source": "grafana", "subject": "stale-data"},
        "noDataState": no_data,
        "panelId": panel,
        "title": title,
        "uid": uid,
    }


def _expression(ref: str, kind: str, of: str, **more: object) -> Json:
    model = {
        "datasource": {"type": EXPRESSIONS, "uid": EXPRESSIONS},
        "expression": of,
        "refId": ref,
        "type": kind,
        **more,
    }
    return {
        "refId": ref,
        "datasourceUid": EXPRESSIONS,
        "relativeTimeRange": {"from": RANGE_S, "to": LATE_S},
        "model": model,
    }
