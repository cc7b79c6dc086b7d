"""Every view of the page over a whole running Voltair: its numbers against the API, its links, and who can use it."""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any

import page_day
import pytest
from api_support import receiver
from page_pictures import compare_picture
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect
from river.stack import Stack

from simulators.message import Message, telemetry_topic
from telemetry.times import DAY_MS, HOUR_MS

pytestmark = [pytest.mark.browser, pytest.mark.server]

AXE = Path(__file__).parents[1] / "vendor" / "axe.min.js"
VIEWS = {"": ".tile", "s/harbour": "table", "s/isle": ".codes li", "compare": "tbody tr", "data": "pre"}
"""Address -> what is there once the view is."""
READABLE = 4.5
"""Contrast of text, WCAG 2.2 AA."""
Open = Callable[..., Page]


@pytest.fixture
def visit(river: Stack, browser: Browser) -> Iterator[Open]:
    """Open an address; at the end nothing may stand in the console."""
    problems: list[str] = []
    with ExitStack() as stack_:

        def open_page(path: str, *, width: int = 1440, **options: Any) -> Page:
            viewport = {"width": width, "height": 1000}
            context = stack_.enter_context(
                browser.new_context(**{"viewport": viewport, "locale": "en-GB", **options})
            )
            page = context.new_page()
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on("console", lambda m: problems.append(m.text) if m.type in ("error", "warning") else None)
            page.goto(f"{river.client.base_url}/{path}".replace("//s", "/s"))
            page.locator(VIEWS.get(path.partition("?")[0], "table")).first.wait_for()
            expect(page.locator("[aria-busy=true]")).to_have_count(0)
            return page

        yield open_page
    assert problems == []


def panel(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True).and_(page.locator("section"))


def cells(table: Locator) -> list[list[str]]:
    rows = table.locator("tbody tr")
    expect(rows).not_to_have_count(0)
    read = "(rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent))"
    return list(rows.evaluate_all(read))


def percent(value: float, digits: int = 1) -> str:
    return f"{100 * value:.{digits}f}\N{NO-BREAK SPACE}%"


def day_of(river: Stack, station: str, call: str, hours: int = 24) -> Any:
    return river.get(f"stations/{station}/{call}", from_=page_day.TO - hours * HOUR_MS, to=page_day.TO)


def test_a_charging_station_shows_what_the_api_says(river: Stack, visit: Open) -> None:
    page = visit("s/harbour")
    kpis = day_of(river, "harbour", "kpis")["kpis"]
    for name in ("occupied_utilisation", "charging_utilisation", "idle_utilisation", "uptime"):
        expect(page.locator(f"[data-kpi={name}] dd")).to_have_text(percent(kpis[name]))
    shares = page.locator("svg.shares")
    expect(shares).to_have_attribute("aria-label", re.compile(percent(kpis["occupied_utilisation"])))
    power = panel(page, "Power")
    expect(power.locator(".key").nth(2)).to_have_text("transformer limit 40.0kVA")
    expect(power.locator(".key").nth(3)).to_have_text("contract limit 36.0kW")
    power.get_by_text("Show as table").click()
    stored = river.items(
        "series", measurement="charging_station_15m", field="power_kw", station="harbour",
        from_=page_day.TO - DAY_MS, to=page_day.TO,
    )
    assert len(stored) == 96
    assert [row[2] for row in cells(power)] == [f"{i['value']:.1f}" for i in stored]
    assert cells(power)[0][0] == "21/11, 12:00"  # the station's noon
    advice = {i["type"]: i for i in river.get("stations/harbour/advice")["items"]}
    shown = panel(page, "Advice")
    for item in advice.values():
        expect(shown).to_contain_text(item["text"]["en"])
    limits = advice["ordered_charging"]["limits"]
    assert [row[1:] for row in cells(shown)[: len(limits)]] == [
        [f"{limit[name]:.1f}" for name in ("most", "other", "advised", "headroom")] for limit in limits
    ]
    assert [row[0] for row in cells(shown)[:3]] == ["transformer [kVA]", "contract [kW]", "L1 [A]"]
    strips = page.locator("svg.strip")
    expect(strips).to_have_count(3)
    # Of its 24 h: 2 free, three rounds of 3 + 0.5 + 2.5, 3 charging, and the last one faulted.
    expect(strips.nth(2)).to_have_attribute(
        "aria-label",
        f"p003: Charging {percent(0.5, 0)}, Available {percent(0.4, 0)}, "
        f"Suspended EV {percent(0.06, 0)}, Faulted {percent(0.04, 0)}",
    )
    sessions = day_of(river, "harbour", "sessions")["items"]
    shown = cells(panel(page, "Charging sessions"))
    assert [(row[0], row[3]) for row in shown] == [(s["port"], f"{s['energy_kwh']:.2f}") for s in reversed(sessions)]
    assert {row[7] for row in shown} == {"open", "interrupted", "successful"}
    uptime = day_of(river, "harbour", "uptime")["items"]
    report = panel(page, "Uptime report")
    assert cells(report)[:3] == [
        [u["port"], percent(u["uptime"], 2), f"{u['outage_min']:g}", "0", str(len(u["outages"]))] for u in uptime
    ]
    report.get_by_text("Outages: 1").click()
    assert cells(report)[3] == ["p003", "22/11, 11:00", "22/11, 12:00", "faulted", ""]


def test_an_air_station_shows_what_the_api_says(river: Stack, visit: Open) -> None:
    page = visit("s/isle")
    kpis = day_of(river, "isle", "kpis")["kpis"]
    expect(page.locator("[data-kpi=kwh_per_m3] dd")).to_have_text(f"{kpis['kwh_per_m3']:.4f} kWh/m³")
    expect(panel(page, "Energy per m³").locator(".key").last).to_have_text("baseline 0.1248kWh/m³")
    flow = panel(page, "Flow").get_by_role("img")
    expect(flow).to_have_attribute("aria-label", "Flow [m³/min]. mean flow: last 24.0, lowest 4.0, highest 24.0")
    assert panel(page, "Pressure").locator(".key").all_inner_texts()[1:] == [
        "contract, upper 7.00bar", "contract, lower 6.30bar"
    ]
    states = f"Compressor 1: Loaded {percent(0.79, 0)}, Unloaded {percent(0.21, 0)}"
    expect(page.locator("svg.strip").first).to_have_attribute("aria-label", states)
    leaks = day_of(river, "isle", "leaks")
    rows = cells(panel(page, "Leakage by method"))
    want = [leaks["fused"], *leaks["methods"]]
    assert [row[1] for row in rows] == ["–" if m["leak_m3_min"] is None else f"{m['leak_m3_min']:.2f}" for m in want]
    assert rows[0][:2] == ["All methods together", f"{page_day.IDLE_FLOW:.2f}"]
    advice = river.get("stations/isle/advice")
    assert {i["type"] for i in advice["items"]} == {"dispatch", "pressure"}
    for item in advice["items"]:
        expect(panel(page, "Advice")).to_contain_text(item["text"]["en"])
    codes = day_of(river, "isle", "energy-code")["items"]
    shown = page.locator(".codes li").evaluate_all("(all) => all.map((n) => n.dataset.code)")
    assert shown == [c["code"] for c in codes]
    statement = river.get("stations/isle/statement", month="2026-11")["customers"][0]
    row = cells(panel(page, "Statement"))[0]
    assert row[:4] == ["plastics", f"{statement['volume_m3']:,.0f}", "0.1050", f"{statement['amount']:,.2f}"]
    page.get_by_label("Month").select_option("2026-10")
    expect(panel(page, "Statement").locator("tbody td").first).not_to_have_text(row[1])


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("s/isle", "station.png"), ("s/harbour", "charging.png"), ("compare?lang=zh&theme=dark", "compare.png"),
        ("data", "data.png"),
    ],
)
def test_the_pictures_of_the_docs_show_the_page(visit: Open, address: str, name: str) -> None:
    page = visit(address)
    page.locator(".clock").evaluate("(node) => { node.style.visibility = 'hidden'; }")  # it shows the present time
    now = Image.open(BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    compare_picture(now, name)


def test_links_lead_from_view_to_view_and_the_browser_goes_back(visit: Open) -> None:
    page = visit("?lang=zh&theme=dark")
    page.get_by_role("link", name="Isle air works").first.click()
    expect(page).to_have_url(re.compile(r"/s/isle\?lang=zh&theme=dark$"))
    expect(page.get_by_role("heading", name="气电比")).to_be_visible()
    expect(page.locator("#counts")).to_be_hidden()
    page.get_by_role("button", name="6 小时").click()
    expect(page).to_have_url(re.compile("range=6h"))
    expect(page.locator("svg.strip").first).to_have_attribute("aria-label", f"Compressor 1: 加载 {percent(1, 0)}")
    page.get_by_role("link", name="站点对比").click()
    expect(page.locator("tbody tr")).to_have_count(3)
    expect(page.get_by_role("link", name="站点对比")).to_have_attribute("aria-current", "page")
    page.go_back()
    expect(page.locator("svg.strip").first).to_have_attribute("aria-label", f"Compressor 1: 加载 {percent(1, 0)}")
    assert page.title().endswith("Isle air works · Voltair")
    page.go_back()
    expect(page.locator("#counts")).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("heading", name="气电比")).to_be_visible()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="Energy per m³")).to_be_visible()
    expect(page.locator("svg.strip").first).to_have_attribute("aria-label", f"Compressor 1: Loaded {percent(1, 0)}")


def test_a_range_of_the_address_is_shown_and_goes_along(river: Stack, visit: Open) -> None:
    """Dashboards link to the page with `from` and `to` in milliseconds, and the page to them."""
    begin, end = page_day.TO - 12 * HOUR_MS, page_day.TO - 6 * HOUR_MS
    page = visit(f"s/isle?from={begin}&to={end}&lang=en")
    whole = river.get("stations/isle/kpis", from_=begin, to=end)["kpis"]["kwh_per_m3"]
    assert whole != day_of(river, "isle", "kpis")["kpis"]["kwh_per_m3"]
    ratio = page.locator("[data-kpi=kwh_per_m3] dd")
    expect(ratio).to_have_text(f"{whole:.4f} kWh/m³")
    shown = page.locator(".ranges span")
    expect(shown).to_have_text("22/11/2026, 00:00 – 22/11/2026, 06:00")
    grafana = page.get_by_role("link", name="Grafana")
    want = f"{page_day.GRAFANA}/d/voltair-air-en?var-station=isle&from={begin}&to={end}"
    expect(grafana).to_have_attribute("href", want)
    flow = panel(page, "Flow")
    flow.get_by_text("Show as table").click()
    assert [row[0] for row in cells(flow)[:: 60 * 6 - 1]] == ["22/11, 00:00", "22/11, 05:59"]
    page.get_by_role("button", name="Earlier").click()
    expect(page).to_have_url(re.compile(f"from={begin - 6 * HOUR_MS}&to={begin}$"))
    expect(shown).to_have_text("21/11/2026, 18:00 – 22/11/2026, 00:00")
    expect(ratio).not_to_have_text(f"{whole:.4f} kWh/m³")
    page.get_by_role("button", name="Later").click()
    expect(ratio).to_have_text(f"{whole:.4f} kWh/m³")
    page.get_by_role("link", name="Comparison").click()
    expect(page.locator("tr[data-station=isle] [data-kpi=kwh_per_m3]")).to_have_text(f"{whole:.4f}")
    page.get_by_role("button", name="Later").click()
    expect(page).to_have_url(re.compile("range=6h"))  # it ends now, and goes on with the clock
    last = day_of(river, "isle", "kpis", hours=6)["kpis"]["kwh_per_m3"]
    expect(page.locator("tr[data-station=isle] [data-kpi=kwh_per_m3]")).to_have_text(f"{last:.4f}")


def test_a_part_of_a_chart_that_is_marked_becomes_the_range(visit: Open) -> None:
    page = visit("s/isle")
    plot = panel(page, "Flow").locator(".u-over")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box
    y = box["y"] + 50
    page.mouse.move(box["x"] + box["width"] / 4, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, y, steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"from=\d+&to=\d+"))
    asked = {name: int(ms) for name, ms in re.findall(r"(from|to)=(\d+)", page.url)}
    quarter = 6 * HOUR_MS
    assert abs(asked["from"] - (page_day.TO - 3 * quarter)) < HOUR_MS / 4
    assert abs(asked["to"] - (page_day.TO - 2 * quarter)) < HOUR_MS / 4
    expect(page.locator(".ranges [aria-pressed=true]")).to_have_count(0)
    ticks = panel(page, "Flow").get_by_role("img")
    expect(ticks).to_have_attribute("aria-label", re.compile("lowest 24.0, highest 24.0"))
    panel(page, "Flow").get_by_text("Show as table").click()
    assert cells(panel(page, "Flow"))[0][0].startswith(("21/11, 17:", "21/11, 18:"))


def test_a_new_station_says_since_when_it_has_data(visit: Open) -> None:
    page = visit("s/shed")
    expect(page.locator(".ranges span")).to_contain_text("data since 22/11/2026, 04:00")  # UTC, as it is not listed
    expect(page.locator(".time-axis span").first).to_have_text("22/11, 03:45")  # not the day before


def test_an_address_of_nothing_says_so(river: Stack, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{river.client.base_url}/s/atlantis")
    expect(page.get_by_text("There is no station atlantis")).to_be_visible()
    page.close()


def test_a_link_to_an_alert_leads_to_it(river: Stack, browser: Browser) -> None:
    (alert,) = (a for a in river.items("alerts") if a["rule"] == "port_faulted")
    page = browser.new_page()
    for address in (f"a/{alert['id']}", f"?alert={alert['id']}"):
        page.goto(f"{river.client.base_url}/{address}".replace("//", "/").replace(":/", "://"))
        expect(page.locator(f"#alert-{alert['id']}")).to_be_focused()
    page.close()


def test_a_wall_shows_no_controls(visit: Open) -> None:
    page = visit("?kiosk=1")
    expect(page.get_by_role("button", name="Theme")).to_be_hidden()
    expect(page.get_by_role("status")).to_have_text("live")
    expect(page.get_by_role("button", name="Acknowledge")).to_be_hidden()


def test_stations_are_compared_and_sorted(river: Stack, visit: Open) -> None:
    page = visit("compare")
    for station in ("harbour", "isle"):
        kpis = day_of(river, station, "kpis")["kpis"]
        energy = page.locator(f"tr[data-station={station}] [data-kpi=energy_kwh]")
        expect(energy).to_have_text(f"{kpis['energy_kwh']:,.1f}")
    head = page.locator("table[data-kind=charging]")
    names = head.locator("tbody th")
    expect(names).to_have_text(["Harbour stacked car park", "shed"])
    for way in ("descending", "ascending"):
        head.get_by_role("button", name="coverage").click()
        expect(head.locator("th[data-kpi=coverage]")).to_have_attribute("aria-sort", way)
        expect(names).to_have_text(["Harbour stacked car park", "shed"])  # what is unknown stays at the end


@pytest.mark.parametrize("look", [{"color_scheme": "light"}, {"color_scheme": "dark", "locale": "zh-CN"}], ids=str)
@pytest.mark.parametrize("path", VIEWS)
def test_axe_finds_nothing(visit: Open, path: str, look: dict[str, str]) -> None:
    page = visit(path, bypass_csp=True, **look)
    page.add_script_tag(path=AXE)
    found = page.evaluate("async () => (await axe.run()).violations")
    assert [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_labels_of_a_chart_can_be_read(visit: Open, scheme: str) -> None:
    """Axe cannot look into a canvas: pixels are measured, doubled so that thin strokes have a core."""
    page = visit("s/isle", color_scheme=scheme, device_scale_factor=2)
    plot = panel(page, "Pressure").locator("canvas")
    assert contrast(plot) > READABLE
    page.get_by_role("button", name="Theme: system").click()
    if scheme == "light":
        page.get_by_role("button", name="Theme: light").click()  # now dark: the canvas is drawn anew
    assert contrast(plot) > READABLE


def contrast(canvas: Locator) -> float:
    """Return the contrast of the labels left of the plot with their ground."""
    image = Image.open(BytesIO(canvas.screenshot())).convert("RGB")
    labels = image.crop((0, 20, 84, image.height - 80))
    counts = Counter(labels.get_flattened_data())
    ground = luminance(counts.most_common(1)[0][0])
    ratios = [(max(luminance(c), ground) + 0.05) / (min(luminance(c), ground) + 0.05) for c in counts]
    return max(ratios)


def luminance(rgb: Any) -> float:
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in rgb)]
    return sum(v * w for v, w in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


@pytest.mark.parametrize("path", VIEWS)
def test_no_view_scrolls_sideways_on_a_phone(visit: Open, path: str) -> None:
    page = visit(path, width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_keyboard_reads_a_chart(visit: Open) -> None:
    page = visit("s/isle")
    flow = panel(page, "Flow")
    flow.get_by_role("img").focus()
    page.keyboard.press("Home")
    expect(flow.locator("figcaption")).to_have_text(re.compile(r"mean flow 24\.0.*21/11, 12:00"))
    page.keyboard.press("ArrowRight")
    expect(flow.locator("figcaption")).to_contain_text("21/11, 12:15")


def test_what_arrives_is_seen_at_once_on_the_page_of_the_station(river: Stack, visit: Open) -> None:
    page = visit("s/harbour")
    power = page.locator("#station-harbour .numbers b").first
    expect(power).to_have_text("13.2")
    reading = json.dumps({"ts": page_day.TO + 1000, "status": "Charging", "power_kw": 5.1}).encode()
    publish(river, Message(page_day.TO + 1000, telemetry_topic("harbour", "port", "p001"), reading))
    expect(power).to_have_text("11.7")


def test_an_alert_is_taken_on_from_the_page(river: Stack, visit: Open) -> None:
    page = visit("s/harbour")
    (alert,) = (a for a in river.items("alerts") if a["rule"] == "port_faulted")
    card = page.locator(f"#alert-{alert['id']}")
    card.get_by_role("button", name="Acknowledge").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(alert["summary"]["en"])
    dialog.get_by_label("Your name").fill("Li")
    dialog.get_by_label("Note").fill("on my way")
    dialog.get_by_role("button", name="Acknowledge").click()
    expect(card.locator(".when")).to_contain_text("acknowledged by Li: on my way")
    expect(card.get_by_role("button", name="Acknowledge")).to_have_count(0)
    said = river.get(f"alerts/{alert['id']}")["acknowledgement"]
    assert (said["by"], said["note"]) == ("Li", "on my way")


def test_a_receiver_of_alerts_is_tested_from_the_page(river: Stack, visit: Open) -> None:
    with receiver() as hook:
        body = {"url": hook.url, "allow_private": ["127.0.0.0/8"]}
        made = river.client.post("/api/v1/webhooks", json=body).json()
        row = panel(visit("data"), "Receivers of alerts").locator("tbody tr").filter(has_text=made["id"])
        expect(row).to_contain_text("enabled")
        row.get_by_role("button", name="Test").click()
        expect(row).to_contain_text("delivered: 204")
        assert [g.json["type"] for g in hook.got] == ["webhook.test"]
        hook.answer = lambda _: (410, {})
        row.get_by_role("button", name="Test").click()
        expect(row).to_contain_text("given up: the receiver answered 410")
    river.client.delete(f"/api/v1/webhooks/{made['id']}")


def test_data_health_shows_the_river_and_what_to_add_to_the_registry(river: Stack, visit: Open) -> None:
    page = visit("data")
    progress = river.progress()
    for name in ("received", "dead_lettered", "journalled", "written", "analysed"):
        expect(page.locator(f"[data-counter={name}] dd")).to_have_text(f"{progress[name]:,}")
    expect(panel(page, "Dead letters").locator("tbody td").last).to_have_text("{not json")
    text = page.locator("pre").inner_text()
    assert tomllib.loads(text)["stations"] == {
        "isle": {"auxiliaries": [{"id": "fan7"}]}, "shed": {"kind": "charging", "ports": [{"id": "x1"}]}
    }
    (river.folder / "stations.toml").write_text(f"{page_day.STATIONS}\n{text}\n")
    expect(page.get_by_text("Every device that reports is listed")).to_be_visible(timeout=20_000)


def publish(river: Stack, message: Message) -> None:
    """Publish from another thread: Playwright's event loop runs in this one."""
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(river.publish, [message]).result() == 1
