"""Queries of dashboards as Grafana sends them, and the shape that its panels need of the answers."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from grafana.panels import FINE
from telemetry.times import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

if TYPE_CHECKING:
    from river.stack import Stack

Json = dict[str, Any]

MOST_ROWS, MOST_SERIES, MOST_S = 11_000, 1_000, 30.0
"""Points of a chart that a browser draws; series after which Grafana's source cuts the answer (`maxSeries`); time of
a query, far above what any takes, so that only one that has gone wrong meets it."""
_STEPS_MS = (
    *(n * SECOND_MS for n in (1, 2, 5, 10, 15, 20, 30)),
    *(n * MINUTE_MS for n in (1, 2, 5, 10, 15, 20, 30)),
    *(n * HOUR_MS for n in (1, 2, 3, 6, 12)),
    DAY_MS,
)
_UNIT_MS = {"s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}


def length_ms(text: str) -> int:
    """Return a length as Grafana writes it (`15m`)."""
    return int(text[:-1]) * _UNIT_MS[text[-1]]


def step_ms(range_ms: int, least: str | None, points: int = 1_000) -> int:
    """Return the step that Grafana chooses for a panel so many points wide: a round one, at least the panel's own."""
    wanted = range_ms / points
    chosen = min(_STEPS_MS, key=lambda step: abs(step - wanted))
    return max(chosen, length_ms(least) if least else SECOND_MS)


@dataclass(frozen=True)
class Asker:
    """An InfluxDB as Grafana's data sources see it."""

    client: httpx.Client
    to_ms: int
    """The end of every range."""

    def ask(
        self,
        query: str,
        variable: str,
        range_ms: int,
        least: str | None,
        chosen: dict[str, list[str]],
        points: int = 1_000,
    ) -> Json:
        """Fill a query as Grafana does and return its result."""
        step = step_ms(range_ms, least, points)
        text = query.replace("$timeFilter", f"time >= {self.to_ms - range_ms}ms and time <= {self.to_ms - 1}ms")
        text = text.replace("$__interval_ms", str(step)).replace("$__interval", f"{step}ms")
        for name, values in chosen.items():
            pattern = values[0] if len(values) == 1 else f"({'|'.join(values)})"
            text = text.replace(f"${{{name}:regex}}", pattern)
        assert "$" not in text.replace("$/", ""), text
        database = "voltair_raw" if FINE in variable else "voltair"
        answer = self.client.post("/query", data={"q": text, "db": database, "epoch": "ms"})
        assert answer.status_code == httpx.codes.OK, (answer.text, text)
        (result,) = answer.json()["results"]
        assert "error" not in result, (result, text)
        return result  # type: ignore[no-any-return]  # JSON is Any

    def panel(self, panel: Json, range_ms: int, chosen: dict[str, list[str]]) -> list[Json]:
        """Return the series of all queries of a panel, each with its target as `target`."""
        if "timeFrom" in panel:
            range_ms = length_ms(panel["timeFrom"])
        return [
            {**series, "target": target}
            for target in panel["targets"]
            for series in self.ask(
                target["query"], target["datasource"]["uid"], range_ms, panel.get("interval"), chosen,
                panel.get("maxDataPoints", 1_000),
            ).get("series", [])
        ]

    def options(self, board: Json, stations: list[str]) -> dict[str, list[str]]:
        """Return what the variables of a dashboard offer once these stations are chosen."""
        chosen = {"station": stations}
        for variable in board["templating"]["list"]:
            if variable["type"] == "query" and variable["name"] != "station":
                result = self.ask(variable["query"], variable["datasource"]["uid"], HOUR_MS, None, chosen)
                found = {row[1] for one in result.get("series", []) for row in one["values"]}
                chosen[variable["name"]] = sorted(found)[: None if variable["includeAll"] else 4] or ["none"]
        return chosen


@dataclass(frozen=True)
class Filled:
    """A whole Voltair with InfluxDB, filled by the simulators."""

    asker: Asker
    river: "Stack"
    """Its API knows the same days."""


def check_shape(series: Json, title: str) -> None:
    """Check that a series can be drawn: times unique and in order, something known, not too long."""
    times = [row[0] for row in series["values"]]
    assert len(times) <= MOST_ROWS, title
    if series["target"]["resultFormat"] == "time_series":
        assert times == sorted(set(times)), (title, "times repeat or jump")
    assert any(v is not None for row in series["values"] for v in row[1:]), title


def read_measurements(query: str) -> set[str]:
    """Return the measurements that a query names, patterns included."""
    return set(re.findall(r'FROM "(\w+)"', query)) | set(re.findall(r"FROM (/\S+/)", query))
