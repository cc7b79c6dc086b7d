import contextlib
import itertools
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import harbour
import pytest
from servers import free_port, influxd
from store_answers import answering
from writing import Outbox, drain, make_config, meta, stored

from store import influx_http, series_influx, streams
from store.ledger import Ledger
from store.series import Outcome
from store.series_influx import IN_FLIGHT, LINES, InfluxSeries
from store.series_sqlite import SqliteSeries
from store.sqlite import connect
from store.streams import DerivedStream, RawStream, Waiting
from store.writer import Lane, Writer
from telemetry.config import InfluxConfig
from telemetry.errors import StoreError, StoreUnavailable
from telemetry.points import Points


def test_readings_and_rows_reach_the_embedded_store_once(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    journal, outbox = harbour.Journal(tmp_path), Outbox(tmp_path)
    journal.grow(12_000)
    journal.writer.tick(connected=True, now_ms=harbour.T0)
    outbox.put(harbour.minutes(10), harbour.minutes(20, "port_1m"))
    writer = Writer(config)
    drain(writer)
    writer.close()
    assert len(stored(config)) == 12_000
    assert len(stored(config, "port_1h", "energy_kwh")) == 10
    assert len(stored(config, "port_1m", "energy_kwh")) == 20
    book = meta(tmp_path)
    assert (book["written"], book["derived_cursor"], book["raw_cursor"]) == (12_000, 2, journal.writer.next_number - 1)
    assert book["journal_id"] == journal.writer.journal_id

    again = Writer(config)
    journal.grow(10)
    outbox.put(harbour.minutes(11))
    drain(again)
    again.close()
    assert len(stored(config)) == meta(tmp_path)["written"] == 12_010
    assert len(stored(config, "port_1h", "energy_kwh")) == 11


def test_each_stream_needs_its_own_file_only(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    writer = Writer(config)
    writer.start()
    assert not writer.step()
    assert [p.split(":")[0] for p in writer.problems()] == ["derived", "raw"]
    assert all("waits for" in problem and "start 'voltair" in problem for problem in writer.problems())
    writer.close()
    harbour.Journal(tmp_path).grow(5)
    writer = Writer(config)
    drain(writer)
    assert meta(tmp_path)["written"] == 5
    assert [p.split(":")[0] for p in writer.problems()] == ["derived"]
    writer.close()


def test_a_state_db_that_began_anew_is_written_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "series.db")
    stream = DerivedStream(tmp_path / "state.db", ledger, SqliteSeries(ledger.db))
    with pytest.raises(Waiting, match="voltair analytics"):
        stream.ship()
    outbox = Outbox(tmp_path)
    assert not stream.ship()
    ledger["derived_cursor"] = 70
    outbox.put(harbour.minutes(3))
    assert stream.ship()
    assert ledger["derived_cursor"] == 1
    assert not stream.ship()
    ledger.close()


def test_a_series_db_of_another_journal_is_refused(tmp_path: Path) -> None:
    harbour.Journal(tmp_path).grow(1)
    writer = Writer(make_config(tmp_path))
    drain(writer)
    writer.close()
    for file in (tmp_path / "journal").iterdir():
        file.unlink()
    harbour.Journal(tmp_path).grow(1)
    writer = Writer(make_config(tmp_path))
    with pytest.raises(StoreError, match="restore both from one backup"):
        writer.start()
    writer.close()


def test_pauses_double_end_and_follow_retry_after() -> None:
    now_s = 100.0
    answers: list[Exception | bool] = []
    calls: list[float] = []

    class Source:
        name = "raw"

        def ship(self) -> bool:
            calls.append(now_s)
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        def close(self) -> None:
            raise NotImplementedError

    ledger = Ledger(Path(":memory:"))
    lane = Lane(Source(), SqliteSeries(ledger.db), lambda: now_s)
    away = StoreUnavailable("away")
    answers += [away] * 9 + [True] + [away, StoreUnavailable("slow down", 40.0), StoreError("no right to write"), False]
    while answers:
        assert lane.step() in (True, False)
        now_s += 0.125
    pauses = [round(b - a, 3) for a, b in itertools.pairwise(calls)]
    assert pauses == [0.25, 0.5, 1, 2, 4, 8, 15, 15, 15, 0.125, 0.25, 40, 0.5]
    assert lane.problem() == ""
    ledger.close()


def test_few_readings_wait_a_second_for_more_where_requests_are_dear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    class Store(InfluxSeries):
        def put(self, batch: Sequence[Points]) -> Outcome:
            taken.append(sum(map(len, batch)))
            return Outcome()

    now_ms = harbour.T0
    monkeypatch.setattr(streams, "wall_ms", lambda: now_ms)
    journal = harbour.Journal(tmp_path)
    ledger = Ledger(tmp_path / "series.db")
    stream = RawStream(tmp_path / "journal", ledger, Store(InfluxConfig()))
    journal.grow(10)
    while not stream.ship():
        now_ms += 100
    assert (taken, now_ms - harbour.T0) == ([10], 1_000)
    journal.grow(LINES)  # a full request does not wait
    assert stream.ship()
    journal.grow(5 * LINES)
    assert stream.ship()
    assert taken == [10, LINES, IN_FLIGHT * LINES]
    ledger.close()


def test_a_full_disk_holds_the_cursor_and_loses_nothing(tmp_path: Path) -> None:
    journal = harbour.Journal(tmp_path)
    journal.grow(20_000)
    ledger = Ledger(tmp_path / "series.db")
    store = SqliteSeries(ledger.db)
    lane = Lane(RawStream(tmp_path / "journal", ledger, store), store, itertools.count(0, 100).__next__)
    ledger.db.execute("PRAGMA max_page_count = 150")
    while lane.step():
        pass
    assert "free space" in lane.problem()
    settled = ledger["written"]
    assert settled < 20_000
    assert len(stored(make_config(tmp_path))) == settled
    ledger.db.execute("PRAGMA max_page_count = 1000000")
    while lane.step():
        pass
    assert lane.problem() == ""
    assert stored(make_config(tmp_path)) == [i % 70 / 10 for i in range(20_000)]
    ledger.close()


def test_live_retention_is_by_the_wall_clock_and_event_time_by_the_stations(tmp_path: Path) -> None:
    live, event = tmp_path / "live", tmp_path / "event"
    for data, mode in ((live, "live"), (event, "event")):
        journal = harbour.Journal(data, mode)
        journal.grow(3_600)
        if mode == "event":
            now = {"harbour": harbour.T0 + 3_600_000}
            journal.writer.append([], now_ms=harbour.T0, totals=journal.writer.totals, station_now=now)
        config = make_config(data, mode=mode, keep_raw="30m" if mode == "event" else "")
        writer = Writer(config)
        drain(writer)
        writer.close()
        assert meta(data)["written"] == 3_600
    # November 2024 is more than 30 days ago.
    assert meta(live)["beyond_retention"] == 3_600
    assert meta(event)["beyond_retention"] == 1_800
    assert len(stored(make_config(event))) == 1_800


@pytest.mark.server
def test_refused_lines_are_kept_with_their_reason(tmp_path: Path) -> None:
    journal = harbour.Journal(tmp_path)
    journal.grow(100)
    with influxd() as influx:
        config = make_config(tmp_path, influx)
        influx_http.query(config.store.influx, "", 'CREATE DATABASE "voltair_raw"')
        clash = f"port,station=harbour,device=p3 power_kw=1i {harbour.T0}000000"
        writer = Writer(config)
        client = influx_http.write_client(config.store.influx)
        assert client.write("voltair_raw", clash.encode()).status == 204
        client.close()
        drain(writer)
        writer.close()
        book = meta(tmp_path)
        assert (book["written"], book["refused"]) == (100, 100)
        with contextlib.closing(sqlite3.connect(tmp_path / "series.db")) as db:
            line, reason = db.execute("SELECT line, reason FROM refused").fetchone()
        assert line.startswith("port,device=p0,station=harbour status=")
        assert "field type conflict" in reason


def test_a_server_that_is_dead_for_a_minute_busy_broken_and_hanging_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two good batches of lines with a bad line in each; the pauses pass on a clock of the test's own."""
    monkeypatch.setattr(influx_http, "ANSWER_TIMEOUT_S", 0.3)
    total = 2 * LINES
    journal = harbour.Journal(tmp_path)
    journal.grow(total)
    trouble: list[tuple[int, dict[str, str], bytes] | None] = [
        (500, {}, b"{}"), (503, {}, b"{}"), (429, {"Retry-After": "20"}, b"{}"), None,
        (404, {}, b'{"error": "retention policy not found"}'), (401, {}, b'{"error": "authorization failed"}'),
    ]  # fmt: skip
    release = threading.Event()
    now_s = 0.0
    tries_s: list[float] = []

    def answer(lines: list[str]) -> tuple[int, dict[str, str], bytes]:
        if trouble:
            tries_s.append(now_s)
            told = trouble.pop(0)
            if told is None:
                release.wait(10)  # hangs until the client has given up
            return told or (500, {}, b"{}")
        bad = [line for line in lines if "power_kw=1.3," in line and line.endswith("83000000000")]
        return (400, {}, b'{"error": "unable to parse"}') if bad else (204, {}, b"")

    monkeypatch.setattr(series_influx, "IN_FLIGHT", 1)
    with answering(answer) as server:
        dead = server.url.replace(str(server.server_address[1]), str(free_port()))
        ledger = Ledger(tmp_path / "series.db")
        problems: list[str] = []

        def run(url: str, until_s: float) -> None:
            nonlocal now_s
            store = InfluxSeries(InfluxConfig(url=url))
            stream = RawStream(tmp_path / "journal", ledger, store)
            lane = Lane(stream, store, lambda: now_s)
            while now_s < until_s and ledger["written"] < total:
                lane.step()
                problems.append(lane.problem())
                now_s += 0.25
            stream.close()
            store.close()

        run(dead, 60.0)
        assert ledger["written"] == ledger["raw_cursor"] == 0
        assert "does not answer" in problems[-1]
        run(server.url, 600.0)
        release.set()
        assert ledger["written"] == total
        assert problems[-1] == ""
        said = " ".join(problems)
        for words in ("500", "503", "429", "retention policy not found", "store.influx.username"):
            assert words in said
        assert tries_s[3] - tries_s[2] >= 20.0  # Retry-After
        with contextlib.closing(connect(tmp_path / "series.db", read_only=True)) as db:
            refused = [row[0] for row in db.execute("SELECT line FROM refused")]
        assert 0 < len(refused) == ledger["refused"] < 20
        assert len(set(server.taken)) == total - len(refused)
        assert not set(refused) & set(server.taken)
        ledger.close()
