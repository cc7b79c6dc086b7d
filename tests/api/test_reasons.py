"""Reasons in the reader's language, by the API and by the page, from one list of sentences."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from api_support import T0, Client, Clock, make_services, make_state, put_ports
from playwright.sync_api import Page

from api.app import create_app
from api.health import readiness
from api.page import STATIC
from api.reasons import in_language, to_chinese
from store.roles import RoleStatus, wall_ms, write_status
from telemetry.config import Config

SENTENCES: list[list[str]] = json.loads((STATIC / "i18n" / "reasons.json").read_text("utf-8"))
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    (tmp_path / "stations.toml").write_text(
        '[stations.harbour]\nkind = "charging"\ngroups = ["all"]\n[[stations.harbour.ports]]\nid = "p001"\n'
        '[stations.isle]\nkind = "compressed_air"\n[[stations.isle.compressors]]\nid = "c1"\n'
        '[[stations.isle.customers]]\nid = "plastics"\nmeters = ["am1"]\n'
    )
    config = Config(data_dir=str(tmp_path / "data"), stations=str(tmp_path / "stations.toml"))
    make_state(config.data)
    put_ports(config.data, "harbour", {"p001": {"newest_ms": T0, "state": "Available"}})
    made = make_services(config, clock=Clock())
    yield Client(create_app(made), "http://127.0.0.1:8080")
    made.desk.close()


def texts(answer: Any) -> list[str]:
    """Return every reason of an answer."""
    if isinstance(answer, list):
        return [text for item in answer for text in texts(item)]
    if not isinstance(answer, dict):
        return []
    found = []
    for name, value in answer.items():
        if name == "reasons" and isinstance(value, dict):
            found += list(value.values())
        elif name == "reason" and isinstance(value, str):
            found.append(value)
        else:
            found += texts(value)
    return found


@pytest.mark.parametrize(
    "path",
    ["stations/harbour/kpis", "stations/isle/kpis", "groups/all/kpis", "stations/isle/leaks", "stations/isle/advice",
     "stations/isle/statement?month=2026-10"],
)
def test_every_reason_of_an_empty_station_is_there_in_chinese(client: Client, path: str) -> None:
    """A sentence that is missing belongs into api/static/i18n/reasons.json."""
    english = texts(client.get(f"/api/v1/{path}").json())
    chinese = texts(client.get(f"/api/v1/{path}{'&' if '?' in path else '?'}lang=zh").json())
    assert len(english) == len(chinese) > 0
    assert [e for e, c in zip(english, chinese, strict=True) if not CHINESE.search(c)] == []
    assert not any(CHINESE.search(text) for text in english)


def test_what_keeps_voltair_from_working_is_there_in_chinese(tmp_path: Path) -> None:
    """As the banner of the page shows the reasons of /readyz."""
    now_ms = wall_ms()
    for role, problem, age_ms in (
        ("ingest", "no connection to the broker mqtt://h:1883 (no answer); it is tried again and again", 0),
        ("analytics", "", 60_000),
        ("writer", "raw: the series store has not answered for 12 s", 0),
    ):
        problems = [problem] if problem else []
        status = RoleStatus(role=role, pid=1, started_ms=0, updated_ms=now_ms - age_ms, ready=False, problems=problems)
        write_status(tmp_path, status)
    reasons = readiness(tmp_path)[1]["reasons"]
    assert len(reasons) == 4
    chinese = [to_chinese(reason) for reason in reasons]
    assert all(CHINESE.search(text) for text in chinese)
    assert "采集：无法连接消息代理 mqtt://h:1883（no answer），正在不断重试" in chinese
    assert "写入：原始读数：时序库已 12 秒没有应答" in chinese


@pytest.mark.parametrize(
    ("header", "query", "chinese"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "", True), ("en-GB,en;q=0.9,zh;q=0.8", "", False),
        ("en;q=0.5, zh-TW;q=0.7", "", True),
        ("fr", "", False), ("zh", "?lang=en", False), ("en", "?lang=zh", True),
    ],
)
def test_the_language_is_asked_for_or_liked_best(client: Client, header: str, query: str, chinese: bool) -> None:
    answer = client.get(f"/api/v1/stations/isle/kpis{query}", headers={"Accept-Language": header}).json()
    assert bool(CHINESE.search(answer["reasons"]["kwh_per_m3"])) == chinese
    assert client.get("/api/v1/stations/isle/kpis?lang=fr").status_code == 422


def test_what_says_most_is_taken_and_parts_are_translated_too() -> None:
    assert to_chinese("rated_kw of a port is missing: set it in stations.toml").startswith("有充电口缺少 rated_kw")
    nested = "no pressure of a main or a machine, or no energy is known"
    assert to_chinese(nested) == "没有总管或机组的压力，或者电量未知"
    assert to_chinese("a sentence of tomorrow") == "a sentence of tomorrow"
    assert in_language({"reasons": [{"figure": "leak_share"}]}, "zh") == {"reasons": [{"figure": "leak_share"}]}


def test_each_sentence_keeps_its_places() -> None:
    places = re.compile(r"\{[a-z]\}")
    assert len({english for english, _ in SENTENCES}) == len(SENTENCES)
    for english, chinese in SENTENCES:
        assert sorted(places.findall(english)) == sorted(places.findall(chinese)), english


@pytest.mark.browser
def test_the_page_says_the_same(show: Callable[..., Page]) -> None:
    page = show()
    said = [english.format(a="x, y", b="2", c="no energy is known") for english, _ in SENTENCES]
    found = page.evaluate(
        """async (said) => {
            const words = await (await import(new URL("i18n.js", location.href))).loadWords("zh");
            return said.map((sentence) => words.reason(sentence));
        }""",
        said,
    )
    assert found == [to_chinese(sentence) for sentence in said]
