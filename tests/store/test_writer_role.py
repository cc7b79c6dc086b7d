"""The writer as a process: killed, its server killed or hanging."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import harbour
import pytest
from servers import influxd
from writing import Outbox, make_config, meta, stored, written

from store.influx_http import query
from store.ledger import Ledger
from store.roles import RoleStatus, read_status
from store.series_influx import InfluxSeries
from store.streams import RawStream
from store.writer import Lane
from telemetry.config import Config, InfluxConfig


@contextlib.contextmanager
def role(config: Config) -> Iterator[subprocess.Popen[bytes]]:
    """Run the role in a process of its own."""
    influx = config.store.influx
    program = (
        "from store.writer import run\n"
        "from telemetry.config import *\n"
        f"run(Config(data_dir={config.data_dir!r}, clock=ClockConfig(mode={config.clock.mode!r}),"
        f" store=StoreConfig(kind={config.store.kind!r}, influx=InfluxConfig(url={influx.url!r}))))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2], stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait for another process to do its work."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in {seconds} s: {what}"
        time.sleep(0.02)


def spoken(config: Config) -> RoleStatus:
    status = read_status(config.data, "writer")
    assert status is not None
    return status


@pytest.mark.server
def test_influxdb_killed_in_the_middle_of_writing(tmp_path: Path) -> None:
    journal, outbox = harbour.Journal(tmp_path), Outbox(tmp_path)
    journal.grow(60_000, per_entry=2_000)
    outbox.put(harbour.minutes(50))
    with influxd() as influx:
        config = make_config(tmp_path, influx)
        with role(config):
            wait_for(lambda: written(tmp_path) >= 10_000, "a start")
            influx.kill9()
            wait_for(lambda: any("does not answer" in p for p in spoken(config).problems), "the role says so")
            journal.grow(5_000)
            influx.start()
            wait_for(lambda: meta(tmp_path)["written"] == 65_000, "everything")
            wait_for(lambda: not spoken(config).problems, "all is well again")
            wait_for(lambda: spoken(config).gauges == {"raw_pending": 0.0, "lag_s": 0.0}, "nothing is pending")
        assert len(stored(config)) == 65_000
        assert stored(config, "port_1h", "energy_kwh") == [0.5 * i for i in range(50)]
        assert meta(tmp_path)["refused"] == 0


@pytest.mark.server
def test_a_missing_right_and_a_dropped_database_hold_the_cursor_until_they_are_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFLUXDB_HTTP_AUTH_ENABLED", "true")
    journal = harbour.Journal(tmp_path)
    journal.grow(50)
    with influxd() as influx, contextlib.ExitStack() as stack:
        root = InfluxConfig(url=influx.url, username="root", password="secret")
        query(InfluxConfig(url=influx.url), "", "CREATE USER root WITH PASSWORD 'secret' WITH ALL PRIVILEGES")
        for statement in (
            "CREATE DATABASE voltair_raw", "CREATE USER w WITH PASSWORD 'w'", "GRANT READ ON voltair_raw TO w",
        ):  # fmt: skip
            query(root, "", statement)
        ledger = Ledger(tmp_path / "series.db")
        store = InfluxSeries(InfluxConfig(url=influx.url, username="w", password="w"))
        stream = RawStream(tmp_path / "journal", ledger, store)
        for part in (ledger, store, stream):
            stack.callback(part.close)
        now_s = 0.0
        lane = Lane(stream, store, lambda: now_s)

        def problem() -> str:
            nonlocal now_s
            now_s += 30
            lane.step()
            return lane.problem()

        assert "grant it the right to write" in problem()
        assert (ledger["written"], ledger["refused"]) == (0, 0)
        query(root, "", "GRANT ALL ON voltair_raw TO w")
        assert problem() == ""
        assert ledger["written"] == 50
        query(root, "", "DROP DATABASE voltair_raw")
        journal.grow(25)
        assert "voltair_raw" in (said := problem())
        assert "Run as administrator: CREATE DATABASE" in said or "grant it the right to write" in said
        assert ledger["written"] == 50
        for statement in ("CREATE DATABASE voltair_raw", "GRANT ALL ON voltair_raw TO w"):
            query(root, "", statement)
        assert problem() == ""
        assert (ledger["written"], ledger["refused"]) == (75, 0)
        # What the dropped database had held is gone with it; what came since is there.
        (series,) = query(root, "voltair_raw", "SELECT count(power_kw) FROM port")
        assert series["values"][0][1] == 25


@pytest.mark.server
@pytest.mark.parametrize("kind", ["sqlite", "influx"])
def test_the_writer_killed_again_and_again(kind: str, tmp_path: Path) -> None:
    journal, outbox = harbour.Journal(tmp_path), Outbox(tmp_path)
    journal.grow(40_000, per_entry=2_000)
    outbox.put(*[harbour.minutes(50)] * 10)
    with influxd() if kind == "influx" else contextlib.nullcontext() as influx:
        config = make_config(tmp_path, influx)
        for quarter in range(4):
            with role(config) as process:
                wait_for(lambda goal=10_000 * quarter: written(tmp_path) > goal, "progress")
                process.send_signal(signal.SIGKILL)
                process.wait()
        with role(config) as process:
            wait_for(lambda: written(tmp_path) == 40_000, "everything")
            # Perhaps the killed one had written all: this one must live before it can be told to stop.
            wait_for(lambda: spoken(config).pid == process.pid, "the role speaks")
            process.terminate()
            assert process.wait(10) == 0
        # Each power differs in its place: a reading lost or doubled would show.
        assert stored(config) == [i % 70 / 10 for i in range(40_000)]
        assert meta(tmp_path)["raw_cursor"] == journal.writer.next_number - 1


@pytest.mark.server
def test_the_role_stops_while_a_server_hangs_and_only_one_runs(tmp_path: Path) -> None:
    harbour.Journal(tmp_path).grow(10)
    with influxd() as influx:
        config = make_config(tmp_path, influx)
        os.kill(influx.pid, signal.SIGSTOP)
        try:
            with role(config) as process:
                wait_for(lambda: read_status(tmp_path, "writer") is not None, "a status")
                wait_for(lambda: any("has not answered" in p for p in spoken(config).problems), "the role says so")
                with role(config) as second:
                    assert second.wait(20) == 1
                    assert second.stderr is not None
                    assert b"already runs" in second.stderr.read()
                process.terminate()
                assert process.wait(10) == 0
        finally:
            os.kill(influx.pid, signal.SIGCONT)
        assert meta(tmp_path)["written"] == 0
        with role(config):
            wait_for(lambda: written(tmp_path) == 10, "everything")
        assert len(stored(config)) == 10
