"""The operator page in a real browser: what it shows of the stream, and how it is worked with."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

import page_events
import pytest
from page_server import NOW, PageServer
from playwright.sync_api import Page, Route, expect

from telemetry.times import HOUR_MS, MINUTE_MS

pytestmark = pytest.mark.browser


def test_counts_and_stations_show_what_the_stream_says(show: Callable[..., Page]) -> None:
    page = show()
    want = {
        "stations": 2,
        "devices": 51,
        "online": 50,
        "offline": 1,
        "faulted": 1,
        "critical": 1,
        "warning": 2,
        "info": 0,
    }
    for name, number in want.items():
        expect(page.locator(f"[data-count={name}] b")).to_have_text(str(number))
    harbour = page.get_by_role("article", name="Harbour stacked car park")
    power = sum(r["values"]["power_kw"] for r in page_events.ports() if r["online"])
    expect(harbour.locator(".numbers > div").nth(0)).to_have_text(re.compile(rf"power now{power:.1f}kW"))
    expect(harbour.locator(".numbers > div").nth(1)).to_contain_text("18/ 40")
    expect(harbour.locator(".numbers > div").nth(2)).to_contain_text("41.3%")
    expect(harbour.locator(".health")).to_have_text("critical alert")
    isle = page.get_by_role("article", name="Isle air works")
    expect(isle.locator(".numbers > div").nth(0)).to_contain_text("0.1124kWh/m³")
    expect(isle.locator(".health")).to_have_text("warning")
    expect(page.get_by_text("simulated data")).to_be_visible()
    assert page.title() == "(3) Voltair"


def test_tiles_are_in_stable_order_with_state_number_and_age(
    show: Callable[..., Page], page_api: PageServer
) -> None:
    page = show()
    names = page.locator("#station-harbour .group[data-kind=port] .tile .name")
    expect(names).to_have_text([f"p{i:03d}" for i in range(1, 41)])
    faulted = page.locator("[data-key='port/p039']")
    expect(faulted).to_have_attribute("data-look", "fault")
    expect(faulted.locator(".state")).to_have_text("Faulted")
    silent = page.locator("[data-key='port/p040']")
    expect(silent.locator(".state")).to_have_text("Offline")
    expect(silent.locator(".value")).to_have_text("–kW")
    expect(silent.locator(".age")).to_have_text("23 min")
    expect(page.locator("[data-key='air_meter/am4'] .state")).to_have_text("Measuring · not listed")
    expect(page.locator("[data-key='air_main/main'] .value")).to_have_text("6.72bar")
    page_api.send(
        "device",
        {
            "station": "harbour",
            "devices": [
                page_events.device("port", "p039", "Available", {"power_kw": 0.0}),
                page_events.device("port", "p000", "Charging", {"power_kw": 7.25}),
            ],
        },
    )
    expect(page.locator("[data-key='port/p039'] .state")).to_have_text("Available")
    expect(names.first).to_have_text("p000")
    expect(names).to_have_count(41)
    expect(page.locator("[data-count=faulted] b")).to_have_text("0")


def test_alerts_come_worst_first_with_since_why_and_remedy_and_go_when_resolved(
    show: Callable[..., Page], page_api: PageServer
) -> None:
    page = show()
    why = page.locator("#alert-list .why")
    expect(why).to_have_text(
        [a["summary"]["en"] for a in (page_events.PORT_FAULTED, page_events.OFFLINE, page_events.LEAK)]
    )
    card = page.locator("#alert-a2")
    expect(card.locator(".when")).to_contain_text("since 22/11/2026, 09:12:00")  # station time, UTC+8
    expect(card.locator(".when")).to_contain_text("value 3.10 m³/min · limit 2.40 m³/min")
    expect(card.locator(".remedy")).to_contain_text("ultrasonic detector")
    card.get_by_text("Evidence").click()
    expect(card.locator("details dl")).to_contain_text("total_m3_min7.4")
    expect(card.locator("details a")).to_have_attribute("href", f"{page_api.url}api/v1/alerts/a2")
    page_api.send("alert", page_events.PORT_FAULTED | {"state": "resolved", "resolved_at": NOW})
    expect(why).to_have_count(2)
    expect(card.locator("details")).to_have_attribute("open", "")  # a redraw leaves what the reader opened
    page_api.send(
        "alert", page_events.alert("b9", "critical", "isle", None, None, ("All silent", "全部静默"), ("Go", "去"))
    )
    expect(why.first).to_have_text("All silent")
    expect(page.locator("#alert-b9 .where")).to_contain_text("whole station")


def test_alerts_of_voltair_and_of_groups_have_no_page_of_a_station(
    show: Callable[..., Page], page_api: PageServer
) -> None:
    page = show()
    texts = ("Late", "迟到"), ("Go", "去")
    page_api.send("alert", page_events.alert("v1", "warning", "_voltair", None, None, *texts))
    page_api.send("alert", page_events.alert("v2", "warning", "_voltair", "writer", None, *texts))
    page_api.send("alert", page_events.alert("g1", "warning", "_group-zhoushan", None, None, *texts))
    expect(page.locator("#alert-v1 .where")).to_have_text(re.compile("Voltair itself$"))
    expect(page.locator("#alert-v2 .where")).to_have_text(re.compile("Voltair itself · writer$"))
    expect(page.locator("#alert-g1 .where")).to_have_text(re.compile("group zhoushan$"))
    expect(page.locator("#alert-v1 .where a")).to_have_count(0)


def test_a_text_from_outside_is_never_markup(show: Callable[..., Page], page_api: PageServer) -> None:
    page = show()
    evil = "<img src=x onerror=alert(1)>"
    page_api.send(
        "alert",
        page_events.alert("x1", "critical", "isle", None, None, (evil, evil), (evil, evil), evidence={evil: evil}),
    )
    page_api.send(
        "device",
        {
            "station": "isle",
            "devices": [page_events.device("compressor", "c9", evil, {"power_kw": 1.0}, name=evil)],
        },
    )
    expect(page.locator("#alert-x1 .why")).to_have_text(evil)
    expect(page.locator("[data-key='compressor/c9'] .name")).to_have_text(evil)
    assert page.locator("main img").count() == 0


def test_a_lost_stream_is_shown_and_found_again(show: Callable[..., Page], page_api: PageServer) -> None:
    page = show()
    status = page.get_by_role("status")
    expect(status).to_have_text("live")
    expect(page.locator("#updated")).to_have_text(re.compile(r"11:04:\d\d"))  # 03:04 UTC in Asia/Shanghai
    page_api.refuse = True
    page_api.drop()
    expect(status).to_have_text("disconnected")
    # What became true meanwhile: one station is gone, one alert ended.
    page_api.snapshot = [e for e in page_events.snapshot() if "isle" not in json.dumps(e[1].get("station", ""))]
    page_api.snapshot[0][1].update(stations=["harbour"], alerts=["a1"])
    page_api.snapshot = [e for e in page_api.snapshot if e[0] != "alert" or e[1]["id"] == "a1"]
    page_api.refuse = False
    expect(status).to_have_text("live", timeout=10_000)
    expect(page.locator("article")).to_have_count(1)
    expect(page.locator("#alert-list > li")).to_have_count(1)


def test_a_stream_that_falls_silent_counts_as_lost(show: Callable[..., Page]) -> None:
    page = show(wait="html")
    page.clock.install(time=datetime.fromisoformat(NOW))
    page.reload()
    page.locator(".tile").first.wait_for()
    page.clock.run_for(14_000)
    expect(page.get_by_role("status")).to_have_text("live")
    states: list[str] = []
    page.expose_function("seen", lambda state: states.append(state))  # noqa: PLW0108 - Playwright marks the function it is given
    page.evaluate("""() => new MutationObserver(() => seen(document.getElementById("connection").dataset.state))
        .observe(document.getElementById("connection"), {attributes: true})""")
    page.clock.run_for(2_000)
    expect(page.get_by_role("status")).to_have_text("live")  # it connected again by itself
    assert states[0] == "down"


def test_every_number_has_its_definition_one_focus_away(show: Callable[..., Page]) -> None:
    page = show()
    tip = page.get_by_role("tooltip")
    holders = page.locator("main b")
    holder = "xpath=ancestor::*[@data-def or @data-tip][@tabindex or self::button]"
    for i in range(holders.count()):
        if holders.nth(i).locator("xpath=ancestor::*[@class='remedy']").count():
            continue
        assert holders.nth(i).locator(holder).count() == 1
    page.locator("[data-count=offline]").hover()
    expect(tip).to_contain_text("offline_after_s")
    ratio = page.locator("#station-isle .numbers > div").first
    page.keyboard.press("Tab")
    ratio.focus()
    expect(tip).to_contain_text("kwh_per_m3: electricity of compressors")
    expect(ratio).to_have_attribute("aria-describedby", "tip")
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()


def test_a_missing_kpi_is_a_dash_with_its_reason(show: Callable[..., Page], page_api: PageServer) -> None:
    page = show()
    name, data = page_events.kpi(
        page_events.ISLE, {"kwh_per_m3": None}, {"kwh_per_m3": "compressor c4 was never heard"}
    )
    page_api.send(name, data)
    ratio = page.locator("#station-isle .numbers > div").first
    expect(ratio.locator("b")).to_have_text("–")
    ratio.hover()
    expect(page.get_by_role("tooltip")).to_contain_text("no value: compressor c4 was never heard")


def test_a_figure_of_a_partly_known_hour_says_so(show: Callable[..., Page], page_api: PageServer) -> None:
    page = show()
    ratio = page.locator("#station-isle .numbers > div").first
    expect(ratio.locator("dt")).to_have_text("energy per m³, last hour")
    name, data = page_events.kpi(page_events.ISLE, {"kwh_per_m3": 0.1})
    page_api.send(name, data | {"coverage": 0.0166})
    expect(ratio.locator("dt")).to_have_text("energy per m³, last hour · 2 % known")
    expect(page.locator("#station-isle .numbers dt").nth(1)).to_have_text("power now")


def test_an_acknowledged_alert_says_by_whom(show: Callable[..., Page], page_api: PageServer) -> None:
    page = show()
    ack = {"by": "Li", "note": "on my way", "at": NOW}
    page_api.send("alert", page_events.PORT_FAULTED | {"acknowledgement": ack, "sequence": 2})
    expect(page.locator("#alert-a1 .when")).to_contain_text("acknowledged by Li: on my way")


def test_a_leak_is_marked_repaired_by_keyboard_and_says_what_the_nights_say(
    show: Callable[..., Page], page_api: PageServer
) -> None:
    page = show()
    leak = page.locator("#alert-a2")
    expect(page.locator("#alert-a1").get_by_role("button", name="Mark repaired")).to_have_count(0)
    leak.get_by_role("button", name="Mark repaired").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Mark repaired")).to_be_visible()
    page.keyboard.type("Li")
    page.keyboard.press("Tab")
    page.keyboard.type("gasket changed")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page_api.posted == [("/api/v1/alerts/a2/repaired", {"by": "Li", "note": "gasket changed"})]
    repair = {"by": "Li", "note": "gasket changed", "at": NOW, "state": "verifying", "nights": [], "leak_m3_min": None}
    taken = {"acknowledgement": {"by": "Li", "note": "gasket changed", "at": NOW}, "repair": repair, "sequence": 2}
    page_api.send("alert", page_events.LEAK | taken)
    said = leak.locator(".repair")
    expect(said).to_have_text(
        "marked repaired on 22/11, 11:04 by Li (gasket changed), being verified by the next nights"
    )
    expect(leak.get_by_role("button")).to_have_count(0)
    still = repair | {"state": "leaking", "nights": ["2026-11-22T21:00:00.000Z"], "leak_m3_min": 2.9}
    page_api.send("alert", page_events.LEAK | {"repair": still, "sequence": 3})
    expect(said).to_contain_text("still leaking")
    expect(said).to_contain_text("2.90 m³/min in the night that ended 23/11, 05:00, reopened")
    expect(leak.get_by_role("button")).to_have_text(["Acknowledge", "Mark repaired"])
    page.get_by_role("button", name="中文").click()
    expect(said).to_contain_text("仍在泄漏")
    expect(leak.get_by_role("button")).to_have_text(["确认", "标记已修复"])


def test_the_keyboard_reaches_every_tile_and_opens_it(show: Callable[..., Page]) -> None:
    page = show()
    first = page.locator("[data-key='port/p001']")
    first.focus()
    assert page.locator("#station-harbour .group[data-kind=port] .tile[tabindex='0']").count() == 1
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-key='port/p002']")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-key='port/p010']")).to_be_focused()
    page.keyboard.press("End")
    expect(page.locator("[data-key='port/p040']")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Error codeGroundFailure")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("[data-key='port/p039']")).to_be_focused()


def test_a_link_from_an_alert_message_leads_to_it_even_when_it_is_over(
    show: Callable[..., Page], page_api: PageServer
) -> None:
    page = show("?alert=a2")
    expect(page.locator("#alert-a2")).to_be_focused()
    expect(page.locator("#alert-a2 details")).to_have_attribute("open", "")
    page_api.alerts["old"] = page_events.alert(
        "old",
        "warning",
        "isle",
        "main",
        "air_main",
        ("Was", "曾经"),
        ("None", "无"),
        state="resolved",
        since="2026-11-21T03:00:00.000Z",
        resolved_at="2026-11-21T05:00:00.000Z",
    )
    page = show("?alert=old")
    expect(page.locator("#alert-old")).to_be_focused()
    expect(page.locator("#alert-old")).to_contain_text("resolved")
    expect(page.locator("#alert-old .lasting")).to_have_text("for 2 h")
    expect(page.locator("#alerts-count")).to_have_text("3")


def test_a_token_is_asked_for_once(show: Callable[..., Page], page_api: PageServer) -> None:
    page_api.token = "right"
    page = show(wait="#login[open]")
    expect(page.get_by_role("status")).to_have_text("signed out")
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("refused")
    page.get_by_label("Token").fill("right")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("status")).to_have_text("live")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_a_monitor_that_does_not_work_says_so(show: Callable[..., Page], page_api: PageServer) -> None:
    reason = "analytics has been silent for 9 s; see its log, or start it"
    page_api.readiness = {"status": "not ready", "reasons": [reason]}
    page = show(wait="html")
    page.clock.install(time=datetime.fromisoformat(NOW))
    page.reload()
    banner = page.locator("#monitor")
    expect(banner).to_have_text(re.compile(f"Voltair itself does not work.*{reason}"))
    page_api.readiness = {"status": "degraded", "reasons": ["writer: InfluxDB is away"]}
    page.clock.run_for(11_000)
    expect(banner).to_have_text("Voltair itself is impairedwriter: InfluxDB is away")
    page_api.readiness = {"status": "ready", "reasons": []}
    page.clock.run_for(11_000)
    expect(banner).to_be_hidden()


def test_no_answer_is_cut_in_silence(show: Callable[..., Page], page_api: PageServer) -> None:
    """Series and lists are read to their end, and states of very many ports in coarser steps."""
    page = show()
    pages = {None: ([1, 2], "2"), "2": ([3], None)}

    def answer(route: Route) -> None:
        asked = parse_qs(urlsplit(route.request.url).query)
        times, more = pages[asked.get("cursor", [None])[0]]
        items = [{"time_ms": t, "device": "p1", "value": t} for t in times]
        route.fulfill(json={"items": items, "next_cursor": more})

    page.route("**/api/v1/series?*", answer)
    axis = {"station": "harbour", "from": 0, "to": 6 * HOUR_MS, "step": MINUTE_MS, "width": "1m"}
    found = page.evaluate(_SERIES, [page_api.url, axis])
    assert found == {"p1": [[1, 1], [2, 2], [3, 3]]}
    ranges = ((40, 6, "1m", 1), (340, 6, "15m", 1), (340, 7 * 24, "1h", 1), (340, 92 * 24, "1h", 13))
    for count, hours, width, steps in ranges:
        got = page.evaluate(_COARSER, [page_api.url, axis | {"to": hours * HOUR_MS}, count])
        step = {"1m": 1, "15m": 15, "1h": 60}[width] * steps * MINUTE_MS
        assert (got["width"], got["step"], got["aggregate"]) == (width, step, steps > 1)
        assert count * hours * HOUR_MS / step <= 100_000


_SERIES = """async ([root, axis]) => {
  const { series } = await import(`${root}fetch.js`);
  return Object.fromEntries(await series("port_1m", "power_kw_mean", axis));
}"""
_COARSER = """async ([root, axis, count]) => (await import(`${root}range.js`)).coarser(axis, count)"""


def test_many_tiles_of_a_kind_shrink_but_keep_their_words(show: Callable[..., Page], page_api: PageServer) -> None:
    rows = [page_events.device("port", f"p{i:03d}", "Charging", {"power_kw": 6.6}) for i in range(340)]
    page_api.snapshot = [
        page_api.snapshot[0],
        page_events.kpi(page_events.HARBOUR, {}),
        ("device", {"station": "harbour", "devices": rows}),
    ]
    page = show()
    tiles = page.locator(".tile")
    expect(tiles).to_have_count(340)
    expect(page.get_by_role("button", name=re.compile("p339.*Charging"))).to_have_count(1)
    low = tiles.last.bounding_box()
    assert low
    assert low["y"] < 2_000


def test_what_was_never_heard_is_not_zero(show: Callable[..., Page], page_api: PageServer) -> None:
    rows = [page_events.device("port", f"p{i}", None, {}, online=None, last_seen=None) for i in (1, 2)]
    page_api.snapshot = [
        page_api.snapshot[0],
        page_events.kpi(page_events.HARBOUR, {}),
        ("device", {"station": "harbour", "devices": rows}),
    ]
    page = show()
    expect(page.locator("#station-harbour .numbers b")).to_have_text(["–", "–", "–", "–"])
    expect(page.locator("[data-key='port/p1'] .state")).to_have_text("Never heard")
    expect(page.locator("[data-count=online] b")).to_have_text("0")
