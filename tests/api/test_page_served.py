"""The page as the real API serves it: its policy, its stream, its login."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from servers import Server, free_port, running

pytestmark = [pytest.mark.browser, pytest.mark.server]

STATIONS = """
[stations.harbour]
kind = "charging"
name = "Harbour"
timezone = "Asia/Shanghai"
ports = [{ id = "p001", name = "Bay 1" }, { id = "p002" }]
[stations.isle]
kind = "compressed_air"
compressors = [{ id = "c1" }]
"""


@contextmanager
def api(folder: Path, tokens: str = "") -> Iterator[Server]:
    """Run the role api alone, over a data directory in which nothing was heard yet."""
    port = free_port()
    (folder / "stations.toml").write_text(STATIONS, "utf-8")
    (folder / "voltair.toml").write_text(f'demo = true\n[api]\nlisten = "127.0.0.1:{port}"\n', "utf-8")
    argv = [sys.executable, "-P", "-m", "voltair", "api", "--config", str(folder / "voltair.toml")]
    environ = {"VOLTAIR_API_TOKENS": tokens, "PYTHONPATH": os.pathsep.join(sys.path)}
    with running(Server(argv, port, folder, environ)) as server:
        yield server


@contextmanager
def opened(browser: Browser, server: Server) -> Iterator[tuple[Page, list[str]]]:
    problems: list[str] = []
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.on("pageerror", lambda error: problems.append(str(error)))
    # A refused call is what two of these tests are about; a breach of the policy never is.
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" and "status of" not in m.text else None)
    page.goto(f"{server.url}/")
    try:
        yield page, problems
    finally:
        context.close()


def test_the_page_runs_under_the_policy_of_the_api(browser: Browser, tmp_path: Path) -> None:
    with api(tmp_path) as server, opened(browser, server) as (page, problems):
        expect(page.get_by_role("status")).to_have_text("live")
        expect(page.get_by_role("article")).to_have_count(2)
        expect(page.locator("#station-harbour h2")).to_have_text("Harbour")
        expect(page.locator("#station-harbour .health")).to_have_text("nothing heard")
        expect(page.locator("[data-key='port/p002'] .state")).to_have_text("Never heard")
        expect(page.locator("[data-key='compressor/c1'] .value")).to_have_text("–kW")
        expect(page.locator("[data-count=devices] b")).to_have_text("3")
        expect(page.get_by_text("simulated data")).to_be_visible()
        expect(page.locator("#monitor")).to_contain_text("analytics has never run")
        assert problems == []


def test_the_page_opens_while_the_server_is_away(browser: Browser, tmp_path: Path) -> None:
    with api(tmp_path) as server, opened(browser, server) as (page, problems):
        expect(page.locator("#station-harbour h2")).to_have_text("Harbour")
        page.evaluate("async () => { await navigator.serviceWorker.ready; }")
        kept = page.evaluate(_KEPT)
        assert {"index", "app.js", "station.js", "vendor/uPlot.iife.min.js", "i18n/zh.json"} <= set(kept)
        assert [name for name in kept if name.startswith(("api", "readyz"))] == []
        server.kill9()
        away = page.locator("#away")
        expect(away).to_have_text(re.compile(r"^Not connected to Voltair since \d\d/\d\d/\d{4}, .* as it was then"))
        page.reload()
        expect(away).to_have_text(re.compile(r"^Not connected to Voltair since \d\d/\d\d/\d{4}, "))
        expect(page.get_by_role("status").first).to_have_text("disconnected")
        expect(page.get_by_role("article")).to_have_count(0)  # no figure of then looks like one of now
        page.goto(f"{server.url}/s/harbour?lang=zh")  # one level down, never opened before
        expect(away).to_have_text(re.compile("^自 .* 起与 Voltair 失去连接"))
        expect(page.get_by_role("heading", name="告警")).to_be_visible()
        expect(page.get_by_text("所有规则均正常").filter(visible=True)).to_have_count(0)  # nobody knows
        server.start()
        expect(page.locator("#station-harbour h2")).to_have_text("Harbour", timeout=20_000)
        expect(away).to_be_hidden()
        assert [p for p in problems if "ERR_" not in p] == []


_KEPT = """async () => {
  const root = new URL("/", location.href).href;
  const [name] = await caches.keys();
  const found = await (await caches.open(name)).keys();
  return found.map(({url}) => url.slice(root.length) || "index");
}"""


def test_a_token_opens_the_page_and_a_cookie_keeps_it_open(browser: Browser, tmp_path: Path) -> None:
    with api(tmp_path, "wall=only-for-tests:read:harbour") as server, opened(browser, server) as (page, problems):
        expect(page.get_by_role("status")).to_have_text("signed out")
        page.get_by_label("Token").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("#login-error")).to_contain_text("refused")
        page.get_by_label("Token").fill("only-for-tests")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("status")).to_have_text("live")
        expect(page.get_by_role("article")).to_have_count(1)  # the token sees one station
        page.reload()
        expect(page.get_by_role("status")).to_have_text("live")
        assert problems == []
