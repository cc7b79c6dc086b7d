"""The first screen and a station's page over a large store: 400 ports at ten stations, 90 days of rows.

One hour is published and goes the way of every reading; the days before it are copies of what that hour left in
state.db and series.db, so that the store is as large as after three months.
"""

import contextlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
from playwright.sync_api import Browser, sync_playwright

from benchmarks.ingest import mosquitto
from simulators.commands import publish
from simulators.message import Message, telemetry_topic
from store.buckets import Buckets, decode_buckets, encode_buckets
from store.roles import read_status
from store.sqlite import connect
from telemetry.times import DAY_MS, HOUR_MS, MINUTE_MS
from voltair.bench import free_port, process, wait
from voltair.supervise import voltair_argv

_BEGIN_MS = 1_795_305_600_000
"""2026-11-22 00:00 UTC."""
_READINGS_PER_HOUR = 60


def measure_page(stations: int, ports: int, days: int, visits: int) -> Iterator[tuple[str, str]]:
    """Fill a store, look at it with a browser, and yield what it took."""
    with tempfile.TemporaryDirectory(prefix="voltair-bench-") as name, contextlib.ExitStack() as stack:
        folder, api_port = Path(name), free_port()
        broker_port = stack.enter_context(mosquitto(folder))
        (folder / "stations.toml").write_text(_stations(stations, ports), "utf-8")
        config = folder / "voltair.toml"
        config.write_text(
            f'[mqtt]\nurl = "mqtt://127.0.0.1:{broker_port}"\n[clock]\nmode = "event"\n'
            f'[api]\nlisten = "127.0.0.1:{api_port}"\n', "utf-8",
        )
        api = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{api_port}", trust_env=False, timeout=60))
        with process(voltair_argv("run", "--config", str(config)), folder):
            wait(lambda: api.get("/readyz").is_success, folder)
            messages = _hour(stations, ports)
            publish(messages, f"mqtt://127.0.0.1:{broker_port}", None, "publishing")
            wait(lambda: _settled(api, stations * ports * _READINGS_PER_HOUR), folder)
        data = folder / "voltair-data"
        readings = stations * ports * _READINGS_PER_HOUR
        for part in ("journal", "state.db", "series.db"):
            yield f"{part}, bytes per reading", f"{_size(data / part) / readings:.0f}"
        yield "copied blocks of state.db", f"{_copy_state(data / 'state.db', days):,}"
        yield "copied rows of series.db", f"{_copy_series(data / 'series.db', days):,}"
        for part in ("state.db", "series.db"):
            yield part, f"{_size(data / part) / 1e6:.0f} MB"
        with process(voltair_argv("run", "--config", str(config)), folder):
            wait(lambda: api.get("/readyz").is_success, folder)
            status = read_status(data, "api")
            yield from _visits(str(api.base_url), 0 if status is None else status.pid, stations, ports, visits)


def _stations(stations: int, ports: int) -> str:
    lines = []
    for s in range(stations):
        lines.append(f'[stations.s{s:02d}]\nkind = "charging"\nname = "Station {s}"\ntransformer_kva = 400')
        lines += [f'[[stations.s{s:02d}.ports]]\nid = "p{p:03d}"\nrated_kw = 7' for p in range(ports)]
    return "\n".join(lines)


def _hour(stations: int, ports: int) -> list[Message]:
    """Return an hour of minutely readings, an array per port: each charges for the half of it."""
    messages = []
    for s in range(stations):
        for p in range(ports):
            rows = []
            for minute in range(_READINGS_PER_HOUR):
                charging = (minute + p) // 30 % 2 == 0
                rows.append({
                    "ts": _BEGIN_MS + minute * MINUTE_MS, "status": "Charging" if charging else "Available",
                    "power_kw": 6.6 if charging else 0.0, "energy_kwh": 100.0 * p + 0.11 * minute,
                    "current_a": 28.7 if charging else 0.0,
                })  # fmt: skip
            topic = telemetry_topic(f"s{s:02d}", "port", f"p{p:03d}")
            messages.append(Message(_BEGIN_MS, topic, json.dumps(rows).encode()))
    return messages


def _settled(api: httpx.Client, readings: int) -> bool:
    now = api.get("/api/v1/progress").raise_for_status().json()
    done = now["journalled"] == now["analysed"] == now["written"] == readings
    newest = {s["station"]: s["now"] for s in api.get("/api/v1/stations").json()["items"]}
    marks = now["watermark"]
    return done and not now["derived_pending"] and all(marks.get(s) and marks[s] >= newest[s] for s in newest)


def _copy_state(path: Path, days: int) -> int:
    """Put every block and run of the hour into each hour of the days before."""
    db = connect(path)
    blocks = db.execute("SELECT station, kind, hour_ms, body FROM block").fetchall()
    runs = db.execute("SELECT station, kind, device, start_ms, start_seq, end_ms, body FROM run").fetchall()
    tables = [(station, kind, hour_ms, decode_buckets(body)) for station, kind, hour_ms, body in blocks]
    db.execute("BEGIN")
    for back_ms in range(HOUR_MS, days * DAY_MS + 1, HOUR_MS):
        earlier = [(s, k, hour_ms - back_ms, encode_buckets(_earlier(b, back_ms))) for s, k, hour_ms, b in tables]
        db.executemany("INSERT OR IGNORE INTO block VALUES(?, ?, ?, ?)", earlier)
        db.executemany(
            "INSERT OR IGNORE INTO run VALUES(?, ?, ?, ?, ?, ?, ?)",
            [(s, k, d, start - back_ms, seq, end - back_ms, body) for s, k, d, start, seq, end, body in runs],
        )
    db.execute("COMMIT")
    count: int = db.execute("SELECT count(*) FROM block").fetchone()[0]
    db.close()
    return count


def _earlier(buckets: Buckets, by_ms: int) -> Buckets:
    columns = {
        name: np.where(values > 0, values - by_ms, values) if name.endswith("_last_ms") else values
        for name, values in buckets.columns.items()
    }
    return Buckets(buckets.devices, buckets.device, buckets.start_ms - by_ms, buckets.width_ms, columns)


def _copy_series(path: Path, days: int) -> int:
    """Put the hour's rows of 15 minutes and of an hour into each hour of the days before."""
    db = sqlite3.connect(path, isolation_level=None)
    tables = [r[0] for r in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    db.execute("BEGIN")
    db.execute("CREATE TEMP TABLE back(ms INTEGER)")
    db.executemany("INSERT INTO back VALUES(?)", [(h * HOUR_MS,) for h in range(1, days * 24 + 1)])
    count = 0
    for table in (t for t in tables if t.endswith(("_15m", "_1h"))):
        names = [r[1] for r in db.execute(f'PRAGMA table_info("{table}")')]
        values = ", ".join("time_ms - ms" if n == "time_ms" else f'"{n}"' for n in names)
        count += db.execute(
            f'INSERT OR IGNORE INTO "{table}" SELECT {values} FROM "{table}", back'  # noqa: S608 - names of ours
            f" WHERE time_ms >= {_BEGIN_MS} ORDER BY series, time_ms - ms"
        ).rowcount
    db.execute("COMMIT")
    db.close()
    return count


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path, path.with_name(path.name + "-wal")]
    return sum(f.stat().st_size for f in files if f.is_file())


def _visits(url: str, api_pid: int, stations: int, ports: int, visits: int) -> Iterator[tuple[str, str]]:
    """Look at each view so often; the first screen has every station's figures and states, and the counts of all."""
    program = shutil.which("chromium-headless-shell")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        there = (
            f"document.querySelectorAll('article.station:has(.numbers b):has(.legend li)').length === {stations}"
            f" && document.querySelector('#counts').textContent.includes('{stations * ports}')"
        )
        drawn = (
            f"document.querySelectorAll('svg.strip').length >= {ports}"
            " && !document.querySelector('[aria-busy=true]')"
        )
        views = {
            "first screen": ("", there),
            f"station, {ports} strips, 24 h": ("s/s00?range=24h", drawn),
            f"station, {ports} strips, 7 d": ("s/s00?range=7d", drawn),
        }
        for name, (path, done) in views.items():
            before_s = _cpu_s(api_pid)
            seen = [_visit(browser, f"{url}/{path}", done) for _ in range(visits)]
            api_s = (_cpu_s(api_pid) - before_s) / visits
            low, median, high = np.quantile([took_s for took_s, _ in seen], [0, 0.5, 1])
            yield name, f"median {median:.2f} s, {low:.2f} to {high:.2f} s ({visits} visits, an empty cache each)"
            page_s = np.median([cpu_s for _, cpu_s in seen])
            yield "  CPU: API, page's process", f"{api_s:.2f} s, {page_s:.2f} s"
        browser.close()


def _cpu_s(pid: int) -> float:
    """Return the processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _visit(browser: Browser, url: str, done: str) -> tuple[float, float]:
    """Return the time from the start of the navigation until everything is there, and the CPU of its process [s]."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda m: problems.append(m.text) if m.type in ("error", "warning") else None)
    page.goto(url, wait_until="commit")
    took_ms = page.wait_for_function(f"() => {done} && performance.now()", polling=20).json_value()
    session = context.new_cdp_session(page)
    session.send("Performance.enable")
    metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
    context.close()
    assert not problems, problems
    return float(took_ms) / 1000, float(metrics["ProcessTime"])
