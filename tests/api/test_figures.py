"""Calls that answer figures: windows, shapes, pages, maintenance windows."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from api_support import T0, Client, Clock, make_services, make_state, put_ports

from api.app import create_app
from api.services import Services
from store.series_sqlite import SqliteSeries
from store.sqlite import connect
from telemetry.config import Config
from telemetry.points import Points

MINUTE = 60_000
FLOOR = T0 - T0 % MINUTE


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    (tmp_path / "stations.toml").write_text(
        '[stations.harbour]\nkind = "charging"\ngroups = ["all"]\n'
        '[[stations.harbour.ports]]\nid = "p001"\nrated_kw = 7\n[[stations.harbour.ports]]\nid = "p002"\n'
        '[stations.isle]\nkind = "compressed_air"\ngroups = ["all", "air"]\n'
    )
    config = Config(data_dir=str(tmp_path / "data"), stations=str(tmp_path / "stations.toml"))
    make_state(config.data)
    made = make_services(config, clock=Clock())
    # p001 has said Charging 10 min ago and holds its state for as long; p002 was never heard.
    port = {"newest_ms": T0 - 10 * MINUTE, "state": "Charging", "hold_ms": 20 * MINUTE}
    put_ports(config.data, "harbour", {"p001": port})
    db = connect(config.data / "state.db")
    db.execute("UPDATE station SET now_ms = ?", (T0,))
    db.close()
    yield made
    made.desk.close()


@pytest.fixture
def client(services: Services) -> Client:
    return Client(create_app(services), "http://127.0.0.1:8080")


def get(client: Client, path: str, **params: Any) -> Any:
    answer = client.get(f"/api/v1/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_key_figures_of_the_last_day_by_default(client: Client) -> None:
    found = get(client, "stations/harbour/kpis")
    assert (found["station"], found["kind"]) == ("harbour", "charging")
    assert (found["from"], found["to"]) == ("2026-11-17T11:06:00.000Z", "2026-11-18T11:06:00.000Z")
    kpis = found["kpis"]
    assert kpis["window_h"] == 48.0
    assert kpis["occupied_h"] == pytest.approx((10 * MINUTE - (T0 - FLOOR)) / 3_600_000)
    assert found["coverage"] == pytest.approx(kpis["known_h"] / 48.0)
    assert {d["device"] for d in found["devices"]} == {"p001", "p002"}
    assert set(found["reasons"]) == {name for name, value in kpis.items() if value is None}


@pytest.mark.parametrize(
    ("from_", "to"),
    [(FLOOR - 5 * MINUTE, FLOOR), ("2026-11-18T19:01:00+08:00", "2026-11-18T11:06:00Z")],
)
def test_windows_take_both_forms_of_time(client: Client, from_: Any, to: Any) -> None:
    found = get(client, "stations/harbour/kpis", **{"from": from_, "to": to})
    assert (found["from"], found["to"]) == ("2026-11-18T11:01:00.000Z", "2026-11-18T11:06:00.000Z")
    port = next(d for d in found["devices"] if d["device"] == "p001")
    assert (port["kpis"]["occupied_utilisation"], port["coverage"]) == (1.0, 1.0)


def test_a_window_inside_a_minute_is_that_minute(client: Client) -> None:
    found = get(client, "stations/harbour/kpis", **{"from": FLOOR - 30_000, "to": FLOOR - 29_000})
    assert (found["from"], found["to"]) == ("2026-11-18T11:05:00.000Z", "2026-11-18T11:06:00.000Z")


def test_groups(client: Client) -> None:
    mixed = get(client, "groups/all/kpis")
    assert mixed["kind"] == "mixed"
    assert set(mixed["kinds"]) == {"charging", "compressed_air"}
    assert mixed["kinds"]["charging"]["kpis"]["window_h"] == 48.0
    assert [s["station"] for s in mixed["stations"]] == ["harbour", "isle"]
    one = get(client, "groups/air/kpis")
    assert (one["kind"], one["group"]) == ("compressed_air", "air")
    assert "energy_kwh" in one["kpis"]


def test_leaks_are_of_air_stations(client: Client) -> None:
    found = get(client, "stations/isle/leaks")
    assert set(found) == {"fused", "methods", "repairs"}
    assert client.get("/api/v1/stations/harbour/leaks").status_code == 422


def test_codes_and_advice_of_an_air_station(services: Services, client: Client) -> None:
    codes = get(client, "stations/isle/energy-code")
    assert codes["items"] == [{"subject": "station", "code": "grey", "reasons": []}]
    assert client.get("/api/v1/stations/harbour/energy-code").status_code == 422
    assert get(client, "stations/isle/advice")["at"] is None
    record = {"station": "isle", "kind": "compressed_air", "at": "2026-11-18T11:06:00.000Z", "items": [], "reasons": {}}
    db = connect(services.config.data / "state.db")
    db.execute("INSERT INTO advice VALUES('isle', ?, ?)", (T0, msgspec.json.encode(record)))
    db.close()
    assert get(client, "stations/isle/advice") == record


def test_issuing_waits_for_the_end_of_the_month(client: Client) -> None:
    draft = get(client, "stations/isle/statement", month="2026-11")
    assert (draft["issued"], draft["version"], draft["customers"]) == (None, 0, [])
    answer = client.post("/api/v1/stations/isle/statement?month=2026-11", json={})
    assert answer.status_code == 409
    assert "is not over" in answer.json()["detail"]
    issued = client.post("/api/v1/stations/isle/statement?month=2026-10", json={})
    assert (issued.status_code, issued.json()["version"]) == (201, 1)
    assert get(client, "stations/isle/statement", month="2026-10") == issued.json()


def test_uptime_and_its_maintenance_windows(client: Client) -> None:
    found = get(client, "stations/harbour/uptime")["items"]
    assert {p["port"] for p in found} == {"p001", "p002"}
    assert set(found[0]) == {"port", "minutes", "outage_min", "excluded_min", "uptime", "outages"}
    answer = client.get("/api/v1/stations/harbour/uptime?format=csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-type"].startswith("text/csv")
    assert [r["port"] for r in rows] == [p["port"] for p in found]


def test_sessions_page(client: Client) -> None:
    assert get(client, "stations/harbour/sessions", limit=5) == {"items": [], "next_cursor": None}


def test_before_analytics_has_begun(tmp_path: Path, services: Services, client: Client) -> None:
    (services.config.data / "state.db").unlink()
    answer = client.get("/api/v1/stations/harbour/kpis")
    assert answer.status_code == 503
    assert "voltair analytics" in answer.json()["detail"]
    assert client.get("/api/v1/stations").status_code == 200


def test_series_out_of_the_embedded_store(services: Services, client: Client) -> None:
    times = np.arange(FLOOR - 4 * MINUTE, FLOOR, MINUTE // 2)
    power = np.arange(len(times), dtype=np.float64)
    tags = {"station": ("harbour",) * len(times), "device": ("p001",) * len(times)}
    seq = np.full(len(times), -1)
    db = connect(services.config.data / "series.db")
    series = SqliteSeries(db)
    db.execute("BEGIN")
    series.put([Points("port", tags, times, seq, {"power_kw": power})])
    db.execute("COMMIT")
    db.close()
    plain = {"measurement": "port", "field": "power_kw", "station": "harbour"}
    items = get(client, "series", **plain)["items"]
    assert items[0] == {"time_ms": int(times[0]), "station": "harbour", "device": "p001", "value": 0.0}
    assert len(items) == 8
    first = get(client, "series", **plain, limit=5)
    assert first["next_cursor"] == "5"
    rest = get(client, "series", **plain, limit=5, cursor="5")
    assert first["items"] + rest["items"] == items
    means = get(client, "series", **plain, step="1m")["items"]
    assert [i["value"] for i in means] == [0.5, 2.5, 4.5, 6.5]
    highest = get(client, "series", **plain, step="60000", agg="max")["items"]
    assert [i["value"] for i in highest] == [1.0, 3.0, 5.0, 7.0]


def test_a_year_of_uptime_by_calendar_months(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "stations.toml"
    file.write_text(file.read_text().replace('id = "p001"', 'id = "p001"\ncommissioned = 2026-10-15'))
    items = get(client, "stations/harbour/uptime/year")["items"]
    assert [p["port"] for p in items] == ["p001", "p002"]
    assert len(items[0]["months"]) == 12
    assert items[0]["minutes"] == pytest.approx(sum(m["minutes"] for m in items[0]["months"]))
    # In service since 15 October, first heard now: all of that was an outage.
    lost_min = (T0 - 1_792_022_400_000) / MINUTE
    assert items[0]["outage_min"] == items[0]["minutes"] == pytest.approx(lost_min, abs=1)
    assert items[0]["uptime"] == 0
    assert items[0]["uptime_nevi"] == pytest.approx((525_600 - lost_min) / 525_600, abs=1e-5)
    # Never heard and without a date of commissioning: no minute counts.
    assert items[1]["uptime_nevi"] is None
    text = client.get("/api/v1/stations/harbour/uptime/year?format=csv").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 24
    assert set(rows[0]) == {"station", "port", "month", "minutes", "outage_min", "excluded_min", "uptime"}
    assert client.get("/api/v1/stations/harbour/uptime/year?month=2026-13").status_code == 422
    assert client.get("/api/v1/stations/isle/uptime/year").status_code == 422


@pytest.mark.parametrize("table", ["sessions", "uptime", "outages"])
def test_the_quarterly_tables(client: Client, table: str) -> None:
    answer = get(client, "stations/harbour/nevi", quarter="2024-Q4", table=table)
    assert answer["quarter"] == "2024-Q4"
    text = client.get(f"/api/v1/stations/harbour/nevi?quarter=2024-Q4&table={table}&format=csv").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(answer["items"])
    if table == "uptime":
        assert [(r["port"], r["month"]) for r in rows] == [
            (p, f"2024-{m}") for m in (10, 11, 12) for p in ("p001", "p002")
        ]
    assert client.get("/api/v1/stations/harbour/nevi?quarter=2024-4").status_code == 422


def test_planning_needs_weeks_and_ports_of_a_charging_station(client: Client) -> None:
    found = get(client, "stations/harbour/planning", ports=4)
    assert found["estimated"]
    assert found["items"] == []
    assert "ask for a longer window" in found["reasons"]["planning"]
    assert client.get("/api/v1/stations/isle/planning").status_code == 422
    assert client.get("/api/v1/stations/harbour/planning?ports=0").status_code == 422
