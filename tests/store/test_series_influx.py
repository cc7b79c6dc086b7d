import contextlib
import dataclasses
import random
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import harbour
import httpx
import msgspec
import numpy as np
import pytest
from servers import Server, influxd, nginx, victoria_metrics
from store_answers import answering

from store import influx_http, series_influx, series_sqlite
from store.ledger import Ledger
from store.raw_points import frame_points
from store.schema import Aggregation
from store.series import Outcome, SeriesItem, SeriesQuery
from store.series_influx import InfluxSeries
from store.series_sqlite import SqliteSeries
from telemetry.config import InfluxConfig
from telemetry.errors import StoreError, StoreUnavailable
from telemetry.points import Points

pytestmark = pytest.mark.server

V2_TO_V1 = """
location = /api/v2/write {{
  if ($http_authorization != "Token let-me-in") {{ return 401; }}
  if ($arg_org != "harbours") {{ return 404; }}
  rewrite ^ /write?db=$arg_bucket&precision=$arg_precision? break;
  proxy_set_header Authorization "";
  proxy_pass http://127.0.0.1:{port};
}}
location = /query {{
  if ($http_authorization != "Token let-me-in") {{ return 401; }}
  proxy_set_header Authorization "";
  proxy_pass http://127.0.0.1:{port};
}}
"""


@pytest.fixture(scope="module")
def influx() -> Iterator[Server]:
    with influxd() as server:
        yield server


@pytest.fixture
def config(influx: Server, request: pytest.FixtureRequest) -> InfluxConfig:
    """Yield a 1.x configuration with databases of the test's own."""
    return InfluxConfig(url=influx.url, database=re.sub(r"\W", "_", request.node.name))


def raw(n: int = 100) -> Points:
    return frame_points(harbour.frame(n), harbour.DEVICES)


def put(config: InfluxConfig, batch: list[Points], keep_ms: int | None = None) -> Outcome:
    with contextlib.closing(InfluxSeries(config, keep_ms)) as store:
        return store.put(batch)


def count(config: InfluxConfig, measurement: str = "port", field: str = "power_kw") -> int:
    database = series_influx.database_of(config, measurement)
    found = influx_http.query(config, database, f'SELECT count("{field}") FROM "{measurement}"')  # noqa: S608 - a test's own words
    return int(found[0]["values"][0][1]) if found else 0


def queries() -> list[SeriesQuery]:
    whole = {"from_ms": harbour.T0, "to_ms": harbour.T0 + 100_000, "station": "harbour"}
    fields = ("power_kw", "energy_kwh", "status", "session_id", "departure", "seq")
    return [
        *(SeriesQuery("port", field, **whole) for field in fields),
        SeriesQuery("port", "power_kw", **whole, device="p3"),
        SeriesQuery("port", "power_kw", **whole, limit=7),
        *(
            SeriesQuery("port", "energy_kwh", **(whole | {"from_ms": start}), step_ms=step, aggregation=how)
            for how in Aggregation
            for start, step in ((harbour.T0, 60_000), (harbour.T0 + 40_000, 20_000))
        ),
        SeriesQuery("port", "energy_kwh", **whole, step_ms=20_000, aggregation=Aggregation.DIFFERENCE, limit=3),
        SeriesQuery("port", "status", **whole, step_ms=60_000, aggregation=Aggregation.LAST),
    ]


def assert_alike(ours: list[SeriesItem], theirs: list[SeriesItem]) -> None:
    assert [(i.time_ms, i.station, i.device) for i in ours] == [(i.time_ms, i.station, i.device) for i in theirs]
    for a, b in zip(ours, theirs, strict=True):
        assert a.value == (b.value if isinstance(b.value, str) else pytest.approx(b.value, rel=1e-12))


def test_raw_points_are_alike_in_both_stores(config: InfluxConfig, tmp_path: Path) -> None:
    points = raw()
    assert put(config, [points, harbour.minutes(5)]) == Outcome()
    assert put(config, [points]) == Outcome(), "the same points again change nothing"
    ledger = Ledger(tmp_path / "series.db")
    with ledger.transaction():
        SqliteSeries(ledger.db).put([points, harbour.minutes(5)])
    ledger.close()
    for query in queries():
        ours = series_sqlite.read_series(tmp_path / "series.db", query)
        assert ours, query
        assert_alike(ours, series_influx.read_series(config, query))
    assert series_influx.read_series(config, SeriesQuery("port_1h", "energy_kwh", harbour.T0, harbour.T0 + 10**9))
    names = influx_http.query(config, "", "SHOW DATABASES")[0]["values"]
    assert {(config.database,), (f"{config.database}_raw",)} <= {tuple(name) for name in names}


def test_seq_and_merging_are_alike_in_both_stores(config: InfluxConfig, tmp_path: Path) -> None:
    def one(value: float, status: str | None, seq: int) -> Points:
        fields = {"power_kw": np.array([value]), "status": (status,)}
        tags = {"station": ("harbour",), "device": ("p1",)}
        return Points("port", tags, np.array([harbour.T0]), np.array([seq]), fields)

    ledger = Ledger(tmp_path / "series.db")
    for points in (one(1.0, "Charging", 5), one(2.0, None, 6), one(np.nan, "Faulted", 5), one(4.0, None, 6)):
        put(config, [points])
        with ledger.transaction():
            SqliteSeries(ledger.db).put([points])
    ledger.close()
    for field, expected in (("power_kw", [1.0, 4.0]), ("status", ["Faulted"])):
        query = SeriesQuery("port", field, harbour.T0, harbour.T0 + 1)
        assert [item.value for item in series_influx.read_series(config, query)] == expected
        assert [item.value for item in series_sqlite.read_series(tmp_path / "series.db", query)] == expected


def test_texts_survive_influxdb(config: InfluxConfig) -> None:
    words = ('say "hi"', "back\\slash", "back\\", "a=b, c", "two\nlines", "中文", "")
    n = len(words)
    tags = {"station": ("harbour",) * n, "device": tuple(f"p{i}" for i in range(n))}
    times = np.full(n, harbour.T0)
    points = Points("port", tags, times, np.full(n, -1), {"session_id": words})
    assert put(config, [points]) == Outcome()
    query = SeriesQuery("port", "session_id", harbour.T0, harbour.T0 + 1)
    assert tuple(item.value for item in series_influx.read_series(config, query)) == words


def test_version_2_writes_through_influxdb_client(influx: Server, config: InfluxConfig) -> None:
    with nginx(V2_TO_V1.format(port=influx.port)) as proxy:
        v2 = InfluxConfig(version=2, url=proxy.url, token="let-me-in", org="harbours", bucket=config.database)
        for name in (config.database, f"{config.database}_raw"):
            httpx.post(f"{influx.url}/query", params={"q": f'CREATE DATABASE "{name}"'}).raise_for_status()
        assert put(v2, [raw(12_000), harbour.minutes(5)]) == Outcome()
        assert count(v2) == count(config) == 12_000
        query = SeriesQuery("port_1h", "energy_kwh", harbour.T0, harbour.T0 + 10**9, station="harbour")
        assert [item.value for item in series_influx.read_series(v2, query)] == [0.0, 0.5, 1.0, 1.5, 2.0]
        for wrong, remedy in (({"token": "no"}, "store.influx.token"), ({"org": "others"}, "org, bucket")):
            refused = InfluxConfig(**{**{f: getattr(v2, f) for f in v2.__struct_fields__}, **wrong})
            with pytest.raises(StoreError, match=remedy) as caught:
                put(refused, [raw(1)])
            assert not isinstance(caught.value, StoreUnavailable)
        # A bucket that is not there: never parked, held until somebody makes it.
        missing = InfluxConfig(version=2, url=proxy.url, token="let-me-in", org="harbours", bucket="nowhere")
        with pytest.raises(StoreError, match="'nowhere_raw' must exist"):
            put(missing, [raw(1)])


def test_victoria_metrics_takes_the_same_writes() -> None:
    with victoria_metrics("-retentionPeriod=100y") as server:
        config = InfluxConfig(version=2, url=server.url, org="x", bucket="voltair")
        assert put(config, [raw(1_000)]) == Outcome()
        httpx.get(f"{server.url}/internal/force_flush").raise_for_status()
        lines = httpx.get(f"{server.url}/api/v1/export", params={"match[]": "port_power_kw"}).text.splitlines()
        assert sum(line.count(",") for line in lines) > 0
        assert len(lines) == 10


def test_points_beyond_retention_are_counted_and_the_rest_is_stored(influx: Server, config: InfluxConfig) -> None:
    statement = f'CREATE DATABASE "{config.database}_raw" WITH DURATION 52w'
    httpx.post(f"{influx.url}/query", params={"q": statement}).raise_for_status()
    old, now = raw(40), raw(60)
    shifted = now.time_ms - now.time_ms[0] + time.time_ns() // 1_000_000 - 3_600_000
    recent = Points(now.measurement, now.tags, shifted, now.seq, now.fields)
    assert put(config, [old, recent]) == Outcome(beyond_retention=40)
    assert count(config) == 60


def test_a_database_is_made_with_its_retention(influx: Server, config: InfluxConfig) -> None:
    assert put(config, [raw(1), harbour.minutes(1)], 30 * 86_400_000).beyond_retention == 1
    for name, duration in ((f"{config.database}_raw", "720h0m0s"), (config.database, "0s")):
        policies = influx_http.query(config, name, f'SHOW RETENTION POLICIES ON "{name}"')
        assert policies[0]["values"][0][1] == duration


def test_bad_lines_are_found_and_the_rest_is_written(config: InfluxConfig) -> None:
    fields = {"power_kw": np.arange(3.0)}
    tags = {"station": ("harbour",) * 3, "device": ("p0", "p1", "p2")}
    times = np.array([harbour.T0] * 3)
    put(config, [Points("port", tags, times, np.full(3, -1), fields)])
    # An integer where a float lives is a type conflict: a line that InfluxDB will never take.
    good = raw(5_000)
    bad_tags = {"station": ("harbour",) * 2, "device": ("p0", "p9")}
    bad_times = np.array([harbour.T0 + 500, harbour.T0 + 700])
    bad = Points("port", bad_tags, bad_times, np.full(2, -1), {"power_kw": np.array([1, 2])})
    outcome = put(config, [good, bad, good])
    assert [line for line, _ in outcome.refused] == [
        f"port,device=p0,station=harbour power_kw=1i {harbour.T0 + 500}000000",
        f"port,device=p9,station=harbour power_kw=2i {harbour.T0 + 700}000000",
    ]
    assert all("field type conflict" in reason for _, reason in outcome.refused)
    # Two of the first three points stand beside the readings.
    assert count(config) == 5_002


def test_a_limit_of_the_server_holds_and_says_what_to_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFLUXDB_DATA_MAX_VALUES_PER_TAG", "5")
    with influxd() as server:
        config = InfluxConfig(url=server.url)
        # InfluxDB looks at the limit once per request: the first may pass it.
        put(config, [raw()])
        tags = {"station": ("harbour",), "device": ("p77",)}
        one = Points("port", tags, np.array([1]), np.array([-1]), {"power_kw": np.array([1.0])})
        with pytest.raises(StoreError, match="raise max-values-per-tag") as caught:
            put(config, [one])
    assert not isinstance(caught.value, StoreUnavailable)


@pytest.mark.parametrize(
    ("version", "status", "said"),
    [
        (1, 400, "partial write: points beyond retention policy dropped={}"),
        # InfluxDB 2.7: the point's tags are part of what it says.
        (2, 422, (
            "failure writing points to database: partial write: dropped {} points outside retention policy of "
            "duration 720h0m0s - oldest point port,device=p0 at 1970-01-01T00:00:00Z dropped because it violates a "
            "Retention Policy Lower Bound at 2026-10-27T00:00:00Z dropped={} for database: 9f28 for retention policy: "
            "autogen"
        )),
        (2, 422, "failure writing points to database: partial write: points beyond retention policy"),
    ],
)  # fmt: skip
def test_points_beyond_retention_are_known_by_the_words_of_every_version(version: int, status: int, said: str) -> None:
    def answer(lines: list[str]) -> tuple[int, dict[str, str], bytes]:
        old = sum(line.endswith(f" {harbour.T0}000000") for line in lines)
        text = said.format(old, old)
        return (status, {}, msgspec.json.encode({"message": text})) if old else (204, {}, b"")

    points = raw(1_000)
    old = sum(line.endswith(f" {harbour.T0}000000") for line in series_influx.to_lines(points))
    with answering(answer) as server:
        config = InfluxConfig(version=version, url=server.url, token="t", org="o")  # type: ignore[arg-type]
        assert put(config, [points]) == Outcome((), old)
        assert old > 0
        if "dropped=" in said:
            assert len(server.requests) == 1, "the rest of the request is stored: nothing is sent again"


BAD = re.compile(f" ({harbour.T0 + 7_000}|{harbour.T0 + 4_321_000})000000$")


@pytest.mark.parametrize("version", [1, 2, 3])
def test_two_bad_lines_of_ten_thousand_are_set_aside_alone(version: int) -> None:
    def answer(lines: list[str]) -> tuple[int, dict[str, str], bytes]:
        bad = [line for line in lines if BAD.search(line)]
        return (400, {}, b'{"error": "unable to parse"}') if bad else (204, {}, b"")

    points = raw(10_000)
    with answering(answer) as server:
        config = InfluxConfig(version=version, url=server.url, token="t", org="o")  # type: ignore[arg-type]
        outcome = put(config, [points])
        every = series_influx.to_lines(points)
        refused = [line for line, _ in outcome.refused]
        assert sorted(refused) == sorted(line for line in every if BAD.search(line))
        assert len(refused) == 2
        assert sorted(server.taken) == sorted(set(every) - set(refused))
        assert {reason for _, reason in outcome.refused} == {"400: unable to parse"}
        path, args = server.requests[0]
        assert path == ("/write" if version == 1 else "/api/v2/write")
        assert args["precision"] == ["ns"]
        assert args["db" if version == 1 else "bucket"] == ["voltair_raw"]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("status", "headers", "pause"), [(429, {"Retry-After": "7"}, 7.0), (503, {}, None), (500, {}, None)]
)
def test_an_overloaded_server_is_waited_for(
    version: int, status: int, headers: dict[str, str], pause: float | None
) -> None:
    with answering(lambda _: (status, headers, b'{"error": "busy"}')) as server:
        config = InfluxConfig(version=version, url=server.url, token="t", org="o")  # type: ignore[arg-type]
        with pytest.raises(StoreUnavailable, match=f"answers {status} .*busy") as caught:
            put(config, [raw(2)])
        assert caught.value.retry_after_s == pause
        assert len(server.requests) == 1


@pytest.mark.parametrize("version", [1, 2])
def test_a_server_that_hangs_or_is_away_is_waited_for(version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(influx_http, "ANSWER_TIMEOUT_S", 0.3)
    release = threading.Event()

    def hang(_: list[str]) -> tuple[int, dict[str, str], bytes]:
        release.wait(10)
        return 204, {}, b""

    with answering(hang) as server:
        config = InfluxConfig(version=version, url=server.url, token="t", org="o")  # type: ignore[arg-type]
        with pytest.raises(StoreUnavailable, match="does not answer"):
            put(config, [raw(2)])
        release.set()
    with pytest.raises(StoreUnavailable, match="does not answer"):
        put(config, [raw(2)])


@pytest.mark.parametrize(
    ("status", "said", "remedy"),
    [
        (401, "authorization failed", "store.influx.username and password"),
        (403, "not authorized to write", "store.influx.username and password"),
        (404, "page not found", "store.influx.url, version"),
        (400, "partial write: max-values-per-tag limit exceeded (9/9): dropped=1", "raise max-values"),
        (400, "partial write: max-series-per-database limit exceeded: (1000000) dropped=1", "raise max-values"),
        (301, "moved", "check store.influx.url"),
    ],
)
def test_what_a_person_must_mend_is_held_with_its_remedy(status: int, said: str, remedy: str) -> None:
    with answering(lambda _: (status, {}, f'{{"error": "{said}"}}'.encode())) as server:
        with pytest.raises(StoreError, match=remedy) as caught:
            put(InfluxConfig(url=server.url), [raw(100)])
        assert not isinstance(caught.value, StoreUnavailable)
        assert len(server.requests) == 1


def test_bodies_stay_below_their_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series_influx, "BODY_BYTES", 20_000)
    sizes: list[int] = []

    def answer(lines: list[str]) -> tuple[int, dict[str, str], bytes]:
        sizes.append(len("\n".join(lines).encode()))
        return 204, {}, b""

    with answering(answer) as server:
        put(InfluxConfig(url=server.url), [raw(3_000)])
        assert max(sizes) <= 20_000
        assert len(server.taken) == 3_000


def test_requests_go_side_by_side_and_the_later_value_of_a_point_stays(
    influx: Server, config: InfluxConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each point is put twice, 6,000 lines apart, with different values; requests take random times."""
    monkeypatch.setattr(series_influx, "LINES", 1_000)
    here, most = 0, 0
    lock = threading.Lock()
    chance = random.Random(1)  # noqa: S311 - delays, no secret

    def answer(lines: list[str]) -> tuple[int, dict[str, str], bytes]:
        nonlocal here, most
        with lock:
            here, most = here + 1, max(most, here + 1)
            delay_s = chance.uniform(0.01, 0.2)
        time.sleep(delay_s)  # the disorder is the test
        params = {"db": config.database, "precision": "ns"}
        httpx.post(f"{influx.url}/write", params=params, content="\n".join(lines)).raise_for_status()
        with lock:
            here -= 1
        return 204, {}, b""

    influx_http.query(config, "", f'CREATE DATABASE "{config.database}"')
    first = frame_points(harbour.frame(6_000), harbour.DEVICES)
    second = dataclasses.replace(first, fields={**first.fields, "power_kw": np.full(6_000, 8.5)})
    with answering(answer) as server:
        assert put(InfluxConfig(url=server.url), [first, second]) == Outcome()
        assert len(server.requests) >= 12
    assert most == series_influx.IN_FLIGHT
    found = influx_http.query(config, config.database, 'SELECT power_kw FROM "port"')
    assert [row[1] for row in found[0]["values"]] == [8.5] * 6_000


def test_one_failed_request_holds_all_that_were_under_way() -> None:
    ended = 0

    def answer(lines: list[str]) -> tuple[int, dict[str, str], bytes]:
        nonlocal ended
        if any("device=p3," in line for line in lines):
            return 503, {"Retry-After": "3"}, b"{}"
        time.sleep(0.2)  # the others take longer, and are waited for
        ended += 1
        return 204, {}, b""

    with answering(answer) as server:
        with pytest.raises(StoreUnavailable) as caught:
            put(InfluxConfig(url=server.url), [raw(20_000)])
        assert ended >= 2
    assert caught.value.retry_after_s == 3.0
