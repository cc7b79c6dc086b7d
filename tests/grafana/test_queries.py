"""Every query of every dashboard on a real InfluxDB that the simulators have filled, by way of a whole Voltair."""

from typing import Any

import pytest
from grafana_asks import MOST_SERIES, Filled, Json, check_shape, read_measurements
from grafana_day import AIR, CHARGING, FROM, STATIONS, TO

from grafana.boards import LANGUAGES, boards
from telemetry.times import DAY_MS, HOUR_MS, format_time

pytestmark = pytest.mark.server

RANGES = {"an hour": HOUR_MS, "a week": 7 * DAY_MS, "a month": 30 * DAY_MS, "a quarter": 90 * DAY_MS}
"""The step of the first reads rows of a minute, of the second those of a quarter, of the third those of an hour, and of
the last, in charts of many devices, those of a day."""
CHOICES: dict[str, list[list[str]]] = {
    "one": [["pier01"], ["isle"]],  # a panel is about one kind of station: one of both must have its answer
    "several": [["pier01", "pier02", "isle"]],
    "all": [list(STATIONS)],
}
PORTS = {"pier01": {"p001", "p002", "p003", "x9"}, "pier02": {"p001", "p002"}}
CUSTOMERS = {"isle": {"food", "plastics", "textile"}, "works": {"plastics"}}
"""What further variables offer of each station."""
RARE = {"session", "alert"}
"""What need not have happened in the last hour."""
BOARDS = boards("en")
PANELS = [
    pytest.param(board, panel, id=f"{name.removesuffix('.json')}-{panel['title']}")
    for name, board in BOARDS.items()
    for panel in board["panels"]
]


def panel_of(board: str, title: str) -> Json:
    (found,) = [p for p in BOARDS[f"{board}.json"]["panels"] if p["title"] == title]
    return found  # type: ignore[no-any-return]  # JSON is Any


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_a_panel_has_its_answer(filled: Filled, board: Json, panel: Json) -> None:
    read = set().union(*(read_measurements(t["query"]) for t in panel["targets"]))
    for label, range_ms in RANGES.items():
        for choice, lists in CHOICES.items():
            found = []
            for stations in lists:
                chosen = filled.asker.options(board, stations)
                found += filled.asker.panel(panel, range_ms, chosen)
            recent = label == "an hour" and any(name in RARE or name.endswith("_1d") for name in read)
            none = choice != "all" and panel["fieldConfig"]["defaults"]["noValue"] == "0"
            assert found or recent or none, (label, choice)
            assert len(found) <= MOST_SERIES
            for series in found:
                check_shape(series, f"{panel['title']}, {label}, {choice}")


@pytest.mark.parametrize(("board", "title", "want"), [
    ("home", "Charging power by station", ["1m", "15m", "1h", "1h"]),
    ("air", "State of each compressor", ["1m", "15m", "1h", "1h"]),
    ("charging", "State of each port", ["1m", "1h", "1h", "1d"]),
])  # fmt: skip
def test_of_rows_of_several_widths_one_is_read(filled: Filled, board: str, title: str, want: list[str]) -> None:
    widths = []
    for range_ms in RANGES.values():
        found = filled.asker.panel(panel_of(board, title), range_ms, {"station": list(STATIONS)})
        (name,) = {series["name"] for series in found}
        widths.append(name.rpartition("_")[2])
    assert widths == want


def test_every_state_of_the_timelines_is_mapped(filled: Filled) -> None:
    for language in LANGUAGES:
        for name, must in (("charging.json", {"Available", "Faulted", "Offline"}), ("air.json", {"loaded"})):
            panel = next(p for p in boards(language)[name]["panels"] if p["type"] == "state-timeline")
            found = filled.asker.panel(panel, 4 * HOUR_MS, {"station": list(STATIONS)})
            shown = {row[1] for series in found for row in series["values"]}
            assert must <= shown <= set(panel["fieldConfig"]["defaults"]["mappings"][0]["options"])


def test_ports_of_two_stations_with_one_id_are_two(filled: Filled) -> None:
    found = filled.asker.panel(panel_of("charging", "Power by port"), HOUR_MS, {"station": list(CHARGING)})
    ports = {(s["tags"]["station"], s["tags"]["device"]) for s in found}
    assert ports > {("pier01", "p001"), ("pier02", "p001")}


def values(filled: Filled, board: str, title: str, range_ms: int, *stations: str) -> list[Any]:
    """Return the last known value of each series of a panel, whose column is the last."""
    panel = panel_of(board, title)
    found = filled.asker.panel(panel, range_ms, filled.asker.options(BOARDS[f"{board}.json"], list(stations)))
    return [[row[-1] for row in s["values"] if row[-1] is not None][-1] for s in found]


CHARGING_FIGURES = {
    "charging": {
        "Energy": "energy_kwh", "Occupied share": "occupied_utilisation", "Charging share": "charging_utilisation",
        "Sessions": "sessions",
    },
    "port": {"Energy": "energy_kwh"},
    "home": {"Occupied share": "occupied_utilisation"},
    "health": {"Charging coverage": "coverage"},
}  # fmt: skip
AIR_FIGURES = {
    "air": {"Energy per m³": "kwh_per_m3", "Air supplied": "volume_m3", "Energy": "energy_kwh"},
    "customers": {"Metered air": "metered_m3", "Unaccounted share": "unaccounted_share"},
    "home": {"Energy per m³": "kwh_per_m3"},
    "health": {"Air coverage": "coverage"},
}


@pytest.mark.parametrize("station", STATIONS)
def test_headlines_are_what_the_api_says(filled: Filled, station: str) -> None:
    answer = filled.river.kpis(station, format_time(TO - DAY_MS), format_time(TO))
    want = {**answer["kpis"], "coverage": answer["coverage"]}
    for board, figures in (CHARGING_FIGURES if station in CHARGING else AIR_FIGURES).items():
        for title, kpi in figures.items():
            (value,) = values(filled, board, title, DAY_MS, station)
            assert value == pytest.approx(want[kpi], rel=1e-6), (board, title)


@pytest.mark.parametrize("station", STATIONS)
def test_the_monthly_report_is_what_the_api_says(filled: Filled, station: str) -> None:
    kpis = filled.river.kpis(station, format_time(FROM), format_time(FROM + 2 * DAY_MS))["kpis"]
    figures = {
        "Charging energy": "energy_kwh", "Sessions": "sessions", "Successful sessions": "session_success_rate",
        "Occupied share": "occupied_utilisation",
    } if station in CHARGING else {
        "Air supplied": "volume_m3", "Energy per m³": "kwh_per_m3", "Unaccounted share": "unaccounted_share",
        "Energy saved": "savings_kwh",
    }  # fmt: skip
    for title, kpi in figures.items():
        if kpis[kpi] is None:
            assert values(filled, "month", title, 30 * DAY_MS, station) == [], title
            continue
        (value,) = values(filled, "month", title, 30 * DAY_MS, station)
        # Savings of a day stand on that day's ratio, those of the window on the window's.
        assert value == pytest.approx(kpis[kpi], rel=0.05 if kpi == "savings_kwh" else 1e-6), title


@pytest.mark.parametrize("station", AIR)
def test_leakage_is_what_the_api_says(filled: Filled, station: str) -> None:
    said = filled.river.get(
        f"stations/{station}/leaks", from_=format_time(FROM + DAY_MS), to=format_time(FROM + 2 * DAY_MS)
    )["fused"]
    for title, name in (("Leakage", "leak_m3_min"), ("Leak share", "share"), ("Energy per year", "kwh_per_year")):
        (value,) = values(filled, "leaks", title, 30 * DAY_MS, station)
        assert value == pytest.approx(said[name], rel=1e-4), title


def test_what_is_wrong_now_is_what_the_api_says(filled: Filled) -> None:
    found = filled.asker.panel(panel_of("home", "Wrong now"), HOUR_MS, {"station": list(STATIONS)})
    rows = [dict(zip(s["columns"], row, strict=True)) for s in found for row in s["values"]]
    rows = [r for r in rows if r["state"] == "firing"]
    shown = {(r["alert_id"], r["severity"], r["title"], format_time(r["since_ms"])) for r in rows}
    firing = filled.river.items("alerts", state="firing")
    assert shown == {(a["id"], a["severity"], a["summary"]["en"], a["since"]) for a in firing}
    assert {"port_meter_reset", "device_offline"} <= {a["rule"] for a in firing}


def test_sessions_and_devices_are_those_of_the_api(filled: Filled) -> None:
    sessions = filled.river.sessions("pier01", format_time(FROM), format_time(TO))
    ended = {(s["port"], s["session_id"]) for s in sessions if s["end"] is not None}
    assert values(filled, "port", "Sessions", 7 * DAY_MS, "pier01") == [len(ended)]
    chosen = filled.asker.options(BOARDS["port.json"], ["pier01"])
    (table,) = filled.asker.panel(panel_of("port", "List of sessions"), 7 * DAY_MS, chosen)
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["values"]]
    assert {(r["device"], r["session_id"]) for r in rows} == ended
    (unlisted,) = values(filled, "health", "Devices not listed", DAY_MS, "pier01")
    (pier,) = [s for s in filled.river.items("stations") if s["station"] == "pier01"]
    assert unlisted == pier["devices"]["unregistered"] == 1


@pytest.mark.parametrize(
    ("board", "title", "kind"),
    [("charging", "Ports", "port"), ("air", "Compressors", "compressor"), ("customers", "Meters", "air_meter")],
)
def test_a_table_of_devices_has_a_row_for_each_and_no_other(
    filled: Filled, board: str, title: str, kind: str
) -> None:
    """Queries of a table become one where station and device are the same, and a row of their own where not."""
    found = filled.asker.panel(panel_of(board, title), 7 * DAY_MS, {"station": list(STATIONS)})
    assert {(s["tags"]["station"], s["tags"]["device"]) for s in found} == {
        (station, d["device"]) for station in STATIONS
        for d in filled.river.get(f"stations/{station}")["devices"] if d["kind"] == kind
    }


@pytest.mark.parametrize("name", BOARDS)
def test_variables_offer_their_stations(filled: Filled, name: str) -> None:
    want = {"charging": CHARGING, "port": CHARGING, "air": AIR, "customers": AIR, "leaks": AIR}.get(
        name.removesuffix(".json"), STATIONS
    )
    (variable,) = [v for v in BOARDS[name]["templating"]["list"] if v["name"] == "station"]
    result = filled.asker.ask(variable["query"], variable["datasource"]["uid"], HOUR_MS, None, {})
    assert {row[1] for s in result["series"] for row in s["values"]} == set(want)


@pytest.mark.parametrize(("board", "variable", "of"), [("port", "port", PORTS), ("customers", "customer", CUSTOMERS)])
def test_variables_follow_the_chosen_stations(
    filled: Filled, board: str, variable: str, of: dict[str, set[str]]
) -> None:
    for lists in CHOICES.values():
        for stations in lists:
            offered = filled.asker.options(BOARDS[f"{board}.json"], stations)[variable]
            assert set(offered) == (set().union(*(of.get(s, set()) for s in stations)) or {"none"}), stations


@pytest.mark.parametrize("name", BOARDS)
def test_the_alert_layer_answers(filled: Filled, name: str) -> None:
    for language in LANGUAGES:
        (annotation,) = boards(language)[name]["annotations"]["list"]
        layer, source = annotation["target"], annotation["datasource"]["uid"]
        # Names of columns as Grafana's source makes them; of text and tags a part is enough.
        title, end = (layer[name].removeprefix("alert.") for name in ("titleColumn", "timeEndColumn"))
        assert layer["titleColumn"].startswith("alert.")
        assert layer["timeEndColumn"].startswith("alert.")
        for label, range_ms in RANGES.items():
            for choice, lists in CHOICES.items():
                where, found = f"{language}, {label}, {choice}", []
                for stations in lists:
                    result = filled.asker.ask(layer["query"], source, range_ms, None, {"station": stations})
                    found += result.get("series", [])
                # In a single hour one station may have none; its fault and silence are told to all of them.
                assert found or (label, choice) == ("an hour", "one"), where
                for series in found:
                    columns = series["columns"]
                    assert columns == ["time", title, layer["textColumn"], layer["tagsColumn"], end], where
                    check_shape({**series, "target": {"resultFormat": "annotation"}}, where)
                    lasts = [row[-1] - row[0] for row in series["values"] if None not in row]
                    assert len(lasts) == len(series["values"]), f"{where}: a mark with a hole is left out by Grafana"
                    assert min(lasts) == 0, f"{where}: a mark ends before it begins, or none stands for a moment"
                    assert label == "an hour" or max(lasts) > 0, f"{where}: none is a span"


def test_the_check_itself_finds_a_misspelt_field(filled: Filled) -> None:
    query = 'SELECT mean("flow_mean") FROM "air_main_1m" WHERE $timeFilter'
    assert "series" not in filled.asker.ask(query, "${datasource_raw}", HOUR_MS, None, {})
