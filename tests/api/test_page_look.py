"""How the page looks: languages, contrast, widths, weight, and the picture of it in the README."""

import gzip
import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime
from io import BytesIO

import page_events
import pytest
from page_pictures import compare_picture
from page_server import NOW, STATIC, PageServer
from PIL import Image
from playwright.sync_api import Page, expect

from telemetry.channels import KINDS, MACHINE_STATE, PORT_STATUS

pytestmark = pytest.mark.browser
WEIGHT_LIMIT = 150_000
FIRST_SCREEN_LIMIT = 45_000


def test_chinese_is_complete_and_switches_back(show: Callable[..., Page]) -> None:
    page = show(locale="zh-CN")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator("#alert-list .why").first).to_have_text(page_events.PORT_FAULTED["summary"]["zh"])
    expect(page.locator("[data-key='compressor/c3'] .state")).to_have_text("卸载")
    expect(page.get_by_role("status")).to_have_text("实时")
    page.get_by_role("button", name="English").click()
    expect(page.locator("[data-key='compressor/c3'] .state")).to_have_text("Unloaded")
    page.reload()
    expect(page.locator("[data-key='compressor/c3'] .state")).to_have_text("Unloaded")


def test_both_languages_have_the_same_texts_and_all_that_the_page_asks_for() -> None:
    en, zh = (json.loads((STATIC / "i18n" / f"{language}.json").read_text("utf-8")) for language in ("en", "zh"))
    assert en.keys() == zh.keys()
    for key in en:
        assert sorted(re.findall(r"\{\w+\}", en[key])) == sorted(re.findall(r"\{\w+\}", zh[key])), key
    source = "".join(f.read_text("utf-8") for f in [*STATIC.glob("*.js"), STATIC / "index.html"])
    asked = set(re.findall(r'\bt\("([\w.]+)"', source)) | set(
        re.findall(r'data-(?:t|label|def)="([\w.]+)"', source)
    )
    families = {k.split(".")[0] for k in en if "." in k}
    asked |= set(re.findall(rf'"((?:{"|".join(families)})\.\w+)"', source))
    assert asked <= en.keys()
    assert families == set(re.findall(r"`(\w+)\.\$\{", source)) | {k.split(".")[0] for k in asked if "." in k}


def test_every_state_of_the_contract_has_a_text_and_a_look() -> None:
    en = json.loads((STATIC / "i18n" / "en.json").read_text("utf-8"))
    model = (STATIC / "model.js").read_text("utf-8")
    for state in PORT_STATUS + MACHINE_STATE:
        assert f"state.{state}" in en
        assert re.search(rf"\b{state}: \"", model), state
    for kind in KINDS:
        assert f"devices.{kind.name}" in en
        for known in [*kind.values, *kind.codes[:-1]]:
            assert f"channel.{known.name}" in en
        channel = re.search(rf"{kind.name}: \[\"(\w+)\"", model)
        assert channel
        assert kind.channel(channel[1]) is not None


def test_the_page_is_light(show: Callable[..., Page], page_api: PageServer) -> None:
    files = [f for f in STATIC.rglob("*") if f.suffix in {".js", ".css", ".html", ".svg", ".json"}]
    packed = {f.name: len(gzip.compress(f.read_bytes())) for f in files}
    assert sum(packed.values()) < WEIGHT_LIMIT  # every view, both languages
    show(service_workers="block")  # which fetches the rest later, for when the server is away
    first = {path.rpartition("/")[2] or "index.html" for path in page_api.bytes_sent}
    assert {"station.js", "chart.js", "uPlot.iife.min.js", "compare.js", "data.js", "zh.json"}.isdisjoint(first)
    assert sum(packed[name] for name in first) < FIRST_SCREEN_LIMIT


def test_no_file_lies_there_unused() -> None:
    source = "".join(f.read_text("utf-8") for f in [*STATIC.glob("*.js"), STATIC / "index.html"])
    for file in STATIC.rglob("*"):
        if file.is_file() and file.parent.name != "i18n" and file.name not in {"index.html", "uPlot.LICENSE"}:
            assert f"{file.name}" in source, file


@pytest.mark.parametrize(
    ("file", "sha256"),
    [
        ("api/static/vendor/uPlot.iife.min.js", "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"),
        ("api/static/vendor/uPlot.min.css", "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04"),
        ("tests/vendor/axe.min.js", "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"),
    ],
)
def test_what_others_wrote_is_what_they_published(file: str, sha256: str) -> None:
    """uPlot 1.6.32 (MIT) and axe-core 4.14.1 (MPL 2.0, for tests only), as npm has them."""
    path = STATIC.parents[1] / file
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    assert (path.parent / f"{path.name.partition('.')[0]}.LICENSE").is_file()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(show: Callable[..., Page], scheme: str) -> None:
    page = show(color_scheme=scheme)
    ratios = page.evaluate(_CONTRAST)
    assert len(ratios) > 300
    low = [r for r in ratios if r["ratio"] < 4.5]
    assert low == []


@pytest.mark.parametrize("width", [360, 390, 768, 1180, 1440, 3840])
def test_no_width_scrolls_sideways(show: Callable[..., Page], width: int) -> None:
    page = show(width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cut = page.evaluate("""() => [...document.querySelectorAll("main b, .health, .count span")]
        .filter((n) => n.scrollWidth > n.clientWidth + 1 && n.clientWidth).map((n) => n.textContent)""")
    assert cut == []


def test_many_stations_fit_by_showing_their_devices_on_demand(
    show: Callable[..., Page], page_api: PageServer
) -> None:
    names = [f"s{i:02d}" for i in range(12)]
    hello = page_api.snapshot[0][1] | {"stations": names, "alerts": []}
    page_api.snapshot = [("hello", hello)]
    for name in names:
        page_api.snapshot.append(page_events.kpi(page_events.station(name, "charging", name, "green"), {}))
        page_api.snapshot.append(("device", {"station": name, "devices": page_events.ports()}))
    page = show(wait=".station")
    expect(page.locator(".station")).to_have_count(12)
    expect(page.locator("#station-s03 .legend")).to_contain_text("13 Charging")
    expect(page.locator(".tile")).to_have_count(0)
    page.locator("#station-s03 summary").click()
    expect(page.locator("#station-s03 .tile")).to_have_count(40)
    page_api.send("device", {"station": "s03", "devices": [page_events.device("port", "p041", "Charging", {})]})
    expect(page.locator("#station-s03 .tile")).to_have_count(41)
    expect(page.locator(".tile")).to_have_count(41)


def test_the_theme_button_beats_the_system(show: Callable[..., Page]) -> None:
    page = show(color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Theme: system").click()
    page.get_by_role("button", name="Theme: light").click()
    assert page.evaluate(ground) != light
    page.reload()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate(ground) != light


def test_the_picture_of_the_readme_shows_this_page(show: Callable[..., Page]) -> None:
    page = show(wait="html", height=1130, timezone_id="UTC")
    page.clock.set_fixed_time(datetime.fromisoformat(NOW))
    page.reload()
    expect(page.get_by_role("status")).to_have_text("live")
    page.locator(".tile").first.wait_for()
    compare_picture(Image.open(BytesIO(page.screenshot(animations="disabled"))).convert("RGB"), "page.png")


_CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgb = (color) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (node) => {
    for (let n = node; n; n = n.parentElement) {
      const c = rgb(getComputedStyle(n).backgroundColor);
      if (c[3] > 0.99) return c;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((c) => c.nodeType === 3 && c.textContent.trim());
    if (!own || !node.checkVisibility() || node.closest("svg, .skip, #tip")) continue;
    const a = light(rgb(getComputedStyle(node).color)), b = light(ground(node));
    found.push({text: node.textContent, ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)});
  }
  return found;
}"""
