"""The client against a whole running Voltair and its OpenAPI document: no call or parameter that is not there."""

import inspect
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import page_day
import pyarrow.parquet as pq
import pytest
from river.stack import Stack

from telemetry.times import DAY_MS, to_datetime
from voltair.client import ApiError, Client

pytestmark = pytest.mark.server

SPAN = {"from_": to_datetime(page_day.TO - DAY_MS), "to": page_day.TO}
CALLS: dict[str, Callable[[Client], Any]] = {
    "stations": lambda c: list(c.stations()),
    "station": lambda c: c.station("harbour"),
    "kpis": lambda c: c.kpis("harbour", **SPAN),
    "groups": lambda c: list(c.groups()),
    "group": lambda c: c.group("zhoushan"),
    "group_kpis": lambda c: c.group_kpis("zhoushan", **SPAN),
    "sessions": lambda c: list(c.sessions("harbour", **SPAN)),
    "uptime": lambda c: list(c.uptime("harbour", **SPAN)),
    "uptime_year": lambda c: list(c.uptime_year("harbour", "2026-11")),
    "nevi": lambda c: c.nevi("harbour", "2026-Q4", "outages"),
    "leaks": lambda c: c.leaks("isle", **SPAN),
    "energy_code": lambda c: c.energy_code("isle", **SPAN),
    "statement": lambda c: c.statement("isle", "2026-11"),
    "issue_statement": lambda c: c.issue_statement("isle", "2026-10"),
    "advice": lambda c: c.advice("isle"),
    "planning": lambda c: c.planning("harbour", ports=4, **SPAN),
    "rules": lambda c: list(c.rules("harbour")),
    "series": lambda c: list(
        c.series("port", "power_kw", station="harbour", device="p001", step="1h", agg="max", **SPAN)
    ),
    "alerts": lambda c: list(
        c.alerts(station="harbour", state="firing", severity="critical", category="fault", rule="port_faulted", **SPAN)
    ),
    "alert": lambda c: c.alert(next(c.alerts()).id),
    "acknowledge": lambda c: c.acknowledge("nobody", "Li", "on my way"),
    "mark_repaired": lambda c: c.mark_repaired("nobody", "Li", "gasket changed"),
    "events": lambda c: list(c.events(after=1)),
    "silences": lambda c: list(c.silences()),
    "exclusions": lambda c: list(c.exclusions("harbour")),
    "webhooks": lambda c: list(c.webhooks()),
    "webhook": lambda c: c.webhook("nobody"),
    "deliveries": lambda c: list(c.deliveries("nobody", "pending")),
    "stream": lambda c: [next(c.stream())],
    "progress": lambda c: c.progress(),
    "dead_letters": lambda c: list(c.dead_letters()),
    "audit": lambda c: list(c.audit()),
    "live": lambda c: c.live(),
    "readiness": lambda c: c.readiness(),
    "metrics": lambda c: c.metrics(),
}
NOT_THERE = {"acknowledge", "mark_repaired", "webhook", "deliveries"}
"""No endpoint is configured, and the alerts of this Voltair are left to the tests of the page."""


@pytest.fixture(scope="module")
def client(river: Stack) -> Iterator[Client]:
    with Client(str(river.client.base_url)) as made:
        yield made


def test_every_documented_get_has_a_method_that_asks_only_for_what_is_there(river: Stack, client: Client) -> None:
    public = {n for n, _ in inspect.getmembers(Client, inspect.isfunction) if not n.startswith("_")}
    assert public - {"close", "save"} == CALLS.keys()
    sent: list[httpx.Request] = []
    client.http.event_hooks["request"].append(sent.append)
    for name, call in CALLS.items():
        if name in NOT_THERE:
            with pytest.raises(ApiError, match="404: there is no") as refused:
                call(client)
            assert refused.value.status == 404
        else:
            assert call(client) is not None, name
    client.http.event_hooks["request"].remove(sent.append)
    document = river.client.get("/openapi.json").json()["paths"]
    asked = set()
    for request in sent:
        path = next(p for p in document if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", p), request.url.path))
        operation = document[path][request.method.lower()]
        assert request.url.params.keys() <= {p["name"] for p in operation.get("parameters", [])}, request.url
        asked.add((request.method, path))
    assert {path for path, operations in document.items() if "get" in operations} == {p for m, p in asked if m == "GET"}


def test_answers_have_types(client: Client) -> None:
    assert [s.station for s in client.stations()][:2] == ["harbour", "isle"]
    station = client.station("harbour")
    assert station.device_counts.total == len(station.devices) == 3
    assert station.now.tzinfo is not None
    assert client.kpis("harbour", **SPAN).from_ == SPAN["from_"]
    sessions = list(client.sessions("harbour", **SPAN))
    assert sessions
    assert all(isinstance(s.start, datetime) and s.start < s.end for s in sessions if s.end)
    port = next(p for p in client.uptime("harbour", **SPAN) if p.port == "p003")
    assert [o.cause for o in port.outages] == ["faulted"]
    assert client.alert(next(client.alerts(rule="port_faulted")).id).summary.keys() == {"en", "zh"}
    assert [e.n for e in client.events(after=1)] == sorted(e.n for e in client.events())[1:]


def test_lists_go_on_page_by_page(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    values = list(client.series("port", "power_kw", station="harbour", from_=page_day.FROM, to=page_day.TO))
    assert len(values) == 3 * 25 * 60
    get, cursors = client._get, []

    def small(call: str, type_: Any, **asked: Any) -> Any:
        cursors.append(asked["cursor"])
        return get(call, type_, **asked, limit=1_000)

    monkeypatch.setattr(client, "_get", small)
    paged = list(client.series("port", "power_kw", station="harbour", from_=page_day.FROM, to=page_day.TO))
    assert paged == values
    assert cursors == [None, "1000", "2000", "3000", "4000"]


def test_files_are_whole_or_not_there(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "sessions.parquet"
    client.save("stations/harbour/sessions", file, **SPAN)
    assert pq.read_table(file).num_rows == len(list(client.sessions("harbour", **SPAN)))
    with pytest.raises(ApiError, match="nope"):
        client.save("series", tmp_path / "x.csv", measurement="nope", field="x")
    assert not (tmp_path / "x.csv").exists()


def test_the_example_of_the_documentation_runs(
    river: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "client.md").read_text("utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(example.replace("http://127.0.0.1:8080", str(river.client.base_url)), {})  # noqa: S102 - our own page
    said = capsys.readouterr().out
    refused = re.search(r"print\(error\)  # (.*)", example)
    assert refused
    assert refused[1] in said
    assert "harbour p003" in said
    assert (tmp_path / "sessions.csv").read_text("utf-8").startswith("station,port,")
