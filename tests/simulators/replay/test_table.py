from datetime import UTC, datetime

import pytest
from simulators_support import decoded

from simulators.replay import replay_messages
from telemetry.errors import ConfigError, VoltairError

CSV = """When;Name;P1 (kW);Mode;Druck
2024-03-31 01:59;c1;10,5;RUN;0,7
2024-03-31 03:00;c2;;IDLE;
2024-03-31 03:00;c2;4;OFF;0,65
"""
MAP = """
station = "hall"
seq = true
delimiter = ";"
decimal = ","
[time]
column = "When"
zone = "Europe/Berlin"
[[devices]]
kind = "compressor"
device_column = "Name"
[devices.fields]
power_kw = "P1 (kW)"
state = { column = "Mode", map = { RUN = "loaded", IDLE = "unloaded", OFF = "stopped" } }
[[devices]]
kind = "air_main"
device = "main"
[devices.fields]
pressure_bar = { column = "Druck", unit = "MPa" }
"""


@pytest.fixture
def table(tmp_path):
    (tmp_path / "map.toml").write_text(MAP)
    (tmp_path / "log.csv").write_text(CSV)
    return tmp_path / "log.csv"


def read(path, station=""):
    return [tuple(r) for r in decoded(replay_messages(path, "table", station, path.with_name("map.toml")))]


EXPECTED = [
    ("hall", "compressor", "c1", {"ts": 1_711_846_740_000, "seq": 0, "power_kw": 10.5, "state": "loaded"}),
    ("hall", "air_main", "main", {"ts": 1_711_846_740_000, "seq": 0, "pressure_bar": 7.0}),
    ("hall", "compressor", "c2", {"ts": 1_711_846_800_000, "seq": 1, "state": "unloaded"}),
    ("hall", "compressor", "c2", {"ts": 1_711_846_800_000, "seq": 2, "power_kw": 4, "state": "stopped"}),
    ("hall", "air_main", "main", {"ts": 1_711_846_800_000, "seq": 2, "pressure_bar": 6.5}),
]


def test_columns_become_channels_across_a_clock_change(table):
    assert read(table) == EXPECTED
    assert {station for station, *_ in read(table, "other")} == {"other"}


@pytest.mark.parametrize(
    ("format_name", "value", "time_ms"),
    [
        ("s", "1711846740.5", 1_711_846_740_500),
        ("ms", "1711846740500", 1_711_846_740_500),
        ("%m/%d/%Y %H:%M", "3/31/2024 01:59", 1_711_846_740_000),
        ("iso", "2024-03-31T01:59:00+01:00", 1_711_846_740_000),
    ],
)
def test_formats_of_time(table, format_name, value, time_ms):
    table.with_name("map.toml").write_text(MAP.replace('"When"', f'"When"\nformat = "{format_name}"'))
    table.write_text(CSV.splitlines()[0] + f"\n{value};c1;1;RUN;1\n")
    assert read(table)[0][3]["ts"] == time_ms


def test_parquet_holds_typed_columns_and_times(table):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    at = [datetime(2024, 3, 31, 0, 59, tzinfo=UTC), *[datetime(2024, 3, 31, 1, 0, tzinfo=UTC)] * 2]
    columns = {
        "When": at, "Name": ["c1", "c2", "c2"], "P1 (kW)": [10.5, float("nan"), 4.0], "Mode": ["RUN", "IDLE", "OFF"],
        "Druck": [0.7, None, 0.65],
    }  # fmt: skip
    file = table.with_name("log.parquet")
    parquet.write_table(arrow.table(columns), file)
    assert read(file) == EXPECTED
    file.write_bytes(b"PAR1 no such thing")
    with pytest.raises(VoltairError, match=r"log\.parquet is no Parquet file"):
        read(file)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('"compressor"', '"pump"', "kind 'pump' is none of port"),
        ("power_kw =", "power_w =", "field 'power_w' is no channel of compressor"),
        ('device = "main"', "", "give device"),
        ('"Europe/Berlin"', '"Europe/Atlantis"', "Atlantis"),
        ('column = "When"', "", "column"),
        ("[time]", "[time", "map.toml"),
        ('"loaded"', '"laden"', "'laden' is none of stopped"),
        ('"MPa"', '"furlong"', "furlong"),
    ],
)
def test_a_wrong_map_says_why(table, old, new, match):
    table.with_name("map.toml").write_text(MAP.replace(old, new))
    with pytest.raises(ConfigError, match=match):
        read(table)


def test_what_does_not_fit_together_is_named(table):
    with pytest.raises(ConfigError, match="--columns FILE"):
        list(replay_messages(table, "table"))
    with pytest.raises(ConfigError, match="measur-log knows its columns"):
        replay_messages(table, "measur-log", "", table)
    table.write_text(CSV.replace("Druck", "Pressure"))
    with pytest.raises(VoltairError, match="no column 'Druck'"):
        read(table)
    table.write_text(CSV.replace("2024-03-31 03:00", "soon"))
    with pytest.raises(VoltairError, match="row 2: time 'soon' in column 'When'"):
        read(table)
