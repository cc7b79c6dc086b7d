"""The table of every panel with its queries and answers in the documentation: made here, its queries compared."""

import os
from typing import Any

import pytest
from grafana_asks import Filled, Json, length_ms
from grafana_day import STATIONS

from grafana.__main__ import HERE
from grafana.boards import boards

PAGE = HERE.parent / "docs" / "grafana-panels.md"
HEAD = """# Every panel: what it asks and what is answered

Made by `VOLTAIR_WRITE_ANSWERS=1 ./dev test tests/grafana/test_answers.py`, which compares panels and queries:
two charging stations and two air stations by the simulators (`tests/grafana_day.py`), through a whole Voltair
into InfluxDB 1.6.7; all stations chosen, the range of each dashboard (a month for the report). Of queries for
rows of three widths the one stands here that the range reads. Numbers are cut to four digits; the answers are
those of one run.
"""


def shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("|", "\\|")


def answer(series: list[Json]) -> str:
    """Return how much was answered, and the end of the first series."""
    first, rows = series[0], sum(len(s["values"]) for s in series)
    known = [row for row in first["values"] if any(v is not None for v in row[1:])]
    columns = zip(first["columns"][1:], known[-1][1:], strict=True)
    words = [f"{k} = {shown(v)}" for k, v in [*first.get("tags", {}).items(), *columns] if v not in (None, "")]
    return f"{len(series)} series, {rows} rows; the last of the first: {', '.join(words)}"


def table(filled: Filled) -> str:
    lines = [HEAD]
    for board in boards("en").values():
        lines += [f"## {board['title'].removeprefix('Voltair: ').capitalize()}", "", board["description"], ""]
        lines += ["| panel | query | answer |", "| --- | --- | --- |"]
        start = board["time"]["from"].removeprefix("now-")
        range_ms = length_ms("30d" if "M" in start else start)
        chosen = filled.asker.options(board, list(STATIONS))
        for panel in board["panels"]:
            found = filled.asker.panel(panel, range_ms, chosen)
            about = f"**{panel['title']}**: {panel['description']}"
            parts = []
            for target in panel["targets"]:
                mine = [s for s in found if s["target"] is target]
                if mine:
                    parts.append((target["query"].replace("|", "\\|"), answer(mine)))
            lines += [
                f"| {about if i == 0 else ''} | `{query}` | {said} |"
                for i, (query, said) in enumerate(parts)
            ]
        lines.append("")
    return "\n".join(lines)


def asked(page: str) -> list[str]:
    """Return the page without its answers: which alerts have ended at the day's end is not the same in each run."""
    return [line.removesuffix("|").rpartition(" | ")[0] if line.startswith("|") else line for line in page.splitlines()]


@pytest.mark.server
def test_the_documented_panels_and_queries_are_those_of_today(filled: Filled) -> None:
    now = table(filled)
    if os.environ.get("VOLTAIR_WRITE_ANSWERS"):
        PAGE.write_text(now, "utf-8")
    assert asked(PAGE.read_text("utf-8")) == asked(now), "run this test with VOLTAIR_WRITE_ANSWERS=1"
