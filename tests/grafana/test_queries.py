"""Every query of every dashboard on a real InfluxDB, filled by our own line protocol."""

from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from naive.windows import runs_of
from servers import influxd

from analytics.publish import alert_row, device_rows, station_rows
from analytics.window import Window
from grafana.boards import LANGUAGES, boards
from store.buckets import Buckets, empty_of
from store.journal import DeviceKey
from store.raw_points import frame_points
from store.schema import is_fine
from telemetry.channels import PORT, PORT_STATUS
from telemetry.frame import Frame
from telemetry.points import Points
from telemetry.registry import registry_from_tables
from telemetry.times import DAY_MS, MINUTE_MS
from wire.line_protocol import to_lines

pytestmark = pytest.mark.server

NOW_MS = 1_795_316_400_000
"""The end of every range; a whole hour."""
START_MS = NOW_MS - DAY_MS
RANGES = {"1h": (1, "1m"), "24h": (24, "15m"), "30d": (720, "6h")}
"""Range -> hours, and the step that Grafana would choose."""
STATIONS = {"harbour": "charging", "pier": "charging", "isle": "air"}
CHOICES = {"one": ["harbour", "isle"], "all": [*STATIONS]}


def minutes(devices: dict[str, dict[str, int]], every: dict[str, int] | None = None) -> Buckets:
    """Return a day of minute buckets with the same columns in each minute, of some devices only every nth one."""
    starts = np.arange(START_MS, NOW_MS, MINUTE_MS)
    parts = [(i, starts[:: (every or {}).get(name, 1)]) for i, name in enumerate(devices)]
    names = {column for columns in devices.values() for column in columns}
    rows = [(np.full(len(times), i), times) for i, times in parts]
    values = list(devices.values())
    return Buckets(
        tuple(devices),
        np.concatenate([r[0] for r in rows]),
        np.concatenate([r[1] for r in rows]),
        np.full(sum(len(t) for _, t in rows), MINUTE_MS),
        {
            c: np.concatenate([np.full(len(t), values[i].get(c, empty_of(c))) for i, t in parts])
            for c in sorted(names)
        },
    )


def gauge(name: str, value: float) -> dict[str, int]:
    at = round(1e6 * value)
    extremes = {f"{name}_{what}": at for what in ("min", "max", "last")}
    return {f"{name}_i": at * MINUTE_MS, f"{name}_ms": MINUTE_MS, f"{name}_last_ms": NOW_MS, **extremes}


def machine(state: str, power_kw: float, **more: int) -> dict[str, int]:
    energy_n = round(1e9 * power_kw / 60)
    return {
        "heard_ms": MINUTE_MS,
        f"{state}_ms": MINUTE_MS,
        "energy_n": energy_n,
        "energy_ms": MINUTE_MS,
        **gauge("power_kw", power_kw),
        **more,
    }


def window_of(station: str, kind: str, by_kind: dict[str, Buckets], states: dict[str, dict[str, str]]) -> Window:
    table: dict[str, Any] = {"kind": kind, "timezone": "Asia/Shanghai"}
    registry = registry_from_tables({"stations": {station: table}}, "test")
    return Window(
        station=registry.stations[station],
        listed=True,
        from_ms=START_MS,
        to_ms=NOW_MS,
        now_ms=NOW_MS,
        minutes=by_kind,
        runs={
            k: runs_of(
                [{"device": d, "state": s, "start_ms": START_MS, "end_ms": NOW_MS} for d, s in states[k].items()]
            )
            for k in states
        },
        first_heard_ms={(k, d): START_MS for k, rows in by_kind.items() for d in rows.devices},
        last_heard_ms={(k, d): NOW_MS for k, rows in by_kind.items() for d in rows.devices},
        deaf_ms=np.empty((0, 2), np.int64),
    )


def seed() -> Iterator[Points]:
    """Return a day of two charging stations and an air station, as analytics publishes them."""
    windows = [
        window_of(
            station,
            "charging",
            {
                "port": minutes(
                    {"p1": machine("Charging", 7.0, in_charge_ms=MINUTE_MS), "p2": machine("Faulted", 0.0)}
                )
            },
            {"port": {"p1": "Charging", "p2": "Faulted"}},
        )
        for station in ("harbour", "pier")
    ]
    flow = {"volume_n": 48 * 10**9, "volume_ms": MINUTE_MS, "heard_ms": MINUTE_MS}
    # c2 is known every other minute only: the ratio must leave the other minutes out of both of its sums.
    by_kind = {
        "compressor": minutes(
            {"c1": machine("loaded", 150.0, loaded_ms=40_000, unloaded_ms=20_000), "c2": machine("loaded", 150.0)},
            {"c2": 2},
        ),
        "air_main": minutes({"main": {**flow, **gauge("flow_m3_min", 48), **gauge("pressure_bar", 6.8)}}),
        "air_meter": minutes({"am1": {**flow, **gauge("flow_m3_min", 18)}}),
        "dryer": minutes({"d1": {"heard_ms": MINUTE_MS, "running_ms": MINUTE_MS, **gauge("dew_point_c", 3.5)}}),
    }
    windows.append(window_of("isle", "compressed_air", by_kind, {"compressor": {"c1": "loaded", "c2": "loaded"}}))
    for window in windows:
        for width in ("1m", "15m", "1h"):
            yield from station_rows(window, width)
            yield from device_rows(window, width)
    for i, (station, device, rule) in enumerate(
        (("harbour", "p2", "port_faulted"), ("isle", "main", "leak_level"), ("pier", None, "station_offline"))
    ):
        fired_ms = NOW_MS - MINUTE_MS * (i + 1)
        yield alert_row(
            {
                "station": station,
                "device": device,
                "rule": rule,
                "severity": "warning",
                "category": "fault",
                "state": "resolved" if i == 0 else "firing",
                "time_ms": fired_ms + 30_000 * (i == 0),
                "fired_ms": fired_ms,
                "resolved_ms": fired_ms + 30_000 if i == 0 else None,
                "summary": {"en": rule, "zh": "告警"},
                "remedy": {"en": "Look.", "zh": "查看。"},
            }
        )
    yield raw_port()


def raw_port() -> Points:
    """Return raw readings as ingest would store them."""
    n = 10
    values = np.full((n, len(PORT.values)), np.nan)
    values[:, PORT.value_index["power_kw"]] = 7.0
    codes = np.full((n, len(PORT.codes)), -1, np.int32)
    codes[:, PORT.code_index["status"]] = PORT_STATUS.index("Charging")
    time_ms = NOW_MS - 1000 * np.arange(n, 0, -1)
    frame = Frame(PORT, np.zeros(n, np.int32), time_ms, np.arange(n), np.zeros(n, np.uint16), values, codes, ())
    return frame_points(frame, [DeviceKey("harbour", "port", "p1")])


@pytest.fixture(scope="module")
def influx() -> Iterator[httpx.Client]:
    with influxd() as server, httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
        for database in ("voltair", "voltair_raw"):
            client.post("/query", params={"q": f'CREATE DATABASE "{database}"'}).raise_for_status()
        for points in seed():
            database = "voltair_raw" if is_fine(points.measurement) else "voltair"
            lines = to_lines(points)
            for at in range(0, len(lines), 20_000):
                body = "\n".join(lines[at : at + 20_000]).encode()
                answer = client.post("/write", params={"db": database, "precision": "ns"}, content=body)
                assert answer.status_code == 204, answer.text
        yield client


def asked(
    client: httpx.Client, query: str, variable: str, hours: int, step: str, stations: list[str]
) -> dict[str, Any]:
    """Fill a query as Grafana does and return the first result."""
    time_filter = f"time >= {NOW_MS - hours * 3_600_000}ms and time <= {NOW_MS}ms"
    text = query.replace("$timeFilter", time_filter).replace("$__interval", step)
    text = text.replace("${station:regex}", f"({'|'.join(stations)})" if len(stations) > 1 else stations[0])
    assert "$" not in text.replace("$/", ""), text
    database = "voltair_raw" if variable == "${datasource_raw}" else "voltair"
    answer = client.post("/query", data={"q": text, "db": database, "epoch": "ms"})
    assert answer.status_code == 200, (answer.text, text)
    (result,) = answer.json()["results"]
    assert "error" not in result, (result, text)
    return result  # type: ignore[no-any-return]  # JSON is Any


QUERIES = [
    pytest.param(name, panel["title"], target, id=f"{name}-{panel['id']}{target['refId']}")
    for name, board in boards("en").items()
    for panel in board["panels"]
    for target in panel["targets"]
]


@pytest.mark.parametrize(("name", "title", "target"), QUERIES)
def test_a_panel_query_answers(influx: httpx.Client, name: str, title: str, target: dict[str, Any]) -> None:
    for label, (hours, step) in RANGES.items():
        # One-minute rows are kept for days only; in a long range they still answer.
        for choice, stations in CHOICES.items():
            result = asked(influx, target["query"], target["datasource"]["uid"], hours, step, stations)
            series = result.get("series", [])
            assert series, (name, title, label, choice, target["query"])
            for one in series:
                times = [row[0] for row in one["values"]]
                assert len(times) <= 11_000
                ordered = sorted(set(times), reverse="DESC" in target["query"])
                assert times == ordered, (title, "times repeat or jump")
                assert any(v is not None for row in one["values"] for v in row[1:]), title


def test_every_state_of_the_timeline_is_mapped(influx: httpx.Client) -> None:
    for language in LANGUAGES:
        for name, states in (("charging.json", {"Charging", "Faulted"}), ("air.json", {"loaded", "Unknown"})):
            panel = next(p for p in boards(language)[name]["panels"] if p["type"] == "state-timeline")
            result = asked(influx, panel["targets"][0]["query"], "${datasource_raw}", 1, "1m", [*STATIONS])
            shown = {row[1] for one in result["series"] for row in one["values"]}
            assert shown == states
            assert shown <= set(panel["fieldConfig"]["defaults"]["mappings"][0]["options"])


def test_ports_of_two_stations_with_one_id_are_two(influx: httpx.Client) -> None:
    for panel in boards("en")["charging.json"]["panels"]:
        for target in panel["targets"]:
            if '"device"' in target["query"] and 'sum("mean")' not in target["query"]:
                result = asked(influx, target["query"], target["datasource"]["uid"], 1, "1m", [*STATIONS])
                found = {(one["tags"]["station"], one["tags"]["device"]) for one in result["series"]}
                assert found == {(s, d) for s in ("harbour", "pier") for d in ("p1", "p2")}, panel["title"]


def headline(client: httpx.Client, board: str, title: str, hours: int = 24, step: str = "15m") -> float:
    panel = next(p for p in boards("en")[board]["panels"] if p["title"] == title)
    (target,) = panel["targets"]
    result = asked(client, target["query"], target["datasource"]["uid"], hours, step, [*STATIONS])
    return float(result["series"][0]["values"][-1][1])


def test_headlines_are_right(influx: httpx.Client) -> None:
    assert headline(influx, "home.json", "Charging power", 1, "1m") == pytest.approx(
        14.0
    )  # one port at each of two stations
    assert headline(influx, "home.json", "Charging power", 24, "15m") == pytest.approx(14.0)  # whatever the step
    assert headline(influx, "home.json", "Occupied share") == pytest.approx(0.5)
    assert headline(influx, "home.json", "Ports faulted", 1, "1m") == pytest.approx(2.0)
    assert headline(influx, "home.json", "Ports offline", 1, "1m") == 0.0
    assert headline(influx, "home.json", "Energy per m³") == pytest.approx(300 / 60 / 48)  # of the known minutes
    assert headline(influx, "air.json", "Air supplied", 1) == pytest.approx(60 * 48)
    assert headline(influx, "charging.json", "Energy", 1) == pytest.approx(2 * 7)


def test_a_dashboard_variable_lists_its_stations(influx: httpx.Client) -> None:
    for name, want in (
        ("home.json", set(STATIONS)),
        ("charging.json", {"harbour", "pier"}),
        ("air.json", {"isle"}),
    ):
        variable = next(v for v in boards("en")[name]["templating"]["list"] if v["type"] == "query")
        result = asked(influx, variable["query"], "${datasource}", 1, "1m", [*STATIONS])
        assert {row[1] for one in result["series"] for row in one["values"]} == want


def test_the_alert_layer_answers(influx: httpx.Client) -> None:
    for board in boards("zh").values():
        (layer,) = board["annotations"]["list"]
        result = asked(influx, layer["query"], layer["datasource"]["uid"], 1, "1m", [*STATIONS])
        columns = result["series"][0]["columns"]
        assert {layer["titleColumn"], layer["textColumn"], layer["tagsColumn"], layer["timeEndColumn"]} <= set(
            columns
        )
        assert len(result["series"][0]["values"]) == 4  # firing three times, resolved once


def test_the_check_itself_finds_a_misspelt_field(influx: httpx.Client) -> None:
    query = 'SELECT mean("flow_mean") FROM "air_main_1m" WHERE $timeFilter'
    assert "series" not in asked(influx, query, "${datasource_raw}", 1, "1m", ["isle"])
