"""Files: the same rows as the JSON answers, times of the station, and a clear word where Parquet cannot be made."""

import csv
import io
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import page_day
import pyarrow
import pyarrow.parquet as pq
import pytest
from api_support import T0, Client, make_services, make_state
from river.stack import Stack

from api import export
from api.app import create_app
from telemetry.config import Config
from telemetry.times import HOUR_MS

ZONE = ZoneInfo("Asia/Shanghai")
SPAN = {"from": page_day.TO - 25 * HOUR_MS, "to": page_day.TO}
"""More than a day: sessions are told of by two pieces."""
EXPORTS = {
    "series": {"measurement": "port", "field": "power_kw", "station": "harbour", **SPAN},
    "series?step": {"measurement": "air_main", "field": "volume_m3", "station": "isle", "step": "15m", **SPAN},
    "series?text": {"measurement": "port", "field": "status", "station": "harbour", **SPAN},
    "stations/harbour/sessions": SPAN,
    "stations/harbour/uptime": SPAN,
}


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def table_of(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == export.MEDIA_TYPES["parquet"]
    return pq.read_table(io.BytesIO(answer.content))


def text(value: object) -> str:
    """Return a JSON value as it stands in a CSV cell."""
    if isinstance(value, str) and value.endswith("Z"):
        return datetime.fromisoformat(value).astimezone(ZONE).isoformat(timespec="milliseconds")
    return "" if value is None else " ".join(value) if isinstance(value, list) else str(value)


@pytest.mark.server
@pytest.mark.parametrize("name", EXPORTS)
def test_files_hold_what_json_answers(river: Stack, name: str) -> None:
    path, asked = name.partition("?")[0], EXPORTS[name]
    items = river.items(path, **{f"{k}_" if k == "from" else k: v for k, v in asked.items()})
    assert items
    rows = rows_of(river.client.get(f"/api/v1/{path}", params={**asked, "format": "csv"}))
    assert len(rows) == len(items)
    for row, item in zip(rows, items, strict=True):
        shared = {k: text(v) for k, v in item.items() if k in row}
        assert {k: row[k] for k in shared} == shared
    accept = {"accept": export.MEDIA_TYPES["parquet"]}
    table = table_of(river.client.get(f"/api/v1/{path}", headers=accept, params=asked))
    assert table.column_names == list(rows[0])
    for row, item in zip(table.to_pylist(), items, strict=True):
        for key in row.keys() & item.keys():
            value = row[key].isoformat(timespec="milliseconds") if isinstance(row[key], datetime) else row[key]
            assert text(value) == text(item[key]), key


@pytest.mark.server
def test_times_carry_the_offset_of_the_station(river: Stack) -> None:
    asked = {"measurement": "port", "field": "power_kw", "station": "harbour", "device": "p001", **SPAN}
    answer = river.client.get("/api/v1/series", params={**asked, "format": "csv"})
    assert answer.headers["content-disposition"] == 'attachment; filename="harbour-p001-port-power_kw.csv"'
    row = rows_of(answer)[0]
    assert (row["time_ms"], row["time"]) == (str(page_day.FROM), "2026-11-21T11:00:00.000+08:00")
    table = table_of(river.client.get("/api/v1/series", params={**asked, "format": "parquet"}))
    assert table.schema.field("time").type == pyarrow.timestamp("ms", "Asia/Shanghai")
    sessions = rows_of(river.client.get("/api/v1/stations/harbour/sessions", params={**SPAN, "format": "csv"}))
    assert all(s["start"].endswith("+08:00") for s in sessions)


@pytest.mark.server
def test_a_statement_as_a_file(river: Stack) -> None:
    asked = {"month": "2026-11"}
    body = river.get("stations/isle/statement", **asked)
    row = rows_of(river.client.get("/api/v1/stations/isle/statement", params={**asked, "format": "csv"}))[0]
    found = table_of(river.client.get("/api/v1/stations/isle/statement", params={**asked, "format": "parquet"}))
    assert row["line"] == "air"
    assert float(row["amount"]) == found.to_pylist()[0]["amount"] == body["customers"][0]["amount"] > 0


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    (tmp_path / "stations.toml").write_text('[stations.harbour]\nkind = "charging"\n')
    config = Config(data_dir=str(tmp_path / "data"), stations=str(tmp_path / "stations.toml"))
    make_state(config.data)
    services = make_services(config, clock=lambda: T0)
    yield Client(create_app(services), "http://127.0.0.1:8080")
    services.desk.close()


SESSIONS = "/api/v1/stations/harbour/sessions"


def test_without_rows_there_is_still_a_head(client: Client) -> None:
    answer = client.get(SESSIONS, params={"format": "csv"})
    assert answer.text.startswith("station,port,session_id,start,")
    assert rows_of(answer) == []
    assert table_of(client.get(SESSIONS, params={"format": "parquet"})).num_rows == 0


def test_a_byte_order_mark_only_where_asked(client: Client) -> None:
    assert not client.get(SESSIONS, params={"format": "csv"}).content.startswith(b"\xef\xbb\xbf")
    assert client.get(SESSIONS, params={"format": "csv", "bom": "true"}).content.startswith(b"\xef\xbb\xbfstation,")


@pytest.mark.parametrize(
    ("accept", "asked", "expected"),
    [
        ("text/csv", None, "text/csv; charset=utf-8"),
        ("text/html, text/csv;q=0.9, application/json;q=0.8", None, "text/csv; charset=utf-8"),
        ("text/html, */*", None, "application/json"),
        ("text/csv", "json", "application/json"),
    ],
)
def test_the_form_by_accept_or_parameter(client: Client, accept: str, asked: str | None, expected: str) -> None:
    answer = client.get(SESSIONS, headers={"accept": accept}, params={"format": asked} if asked else {})
    assert answer.headers["content-type"] == expected


def test_without_pyarrow_the_remedy_is_named(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as if it were not installed
    answer = client.get(SESSIONS, params={"format": "parquet"})
    assert answer.status_code == 501
    assert "voltair[parquet]" in answer.json()["detail"]
    assert "format=csv" in answer.json()["detail"]


def test_a_spreadsheet_computes_nothing_that_a_device_said() -> None:
    rows = [("=HYPERLINK(1)", -1.5), ("-2", 0.0), ("s-1", 1.0)]
    columns: dict[str, export.Type] = {"session_id": "text", "energy_kwh": "number"}
    plain, safe = (b"".join(export._csv(columns, rows, bom=bom)).decode("utf-8-sig") for bom in (False, True))
    assert [r["session_id"] for r in csv.DictReader(io.StringIO(plain))] == ["=HYPERLINK(1)", "-2", "s-1"]
    found = list(csv.DictReader(io.StringIO(safe)))
    assert [r["session_id"] for r in found] == ["'=HYPERLINK(1)", "'-2", "s-1"]
    assert [r["energy_kwh"] for r in found] == ["-1.5", "0.0", "1.0"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_rows_are_asked_for_as_they_are_sent(kind: export.Format) -> None:
    """A table of any length: no more of it is taken than one piece ahead of what was sent."""
    taken = 0

    def endless() -> Iterator[tuple[int, float]]:
        nonlocal taken
        while True:
            taken += 1
            yield taken, taken / 7

    columns: dict[str, export.Type] = {"a": "integer", "b": "number"}
    if kind == "csv":
        pieces, rows = export._csv(columns, endless(), bom=False), 1_000
    else:
        pieces, rows = export._parquet(columns, endless(), ZoneInfo("UTC")), 50_000
    sizes = []
    for n in range(1, 6):
        sizes.append(len(next(pieces)))
        assert taken == n * rows
    assert max(sizes) < 2 * min(sizes)
